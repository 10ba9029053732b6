/**
 * An evidence format is a plug-in: it reads the body of an endorsement and says what it found. A vendor's format is one
 * more file like `operator.ts` and one more entry in `formats.ts`; nothing else changes.
 */
import type { AllowedFootprint, AllowedProgram, AttestationRoot } from '../../core/config.ts';
import type { Digest, Hash, Milliseconds } from '../../core/types.ts';
import type { Evidence } from '../evidence.ts';
import type { Check } from './verdict.ts';

/**
 * What formats may ask of cryptography. Every replica must come to the same answer (decision B5), so a check accepts
 * one encoding of a signature only, and never throws.
 */
export interface AttestationCrypto {
  readonly hash: Hash;
  /** Ed25519 under the rule of decision B5: raw key of 32 bytes, signature of 64. */
  readonly verifyEd25519: (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean;
  /** ECDSA on P-256 with SHA-256: uncompressed key of 65 bytes, r and s of 32 bytes each. Absent: no such word counts. */
  readonly verifyP256?: (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean;
  /** HMAC suite, where the host has its key (development): the MAC of a component over these bytes. */
  readonly verifyMac?: (message: Uint8Array, tag: Uint8Array) => boolean;
}

/** What an endorsement is judged against. */
export interface FormatContext {
  readonly crypto: AttestationCrypto;
  /** What the component says about itself; its proof of possession was judged already. */
  readonly evidence: Evidence;
  /** Digest over its key and the challenge: what a quote must carry. */
  readonly bind: Digest;
  /** Name of the program that the policy knows by the measurement; undefined if it knows none. */
  readonly program: AllowedProgram | undefined;
  /** What the policy says about the claimed footprint; undefined if it does not allow it. */
  readonly footprint: AllowedFootprint | undefined;
  readonly footprintName: string;
  /** Roots of the policy for this format. */
  readonly roots: readonly AttestationRoot[];
  /** The moment to judge validity at; undefined where there is none to agree on (docs/decisions/0012). */
  readonly timeMs: Milliseconds | undefined;
}

/** See the top of this file. */
export interface EvidenceFormat {
  readonly name: string;
  /** Checks of one endorsement; accepted if all passed and there is one. Never throws on any bytes. */
  verify(body: Uint8Array, context: FormatContext): readonly Check[];
}
