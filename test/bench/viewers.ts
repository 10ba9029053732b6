/** What it costs the cluster that ten dashboards watch it. */
import { fileURLToPath } from 'node:url';
import { BenchChild } from '../../src/cli/bench/children.ts';
import { summaryOf } from '../../src/cli/bench/statistics.ts';
import type { Summary } from '../../src/cli/bench/statistics.ts';
import type { Sitting } from '../../src/cli/bench/sitting.ts';
import { closed, cluster, point, sit } from './measure.ts';
import type { Effort } from './measure.ts';
import type { Watched } from './viewers-worker.ts';

/** See the top of this file. */
export interface ViewersFigures {
  readonly viewers: number;
  readonly inFlight: number;
  readonly pairs: number;
  /** Of each run, seconds. */
  readonly seconds: number;
  readonly without: Summary;
  readonly watched: Summary;
  /** Throughput while it is watched, in shares of that without, pair by pair. */
  readonly ratio: Summary;
  /** What one viewer gets each second. */
  readonly eventsPerSecond: number;
  readonly bytesPerSecond: number;
}

const VIEWERS = 10;
const IN_FLIGHT = 256;
const PAIRS = 40;
const PAIRS_QUICK = 3;
/** A run of one second is a few hundred rounds: too few to see one part in a hundred. */
const LONGER = 3;
const WARMUP_MS = 500;
/** Replicas go on telling for five seconds after the last viewer has left; those who come wait as long: both runs rest. */
const CHANGE_MS = 5_500;
const WATCH_MS = 30_000;
const END_MS = 5_000;
const WORKER = fileURLToPath(new URL('./viewers-worker.ts', import.meta.url));

async function pairsOf(sitting: Sitting, worker: BenchChild, effort: Effort): Promise<ViewersFigures> {
  const pairs = effort.quick ? PAIRS_QUICK : Math.max(PAIRS, effort.runs);
  const durationMs = LONGER * effort.seconds * 1_000;
  const what = { ...point(effort, closed(IN_FLIGHT)), runs: 1, durationMs, warmupMs: WARMUP_MS };
  const run = async (): Promise<number> => (await sitting.measure(what, () => undefined)).throughput.median;
  let isWatched = false;
  let [events, bytes, seconds] = [0, 0, 0];
  const see = async (shallBeWatched: boolean): Promise<void> => {
    if (shallBeWatched === isWatched) return;
    isWatched = shallBeWatched;
    if (shallBeWatched) {
      worker.send({ kind: 'watch' });
      await worker.next(WATCH_MS);
    } else {
      worker.send({ kind: 'leave' });
      const seen = await worker.next<Watched>(WATCH_MS);
      [events, bytes, seconds] = [events + seen.events, bytes + seen.bytes, seconds + seen.seconds];
    }
    await new Promise((resolve) => setTimeout(resolve, CHANGE_MS));
  };
  const all: { readonly without: number; readonly watched: number }[] = [];
  for (let pair = 0; pair < pairs; pair += 1) {
    // Each second pair the other way round: what comes later in a pair gains nothing by it.
    const figures = { without: 0, watched: 0 };
    for (const name of pair % 2 === 0
      ? (['without', 'watched'] as const)
      : (['watched', 'without'] as const)) {
      await see(name === 'watched');
      figures[name] = await run();
    }
    all.push(figures);
    effort.note(`  pair ${pair + 1}: ${(100 * (figures.watched / figures.without)).toFixed(1)} %`);
  }
  await see(false);
  return {
    viewers: VIEWERS,
    inFlight: IN_FLIGHT,
    pairs,
    seconds: durationMs / 1_000,
    without: summaryOf(all.map(({ without }) => without)),
    watched: summaryOf(all.map(({ watched }) => watched)),
    ratio: summaryOf(all.map(({ watched, without }) => watched / without)),
    eventsPerSecond: Math.round((events / VIEWERS / seconds) * 10) / 10,
    bytesPerSecond: Math.round(bytes / VIEWERS / seconds),
  };
}

/** Measures it. */
export function measureViewers(effort: Effort): Promise<ViewersFigures> {
  return sit(cluster({ withGateway: true }), { floor: false, raw: false }, effort, async (sitting) => {
    const url = `http://127.0.0.1:${sitting.cluster.port}`;
    const worker = new BenchChild('viewers', WORKER, [url, String(VIEWERS)]);
    try {
      return await pairsOf(sitting, worker, effort);
    } finally {
      await worker.end(END_MS);
    }
  });
}
