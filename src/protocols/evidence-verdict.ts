/** Offline judgement of protocols' evidence, for readers that run no replica: by the name of the cluster's protocol. */
import { hexToBytes } from '../core/bytes.ts';
import type { ObjectAttestation } from '../core/attestation.ts';
import type { ClusterSettings } from '../core/config.ts';
import type { Seal, TrustedKey, UniqueIdentifier } from '../core/protocol.ts';
import type { RecoverRequest } from '../core/request.ts';
import type { Digest, Hash, ReplicaId } from '../core/types.ts';
import type { AttestationCrypto } from '../trusted/attestation/format.ts';
import { recoverEvidenceCheck } from '../trusted/attestation/registration.ts';
import { createObjectCheck } from '../trusted/object-check.ts';
import { statementForUi } from '../trusted/statement.ts';
import { verifyEvidence } from '../smr/usig-replica/evidence.ts';
import type { UsigForm } from '../smr/usig-replica/part.ts';
import { EBAWA_SLOTS } from './ebawa/slots.ts';

/** A judgement. It stands if all `seals` hold under keys that the cluster registered. */
export interface ProtocolVerdict {
  readonly replica: ReplicaId;
  readonly rule: string;
  /** One sentence for people. */
  readonly explanation: string;
  readonly seals: readonly Seal[];
}

/** What the messages of the protocols on USIG streams look like: their evidence is of one format. */
const FORMS: Readonly<Record<string, UsigForm>> = {
  minbft: { vote: 'COMMIT' },
  minzyzzyva: { vote: 'SPEC' },
  ebawa: { vote: 'COMMIT-VECTOR', slots: EBAWA_SLOTS },
};

/** What the bytes prove under the cluster's protocol, if their seals hold; undefined: nothing. Never throws. */
export function judgeProtocolEvidence(
  settings: ClusterSettings,
  hash: Hash,
  bytes: Uint8Array,
): ProtocolVerdict | undefined {
  const form = FORMS[settings.protocol];
  if (form === undefined) return undefined;
  const { clusterId, configurationVersion } = settings;
  return verifyEvidence({ settings, hash, domain: { clusterId, configurationVersion } }, bytes, form);
}

/** Judges the evidence of RECOVERs as replicas do, with any implementation of the signatures. */
export function evidenceCheckWith(
  settings: ClusterSettings,
  crypto: Pick<AttestationCrypto, 'hash' | 'verifyEd25519' | 'verifyP256'>,
): (request: RecoverRequest) => string | undefined {
  return recoverEvidenceCheck(settings, crypto);
}

/** Checks words of counters and logs of the Ed25519 suite with any implementation of the signature. */
export function objectCheckWith(
  verifySignature: (key: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean,
): (key: TrustedKey, attestation: ObjectAttestation, digest: Digest) => boolean {
  return createObjectCheck('ed25519', ({ publicKey }, statement, authenticator) => {
    const key = hexToBytes(publicKey);
    return key?.length === 32 && verifySignature(key, statement, authenticator);
  });
}

/** Checks counter certificates of the Ed25519 suite with any implementation of the signature. */
export function counterCheckWith(
  verifySignature: (key: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean,
): (key: TrustedKey, ui: UniqueIdentifier, digest: Digest) => boolean {
  return ({ publicKey, tcId, tcEpoch }, ui, digest) => {
    const key = hexToBytes(publicKey);
    if (key?.length !== 32 || ui.counter < 1) return false;
    const statement = statementForUi({ tcId, suite: 'ed25519', tcEpoch, counter: ui.counter, digest });
    return verifySignature(key, statement, ui.authenticator);
  };
}
