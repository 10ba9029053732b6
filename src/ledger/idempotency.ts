/**
 * Idempotency keys (decision C5): the same key of the same organisation is executed once within a stated number of
 * blocks, whatever session or gateway it comes through. Entries form a queue by height, so that expiry is exact and a
 * checkpoint encodes only the chunks at the queue's two ends.
 */
import { assert } from '../core/assert.ts';
import { bytesToHex, equalBytes } from '../core/bytes.ts';
import { EMPTY_LIST, Reader, Writer } from '../core/codec.ts';
import { UndoLog } from '../core/undo-log.ts';
import type { Digest, Height, SequenceNumber } from '../core/types.ts';
import { IDEMPOTENCY_KEY_BYTES_MAX } from './operation.ts';
import { isOrganisationName, ORGANISATION_LENGTH_MAX } from './transaction.ts';

/** A key first executed in block h is recognised in every block up to h + IDEMPOTENCY_BLOCKS. */
export const IDEMPOTENCY_BLOCKS = 10_000;
/** Entries of one chunk, at most. */
export const IDEMPOTENCY_CHUNK_ENTRIES = 1024;
/** Chunks of the state tree that hold the queue. */
export const IDEMPOTENCY_CHUNKS = 256;
/** Keys remembered at a time, at most; one chunk less than there are, so that no chunk holds both ends. */
export const IDEMPOTENCY_ENTRIES_MAX = (IDEMPOTENCY_CHUNKS - 1) * IDEMPOTENCY_CHUNK_ENTRIES;
/** Result bytes kept for a key, at most. */
export const IDEMPOTENCY_RESULT_BYTES_MAX = 512;

/** The first execution under a key. */
export interface IdempotencyEntry {
  readonly organisation: string;
  readonly key: Uint8Array;
  /** Digest of the service's operation: the key must not be used for another one. */
  readonly operationDigest: Uint8Array;
  readonly txId: Digest;
  readonly sequence: SequenceNumber;
  readonly height: Height;
  /** undefined if it was longer than `IDEMPOTENCY_RESULT_BYTES_MAX`. */
  readonly result: Uint8Array | undefined;
}

function nameOf(organisation: string, key: Uint8Array): string {
  return `${organisation} ${bytesToHex(key)}`;
}

function writeEntry(writer: Writer, entry: IdempotencyEntry): void {
  writer.ascii(entry.organisation).bytes(entry.key).raw(entry.operationDigest).digest(entry.txId);
  writer
    .u64(entry.sequence)
    .u64(entry.height)
    .option(entry.result, (w, result) => w.bytes(result));
}

function readEntry(reader: Reader): IdempotencyEntry {
  const organisation = reader.ascii(ORGANISATION_LENGTH_MAX);
  const key = reader.bytes(IDEMPOTENCY_KEY_BYTES_MAX).slice();
  if (key.length === 0 || !isOrganisationName(organisation)) reader.fail();
  const operationDigest = reader.raw(32).slice();
  const txId = reader.digest();
  const sequence = reader.u64();
  const height = reader.u64();
  const result = reader.option((r) => r.bytes(IDEMPOTENCY_RESULT_BYTES_MAX).slice());
  return { organisation, key, operationDigest, txId, sequence, height, result };
}

/** The queue of remembered keys. Entries have places head, head + 1, … tail - 1, ever growing. */
export class IdempotencyQueue {
  readonly #entries = new Map<number, IdempotencyEntry>();
  readonly #places = new Map<string, number>();
  readonly #changed = new Uint8Array(IDEMPOTENCY_CHUNKS).fill(1);
  readonly #undo: UndoLog;
  #head = 0;
  #tail = 0;

  /** What changes while `undo` records can be taken back with it. */
  constructor(undo = new UndoLog()) {
    this.#undo = undo;
  }

  /** Place of the oldest remembered key. */
  get head(): number {
    return this.#head;
  }

  /** Place that the next key will have. */
  get tail(): number {
    return this.#tail;
  }

  get hasRoom(): boolean {
    return this.#tail - this.#head < IDEMPOTENCY_ENTRIES_MAX;
  }

  /** What was executed first under this key, if it is remembered. */
  find(organisation: string, key: Uint8Array): IdempotencyEntry | undefined {
    const place = this.#places.get(nameOf(organisation, key));
    return place === undefined ? undefined : this.#entries.get(place);
  }

