/** Cryptography without any system library: for browsers, offline verification and tests. Replicas use `node/`. */
import { ed25519, x25519 } from '@noble/curves/ed25519.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { digestToBytes } from '../core/bytes.ts';
import type { Hash } from '../core/types.ts';
import { verifyEd25519Portable } from './ed25519-rule.ts';
import type { SealVerifier, Signer } from './port.ts';
import type { CounterCheck, EvidenceCheck } from './seal-verifier.ts';
import { createSealVerifier } from './seal-verifier.ts';

/** SHA-256. */
export const portableHash: Hash = (bytes) => sha256(bytes);

/** A signer from a 32-byte Ed25519 seed (RFC 8032). The seed is copied. */
export function createPortableSigner(seed: Uint8Array): Signer {
  const secret = seed.slice();
  return {
    publicKey: ed25519.getPublicKey(secret),
    sign: (digest) => ed25519.sign(digestToBytes(digest), secret),
  };
}

/** A verifier over raw host keys by replica. `verifyCounter` knows the statement layout, which lives in `trusted/`. */
export function createPortableVerifier(
  hostKeys: readonly Uint8Array[],
  verifyCounter: CounterCheck,
  verifyEvidence: EvidenceCheck,
): SealVerifier {
  return createSealVerifier({
    hostKeys,
    verifySignature: verifyEd25519Portable,
    verifyCounter,
    verifyEvidence,
  });
}

/** X25519 (RFC 7748); undefined for a point of small order, or bytes that are none. */
export function portableX25519(secret: Uint8Array, point: Uint8Array): Uint8Array | undefined {
  try {
    return x25519.getSharedSecret(secret, point);
  } catch {
    return undefined;
  }
}

/** Public key of an X25519 secret (32 bytes, any). */
export function portableX25519PublicKey(secret: Uint8Array): Uint8Array {
  return x25519.getPublicKey(secret);
}
