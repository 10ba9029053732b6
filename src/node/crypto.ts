/**
 * Cryptography of a replica on the operating system's library. Its verdicts are those of the one signature rule
 * (`crypto/ed25519-rule.ts`, decision B5): OpenSSL checks S < L and compares the bytes of R; what it would let pass,
 * a public key that is not canonically encoded, is refused here before.
 */
import * as nodeCrypto from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { bytesToHex, digestToBytes, hexToBytes } from '../core/bytes.ts';
import { assert } from '../core/assert.ts';
import type { TrustedKey } from '../core/protocol.ts';
import type { ClusterSettings, Suite } from '../core/config.ts';
import type { Hash } from '../core/types.ts';
import type { CryptoPort, Signer } from '../crypto/port.ts';
import type { CounterCheck, SignatureCheck } from '../crypto/seal-verifier.ts';
import { isAdmissibleSignature } from '../crypto/ed25519-rule.ts';
import { createSealVerifier } from '../crypto/seal-verifier.ts';
import type { AttestationCrypto } from '../trusted/attestation/format.ts';
import { recoverEvidenceCheck } from '../trusted/attestation/registration.ts';
import { createObjectCheck } from '../trusted/object-check.ts';
import type { StatementCheck } from '../trusted/object-check.ts';
import { statementForUi } from '../trusted/statement.ts';
import { publicKeyOfRaw, rawPublicKeyOf } from './keys.ts';

/** Signatures remembered as valid: a bundle arrives from its client, from peers and inside a batch. */
const VERIFIED_MAX = 64 * 1024;
/** Key objects kept; making one costs a few microseconds. */
const KEYS_MAX = 8 * 1024;

type OneShotHash = (algorithm: string, data: Uint8Array, encoding: 'binary') => string;

/**
 * The digest comes back as text, one character for a byte: making a Buffer for it costs more than hashing a message of
 * a few hundred bytes (docs/benchmarks.md, "Hashing").
 */
function fromBinary(text: string): Uint8Array {
  const bytes = new Uint8Array(32);
  for (let index = 0; index < 32; index += 1) bytes[index] = text.charCodeAt(index);
  return bytes;
}

function selectHash(): Hash {
  const oneShot = (nodeCrypto as { hash?: OneShotHash }).hash;
  if (oneShot !== undefined) return (bytes) => fromBinary(oneShot('sha256', bytes, 'binary'));
  return (bytes) => fromBinary(nodeCrypto.createHash('sha256').update(bytes).digest('binary'));
}

/** SHA-256 of the system's library. */
export const nodeHash: Hash = selectHash();

/** A map that forgets the older half when it is full: bounded, and cheap enough for the hot path. */
class BoundedMap<V> {
  readonly #half: number;
  #recent = new Map<string, V>();
  #older = new Map<string, V>();

  constructor(max: number) {
    this.#half = max / 2;
  }

  get(key: string): V | undefined {
    return this.#recent.get(key) ?? this.#older.get(key);
  }

  set(key: string, value: V): void {
    if (this.#recent.size >= this.#half) {
      this.#older = this.#recent;
      this.#recent = new Map();
    }
    this.#recent.set(key, value);
  }
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('binary');
}

/**
 * y coordinates of the points of small order, without the sign bit. OpenSSL 3.5 refuses such keys, 3.0 does not, and
 * replicas on both must judge alike; registration (rule K1) refuses them anyway.
 */
const SMALL_ORDER: ReadonlySet<string> = new Set([
  '00'.repeat(32),
  `01${'00'.repeat(31)}`,
  `ec${'ff'.repeat(30)}7f`,
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
]);

function isSmallOrder(key: Uint8Array): boolean {
  // Not `slice`: of a Buffer that would be a view, and this changes a byte.
  const y = Uint8Array.from(key);
  y[31] = y[31]! & 0x7f;
  return SMALL_ORDER.has(bytesToHex(y));
}

/** Whether 32 bytes are a canonical encoding: y below p = 2^255 - 19, and no negative zero (y = 1 or p - 1). */
export function isCanonicalKeyEncoding(key: Uint8Array): boolean {
  if (key.length !== 32) return false;
  const low = key[0]!;
  const high = key[31]! & 0x7f;
  const negative = key[31]! >= 0x80;
  let allOnes = high === 0x7f;
  let allZeros = high === 0;
  for (let index = 1; index < 31; index += 1) {
    if (key[index] !== 0xff) allOnes = false;
    if (key[index] !== 0) allZeros = false;
  }
  if (allOnes && low >= 0xed) return false;
  if (negative && ((allOnes && low === 0xec) || (allZeros && low === 1))) return false;
  return true;
}

/** The signature check of replicas (rules K2 and K3), with bounded memories of keys and of valid signatures. */
export function createSignatureCheck(): SignatureCheck {
  const keys = new BoundedMap<KeyObject>(KEYS_MAX);
  const verified = new BoundedMap<true>(VERIFIED_MAX);
  return (publicKey, message, signature) => {
    // Rules K1 and K2 in bytes come first: back ends differ beyond them (decision B5).
    if (!isAdmissibleSignature(signature) || publicKey.length !== 32) return false;
    const keyName = latin1(publicKey);
    // Lengths are fixed but the message's, which stands last: no two triples share a name.
    const name = keyName + latin1(signature) + latin1(message);
    if (verified.get(name) === true) return true;
    let key = keys.get(keyName);
    if (key === undefined) {
      const isUsable = isCanonicalKeyEncoding(publicKey) && !isSmallOrder(publicKey);
      key = isUsable ? publicKeyOfRaw(publicKey) : undefined;
      if (key === undefined) return false;
      keys.set(keyName, key);
    }
    if (!nodeCrypto.verify(null, message, key, signature)) return false;
    verified.set(name, true);
    return true;
  };
}

/** A signer on a private key object. */
export function createNodeSigner(key: KeyObject): Signer {
  const publicKey = rawPublicKeyOf(key);
  assert(publicKey !== undefined && key.type === 'private', 'a signer has an Ed25519 private key');
  return {
    publicKey,
    sign: (digest) => {
      const signature = nodeCrypto.sign(null, digestToBytes(digest), key);
      return new Uint8Array(signature.buffer, signature.byteOffset, signature.length);
    },
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
  return { hash: nodeHash, hostSigner: createNodeSigner(options.hostKey), verifier };
}
