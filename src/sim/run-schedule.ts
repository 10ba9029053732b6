/**
 * `runSchedule`: one seed, one run, one verdict; and `simulateBudget`: many of them. What the command line
 * (`moiety sim`) and `npm test` call.
 */
import { spareOf } from '../adversary/options.ts';
import type { SpareComponent } from '../adversary/options.ts';
import { Prng } from '../core/prng.ts';
import { SimTrusted } from './trusted.ts';
import { Forker } from '../adversary/forker.ts';
import type { Conspiracy, LieListener } from '../adversary/conspiracy.ts';
import { wrapReplica } from '../adversary/stream-liar.ts';
import { wrapPorts } from '../adversary/wire-liar.ts';
import type { Replica, RuleTrace } from '../core/protocol.ts';
import type { Digest } from '../core/types.ts';
import { modelHash } from '../crypto/fast-model.ts';
import { minbft } from '../protocols/minbft/definition.ts';
import type { MinbftMessage } from '../smr/usig-stream/messages.ts';
import { liarsOf } from './budget.ts';
import type { Fired } from './chance.ts';
import type { Course } from './course.ts';
import { runCoreWorld } from './core/run.ts';
import type { Violation } from './judge.ts';
import type { WorldListener } from './listener.ts';
import type { SimGenesis } from './cluster-settings.ts';
import { conspiracyFor } from './conspiracies.ts';
import { drawScenario } from './scenario.ts';
import type { Scenario, ScenarioOverrides } from './scenario.ts';
import { secondVoice } from './trusted-faults.ts';
import { World } from './world.ts';
import type { Corruption, CorruptionContext, Narrator } from './world.ts';

/**
 * How much of the product runs. `whole`: the real host on bytes, ledger and client included. `core`: the protocol's
 * objects alone on modelled surroundings (`sim/core/`), many times as fast.
 */
export const FIDELITIES = ['whole', 'core'] as const;
export type Fidelity = (typeof FIDELITIES)[number];

/** What may be fixed from outside; everything else comes from the seed. */
export interface ScheduleOptions extends ScenarioOverrides {
  /** Default: `whole`. */
  readonly fidelity?: Fidelity;
  /** Told what happens, line by line; the run is the same with and without it. */
  readonly narrate?: Narrator;
  /** Told every frame that is delivered, in words. */
  readonly watch?: Narrator;
  /** Told the outcome of every numbered rule that a correct replica checks. */
  readonly trace?: (event: RuleTrace) => void;
  /** Told every lie in a stream, as `behaviour/kind`. */
  readonly onLie?: LieListener;
  /** Sees what happens on links and in replicas, and may keep frames from their receivers. */
  readonly listener?: WorldListener;
  /** Told every decision of chance that was answered yes. */
  readonly onFired?: (fired: Fired) => void;
  /** How much is judged; by default the insides of replicas are in the whole fidelity, and are not in the core one. */
  readonly judging?: { readonly inside: boolean };
}

/** Figures of one run. */
export interface ScheduleStats {
  readonly replicas: number;
  /** Highest view that a correct replica reached; views start at 0. */
  readonly viewChanges: number;
  readonly stateTransfers: number;
  readonly restarts: number;
  /** Byzantine replicas. */
  readonly byzantine: number;
  /** Sequence numbers that correct replicas executed. */
  readonly committed: number;
  /** Results that clients believe. */
  readonly believed: number;
  readonly virtualMs: number;
  readonly events: number;
  readonly frames: number;
  /** Milliseconds of virtual time from the calm to the first new commit; absent if nothing was waited for. */
  readonly timeToCommitMs?: number;
  /** Milliseconds of virtual time from the calm until every request was finished; absent if all were before. */
  readonly timeToRecoverMs?: number;
  /** Faults that happened, by kind, with counts of the frames and records that they hit. */
  readonly happened: Readonly<Record<string, number>>;
}

/** Outcome of one run. */
export interface ScheduleResult {
  readonly seed: number;
  readonly violations: readonly Violation[];
  readonly stats: ScheduleStats;
  /** Equal for equal runs. */
  readonly traceHash: string;
  /** The command that repeats the run. */
  readonly reproduce: string;
  /** Who was accused by a correct replica, and under which rules. */
  readonly accused: readonly { readonly replica: number; readonly rules: readonly string[] }[];
}

/** Runs the schedule of a seed. Equal arguments give equal results, on every machine. */
export function runSchedule(seed: number, options: ScheduleOptions = {}): ScheduleResult {
  return runScenario(drawScenario(seed, options), options);
}

