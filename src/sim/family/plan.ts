/**
 * Schedules for every protocol of the family: the swarm of short schedules, on a cluster of the protocol's own size, with
 * lies that need no knowledge of it. The seed, the protocol and f are the whole of a schedule.
 */
import { DRAWN_BEHAVIOURS } from '../../adversary/behaviours.ts';
import { CONTENT_LIES, GENERIC_LIES, LATER_LIES } from '../../adversary/generic/lies.ts';
import type { GenericLie } from '../../adversary/generic/lies.ts';
import { Prng } from '../../core/prng.ts';
import type { ProtocolDefinition } from '../../core/protocol.ts';
import type { ReplicaId } from '../../core/types.ts';
import type { Doubling } from '../double.ts';
import { drawScenario } from '../scenario.ts';
import type { FaultKind, PlannedFault, Scenario, ScenarioOverrides } from '../scenario.ts';

/** What a Byzantine client of the core fidelity does. */
export const CORE_CLIENT_LIES = ['partial', 'double', 'bad-seal', 'bad-certificate'] as const;
export type CoreClientLie = (typeof CORE_CLIENT_LIES)[number];

/** A Byzantine client. */
export interface CoreLiarPlan {
  readonly lie: CoreClientLie;
  readonly bundles: number;
  readonly paceMs: number;
}

/** Lies of one run. */
export interface FamilyPlan {
  readonly liars: readonly { readonly replica: ReplicaId; readonly lies: readonly GenericLie[] }[];
  readonly twins: readonly Doubling[];
  readonly clients: readonly CoreLiarPlan[];
}

/** What may be fixed from outside. */
export interface FamilyOverrides {
  /** Faulty replicas that the cluster is made for; drawn if absent. */
  readonly f?: number;
  /** Number of replicas; absent: what the protocol needs for f. */
  readonly n?: number;
  /** Only these families of faults; absent: the swarm. */
  readonly faults?: readonly FaultKind[];
  /** Replaces the drawn lies. */
  readonly family?: FamilyPlan;
}

/** What of a definition a schedule depends on. */
export type PlannedProtocol = Pick<
  ProtocolDefinition<never>,
  'name' | 'trustedProgram' | 'facts' | 'replicasFor' | 'client' | 'makesUpdates'
>;

/** What a seed is mixed with for this draw, so that it shifts no other. */
const DRAW = 0xfa3117;
/** Faults that the modelled surroundings have no place for, or that are drawn here. */
const NEVER: readonly FaultKind[] = [
  'fork',
  'byzantine',
  'client',
  'torn',
  'bitrot',
  'diskfull',
  'fsync',
  'endless',
];
/** Faults of components that only a protocol with RECOVER survives. */
const OF_STREAMS: readonly FaultKind[] = ['volatile', 'component'];

/** Draws the schedule of a seed for a protocol. */
export function drawFamilyScenario(
  definition: PlannedProtocol,
  seed: number,
  overrides: FamilyOverrides = {},
): Scenario {
  const random = new Prng(seed + DRAW);
  const drawnF = random.pick([1, 1, 1, 1, 1, 1, 2, 2, 3]);
  const f = overrides.f ?? drawnF;
  const n = overrides.n ?? definition.replicasFor(f);
  const isStream = definition.trustedProgram === 'usig';
  const { faults } = overrides;
  const options: ScenarioOverrides = {
    short: true,
    cluster: { n, f },
    byzantine: [],
    without: isStream ? NEVER : [...NEVER, ...OF_STREAMS],
    ...(faults === undefined ? {} : { faults }),
  };
  const base = drawScenario(seed, options);
  const { faultsSafe, faultsLive } = definition.facts;
  const beyondLive = faultsSafe(n) > faultsLive(n) && random.chance(0.3);
  const count = beyondLive ? faultsSafe(n) : f;
  const lies = drawLies(random, { n, count, definition, durationMs: base.calmMs });
  const drawn = isStream ? lies : withContentLies(seed, lies);
  const losses = definition.trustedProgram === undefined || isStream ? [] : drawLosses(seed, n, base.calmMs);
  const chosen = overrides.family ?? (faults === undefined ? drawn : { liars: [], twins: [], clients: [] });
  const inStream = isStream && overrides.family === undefined ? drawStreamLies(random, chosen) : [];
  const isInStream = (id: ReplicaId): boolean => inStream.some(({ replica }) => replica === id);
  const family = { ...chosen, liars: chosen.liars.filter(({ replica }) => !isInStream(replica)) };
  return {
    ...base,
    family,
    byzantine: inStream,
    faults: faults === undefined ? [...base.faults, ...losses].sort((a, b) => a.atMs - b.atMs) : base.faults,
    trusted: isStream ? base.trusted : { ...base.trusted, outlivesDisk: true },
    ...(beyondLive && family.liars.length + family.twins.length > faultsLive(n) ? { endless: true } : {}),
  };
}

