/**
 * Bounded memory (`bounds`, check R1): what a replica keeps, by number and by bytes, against bounds that follow from the
 * limits of the cluster and from how far it has come, never from how long it has run.
 */
import { PENDING_LIMITS } from '../../smr/pending-requests.ts';
import { EARLY_BYTES_MAX } from '../../smr/usig-replica/state.ts';
import type { ReplicaState } from '../../smr/usig-replica/state.ts';
import type { Bench } from './bench.ts';

/** What is measured: a name, how much there is, how much there may be. */
export type Measure = readonly [name: string, value: number, bound: number];

/** Bytes of an entry of a stream beside what grows with the number of replicas. */
const ENTRY_BYTES = 1024;

/** See the top of this file. */
export class BoundsJudge {
  readonly #bench: Bench;

  constructor(bench: Bench) {
    this.#bench = bench;
  }

  onLook(s: ReplicaState): void {
    for (const [name, value, bound] of measuresOf(s)) this.judge(s.self, name, value, bound);
  }

  /** Objects if a measure is above its bound. */
  judge(replica: number, name: string, value: number, bound: number): void {
    if (value > bound)
      this.#bench.report('bounds', `replica ${replica} keeps ${value} ${name}, more than ${bound}`);
  }
}

/** Everything of a replica that grows. */
function measuresOf(s: ReplicaState): Measure[] {
  const { window, n, limits } = s;
  // Each view costs an entry or two as long as no checkpoint becomes stable.
  const views = 4 * (Math.max(s.view, s.target) + 1);
  const entries = 64 + 16 * window + views;
  const batches = 64 + 12 * window + views;
  const bodies = s.bodies.sizes();
  const measures: Measure[] = [
    ['waiting bundles', s.pending.size, PENDING_LIMITS.bundlesMax],
    ['bytes of waiting bundles', s.pending.bytes, PENDING_LIMITS.bytesMax],
    ['batch bodies', bodies.bodies, batches * n],
    ['bytes of batch bodies', bodies.bytes, batches * n * limits.batchBytesMax],
    ['stored batch bodies', bodies.durable, batches * n],
    ['boundaries', s.boundaries.size, 4 + 4 * limits.pipelineFactor],
    ['NEW-VIEWs', s.knowledge.newViews.all().length, 4 * (64 + n)],
    ['views', s.groups.all().length, 256 + 1],
  ];
  for (const [author, { log, buffer }] of s.slots.entries()) {
    let bytes = 0;
    for (const { item } of log.from(log.first)) bytes += 'bytes' in item ? item.bytes.length : 0;
    measures.push(
      [`entries of the stream of ${author}`, log.length, entries],
      [`bytes of the stream of ${author}`, bytes, entries * n * ENTRY_BYTES * (1 + views)],
      [`early messages of ${author}`, buffer.size, 4 * window + 64],
      [`bytes of early messages of ${author}`, buffer.size > 1 ? buffer.bytes : 0, EARLY_BYTES_MAX],
    );
  }
  return measures;
}
