/**
 * Which record an operation of YCSB is about (Cooper et al., SoCC 2010): uniform, zipfian with popular records scattered
 * over all, and latest. The zipfian draw is that of Gray et al. (SIGMOD 1994), with YCSB's constant.
 */
import type { Prng } from '../../../core/prng.ts';

/** YCSB's: the most popular of a million records has about 7 % of the requests. */
const THETA = 0.99;

/** The sum of 1 / i^theta for i above `from` up to `to`, added to `sum`. */
function zeta(from: number, to: number, sum: number): number {
  let total = sum;
  for (let index = from + 1; index <= to; index += 1) total += index ** -THETA;
  return total;
}

/** Draws ranks: 0 is the most popular. The number of items may grow between draws. */
export class Zipfian {
  readonly #prng: Prng;
  readonly #zeta2 = zeta(0, 2, 0);
  #items = 0;
  #zetaN = 0;
  #eta = 0;

  constructor(prng: Prng) {
    this.#prng = prng;
  }

  /** A rank in [0, items). Items are never fewer than in the draw before, and at least one. */
  next(items: number): number {
    if (items > this.#items) this.#grow(items);
    const u = this.#prng.unit();
    const uz = u * this.#zetaN;
    if (uz < 1) return 0;
    if (uz < this.#zeta2) return Math.min(1, items - 1);
    const rank = Math.floor(items * (this.#eta * u - this.#eta + 1) ** (1 / (1 - THETA)));
    return Math.min(items - 1, rank);
  }

  #grow(items: number): void {
    this.#zetaN = zeta(this.#items, items, this.#zetaN);
    this.#items = items;
    this.#eta = items <= 2 ? 0 : (1 - (2 / items) ** (1 - THETA)) / (1 - this.#zeta2 / this.#zetaN);
  }
}

/** Spreads numbers over 32 bits, one to one (the finaliser of MurmurHash3). */
export function scatter(number: number): number {
  let bits = number | 0;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}

/** Distributions of the core workloads. */
export const DISTRIBUTIONS = ['zipfian', 'latest', 'uniform'] as const;
/** One of them. */
export type Distribution = (typeof DISTRIBUTIONS)[number];

/** Draws a record out of [0, records), where `records` may grow. */
export function recordChooser(distribution: Distribution, prng: Prng): (records: number) => number {
  const zipfian = new Zipfian(prng);
  switch (distribution) {
    case 'uniform':
      return (records) => prng.between(0, records - 1);
    case 'latest':
      return (records) => records - 1 - zipfian.next(records);
    case 'zipfian':
      return (records) => scatter(zipfian.next(records)) % records;
  }
}
