/**
 * A schedule drawn from a seed: cluster, network, disks, faults, lies and load. Everything that a run will do is
 * decided here or by `Chance`, so the seed (with the overrides of the command line) is the whole of it.
 *
 * The draw is a swarm: every family of faults is off in a good part of the seeds and strong in others, which reaches
 * corners that "a little of everything" never does.
 */
import type { Behaviour, Lie } from '../adversary/behaviours.ts';
import { DRAWN_BEHAVIOURS, TOGETHER_MAX } from '../adversary/behaviours.ts';
import type { ClusterLimits, ClusterTimers } from '../core/config.ts';
import { Prng } from '../core/prng.ts';
import type { Milliseconds, ReplicaId } from '../core/types.ts';
import type { Fired } from './chance.ts';
import { drawTroubles } from './component-trouble.ts';
import type { TrustedTrouble } from './component-trouble.ts';
import type { DiskSettings, RotPlace } from './disk.ts';
import { settleMsOf, timersFor, withWorld } from './draw-world.ts';
import { drawsLiarClients, withLiarClients } from './liar-client.ts';
import type { FamilyPlan } from './family/plan.ts';
import type { ClientLie } from './client-lies.ts';
import type { LiarClientPlan } from './liar-client.ts';
import type { NetworkSettings } from './network.ts';
import { SHORT_DURATION_MS, shortened } from './short.ts';
import { drawFork, withForker } from './trusted-faults.ts';
import type { ForkPlan, ForkWay } from './trusted-faults.ts';

