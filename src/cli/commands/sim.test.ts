/** `moiety sim run`, `sim shrink` and the views of a run, as a person calls them. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const bin = fileURLToPath(new URL('../../../bin/moiety.mjs', import.meta.url));
const scenarios = fileURLToPath(new URL('../../../scenarios/', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'moiety-sim-'));

function moiety(...args: readonly string[]): { code: number | null; out: string; err: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [bin, 'sim', ...args], { encoding: 'utf8' });
  return { code: status, out: stdout, err: stderr };
}

describe('moiety sim', () => {
  after(() => rmSync(folder, { recursive: true, force: true }));

  it('run plays a script, draws it, and says with its exit code whether it was as expected', () => {
    const file = join(scenarios, 'primary-cut-off.txt');
    const svg = join(folder, 'run.svg');
    const played = moiety('run', file, '--chart', '--svg', svg);
    assert.equal(played.code, 0, played.err);
    assert.match(played.out, /primary-cut-off {2}as expected {2}3 replicas/);
    assert.match(played.out, /enters view 1/);
    assert.match(readFileSync(svg, 'utf8'), /^<svg /);
    const wrong = join(folder, 'wrong.txt');
    writeFileSync(wrong, readFileSync(file, 'utf8').replace('expect clean', 'expect violation agreement'));
    const refuted = moiety('run', wrong);
    assert.equal(refuted.code, 1);
    assert.match(refuted.out, /NOT AS EXPECTED[\s\S]*expected a violation of agreement, found none/);
  });

  it('run plays a schedule of any protocol, and refuses one that is not there', () => {
    const played = moiety('run', '--protocol', 'pbft', '--seed', '58', '--verbose', '--chart');
    assert.equal(played.code, 0, played.err);
    assert.match(played.out, /pbft seed 58 {2}ok {2}4 replicas/);
    assert.match(played.out, /PRE-PREPARE n1/);
    const json = JSON.parse(moiety('run', '--protocol', 'pbft', '--seed', '58', '--json').out) as {
      readonly protocol: string;
      readonly violations: readonly unknown[];
    };
    assert.deepEqual([json.protocol, json.violations], ['pbft', []]);
    const unknown = moiety('run', '--protocol', 'paxos');
    assert.equal(unknown.code, 2);
    assert.match(unknown.err, /There is no protocol "paxos"/);
    assert.match(moiety('run').err, /Name a script, or a protocol/);
  });

  it('run names the line of a script that cannot be read', () => {
    const file = join(folder, 'typo.txt');
    writeFileSync(file, 'scenario typo\nreplicas 3\nexpect clean\ndrop commit\n');
    const { code, err } = moiety('run', file);
    assert.equal(code, 2);
    assert.match(err, /typo\.txt: line 4: expected a kind of message in capitals/);
  });

  it('shrink writes a script that fails in the same way, and says so if there is nothing to shrink', () => {
    const file = join(folder, 'small.txt');
    const shrunk = moiety('shrink', '--seed', '2', '--fork', 'snapshot', '--fidelity', 'core', '--out', file);
    assert.equal(shrunk.code, 0, shrunk.err);
    assert.match(shrunk.err, /parts became \d+ in \d+ runs[\s\S]*moiety sim run/);
    assert.ok(readFileSync(file, 'utf8').split('\n').length < 25);
    assert.equal(moiety('run', file).code, 0);
    const clean = moiety('shrink', '--seed', '1', '--faults', 'none', '--fidelity', 'core');
    assert.equal(clean.code, 1);
    assert.match(clean.err, /Seed 1 is clean: there is nothing to make smaller/);
  });

  it('--trace writes the event log of a seed', () => {
    const file = join(folder, 'trace.json');
    const { code, out } = moiety('--seed', '3', '--fidelity', 'core', '--trace', file);
    assert.equal(code, 0);
    const trace = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
    assert.equal(trace['format'], 'moiety-trace');
    assert.equal(trace['version'], 1);
    assert.match(out, new RegExp(`trace ${String(trace['traceHash'])}`));
  });
});
