/**
 * The second half of the draw: the world around the cluster. Distances between regions, narrow and flapping links,
 * clocks that drift and jump, disks that rot, fill up and lie, volatile trusted components, client behaviour, and how
 * a run ends. It has a generator of its own, so that a seed keeps what the first half drew for it.
 */
import type { ClusterTimers } from '../core/config.ts';
import { Prng } from '../core/prng.ts';
import type { Milliseconds, ReplicaId } from '../core/types.ts';
import { CLOCK_TOLERANCE_MS, budgetOf } from './budget.ts';
import type { FaultBudget } from './budget.ts';
import type { NetworkSettings } from './network.ts';
import { distanceMs, REGIONS, THREE_REGIONS } from './regions.ts';
import type { Region } from './regions.ts';
import type {
  ClientPlan,
  FaultKind,
  HealPlan,
  PlannedFault,
  Scenario,
  ScenarioOverrides,
} from './scenario.ts';

/** What a seed is mixed with for this half. */
const DRAW = 0x3c0ffee;
/** Requests wait at least this long for a view with a correct primary, milliseconds. */
const SETTLE_MS = 60_000;
/** A stretched phase with faults ends well before the OPEN of a client gets void, milliseconds. */
const STRETCHED_MAX_MS = 20_000;
/** Cap of the view change back-off, in new-view timers. */
const BACKOFF_STEPS = 6;

/** Waits in proportion to the network's delay: a view with a correct primary must be able to last. */
export function timersFor(delayHighMs: number, storeHighMs: number): ClusterTimers {
  const step = delayHighMs + storeHighMs;
  const newViewMs = Math.ceil(100 + 20 * step);
  return {
    batchDelayMs: 1,
    statusMs: Math.ceil(40 + 4 * step),
    requestMs: Math.ceil(60 + 14 * step),
    newViewMs,
    backoffCapMs: Math.max(4_000, step > 100 ? BACKOFF_STEPS * newViewMs : 0),
    gapMs: Math.ceil(4 + 3 * step),
    idleBatchMs: Math.ceil(20 + 4 * step),
  };
}

/**
 * The bound for finishing: a primary that is always just in time for the request timer may not be replaced, and is that
 * slow; far replicas need their view changes.
 */
export function settleMsOf(timers: ClusterTimers, clients: readonly ClientPlan[]): Milliseconds {
  const bundles = Math.max(...clients.map((client) => client.bundles));
  return SETTLE_MS + timers.requestMs * bundles + (timers.backoffCapMs > 4_000 ? 8 * timers.backoffCapMs : 0);
}

interface Draw {
  readonly random: Prng;
  readonly base: Scenario;
  readonly budget: FaultBudget;
  /** Length of the phase with faults. */
  readonly durationMs: Milliseconds;
  readonly on: (kind: FaultKind, probability: number) => boolean;
}

/** The scenario in its world. Families that are off change nothing. */
export function withWorld(base: Scenario, overrides: ScenarioOverrides): Scenario {
  const random = new Prng(base.seed + DRAW * 2 ** 20);
  const allowed = overrides.faults;
  const on = (kind: FaultKind, probability: number): boolean => {
    const drawn = random.chance(probability) && overrides.without?.includes(kind) !== true;
    return allowed === undefined ? drawn : allowed.includes(kind);
  };
  const budget = budgetOf(base);
  for (const fault of base.faults)
    if (fault.kind === 'wipe' && fault.target.kind === 'replica') budget.charge(fault.target.id);
  const far = drawDistance({ random, base, budget, durationMs: base.calmMs, on });
  const stretched = far === undefined ? base : stretch(base, far, overrides.durationMs === undefined);
  const draw: Draw = { random, base: stretched, budget, durationMs: stretched.calmMs, on };
  const network = drawLinks(draw);
  const disk = on('torn', 0.3) ? { ...stretched.disk, tornWrites: true } : stretched.disk;
  const clockDriftPpm = drawDrift(draw);
  const volatile = drawVolatile(draw);
  const faults = [...stretched.faults, ...drawCuts(draw), ...drawClockJumps(draw), ...drawDiskFaults(draw)];
  faults.push(...drawCrashLoop(draw));
  const clients = drawLoad(draw);
  const endless = on('endless', 0.1);
  const heal = drawHeal(draw);
  return {
    ...stretched,
    network,
    disk,
    trusted: volatile === undefined ? stretched.trusted : { ...stretched.trusted, volatile },
    ...(clockDriftPpm === undefined ? {} : { clockDriftPpm }),
    faults: faults.sort((a, b) => a.atMs - b.atMs),
    clients: heal === undefined || endless ? clients : clients.map(longer),
    ...(heal === undefined || endless ? {} : { heal }),
    ...(endless ? { endless } : {}),
  };
}