/** Families of faults that a seed may draw; names of the command line's `--faults`. */
export const FAULT_KINDS = [
  'network',
  'partition',
  'isolate',
  'crash',
  'powercut',
  'pause',
  'wipe',
  'disk',
  'trusted',
  'clock',
  'byzantine',
  // World (`draw-world.ts`).
  'latency',
  'bandwidth',
  'stale',
  'flap',
  'mesh',
  'drift',
  'clockjump',
  'torn',
  'bitrot',
  'diskfull',
  'slowdisk',
  'fsync',
  'volatile',
  'crashloop',
  'load',
  'quorum',
  'endless',
  'client',
  'component',
  'fork',
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

/** One thing that goes wrong at a planned time and is put right at another. */
export type PlannedFault =
  | {
      readonly kind: 'crash' | 'pause' | 'wipe' | 'isolate';
      readonly atMs: number;
      readonly forMs: number;
      readonly target: FaultTarget;
    }
  | {
      readonly kind: 'mute' | 'deaf';
      readonly atMs: number;
      readonly forMs: number;
      readonly target: FaultTarget;
    }
  | {
      readonly kind: 'partition';
      readonly atMs: number;
      readonly forMs: number;
      /** Replicas of one side. */
      readonly side: readonly ReplicaId[];
      /** Replicas of the other side; absent: all that are not of `side`. Two single ones make a link. */
      readonly others?: readonly ReplicaId[];
      /** If false only frames from `side` to the others are lost. */
      readonly symmetric: boolean;
      /** The cut comes and goes: cut for `downMs`, open for `upMs`, and again. Absent: cut all the time. */
      readonly flap?: { readonly downMs: Milliseconds; readonly upMs: Milliseconds };
    }
  | {
      /** A wall clock jumps (backwards if negative) and is set right after `forMs`. */
      readonly kind: 'clockjump';
      readonly atMs: number;
      readonly forMs: number;
      readonly target: FaultTarget;
      readonly byMs: Milliseconds;
    }
  | {
      /**
       * Something durable rots, the machine restarts and refuses its store after `forMs`, and its operator wipes it. A
       * rotten block is met when somebody fetches it, or at the next start.
       */
      readonly kind: 'bitrot';
      readonly atMs: number;
      readonly forMs: number;
      readonly target: FaultTarget;
      readonly place: RotPlace;
      /** Whether the store's check value does not notice (a snapshot only): the host has to. */
      readonly hidden: boolean;
    }
  | {
      /** Writes fail: at the first one the replica stops, as the product does; it starts again when writes succeed. */
      readonly kind: 'diskfail';
      readonly atMs: number;
      readonly forMs: number;
      readonly target: FaultTarget;
      readonly why: 'full' | 'error';
    }
  | {
      /** Every sync takes `factor` times as long. */
      readonly kind: 'slowdisk';
      readonly atMs: number;
      readonly forMs: number;
      readonly target: FaultTarget;
      readonly factor: number;
    }
  | {
      /** Syncs are answered without being done; power fails after half of `forMs` and comes back after the rest. */
      readonly kind: 'fsynclie';
      readonly atMs: number;
      readonly forMs: number;
      readonly target: FaultTarget;
    }
  | {
      /** Something is wrong with a trusted component (`component-trouble.ts`). */
      readonly kind: 'component';
      readonly atMs: number;
      readonly forMs: number;
      readonly target: FaultTarget;
      readonly trouble: TrustedTrouble;
    }
  | { readonly kind: 'powercut'; readonly atMs: number; readonly forMs: number };

/** Whom a fault hits: a fixed replica, or whoever leads at that time. */
export type FaultTarget = { readonly kind: 'replica'; readonly id: ReplicaId } | { readonly kind: 'primary' };

/** One client's load. */
export interface ClientPlan {
  readonly bundles: number;
  readonly requestsPerBundle: number;
  /** Bundles in flight at once. */
  readonly inFlight: number;
  /** Pause between two bundles. */
  readonly paceMs: number;
  readonly retransmitMs: number;
  /** Whether new bundles go to everybody or to the supposed primary only. */
  readonly toAll: boolean;
  /** Sends at its pace without waiting for answers, as far as the window of its session goes. Absent: no. */
  readonly openLoop?: boolean;
  /** Bundles that leave together; the pauses between them are made up for after them. Absent: 1. */
  readonly burst?: number;
}

/** How a quorum is healed first. */
export interface HealPlan {
  /** Whom to take first: the first f+1 of them that are not faulty, at the time of the calm, are the quorum. */
  readonly order: readonly ReplicaId[];
  /** How the other correct replicas are kept away until all requests are finished. */
  readonly rest: 'down' | 'cut' | 'mute' | 'deaf';
}

/** See the top of this file. */
export interface Scenario {
  readonly seed: number;
  readonly f: number;
  readonly n: number;
  readonly limits: ClusterLimits;
  readonly timers: ClusterTimers;
  readonly network: NetworkSettings;
  readonly disk: DiskSettings;
  readonly trusted: {
    /** Latency of the trusted component, milliseconds. */
    readonly lowMs: number;
    readonly highMs: number;
    /** Replicas whose component lives in their process: every crash loses it. They count as amnesiac. Absent: none. */
    readonly volatile?: readonly ReplicaId[];
    /** A wipe of the disk leaves the component alone. Absent: in half of the cases. */
    readonly outlivesDisk?: boolean;
  };
  /** How far each replica's clock is off at the beginning. */
  readonly clockOffsetsMs: readonly Milliseconds[];
  /** Microseconds that each replica's clock gains in a second. Absent: none. */
  readonly clockDriftPpm?: readonly number[];
  readonly byzantine: readonly { readonly replica: ReplicaId; readonly behaviour: Lie }[];
  /** A Byzantine replica with two voices under one identity; not among `byzantine`. */
  readonly forker?: ForkPlan;
  /** Ascending by time. */
  readonly faults: readonly PlannedFault[];
  readonly clients: readonly ClientPlan[];
  /** How requests are authentic (the whole simulation only); absent: signed bundles. */
  readonly authenticator?: 'mac';
  /** Byzantine clients; absent: none. */
  readonly liarClients?: readonly LiarClientPlan[];
  /** If given, exactly these decisions of `Chance` are answered yes: what is left of a schedule that was made smaller. */
  readonly fires?: readonly Fired[];
  /** When faults stop (except the lies of Byzantine replicas). */
  readonly calmMs: number;
  /**
   * How long after that everything must be finished; with `heal` first the requests, then, counted anew from the healing
   * of the rest, everything.
   */
  readonly settleMs: number;
  /** If given, first only a quorum is healed, and the rest when all requests are finished. Absent: all at once. */
  readonly heal?: HealPlan;
  /** Faults never stop: the run ends at `calmMs`, and only safety is judged. Absent: no. */
  readonly endless?: boolean;
  /** Lies that every protocol can be told; absent: none. */
  readonly family?: FamilyPlan;
  /** The run may break the fault model (more than f faulty replicas). Absent: faults beyond it are left out. */
  readonly overBudget?: boolean;
}

/** What the command line or a test fixes instead of drawing it. */
export interface ScenarioOverrides {
  /** 3, 5 or 7. */
  readonly replicas?: number;
  /** Size of the cluster and its faulty replicas, for protocols with other quorums than a majority; beats `replicas`. */
  readonly cluster?: { readonly n: number; readonly f: number };
  /** These families are never drawn. */
  readonly without?: readonly FaultKind[];
  /** Only these families are drawn; an empty list means a run without faults. */
  readonly faults?: readonly FaultKind[];
  /** Exactly these lies. */
  readonly byzantine?: readonly { readonly replica: ReplicaId; readonly behaviour: Lie }[];
  /** A forker that gets its second voice in this way; out of the fault budget unless the fence is there. */
  readonly fork?: ForkWay;
  /** Whether footprints notice older and copied folders; they do unless this is false. */
  readonly fence?: boolean;
  /** One Byzantine client that does this. */
  readonly liarClient?: ClientLie;
  /** Lies are drawn from these alone, one for each liar. */
  readonly behaviours?: readonly Behaviour[];
  /** Length of the phase with faults, milliseconds of virtual time. */
  readonly durationMs?: number;
  /** A short schedule (`short.ts`): few requests, little virtual time. */
  readonly short?: boolean;
}

interface Draw {
  readonly random: Prng;
  readonly f: number;
  readonly n: number;
  readonly durationMs: number;
  readonly on: (kind: FaultKind, probability: number) => boolean;
}

/** Speeds of a network: everything else is measured in its delay. */
const SPEEDS = [
  { low: 0.2, high: 1.5 },
  { low: 0.5, high: 5 },
  { low: 2, high: 20 },
] as const;

/** Draws the schedule of a seed. */
export function drawScenario(seed: number, overrides: ScenarioOverrides = {}): Scenario {
  if (overrides.short !== true) return drawLong(seed, overrides);
  return shortened(drawLong(seed, { durationMs: SHORT_DURATION_MS, ...overrides }), overrides);
}

function drawLong(seed: number, overrides: ScenarioOverrides): Scenario {
  const random = new Prng(seed);
  const { replicas, cluster } = overrides;
  const drawnF = replicas === undefined ? random.pick([1, 1, 1, 1, 2, 2, 3]) : (replicas - 1) / 2;
  const { f, n } = cluster ?? { f: drawnF, n: 2 * drawnF + 1 };
  const durationMs = overrides.durationMs ?? random.pick([600, 1200, 1200, 2500]);
  const allowed = overrides.faults;
  const on = (kind: FaultKind, probability: number): boolean => {
    const drawn = random.chance(probability) && overrides.without?.includes(kind) !== true;
    return allowed === undefined ? drawn : allowed.includes(kind);
  };
  const draw: Draw = { random, f, n, durationMs, on };
  const speed = random.pick(SPEEDS);
  const network = drawNetwork(draw, speed);
  const disk = on('disk', 0.2)
    ? { syncLowMs: 1, syncHighMs: speed.high * 3 }
    : { syncLowMs: 0.05, syncHighMs: 0.6 };
  const trusted = on('trusted', 0.2) ? { lowMs: 0.5, highMs: speed.high * 2 } : { lowMs: 0.01, highMs: 0.1 };
  const clockOffsetsMs = drawClocks(draw);
  const byzantine = overrides.byzantine ?? drawByzantine(draw, overrides.behaviours);
  const faults = drawFaults(draw, byzantine);
  const limits = drawLimits(random);
  const clients = drawClients(draw, speed.high);
  const timers = timersFor(speed.high, disk.syncHighMs + trusted.highMs);
  const base: Scenario = {
    seed,
    f,
    n: draw.n,
    limits,
    timers,
    network,
    disk,
    trusted,
    clockOffsetsMs,
    byzantine,
    faults,
    clients,
    calmMs: durationMs,
    settleMs: settleMsOf(timers, clients),
  };
  return withLiars(withWorld(base, overrides), overrides);
}

function withFaults(scenario: Scenario, more: readonly PlannedFault[]): Scenario {
  return { ...scenario, faults: [...scenario.faults, ...more].sort((a, b) => a.atMs - b.atMs) };
}

/**
 * What is drawn apart, so that it shifts nothing else: trouble with trusted components, Byzantine clients, and a forker
 * (one that the fence stops, unless another is asked for).
 */
function withLiars(scenario: Scenario, overrides: ScenarioOverrides): Scenario {
  const { faults, liarClient, byzantine, fence = true } = overrides;
  const swarmFork = byzantine === undefined ? drawFork(scenario.seed, faults?.includes('fork')) : undefined;
  const fork = overrides.fork ?? swarmFork;
  const drawn = faults === undefined ? drawsLiarClients(scenario.seed) : faults.includes('client');
  const isSpared = overrides.without?.includes('component') === true;
  const troubles = isSpared ? [] : drawTroubles(scenario, faults?.includes('component'));
  const troubled = troubles.length === 0 ? scenario : withFaults(scenario, troubles);
  const lied = liarClient !== undefined || drawn ? withLiarClients(troubled, liarClient) : troubled;
  return fork === undefined ? lied : withForker(lied, fork, fence);
}

function drawNetwork(draw: Draw, speed: { readonly low: number; readonly high: number }): NetworkSettings {
  const { random } = draw;
  const rough = draw.on('network', 0.6);
  const share = (probability: number, high: number): number => {
    const used = random.chance(probability);
    const value = random.unit() * high;
    return rough && used ? value : 0;
  };
  return {
    delayLowMs: speed.low,
    delayHighMs: speed.high,
    tailProbability: share(0.6, 0.1),
    tailFactor: random.pick([3, 10, 30]),
    loss: share(0.6, 0.2),
    duplication: share(0.5, 0.2),
    reordering: random.chance(0.7) || !rough,
  };
}

function drawClocks(draw: Draw): Milliseconds[] {
  const spread = draw.on('clock', 0.3) ? draw.random.pick([20, 500, 2_000]) : 0;
  return Array.from({ length: draw.n }, () => draw.random.between(0, spread));
}

function drawLimits(random: Prng): ClusterLimits {
  const checkpointInterval = random.pick([2, 2, 3, 4, 5, 8]);
  const pipelineFactor = random.pick([1, 2, 2, 3]);
  return {
    checkpointInterval,
    pipelineFactor,
    batchRequestsMax: random.pick([3, 6, 16]),
    batchBytesMax: 96 * 1024,
    logEntriesMax: 4096,
    sessionsMax: 64,
    sessionWindowMax: 64,
  };
}

function drawByzantine(
  draw: Draw,
  behaviours: readonly Behaviour[] | undefined,
): { replica: ReplicaId; behaviour: Lie }[] {
  const { random, f, n } = draw;
  if (!draw.on('byzantine', 0.45)) return [];
  const count = random.between(1, f);
  const free = Array.from({ length: n }, (_, id) => id);
  const chosen: { replica: ReplicaId; behaviour: Lie }[] = [];
  for (let index = 0; index < count; index += 1) {
    // The first primaries have the most to lie about.
    const replica = random.chance(0.5) ? free[0]! : random.pick(free);
    free.splice(free.indexOf(replica), 1);
    chosen.push({ replica, behaviour: drawLie(random, behaviours) });
  }
  return chosen;
}

/** One behaviour, or up to three at a time; of a given list always one. */
function drawLie(random: Prng, behaviours: readonly Behaviour[] | undefined): Lie {
  const names = behaviours ?? DRAWN_BEHAVIOURS;
  const lie = random.pick(names);
  if (behaviours !== undefined || random.chance(0.75)) return lie;
  const more = random.between(1, TOGETHER_MAX - 1);
  const others = Array.from({ length: more }, () => random.pick(names)).filter((name) => name !== lie);
  return [lie, ...new Set(others)].join('+') as Lie;
}

function drawFaults(draw: Draw, byzantine: readonly { readonly replica: ReplicaId }[]): PlannedFault[] {
  const { random, n, f, durationMs } = draw;
  const faults: PlannedFault[] = [];
  const honest = Array.from({ length: n }, (_, id) => id).filter(
    (id) => !byzantine.some((entry) => entry.replica === id),
  );
  const at = (): number => random.unit() * durationMs * 0.8;
  const length = (): number => durationMs * random.pick([0.05, 0.1, 0.3, 0.6]);
  const target = (): FaultTarget =>
    random.chance(0.5) ? { kind: 'primary' } : { kind: 'replica', id: random.between(0, n - 1) };
  const some = (low: number, high: number, make: () => PlannedFault): void => {
    const count = random.between(low, high);
    for (let index = 0; index < count; index += 1) faults.push(make());
  };
  if (draw.on('crash', 0.4))
    some(1, 4, () => ({ kind: 'crash', atMs: at(), forMs: length(), target: target() }));
  if (draw.on('isolate', 0.45)) {
    some(1, 3, () => ({
      kind: random.pick(['isolate', 'isolate', 'mute', 'deaf'] as const),
      atMs: at(),
      forMs: length(),
      target: target(),
    }));
  }
  if (draw.on('partition', 0.25)) {
    some(1, 2, () => ({
      kind: 'partition',
      atMs: at(),
      forMs: length(),
      side: Array.from({ length: n }, (_, id) => id).filter(() => random.chance(0.4)),
      symmetric: random.chance(0.6),
    }));
  }
  if (draw.on('powercut', 0.12))
    some(1, 2, () => ({ kind: 'powercut', atMs: at(), forMs: 10 + random.unit() * 100 }));
  if (draw.on('pause', 0.15))
    some(1, 3, () => ({ kind: 'pause', atMs: at(), forMs: length(), target: target() }));
  if (draw.on('wipe', 0.15) && byzantine.length < f) {
    const id = random.pick(honest);
    faults.push({ kind: 'wipe', atMs: at(), forMs: length(), target: { kind: 'replica', id } });
  }
  return faults.sort((a, b) => a.atMs - b.atMs);
}

function drawClients(draw: Draw, delayHighMs: number): ClientPlan[] {
  const { random, durationMs } = draw;
  const count = random.pick([1, 1, 2, 3]);
  return Array.from({ length: count }, () => {
    const bundles = random.between(4, Math.ceil(40 / count));
    return {
      bundles,
      requestsPerBundle: random.pick([1, 1, 2, 3]),
      inFlight: random.pick([1, 2, 4, 8]),
      paceMs: (durationMs / bundles) * (0.2 + random.unit()),
      retransmitMs: 40 + 10 * delayHighMs,
      toAll: random.chance(0.5),
    };
  });
}
