/**
 * From txId to the number of the transaction in the ledger (decision record 0018). Transactions come in the order of
 * their numbers, so a file of *runs* does: each run covers the next 65,536 numbers and holds, sorted, the first 48 bits of
 * each txId with the place in the run. A txId is as good as random, so where a fingerprint stands in its run is known
 * before it is read, give or take a page. What is not a whole run yet is in memory, and comes back from the blocks.
 *
 * The index says where a transaction may be; whoever asks looks whether it is there. Nothing in it is ever lost for good:
 * what is damaged, or was never synced, is made again from the blocks.
 */
import { createHash } from 'node:crypto';
import path from 'node:path';
import { equalBytes, putHex } from '../core/bytes.ts';
import type { Digest } from '../core/types.ts';
import type { Disk, DiskFile } from './disk.ts';
import { diskFailureSentence } from './disk.ts';

const FILE_NAME = 'transactions.idx';
const HEAD_BYTES = 64;
/** Read as numbers of this machine: on one with another order of bytes the index is made anew. */
const MAGIC = Uint32Array.of(0x4d584931, 1);
/** Numbers of one run: its places fit into 16 bits. */
const RUN_SIZE = 1 << 16;
const ENTRY_BYTES = 8;
const CHECK_BYTES = 16;
/** Entries that are read at once around the place where one is expected: a page. */
const PAGE_ENTRIES = 512;
const HEX_DIGITS = /^[0-9a-f]{64}$/;

/** What the index needs. */
export interface TransactionIndexOptions {
  readonly disk: Disk;
  readonly folder: string;
  readonly onFatal: (sentence: string) => void;
  /** Transactions above `count` are to be added again: a run was damaged. */
  readonly onShort: () => void;
  /** For tests: a power of two, at most 65,536. */
  readonly runSize?: number;
}

/** The first six bytes of a txId, for one call. */
const fingerprint = new Uint8Array(6);
const fingerprintView = new DataView(fingerprint.buffer);

/** Reads a txId's fingerprint, its first 48 bits: upper 32 and lower 16 are then in `fingerprintView`. */
function readFingerprint(id: Digest): void {
  putHex(fingerprint, 0, id.slice(0, 12));
}

function checkOf(run: number, entries: Uint8Array): Uint8Array {
  return createHash('sha256').update(`run ${run}`).update(entries).digest().subarray(0, CHECK_BYTES);
}

/** Whether this is so on a machine whose lowest byte of a number comes first. */
const LOW_FIRST = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1;
const HIGH = LOW_FIRST ? 1 : 0;
const LOW = 1 - HIGH;

/** See the top of this file. */
export class TransactionIndex {
  readonly #options: TransactionIndexOptions;
  readonly #file: DiskFile;
  readonly #runSize: number;
  /** Runs in the file. */
  #runs: number;
  /** Runs that were read whole and found to be as they were written. */
  readonly #checked = new Set<number>();
  /** Full runs that are being written, by number. */
  readonly #writing = new Map<number, BigUint64Array<ArrayBuffer>>();
  #live: Uint32Array<ArrayBuffer>;
  #liveCount = 0;
  #written: Promise<void> = Promise.resolve();
  #failed = false;

  private constructor(options: TransactionIndexOptions, file: DiskFile, runs: number) {
    this.#options = options;
    this.#runSize = options.runSize ?? RUN_SIZE;
    this.#file = file;
    this.#runs = runs;
    this.#live = new Uint32Array(2 * this.#runSize);
  }

  /** Opens the index of a folder, or makes one. Rejects with the system's error. */
  static async open(options: TransactionIndexOptions): Promise<TransactionIndex> {
    const { disk, folder, runSize = RUN_SIZE } = options;
    const file = await disk.open(path.join(folder, FILE_NAME));
    const head = new Uint8Array(HEAD_BYTES);
    head.set(new Uint8Array(MAGIC.buffer));
    const found = file.readNow(0, HEAD_BYTES);
    const isOurs = found.length === HEAD_BYTES && found.every((byte, index) => byte === head[index]);
    if (!isOurs) {
      await file.truncate(0);
      await file.write(head, 0);
    }
    const runs = Math.floor((file.size() - HEAD_BYTES) / (runSize * ENTRY_BYTES + CHECK_BYTES));
    return new TransactionIndex(options, file, Math.max(0, runs));
  }