/** About half of the liars of a protocol on USIG streams lie in their streams. */
function drawStreamLies(random: Prng, { liars }: FamilyPlan): Scenario['byzantine'] {
  return liars
    .filter(() => random.chance(0.5))
    .map(({ replica }) => ({ replica, behaviour: random.pick(DRAWN_BEHAVIOURS) }));
}

/** A component that is lost with all its counters and logs: its replica stops for good. */
function drawLosses(seed: number, n: number, durationMs: number): PlannedFault[] {
  const random = new Prng(seed + 2 * DRAW);
  if (!random.chance(0.08)) return [];
  const target = { kind: 'replica', id: random.between(0, n - 1) } as const;
  const atMs = durationMs * 0.8 * random.unit();
  return [{ kind: 'component', atMs, forMs: durationMs * 0.1, target, trouble: { kind: 'lost' } }];
}

interface LieDraw {
  readonly n: number;
  /** Liars, at most. */
  readonly count: number;
  readonly definition: PlannedProtocol;
  readonly durationMs: number;
}

function drawLies(random: Prng, draw: LieDraw): FamilyPlan {
  const liars: { replica: ReplicaId; lies: GenericLie[] }[] = [];
  const twins: Doubling[] = [];
  const { n, definition, durationMs } = draw;
  const free = Array.from({ length: n }, (_, id) => id);
  const count = random.chance(0.5) ? random.between(1, draw.count) : 0;
  const doubling = definition.trustedProgram === 'usig' ? 0 : 0.25;
  for (let index = 0; index < count; index += 1) {
    // The first primaries have the most to lie about.
    const replica = random.chance(0.5) ? free[0]! : random.pick(free);
    free.splice(free.indexOf(replica), 1);
    if (random.chance(doubling)) twins.push(drawTwin(random, replica, n, durationMs));
    else liars.push({ replica, lies: drawLieNames(random, definition) });
  }
  const clients = random.chance(0.25) ? [drawClient(random, definition, durationMs)] : [];
  return { liars, twins, clients };
}

/** A replica that is two machines from early on, each shown to a part of the others. */
export function drawTwin(random: Prng, replica: ReplicaId, n: number, durationMs: number): Doubling {
  const others = Array.from({ length: n }, (_, id) => id).filter(
    (id) => id !== replica && random.chance(0.5),
  );
  const atMs = random.chance(0.5) ? 0 : random.unit() * durationMs * 0.5;
  return { replica, others, atMs, disk: random.chance(0.7) ? 'copied' : 'empty', component: 'shared' };
}

function drawLieNames(random: Prng, { makesUpdates }: PlannedProtocol): GenericLie[] {
  const names = GENERIC_LIES.map(({ name }) => name).filter(
    (name) => !LATER_LIES.includes(name) && (makesUpdates === true || name !== 'lie-update'),
  );
  const lies = [random.pick(names)];
  if (random.chance(0.3)) lies.push(random.pick(names.filter((name) => name !== lies[0])));
  return lies;
}

/** Some of the liars lie in the contents of messages as well; drawn apart, so that it shifts no other draw. */
function withContentLies(seed: number, plan: FamilyPlan): FamilyPlan {
  const random = new Prng(seed + 3 * DRAW);
  const liars = plan.liars.map(({ replica, lies }) =>
    random.chance(0.4) ? { replica, lies: [...lies, random.pick(CONTENT_LIES)] } : { replica, lies },
  );
  return { ...plan, liars };
}

function drawClient(random: Prng, { client }: PlannedProtocol, durationMs: number): CoreLiarPlan {
  const lies = CORE_CLIENT_LIES.filter(
    (lie) => lie !== 'bad-certificate' || client?.certificate !== undefined,
  );
  const bundles = random.between(1, 3);
  return { lie: random.pick(lies), bundles, paceMs: (durationMs / bundles) * random.unit() };
}
