/**
 * The format of append-only files: a header, then frames. Each frame carries a check value over itself, the check
 * value of the frame before it (so that reordered or spliced files are noticed) and the position up to which the file
 * was known to be durable when the frame was written. The last tells a *torn tail* (a crash before a sync: cut it)
 * from *damage* (something that had been durable is gone: refuse it).
 *
 * The check values are truncated SHA-256 with a random salt of the file, so that bytes which a client or peer chose
 * can never look like a frame. They find accidents; whoever can write to the disk can make new ones.
 */
import { createHash, randomBytes } from 'node:crypto';

/** Bytes of a file's header. */
export const FILE_HEADER_BYTES = 64;
/** Bytes of a frame without its payload. */
export const FRAME_OVERHEAD_BYTES = 56;
/** Bytes of a frame before its payload. */
export const FRAME_HEAD_BYTES = 40;
const CHECK_BYTES = 16;
/** Bytes that are searched for a frame at once. */
const SEARCH_BYTES = 1024 * 1024;
const FILE_MAGIC = Buffer.from('MOIETYF1', 'ascii');
const FRAME_MAGIC = Buffer.from('MFR1', 'ascii');

/** What makes the frames of one file belong to it. */
export interface FileIdentity {
  /** Four ASCII characters: what the file is for. */
  readonly kind: string;
  readonly generation: number;
  readonly salt: Uint8Array;
  /** Check value of the header: the "previous" of the first frame. */
  readonly check: Uint8Array;
}

/** What is wrong with a file, and where. */
export interface FileDamage {
  readonly offset: number;
  readonly problem: string;
  /** Whether something says that the bytes there had been durable. */
  readonly wasDurable: boolean;
}

/** One frame of a file. `payload` is a view into the bytes that were read. */
export interface Frame {
  readonly position: number;
  readonly payload: Uint8Array;
  /** Where the next frame belongs, and the check value that it names as its previous one. */
  readonly end: number;
  readonly check: Uint8Array;
}

/** What stands behind the last good frame. */
export interface FrameEnd {
  /** End of the last good frame: where the next one belongs. */
  readonly end: number;
  /** Check value of the last good frame. */
  readonly check: Uint8Array;
  /** Bytes after `end` that a crash left half written. */
  readonly tornBytes: number;
  readonly damage: FileDamage | undefined;
}

/** Outcome of reading a file. */
export interface FrameScan extends FrameEnd {
  readonly frames: readonly Frame[];
}

/** Where the bytes of a file come from. */
export interface ByteSource {
  readonly size: number;
  /** Up to `length` bytes at `position`; fewer where the source ends, or will not give so many at once. */
  read(position: number, length: number): Uint8Array;
}

function checkOf(...parts: readonly Uint8Array[]): Uint8Array {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest().subarray(0, CHECK_BYTES);
}

/** Makes the header of a new file. */
export function createFileHeader(
  kind: string,
  generation: number,
): { header: Uint8Array; identity: FileIdentity } {
  const header = Buffer.alloc(FILE_HEADER_BYTES);
  FILE_MAGIC.copy(header, 0);
  header.write(kind, 8, 4, 'ascii');
  header.writeBigUInt64BE(BigInt(generation), 12);
  const salt = randomBytes(16);
  salt.copy(header, 20);
  const check = checkOf(header.subarray(0, 48));
  header.set(check, 48);
  return { header, identity: { kind, generation, salt, check } };
}

/** Reads a file's header; undefined if it is not one of this kind and version. */
export function readFileHeader(bytes: Uint8Array, kind: string): FileIdentity | undefined {
  if (bytes.length < FILE_HEADER_BYTES) return undefined;
  const header = Buffer.from(bytes.buffer, bytes.byteOffset, FILE_HEADER_BYTES);
  if (!header.subarray(0, 8).equals(FILE_MAGIC) || header.toString('ascii', 8, 12) !== kind) return undefined;
  const check = checkOf(header.subarray(0, 48));
  if (!header.subarray(48, 64).equals(check)) return undefined;
  return {
    kind,
    generation: Number(header.readBigUInt64BE(12)),
    salt: Buffer.from(header.subarray(20, 36)),
    check,
  };
}

/**
 * Bytes of one frame at `position`; `parts` together are its payload. `check` is the next frame's `previous`. The frame is
 * made in `room` if it fits there.
 */
export function createFrame(
  identity: FileIdentity,
  at: { readonly position: number; readonly syncedUpTo: number; readonly previous: Uint8Array },
  parts: readonly Uint8Array[],
  room?: Buffer,
): { bytes: Uint8Array; check: Uint8Array } {
  let length = 0;
  for (const part of parts) length += part.length;
  const size = FRAME_OVERHEAD_BYTES + length;
  const bytes = room !== undefined && size <= room.length ? room.subarray(0, size) : Buffer.allocUnsafe(size);
  FRAME_MAGIC.copy(bytes, 0);
  bytes.writeUInt32BE(length, 4);
  bytes.writeBigUInt64BE(BigInt(at.position), 8);
  bytes.writeBigUInt64BE(BigInt(at.syncedUpTo), 16);
  bytes.set(at.previous, 24);
  let offset = FRAME_HEAD_BYTES;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  const check = checkOf(identity.salt, bytes.subarray(0, offset));
  bytes.set(check, offset);
  return { bytes, check };
}