  /** Transactions 1 to this number are in the index. */
  get count(): number {
    return (this.#runs + this.#writing.size) * this.#runSize + this.#liveCount;
  }

  /** Takes the txIds of consecutive transactions, the first of which has this number; those after a gap are left out. */
  add(firstNumber: number, transactions: readonly { readonly id: Digest }[]): void {
    if (this.#failed || firstNumber > this.count + 1) return;
    for (let index = this.count + 1 - firstNumber; index < transactions.length; index += 1) {
      readFingerprint(transactions[index]!.id);
      const high = fingerprintView.getUint32(0);
      const low = fingerprintView.getUint16(4);
      const at = 2 * this.#liveCount;
      this.#live[at + HIGH] = high;
      this.#live[at + LOW] = low * RUN_SIZE + this.#liveCount;
      this.#liveCount += 1;
      if (this.#liveCount === this.#runSize) this.#closeRun();
    }
  }

  #closeRun(): void {
    const run = this.#runs + this.#writing.size;
    const entries = new BigUint64Array(this.#live.buffer).sort();
    this.#writing.set(run, entries);
    this.#live = new Uint32Array(2 * this.#runSize);
    this.#liveCount = 0;
    this.#written = this.#written.then(() => this.#write(run, entries)).catch((error) => this.#fail(error));
  }

  async #write(run: number, entries: BigUint64Array<ArrayBuffer>): Promise<void> {
    if (this.#writing.get(run) !== entries) return;
    const bytes = new Uint8Array(entries.buffer);
    const whole = new Uint8Array(bytes.length + CHECK_BYTES);
    whole.set(bytes);
    whole.set(checkOf(run, bytes), bytes.length);
    await this.#file.write(whole, this.#positionOf(run));
    if (this.#writing.get(run) !== entries) return;
    this.#writing.delete(run);
    this.#checked.add(run);
    this.#runs = run + 1;
  }

  #positionOf(run: number): number {
    return HEAD_BYTES + run * (this.#runSize * ENTRY_BYTES + CHECK_BYTES);
  }

  /** Transactions above this number are gone. What is left out of a run must be added again: see `count`. */
  truncate(count: number): void {
    if (count >= this.count) return;
    const inRuns = (this.#runs + this.#writing.size) * this.#runSize;
    if (count >= inRuns) {
      this.#liveCount = count - inRuns;
      return;
    }
    this.#dropFrom(Math.floor(count / this.#runSize));
  }

  /** Forgets this run and all after it. */
  #dropFrom(run: number): void {
    const isUnderWay = this.#writing.size > 0;
    for (const known of this.#writing.keys()) if (known >= run) this.#writing.delete(known);
    for (const known of this.#checked) if (known >= run) this.#checked.delete(known);
    this.#liveCount = 0;
    // A run that is being written must not be found in the file at the next start either.
    if (run >= this.#runs && !isUnderWay) return;
    this.#runs = Math.min(this.#runs, run);
    this.#written = this.#written
      .then(() => this.#file.truncate(this.#positionOf(run)))
      .catch((error) => this.#fail(error));
  }

  /** Numbers that the transaction may have, the newest first; nearly always one or none. */
  find(id: Digest): number[] {
    if (!HEX_DIGITS.test(id)) return [];
    readFingerprint(id);
    const high = fingerprintView.getUint32(0);
    const low = fingerprintView.getUint16(4);
    const wanted = (BigInt(high) << 16n) | BigInt(low);
    const numbers: number[] = [];
    const inRuns = (this.#runs + this.#writing.size) * this.#runSize;
    for (let index = this.#liveCount - 1; index >= 0; index -= 1)
      if (this.#live[2 * index + HIGH] === high && this.#live[2 * index + LOW]! >>> 16 === low)
        numbers.push(inRuns + index + 1);
    for (let run = this.#runs + this.#writing.size - 1; run >= 0; run -= 1) {
      const found = this.#findIn(run, wanted);
      if (found === undefined) {
        // Damaged: made again from the blocks, with all that come after it.
        this.#dropFrom(run);
        this.#options.onShort();
      }
      for (const place of found?.reverse() ?? []) numbers.push(run * this.#runSize + place + 1);
    }
    return numbers;
  }

  /** Places in a run, ascending; undefined if it is damaged. */
  #findIn(run: number, wanted: bigint): number[] | undefined {
    const writing = this.#writing.get(run);
    if (writing !== undefined) return placesOf(writing, wanted);
    if (!this.#checked.has(run)) return this.#checkAndFind(run, wanted);
    const last = Math.max(0, this.#runSize - PAGE_ENTRIES);
    const expected = Number((wanted * BigInt(this.#runSize)) >> 48n);
    let from = Math.min(last, Math.max(0, expected - PAGE_ENTRIES / 2));
    // Where chance has it farther away, the next page is read.
    for (;;) {
      const page = this.#read(run, from, Math.min(PAGE_ENTRIES, this.#runSize));
      if (page === undefined) return undefined;
      if (page[0]! >> 16n >= wanted && from > 0) from = Math.max(0, from - PAGE_ENTRIES + 1);
      else if (page.at(-1)! >> 16n < wanted && from < last) from = Math.min(last, from + PAGE_ENTRIES);
      else return placesOf(page, wanted);
    }
  }

  #checkAndFind(run: number, wanted: bigint): number[] | undefined {
    const bytes = this.#file.readNow(this.#positionOf(run), this.#runSize * ENTRY_BYTES + CHECK_BYTES);
    const entries = bytes.slice(0, this.#runSize * ENTRY_BYTES);
    if (!equalBytes(bytes.subarray(entries.length), checkOf(run, entries))) return undefined;
    this.#checked.add(run);
    return placesOf(new BigUint64Array(entries.buffer), wanted);
  }

  /** Entries of a run; undefined if the file ends before them. */
  #read(run: number, from: number, count: number): BigUint64Array | undefined {
    const bytes = this.#file.readNow(this.#positionOf(run) + from * ENTRY_BYTES, count * ENTRY_BYTES);
    return bytes.length === count * ENTRY_BYTES ? new BigUint64Array(bytes.slice().buffer) : undefined;
  }

  #fail(error: unknown): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#options.onFatal(diskFailureSentence('Writing the transaction index', this.#options.folder, error));
  }

  /** Finishes what is being written, then closes. */
  async close(): Promise<void> {
    await this.#written;
    await this.#file.close();
  }
}

/** Places of the entries with this fingerprint, in sorted entries. */
function placesOf(entries: BigUint64Array, wanted: bigint): number[] {
  let from = 0;
  let to = entries.length;
  while (from < to) {
    const middle = (from + to) >>> 1;
    if (entries[middle]! >> 16n < wanted) from = middle + 1;
    else to = middle;
  }
  const places: number[] = [];
  for (; from < entries.length && entries[from]! >> 16n === wanted; from += 1)
    places.push(Number(entries[from]! & 0xffffn));
  return places;
}
