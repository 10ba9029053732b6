/** Runs schedules of any protocol of the family in the core fidelity, under the judges that stand outside. */
import type { ProtocolDefinition, Replica, RuleTrace } from '../../core/protocol.ts';
import type { AnyProtocol } from '../../protocols/catalogue.ts';
import { invariantsOf } from '../../protocols/invariants.ts';
import { liarsOf } from '../budget.ts';
import type { CoreFrame } from '../core/frame.ts';
import { CoreWorld } from '../core/world.ts';
import type { JudgeName, Violation } from '../judge.ts';
import type { WorldListener } from '../listener.ts';
import type { Scenario } from '../scenario.ts';
import { corruptFamily } from './lies.ts';
import { ClientHistory } from './client-history.ts';
import { drawFamilyScenario } from './plan.ts';
import type { FamilyOverrides } from './plan.ts';

/** Who looks on; a run is the same with and without. */
export interface FamilyListeners {
  readonly narrate?: (atMs: number, text: string) => void;
  readonly watch?: (atMs: number, text: string) => void;
  readonly trace?: (event: RuleTrace) => void;
  readonly listener?: WorldListener<CoreFrame<object>>;
}

/** What came of one schedule. */
export interface FamilyResult {
  readonly protocol: string;
  readonly seed: number;
  readonly n: number;
  readonly f: number;
  readonly violations: readonly Violation[];
  readonly events: number;
  readonly virtualMs: number;
  /** Highest view of a correct replica. */
  readonly views: number;
  /** Speculative batches that correct replicas undid. */
  readonly rolledBack: number;
  readonly restarts: number;
  readonly stateTransfers: number;
  readonly byzantine: number;
  readonly committed: number;
  readonly believed: number;
  readonly traceHash: string;
  /** The command that repeats the run. */
  readonly reproduce: string;
}

/** Draws and runs the schedule of a seed. Equal arguments give equal results. */
export function runFamilySeed(
  protocol: AnyProtocol,
  seed: number,
  overrides: FamilyOverrides = {},
  listeners: FamilyListeners = {},
): FamilyResult {
  return runFamilyScenario(protocol, drawFamilyScenario(protocol, seed, overrides), listeners);
}

/** Judges of what correct replicas do beside what clients believe. */
const OF_REPLICAS: readonly JudgeName[] = [
  'agreement',
  'checkpoint',
  'reply',
  'durability',
  'exactly-once',
  'real-time',
  'progress',
  'start',
  'inside',
  'accusation',
  'chain',
];

/**
 * With more faults than a protocol is live with its replicas may differ, as long as its clients do not see it. Beyond its
 * promise only those judge who look from outside: what its insides say to each other was never promised there.
 */
export function mutedFor({ facts }: AnyProtocol, scenario: Scenario): readonly JudgeName[] {
  const { length } = liarsOf(scenario);
  const { n } = scenario;
  if (length > facts.faultsLive(n) && length <= facts.faultsSafe(n)) return OF_REPLICAS;
  return scenario.overBudget === true ? ['inside'] : [];
}

/** Makes the world of a scenario for a protocol, not yet run. */
export function familyWorld(
  protocol: AnyProtocol,
  scenario: Scenario,
  listeners: FamilyListeners = {},
): CoreWorld<object> {
  const definition = protocol as ProtocolDefinition<object>;
  const invariants = invariantsOf(protocol.name);
  const { narrate, watch, trace, listener = {} } = listeners;
  const history = new ClientHistory(() => world.queue.now);
  const world: CoreWorld<object> = new CoreWorld<object>({
    scenario,
    definition,
    judging: { muted: mutedFor(protocol, scenario) },
    clientProblem: () => history.problem(),
    listener: {
      ...listener,
      onIssued: (client, txId, operation) => {
        listener.onIssued?.(client, txId, operation);
        if (operation !== undefined) history.onIssued(client, txId, operation);
      },
      onBelieved: (believed) => {
        listener.onBelieved?.(believed);
        history.onBelieved(believed);
      },
    },
    corrupt: (context) => corruptFamily(definition, context),
    ...(invariants === undefined
      ? {}
      : { invariants: (replicas: readonly Replica<object>[]) => invariants.check(replicas) }),
    ...(narrate === undefined ? {} : { narrate }),
    ...(watch === undefined ? {} : { watch }),
    ...(trace === undefined ? {} : { trace }),
  });
  return world;
}

/** Runs a scenario for a protocol. */
export function runFamilyScenario(
  protocol: AnyProtocol,
  scenario: Scenario,
  listeners: FamilyListeners = {},
): FamilyResult {
  const world = familyWorld(protocol, scenario, listeners);
  world.run();
  const sum = (of: (node: (typeof world.correct)[number]) => number): number =>
    world.correct.reduce((total, node) => total + of(node), 0);
  return {
    protocol: protocol.name,
    seed: scenario.seed,
    n: scenario.n,
    f: scenario.f,
    violations: world.judge.violations,
    events: world.events,
    virtualMs: world.queue.now,
    views: world.highestView,
    rolledBack: sum((node) => node.undone.count),
    restarts: sum((node) => node.restarts),
    stateTransfers: sum((node) => node.stateTransfers),
    byzantine: liarsOf(scenario).length,
    committed: world.judge.highest,
    believed: world.judge.believed,
    traceHash: world.traceHash,
    reproduce: `moiety sim run --protocol ${protocol.name} --seed ${scenario.seed} --f ${scenario.f}`,
  };
}
