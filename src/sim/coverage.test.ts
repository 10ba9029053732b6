/**
 * Coverage of the numbered rules by drawn schedules: every guard of MinBFT must be seen to pass and to refuse, except
 * where the list below says why no schedule can show it. What is listed there is shown by a constructed test.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import type { Behaviour } from '../adversary/behaviours.ts';
import type { RuleTrace } from '../core/protocol.ts';
import { minbft } from '../protocols/minbft/definition.ts';
import { MINBFT_RULES } from '../protocols/minbft/rules.ts';
import type { MinbftMessage } from '../smr/usig-stream/messages.ts';
import { seenOf } from './campaign/coverage.ts';
import { runSchedule } from './run-schedule.ts';
import { drawScenario } from './scenario.ts';
import type { Scenario } from './scenario.ts';
import { World } from './world.ts';

const SCHEDULES = 60;
/** Schedules of each pair of liars, in the core fidelity. */
const LIAR_SCHEDULES = 8;
/** Behaviours that break rules of the streams and of what is built on them. */
const LIARS: readonly Behaviour[] = [
  'stale-view',
  'double-new-view',
  'truncated-log',
  'forged-log',
  'wrong-base',
  'skip-commit',
  'usurp',
  'mutate',
  'fabricate-request',
  'lie-transfer',
];
/** What replicas 0 and 1 of five do: one lets views change for the other, both lie alike, or one helps the other. */
const PAIRS: readonly (readonly [Behaviour, Behaviour])[] = [
  ...LIARS.flatMap((name): [Behaviour, Behaviour][] => [
    ['silent', name],
    [name, name],
  ]),
  ['usurp', 'skip-commit'],
  ['wrong-base', 'skip-commit'],
  ['skip-commit', 'wrong-base'],
  ['coalition', 'coalition'],
];
const CONDUCT = '../protocols/minbft/';
const STREAMS = '../smr/usig-stream/';

interface Seen {
  passed: number;
  refused: number;
}

/** Why no schedule shows the refusal, and the test that does. */
interface Exception {
  readonly rules: RegExp;
  readonly why: string;
  readonly tests: readonly string[];
}

const STREAM_TESTS = ['stream', 'view-change', 'new-view', 'worked-examples'].map(
  (name) => `${STREAMS}${name}.test.ts`,
);

const EXCEPTIONS: readonly Exception[] = [
  {
    rules: /^MinBFT\.STEP\.PRE\./,
    why: 'duplicates, gaps and dead streams are sorted out before the step function is asked',
    tests: STREAM_TESTS,
  },
  {
    rules:
      /^MinBFT\.(STEP\.(PREPARE\.[3467]|COMMIT\.([345689]|1\d)|VIEW-CHANGE\.1|NEW-VIEW\.[23]|COMMIT-NEW-VIEW\.\d))$/,
    why: 'broken only by a seldom mutation of one field, or by a liar that helps another one whose stream is dead by then',
    tests: STREAM_TESTS,
  },
  {
    rules: /^MinBFT\.(STEP\.CHECKPOINT\.\d|V[12356]|N[134]|R\d|BASE\.\d)$/,
    why: 'needs a retired component, two liars in one log or an anchor that is nearly right; what a base is made of is not refused but left out',
    tests: STREAM_TESTS,
  },
  {
    rules: /^MinBFT\.LINK\./,
    why: 'needs f+1 replicas that certify a false registry, or a link put together from unrelated certificates',
    tests: STREAM_TESTS,
  },
  {
    rules: /^MinBFT\.BACKUP\.2$/,
    why: 'the stream of the primary gives proposals in ascending order already',
    tests: [`${CONDUCT}leader-and-backup-rules.test.ts`],
  },
  {
    rules: /^MinBFT\.EXEC\.1$/,
    why: 'an order without a quorum is simply not decided: nothing is refused',
    tests: [`${CONDUCT}execution-rules.test.ts`],
  },
  {
    rules: /^MinBFT\.EXEC\.(3|4|6)$/,
    why: 'needs a retired component that goes on sealing while its successor is admitted',
    tests: [`${CONDUCT}execution-rules.test.ts`],
  },
  {
    rules: /^MinBFT\.(CKPT\.(3|4)|RECOVER\.(1|2))$/,
    why: 'needs a sync without vouchers, a checkpoint under a key too new for it, a RECOVER that a primary should have left out, or its own',
    tests: [`${CONDUCT}upkeep-rules.test.ts`],
  },
];

