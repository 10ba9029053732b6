/**
 * Snapshots of one replica on disk (decisions E7 and record 0019): the chunks of the latest durable checkpoint.
 *
 * A snapshot appends the chunks that changed since the one before to a file, and then its description, which makes it the
 * latest (`snapshot-file.ts`). Which chunks changed is known from their digests alone; nothing is read. When more than
 * half of the file would be garbage, the snapshot goes as a whole into the next generation of it: under a temporary
 * name, synced, renamed, the folder synced, and only then the former one is dropped.
 */
import path from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import type { Hash, SequenceNumber } from '../core/types.ts';
import type { SnapshotPort } from '../host/ports.ts';
import type { FrozenCheckpoint } from '../ledger/contract.ts';
import { verifyChunk } from '../ledger/state-tree.ts';
import { ChunkTable } from './chunk-table.ts';
import type { Disk } from './disk.ts';
import { diskFailureSentence } from './disk.ts';
import { damagedState, openSnapshotFile, SnapshotFile } from './snapshot-file.ts';
import type { SnapshotDescription, SnapshotInFile, WritingPace } from './snapshot-file.ts';

const FILE_NAME = /^state-(\d{10})\.dat$/;
const TEMPORARY_NAME = /^state-\d{10}\.tmp$/;
/** Bytes of one frame of chunks: few enough to hash in a millisecond, enough that a frame costs nothing. */
const FRAME_BYTES = 512 * 1024;
/** Bytes that are synced at once, so that a sync of the journal waits for few of them. */
const SYNC_BYTES = 2 * 1024 * 1024;
/** Garbage that is left where it is, however little else there is. */
const GARBAGE_BYTES_MIN = 16 * 1024 * 1024;
/** Chunks whose digests are compared in one go; between them the process does other work. */
const COMPARED_AT_ONCE = 2 * 1024;

/** What the state store reports and needs. */
export interface StateStoreOptions {
  readonly disk: Disk;
  readonly folder: string;
  readonly hash: Hash;
  /** Whether a stored snapshot survives a power cut. */
  readonly durable: boolean;
  /** Called before a snapshot is made durable: what it must not outlive. False: the disk failed. */
  readonly beforeSnapshot: () => Promise<boolean>;
  readonly onStored: (sequence: SequenceNumber) => void;
  readonly onFatal: (sentence: string) => void;
  /** For tests. */
  readonly frameBytes?: number;
  /** For tests. */
  readonly syncBytes?: number;
  /** For tests. */
  readonly garbageBytesMin?: number;
}

interface StoreRequest {
  readonly frozen: FrozenCheckpoint;
  readonly meta: Uint8Array;
}

/** A snapshot as it is found at the start. */
export interface StoredSnapshot {
  readonly meta: Uint8Array;
  readonly chunk: (index: number) => Uint8Array;
}

function nameOf(generation: number, extension: 'dat' | 'tmp'): string {
  return `state-${String(generation).padStart(10, '0')}.${extension}`;
}

/** Chunks that are not what the table has. */
async function changedIndexes(
  { leaves, chunkCount }: FrozenCheckpoint,
  table: ChunkTable,
): Promise<Uint32Array> {
  // No list: what grows beyond a page of the heap is costly to grow.
  const indexes = new Uint32Array(chunkCount);
  let found = 0;
  for (let from = 0; from < chunkCount; from += COMPARED_AT_ONCE) {
    found = table.findChanged(leaves, [from, Math.min(from + COMPARED_AT_ONCE, chunkCount)], indexes, found);
    await turn();
  }
  return indexes.subarray(0, found);
}

/** See the top of this file. */
export class StateStore implements SnapshotPort {
  readonly #options: StateStoreOptions;
  readonly #pace: WritingPace;
  #latest: SnapshotInFile | undefined;
  #next: StoreRequest | undefined;
  /** Snapshots that a newer one overtook before they were written. */
  #overtaken: SequenceNumber[] = [];
  #storing: Promise<void> | undefined;
  #failed = false;
  #closed = false;

  private constructor(options: StateStoreOptions, latest: SnapshotInFile | undefined) {
    const { durable, frameBytes = FRAME_BYTES, syncBytes = SYNC_BYTES } = options;
    this.#options = options;
    this.#pace = { frameBytes, syncBytes: durable ? syncBytes : Infinity };
    this.#latest = latest;
  }

