/**
 * Latencies in an HDR histogram (docs/decisions/0016): every one of a run is counted, with three digits, from one
 * microsecond to one hour; mergeable across processes.
 */
import { build, decodeFromCompressedBase64, encodeIntoCompressedBase64 } from 'hdr-histogram-js';
import type { Histogram } from 'hdr-histogram-js';

const MICROSECONDS_MAX = 3_600_000_000;
const DIGITS = 3;

function empty(): Histogram {
  return build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: MICROSECONDS_MAX,
    numberOfSignificantValueDigits: DIGITS,
    bitBucketSize: 64,
  });
}

/** See the top of this file. */
export class Latencies {
  readonly #histogram: Histogram = empty();

  /** Adds `count` operations that took so long, in milliseconds. */
  add(ms: number, count = 1): void {
    const microseconds = Math.min(MICROSECONDS_MAX, Math.max(1, Math.round(ms * 1000)));
    this.#histogram.recordValueWithCount(microseconds, count);
  }

  get total(): number {
    return this.#histogram.totalCount;
  }

  get maxMs(): number {
    return this.total === 0 ? 0 : this.#histogram.maxValue / 1000;
  }

  /** Latency that the given share (0 to 1) of all does not exceed, in milliseconds; 0 if there is none. */
  quantile(share: number): number {
    return this.total === 0 ? 0 : this.#histogram.getValueAtPercentile(share * 100) / 1000;
  }

  /** Adds those of another process, as `toJSON` gave them. */
  merge(encoded: string): void {
    this.#histogram.add(decodeFromCompressedBase64(encoded, 64));
  }

  /** The compressed form that every port of HdrHistogram reads. */
  toJSON(): string {
    return encodeIntoCompressedBase64(this.#histogram);
  }
}