  /** Remembers a key that is not remembered yet; heights never descend. */
  add(entry: IdempotencyEntry): void {
    assert(this.hasRoom, 'there is room for one more idempotency key');
    const [place, kept] = [this.#tail, { ...entry, key: entry.key.slice() }];
    this.#touch(place);
    this.#undo.note(() => {
      this.#drop(place, kept);
      this.#tail -= 1;
    });
    this.#put(place, kept);
    this.#tail += 1;
  }

  #put(place: number, entry: IdempotencyEntry): void {
    this.#entries.set(place, entry);
    this.#places.set(nameOf(entry.organisation, entry.key), place);
  }

  #drop(place: number, entry: IdempotencyEntry): void {
    this.#entries.delete(place);
    this.#places.delete(nameOf(entry.organisation, entry.key));
  }

  /** The chunk of this place changes; taken back, it counts as changed, too. */
  #touch(place: number): void {
    this.#changed[chunkOf(place)] = 1;
  }

  /** Before a block of this height: forgets what is older than `IDEMPOTENCY_BLOCKS`. */
  expire(height: Height): void {
    while (this.#head < this.#tail) {
      const place = this.#head;
      const entry = this.#entries.get(place)!;
      if (entry.height + IDEMPOTENCY_BLOCKS >= height) return;
      this.#touch(place);
      this.#undo.note(() => {
        this.#put(place, entry);
        this.#head = place;
      });
      this.#drop(place, entry);
      this.#head += 1;
    }
  }

  /** Chunks that changed since the last call, ascending. */
  takeChanged(): number[] {
    const chunks: number[] = [];
    for (let chunk = 0; chunk < IDEMPOTENCY_CHUNKS; chunk += 1)
      if (this.#changed[chunk] === 1) chunks.push(chunk);
    this.#undo.note(() => chunks.forEach((chunk) => (this.#changed[chunk] = 1)));
    this.#changed.fill(0);
    return chunks;
  }

  /** Canonical bytes of one chunk: its entries in the order of their places. */
  encodeChunk(chunk: number): Uint8Array {
    const { first, end } = placesOf(chunk, this.#head, this.#tail);
    if (first === end) return EMPTY_LIST;
    const entries: IdempotencyEntry[] = [];
    for (let place = first; place < end; place += 1) entries.push(this.#entries.get(place)!);
    return new Writer(64 + 256 * entries.length).list(entries, writeEntry).finish();
  }

  /** Replaces everything by chunks that `encodeChunk` gave; false unless they are canonical. */
  decode(head: number, tail: number, chunk: (index: number) => Uint8Array): boolean {
    if (head > tail || tail - head > IDEMPOTENCY_ENTRIES_MAX) return false;
    this.#entries.clear();
    this.#places.clear();
    this.#changed.fill(1);
    this.#head = head;
    this.#tail = tail;
    for (let index = 0; index < IDEMPOTENCY_CHUNKS; index += 1) {
      const reader = new Reader(chunk(index));
      const entries = reader.list(IDEMPOTENCY_CHUNK_ENTRIES, readEntry);
      const { first, end } = placesOf(index, head, tail);
      if (!reader.done() || entries.length !== end - first) return false;
      entries.forEach((entry, offset) => this.#put(first + offset, entry));
    }
    return this.#places.size === tail - head;
  }
}

function chunkOf(place: number): number {
  return Math.floor(place / IDEMPOTENCY_CHUNK_ENTRIES) % IDEMPOTENCY_CHUNKS;
}

/** Places of the queue head..tail-1 that are in a chunk: at most one contiguous run. */
function placesOf(chunk: number, head: number, tail: number): { first: number; end: number } {
  const behind = (chunk - chunkOf(head) + IDEMPOTENCY_CHUNKS) % IDEMPOTENCY_CHUNKS;
  const start = (Math.floor(head / IDEMPOTENCY_CHUNK_ENTRIES) + behind) * IDEMPOTENCY_CHUNK_ENTRIES;
  const first = Math.min(Math.max(start, head), tail);
  return { first, end: Math.max(first, Math.min(start + IDEMPOTENCY_CHUNK_ENTRIES, tail)) };
}

/** Whether an entry stands for this operation of the service. */
export function isSameOperation(entry: IdempotencyEntry, operationDigest: Uint8Array): boolean {
  return equalBytes(entry.operationDigest, operationDigest);
}
