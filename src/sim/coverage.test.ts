/**
 * Coverage of the numbered rules (decision E6): every guard of MinBFT must be seen to pass and to refuse in the simulator,
 * in drawn schedules, in schedules with pairs of liars, or in a script of `scenarios/guards/`, which makes one liar break
 * one rule. Rules that cannot refuse while the others hold are no guards but defences (`rules.ts` says why).
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
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
import { parseScript } from './script/parse.ts';
import { runScript } from './script/run.ts';
import { World } from './world.ts';

const SCHEDULES = 40;
/** Schedules of each pair of liars, in the core fidelity. */
const LIAR_SCHEDULES = 5;
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
interface Seen {
  passed: number;
  refused: number;
}

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

/** Plays the scripts of guards. A part of another rule counts as seen to refuse when the script shows what it says. */
function playGuards(trace: (event: RuleTrace) => void): number {
  const folder = new URL('../../scenarios/guards/', import.meta.url);
  const files = readdirSync(folder).filter((file) => file.endsWith('.txt'));
  for (const file of files) {
    const script = parseScript(readFileSync(new URL(file, folder), 'utf8'));
    assert.deepEqual(runScript(script, { trace }).unmet, [], file);
    for (const expected of script.expect)
      if (expected.kind === 'refusal' && expected.for !== undefined)
        trace({ rule: expected.for, passed: false, about: file, state: 'active' });
  }
  return files.length;
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
  const drawn = Object.fromEntries([...seen].map(([id, count]) => [id, { ...count }]));
  const scripts = playGuards(trace);
  const counts = Object.fromEntries(seen);
  const lacking: string[] = [];
  const guards = MINBFT_RULES.filter(({ kind }) => kind === 'guard');
  for (const { id } of guards) {
    const { passed, refused } = seenOf(counts, id);
    if (passed === 0) lacking.push(`${id} never passed`);
    if (refused === 0) lacking.push(`${id} never refused`);
  }
  for (const { id } of MINBFT_RULES.filter(({ kind }) => kind === 'defence'))
    if (seenOf(counts, id).refused > 0) lacking.push(`${id} refused: it is a guard`);
  const conduct = [...seen].filter(([id]) => !id.startsWith('MinBFT.STEP.')).sort();
  console.log(conduct.map(([id, { passed, refused }]) => `${id} ${passed}/${refused}`).join(', '));
  const byChance = guards.filter(({ id }) => seenOf(drawn, id).refused > 0);
  console.log(
    `${guards.length} guards seen both ways, ${byChance.length} of them without scripts, in ${SCHEDULES} drawn, ${PAIRS.length * LIAR_SCHEDULES} lying and ` +
      `${directed().length} directed schedules and ${scripts} scripts`,
  );
  assert.deepEqual(lacking, []);
});
