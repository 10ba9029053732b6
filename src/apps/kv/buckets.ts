/**
 * The authenticated part of the state: a fixed number of hash buckets, each kept as its canonical bytes. A bucket *is*
 * a chunk, so a checkpoint encodes nothing: it shares the bytes of all buckets, and a bucket is copied the first time
 * that it is written afterwards. The work of a checkpoint is the digest of the buckets that changed.
 *
 * Canonical bytes: u32 number of entries, then for each entry, in byte order of the keys: u16 key length, u32 value
 * length, key, value. They depend on the entries alone, never on the history.
 *
 * Number of buckets: with b buckets and s bytes of state a changed entry costs the hashing of s/b bytes, and a full
 * checkpoint tree has b leaves. 16,384 gives 8 KB a bucket for a million rows of 130 bytes, 40 KB for five million: a
 * few to some 30 microseconds of hashing for each changed bucket, and an empty state of half a megabyte of digests.
 * More buckets make an empty state dear, fewer make a change dear.
 *
 * The bucket of a key is a quick mix of its bytes (FNV-1a with a final mix), not a cryptographic hash: whoever wants k
 * keys in one chosen bucket finds them either way, at 16,384 hashes a key at most. So a bucket is bounded: what it holds
 * at most is small enough to search, hash and transfer, and a write beyond it is refused (`full`). An honest bucket does
 * not come near: at 50 million rows it holds 3,100.
 */
import { assert } from '../../core/assert.ts';
import { Reader } from '../../core/codec.ts';
import { ByteBlocks } from './byte-blocks.ts';
import { KV_KEY_BYTES_MAX, KV_VALUE_BYTES_MAX } from './operations.ts';

/** Buckets of a real cluster. Part of the state digest: equal at all replicas. */
export const KV_BUCKETS_DEFAULT = 16_384;
/** Bytes of one chunk, at most. */
export const KV_CHUNK_BYTES_MAX = 4 * 1024 * 1024;
/** Entries of one chunk, at most. */
export const KV_CHUNK_ENTRIES_MAX = 16_384;

const HEAD_BYTES = 4;
const ENTRY_HEAD_BYTES = 6;
const NOT_FOUND = -1;

/** Outcome of a write. */
export type WriteOutcome = 'replaced' | 'inserted' | 'full';

function compareAt(bytes: Uint8Array, at: number, length: number, key: Uint8Array): number {
  const shared = Math.min(length, key.length);
  for (let index = 0; index < shared; index += 1) {
    const difference = bytes[at + index]! - key[index]!;
    if (difference !== 0) return difference;
  }
  return length - key.length;
}

function readU16(bytes: Uint8Array, at: number): number {
  return bytes[at]! * 256 + bytes[at + 1]!;
}

function readU32(bytes: Uint8Array, at: number): number {
  return readU16(bytes, at) * 65_536 + readU16(bytes, at + 2);
}

function writeU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

/** Copies `from` up to `to` of one byte string into another. A loop is cheaper than a view for what is short. */
function copyPart(into: Uint8Array, at: number, bytes: Uint8Array, from: number, to: number): void {
  if (to - from > 64) into.set(bytes.subarray(from, to), at);
  else for (let index = from; index < to; index += 1) into[at + index - from] = bytes[index]!;
}

/** Spreads keys over 2^32 values: FNV-1a, and the final mix of MurmurHash3, since the upper bits choose the bucket. */
function mixOf(key: Uint8Array): number {
  let mix = 0x811c9dc5;
  for (let index = 0; index < key.length; index += 1) mix = Math.imul(mix ^ key[index]!, 0x01000193);
  mix = Math.imul(mix ^ (mix >>> 16), 0x85ebca6b);
  mix = Math.imul(mix ^ (mix >>> 13), 0xc2b2ae35);
  return (mix ^ (mix >>> 16)) >>> 0;
}

/** The buckets, with copy-on-write snapshots. Columns: an object for each would be most of what the collector looks at. */
export class BucketStore {
  readonly count: number;
  readonly #shift: number;
  #blocks = new ByteBlocks();
  /** Where each bucket is: block and place in it, room, bytes in use, entries. */
  readonly #block: Uint32Array;
  readonly #at: Uint32Array;
  readonly #room: Uint32Array;
  readonly #length: Uint32Array;
  readonly #entries: Uint32Array;
  /** A bucket is written only by the generation that made it. */
  readonly #madeIn: Float64Array;
  #generation = 0;
  /** Offset in the bucket of the entry that `#find` found, or of the first entry with a larger key. */
  #foundAt = 0;
  /** Ascending only when `freeze` has sorted it. */
  #dirty: number[] = [];
  readonly #isDirty: Uint8Array;

