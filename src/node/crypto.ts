/**
 * Cryptography of a replica on the libraries of the platform. Its verdicts are those of the one signature rule
 * (`crypto/ed25519-rule.ts`, decision record 0005).
 */
import * as nodeCrypto from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { hexToBytes } from '../core/bytes.ts';
import { assert } from '../core/assert.ts';
import type { TrustedKey } from '../core/protocol.ts';
import type { ClusterSettings, Suite } from '../core/config.ts';
import type { CryptoPort } from '../crypto/port.ts';
import type { CounterCheck, SignatureCheck } from '../crypto/seal-verifier.ts';
import { PUBLIC_KEY_BYTES, SIGNATURE_BYTES } from '../crypto/ed25519-rule.ts';
import { createSealVerifier } from '../crypto/seal-verifier.ts';
import type { AttestationCrypto } from '../trusted/attestation/format.ts';
import { recoverEvidenceCheck } from '../trusted/attestation/registration.ts';
import { createObjectCheck } from '../trusted/object-check.ts';
import type { StatementCheck } from '../trusted/object-check.ts';
import { statementForUi } from '../trusted/statement.ts';
import { BoundedMap } from '../platform/bounded-map.ts';
import { ED25519 } from '../platform/ed25519.ts';
import type { Ed25519Backend } from '../platform/ed25519.ts';
import { nodeHash } from '../platform/sha256.ts';

/** Signatures remembered as valid: a bundle arrives from its client, from peers and inside a batch. */
const VERIFIED_MAX = 32 * 1024;
/** Bytes of a message whose signature is remembered, at most: what is signed is a digest or a statement of a component. */
const REMEMBERED_BYTES_MAX = 256;
const NAME_HEAD_BYTES = PUBLIC_KEY_BYTES + SIGNATURE_BYTES;

/** Key, signature and message as one string; in one piece, since joined strings keep their parts in memory. */
const nameBytes = Buffer.alloc(NAME_HEAD_BYTES + REMEMBERED_BYTES_MAX);
function nameOf(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): string {
  // Lengths are fixed but the message's, which stands last: no two triples share a name.
  nameBytes.set(publicKey);
  nameBytes.set(signature, PUBLIC_KEY_BYTES);
  nameBytes.set(message, NAME_HEAD_BYTES);
  return nameBytes.toString('latin1', 0, NAME_HEAD_BYTES + message.length);
}

/** The signature check of replicas (rules K2 and K3), with a bounded memory of valid signatures. */
export function createSignatureCheck(backend: Ed25519Backend = ED25519): SignatureCheck {
  const verified = new BoundedMap<true>(VERIFIED_MAX);
  return (publicKey, message, signature) => {
    if (signature.length !== SIGNATURE_BYTES || publicKey.length !== PUBLIC_KEY_BYTES) return false;
    if (message.length > REMEMBERED_BYTES_MAX) return backend.verify(publicKey, message, signature);
    const name = nameOf(publicKey, message, signature);
    if (verified.get(name) === true) return true;
    if (!backend.verify(publicKey, message, signature)) return false;
    verified.set(name, true);
    return true;
  };
}

/** Checks statements of components of the Ed25519 suite. */
function createStatementCheck(verifySignature: SignatureCheck): StatementCheck {
  return (key, statement, authenticator) => {
    const publicKey = hexToBytes(key.publicKey);
    return publicKey !== undefined && verifySignature(publicKey, statement, authenticator);
  };
}

/**
 * Checks statements of the HMAC suite with the statement key in this process. Only for `--dev`: whoever holds the key
 * can forge (decision A2).
 */
function createDevelopmentStatementCheck(statementKey: Uint8Array): StatementCheck {
  // A key object: with raw bytes createHmac is several times slower.
  const key = nodeCrypto.createSecretKey(statementKey);
  return (_, statement, authenticator) => {
    if (authenticator.length !== 32) return false;
    const expected = nodeCrypto.createHmac('sha256', key).update(statement).digest();
    return nodeCrypto.timingSafeEqual(expected, authenticator);
  };
}

/** Checks counter certificates (UIs). */
function counterCheckOf(suite: Suite, check: StatementCheck): CounterCheck {
  return (key: TrustedKey, ui, digest) => {
    if (ui.counter < 1) return false;
    const { tcId, tcEpoch } = key;
    return check(
      key,
      statementForUi({ tcId, suite, tcEpoch, counter: ui.counter, digest }),
      ui.authenticator,
    );
  };
}

/** What `createNodeCrypto` needs. */
export interface NodeCryptoOptions {
  readonly hostKey: KeyObject;
  readonly settings: ClusterSettings;
  /** For the HMAC suite only. */
  readonly developmentStatementKey?: Uint8Array;
}

/** Whether `tag` is the MAC of these bytes under a statement key; compared in constant time. */
function developmentMacCheck(statementKey: Uint8Array): (message: Uint8Array, tag: Uint8Array) => boolean {
  return (message, tag) =>
    tag.length === 32 &&
    nodeCrypto.timingSafeEqual(nodeCrypto.createHmac('sha256', statementKey).update(message).digest(), tag);
}

/** ECDSA P-256 under an uncompressed key, r and s in 32 bytes each; false for anything else. */
function verifyP256(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.length !== 65 || publicKey[0] !== 4 || signature.length !== 64) return false;
  const x = Buffer.from(publicKey.subarray(1, 33)).toString('base64url');
  const y = Buffer.from(publicKey.subarray(33)).toString('base64url');
  try {
    const jwk = { kty: 'EC', crv: 'P-256', x, y };
    const key = nodeCrypto.createPublicKey({ key: jwk, format: 'jwk' });
    return nodeCrypto.verify('sha256', message, { key, dsaEncoding: 'ieee-p1363' }, signature);
  } catch {
    // Not a point of the curve.
    return false;
  }
}

/** What judging evidence asks of cryptography. */
export function nodeAttestationCrypto(
  verifyEd25519: SignatureCheck = createSignatureCheck(),
  statementKey?: Uint8Array,
): AttestationCrypto {
  const base = { hash: nodeHash, verifyEd25519, verifyP256 };
  return statementKey === undefined ? base : { ...base, verifyMac: developmentMacCheck(statementKey) };
}

/** The `CryptoPort` of a replica process. */
export function createNodeCrypto(options: NodeCryptoOptions): CryptoPort {
  const { settings, developmentStatementKey: key } = options;
  const verifySignature = createSignatureCheck();
  assert(settings.suite === 'ed25519' || key !== undefined, 'the HMAC suite has its key in development only');
  const checkStatement =
    settings.suite === 'ed25519' || key === undefined
      ? createStatementCheck(verifySignature)
      : createDevelopmentStatementCheck(key);
  const verifier = createSealVerifier({
    hostKeys: settings.members.map((member) => hexToBytes(member.hostKey)!),
    verifySignature,
    verifyCounter: counterCheckOf(settings.suite, checkStatement),
    verifyObject: createObjectCheck(settings.suite, checkStatement),
    verifyEvidence: recoverEvidenceCheck(settings, nodeAttestationCrypto(verifySignature, key)),
  });
  return { hash: nodeHash, hostSigner: ED25519.signer(options.hostKey), verifier };
}
