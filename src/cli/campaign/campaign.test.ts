/** `moiety sim campaign` and `merge` as a user runs them: processes, folders, reports, exit codes. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { readCampaign } from './campaign-file.ts';
import type { CampaignReport } from './report.ts';

const launcher = fileURLToPath(new URL('../../../bin/moiety.mjs', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'moiety-campaign-'));
after(() => rmSync(folder, { recursive: true, force: true }));

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function moiety(...args: readonly string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    execFile(process.execPath, [launcher, ...args], { cwd: folder }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
}

const lastJson = (stdout: string): CampaignReport =>
  JSON.parse(stdout.trimEnd().split('\n').at(-1)!) as CampaignReport;

const part = (index: number): string[] => [
  ...['sim', 'campaign', '--schedules', '12', '--jobs', '2', '--fidelity', 'whole', '--replicas', '3'],
  ...['--index', String(index), '--of', '2', '--out', `part-${index}`, '--json'],
];

describe('moiety sim campaign', () => {
  it('runs its part of the seeds, goes on after a break, and is merged with the other part', async () => {
    const [first, second] = await Promise.all([moiety(...part(0)), moiety(...part(1))]);
    assert.equal(first.code, 0, first.stdout + first.stderr);
    assert.equal(second.code, 0, second.stdout + second.stderr);
    const report = lastJson(first.stdout);
    assert.equal(report.schedules, 12);
    assert.equal(report.violations, 0);
    assert.ok(report.perCpuSecond > 0);
    assert.ok(report.coverage.guards > 50 && report.coverage.bothWays > 0 && report.coverage.cells > 0);
    assert.deepEqual(Object.keys(report.byFidelity), ['whole']);
    for (const name of ['report.json', 'report.html']) assert.ok(existsSync(join(folder, 'part-0', name)));
    assert.match(readFileSync(join(folder, 'part-0', 'report.html'), 'utf8'), /no violation/);

    const again = await moiety(
      ...['sim', 'campaign', '--resume', '--schedules', '6', '--jobs', '1', '--out', 'part-0'],
    );
    assert.equal(again.code, 0, again.stderr);
    assert.match(again.stdout, /^18 schedules in /);
    assert.equal(readCampaign(join(folder, 'part-0', 'campaign.json')).handedOut.whole, 18);

    const merged = await moiety('sim', 'merge', 'part-0', 'part-1', '--out', 'all', '--json');
    assert.equal(lastJson(merged.stdout).schedules, 30);
    const twice = await moiety('sim', 'merge', 'part-0', 'part-0', '--out', 'all');
    assert.equal(twice.code, 2);
    assert.match(twice.stderr, /would count twice/);
  });

  it('says what is wrong with its arguments', async () => {
    writeFileSync(join(folder, 'campaign.json'), '{"format":"something"}');
    const wrong: readonly (readonly [RegExp, readonly string[]])[] = [
      [/whole number/, ['--minutes', 'ten']],
      [/not a part of --of/, ['--index', '2', '--of', '2']],
      [/not a family of faults/, ['--faults', 'gremlins']],
      [/no campaign in nowhere/, ['--resume', '--out', 'nowhere']],
      [/holds a campaign already/, ['--out', '.']],
      [/not a campaign of this version/, ['--resume', '--out', '.']],
    ];
    const outcomes = await Promise.all(wrong.map(([, args]) => moiety('sim', 'campaign', ...args)));
    for (const [index, { code, stderr }] of outcomes.entries()) {
      assert.notEqual(code, 0);
      assert.match(stderr, wrong[index]![0]);
    }
  });
});
