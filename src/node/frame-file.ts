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
const FRAME_HEAD_BYTES = 40;
const CHECK_BYTES = 16;
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
}

/** One frame of a file. `payload` is a view into the bytes that were read. */
export interface Frame {
  readonly position: number;
  readonly payload: Uint8Array;
}

/** Outcome of reading a file. */
export interface FrameScan {
  readonly frames: readonly Frame[];
  /** End of the last good frame: where the next one belongs. */
  readonly end: number;
  /** Check value of the last good frame. */
  readonly check: Uint8Array;
  /** Bytes after `end` that a crash left half written. */
  readonly tornBytes: number;
  readonly damage: FileDamage | undefined;
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

/** Bytes of one frame at `position`; `parts` together are its payload. `check` is the next frame's `previous`. */
export function createFrame(
  identity: FileIdentity,
  at: { readonly position: number; readonly syncedUpTo: number; readonly previous: Uint8Array },
  parts: readonly Uint8Array[],
): { bytes: Uint8Array; check: Uint8Array } {
  let length = 0;
  for (const part of parts) length += part.length;
  const bytes = Buffer.allocUnsafe(FRAME_OVERHEAD_BYTES + length);
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

interface ParsedFrame {
  readonly payload: Buffer;
  readonly syncedUpTo: number;
  readonly previous: Buffer;
  readonly check: Buffer;
  readonly end: number;
}

/** The frame that stands at `position` of `bytes`, which begin at `base` of the file; undefined if none is whole. */
function frameAt(
  identity: FileIdentity,
  bytes: Buffer,
  base: number,
  position: number,
): ParsedFrame | undefined {
  const at = position - base;
  if (at + FRAME_OVERHEAD_BYTES > bytes.length) return undefined;
  if (bytes.compare(FRAME_MAGIC, 0, 4, at, at + 4) !== 0) return undefined;
  const length = bytes.readUInt32BE(at + 4);
  const end = at + FRAME_OVERHEAD_BYTES + length;
  if (end > bytes.length || Number(bytes.readBigUInt64BE(at + 8)) !== position) return undefined;
  const check = bytes.subarray(end - CHECK_BYTES, end);
  if (!check.equals(checkOf(identity.salt, bytes.subarray(at, end - CHECK_BYTES)))) return undefined;
  return {
    payload: bytes.subarray(at + FRAME_HEAD_BYTES, end - CHECK_BYTES),
    syncedUpTo: Number(bytes.readBigUInt64BE(at + 16)),
    previous: bytes.subarray(at + 24, at + FRAME_HEAD_BYTES),
    check,
    end: base + end,
  };
}

/** Looks behind a bad place for a good frame that was written when the bad place was durable already. */
function proofOfDamage(identity: FileIdentity, bytes: Buffer, bad: number): FileDamage | undefined {
  for (let at = bytes.indexOf(FRAME_MAGIC, bad + 1); at >= 0; at = bytes.indexOf(FRAME_MAGIC, at + 1)) {
    const later = frameAt(identity, bytes, 0, at);
    if (later === undefined || later.syncedUpTo <= bad) continue;
    return {
      offset: bad,
      problem: `bytes that were durable are unreadable (a good record follows at ${at})`,
    };
  }
  return undefined;
}

/** Reads all frames of a whole file whose header was read as `identity`. */
export function scanFrames(identity: FileIdentity, file: Uint8Array): FrameScan {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.length);
  const frames: Frame[] = [];
  let position = FILE_HEADER_BYTES;
  let check: Uint8Array = identity.check;
  while (position < bytes.length) {
    const frame = frameAt(identity, bytes, 0, position);
    if (frame === undefined) break;
    if (!frame.previous.equals(check)) {
      const damage = { offset: position, problem: 'the chain of records is broken (reordered or spliced)' };
      return { frames, end: position, check, tornBytes: 0, damage };
    }
    frames.push({ position, payload: frame.payload });
    check = frame.check;
    position = frame.end;
  }
  const damage = position < bytes.length ? proofOfDamage(identity, bytes, position) : undefined;
  return { frames, end: position, check, tornBytes: bytes.length - position, damage };
}

/** Checks one frame that was read by its known position; undefined if it is not whole. */
export function readFrame(
  identity: FileIdentity,
  position: number,
  bytes: Uint8Array,
): Uint8Array | undefined {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  return frameAt(identity, buffer, position, position)?.payload;
}
