/**
 * The formal model: the specification in `spec/` typechecks, its invariants hold on a small budget of random traces, its
 * witnesses are met, deliberate mistakes are noticed, and its traces are what real replicas do.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { statesOf } from './itf.ts';
import { replay } from './replay.ts';
import type { ReplaySummary } from './replay.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const QUINT = join(ROOT, 'node_modules/@informalsystems/quint/dist/src/cli.js');
const INSTANCES = join(ROOT, 'spec/instances');
const TRACES = join(ROOT, 'spec/traces');
/** Limits of the instances whose traces are replayed, as in `spec/instances`. */
const LIMITS = {
  correct3: { checkpointInterval: 8, pipelineFactor: 2 },
  checkpoint3: { checkpointInterval: 2, pipelineFactor: 2 },
} as const;

const skip = existsSync(QUINT)
  ? false
  : 'quint is not installed (npm install brings it as a development dependency)';
const folder = mkdtempSync(join(tmpdir(), 'moiety-spec-'));
after(() => rmSync(folder, { recursive: true, force: true }));

function quint(args: readonly string[]): { readonly status: number | null; readonly output: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [QUINT, ...args], {
    cwd: ROOT,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  return { status, output: stdout + stderr };
}

interface Budget {
  readonly instance: string;
  readonly step?: string;
  readonly invariant?: string;
  readonly samples: number;
  readonly steps: number;
  readonly seed: number;
  readonly witnesses?: readonly string[];
  readonly extra?: readonly string[];
}

function simulate(budget: Budget): { readonly status: number | null; readonly output: string } {
  const {
    instance,
    step = 'move',
    invariant = 'safe',
    samples,
    steps,
    seed,
    witnesses = [],
    extra = [],
  } = budget;
  return quint([
    'run',
    join(INSTANCES, `${instance}.qnt`),
    '--backend=typescript',
    `--main=${instance}`,
    `--step=${step}`,
    `--invariant=${invariant}`,
    `--max-samples=${samples}`,
    `--max-steps=${steps}`,
    `--seed=${seed}`,
    '--verbosity=1',
    ...extra,
    ...(witnesses.length > 0 ? ['--witnesses', ...witnesses] : []),
  ]);
}

/** How many traces met each witness. */
function met(output: string, witness: string): number {
  return Number(new RegExp(`^${witness} was witnessed in (\\d+) trace`, 'mu').exec(output)?.[1] ?? 0);
}

/** Committed traces: file names start with the instance. */
const COMMITTED = readdirSync(TRACES)
  .sort()
  .map((name) => ({
    states: statesOf(gunzipSync(readFileSync(join(TRACES, name))).toString()),
    limits: LIMITS[name.split('-')[0] as keyof typeof LIMITS],
  }));

test('committed traces of the specification are what replicas do', () => {
  const summaries = COMMITTED.map(({ states, limits }) => replay(states, limits));
  assert.ok(summaries.some(({ views, baseExecuted }) => views >= 1 && baseExecuted));
  assert.ok(summaries.some(({ views }) => views >= 2));
  assert.ok(summaries.some(({ views, restarts }) => views >= 1 && restarts >= 3));
});

test('a trace that a replica does not follow is noticed', () => {
  const { states, limits } = COMMITTED[0]!;
  // Without one delivery everything after it is off.
  const lost = states.findIndex((state) => (state['last'] as { act: string }).act === 'deliver');
  assert.throws(() => replay([...states.slice(0, lost), ...states.slice(lost + 1)], limits));
});

test(
  'fresh traces: invariants hold, witnesses are met, and replicas follow them step by step',
  { skip },
  () => {
    const samples = 10;
    const { status, output } = simulate({
      instance: 'checkpoint3',
      step: 'hasty',
      samples,
      steps: 55,
      seed: 2,
      witnesses: ['executes', 'changesView', 'executesBase', 'stabilizes'],
      extra: [`--n-traces=${samples}`, `--out-itf=${join(folder, 'trace_{seq}.json')}`],
    });
    assert.equal(status, 0, output);
    for (const witness of ['executes', 'changesView', 'executesBase', 'stabilizes'])
      assert.ok(met(output, witness) > 0, `${witness}: ${output}`);
    const summaries: ReplaySummary[] = [];
    for (let index = 0; index < samples; index += 1)
      summaries.push(
        replay(statesOf(readFileSync(join(folder, `trace_${index}.json`), 'utf8')), LIMITS.checkpoint3),
      );
    assert.ok(summaries.some(({ baseExecuted, views }) => baseExecuted && views > 0));
  },
);

test('no invariant is violated with a Byzantine primary, which is convicted now and then', { skip }, () => {
  const { status, output } = simulate({
    instance: 'byzantine3',
    step: 'deceitful',
    samples: 12,
    steps: 30,
    seed: 1,
    witnesses: ['executes', 'changesView', 'convicts'],
  });
  assert.equal(status, 0, output);
  for (const witness of ['executes', 'changesView', 'convicts'])
    assert.ok(met(output, witness) > 0, `${witness}: ${output}`);
});

test('no invariant is violated when a replica loses its counter and comes back', { skip }, () => {
  const { status, output } = simulate({
    instance: 'recover3',
    samples: 5,
    steps: 55,
    seed: 5,
    witnesses: ['stabilizes', 'registers', 'returns'],
  });
  assert.equal(status, 0, output);
  for (const witness of ['stabilizes', 'registers', 'returns'])
    assert.ok(met(output, witness) > 0, `${witness}: ${output}`);
});

/** Deliberate mistakes: which invariant notices them, from which seed on, within how many traces. */
const MISTAKES = [
  { instance: 'unpinned3', invariant: 'agreement', samples: 20, steps: 25, seed: 1 },
  { instance: 'noFloor3', invariant: 'hypotheticalViewChange', samples: 20, steps: 30, seed: 1 },
  { instance: 'holes3', invariant: 'hypotheticalViewChange', samples: 1, steps: 30, seed: 0x3542 },
];

for (const mistake of MISTAKES)
  test(`the mistake of ${mistake.instance} is noticed by ${mistake.invariant}`, { skip }, () => {
    const { status, output } = simulate({ ...mistake, step: 'deceitful' });
    assert.notEqual(status, 0, output);
    assert.match(output, /Invariant violated/u);
  });

test('a base that is executed on arrival leads to disagreement in a constructed history', { skip }, () => {
  const { status, output } = quint([
    'test',
    join(INSTANCES, 'arrival5.qnt'),
    '--backend=typescript',
    '--main=arrival5',
    '--match=baseOnArrivalTest',
    '--max-samples=1',
    '--verbosity=1',
  ]);
  assert.equal(status, 0, output);
});
