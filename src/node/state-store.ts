/**
 * The LMDB environment of one replica (decision E7): chunks of the latest durable checkpoint.
 *
 * A snapshot is written in two durable steps: first its changed chunks under keys that name the checkpoint, then the
 * one record that makes it the latest. A crash between them leaves the former snapshot whole. Every value carries a
 * check value, so that a disk that lies is noticed when the snapshot is read.
 */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { open } from 'lmdb';
import type { Database, Key, RootDatabase } from 'lmdb';
import { equalBytes } from '../core/bytes.ts';
import type { SequenceNumber } from '../core/types.ts';
import type { SnapshotPort } from '../host/ports.ts';
import type { FrozenCheckpoint } from '../ledger/contract.ts';
import { diskFailureSentence } from './disk.ts';
import { StoreDamaged } from './journal.ts';

const CHECK_BYTES = 16;
/**
 * Addresses that are reserved for the file, which takes no memory. Without it LMDB maps the file again whenever it has
 * grown and leaves the old mapping where it is: the same pages twice. A file that outgrows this is mapped anew.
 */
const MAP_BYTES = 16 * 1024 ** 3;
const LATEST_KEY = 'latest';
/** Chunks read and written in one go; between them the process does other work. */
const SLICE = 128;

type ChunkKey = [index: number, sequence: SequenceNumber];

function sealedValue(name: string, value: Uint8Array): Buffer {
  const check = createHash('sha256').update(name).update(value).digest().subarray(0, CHECK_BYTES);
  return Buffer.concat([check, value]);
}

/** The value without its check value; undefined if it is damaged. */
function openedValue(name: string, sealed: Uint8Array): Uint8Array | undefined {
  if (sealed.length < CHECK_BYTES) return undefined;
  // A copy: what LMDB gives may be memory of its own.
  const value = new Uint8Array(sealed.subarray(CHECK_BYTES));
  const check = createHash('sha256').update(name).update(value).digest().subarray(0, CHECK_BYTES);
  return equalBytes(check, sealed.subarray(0, CHECK_BYTES)) ? value : undefined;
}

function chunkName(index: number, sequence: SequenceNumber): string {
  return `chunk/${index}/${sequence}/`;
}

function damaged(folder: string, what: string): StoreDamaged {
  return new StoreDamaged(
    `The state store ${folder} is damaged: ${what}. Check the disk; then remove the store with ` +
      '`moiety fault wipe REPLICA` (keys are kept) and start the replica again: it comes back by state transfer.',
  );
}

/** Reads; what LMDB says of pages that make no sense to it becomes `StoreDamaged`. */
function readable<T>(folder: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    const { message } = error as Error;
    throw message.startsWith('MDB_') ? damaged(folder, message) : error;
  }
}

/** LMDB rejects every write of a failed commit with a general error that carries the promise of the real one. */
export async function causeOf(error: unknown): Promise<unknown> {
  const { commitError } = (error ?? {}) as { readonly commitError?: unknown };
  try {
    await commitError;
    return error;
  } catch (cause) {
    return cause;
  }
}

/** What the state store reports and needs. */
export interface StateStoreOptions {
  readonly folder: string;
  /** Whether a stored snapshot survives a power cut. */
  readonly durable: boolean;
  /** cp: sequence numbers between checkpoints. */
  readonly checkpointInterval: number;
  /** Called before a snapshot is made durable: what it must not outlive. False: the disk failed. */
  readonly beforeSnapshot: () => Promise<boolean>;
  readonly onStored: (sequence: SequenceNumber) => void;
  readonly onFatal: (sentence: string) => void;
}

interface StoreRequest {
  readonly frozen: FrozenCheckpoint;
  readonly meta: Uint8Array;
}

/** The latest durable snapshot. */
interface LatestSnapshot {
  readonly sequence: SequenceNumber;
  readonly chunkCount: number;
  readonly meta: Uint8Array;
}

/** A snapshot as it is found at the start. */
export interface StoredSnapshot {
  readonly meta: Uint8Array;
  readonly chunk: (index: number) => Uint8Array;
}

/** See the top of this file. */
export class StateStore implements SnapshotPort {
  readonly #options: StateStoreOptions;
  readonly #root: RootDatabase;
  readonly #chunks: Database<Buffer, ChunkKey>;
  readonly #meta: Database<Buffer, string>;
  #latest: LatestSnapshot | undefined;
  #next: StoreRequest | undefined;
  /** Snapshots that a newer one overtook before they were written. */
  #overtaken: SequenceNumber[] = [];
  #storing: Promise<void> | undefined;
  #failed = false;
  #closed = false;

  /** Opens (or makes) the environment; throws `StoreDamaged` or the system's error. */
  constructor(options: StateStoreOptions) {
    this.#options = options;
    const { folder, durable } = options;
    // LMDB would make it readable by others.
    fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
    const root = readable(folder, () =>
      open({ path: folder, noSync: !durable, encoding: 'binary', maxDbs: 4, mapSize: MAP_BYTES }),
    );
    const table = <V, K extends Key>(name: string): Database<V, K> =>
      readable(folder, () => root.openDB<V, K>({ name, encoding: 'binary' }));
    this.#root = root;
    this.#chunks = table('chunks');
    this.#meta = table('meta');
    this.#latest = readable(folder, () => this.#readLatest());
  }

