/**
 * The port behind which cryptography stands. Pure code asks for these; `node/` gives them with the operating
 * system's library, the browser and offline verifiers with the portable one, the simulator with modelled seals.
 */
import type { Seal, SealVerdict, TrustedKey } from '../core/protocol.ts';
import type { RecoverRequest } from '../core/request.ts';
import type { Digest, Hash } from '../core/types.ts';

/** Signs with one private key that it does not show. */
export interface Signer {
  /** Raw Ed25519 public key, 32 bytes. */
  readonly publicKey: Uint8Array;
  /** Signature (64 bytes) over the 32 bytes of the digest. */
  sign(digest: Digest): Uint8Array;
}

/** Checks seals against the registered keys. One signature rule everywhere (decision B5). */
export interface SealVerifier {
  /** `invalid` if any seal is, else `unknownKey` if any key is unknown, else `valid`. */
  verifyMany(seals: readonly Seal[]): SealVerdict;
  /** Adds a binding; a binding that exists stays as it is. */
  trust(key: TrustedKey): void;
  /** What is wrong with the evidence of a RECOVER, in words; undefined if it holds. */
  evidenceProblem(request: RecoverRequest): string | undefined;
}

/** Everything that a host needs of cryptography. */
export interface CryptoPort {
  readonly hash: Hash;
  readonly hostSigner: Signer;
  readonly verifier: SealVerifier;
}
