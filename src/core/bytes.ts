/** Small helpers over byte strings. Pure; no Buffer. */
import type { Digest, TcEpoch } from './types.ts';

const HEX_PAIRS: readonly string[] = Array.from({ length: 256 }, (_, value) =>
  value.toString(16).padStart(2, '0'),
);
const HEX_VALUES = new Int8Array(256).fill(-1);
for (let value = 0; value < 16; value += 1) HEX_VALUES['0123456789abcdef'.charCodeAt(value)] = value;

/** Lower-case hexadecimal of `bytes`. */
export function bytesToHex(bytes: Uint8Array): string {
  let text = '';
  for (let index = 0; index < bytes.length; index += 1) text += HEX_PAIRS[bytes[index]!];
  return text;
}

/** Bytes of a lower-case hexadecimal string, or undefined if it is not one. */
export function hexToBytes(text: string): Uint8Array | undefined {
  if (text.length % 2 !== 0) return undefined;
  const bytes = new Uint8Array(text.length / 2);
  for (let index = 0; index < bytes.length; index += 1) {
    const high = HEX_VALUES[text.charCodeAt(2 * index) & 255]!;
    const low = HEX_VALUES[text.charCodeAt(2 * index + 1) & 255]!;
    if (high < 0 || low < 0 || text.charCodeAt(2 * index) > 255 || text.charCodeAt(2 * index + 1) > 255)
      return undefined;
    bytes[index] = (high << 4) | low;
  }
  return bytes;
}

/** The digest form of 32 bytes. */
export function bytesToDigest(bytes: Uint8Array): Digest {
  return bytesToHex(bytes) as Digest;
}

/** The bytes of a digest that this program made or decoded itself. */
export function digestToBytes(digest: Digest): Uint8Array {
  return hexToBytes(digest)!;
}

/** The tcEpoch form of 8 bytes. */
export function bytesToTcEpoch(bytes: Uint8Array): TcEpoch {
  return bytesToHex(bytes) as TcEpoch;
}

/** True if both byte strings are equal. Not constant-time: never for secrets. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let index = 0; index < a.length; index += 1) if (a[index] !== b[index]) return false;
  return true;
}

/** Lexicographic order of byte strings: negative, zero or positive. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length);
  for (let index = 0; index < shared; index += 1) if (a[index] !== b[index]) return a[index]! - b[index]!;
  return a.length - b.length;
}

/** One byte string out of several. */
export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const whole = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

/** UTF-8 bytes of a string whose characters are all ASCII (names, tags); others are a bug of ours. */
export function asciiBytes(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let index = 0; index < text.length; index += 1) bytes[index] = text.charCodeAt(index) & 127;
  return bytes;
}
