/** What scripts, explorers and constructed histories start from: a small calm cluster, in which nothing goes wrong. */
import type { Scenario } from './scenario.ts';

/** A quiet scenario without clients; of `2f+1` replicas if nothing else is said. */
export function baseScenario(f: number, n = 2 * f + 1): Scenario {
  return {
    seed: 1,
    f,
    n,
    limits: {
      checkpointInterval: 2,
      pipelineFactor: 2,
      batchRequestsMax: 1,
      batchBytesMax: 96 * 1024,
      logEntriesMax: 4096,
      sessionsMax: 64,
      sessionWindowMax: 64,
    },
    timers: {
      batchDelayMs: 1,
      statusMs: 20,
      requestMs: 60,
      newViewMs: 100,
      backoffCapMs: 1_000,
      gapMs: 5,
      idleBatchMs: 20,
    },
    network: {
      delayLowMs: 0.9,
      delayHighMs: 1,
      tailProbability: 0,
      tailFactor: 1,
      loss: 0,
      duplication: 0,
      reordering: false,
    },
    disk: { syncLowMs: 0.05, syncHighMs: 0.1 },
    trusted: { lowMs: 0.01, highMs: 0.02 },
    clockOffsetsMs: Array.from({ length: n }, () => 0),
    byzantine: [],
    faults: [],
    clients: [],
    calmMs: 700,
    settleMs: 20_000,
  };
}
