/**
 * Chance without a sequence: every decision is a function of (seed, site, ordinal of the decision at that site).
 * Leaving one fault out therefore does not shift any other, which is what lets a failing schedule be made smaller.
 */

/** Families of decisions; a site is a family and a number inside it (a link, a node). */
export const SITE = {
  delay: 1,
  loss: 2,
  duplicate: 3,
  tail: 4,
  disk: 5,
  trusted: 6,
  torn: 7,
  client: 8,
  block: 9,
  lag: 10,
  rot: 11,
} as const;

function mix(value: number): number {
  let x = value | 0;
  x = Math.imul(x ^ (x >>> 16), 0x21f0aaad);
  x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
  return x ^ (x >>> 15);
}

/** One yes-or-no decision that was answered yes: family, member, and the ordinal of the decision at that site. */
export interface Fired {
  readonly family: number;
  readonly member: number;
  readonly ordinal: number;
}

/** What decisions a run takes beside those of its seed. */
export interface ChanceOptions {
  /** If given, exactly these decisions are answered yes, whatever their probability (unless it is 0). */
  readonly fires?: readonly Fired[];
  /** Told every decision that is answered yes. */
  readonly onFired?: (fired: Fired) => void;
}

/** Decisions of one run. */
export class Chance {
  readonly #low: number;
  readonly #high: number;
  readonly #ordinals = new Map<number, number>();
  readonly #fires: ReadonlySet<string> | undefined;
  readonly #onFired: ((fired: Fired) => void) | undefined;

  constructor(seed: number, options: ChanceOptions = {}) {
    this.#low = mix(seed | 0);
    this.#high = mix((Math.floor(seed / 2 ** 32) | 0) ^ 0x5bd1e995);
    this.#fires = options.fires === undefined ? undefined : new Set(options.fires.map(nameOf));
    this.#onFired = options.onFired;
  }

  /** Uniform in [0, 1): the next decision of this site. `member` is below 2^16. */
  unit(family: number, member: number): number {
    const site = family * 65536 + member;
    const ordinal = this.#ordinals.get(site) ?? 0;
    this.#ordinals.set(site, ordinal + 1);
    const first = mix(this.#low ^ Math.imul(site, 0x9e3779b1));
    return (mix(first ^ Math.imul(ordinal, 0x85ebca77) ^ this.#high) >>> 0) / 2 ** 32;
  }

  /** Uniform in [low, high). */
  range(family: number, member: number, low: number, high: number): number {
    return low + this.unit(family, member) * (high - low);
  }

  /** True with the given probability. Draws nothing if it is 0, so that a fault family that is off costs nothing. */
  happens(family: number, member: number, probability: number): boolean {
    if (!(probability > 0)) return false;
    if (this.#fires === undefined && this.#onFired === undefined)
      return this.unit(family, member) < probability;
    const ordinal = this.#ordinals.get(family * 65536 + member) ?? 0;
    const drawn = this.unit(family, member) < probability;
    const fired = { family, member, ordinal };
    const happens = this.#fires === undefined ? drawn : this.#fires.has(nameOf(fired));
    if (happens) this.#onFired?.(fired);
    return happens;
  }
}

function nameOf({ family, member, ordinal }: Fired): string {
  return `${family}/${member}/${ordinal}`;
}