  /** `count`: a power of two from 1 to 65,536. */
  constructor(count: number) {
    const isPowerOfTwo =
      Number.isInteger(count) && count >= 1 && count <= 65_536 && (count & (count - 1)) === 0;
    assert(isPowerOfTwo, 'the number of buckets is a power of two from 1 to 65,536');
    this.count = count;
    this.#shift = 32 - Math.log2(count);
    this.#block = new Uint32Array(count);
    this.#at = new Uint32Array(count);
    this.#room = new Uint32Array(count);
    this.#length = new Uint32Array(count).fill(HEAD_BYTES);
    this.#entries = new Uint32Array(count);
    this.#madeIn = new Float64Array(count).fill(-1);
    this.#isDirty = new Uint8Array(count);
    // All buckets are empty, and share the bytes of an empty one until they are written.
    this.#blocks.allocate(HEAD_BYTES);
    this.#markAllDirty();
  }

  /** Bucket of a key: the first bits of its mix. */
  bucketOf(key: Uint8Array): number {
    // A shift by 32, of a single bucket, would shift by nothing.
    return this.count === 1 ? 0 : mixOf(key) >>> this.#shift;
  }

  /** Looks a key up: bytes of its entry, or NOT_FOUND; where it is, or would be, is in `#foundAt`. */
  #find(index: number, key: Uint8Array): number {
    const bytes = this.#blocks.bytes(this.#block[index]!);
    const start = this.#at[index]!;
    const end = start + this.#length[index]!;
    let at = start + HEAD_BYTES;
    let found = NOT_FOUND;
    while (at < end) {
      const keyLength = readU16(bytes, at);
      const size = ENTRY_HEAD_BYTES + keyLength + readU32(bytes, at + 2);
      const order = compareAt(bytes, at + ENTRY_HEAD_BYTES, keyLength, key);
      if (order === 0) found = size;
      if (order >= 0) break;
      at += size;
    }
    this.#foundAt = at - start;
    return found;
  }

  /** The value of a key: a view that is good until the next write. */
  get(key: Uint8Array): Uint8Array | undefined {
    const index = this.bucketOf(key);
    const size = this.#find(index, key);
    if (size === NOT_FOUND) return undefined;
    const entry = this.#at[index]! + this.#foundAt;
    const bytes = this.#blocks.bytes(this.#block[index]!);
    return bytes.subarray(entry + ENTRY_HEAD_BYTES + key.length, entry + size);
  }

  /** Sets the value of a key. `full`: nothing was changed. */
  put(key: Uint8Array, value: Uint8Array): WriteOutcome {
    const index = this.bucketOf(key);
    const size = this.#find(index, key);
    const before = size === NOT_FOUND ? 0 : size;
    const after = ENTRY_HEAD_BYTES + key.length + value.length;
    const entries = this.#entries[index]! + (before === 0 ? 1 : 0);
    const length = this.#length[index]! - before + after;
    if (length > KV_CHUNK_BYTES_MAX || entries > KV_CHUNK_ENTRIES_MAX) return 'full';
    this.#resize(index, before, after, entries);
    const bytes = this.#blocks.bytes(this.#block[index]!);
    const at = this.#at[index]! + this.#foundAt;
    bytes[at] = key.length >>> 8;
    bytes[at + 1] = key.length;
    writeU32(bytes, at + 2, value.length);
    bytes.set(key, at + ENTRY_HEAD_BYTES);
    bytes.set(value, at + ENTRY_HEAD_BYTES + key.length);
    return before === 0 ? 'inserted' : 'replaced';
  }

  /** Removes a key; whether there was one. */
  delete(key: Uint8Array): boolean {
    const index = this.bucketOf(key);
    const size = this.#find(index, key);
    if (size === NOT_FOUND) return false;
    this.#resize(index, size, 0, this.#entries[index]! - 1);
    return true;
  }

  /** Makes the `before` bytes at `#foundAt` into `after` bytes, in a bucket that this generation owns. */
  #resize(index: number, before: number, after: number, entries: number): void {
    const length = this.#length[index]! - before + after;
    const room = this.#room[index]!;
    const isOwn = this.#madeIn[index] === this.#generation;
    if (!isOwn || length > room || length < room >>> 2) {
      // An eighth of spare room, so that a bucket that grows is not copied for each insertion.
      this.#move(index, length + (length >>> 3) + 32, before, after);
    } else if (before !== after) {
      const start = this.#at[index]!;
      const from = start + this.#foundAt;
      const bytes = this.#blocks.bytes(this.#block[index]!);
      bytes.copyWithin(from + after, from + before, start + this.#length[index]!);
    }
    this.#length[index] = length;
    this.#entries[index] = entries;
    writeU32(this.#blocks.bytes(this.#block[index]!), this.#at[index]!, entries);
    this.markDirty(index);
  }

  /** Copies a bucket to new room, with `after` bytes where `before` bytes were at `#foundAt`. */
  #move(index: number, room: number, before: number, after: number): void {
    const oldBlock = this.#block[index]!;
    const old = this.#blocks.bytes(oldBlock);
    const start = this.#at[index]!;
    const cut = start + this.#foundAt;
    const end = start + this.#length[index]!;
    this.#blocks.allocate(room);
    const { block, at } = this.#blocks;
    const bytes = this.#blocks.bytes(block);
    copyPart(bytes, at, old, start, cut);
    copyPart(bytes, at + this.#foundAt + after, old, cut + before, end);
    this.#blocks.release(oldBlock, this.#room[index]!);
    this.#block[index] = block;
    this.#at[index] = at;
    this.#room[index] = room;
    this.#madeIn[index] = this.#generation;
  }

  /** This bucket counts as changed since the last `freeze`. */
  markDirty(index: number): void {
    if (this.#isDirty[index] === 1) return;
    this.#isDirty[index] = 1;
    this.#dirty.push(index);
  }

  #markAllDirty(): void {
    this.#isDirty.fill(1);
    this.#dirty = Array.from({ length: this.count }, (_, index) => index);
  }

  /** Shares all buckets with the result; see `FrozenState`. All of them count as changed at first and after an install. */
  freeze(): { chunk: (index: number) => Uint8Array; readonly changed: readonly number[] } {
    this.#tidy();
    const blocks = this.#blocks.list();
    const [block, at, length] = [this.#block.slice(), this.#at.slice(), this.#length.slice()];
    const changed = this.#dirty.sort((a, b) => a - b);
    this.#generation += 1;
    this.#dirty = [];
    this.#isDirty.fill(0);
    const chunk = (index: number): Uint8Array => {
      const from = at[index];
      assert(from !== undefined, 'chunk index is below the number of chunks');
      return blocks[block[index]!]!.subarray(from, from + length[index]!);
    };
    return { chunk, changed };
  }

  /**
   * Moves what lies in blocks that hold little, so that the live state takes at most about twice what is in use. What was
   * frozen is not counted there: it holds every block of its moment whole, and the ledger keeps two such views.
   */
  #tidy(): void {
    for (let index = 0; index < this.count; index += 1) {
      if (this.#room[index] === 0 || !this.#blocks.isSparse(this.#block[index]!)) continue;
      this.#foundAt = this.#length[index]!;
      this.#move(index, this.#room[index]!, 0, 0);
    }
  }

  /**
   * Replaces everything. Calls `onKey` for each key. False as soon as a chunk is not what this class would have made:
   * the state is then unspecified.
   */
  install(chunk: (index: number) => Uint8Array, onKey: (key: Uint8Array) => void): boolean {
    this.#generation += 1;
    this.#markAllDirty();
    this.#blocks = new ByteBlocks();
    this.#blocks.allocate(HEAD_BYTES);
    this.#block.fill(0);
    this.#at.fill(0);
    this.#room.fill(0);
    this.#length.fill(HEAD_BYTES);
    this.#entries.fill(0);
    for (let index = 0; index < this.count; index += 1) {
      const bytes = chunk(index);
      const entries = this.#countEntries(bytes, index, onKey);
      if (entries === undefined) return false;
      this.#blocks.allocate(bytes.length);
      const { block, at } = this.#blocks;
      this.#blocks.bytes(block).set(bytes, at);
      this.#block[index] = block;
      this.#at[index] = at;
      this.#room[index] = bytes.length;
      this.#length[index] = bytes.length;
      this.#entries[index] = entries;
      this.#madeIn[index] = this.#generation;
    }
    return true;
  }

  #countEntries(bytes: Uint8Array, bucket: number, onKey: (key: Uint8Array) => void): number | undefined {
    if (bytes.length > KV_CHUNK_BYTES_MAX) return undefined;
    const reader = new Reader(bytes);
    const count = reader.u32();
    if (count > KV_CHUNK_ENTRIES_MAX) return undefined;
    let previous: Uint8Array = new Uint8Array(0);
    for (let entry = 0; entry < count; entry += 1) {
      const keyLength = reader.u16();
      const valueLength = reader.u32();
      const key = reader.raw(keyLength);
      reader.raw(valueLength);
      if (reader.failed || keyLength > KV_KEY_BYTES_MAX || valueLength > KV_VALUE_BYTES_MAX) return undefined;
      // Keys ascend strictly; the first is compared with the empty key, which is not allowed either.
      if (compareAt(key, 0, keyLength, previous) <= 0 || this.bucketOf(key) !== bucket) return undefined;
      onKey(key);
      previous = key;
    }
    return reader.done() ? count : undefined;
  }
}