/** Schedules for guards that the general draw leaves alone. */
function directed(): Scenario[] {
  const client = { requestsPerBundle: 1, retransmitMs: 2_000, toAll: true };
  const load = [1, 2].map(() => ({ ...client, bundles: 60, inFlight: 60, paceMs: 0.1 }));
  const trickle = [{ ...client, bundles: 16, inFlight: 1, paceMs: 100 }];
  const drawn = (seed: number): Scenario =>
    drawScenario(seed, { replicas: 3, faults: [], durationMs: 1_200 });
  const wipe = (id: number, atMs: number) =>
    ({ kind: 'wipe', atMs, forMs: 60, target: { kind: 'replica', id } }) as const;
  const wide = drawn(501);
  return [
    // BACKUP.5: the clock of the first primary is ahead of the others by more than 5 s.
    { ...drawn(500), clockOffsetsMs: [6_000, 0, 0] },
    // LEADER.2: a window wider than what may run ahead of execution, and more load than that.
    {
      ...wide,
      limits: { ...wide.limits, checkpointInterval: 32, pipelineFactor: 2, batchRequestsMax: 1 },
      timers: { ...wide.timers, requestMs: 5_000 },
      network: { ...wide.network, delayLowMs: 20, delayHighMs: 30 },
      clients: load,
    },
    // LEADER.5: one replica loses its disk again and again.
    ...[502, 503, 504].map((seed) => ({
      ...drawn(seed),
      limits: { ...drawn(seed).limits, checkpointInterval: 8 },
      clients: trickle,
      faults: [wipe(2, 100), wipe(2, 500), wipe(2, 900)],
      calmMs: 1_500,
    })),
  ];
}

function nobodyLies(): never {
  throw new Error('no schedule of this list has a liar');
}

/** A group of step rules stands for all its members when a message is accepted. */
function note(seen: Map<string, Seen>, { rule, passed }: RuleTrace): void {
  const entry = seen.get(rule) ?? { passed: 0, refused: 0 };
  if (passed) entry.passed += 1;
  else entry.refused += 1;
  seen.set(rule, entry);
}

test('every guard is seen to pass and to refuse', () => {
  const seen = new Map<string, Seen>();
  const trace = (event: RuleTrace): void => note(seen, event);
  for (let seed = 1; seed <= SCHEDULES; seed += 1) {
    const { violations, reproduce } = runSchedule(seed, { replicas: seed % 5 === 0 ? 5 : 3, trace });
    assert.deepEqual(violations, [], reproduce);
  }
  for (const [pair, [first, second]] of PAIRS.entries()) {
    for (let seed = 100 * pair; seed < 100 * pair + LIAR_SCHEDULES; seed += 1) {
      const { violations, reproduce } = runSchedule(seed, {
        fidelity: 'core',
        replicas: 5,
        faults: ['network', 'isolate', 'crash'],
        durationMs: 600,
        byzantine: [
          { replica: 0, behaviour: first },
          { replica: 1, behaviour: second },
        ],
        trace,
      });
      assert.deepEqual(violations, [], reproduce);
    }
  }
  for (const scenario of directed()) {
    // Sixty calls at once on eight keys: the search for an order would not end. That of the log is judged all the same.
    const judging = { muted: ['linearizability'] } as const;
    const world = new World<MinbftMessage>({
      scenario,
      definition: minbft,
      corrupt: nobodyLies,
      trace,
      judging,
    });
    world.run();
    assert.deepEqual(world.judge.violations, [], `directed schedule ${scenario.seed}`);
  }
  const counts = Object.fromEntries(seen);
  const lacking: string[] = [];
  const excused: string[] = [];
  const guards = MINBFT_RULES.filter(({ kind }) => kind === 'guard');
  for (const { id } of guards) {
    const { passed, refused } = seenOf(counts, id);
    if (passed === 0) lacking.push(`${id} never passed`);
    if (refused > 0) continue;
    const exception = EXCEPTIONS.find(({ rules }) => rules.test(id));
    if (exception === undefined) lacking.push(`${id} never refused`);
    else excused.push(id);
  }
  const conduct = [...seen].filter(([id]) => !id.startsWith('MinBFT.STEP.')).sort();
  console.log(conduct.map(([id, { passed, refused }]) => `${id} ${passed}/${refused}`).join(', '));
  console.log(
    `${guards.length} guards: ${guards.length - excused.length - lacking.length} seen both ways in ${SCHEDULES} drawn, ` +
      `${PAIRS.length * LIAR_SCHEDULES} lying and ${directed().length} directed schedules, ${excused.length} refuse in constructed tests only`,
  );
  assert.deepEqual(lacking, []);
});

test('a guard that no schedule makes refuse has a constructed test', () => {
  const read = (file: string): string => readFileSync(new URL(file, import.meta.url), 'utf8');
  for (const { id, kind } of MINBFT_RULES) {
    const exception = kind === 'guard' ? EXCEPTIONS.find(({ rules }) => rules.test(id)) : undefined;
    if (exception === undefined) continue;
    const named = new RegExp(`\\b${id.replaceAll('.', '\\.')}\\b(?!\\.\\d)`);
    assert.ok(
      exception.tests.some((file) => named.test(read(file))),
      `${id} is not shown by ${exception.tests.join(', ')}`,
    );
  }
});
