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

/** Bits for the number of a member inside its family. */
const MEMBER_BITS = 16;
/** Room for so many of them is made when a family is first asked: links of a small cluster. */
const MEMBERS_AT_FIRST = 16;

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

function memberOf(site: number): number {
  return site & ((1 << MEMBER_BITS) - 1);
}

/** How many decisions were taken at each site of a family. */
class Ordinals {
  #next = new Uint32Array(MEMBERS_AT_FIRST);

  /** Number of the next decision at a site. */
  at(member: number): number {
    return this.#next[member] ?? 0;
  }

  /** The same, and it is taken. */
  next(member: number): number {
    if (member >= this.#next.length) this.#grow(member);
    const ordinal = this.#next[member]!;
    this.#next[member] = ordinal + 1;
    return ordinal;
  }

  #grow(member: number): void {
    let room = this.#next.length;
    while (room <= member) room *= 4;
    const larger = new Uint32Array(room);
    larger.set(this.#next);
    this.#next = larger;
  }
}

/** Decisions of one run. */
export class Chance {
  readonly #low: number;
  readonly #high: number;
  readonly #ordinals: Ordinals[] = [];
  readonly #fires: ReadonlySet<string> | undefined;
  readonly #onFired: ((fired: Fired) => void) | undefined;

  constructor(seed: number, options: ChanceOptions = {}) {
    this.#low = mix(seed | 0);
    this.#high = mix((Math.floor(seed / 2 ** 32) | 0) ^ 0x5bd1e995);
    this.#fires = options.fires === undefined ? undefined : new Set(options.fires.map(nameOf));
    this.#onFired = options.onFired;
  }

  /** Uniform in [0, 1): the next decision of this site. `member` is below 2^16, or nearly so. */
  unit(family: number, member: number): number {
    const site = (family << MEMBER_BITS) + member;
    const ordinal = this.#ordinalsOf(site).next(memberOf(site));
    const first = mix(this.#low ^ Math.imul(site, 0x9e3779b1));
    return (mix(first ^ Math.imul(ordinal, 0x85ebca77) ^ this.#high) >>> 0) / 2 ** 32;
  }

  /** Links of a very large cluster reach into the sites of the next families: they share numbers with them. */
  #ordinalsOf(site: number): Ordinals {
    const row = site >>> MEMBER_BITS;
    while (row >= this.#ordinals.length) this.#ordinals.push(new Ordinals());
    return this.#ordinals[row]!;
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
    const site = (family << MEMBER_BITS) + member;
    const ordinal = this.#ordinalsOf(site).at(memberOf(site));
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