// ---- network ------------------------------------------------------------------------------------------------------

interface Far {
  readonly settings: Pick<NetworkSettings, 'places' | 'distanceMs' | 'clientDistanceMs'>;
  readonly highestMs: Milliseconds;
}

function drawDistance({ random, base, on }: Draw): Far | undefined {
  const used = on('latency', 0.3);
  const map: readonly Region[] = random.chance(0.5) ? THREE_REGIONS : REGIONS;
  const places = Array.from({ length: base.n }, () => random.pick(map));
  const homes = base.clients.map(() => random.pick(map));
  if (!used) return undefined;
  const from = (region: Region): Milliseconds[] => places.map((place) => distanceMs(region, place));
  const distance = places.map(from);
  return {
    settings: { places, distanceMs: distance, clientDistanceMs: homes.map(from) },
    highestMs: Math.max(...distance.flat()),
  };
}

/** Puts distances in: timers follow them, and (if `longer`) so does everything that has a length. */
function stretch(base: Scenario, far: Far, mayLast: boolean): Scenario {
  const { network, disk, trusted, clients } = base;
  // Beside the distance little is left to chance: a tenth of it, and what the network had.
  const highMs = Math.min(network.delayHighMs, 1 + far.highestMs / 10);
  const step = far.highestMs + highMs;
  const timers = timersFor(step, disk.syncHighMs + trusted.highMs);
  const wanted = timers.requestMs / base.timers.requestMs;
  const factor = mayLast ? Math.max(1, Math.min(wanted, STRETCHED_MAX_MS / base.calmMs)) : 1;
  const slower = clients.map((client) => ({
    ...client,
    paceMs: client.paceMs * factor,
    retransmitMs: 40 + 10 * step,
  }));
  return {
    ...base,
    timers,
    network: {
      ...network,
      ...far.settings,
      delayLowMs: Math.min(network.delayLowMs, highMs / 2),
      delayHighMs: highMs,
      tailFactor: Math.min(10, network.tailFactor),
    },
    clients: slower,
    faults: base.faults.map((fault) => ({
      ...fault,
      atMs: fault.atMs * factor,
      forMs: fault.forMs * factor,
    })),
    calmMs: base.calmMs * factor,
    settleMs: settleMsOf(timers, slower),
  };
}

function drawLinks({ random, base, on }: Draw): NetworkSettings {
  const narrow = on('bandwidth', 0.15);
  const bytesPerMs = random.pick([60, 200, 1_000]);
  const stale = on('stale', 0.15);
  const duplicateLagMs = base.calmMs * random.unit();
  return {
    ...base.network,
    ...(narrow ? { bytesPerMs } : {}),
    ...(stale ? { duplicateLagMs, duplication: Math.max(0.02, base.network.duplication) } : {}),
  };
}

function drawCuts({ random, base, durationMs, on }: Draw): PlannedFault[] {
  const cuts: PlannedFault[] = [];
  const ids = Array.from({ length: base.n }, (_, id) => id);
  const at = (): Milliseconds => random.unit() * durationMs * 0.6;
  if (on('flap', 0.15)) {
    for (let count = random.between(1, 3); count > 0; count -= 1) {
      const one = random.pick(ids);
      const isLink = random.chance(0.5);
      cuts.push({
        kind: 'partition',
        atMs: at(),
        forMs: durationMs * random.pick([0.3, 0.6, 1]),
        side: isLink ? [one] : ids.filter((id) => id === one || random.chance(0.3)),
        ...(isLink ? { others: [random.pick(ids.filter((id) => id !== one))] } : {}),
        symmetric: random.chance(0.5),
        flap: {
          downMs: durationMs * random.pick([0.02, 0.05, 0.1]),
          upMs: durationMs * random.pick([0.01, 0.05]),
        },
      });
    }
  }
  // A partial mesh: nobody is cut off, and yet not everybody hears everybody.
  if (on('mesh', 0.12)) {
    const atMs = at();
    const forMs = durationMs * random.pick([0.3, 0.6]);
    for (const one of ids)
      for (const other of ids)
        if (one !== other && random.chance(0.3))
          cuts.push({ kind: 'partition', atMs, forMs, side: [one], others: [other], symmetric: false });
  }
  return cuts;
}

// ---- clocks -------------------------------------------------------------------------------------------------------

function drawDrift({ random, base, on }: Draw): number[] | undefined {
  const used = on('drift', 0.25);
  // Far beyond any quartz; over the minutes of the longest run it is still a part of the tolerance.
  const spread = random.pick([200, 1_000, 4_000]);
  const ppm = Array.from({ length: base.n }, () => random.between(-spread, spread));
  return used ? ppm : undefined;
}

