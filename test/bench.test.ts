/** The benchmark works, however fast the machine is: each kind of run once, as short as can be. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { BenchReport } from '../src/cli/bench/bench.ts';
import { moiety } from './support/local-cluster.ts';

const SHORT = ['--duration', '1', '--warmup', '0', '--durability', 'memory', '--tc', 'usig@wasm'];

describe('moiety bench', { timeout: 240_000 }, () => {
  it('measures beside the floor and says what each process used', () => {
    const run = moiety('bench', ...SHORT, '--runs', '2', '--inflight', '8', '--payload', '10', '--json');
    assert.equal(run.code, 0, run.err);
    const report = JSON.parse(run.out) as BenchReport;
    assert.deepEqual([report.errors, report.unfinished, report.runs.length], [0, 0, 2]);
    assert.ok(report.throughput.median > 0 && report.p50Ms.median > 0);
    assert.ok(report.ofFloor !== null && report.floorOfRaw !== null);
    assert.equal(report.duePerSecond, null);
    assert.ok(report.all.maxMs >= report.p50Ms.median);
    assert.match(report.all.histogram, /^HISTFAAAA/);
    assert.deepEqual(report.settings.components, ['usig@wasm', 'usig@wasm', 'usig@wasm']);
    assert.deepEqual(
      report.processes.map(({ name }) => name),
      process.platform === 'linux' ? ['replica 0', 'replica 1', 'replica 2', 'client 0'] : [],
    );
    for (const { residentBytes, cores } of report.processes) assert.ok(residentBytes > 2 ** 20 && cores >= 0);
  });

  it('runs a core workload of YCSB as an open loop, with two client processes', () => {
    const load = [
      '--workload',
      'F',
      '--records',
      '40',
      '--record-bytes',
      '20',
      '--open',
      '40',
      '--clients',
      '2',
    ];
    const run = moiety('bench', 'ycsb', ...SHORT, ...load, '--runs', '1', '--json');
    assert.equal(run.code, 0, run.err);
    const report = JSON.parse(run.out) as BenchReport;
    assert.equal(report.errors, 0, report.problem);
    assert.equal(report.floor, null);
    assert.ok(report.duePerSecond! > 0 && report.duePerSecond! < 120, String(report.duePerSecond));
    assert.deepEqual(Object.keys(report.kinds), ['modify', 'read']);
    assert.deepEqual([report.settings.records, report.settings.distribution], [40, 'zipfian']);
  });

  it(
    'says that the temporary folder cannot be written, and what to set',
    { skip: process.platform === 'win32' },
    () => {
      const before = process.env['TMPDIR'];
      process.env['TMPDIR'] = '/nonexistent';
      const run = moiety('bench', ...SHORT, '--no-floor');
      if (before === undefined) delete process.env['TMPDIR'];
      else process.env['TMPDIR'] = before;
      assert.equal(run.code, 1);
      assert.match(run.err, /in \/nonexistent \(ENOENT.*set TMPDIR to a folder that can be written/);
    },
  );

  it('says what is wrong with its options before anything is started', () => {
    const cases: readonly (readonly [RegExp, ...string[]])[] = [
      [/no workload "Z"; there are A, B, C, D, E, F/, 'ycsb', '--workload', 'Z'],
      [/required option/, 'ycsb'],
      [/--inflight before "ycsb" would be ignored/, '--inflight', '8', 'ycsb', '--workload', 'A'],
      [/There is no "bench foo"; there are "bench ycsb" and "bench view-change"/, 'foo'],
      [/'--open <rate>' cannot be used with option '--inflight/, '--open', '5', '--inflight', '8'],
      [/'--open <rate>' cannot be used/, 'ycsb', '--workload', 'A', '--inflight', '64', '--open', '5'],
      [/'--null' cannot be used with option '--payload/, '--null', '--payload', '10'],
      [/minbft needs 5 replicas for f = 2, not 4/, '--replicas', '4', '--f', '2'],
      [/more --clients, or less --inflight/, '--inflight', '10000'],
      [/need at least 4 operations/, '--clients', '4', '--inflight', '2'],
      [/need at least 4 operations/, 'view-change', '--clients', '4', '--inflight', '2'],
      [/pbft is not built on trusted components/, '--protocol', 'pbft', '--tc', 'usig@wasm'],
      [/minbft cannot have 4 replicas/, '--replicas', '4'],
      [/Allowed choices are bundle, request, mac/, '--auth', 'none'],
    ];
    for (const [words, ...args] of cases) {
      const run = moiety('bench', ...args);
      assert.equal(run.code, 2, args.join(' '));
      assert.match(run.err, words);
      assert.equal(run.out, '');
    }
  });
});
