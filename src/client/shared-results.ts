/**
 * Lists of results that replicas of a cluster say alike, decoded once: the second and third replica's reply gives the very
 * objects of the first. A list that all have said is forgotten: what lives for long costs the garbage collector most.
 * Bounded; what is forgotten is decoded again.
 */
import { readResults } from '../core/client-wire.ts';
import type { WireResult } from '../core/client-wire.ts';

/** Lists that are remembered, at most. */
const LISTS_MAX = 256;
/** Bytes of them, at most. */
const BYTES_MAX = 4 * 1024 * 1024;
/** Count and the first request number. */
const HEAD_BYTES = 12;

const NOTHING = new Uint8Array(0);

interface KnownList {
  readonly name: string;
  bytes: Uint8Array;
  results: readonly WireResult[];
  /** How often it will probably be said again. */
  awaited: number;
}

/** See the top of this file. */
export class SharedResults {
  /** By length and head; a list that says otherwise under the same name takes the place of the older one. */
  readonly #known = new Map<string, KnownList>();
  readonly #replicas: number;
  #bytes = 0;

  /** `replicas`: how many there are. */
  constructor(replicas: number) {
    this.#replicas = replicas;
  }

  /** Lists that are remembered. */
  get size(): number {
    return this.#known.size;
  }

  /** Reads the results of a reply; undefined unless canonical and bounded. They do not depend on `bytes` any more. */
  readonly read = (bytes: Uint8Array): readonly WireResult[] | undefined => {
    const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, HEAD_BYTES));
    const name = `${bytes.length} ${head.toString('latin1')}`;
    const known = this.#known.get(name);
    if (known !== undefined && Buffer.compare(known.bytes, bytes) === 0) {
      const { results } = known;
      known.awaited -= 1;
      if (known.awaited === 0) this.#forget(known);
      return results;
    }
    const copy = new Uint8Array(bytes);
    const results = readResults(copy);
    if (results === undefined || results.length === 0 || this.#replicas < 2) return results;
    this.#remember({ name, bytes: copy, results, awaited: this.#replicas - 1 });
    return results;
  };

  #remember(list: KnownList): void {
    this.#forget(this.#known.get(list.name));
    this.#known.set(list.name, list);
    this.#bytes += list.bytes.length;
    for (const oldest of this.#known.values()) {
      if (this.#known.size <= LISTS_MAX && this.#bytes <= BYTES_MAX) break;
      this.#forget(oldest);
    }
  }

  #forget(list: KnownList | undefined): void {
    if (list === undefined) return;
    this.#known.delete(list.name);
    this.#bytes -= list.bytes.length;
    // As in `TrackedBundles.delete`: a Map may be the last one that holds it.
    list.bytes = NOTHING;
    list.results = [];
  }
}
