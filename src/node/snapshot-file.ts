/**
 * One generation of the file of snapshots: frames (see `frame-file.ts`).
 *
 * - Many chunks that changed: their indexes, lengths and digests, then their bytes.
 * - A description: it makes all chunks before it the latest snapshot. A crash before it leaves the former one whole.
 * - An empty frame, the seal, once a description is durable: if the description goes bad later, that is damage, and no
 *   crash. It lies in a page of its own, behind padding, since disks lose whole pages. A file that is never synced has none.
 *
 * A generation gets its name when it holds its first snapshot; so a file without one is damaged, or never was synced.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { bytesToDigest, putHex } from '../core/bytes.ts';
import type { FrozenCheckpoint } from '../ledger/contract.ts';
import { CHUNKS_MAX } from '../ledger/state-tree.ts';
import { CHUNK_ENTRY_BYTES, ChunkTable } from './chunk-table.ts';
import type { ChunkPlace } from './chunk-table.ts';
import type { Disk, DiskFile } from './disk.ts';
import {
  createFileHeader,
  createFrame,
  FILE_HEADER_BYTES,
  FRAME_HEAD_BYTES,
  FRAME_OVERHEAD_BYTES,
  readFileHeader,
  walkFrames,
} from './frame-file.ts';
import type { FileIdentity, Frame, FrameEnd } from './frame-file.ts';
import { StoreDamaged } from './journal.ts';

const KIND = 'SNAP';
const CHUNKS = 1;
const DESCRIPTION = 2;
const PADDING = 3;
const CHUNKS_HEAD_BYTES = 5;
/** Chunks of one frame, at most, for those that are nearly empty. */
const CHUNKS_AT_ONCE = 2048;
const DESCRIPTION_HEAD_BYTES = 5;
/** What a disk loses at once. */
const PAGE_BYTES = 4096;
/**
 * Bytes read at once, at most: a length that a bad disk made up takes no more memory. No frame is longer; chunks of a
 * service have 4 MiB at most, those of the ledger fit a message.
 */
const READ_BYTES_MAX = 512 * 1024 * 1024;

/** What a snapshot says of itself. */
export interface SnapshotDescription {
  readonly chunkCount: number;
  /** Opaque: of which checkpoint it is stands there. */
  readonly meta: Uint8Array;
}

/** How a snapshot is written. */
export interface WritingPace {
  /** Bytes of a frame of chunks, about. */
  readonly frameBytes: number;
  /** Bytes that are synced at once, about; Infinity: nothing is synced before its end. */
  readonly syncBytes: number;
}

/** A snapshot that is in a file. */
export interface SnapshotInFile {
  readonly file: SnapshotFile;
  readonly table: ChunkTable;
  readonly description: SnapshotDescription;
}

/** The refusal of a file that must not be used. `mayBeLost`: nothing says that what is gone had been durable. */
export function damagedState(file: string, offset: number, problem: string, mayBeLost = false): StoreDamaged {
  const advice = mayBeLost
    ? ' (a power cut without durability fsync?). Remove'
    : '. Check the disk; then remove';
  return new StoreDamaged(
    `The state file ${file} is damaged at offset ${offset}: ${problem}${advice} the store with ` +
      '`moiety fault wipe REPLICA` (keys are kept) and start the replica again: it comes back by state transfer.',
  );
}

// --- content of frames ---------------------------------------------------------------------------------------------

/** Head of a frame of chunks; their bytes follow it. */
function chunksHead(places: readonly ChunkPlace[]): Uint8Array {
  const head = new Uint8Array(CHUNKS_HEAD_BYTES + CHUNK_ENTRY_BYTES * places.length);
  const view = new DataView(head.buffer);
  view.setUint8(0, CHUNKS);
  view.setUint32(1, places.length);
  let at = CHUNKS_HEAD_BYTES;
  for (const { index, length, leaf } of places) {
    view.setUint32(at, index);
    view.setUint32(at + 4, length);
    putHex(head, at + 8, leaf);
    at += CHUNK_ENTRY_BYTES;
  }
  return head;
}

/** Reads a frame of chunks whose payload stands at `position`; undefined if it is none. */
function readChunks(payload: Uint8Array, position: number): ChunkPlace[] | undefined {
  if (payload.length < CHUNKS_HEAD_BYTES) return undefined;
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  const count = view.getUint32(1);
  let bytesAt = CHUNKS_HEAD_BYTES + CHUNK_ENTRY_BYTES * count;
  if (bytesAt > payload.length) return undefined;
  const places: ChunkPlace[] = [];
  for (let at = CHUNKS_HEAD_BYTES; places.length < count; at += CHUNK_ENTRY_BYTES) {
    const [index, length] = [view.getUint32(at), view.getUint32(at + 4)];
    if (index >= CHUNKS_MAX) return undefined;
    const leaf = bytesToDigest(payload.subarray(at + 8, at + CHUNK_ENTRY_BYTES));
    places.push({ index, position: position + bytesAt, length, leaf });
    bytesAt += length;
  }
  return bytesAt === payload.length ? places : undefined;
}

