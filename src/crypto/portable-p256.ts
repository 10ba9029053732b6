/** ECDSA P-256 for readers without the operating system's library: words of a TPM in evidence that is judged offline. */
import { p256 } from '@noble/curves/nist.js';

/** ECDSA on P-256 with SHA-256: uncompressed key of 65 bytes, r and s of 32 bytes each; false for anything else. */
export function verifyP256Portable(
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  if (publicKey.length !== 65 || publicKey[0] !== 4 || signature.length !== 64) return false;
  try {
    return p256.verify(signature, message, publicKey, { prehash: true, lowS: false, format: 'compact' });
  } catch {
    // Not a point of the curve.
    return false;
  }
}
