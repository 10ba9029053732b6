/** Small helpers over byte strings. Pure; no Buffer. */
import type { Digest, TcEpoch } from './types.ts';

/** Character codes of the sixteen digits, and the value of each character code; -1: not a digit. */
const HEX_CODES = Uint8Array.from('0123456789abcdef', (digit) => digit.charCodeAt(0));
const HEX_VALUES = new Int8Array(256).fill(-1);
for (let value = 0; value < 16; value += 1) HEX_VALUES[HEX_CODES[value]!] = value;

/** Bytes that become text at once: a digest. A string made in one piece is cheaper to make, to hash and to read. */
const PIECE_BYTES = 32;
/** Room for the character codes of a piece, by its number of bytes. */
const PIECES: readonly number[][] = Array.from({ length: PIECE_BYTES + 1 }, (_, size) =>
  new Array<number>(2 * size).fill(0),
);

/** Lower-case hexadecimal of `bytes`. */
export function bytesToHex(bytes: Uint8Array): string {
  return partToHex(bytes, 0, bytes.length);
}

/** Lower-case hexadecimal of the bytes from `from` on and before `to`. */
export function partToHex(bytes: Uint8Array, from: number, to: number): string {
  let text = '';
  for (let start = from; start < to; start += PIECE_BYTES) {
    const size = Math.min(PIECE_BYTES, to - start);
    const codes = PIECES[size]!;
    for (let index = 0; index < size; index += 1) {
      const byte = bytes[start + index]!;
      codes[2 * index] = HEX_CODES[byte >>> 4]!;
      codes[2 * index + 1] = HEX_CODES[byte & 15]!;
    }
    const piece = String.fromCharCode.apply(undefined, codes);
    text = start === from ? piece : text + piece;
  }
  return text;
}

/** Puts the bytes of a lower-case hexadecimal string into `out` at `at`; false if it is not one. `out` has the room. */
export function putHex(out: Uint8Array, at: number, text: string): boolean {
  const { length } = text;
  if (length % 2 !== 0) return false;
  for (let index = 0; index < length; index += 2) {
    const first = text.charCodeAt(index);
    const second = text.charCodeAt(index + 1);
    if ((first | second) > 255) return false;
    const value = (HEX_VALUES[first]! << 4) | HEX_VALUES[second]!;
    if (value < 0) return false;
    out[at + (index >>> 1)] = value;
  }
  return true;
}

/** Bytes of a lower-case hexadecimal string, or undefined if it is not one. */
export function hexToBytes(text: string): Uint8Array | undefined {
  if (text.length % 2 !== 0) return undefined;
  const bytes = new Uint8Array(text.length / 2);
  return putHex(bytes, 0, text) ? bytes : undefined;
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