/** Runs a schedule that is given as a whole; of the options only the listeners count. */
export function runScenario(scenario: Scenario, options: ScheduleOptions = {}): ScheduleResult {
  if (options.fidelity === 'core') return resultOf(runCoreWorld(scenario, options), scenario, options);
  const world = new World<MinbftMessage>({
    scenario,
    definition: minbft,
    corrupt: (context) => corrupt(context, options.onLie),
    ...(options.narrate === undefined ? {} : { narrate: options.narrate }),
    ...(options.watch === undefined ? {} : { watch: options.watch }),
    ...(options.trace === undefined ? {} : { trace: options.trace }),
    ...(options.listener === undefined ? {} : { listener: options.listener }),
    ...(options.onFired === undefined ? {} : { onFired: options.onFired }),
    ...(options.judging === undefined ? {} : { judging: options.judging }),
  });
  world.run();
  return resultOf(world, scenario, options);
}

/** A world of any fidelity that has come to its end. */
export interface EndedWorld {
  readonly correct: readonly { readonly stateTransfers: number; readonly restarts: number }[];
  readonly judge: {
    readonly violations: readonly Violation[];
    readonly highest: number;
    readonly believed: number;
  };
  readonly queue: { readonly now: number };
  readonly highestView: number;
  readonly events: number;
  readonly framesSent: number;
  readonly course: Pick<Course, 'firstCommitMs' | 'recoveredMs'>;
  readonly happened: Readonly<Record<string, number>>;
  readonly traceHash: string;
  /** Whether a listener ended it before its time. */
  readonly isCut: boolean;
  readonly accused: ReadonlyMap<number, ReadonlySet<string>>;
}

/** What came of a run that has ended. */
export function resultOf(
  world: EndedWorld,
  scenario: Scenario,
  options: ScheduleOptions = {},
): ScheduleResult {
  const sum = (of: (node: EndedWorld['correct'][number]) => number): number =>
    world.correct.reduce((total, node) => total + of(node), 0);
  const { firstCommitMs, recoveredMs } = world.course;
  return {
    seed: scenario.seed,
    violations: world.judge.violations,
    stats: {
      replicas: scenario.n,
      viewChanges: world.highestView,
      stateTransfers: sum((node) => node.stateTransfers),
      restarts: sum((node) => node.restarts),
      byzantine: liarsOf(scenario).length,
      committed: world.judge.highest,
      believed: world.judge.believed,
      virtualMs: world.queue.now,
      events: world.events,
      frames: world.framesSent,
      ...(firstCommitMs === undefined ? {} : { timeToCommitMs: firstCommitMs }),
      ...(recoveredMs === undefined ? {} : { timeToRecoverMs: recoveredMs }),
      happened: world.happened,
    },
    traceHash: world.traceHash,
    reproduce: reproduction(scenario.seed, options),
    accused: [...world.accused]
      .map(([replica, rules]) => ({ replica, rules: [...rules].sort() }))
      .sort((a, b) => a.replica - b.replica),
  };
}

/** One line that repeats a run: the seed, and what was fixed beside it. */
export function reproduction(seed: number, overrides: ScheduleOptions): string {
  const parts = [`moiety sim --seed ${seed}`];
  if (overrides.replicas !== undefined) parts.push(`--replicas ${overrides.replicas}`);
  if (overrides.faults !== undefined) parts.push(`--faults ${overrides.faults.join(',') || 'none'}`);
  for (const { replica, behaviour } of overrides.byzantine ?? [])
    parts.push(`--byzantine ${replica}=${behaviour}`);
  if (overrides.liarClient !== undefined) parts.push(`--liar-client ${overrides.liarClient}`);
  if (overrides.fork !== undefined) parts.push(`--fork ${overrides.fork}`);
  if (overrides.fence === false) parts.push('--no-fence');
  if (overrides.durationMs !== undefined) parts.push(`--duration ${overrides.durationMs}`);
  if (overrides.short === true) parts.push('--short');
  if (overrides.fidelity === 'core') parts.push('--fidelity core');
  return parts.join(' ');
}

/** By world: what belongs to all its liars. */
const CONSPIRACIES = new WeakMap<SimGenesis, Conspiracy>();

/** The lie of a Byzantine machine, as its behaviour names it; `onLie` is told the lies in streams, one by one. */
export function corrupt(context: CorruptionContext, onLie?: LieListener): Corruption<MinbftMessage> {
  const { replica: self, behaviour, genesis, random, after, scenario } = context;
  if (behaviour === undefined) return corruptForker(context);
  const { settings } = genesis;
  const domain = { clusterId: settings.clusterId, configurationVersion: settings.configurationVersion };
  const wire = {
    self,
    n: scenario.n,
    domain,
    hash: modelHash,
    signer: genesis.hostSigners[self]!,
    random: random.fork(),
    after,
    patienceMs: settings.timers.requestMs,
  };
  const conspiracy = CONSPIRACIES.get(genesis) ?? conspiracyFor(scenario, onLie);
  CONSPIRACIES.set(genesis, conspiracy);
  const sign = (digest: Digest): Uint8Array => genesis.hostSigners[self]!.sign(digest);
  const spare = (mark: number): SpareComponent =>
    spareOf(new SimTrusted(genesis.keys, modelHash, self, new Prng(mark), mark));
  const stream = { self, settings, domain, hash: modelHash, random: random.fork(), sign, spare, conspiracy };
  return {
    wrapReplica: (replica: Replica<MinbftMessage>) => wrapReplica(behaviour, stream, replica),
    wrapPorts: (ports) => wrapPorts(behaviour, wire, ports),
  };
}

