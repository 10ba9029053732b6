/** `moiety sim explore` as a person calls it; what it finds in the product with a rule taken out (`test/mutants`). */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const bin = fileURLToPath(new URL('../../../bin/moiety.mjs', import.meta.url));
const apply = new URL('../../../test/mutants/apply.ts', import.meta.url).href;

function explore(
  mutant: string,
  ...args: readonly string[]
): { code: number | null; out: string; err: string } {
  const environment: NodeJS.ProcessEnv = { ...process.env, MOIETY_MUTANT: mutant };
  // Coverage of a patched text would be mapped onto the original one.
  delete environment['NODE_V8_COVERAGE'];
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--import', apply, bin, 'sim', 'explore', ...args],
    { encoding: 'utf8', env: environment },
  );
  return { code: status, out: stdout, err: stderr };
}

describe('moiety sim explore', () => {
  it('ends with figures, and says how to go on', () => {
    const { code, out, err } = explore(
      '',
      '--strategy',
      'rounds',
      '--replicas',
      '3',
      '--budget',
      '20',
      '--json',
    );
    assert.equal(code, 0, err);
    const report = JSON.parse(out) as Record<string, unknown>;
    assert.equal(report['schedules'], 20);
    assert.equal(report['violations'], 0);
    assert.equal(report['goOn'], '--replicas 3 --from 20');
  });

  for (const [strategy, ...args] of [
    ['rounds', '--budget', '40'],
    ['twins', '--rounds', '1'],
    ['guided', '--budget', '60', '--share', '50'],
  ] as const) {
    it(`${strategy}: finds a counter gap that nobody minds, and the command that repeats it does`, () => {
      const { code, out } = explore('M01', '--strategy', strategy, ...args, '--no-keep-going', '--json');
      assert.equal(code, 1);
      const { findings } = JSON.parse(out) as {
        findings: { judge: string; reproduce: string; violation: string }[];
      };
      assert.equal(findings.length, 1);
      const { reproduce, judge, violation } = findings[0]!;
      const again = explore('M01', ...reproduce.replace('moiety sim explore ', '').split(' '));
      assert.equal(again.code, 1);
      assert.ok(again.out.includes(`${judge} at`) && again.out.includes(violation));
    });
  }

  it('exhaustive: sees every state, and finds an order in which a rule of the view change that is gone would lose a request', () => {
    const scope = ['--strategy', 'exhaustive', '--json'];
    const whole = explore('', ...scope, '--timeouts', '0', '--requests', '2');
    assert.equal(whole.code, 0, whole.err);
    assert.equal((JSON.parse(whole.out) as { complete: number }).complete, 1);
    const { code, out } = explore('M21', ...scope, '--budget', '20000', '--no-keep-going');
    assert.equal(code, 1);
    const { findings } = JSON.parse(out) as { findings: { judge: string; text: string }[] };
    assert.equal(findings[0]!.judge, 'view-change');
    assert.match(findings[0]!.text, /times out/);
  });

  it('refuses what cannot be', () => {
    const beyond = explore('', '--strategy', 'twins', '--rounds', '1', '--from', '45');
    assert.equal(beyond.code, 2);
    assert.match(beyond.err, /45 schedules, 0 to 44/);
    const stranger = explore('', '--strategy', 'rounds', '--rounds', '2');
    assert.equal(stranger.code, 2);
    assert.match(stranger.err, /--rounds is for --strategy twins/);
  });
});