function writeDescription({ chunkCount, meta }: SnapshotDescription): Uint8Array {
  const bytes = new Uint8Array(DESCRIPTION_HEAD_BYTES + meta.length);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, DESCRIPTION);
  view.setUint32(1, chunkCount);
  bytes.set(meta, DESCRIPTION_HEAD_BYTES);
  return bytes;
}

/** Payload of a frame at `position` with which the next one begins a page; undefined if it does anyway. */
function paddingAt(position: number): Uint8Array | undefined {
  if (position % PAGE_BYTES === 0) return undefined;
  const least = position + FRAME_OVERHEAD_BYTES + 1;
  const padding = new Uint8Array(1 + ((PAGE_BYTES - (least % PAGE_BYTES)) % PAGE_BYTES));
  padding[0] = PADDING;
  return padding;
}

function readDescription(payload: Uint8Array): SnapshotDescription | undefined {
  if (payload.length < DESCRIPTION_HEAD_BYTES) return undefined;
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  const chunkCount = view.getUint32(1);
  if (chunkCount > CHUNKS_MAX) return undefined;
  // A copy, and a plain one: `payload` is a Buffer, whose `slice` would be neither.
  const meta = Uint8Array.from(payload.subarray(DESCRIPTION_HEAD_BYTES));
  return { chunkCount, meta };
}

// --- writing -------------------------------------------------------------------------------------------------------

/** See the top of this file. Every method rejects with the error of the disk. */
export class SnapshotFile {
  readonly #file: DiskFile;
  readonly #identity: FileIdentity;
  #end: number;
  #check: Uint8Array;
  #syncedUpTo: number;

  constructor(
    file: DiskFile,
    identity: FileIdentity,
    at: { readonly end: number; readonly check: Uint8Array; readonly syncedUpTo: number },
  ) {
    this.#file = file;
    this.#identity = identity;
    this.#end = at.end;
    this.#check = at.check;
    this.#syncedUpTo = at.syncedUpTo;
  }

  /** An empty generation under a name that it does not keep. */
  static async create(disk: Disk, temporary: string, generation: number): Promise<SnapshotFile> {
    await disk.remove(temporary);
    const file = await disk.open(temporary);
    const { header, identity } = createFileHeader(KIND, generation);
    await file.write(header, 0);
    return new SnapshotFile(file, identity, { end: FILE_HEADER_BYTES, check: identity.check, syncedUpTo: 0 });
  }

  get generation(): number {
    return this.#identity.generation;
  }

  /** Where the next frame goes: bytes of the file. */
  get end(): number {
    return this.#end;
  }

