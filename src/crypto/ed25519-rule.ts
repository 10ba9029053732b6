/**
 * The one signature rule (decision B5), as portable pure code. Libraries agree on honest Ed25519 signatures and differ
 * on crafted ones; replicas that judged one client's signature differently would be split by it. So the rule is
 * written down here and every back end must give the same verdicts (`vectors.test.ts`):
 *
 * - K1 (registration) the public key is a canonical encoding of a point of prime order: no small-order key, no
 *   torsion component, not the neutral point;
 * - K2 the signature has 64 bytes, its second half S is below the group order L;
 * - K3 with h = SHA-512(R, A, message) mod L over the bytes as received, the encoding of [S]B - [h]A equals the first
 *   half R of the signature, byte for byte. Cofactorless, and R is canonical because an encoder made the other side.
 *
 * Slow (about a millisecond): for browsers, offline verification and tests; replicas use the system's library.
 */
import { ed25519 } from '@noble/curves/ed25519.js';
import { sha512 } from '@noble/hashes/sha2.js';
import { concatBytes, equalBytes } from '../core/bytes.ts';

/** Bytes of a public key. */
export const PUBLIC_KEY_BYTES = 32;
/** Bytes of a signature. */
export const SIGNATURE_BYTES = 64;

const Point = ed25519.Point;
/** L, the prime order of the base point. */
const GROUP_ORDER = Point.Fn.ORDER;

type CurvePoint = ReturnType<typeof Point.fromBytes>;

function littleEndianInteger(bytes: Uint8Array): bigint {
  let value = 0n;
  for (let index = bytes.length - 1; index >= 0; index -= 1) value = (value << 8n) | BigInt(bytes[index]!);
  return value;
}

/** The point of a canonical encoding (y below p, no negative zero), or undefined. */
function decodePoint(bytes: Uint8Array): CurvePoint | undefined {
  if (bytes.length !== PUBLIC_KEY_BYTES) return undefined;
  try {
    return Point.fromBytes(bytes, false);
  } catch {
    return undefined;
  }
}

/** Rule K1: whether a key may be registered. To be asked before any signature of that key counts. */
export function isPrimeOrderKey(publicKey: Uint8Array): boolean {
  const point = decodePoint(publicKey);
  return point !== undefined && !point.isSmallOrder() && point.isTorsionFree();
}

/**
 * Rules K2 and K3: whether `signature` is right for `message` (usually the 32 bytes of a digest). Never throws. The
 * order of the key is not looked at again: see `isPrimeOrderKey`.
 */
export function verifyEd25519Portable(
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  if (signature.length !== SIGNATURE_BYTES) return false;
  const key = decodePoint(publicKey);
  if (key === undefined) return false;
  const commitment = signature.subarray(0, 32);
  const response = littleEndianInteger(signature.subarray(32));
  if (response >= GROUP_ORDER) return false;
  const challenge = littleEndianInteger(sha512(concatBytes(commitment, publicKey, message))) % GROUP_ORDER;
  const expected = Point.BASE.multiplyUnsafe(response).subtract(key.multiplyUnsafe(challenge));
  return equalBytes(expected.toBytes(), commitment);
}
