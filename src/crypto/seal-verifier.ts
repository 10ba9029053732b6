/**
 * The key directory behind `SealVerifier` (decision B4): the same for every back end, which only brings the check of
 * one signature.
 */
import { digestToBytes } from '../core/bytes.ts';
import type { ObjectAttestation } from '../core/attestation.ts';
import type { Seal, SealVerdict, TrustedKey, UniqueIdentifier } from '../core/protocol.ts';
import type { RecoverRequest } from '../core/request.ts';
import type { Digest, ReplicaId } from '../core/types.ts';
import type { SealVerifier } from './port.ts';

/** Checks one signature under the rule of decision B5. Never throws. */
export type SignatureCheck = (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean;

/** Checks one counter certificate: the authenticator over the statement that `ui` and `digest` stand for. */
export type CounterCheck = (key: TrustedKey, ui: UniqueIdentifier, digest: Digest) => boolean;

/** Checks the word of a counter or log: the authenticator over the statement that it and `digest` stand for. */
export type ObjectCheck = (key: TrustedKey, attestation: ObjectAttestation, digest: Digest) => boolean;

/**
 * What is wrong with the evidence of a RECOVER, in words; undefined if it holds (`trusted/attestation/registration.ts`).
 * A pure function of the settings of the cluster and of bytes: every replica comes to the same answer.
 */
export type EvidenceCheck = (request: RecoverRequest) => string | undefined;

/** What a verifier is made of. */
export interface SealVerifierOptions {
  /** Raw host keys by replica; they passed `isPrimeOrderKey` when the cluster was made. */
  readonly hostKeys: readonly Uint8Array[];
  readonly verifySignature: SignatureCheck;
  readonly verifyCounter: CounterCheck;
  /** Absent where no component has objects: their words are invalid then. */
  readonly verifyObject?: ObjectCheck;
  readonly verifyEvidence: EvidenceCheck;
}

/**
 * A verifier with an own directory of trusted keys; empty at first, see `trust`. A seal of a replica that is no member
 * is `invalid`; of a member under a tcEpoch that was not registered here yet, `unknownKey`.
 */
export function createSealVerifier(options: SealVerifierOptions): SealVerifier {
  const { hostKeys, verifySignature, verifyCounter, verifyEvidence, verifyObject = () => false } = options;
  const trustedKeys = new Map<string, TrustedKey>();
  const nameOf = (replica: ReplicaId, tcEpoch: string): string => `${replica}/${tcEpoch}`;

  const judge = (seal: Seal): SealVerdict => {
    if (seal.kind === 'client')
      return verifySignature(seal.key, digestToBytes(seal.digest), seal.signature) ? 'valid' : 'invalid';
    if (seal.kind === 'host') {
      const key = hostKeys[seal.replica];
      if (key === undefined) return 'invalid';
      return verifySignature(key, digestToBytes(seal.digest), seal.signature) ? 'valid' : 'invalid';
    }
    if (seal.kind === 'evidence') {
      if (hostKeys[seal.request.replica] === undefined) return 'invalid';
      return verifyEvidence(seal.request) === undefined ? 'valid' : 'invalid';
    }
    const { replica, tcEpoch } = seal.kind === 'object' ? seal.attestation : seal.ui;
    if (hostKeys[replica] === undefined) return 'invalid';
    const trusted = trustedKeys.get(nameOf(replica, tcEpoch));
    if (trusted === undefined) return 'unknownKey';
    const holds =
      seal.kind === 'object'
        ? verifyObject(trusted, seal.attestation, seal.digest)
        : verifyCounter(trusted, seal.ui, seal.digest);
    return holds ? 'valid' : 'invalid';
  };

  return {
    evidenceProblem: verifyEvidence,
    verifyMany: (seals) => {
      let verdict: SealVerdict = 'valid';
      for (const seal of seals) {
        const one = judge(seal);
        if (one === 'invalid') return 'invalid';
        if (one === 'unknownKey') verdict = 'unknownKey';
      }
      return verdict;
    },
    trust: (key) => {
      const name = nameOf(key.replica, key.tcEpoch);
      if (!trustedKeys.has(name)) trustedKeys.set(name, key);
    },
  };
}
