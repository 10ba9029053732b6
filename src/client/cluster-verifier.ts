/**
 * Who is believed from the outside: the host keys of a cluster and the components that its genesis registered. Pure.
 * Components that were re-admitted by RECOVER are not known here: their words are `unknownKey`.
 */
import type { ClusterSettings } from '../core/config.ts';
import type { SealVerifier } from '../crypto/port.ts';
import { verifyP256Portable } from '../crypto/portable-p256.ts';
import { createSealVerifier } from '../crypto/seal-verifier.ts';
import { trustOf } from '../ledger/trust.ts';
import type { VerifierCrypto } from '../ledger/verify.ts';
import { counterCheckWith, evidenceCheckWith, objectCheckWith } from '../protocols/evidence-verdict.ts';

/** A verifier of every kind of seal. Components of the HMAC suite cannot be checked here: whoever could, could forge. */
export function createClusterVerifier(settings: ClusterSettings, crypto: VerifierCrypto): SealVerifier {
  const { hash, verifySignature } = crypto;
  const verifier = createSealVerifier({
    hostKeys: trustOf(settings).hostKeys,
    verifySignature,
    verifyCounter: counterCheckWith(verifySignature),
    verifyObject: objectCheckWith(verifySignature),
    verifyEvidence: evidenceCheckWith(settings, {
      hash,
      verifyEd25519: verifySignature,
      verifyP256: verifyP256Portable,
    }),
  });
  for (const { id: replica, trusted } of settings.members) {
    const { tcEpoch, tcId, publicKey } = trusted;
    verifier.trust({ replica, tcEpoch, tcId, publicKey });
  }
  return verifier;
}