  async #append(parts: readonly Uint8Array[], room?: Buffer): Promise<void> {
    const at = { position: this.#end, syncedUpTo: this.#syncedUpTo, previous: this.#check };
    const { bytes, check } = createFrame(this.#identity, at, parts, room);
    await this.#file.write(bytes, this.#end);
    this.#end += bytes.length;
    this.#check = check;
  }

  /**
   * Appends these chunks, frame by frame, and puts their places into the table; between frames the process does other work.
   * They count once they are described.
   */
  async appendChunks(
    frozen: FrozenCheckpoint,
    indexes: Uint32Array,
    table: ChunkTable,
    { frameBytes, syncBytes }: WritingPace,
  ): Promise<void> {
    let syncedAt = this.#end;
    // One for all: buffers of this size, made by the dozen, would call the garbage collection.
    const room = Buffer.allocUnsafe(frameBytes + frameBytes / 8);
    for (let from = 0; from < indexes.length;) {
      const chunks: Uint8Array[] = [];
      const most = Math.min(CHUNKS_AT_ONCE, indexes.length - from);
      for (let bytes = 0; bytes < frameBytes && chunks.length < most;) {
        const chunk = frozen.chunk(indexes[from + chunks.length]!);
        chunks.push(chunk);
        bytes += CHUNK_ENTRY_BYTES + chunk.length;
      }
      const places: ChunkPlace[] = [];
      let position = this.#end + FRAME_HEAD_BYTES + CHUNKS_HEAD_BYTES + CHUNK_ENTRY_BYTES * chunks.length;
      for (const { length } of chunks) {
        const index = indexes[from + places.length]!;
        places.push({ index, position, length, leaf: frozen.leaves[index]! });
        position += length;
      }
      await this.#append([chunksHead(places), ...chunks], room);
      for (const place of places) table.put(place);
      from += chunks.length;
      if (this.#end - syncedAt >= syncBytes) {
        await this.sync();
        syncedAt = this.#end;
      }
      await turn();
    }
  }

  /** Appends the description that makes what was appended the latest snapshot. */
  async describe(description: SnapshotDescription): Promise<void> {
    await this.#append([writeDescription(description)]);
  }

  async sync(): Promise<void> {
    await this.#file.sync();
  }

  /** Says in the file that all of it is durable, or will be before the file has a name; never without syncs. */
  async seal(): Promise<void> {
    this.#syncedUpTo = this.#end;
    const padding = paddingAt(this.#end);
    if (padding !== undefined) await this.#append([padding]);
    await this.#append([]);
  }

  /** Bytes at a place; fewer if the file ends before. */
  read(position: number, length: number): Uint8Array {
    return this.#file.readNow(position, length);
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

// --- opening -------------------------------------------------------------------------------------------------------

/** Takes the frames of a file, one by one. */
class SnapshotReader {
  readonly #name: string;
  #table: ChunkTable | undefined;
  #waiting: ChunkPlace[] = [];
  #description: SnapshotDescription | undefined;
  /** The last frame that counts. */
  last: Frame | undefined;
  isSealed = false;

  constructor(name: string) {
    this.#name = name;
  }

  take(frame: Frame): void {
    const { payload, position } = frame;
    if (payload.length === 0) {
      if (this.#waiting.length > 0) throw this.#malformed(position);
      this.isSealed = true;
      this.last = frame;
    } else if (payload[0] === CHUNKS) {
      const places = readChunks(payload, position + FRAME_HEAD_BYTES);
      if (places === undefined) throw this.#malformed(position);
      for (const place of places) this.#waiting.push(place);
    } else if (payload[0] !== PADDING) {
      const description = payload[0] === DESCRIPTION ? readDescription(payload) : undefined;
      if (description === undefined) throw this.#malformed(position);
      this.#describe(description, position);
      this.isSealed = false;
      this.last = frame;
    }
  }

  #describe(description: SnapshotDescription, position: number): void {
    const table = (this.#table ??= new ChunkTable(description.chunkCount));
    if (table.count !== description.chunkCount) throw this.#malformed(position);
    for (const place of this.#waiting) {
      if (place.index >= table.count) throw this.#malformed(position);
      table.put(place);
    }
    this.#waiting = [];
    this.#description = description;
  }

  #malformed(position: number): StoreDamaged {
    return damagedState(this.#name, position, 'a record is malformed');
  }

  /** The latest snapshot, if the file holds one and all of its chunks. */
  snapshot({ end }: FrameEnd, durable: boolean): Omit<SnapshotInFile, 'file'> {
    const [table, description] = [this.#table, this.#description];
    if (table === undefined || description === undefined) {
      const problem = durable ? 'bytes that were durable are unreadable' : 'it holds no whole snapshot';
      throw damagedState(this.#name, end, problem, !durable);
    }
    for (let index = 0; index < table.count; index += 1) {
      if (table.place(index) === undefined)
        throw damagedState(this.#name, end, `chunk ${index} of the snapshot is missing`);
    }
    return { table, description };
  }
}

/**
 * Reads a generation, piece by piece, and cuts what a crash left of a snapshot that was not finished. Rejects with
 * `StoreDamaged` or the system's error.
 */
export async function openSnapshotFile(disk: Disk, name: string, durable: boolean): Promise<SnapshotInFile> {
  const file = await disk.open(name);
  try {
    const identity = readFileHeader(file.readNow(0, FILE_HEADER_BYTES), KIND);
    if (identity === undefined)
      throw damagedState(name, 0, 'its header is unreadable or of another version', !durable);
    const size = file.size();
    const read = (position: number, length: number): Uint8Array =>
      file.readNow(position, Math.min(length, READ_BYTES_MAX));
    const walk = walkFrames(identity, { size, read });
    const reader = new SnapshotReader(name);
    let step = walk.next();
    for (; step.done !== true; step = walk.next()) {
      reader.take(step.value);
      await turn();
    }
    const { damage } = step.value;
    if (damage !== undefined)
      throw damagedState(name, damage.offset, damage.problem, !durable && !damage.wasDurable);
    const snapshot = reader.snapshot(step.value, durable);
    const { end, check } = reader.last!;
    if (end < size) await file.truncate(end);
    if (durable) await file.sync();
    const opened = new SnapshotFile(file, identity, { end, check, syncedUpTo: durable ? end : 0 });
    if (durable && !reader.isSealed) await opened.seal();
    return { file: opened, ...snapshot };
  } catch (error) {
    await file.close();
    throw error;
  }
}