/** A forker: its second voice comes from a trusted component that was cloned, rolled back or robbed of its key. */
function corruptForker(context: CorruptionContext): Corruption<MinbftMessage> {
  const { replica: self, genesis, random, after, reboot, scenario } = context;
  const { settings, trusted } = genesis;
  const plan = scenario.forker!;
  if (plan.strategy === 'double') return { wrapReplica: (replica) => replica, wrapPorts: (ports) => ports };
  const domain = { clusterId: settings.clusterId, configurationVersion: settings.configurationVersion };
  const voice = secondVoice(plan, { trusted: trusted[self]!, after, reboot });
  const { others, patience } = plan;
  const options = { self, settings, domain, hash: modelHash, random, voice, others, patience };
  return {
    wrapReplica: (replica) => new Forker(options, replica),
    wrapPorts: (ports) => ports,
  };
}

/** Which seeds, and what is fixed for all of them. */
export interface BudgetOptions extends ScenarioOverrides {
  /** Default: `whole`. */
  readonly fidelity?: Fidelity;
  readonly from: number;
  readonly count: number;
}

/** Sum over a budget of schedules. */
export interface BudgetSummary {
  readonly schedules: number;
  readonly violating: number;
  readonly withViewChange: number;
  readonly withStateTransfer: number;
  readonly withRestart: number;
  readonly withByzantine: number;
  /** Schedules by number of replicas. */
  readonly byReplicas: Readonly<Record<number, number>>;
  readonly events: number;
  readonly committed: number;
}

/** Nothing simulated yet. */
export const EMPTY_SUMMARY: BudgetSummary = {
  schedules: 0,
  violating: 0,
  withViewChange: 0,
  withStateTransfer: 0,
  withRestart: 0,
  withByzantine: 0,
  byReplicas: {},
  events: 0,
  committed: 0,
};

/** The summary with one more result. */
export function addToSummary(summary: BudgetSummary, { stats, violations }: ScheduleResult): BudgetSummary {
  const one = (is: boolean): number => (is ? 1 : 0);
  const { replicas } = stats;
  return {
    schedules: summary.schedules + 1,
    violating: summary.violating + one(violations.length > 0),
    withViewChange: summary.withViewChange + one(stats.viewChanges > 0),
    withStateTransfer: summary.withStateTransfer + one(stats.stateTransfers > 0),
    withRestart: summary.withRestart + one(stats.restarts > 0),
    withByzantine: summary.withByzantine + one(stats.byzantine > 0),
    byReplicas: { ...summary.byReplicas, [replicas]: (summary.byReplicas[replicas] ?? 0) + 1 },
    events: summary.events + stats.events,
    committed: summary.committed + stats.committed,
  };
}

/** Two summaries together (budgets that were split over workers). */
export function joinSummaries(a: BudgetSummary, b: BudgetSummary): BudgetSummary {
  const byReplicas: Record<number, number> = { ...a.byReplicas };
  for (const [replicas, count] of Object.entries(b.byReplicas))
    byReplicas[Number(replicas)] = (byReplicas[Number(replicas)] ?? 0) + count;
  return {
    schedules: a.schedules + b.schedules,
    violating: a.violating + b.violating,
    withViewChange: a.withViewChange + b.withViewChange,
    withStateTransfer: a.withStateTransfer + b.withStateTransfer,
    withRestart: a.withRestart + b.withRestart,
    withByzantine: a.withByzantine + b.withByzantine,
    byReplicas,
    events: a.events + b.events,
    committed: a.committed + b.committed,
  };
}

/** Runs seeds one after the other; `onResult` may say false to stop. */
export function simulateBudget(
  options: BudgetOptions,
  onResult: (result: ScheduleResult) => boolean | void,
): BudgetSummary {
  const { from, count, ...overrides } = options;
  let summary = EMPTY_SUMMARY;
  for (let seed = from; seed < from + count; seed += 1) {
    const result = runSchedule(seed, overrides);
    summary = addToSummary(summary, result);
    if (onResult(result) === false) break;
  }
  return summary;
}
