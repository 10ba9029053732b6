/** The scenario that explorers of rounds put their faults into: a small cluster with a handful of requests. */
import type { Lie } from '../../adversary/behaviours.ts';
import type { ReplicaId } from '../../core/types.ts';
import { baseScenario } from '../base-scenario.ts';
import { CALM_NETWORK } from '../network.ts';
import type { Scenario } from '../scenario.ts';

/** What differs between schedules. */
export interface SmallScope {
  readonly seed: number;
  readonly f: number;
  /** Bundles of one request each. */
  readonly requests: number;
  readonly byzantine: readonly { readonly replica: ReplicaId; readonly behaviour: Lie }[];
  /** How long faults may last, milliseconds of virtual time: a little more than the views that are to be reached take. */
  readonly faultsMs: number;
}

/** The scenario. Orders are cut into batches of one request and checkpoints come at every second one. */
export function smallScenario({ seed, f, requests, byzantine, faultsMs }: SmallScope): Scenario {
  return {
    ...baseScenario(f),
    seed,
    timers: {
      batchDelayMs: 1,
      statusMs: 40,
      requestMs: 30,
      newViewMs: 40,
      backoffCapMs: 2_000,
      gapMs: 8,
      idleBatchMs: 25,
    },
    network: CALM_NETWORK,
    disk: { syncLowMs: 0.05, syncHighMs: 0.3 },
    trusted: { lowMs: 0.01, highMs: 0.1 },
    byzantine,
    clients: [
      { bundles: requests, requestsPerBundle: 1, inFlight: 2, paceMs: 3, retransmitMs: 45, toAll: true },
    ],
    calmMs: faultsMs,
    settleMs: 30_000,
  };
}
