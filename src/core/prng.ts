/** Seeded generator (sfc32). All chance in pure folders comes from one of these, whose state is part of the run. */
export class Prng {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  /** The same seed gives the same sequence, on every machine. `seed` is a safe integer >= 0. */
  constructor(seed: number) {
    this.#a = 0x9e3779b9 ^ (seed | 0);
    this.#b = 0x243f6a88 ^ (Math.floor(seed / 2 ** 32) | 0);
    this.#c = 0xb7e15162;
    for (let round = 0; round < 15; round += 1) this.u32();
  }

  /** Uniform in [0, 2^32). */
  u32(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum;
    this.#c |= 0;
    return sum >>> 0;
  }

  /** Uniform in [0, 1). */
  unit(): number {
    return this.u32() / 2 ** 32;
  }

  /** Uniform integer in [low, high], both included. */
  between(low: number, high: number): number {
    return low + Math.floor(this.unit() * (high - low + 1));
  }

  /** True with the given probability. */
  chance(probability: number): boolean {
    return this.unit() < probability;
  }

  /** One of the items; the list must not be empty. */
  pick<T>(items: readonly T[]): T {
    return items[this.between(0, items.length - 1)]!;
  }

  /** A generator of its own, so that one consumer's draws do not shift another's. */
  fork(): Prng {
    return new Prng(this.u32() * 2 ** 21 + (this.u32() >>> 11));
  }
}
