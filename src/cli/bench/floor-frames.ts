/**
 * Frames of the floor, as the product's links have them: u32 length, payload. A payload is a batch of requests, or of
 * answers, with one MAC: u32 count, then for each u32 number, u32 length and the bytes; 32 bytes of HMAC-SHA256.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import type { Socket } from 'node:net';

const HEAD_BYTES = 4;
const MAC_BYTES = 32;
const FRAME_BYTES_MAX = 64 * 1024 * 1024;

/** A whole frame of a batch; every entry carries the same payload. */
export function encodeFloorFrame(
  key: KeyObject,
  numbers: readonly number[],
  payload: Uint8Array,
): Uint8Array {
  const entryBytes = 8 + payload.length;
  const bodyBytes = 4 + numbers.length * entryBytes;
  const bytes = Buffer.allocUnsafe(HEAD_BYTES + bodyBytes + MAC_BYTES);
  bytes.writeUInt32BE(bodyBytes + MAC_BYTES, 0);
  bytes.writeUInt32BE(numbers.length, HEAD_BYTES);
  let offset = HEAD_BYTES + 4;
  for (const number of numbers) {
    bytes.writeUInt32BE(number, offset);
    bytes.writeUInt32BE(payload.length, offset + 4);
    bytes.set(payload, offset + 8);
    offset += entryBytes;
  }
  const body = bytes.subarray(HEAD_BYTES, offset);
  bytes.set(createHmac('sha256', key).update(body).digest(), offset);
  return bytes;
}

/** Numbers of a batch whose MAC is right and whose lengths fit; undefined otherwise. */
export function decodeFloorBatch(key: KeyObject, bytes: Buffer): readonly number[] | undefined {
  const bodyBytes = bytes.length - MAC_BYTES;
  if (bodyBytes < 4) return undefined;
  const mac = createHmac('sha256', key).update(bytes.subarray(0, bodyBytes)).digest();
  if (!timingSafeEqual(mac, bytes.subarray(bodyBytes))) return undefined;
  const count = bytes.readUInt32BE(0);
  const numbers: number[] = [];
  let offset = 4;
  for (let index = 0; index < count && offset + 8 <= bodyBytes; index += 1) {
    numbers.push(bytes.readUInt32BE(offset));
    offset += 8 + bytes.readUInt32BE(offset + 4);
  }
  return offset === bodyBytes && numbers.length === count ? numbers : undefined;
}

/** Calls `onFrame` for each frame that arrives. */
export function readFloorFrames(socket: Socket, onFrame: (payload: Buffer) => void): void {
  let parts: Buffer[] = [];
  let kept = 0;
  let needed = HEAD_BYTES;
  socket.on('data', (chunk) => {
    parts.push(chunk);
    kept += chunk.length;
    if (kept < needed) return;
    const bytes = parts.length === 1 ? chunk : Buffer.concat(parts);
    let offset = 0;
    for (;;) {
      needed = HEAD_BYTES;
      if (bytes.length - offset >= HEAD_BYTES) needed += bytes.readUInt32BE(offset);
      if (needed > FRAME_BYTES_MAX) return void socket.destroy();
      if (bytes.length - offset < needed) break;
      onFrame(bytes.subarray(offset + HEAD_BYTES, offset + needed));
      offset += needed;
    }
    parts = offset < bytes.length ? [bytes.subarray(offset)] : [];
    kept = bytes.length - offset;
  });
}
