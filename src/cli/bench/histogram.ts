/** Latencies in logarithmic buckets: fixed memory, one percent of width, mergeable across processes. */

const RATIO = 1.01;
const LOG_RATIO = Math.log(RATIO);
/** From one microsecond to a little over two minutes. */
const BUCKETS = 1_900;

/** See the top of this file. */
export class Histogram {
  readonly #counts: Float64Array;
  #total = 0;
  #max = 0;

  constructor(counts?: readonly number[], max = 0) {
    this.#counts = new Float64Array(BUCKETS);
    for (const [index, count] of (counts ?? []).slice(0, BUCKETS).entries()) {
      this.#counts[index] = count;
      this.#total += count;
    }
    this.#max = max;
  }

  /** Adds one latency. */
  add(ms: number): void {
    const bucket = Math.floor(Math.log(Math.max(1, ms * 1000)) / LOG_RATIO);
    this.#counts[Math.min(BUCKETS - 1, bucket)]! += 1;
    this.#total += 1;
    if (ms > this.#max) this.#max = ms;
  }

  get total(): number {
    return this.#total;
  }

  get maxMs(): number {
    return this.#max;
  }

  /** Latency that the given share (0 to 1) of all does not exceed, in milliseconds, never above `maxMs`; 0 if there is none. */
  quantile(share: number): number {
    let left = share * this.#total;
    for (let bucket = 0; bucket < BUCKETS; bucket += 1) {
      left -= this.#counts[bucket]!;
      if (left <= 0 && this.#total > 0) return Math.min(this.#max, RATIO ** (bucket + 0.5) / 1000);
    }
    return this.#max;
  }

  /** Adds another one. */
  merge(other: Histogram): void {
    const counts = other.toJSON();
    for (let bucket = 0; bucket < BUCKETS; bucket += 1) this.#counts[bucket]! += counts.counts[bucket] ?? 0;
    this.#total += other.total;
    this.#max = Math.max(this.#max, other.maxMs);
  }

  /** For the channel between processes. */
  toJSON(): { readonly counts: readonly number[]; readonly max: number } {
    return { counts: [...this.#counts], max: this.#max };
  }
}
