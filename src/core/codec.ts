/**
 * Canonical bytes: fixed field order, big-endian integers, length-prefixed byte strings. One value has exactly one
 * encoding, and the reader accepts nothing else (decoders finish with `done()`, which demands that no byte is left).
 *
 * The reader never throws: the first violation makes it *fail*, after which every read gives a harmless value and
 * `done()` is false. So a decoder is written straight down and asks once, at its end.
 */
import { partToHex, putHex } from './bytes.ts';
import type { Digest, TcEpoch } from './types.ts';
import { SAFE_INTEGER_END, ZERO_DIGEST } from './types.ts';

const EMPTY = new Uint8Array(0);
const TWO_32 = 2 ** 32;

/**
 * Buffers of writers that have finished, for the next ones: messages are short and many, and a fresh buffer for each
 * costs more than what is written into it. Nobody outside sees one of these for longer than a call (`finishInto`).
 */
const SPARE: Uint8Array[] = [];
const SPARE_MAX = 8;
const SPARE_BYTES_MIN = 4096;
const SPARE_BYTES_MAX = 64 * 1024;

/** Growing buffer of canonical bytes. */
export class Writer {
  #bytes: Uint8Array;
  #length = 0;
  /** Whether the buffer is this writer's alone and nobody has got it. */
  #owned = true;

  /** `capacity`: bytes that will probably be needed. */
  constructor(capacity = 256) {
    this.#bytes =
      (capacity > SPARE_BYTES_MAX ? undefined : SPARE.pop()) ??
      new Uint8Array(Math.max(SPARE_BYTES_MIN, capacity));
  }

  /** A writer that writes into this room as long as it suffices. The room stays the caller's. */
  static over(room: Uint8Array): Writer {
    const writer = new Writer();
    writer.#giveUp(room);
    return writer;
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#length;
  }

  #room(count: number): number {
    const at = this.#length;
    const end = at + count;
    if (end > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(end, this.#bytes.length * 2));
      larger.set(this.#bytes.subarray(0, at));
      this.#spare();
      this.#bytes = larger;
      this.#owned = true;
    }
    this.#length = end;
    return at;
  }

  u8(value: number): this {
    const at = this.#room(1);
    this.#bytes[at] = value;
    return this;
  }

  u16(value: number): this {
    const at = this.#room(2);
    this.#bytes[at] = value >>> 8;
    this.#bytes[at + 1] = value;
    return this;
  }

  u32(value: number): this {
    this.#putU32(this.#room(4), value);
    return this;
  }

  #putU32(at: number, value: number): void {
    const bytes = this.#bytes;
    bytes[at] = value >>> 24;
    bytes[at + 1] = value >>> 16;
    bytes[at + 2] = value >>> 8;
    bytes[at + 3] = value;
  }

  /** Safe integer >= 0 as eight bytes. */
  u64(value: number): this {
    return this.u32(Math.floor(value / TWO_32)).u32(value >>> 0);
  }

  bool(value: boolean): this {
    return this.u8(value ? 1 : 0);
  }

  /** Bytes without a length: for fields of fixed size. */
  raw(bytes: Uint8Array): this {
    const at = this.#room(bytes.length);
    this.#bytes.set(bytes, at);
    return this;
  }

  /** What was written before, from one length up to another, once more. */
  again(from: number, to: number): this {
    const at = this.#room(to - from);
    this.#bytes.copyWithin(at, from, to);
    return this;
  }

  /** u32 length and the bytes. */
  bytes(bytes: Uint8Array): this {
    return this.u32(bytes.length).raw(bytes);
  }

  /** u32 length and what is written of an item: the same as `bytes` of it, without making them first. */
  nested<T>(item: T, write: (writer: Writer, item: T) => void): this {
    const at = this.#room(4);
    write(this, item);
    this.#putU32(at, this.#length - at - 4);
    return this;
  }

