/** The core workloads of YCSB, A to F, as operations of the key-value service. */
import type { MoietyClient } from '../../../client/contract.ts';
import type { Prng } from '../../../core/prng.ts';
import { recordChooser, scatter } from './generators.ts';
import type { Distribution } from './generators.ts';

/** Kinds of operations. `modify` reads a record and writes it. */
export type YcsbKind = 'read' | 'update' | 'insert' | 'scan' | 'modify';

/** One core workload. */
export interface YcsbWorkload {
  readonly name: string;
  readonly what: string;
  /** Shares of the kinds; they add up to 1. */
  readonly mix: Readonly<Partial<Record<YcsbKind, number>>>;
  readonly distribution: Distribution;
}

/** The six of them, with YCSB's shares and distributions. */
export const YCSB_WORKLOADS: readonly YcsbWorkload[] = [
  { name: 'A', what: 'update heavy', mix: { read: 0.5, update: 0.5 }, distribution: 'zipfian' },
  { name: 'B', what: 'read mostly', mix: { read: 0.95, update: 0.05 }, distribution: 'zipfian' },
  { name: 'C', what: 'read only', mix: { read: 1 }, distribution: 'zipfian' },
  { name: 'D', what: 'read latest', mix: { read: 0.95, insert: 0.05 }, distribution: 'latest' },
  { name: 'E', what: 'short ranges', mix: { scan: 0.95, insert: 0.05 }, distribution: 'zipfian' },
  { name: 'F', what: 'read-modify-write', mix: { read: 0.5, modify: 0.5 }, distribution: 'zipfian' },
];

/** The workload of that letter, upper or lower case. */
export function ycsbWorkload(name: string): YcsbWorkload | undefined {
  return YCSB_WORKLOADS.find((one) => one.name === name.toUpperCase());
}

/** Longest range of a scan; YCSB draws its length evenly from 1. */
const SCAN_MAX = 100;
const PREFIX = 'user';
const DIGITS = 10;
/** Behind every key, so that a list can begin before a key: it begins behind what is given. */
const END = '.';

/** Key of a record. Neighbours in number are scattered, as with YCSB's hashed order. */
export function ycsbKey(record: number): string {
  return `${PREFIX}${String(scatter(record)).padStart(DIGITS, '0')}${END}`;
}

/** What one process that drives a workload is made of. */
export interface YcsbOptions {
  readonly client: MoietyClient;
  readonly workload: YcsbWorkload;
  readonly distribution: Distribution;
  readonly prng: Prng;
  /** Records that are loaded before. */
  readonly records: number;
  /** Number of this process and how many there are: each inserts records of its own. */
  readonly index: number;
  readonly processes: number;
  readonly value: Uint8Array;
}

/** Makes operations. */
export class YcsbDriver {
  readonly #options: YcsbOptions;
  readonly #choose: (records: number) => number;
  readonly #mix: readonly (readonly [kind: YcsbKind, share: number])[];
  #begun = 0;
  /** Inserts of this process that have ended, the first ones without a gap. */
  #inserted = 0;
  readonly #ended = new Set<number>();

  constructor(options: YcsbOptions) {
    this.#options = options;
    this.#choose = recordChooser(options.distribution, options.prng);
    this.#mix = Object.entries(options.workload.mix) as [YcsbKind, number][];
  }

  /** Draws the kind of the next operation. */
  nextKind(): YcsbKind {
    let left = this.#options.prng.unit();
    for (const [kind, share] of this.#mix) if ((left -= share) < 0) return kind;
    return this.#mix.at(-1)![0];
  }

  /** Does one. */
  async perform(kind: YcsbKind): Promise<void> {
    const { client, value } = this.#options;
    switch (kind) {
      case 'read':
        return void (await client.get(this.#key()));
      case 'update':
        return void (await client.put(this.#key(), value));
      case 'insert':
        return this.#insert();
      case 'scan':
        return this.#scan();
      case 'modify': {
        const key = this.#key();
        const { value: before } = await client.get(key);
        const after = (before ?? value).slice();
        after[0] = ((after[0] ?? 0) + 1) & 0xff;
        return void (await client.put(key, after));
      }
    }
  }

  /** Writes this process's share of the records, `inFlight` at a time. */
  async load(inFlight: number): Promise<void> {
    const { client, records, index, processes, value } = this.#options;
    let next = index;
    const one = async (): Promise<void> => {
      while (next < records) {
        const record = next;
        next += processes;
        await client.put(Buffer.from(ycsbKey(record)), value, { timeoutMs: 60_000 });
      }
    };
    await Promise.all(Array.from({ length: inFlight }, one));
  }

  /** Number of the record that place `place` means: those loaded, then those that this process inserted. */
  #recordAt(place: number): number {
    const { records, index, processes } = this.#options;
    return place < records ? place : records + (place - records) * processes + index;
  }

  #key(): Uint8Array {
    return Buffer.from(ycsbKey(this.#recordAt(this.#choose(this.#options.records + this.#inserted))));
  }

  async #insert(): Promise<void> {
    const { client, records, value } = this.#options;
    const number = this.#begun;
    this.#begun += 1;
    await client.put(Buffer.from(ycsbKey(this.#recordAt(records + number))), value);
    this.#ended.add(number);
    while (this.#ended.delete(this.#inserted)) this.#inserted += 1;
  }

  /** A page may hold fewer than were asked for: bytes of an answer are bounded. */
  async #scan(): Promise<void> {
    let left = this.#options.prng.between(1, SCAN_MAX);
    let startAfter: Uint8Array | undefined = this.#key().subarray(0, -END.length);
    while (left > 0 && startAfter !== undefined) {
      const page: Awaited<ReturnType<MoietyClient['list']>> = await this.#options.client.list({
        prefix: Buffer.from(PREFIX),
        startAfter,
        limit: left,
      });
      left -= page.entries.length;
      startAfter = page.entries.length === 0 ? undefined : page.next;
    }
  }
}
