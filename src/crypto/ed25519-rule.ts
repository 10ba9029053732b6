/**
 * The one signature rule (decision B5), as portable pure code. Libraries agree on honest Ed25519 signatures and differ
 * on crafted ones; replicas that judged one client's signature differently would be split by it. So the rule is
 * written down here and every back end must give the same verdicts (`vectors.test.ts`):
 *
 * - K1 (registration) the public key is a canonical encoding of a point of prime order: no small-order key, no
 *   torsion component, not the neutral point;
 * - K2 the signature has 64 bytes, its first half R is not the neutral point, its second half S is below the group
 *   order L. (With a key of prime order the neutral point is the only R of small order that K3 lets through. Newer
 *   OpenSSL and libsodium refuse it, older OpenSSL does not; an honest signer never makes it.);
 * - K3 with h = SHA-512(R, A, message) mod L over the bytes as received, the encoding of [S]B - [h]A equals the first
 *   half R of the signature, byte for byte. Cofactorless, and R is canonical because an encoder made the other side.
 *
 * K2 is a matter of bytes (`isAdmissibleSignature`): every back end asks it before its library, so that only K3 is left
 * to libraries. The verifier here is slow (about a millisecond): for browsers, offline verification and tests; replicas use the system's library.
 */
import { ed25519 } from '@noble/curves/ed25519.js';
import { sha512 } from '@noble/hashes/sha2.js';
import { concatBytes, equalBytes, hexToBytes } from '../core/bytes.ts';

/** Bytes of a public key. */
export const PUBLIC_KEY_BYTES = 32;
/** Bytes of a signature. */
export const SIGNATURE_BYTES = 64;

const Point = ed25519.Point;
/** L, the prime order of the base point. */
const GROUP_ORDER = Point.Fn.ORDER;
/** L as in the second half of a signature: 32 bytes, the lowest first. */
const GROUP_ORDER_BYTES = hexToBytes('edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010')!;

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

/** Rule K2, in bytes: cheap, to be asked by every back end before its library. Never throws. */
export function isAdmissibleSignature(signature: Uint8Array): boolean {
  if (signature.length !== SIGNATURE_BYTES) return false;
  let rest = signature[0]! ^ 1;
  for (let index = 1; index < 32; index += 1) rest |= signature[index]!;
  if (rest === 0) return false;
  for (let index = 31; index >= 0; index -= 1) {
    const difference = signature[32 + index]! - GROUP_ORDER_BYTES[index]!;
    if (difference !== 0) return difference < 0;
  }
  return false;
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
  if (!isAdmissibleSignature(signature)) return false;
  const key = decodePoint(publicKey);
  if (key === undefined) return false;
  const commitment = signature.subarray(0, 32);
  const response = littleEndianInteger(signature.subarray(32));
  const challenge = littleEndianInteger(sha512(concatBytes(commitment, publicKey, message))) % GROUP_ORDER;
  const expected = Point.BASE.multiplyUnsafe(response).subtract(key.multiplyUnsafe(challenge));
  return equalBytes(expected.toBytes(), commitment);
}
