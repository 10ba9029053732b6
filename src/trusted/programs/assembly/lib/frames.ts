// @ts-nocheck AssemblyScript has other types; its own compiler checks them.
// Reading a request and writing an answer: the canonical bytes of `trusted/frames.ts`. Integers are big-endian. A
// reader never goes beyond what it was given: anything missing or left over sets `broken`.

/** Bytes of a statement. */
export const STATEMENT_BYTES: i32 = 136;
/** Bytes of the message core that a certify call may bring. */
export const CORE_BYTES_MAX: i32 = 4096;
/** Certificates that `recent` can show. */
export const RECENT_DEPTH: i32 = 64;
/** 2^53: values from here on are refused (decision E2). */
export const SAFE_INTEGER_END: u64 = 1 << 53;
/** 2^64-1 of the wire: "no value". */
export const SENTINEL: u64 = u64.MAX_VALUE;

/** Requests. */
export const OP_IDENTIFY: i32 = 1;
export const OP_CERTIFY: i32 = 2;
export const OP_RECENT: i32 = 3;
export const OP_RENEW: i32 = 4;
export const OP_VERIFY: i32 = 5;
export const OP_ATTEST: i32 = 6;
export const OP_CREATE: i32 = 7;
export const OP_ADVANCE: i32 = 8;
export const OP_STATUS: i32 = 9;
export const OP_CLOSE: i32 = 10;
export const OP_PLAIN: i32 = 11;
export const OP_ADVANCE_MANY: i32 = 12;
export const OP_REPLAY: i32 = 13;
export const OP_EXPORT_CLIENT_KEY: i32 = 14;
export const OP_VERIFY_TAGS: i32 = 15;
export const OP_APPEND: i32 = 20;
export const OP_ADVANCE_LOG: i32 = 21;
export const OP_LOOKUP: i32 = 22;
export const OP_END: i32 = 23;
export const OP_TRUNCATE: i32 = 24;
export const OP_EXTENSION: i32 = 64;
/** Answers that are not named like their request. */
export const OP_CERTIFICATES: i32 = 128;
export const OP_DONE: i32 = 129;
export const OP_ERROR: i32 = 255;

/** Error codes, in the order of the wire. */
export const NO_OBJECT: i32 = 0;
export const EXISTS: i32 = 1;
export const MODE: i32 = 2;
export const NOT_MONOTONIC: i32 = 3;
export const CLOSED: i32 = 4;
export const OVERFLOW: i32 = 5;
export const QUOTA: i32 = 6;
export const NOT_READY: i32 = 7;
export const BAD_AUTH: i32 = 8;
export const BAD_REQUEST: i32 = 9;
export const STORAGE: i32 = 10;

let readAt: usize = 0;
let readEnd: usize = 0;
let broken: bool = false;
let writeAt: usize = 0;
let writeStart: usize = 0;

/** Begins to read `length` bytes. */
export function readFrom(at: usize, length: i32): void {
  readAt = at;
  readEnd = at + length;
  broken = length < 0;
}

/** Marks what is read as not canonical. */
export function fail(): void {
  broken = true;
}

/** True if everything was there and nothing is left. */
export function readDone(): bool {
  return !broken && readAt == readEnd;
}

/** Address of the next `length` bytes, which are there unless the reader is broken. */
export function take(length: i32): usize {
  const at = readAt;
  if (broken || length < 0 || <usize>length > readEnd - readAt) {
    broken = true;
    return writeStart;
  }
  readAt += length;
  return at;
}

export function readU8(): i32 {
  const at = take(1);
  return broken ? 0 : load<u8>(at);
}

export function readU32(): u32 {
  const at = take(4);
  return broken ? 0 : bswap<u32>(load<u32>(at));
}

/** A value below 2^53; with `orSentinel` also 2^64-1. */
export function readValue(orSentinel: bool = false): u64 {
  const at = take(8);
  if (broken) return 0;
  const value = bswap<u64>(load<u64>(at));
  if (value >= SAFE_INTEGER_END && !(orSentinel && value == SENTINEL)) broken = true;
  return value;
}

/** An object id as it lies in memory (not swapped: only compared and copied). */
export function readObject(): u64 {
  const at = take(8);
  return broken ? 0 : load<u64>(at);
}

let bytesLength: i32 = 0;

/** Address of length-prefixed bytes of at most `max`; their length is `takenLength()`. */
export function readBytes(max: i32): usize {
  const length = readU32();
  if (length > <u32>max) broken = true;
  bytesLength = broken ? 0 : <i32>length;
  const at = take(bytesLength);
  if (broken) bytesLength = 0;
  return at;
}

/** Length of what `readBytes` gave last. */
export function takenLength(): i32 {
  return bytesLength;
}

/** Begins to write an answer. */
export function writeTo(at: usize): void {
  writeAt = at;
  writeStart = at;
}

/** Bytes written so far. */
export function written(): i32 {
  return <i32>(writeAt - writeStart);
}

export function writeU8(value: i32): void {
  store<u8>(writeAt, value);
  writeAt += 1;
}

export function writeU16(value: i32): void {
  store<u16>(writeAt, bswap<u16>(<u16>value));
  writeAt += 2;
}

export function writeU32(value: u32): void {
  store<u32>(writeAt, bswap<u32>(value));
  writeAt += 4;
}

export function writeU64(value: u64): void {
  store<u64>(writeAt, bswap<u64>(value));
  writeAt += 8;
}

/** Bytes of fixed size. */
export function writeRaw(at: usize, length: i32): void {
  memory.copy(writeAt, at, length);
  writeAt += length;
}

/** Length-prefixed bytes. */
export function writeBytes(at: usize, length: i32): void {
  writeU32(length);
  writeRaw(at, length);
}

/** Room for `length` bytes that the caller fills. */
export function reserve(length: i32): usize {
  const at = writeAt;
  writeAt += length;
  return at;
}

/** A string of the program itself, length-prefixed. It lies in static memory as UTF-16 of ASCII. */
export function writeText(text: string): void {
  const length = text.length;
  writeU32(length);
  for (let index: i32 = 0; index < length; index++) writeU8(text.charCodeAt(index));
}

/** Bytes as hexadecimal text, length-prefixed. */
export function writeHexText(at: usize, length: i32): void {
  writeU32(2 * length);
  for (let index: i32 = 0; index < 2 * length; index++) {
    const byte = load<u8>(at + (index >> 1));
    const nibble = index & 1 ? byte & 15 : byte >> 4;
    writeU8(nibble < 10 ? 48 + nibble : 87 + nibble);
  }
}

/** Replaces whatever was written by an error. */
export function writeError(code: i32, message: string): void {
  writeAt = writeStart;
  writeU8(OP_ERROR);
  writeU8(code);
  writeText(message);
}