function drawClockJumps({ random, base, budget, durationMs, on }: Draw): PlannedFault[] {
  const used = on('clockjump', 0.2);
  const jumps: PlannedFault[] = [];
  for (let count = random.between(1, 3); count > 0; count -= 1) {
    const id = random.between(0, base.n - 1);
    const isFar = random.chance(0.3);
    const size = isFar
      ? random.pick([6_000, 20_000, 50_000])
      : random.pick([50, 300, CLOCK_TOLERANCE_MS / 6]);
    const byMs = random.chance(0.5) ? size : -size;
    const atMs = random.unit() * durationMs * 0.8;
    const forMs = durationMs * random.pick([0.1, 0.3, 0.6]);
    if (!used || (isFar && !budget.charge(id))) continue;
    jumps.push({ kind: 'clockjump', atMs, forMs, target: { kind: 'replica', id }, byMs });
  }
  return jumps;
}

// ---- machines -----------------------------------------------------------------------------------------------------

function drawVolatile({ random, base, budget, on }: Draw): ReplicaId[] | undefined {
  const used = on('volatile', 0.12);
  const wanted = shuffled(random, base.n).slice(0, base.f);
  const volatile = used ? wanted.filter((id) => budget.charge(id)) : [];
  return volatile.length === 0 ? undefined : volatile.sort((a, b) => a - b);
}

function drawDiskFaults({ random, base, budget, durationMs, on }: Draw): PlannedFault[] {
  const faults: PlannedFault[] = [];
  const ids = Array.from({ length: base.n }, (_, id) => id);
  const when = (): { atMs: Milliseconds; forMs: Milliseconds } => ({
    atMs: durationMs * (0.1 + 0.7 * random.unit()),
    forMs: durationMs * random.pick([0.05, 0.1, 0.3]),
  });
  const replica = (id: ReplicaId): { kind: 'replica'; id: ReplicaId } => ({ kind: 'replica', id });
  if (on('bitrot', 0.12)) {
    const id = random.pick(ids);
    const place = random.pick(['journal', 'snapshot', 'snapshot', 'block'] as const);
    const hidden = place === 'snapshot' && random.chance(0.5);
    if (budget.charge(id)) faults.push({ kind: 'bitrot', ...when(), target: replica(id), place, hidden });
  }
  if (on('fsync', 0.1)) {
    const id = random.pick(ids);
    if (budget.charge(id)) faults.push({ kind: 'fsynclie', ...when(), target: replica(id) });
  }
  if (on('diskfull', 0.12)) {
    for (let count = random.between(1, 2); count > 0; count -= 1) {
      const target = random.chance(0.5) ? ({ kind: 'primary' } as const) : replica(random.pick(ids));
      faults.push({ kind: 'diskfail', ...when(), target, why: random.chance(0.6) ? 'full' : 'error' });
    }
  }
  if (on('slowdisk', 0.12)) {
    const target = random.chance(0.6) ? ({ kind: 'primary' } as const) : replica(random.pick(ids));
    faults.push({ kind: 'slowdisk', ...when(), target, factor: random.pick([10, 100, 500]) });
  }
  return faults;
}

function drawCrashLoop({ random, base, durationMs, on }: Draw): PlannedFault[] {
  const used = on('crashloop', 0.08);
  const target = { kind: 'replica', id: random.between(0, base.n - 1) } as const;
  const times = random.between(4, 10);
  if (!used) return [];
  return Array.from({ length: times }, (_, index) => ({
    kind: 'crash' as const,
    atMs: (durationMs * 0.9 * (index + random.unit())) / times,
    forMs: durationMs * 0.02,
    target,
  }));
}

// ---- load and end -------------------------------------------------------------------------------------------------

function drawLoad({ random, base, on }: Draw): ClientPlan[] {
  const used = on('load', 0.4);
  return base.clients.map((client) => {
    const openLoop = random.chance(0.5);
    const burst = random.pick([1, 2, 5, 10]);
    return used ? { ...client, openLoop, burst } : client;
  });
}

/** Load that is still there when the faults stop: a quorum without work shows nothing. */
function longer(client: ClientPlan): ClientPlan {
  return { ...client, paceMs: client.paceMs * 1.5 };
}

function drawHeal({ random, base, on }: Draw): HealPlan | undefined {
  const used = on('quorum', 0.5);
  const order = shuffled(random, base.n);
  const rest = random.pick(['down', 'down', 'cut', 'cut', 'mute', 'deaf'] as const);
  return used ? { order, rest } : undefined;
}

function shuffled(random: Prng, n: number): ReplicaId[] {
  const left = Array.from({ length: n }, (_, id) => id);
  const order: ReplicaId[] = [];
  while (left.length > 0) order.push(...left.splice(random.between(0, left.length - 1), 1));
  return order;
}