interface ParsedFrame extends Frame {
  readonly syncedUpTo: number;
  readonly previous: Buffer;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** Length of the payload that the head of a frame at `position` tells; undefined if there is no such head. */
function payloadLength(head: Buffer, position: number): number | undefined {
  if (head.length < FRAME_HEAD_BYTES || head.compare(FRAME_MAGIC, 0, 4, 0, 4) !== 0) return undefined;
  return Number(head.readBigUInt64BE(8)) === position ? head.readUInt32BE(4) : undefined;
}

/** The frame that stands at `position` of a file and at the start of `bytes`; undefined if none is whole. */
function frameAt(identity: FileIdentity, bytes: Buffer, position: number): ParsedFrame | undefined {
  const length = payloadLength(bytes, position);
  if (length === undefined || FRAME_OVERHEAD_BYTES + length > bytes.length) return undefined;
  const end = FRAME_OVERHEAD_BYTES + length;
  const check = bytes.subarray(end - CHECK_BYTES, end);
  if (!check.equals(checkOf(identity.salt, bytes.subarray(0, end - CHECK_BYTES)))) return undefined;
  return {
    position,
    payload: bytes.subarray(FRAME_HEAD_BYTES, end - CHECK_BYTES),
    syncedUpTo: Number(bytes.readBigUInt64BE(16)),
    previous: bytes.subarray(24, FRAME_HEAD_BYTES),
    check,
    end: position + end,
  };
}

/** Reads the frame at `position`, and not more than that; undefined if none is whole. */
function frameOf(identity: FileIdentity, source: ByteSource, position: number): ParsedFrame | undefined {
  const length = payloadLength(asBuffer(source.read(position, FRAME_HEAD_BYTES)), position);
  if (length === undefined || position + FRAME_OVERHEAD_BYTES + length > source.size) return undefined;
  return frameAt(identity, asBuffer(source.read(position, FRAME_OVERHEAD_BYTES + length)), position);
}

/** Places from `start` on where a frame may begin. */
function* likelyFrames(source: ByteSource, start: number): Generator<number, void> {
  // Windows overlap by less than a magic.
  for (let from = start; from < source.size; from += SEARCH_BYTES - FRAME_MAGIC.length + 1) {
    const window = asBuffer(source.read(from, SEARCH_BYTES));
    for (let at = window.indexOf(FRAME_MAGIC); at >= 0; at = window.indexOf(FRAME_MAGIC, at + 1))
      yield from + at;
  }
}

/** Looks behind a bad place for a good frame that was written when the bad place was durable already. */
function proofOfDamage(identity: FileIdentity, source: ByteSource, bad: number): FileDamage | undefined {
  for (const at of likelyFrames(source, bad + 1)) {
    const later = frameOf(identity, source, at);
    if (later === undefined || later.syncedUpTo <= bad) continue;
    return {
      offset: bad,
      problem: `bytes that were durable are unreadable (a good record follows at ${at})`,
      wasDurable: true,
    };
  }
  return undefined;
}

/**
 * Reads the frames of a file whose header was read as `identity`, one by one, so that no more of the file needs to be in
 * memory. Returns what stands behind the last good one.
 */
export function* walkFrames(identity: FileIdentity, source: ByteSource): Generator<Frame, FrameEnd, void> {
  let position = FILE_HEADER_BYTES;
  let check: Uint8Array = identity.check;
  while (position < source.size) {
    const frame = frameOf(identity, source, position);
    if (frame === undefined) break;
    if (!frame.previous.equals(check)) {
      const problem = 'the chain of records is broken (reordered or spliced)';
      const damage = { offset: position, problem, wasDurable: false };
      return { end: position, check, tornBytes: 0, damage };
    }
    yield frame;
    ({ check, end: position } = frame);
  }
  const damage = position < source.size ? proofOfDamage(identity, source, position) : undefined;
  return { end: position, check, tornBytes: source.size - position, damage };
}

/** Reads all frames of a whole file whose header was read as `identity`. */
export function scanFrames(identity: FileIdentity, file: Uint8Array): FrameScan {
  const read = (position: number, length: number): Uint8Array => file.subarray(position, position + length);
  const walk = walkFrames(identity, { size: file.length, read });
  const frames: Frame[] = [];
  for (;;) {
    const step = walk.next();
    if (step.done === true) return { frames, ...step.value };
    frames.push(step.value);
  }
}

/** Checks one frame that was read by its known position; undefined if it is not whole. */
export function readFrame(
  identity: FileIdentity,
  position: number,
  bytes: Uint8Array,
): Uint8Array | undefined {
  return frameAt(identity, asBuffer(bytes), position)?.payload;
}