  #readLatest(): LatestSnapshot | undefined {
    const sealed = this.#meta.get(LATEST_KEY);
    if (sealed === undefined) return undefined;
    const value = openedValue(LATEST_KEY, sealed);
    if (value === undefined || value.length < 12)
      throw damaged(this.#options.folder, 'the description of the snapshot cannot be read');
    const view = new DataView(value.buffer, value.byteOffset);
    const sequence = Number(view.getBigUint64(0));
    return { sequence, chunkCount: view.getUint32(8), meta: value.slice(12) };
  }

  // --- snapshots ---------------------------------------------------------------------------------------------------

  /** The latest durable snapshot. `chunk` throws `StoreDamaged` if a chunk cannot be read. */
  load(): StoredSnapshot | undefined {
    const latest = this.#latest;
    if (latest === undefined) return undefined;
    const { folder } = this.#options;
    return {
      meta: latest.meta,
      chunk: (index) => readable(folder, () => this.#readChunk(index, latest.sequence)),
    };
  }

  #readChunk(index: number, sequence: SequenceNumber): Uint8Array {
    for (const { key, value } of this.#chunks.getRange({
      start: [index, sequence],
      end: [index, 0],
      reverse: true,
      limit: 1,
    })) {
      const chunk = openedValue(chunkName(index, key[1]), value);
      if (chunk !== undefined) return chunk;
      throw damaged(this.#options.folder, `chunk ${index} of the snapshot has a wrong check value`);
    }
    throw damaged(this.#options.folder, `chunk ${index} of the snapshot is missing`);
  }

  store(frozen: FrozenCheckpoint, meta: Uint8Array): void {
    if (this.#failed || this.#closed) return;
    if (this.#next !== undefined) this.#overtaken.push(this.#next.frozen.checkpoint.sequence);
    this.#next = { frozen, meta };
    this.#storing ??= this.#storeAll().finally(() => {
      this.#storing = undefined;
    });
  }

  async #storeAll(): Promise<void> {
    // Not inside the call of `store`.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#next !== undefined && !this.#failed) {
      const request = this.#next;
      const overtaken = this.#overtaken;
      this.#next = undefined;
      this.#overtaken = [];
      try {
        if (!(await this.#options.beforeSnapshot())) return;
        await this.#storeOne(request);
      } catch (error) {
        this.#fail('Storing a snapshot', error);
        return;
      }
      for (const sequence of overtaken) this.#options.onStored(sequence);
      this.#options.onStored(request.frozen.checkpoint.sequence);
    }
  }

  async #storeOne({ frozen, meta }: StoreRequest): Promise<void> {
    const { sequence } = frozen.checkpoint;
    const former = this.#latest;
    const follows =
      former !== undefined &&
      former.chunkCount === frozen.chunkCount &&
      former.sequence === sequence - this.#options.checkpointInterval;
    // `changed` speaks of the checkpoint before this one; if that is not the one on disk, compare them all.
    const indexes = follows ? frozen.changed : Array.from({ length: frozen.chunkCount }, (_, index) => index);
    const written: number[] = [];
    for (let from = 0; from < indexes.length; from += SLICE) {
      const writes: Promise<boolean>[] = [];
      for (const index of indexes.slice(from, from + SLICE)) {
        const value = sealedValue(chunkName(index, sequence), frozen.chunk(index));
        if (!follows && former !== undefined && this.#isStored(index, former.sequence, value)) continue;
        written.push(index);
        writes.push(this.#chunks.put([index, sequence], value));
      }
      if (writes.length > 0) await Promise.all(writes);
      else await new Promise((resolve) => setImmediate(resolve));
    }
    if (this.#options.durable) await this.#root.flushed;
    const description = Buffer.alloc(12 + meta.length);
    description.writeBigUInt64BE(BigInt(sequence), 0);
    description.writeUInt32BE(frozen.chunkCount, 8);
    description.set(meta, 12);
    await this.#meta.put(LATEST_KEY, sealedValue(LATEST_KEY, description));
    if (this.#options.durable) await this.#root.flushed;
    this.#latest = { sequence, chunkCount: frozen.chunkCount, meta: meta.slice() };
    await this.#removeOlder(written, sequence);
  }

  #isStored(index: number, sequence: SequenceNumber, sealed: Uint8Array): boolean {
    const range = {
      start: [index, sequence] as ChunkKey,
      end: [index, 0] as ChunkKey,
      reverse: true,
      limit: 1,
    };
    for (const { key, value } of this.#chunks.getRange(range)) {
      const known = openedValue(chunkName(index, key[1]), value);
      return known !== undefined && equalBytes(known, sealed.subarray(CHECK_BYTES));
    }
    return false;
  }

  /** Drops what the new snapshot replaced. A crash before leaves values that the next write of the chunk drops. */
  async #removeOlder(indexes: readonly number[], sequence: SequenceNumber): Promise<void> {
    for (let from = 0; from < indexes.length; from += SLICE) {
      const removals: Promise<boolean>[] = [];
      for (const index of indexes.slice(from, from + SLICE)) {
        for (const key of this.#chunks.getKeys({ start: [index, 0], end: [index, sequence] }))
          removals.push(this.#chunks.remove(key));
      }
      if (removals.length > 0) await Promise.all(removals);
    }
  }

  /** Finishes what runs, then closes. */
  async close(): Promise<void> {
    if (this.#closed) return;
    await this.#storing;
    this.#closed = true;
    await this.#root.close();
  }

  #fail(what: string, error: unknown): void {
    if (this.#failed) return;
    this.#failed = true;
    void causeOf(error).then((cause) =>
      this.#options.onFatal(diskFailureSentence(what, this.#options.folder, cause)),
    );
  }
}
