/**
 * Changes one field of a message without knowing what it means: a number by one, a digest to another one that was seen,
 * an element of a list dropped, doubled or moved. The rest is shared with the original, which stays as it is.
 */
import type { Prng } from '../../core/prng.ts';

/** Strings of at least so many characters are names of things (digests, epochs), not words of the codec. */
const NAME_LENGTH = 16;
/** Names that are remembered, of each length. */
const NAMES_MAX = 64;
/** Tries until something changed. */
const TRIES = 6;

type Plain = Readonly<Record<string, unknown>>;

/** Names that were seen in messages: what a liar puts in the place of another. */
export class SeenNames {
  readonly #random: Prng;
  readonly #byLength = new Map<number, string[]>();

  constructor(random: Prng) {
    this.#random = random;
  }

  /** Remembers the names of a message, nested ones included. */
  note(value: unknown, depth = 0): void {
    if (typeof value === 'string') this.#remember(value);
    else if (typeof value === 'object' && value !== null && !(value instanceof Uint8Array) && depth < 4)
      for (const inner of Object.values(value)) this.note(inner, depth + 1);
  }

  #remember(name: string): void {
    if (name.length < NAME_LENGTH) return;
    const known = this.#byLength.get(name.length) ?? [];
    this.#byLength.set(name.length, known);
    if (known.includes(name)) return;
    if (known.length < NAMES_MAX) known.push(name);
    else known[this.#random.between(0, NAMES_MAX - 1)] = name;
  }

  /** Another name of that kind. */
  other(name: string): string {
    const known = this.#byLength.get(name.length) ?? [];
    if (known.length > 0 && this.#random.chance(0.7)) return this.#random.pick(known);
    return (name.startsWith('0') ? '1' : '0') + name.slice(1);
  }
}

/** A copy with one change; the same object if nothing could be changed. */
export function altered<T extends object>(message: T, random: Prng, names: SeenNames): T {
  for (let attempt = 0; attempt < TRIES; attempt += 1) {
    const changed = change(message, random, names);
    if (changed !== message) return changed as T;
  }
  return message;
}

function change(value: unknown, random: Prng, names: SeenNames): unknown {
  if (typeof value === 'number') return changedNumber(value, random);
  if (typeof value === 'boolean') return !value;
  if (typeof value === 'string') return value.length < NAME_LENGTH ? value : names.other(value);
  if (value instanceof Uint8Array) return changedBytes(value, random);
  if (Array.isArray(value)) return changedList(value, random, names);
  if (typeof value === 'object' && value !== null) return changedRecord(value as Plain, random, names);
  return value;
}

function changedNumber(value: number, random: Prng): number {
  const step = random.pick([-1, 1, 1, -2, 2, 8]);
  return random.chance(0.1) ? 0 : Math.max(0, value + step);
}

function changedBytes(bytes: Uint8Array, random: Prng): Uint8Array {
  if (bytes.length === 0 || random.chance(0.1)) return new Uint8Array(0);
  const copy = bytes.slice();
  const at = random.between(0, copy.length - 1);
  copy[at] = copy[at]! ^ (1 + random.between(0, 254));
  return copy;
}

function changedList(list: readonly unknown[], random: Prng, names: SeenNames): unknown {
  if (list.length === 0) return list;
  const at = random.between(0, list.length - 1);
  const copy = [...list];
  switch (random.between(0, 6)) {
    case 0:
      copy.splice(at, 1);
      return copy;
    case 1:
      copy.splice(at, 0, list[at]);
      return copy;
    case 2:
      copy.push(...copy.splice(at, 1));
      return copy;
    default:
      copy[at] = change(list[at], random, names);
      return copy[at] === list[at] ? list : copy;
  }
}

function changedRecord(record: Plain, random: Prng, names: SeenNames): unknown {
  const keys = Object.keys(record);
  if (keys.length === 0) return record;
  const key = random.pick(keys);
  const inner = change(record[key], random, names);
  return inner === record[key] ? record : { ...record, [key]: inner };
}