  /** u32 length and UTF-16 code units below 128; for names and tags only. */
  ascii(text: string): this {
    this.u32(text.length);
    const at = this.#room(text.length);
    const bytes = this.#bytes;
    for (let index = 0; index < text.length; index += 1) bytes[at + index] = text.charCodeAt(index) & 127;
    return this;
  }

  /** 32 bytes. */
  digest(digest: Digest): this {
    return this.hex(digest);
  }

  /** 8 bytes. */
  tcEpoch(epoch: TcEpoch): this {
    return this.hex(epoch);
  }

  /** The bytes of a hexadecimal string of a length that the reader knows. */
  hex(text: string): this {
    const at = this.#room(text.length >>> 1);
    if (!putHex(this.#bytes, at, text)) throw new TypeError('not hexadecimal');
    return this;
  }

  /** u32 count and the items. */
  list<T>(items: readonly T[], write: (writer: Writer, item: T) => void): this {
    this.u32(items.length);
    for (const item of items) write(this, item);
    return this;
  }

  /** A presence byte and, if there is one, the item. */
  option<T>(item: T | undefined, write: (writer: Writer, item: T) => void): this {
    this.bool(item !== undefined);
    if (item !== undefined) write(this, item);
    return this;
  }

  /**
   * What was written from a former `length` on: a view, never changed any more, even if the writer goes on. As with
   * `finish`, what stands beside it in its buffer is of others.
   */
  since(start: number): Uint8Array {
    this.#owned = false;
    return this.#bytes.subarray(start, this.#length);
  }

  /**
   * What was written; never changed any more, even if the writer goes on. It need not fill its buffer, and the rest of that
   * holds what writers before have written: whoever uses `.buffer`, or posts it to another thread (which clones the whole
   * buffer), takes a copy first, above all at the border of a trusted component.
   */
  finish(): Uint8Array {
    const length = this.#length;
    // What is long and nearly fills its buffer takes the buffer with it instead of being copied.
    const isTight = this.#owned && length > SPARE_BYTES_MIN && length * 4 >= this.#bytes.length * 3;
    if (isTight) this.#owned = false;
    const written = isTight ? this.#bytes.subarray(0, length) : this.#bytes.slice(0, length);
    // What follows goes into a new buffer, since this one has no room.
    this.#giveUp(written);
    return written;
  }

  /** What `use` makes of the bytes that were written, without a copy of them: it must not keep them. */
  finishInto<T>(use: (bytes: Uint8Array) => T): T {
    const result = use(this.#bytes.subarray(0, this.#length));
    this.#giveUp(EMPTY);
    this.#length = 0;
    return result;
  }

  /** Gives the buffer to the next writer and goes on with one that is not to be given away. */
  #giveUp(other: Uint8Array): void {
    this.#spare();
    this.#owned = false;
    this.#bytes = other;
  }

  #spare(): void {
    if (this.#owned && SPARE.length < SPARE_MAX && this.#bytes.length <= SPARE_BYTES_MAX)
      SPARE.push(this.#bytes);
  }
}

/** Canonical bytes of a list without items. Shared: nobody may change them. */
export const EMPTY_LIST: Uint8Array = new Writer().u32(0).finish();

/** Strict bounded reader over canonical bytes; see the top of this file. */
export class Reader {
  readonly #bytes: Uint8Array;
  #at: number;
  readonly #end: number;
  #failed = false;

  constructor(bytes: Uint8Array) {
    // Views handed out are plain ones: `slice` of a platform's subclass (a Buffer) would share memory, not copy.
    const { buffer, byteOffset, length } = bytes;
    this.#bytes = bytes.constructor === Uint8Array ? bytes : new Uint8Array(buffer, byteOffset, length);
    this.#at = 0;
    this.#end = bytes.length;
  }

  /** True once anything was wrong. */
  get failed(): boolean {
    return this.#failed;
  }

  /** Offset of the next byte: with `since` it gives back the exact bytes of what was read. */
  get position(): number {
    return this.#at;
  }

  /** Bytes that are left. */
  get remaining(): number {
    return this.#end - this.#at;
  }

  /** Makes the reader fail: for decoders that find a value which is well-formed but not allowed. */
  fail(): void {
    this.#failed = true;
    this.#at = this.#end;
  }

  /** True if nothing was wrong and no byte is left. */
  done(): boolean {
    return !this.#failed && this.#at === this.#end;
  }

  /** The bytes read since `start` (a former `position`); a view, not a copy. */
  since(start: number): Uint8Array {
    return this.#failed ? EMPTY : this.#bytes.subarray(start, this.#at);
  }

  #take(count: number): number {
    const at = this.#at;
    if (this.#failed || count > this.#end - at) {
      this.fail();
      return -1;
    }
    this.#at = at + count;
    return at;
  }

  /** The next byte without taking it; 0 at the end. For decoders that choose by a first byte. */
  peek(): number {
    return this.#at < this.#end ? this.#bytes[this.#at]! : 0;
  }

  u8(): number {
    const at = this.#take(1);
    return at < 0 ? 0 : this.#bytes[at]!;
  }

  u16(): number {
    const at = this.#take(2);
    return at < 0 ? 0 : this.#bytes[at]! * 256 + this.#bytes[at + 1]!;
  }

  u32(): number {
    const at = this.#take(4);
    if (at < 0) return 0;
    const bytes = this.#bytes;
    return bytes[at]! * 0x1000000 + ((bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!);
  }

  /** Eight bytes below 2^53 (decision E2); anything larger fails. */
  u64(): number {
    const value = this.u32() * TWO_32 + this.u32();
    if (value >= SAFE_INTEGER_END) {
      this.fail();
      return 0;
    }
    return value;
  }

  bool(): boolean {
    const value = this.u8();
    if (value > 1) this.fail();
    return value === 1;
  }

  /** `count` bytes; a view, not a copy. */
  raw(count: number): Uint8Array {
    const at = this.#take(count);
    return at < 0 ? EMPTY : this.#bytes.subarray(at, at + count);
  }

  /** Passes over `count` bytes. */
  skip(count: number): void {
    this.#take(count);
  }

  /** Length-prefixed bytes of at most `max`; a view, not a copy. */
  bytes(max: number): Uint8Array {
    const length = this.u32();
    if (length > max) {
      this.fail();
      return EMPTY;
    }
    return this.raw(length);
  }

  ascii(max: number): string {
    let text = '';
    for (const code of this.bytes(max)) {
      if (code > 127) this.fail();
      text += String.fromCharCode(code);
    }
    return text;
  }

  digest(): Digest {
    const at = this.#take(32);
    return (at < 0 ? ZERO_DIGEST : partToHex(this.#bytes, at, at + 32)) as Digest;
  }

  tcEpoch(): TcEpoch {
    const at = this.#take(8);
    return (at < 0 ? '0000000000000000' : partToHex(this.#bytes, at, at + 8)) as TcEpoch;
  }

  /** At most `max` items. Memory is bounded by the bytes that are really there, not by the claimed count. */
  list<T>(max: number, read: (reader: Reader) => T): T[] {
    const count = this.u32();
    const items: T[] = [];
    if (count > max) {
      this.fail();
      return items;
    }
    for (let index = 0; index < count && !this.#failed; index += 1) items.push(read(this));
    return items;
  }

  option<T>(read: (reader: Reader) => T): T | undefined {
    return this.bool() ? read(this) : undefined;
  }
}

/**
 * Decodes a whole byte string: the value, or undefined if the bytes are not exactly one canonical encoding.
 * `read` must not throw; it asks nothing of the reader but reads.
 */
export function decodeWhole<T>(bytes: Uint8Array, read: (reader: Reader) => T): T | undefined {
  const reader = new Reader(bytes);
  const value = read(reader);
  return reader.done() ? value : undefined;
}
