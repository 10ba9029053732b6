/**
 * Short schedules: a handful of requests, little virtual time, and in about half of them a change of the view. Bugs of
 * a protocol's logic need few messages in the right order; many short runs meet more orders than few long ones. The
 * swarm stays: every family of faults is drawn as for long schedules and squeezed into the shorter time.
 */
import type { ClusterTimers } from '../core/config.ts';
import { Prng } from '../core/prng.ts';
import type { DiskSettings } from './disk.ts';
import type { NetworkSettings } from './network.ts';
import type { ClientPlan, PlannedFault, Scenario, ScenarioOverrides } from './scenario.ts';

/** Length of the phase with faults, milliseconds: a little more than one change of the view takes. */
export const SHORT_DURATION_MS = 120;
/** What a seed is mixed with for this draw, so that it shifts no other. */
const DRAW = 0x51ced;
/** How often a fault hits the first primary for longer than others wait. */
const HIT_PROBABILITY = 0.5;

/** Clocks jump no farther than this. */
const CLOCK_JUMP_MS = 500;

/** All runs are on one local network; delays only count in proportion to the timers. */
const DELAY = { low: 0.2, high: 1.5 } as const;
const FAST_DISK: DiskSettings = { syncLowMs: 0.05, syncHighMs: 0.6 };
const SLOW_DISK: DiskSettings = { syncLowMs: 1, syncHighMs: 4.5 };
const TIMERS: ClusterTimers = {
  batchDelayMs: 1,
  statusMs: 60,
  requestMs: 50,
  newViewMs: 70,
  backoffCapMs: 2_000,
  gapMs: 8,
  idleBatchMs: 25,
};

/** A schedule that was drawn for a short time, with the rest of it in proportion. */
export function shortened(drawn: Scenario, overrides: ScenarioOverrides): Scenario {
  const { calmMs: durationMs } = drawn;
  const random = new Prng(drawn.seed + DRAW);
  const isSlow = drawn.disk.syncHighMs > 1;
  const clients = drawClients(random, durationMs);
  return {
    ...drawn,
    network: nearby(drawn.network),
    disk: isSlow ? SLOW_DISK : FAST_DISK,
    trusted: drawn.trusted.highMs > 1 ? { lowMs: 0.5, highMs: 3 } : drawn.trusted,
    timers: isSlow ? { ...TIMERS, requestMs: 80, newViewMs: 110, gapMs: 16 } : TIMERS,
    clients,
    faults: withHit(drawn.faults.map(tamed), random, durationMs, overrides),
    settleMs: 30_000,
  };
}

function nearby(network: NetworkSettings): NetworkSettings {
  const { tailProbability, tailFactor, loss, duplication, reordering } = network;
  const { low: delayLowMs, high: delayHighMs } = DELAY;
  return { delayLowMs, delayHighMs, tailProbability, tailFactor, loss, duplication, reordering };
}

function drawClients(random: Prng, durationMs: number): ClientPlan[] {
  const count = random.pick([1, 1, 2]);
  return Array.from({ length: count }, () => {
    const bundles = random.between(1, Math.ceil(5 / count));
    return {
      bundles,
      requestsPerBundle: random.pick([1, 1, 2]),
      inFlight: random.pick([1, 2, 4]),
      paceMs: (durationMs / bundles) * 0.5 * random.unit(),
      retransmitMs: 40,
      toAll: random.chance(0.5),
    };
  });
}

/** A clock that was far ahead stands still until the others have caught up: too long for a short run. */
function tamed(fault: PlannedFault): PlannedFault {
  if (fault.kind !== 'clockjump') return fault;
  return { ...fault, byMs: Math.max(-CLOCK_JUMP_MS, Math.min(CLOCK_JUMP_MS, fault.byMs)) };
}

/** Often the primary is out of reach for longer than the others wait: whoever leads is to be replaced. */
function withHit(
  faults: readonly PlannedFault[],
  random: Prng,
  durationMs: number,
  overrides: ScenarioOverrides,
): PlannedFault[] {
  const kind = random.pick(['crash', 'isolate', 'mute', 'pause'] as const);
  const hits = random.chance(HIT_PROBABILITY);
  const atMs = random.unit() * durationMs * 0.2;
  const family = kind === 'mute' ? 'isolate' : kind;
  if (!hits || (overrides.faults !== undefined && !overrides.faults.includes(family))) return [...faults];
  const hit: PlannedFault = { kind, atMs, forMs: durationMs, target: { kind: 'primary' } };
  return [...faults, hit].sort((a, b) => a.atMs - b.atMs);
}
