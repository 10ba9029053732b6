/**
 * Frames of the floor: what any replicated service in Node must do at least. A batch of requests, or of answers, with
 * one MAC: u32 count, then for each u32 number, u32 length and the bytes; 32 bytes of HMAC-SHA256 at the end.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { KeyObject } from 'node:crypto';

const MAC_BYTES = 32;

/** Bytes of a batch; every entry carries the same payload. */
export function encodeFloorBatch(
  key: KeyObject,
  numbers: readonly number[],
  payload: Uint8Array,
): Uint8Array {
  const entryBytes = 8 + payload.length;
  const bodyBytes = 4 + numbers.length * entryBytes;
  const bytes = Buffer.allocUnsafe(bodyBytes + MAC_BYTES);
  bytes.writeUInt32BE(numbers.length, 0);
  let offset = 4;
  for (const number of numbers) {
    bytes.writeUInt32BE(number, offset);
    bytes.writeUInt32BE(payload.length, offset + 4);
    bytes.set(payload, offset + 8);
    offset += entryBytes;
  }
  bytes.set(createHmac('sha256', key).update(bytes.subarray(0, bodyBytes)).digest(), bodyBytes);
  return bytes;
}

/** Numbers of a batch whose MAC is right and whose lengths fit; undefined otherwise. */
export function decodeFloorBatch(key: KeyObject, bytes: Uint8Array): readonly number[] | undefined {
  const bodyBytes = bytes.length - MAC_BYTES;
  if (bodyBytes < 4) return undefined;
  const mac = createHmac('sha256', key).update(bytes.subarray(0, bodyBytes)).digest();
  if (!timingSafeEqual(mac, bytes.subarray(bodyBytes))) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bodyBytes);
  const count = view.getUint32(0);
  const numbers: number[] = [];
  let offset = 4;
  for (let index = 0; index < count && offset + 8 <= bodyBytes; index += 1) {
    numbers.push(view.getUint32(offset));
    offset += 8 + view.getUint32(offset + 4);
  }
  return offset === bodyBytes && numbers.length === count ? numbers : undefined;
}
