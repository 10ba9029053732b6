/**
 * Scripts that tell of a mistake: with the mistake put into the product each must show the violation that it names;
 * without it they are clean, which `src/sim/script/golden.test.ts` sees to.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { parseScript } from '../../src/sim/script/parse.ts';

const run = promisify(execFile);
const path = (from: string): string => fileURLToPath(new URL(from, import.meta.url));
const scripts = readdirSync(path('../../scenarios/'))
  .filter((file) => file.endsWith('.txt'))
  .sort()
  .map((file) => {
    const full = path(`../../scenarios/${file}`);
    return { full, script: parseScript(readFileSync(full, 'utf8')) };
  });

async function play(mutant: string, file: string): Promise<readonly string[]> {
  const environment: NodeJS.ProcessEnv = { ...process.env, MOIETY_MUTANT: mutant };
  // Coverage of a patched text would be mapped onto the original one.
  delete environment['NODE_V8_COVERAGE'];
  delete environment['NODE_TEST_CONTEXT'];
  const { stdout } = await run(
    process.execPath,
    ['--import', path('../mutants/apply.ts'), path('./play.ts'), file],
    { env: environment },
  );
  return JSON.parse(stdout) as string[];
}

describe('mistakes', () => {
  it('the three published ones have a script each', () => {
    const names = scripts.filter(({ script }) => script.mistakes.length > 0).map(({ script }) => script.name);
    for (const name of ['base-on-arrival', 'count-late-commits', 'trim-at-own-checkpoint'])
      assert.ok(names.includes(`mistake-${name}`), name);
  });

  for (const { full, script } of scripts)
    for (const { mutant } of script.mistakes)
      it(`${script.name} with ${mutant} in the product: the judge objects`, async () => {
        assert.deepEqual(await play(mutant, full), []);
      });
});
