/** Token buckets, one for each remote address; bounded memory. Pure: the clock is an argument. */

/** Addresses that are remembered; the one that was used least recently goes first. */
const REMOTES_MAX = 10_000;

interface Bucket {
  tokens: number;
  atMs: number;
}

/** See the top of this file. */
export class RateLimiter {
  readonly #perSecond: number;
  readonly #burst: number;
  readonly #buckets = new Map<string, Bucket>();

  /** `perSecond` requests on average, `burst` at once. */
  constructor(perSecond: number, burst: number) {
    this.#perSecond = perSecond;
    this.#burst = burst;
  }

  /** Addresses that are remembered. */
  get size(): number {
    return this.#buckets.size;
  }

  /** 0 if the request may go on, else milliseconds until it may. */
  take(remote: string, nowMs: number): number {
    const known = this.#buckets.get(remote);
    const bucket = known ?? { tokens: this.#burst, atMs: nowMs };
    // Moved to the end: insertion order is order of use.
    if (known !== undefined) this.#buckets.delete(remote);
    this.#buckets.set(remote, bucket);
    if (this.#buckets.size > REMOTES_MAX) this.#buckets.delete(this.#buckets.keys().next().value!);
    const gained = (Math.max(0, nowMs - bucket.atMs) / 1000) * this.#perSecond;
    bucket.tokens = Math.min(this.#burst, bucket.tokens + gained);
    bucket.atMs = nowMs;
    if (bucket.tokens < 1) return Math.ceil(((1 - bucket.tokens) / this.#perSecond) * 1000);
    bucket.tokens -= 1;
    return 0;
  }
}