  /** Opens the store of a folder, which is made if it is not there; rejects with `StoreDamaged` or the system's error. */
  static async open(options: StateStoreOptions): Promise<StateStore> {
    const { disk, folder, durable } = options;
    disk.makeFolder(folder);
    const names = disk.list(folder);
    const current = names.filter((name) => FILE_NAME.test(name)).at(-1);
    // First of all: it may be what filled the disk.
    for (const name of names) if (TEMPORARY_NAME.test(name)) await disk.remove(path.join(folder, name));
    if (current === undefined) return new StateStore(options, undefined);
    const latest = await openSnapshotFile(disk, path.join(folder, current), durable);
    for (const name of names)
      if (FILE_NAME.test(name) && name !== current) await disk.remove(path.join(folder, name));
    return new StateStore(options, latest);
  }

  get stateBytes(): number {
    return this.#latest?.table.bytes ?? 0;
  }

  /** The latest durable snapshot. `chunk` throws `StoreDamaged` if a chunk is not what was written. */
  load(): StoredSnapshot | undefined {
    const latest = this.#latest;
    if (latest === undefined) return undefined;
    return { meta: latest.description.meta, chunk: (index) => this.#readChunk(latest, index) };
  }

  #readChunk({ file, table }: SnapshotInFile, index: number): Uint8Array {
    const place = table.place(index)!;
    const bytes = file.read(place.position, place.length);
    // It was right when the file was opened; a disk that lies now and then is noticed, too.
    if (verifyChunk(this.#options.hash, index, bytes, place.leaf)) return bytes;
    const name = path.join(this.#options.folder, nameOf(file.generation, 'dat'));
    throw damagedState(name, place.position, `chunk ${index} of the snapshot is not what was written`);
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
    await turn();
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
    const { chunkCount } = frozen;
    const description = { chunkCount, meta: meta.slice() };
    const latest = this.#latest;
    if (latest === undefined || latest.table.count !== chunkCount) {
      await this.#storeWhole(frozen, description);
      return;
    }
    const indexes = await changedIndexes(frozen, latest.table);
    let garbage = latest.file.end - latest.table.bytes;
    for (const index of indexes) garbage += latest.table.bytesOf(index);
    const { garbageBytesMin = GARBAGE_BYTES_MIN } = this.#options;
    if (garbage > Math.max(latest.table.bytes, garbageBytesMin)) await this.#storeWhole(frozen, description);
    else await this.#storeChanges(frozen, indexes, { ...latest, description });
  }

  /**
   * Appends what changed, and the description; one sync covers both, since a description behind a hole is not read. Should
   * it fail, the table is ahead of the file: nothing is stored or read any more then.
   */
  async #storeChanges(frozen: FrozenCheckpoint, indexes: Uint32Array, next: SnapshotInFile): Promise<void> {
    const { file, table, description } = next;
    await file.appendChunks(frozen, indexes, table, this.#pace);
    await file.describe(description);
    if (this.#options.durable) {
      await file.sync();
      await file.seal();
    }
    this.#latest = next;
  }

  /** Writes the next generation, gives it its name and drops the former one. */
  async #storeWhole(frozen: FrozenCheckpoint, description: SnapshotDescription): Promise<void> {
    const { disk, folder, durable } = this.#options;
    const former = this.#latest?.file;
    const generation = (former?.generation ?? 0) + 1;
    const temporary = path.join(folder, nameOf(generation, 'tmp'));
    const file = await SnapshotFile.create(disk, temporary, generation);
    const table = new ChunkTable(frozen.chunkCount);
    const indexes = await changedIndexes(frozen, table);
    await file.appendChunks(frozen, indexes, table, this.#pace);
    await file.describe(description);
    if (durable) {
      await file.seal();
      await file.sync();
    }
    await disk.rename(temporary, path.join(folder, nameOf(generation, 'dat')));
    if (durable) await disk.syncFolder(folder);
    this.#latest = { file, table, description };
    if (former === undefined) return;
    await former.close();
    await disk.remove(path.join(folder, nameOf(former.generation, 'dat')));
  }

  /** Finishes what runs, then closes. */
  async close(): Promise<void> {
    if (this.#closed) return;
    await this.#storing;
    this.#closed = true;
    await this.#latest?.file.close();
  }

  #fail(what: string, error: unknown): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#options.onFatal(diskFailureSentence(what, this.#options.folder, error));
  }
}
