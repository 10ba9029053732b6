import assert from 'node:assert/strict';
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  sign,
  verify,
} from 'node:crypto';
import { describe, it } from 'node:test';
import { bytesToHex, digestToBytes } from '../../core/bytes.ts';
import type { AttestationPolicy } from '../../core/config.ts';
import type { Digest, TcEpoch } from '../../core/types.ts';
import { decodeEvidence, encodeEvidence } from '../evidence.ts';
import { bindDigestOf, tcIdOf } from '../statement.ts';
import { decodeBundleOfEvidence, encodeBundleOfEvidence } from './bundle.ts';
import {
  decodeKeyOffer,
  encodeKeyOffer,
  groupKeyChallenge,
  judgeKeyOffer,
  keyOfferBytes,
  openGroupKey,
  sealGroupKey,
} from './group-key.ts';
import type { AcceptedOffer, GroupKeyCrypto, KeyOffer } from './group-key.ts';

const plain = (bytes: Buffer): Uint8Array => new Uint8Array(bytes);
const ED = Buffer.from('302a300506032b6570032100', 'hex');
const X_PUBLIC = Buffer.from('302a300506032b656e032100', 'hex');
const X_PRIVATE = Buffer.from('302e020100300506032b656e04220420', 'hex');
const NONCE = Buffer.alloc(12);

const publicX = (raw: Uint8Array) =>
  createPublicKey({ key: Buffer.concat([X_PUBLIC, raw]), format: 'der', type: 'spki' });
const privateX = (raw: Uint8Array) =>
  createPrivateKey({ key: Buffer.concat([X_PRIVATE, raw]), format: 'der', type: 'pkcs8' });

/** What a footprint would give. */
const crypto: GroupKeyCrypto = {
  hash: (bytes) => plain(createHash('sha256').update(bytes).digest()),
  hmac: (key, bytes) => plain(createHmac('sha256', key).update(bytes).digest()),
  verifyEd25519: (key, message, signature) =>
    verify(
      null,
      message,
      createPublicKey({ key: Buffer.concat([ED, key]), format: 'der', type: 'spki' }),
      signature,
    ),
  x25519PublicKey: (secret) =>
    plain(createPublicKey(privateX(secret)).export({ format: 'der', type: 'spki' }).subarray(-32)),
  x25519: (secret, publicKey) => {
    try {
      return plain(diffieHellman({ privateKey: privateX(secret), publicKey: publicX(publicKey) }));
    } catch {
      return undefined;
    }
  },
  seal: (key, text, associated) => {
    const cipher = createCipheriv('chacha20-poly1305', key, NONCE, { authTagLength: 16 });
    cipher.setAAD(associated, { plaintextLength: text.length });
    return plain(Buffer.concat([cipher.update(text), cipher.final(), cipher.getAuthTag()]));
  },
  open: (key, sealed, associated) => {
    const text = sealed.subarray(0, -16);
    const decipher = createDecipheriv('chacha20-poly1305', key, NONCE, { authTagLength: 16 });
    decipher.setAAD(associated, { plaintextLength: text.length });
    decipher.setAuthTag(sealed.subarray(-16));
    try {
      return plain(Buffer.concat([decipher.update(text), decipher.final()]));
    } catch {
      return undefined;
    }
  },
};

const digest = (byte: number): Digest => byte.toString(16).padStart(2, '0').repeat(32) as Digest;
const PROGRAM = digest(0x51);
const GROUP = new Uint8Array(16).fill(6);
const GROUP_KEY = new Uint8Array(32).fill(7);
const POLICY: AttestationPolicy = {
  programs: [{ name: 'trinx', measurements: [PROGRAM] }],
  footprints: [{ name: 'vm', endorsedBy: [], carriers: [] }],
  roots: [],
};
const RULES = { policy: POLICY, digest: digest(0x70) };

/** A component that offers its envelope key; `claimed` is the key that its evidence is about. */
function componentOf(byte: number, measurement = PROGRAM, groupId = GROUP, swapped?: Uint8Array) {
  const { privateKey, publicKey: own } = generateKeyPairSync('ed25519');
  const raw = plain(own.export({ format: 'der', type: 'spki' }).subarray(-32));
  const secret = new Uint8Array(32).fill(byte);
  const envelopeKey = crypto.x25519PublicKey(secret);
  const identity = {
    suite: 'ed25519' as const,
    tcId: tcIdOf(crypto.hash, { suite: 'ed25519', publicKey: raw }),
    tcEpoch: '0000000000000007' as TcEpoch,
    publicKey: bytesToHex(raw),
    challenge: groupKeyChallenge(crypto.hash, groupId, envelopeKey),
  };
  const bind = digestToBytes(bindDigestOf(crypto.hash, identity));
  const authenticator = plain(sign(null, bind, privateKey));
  const possession = encodeEvidence({ ...identity, platform: 'none', measurement, authenticator });
  const evidence = encodeBundleOfEvidence({ possession, endorsements: [] });
  const offer = { groupId, envelopeKey: swapped ?? envelopeKey, footprint: 'vm', policy: RULES.digest };
  const signature = plain(sign(null, keyOfferBytes(offer, possession), privateKey));
  return { secret, bytes: encodeKeyOffer({ ...offer, signature, evidence }), authenticator };
}

function accepted(bytes: Uint8Array): AcceptedOffer {
  const judged = judgeKeyOffer(bytes, GROUP, RULES, crypto);
  assert.ok(judged.accepted !== undefined);
  return judged.accepted;
}

function failed(bytes: Uint8Array, groupId = GROUP): readonly string[] {
  const { verdict, accepted: offer } = judgeKeyOffer(bytes, groupId, RULES, crypto);
  assert.equal(offer, undefined);
  return verdict?.checks.filter(({ passed }) => !passed).map(({ check }) => check) ?? ['offer'];
}

const first = componentOf(1);
const second = componentOf(2);
const holder = {
  own: accepted(first.bytes),
  secret: first.secret,
  oneTimeSecret: new Uint8Array(32).fill(9),
  groupKey: GROUP_KEY,
};
const joiner = { own: accepted(second.bytes), secret: second.secret };
const envelope = sealGroupKey(holder, joiner.own, crypto)!;

describe('group key', () => {
  it('reaches a component whose evidence was accepted', () => {
    assert.deepEqual(openGroupKey(envelope, joiner, holder.own, crypto), GROUP_KEY);
    assert.ok(!Buffer.from(envelope).includes(Buffer.from(GROUP_KEY)), 'the host that carries it learns nothing');
  });

  it('is not sealed to another program, another group, or a key that the evidence is not about', () => {
    assert.deepEqual(failed(componentOf(3, digest(0x99)).bytes), ['program']);
    assert.deepEqual(failed(componentOf(3, PROGRAM, new Uint8Array(16).fill(5)).bytes), ['challenge']);
    const eavesdropper = crypto.x25519PublicKey(new Uint8Array(32).fill(66));
    assert.deepEqual(failed(componentOf(3, PROGRAM, GROUP, eavesdropper).bytes), ['challenge']);
    assert.deepEqual(failed(new Uint8Array(5)), ['offer']);
  });

  it('is not sealed where the component itself did not make the offer, or judges by another policy', () => {
    const offer = decodeKeyOffer(second.bytes)!;
    const refused = (changes: Partial<KeyOffer>): readonly string[] => failed(encodeKeyOffer({ ...offer, ...changes }));
    assert.deepEqual(refused({ signature: second.authenticator }), ['offer'], 'evidence is no offer');
    assert.deepEqual(refused({ policy: digest(0x71) }), ['offer', 'group policy']);
    const changed = decodeKeyOffer(componentOf(4, digest(0x99)).bytes)!;
    const { possession } = decodeBundleOfEvidence(changed.evidence)!;
    const lie = encodeEvidence({ ...decodeEvidence(possession)!, measurement: PROGRAM });
    const evidence = encodeBundleOfEvidence({ possession: lie, endorsements: [] });
    assert.deepEqual(refused({ ...changed, evidence }), ['offer'], 'another program put into the evidence');
    assert.deepEqual(refused({ signature: decodeKeyOffer(first.bytes)!.signature }), ['offer']);
  });

  it('opens for this pair only', () => {
    const third = componentOf(3);
    const stranger = { own: accepted(third.bytes), secret: third.secret };
    assert.equal(openGroupKey(envelope, stranger, holder.own, crypto), undefined);
    assert.equal(openGroupKey(envelope, joiner, stranger.own, crypto), undefined, 'not from that holder');
    const impostor = { ...holder, secret: new Uint8Array(32).fill(44), groupKey: new Uint8Array(32) };
    const forged = sealGroupKey(impostor, joiner.own, crypto)!;
    assert.equal(openGroupKey(forged, joiner, holder.own, crypto), undefined, 'a host cannot plant a key of its own');
  });

  it('does not survive any flipped bit, and small-order keys are refused', () => {
    for (let at = 0; at < envelope.length; at += 1) {
      const flipped = envelope.slice();
      // The top bit of an X25519 key is not part of it; the binding holds it all the same.
      flipped[at]! ^= 0x80;
      assert.equal(openGroupKey(flipped, joiner, holder.own, crypto), undefined, `byte ${at}`);
    }
    assert.equal(openGroupKey(envelope.slice(1), joiner, holder.own, crypto), undefined);
    const zero = { offer: { ...joiner.own.offer, envelopeKey: new Uint8Array(32) }, digest: digest(0) };
    assert.equal(sealGroupKey(holder, zero, crypto), undefined);
  });

  it('offers have one encoding', () => {
    assert.deepEqual(encodeKeyOffer(decodeKeyOffer(first.bytes)!), first.bytes);
    for (let length = 0; length < first.bytes.length; length += 1)
      assert.equal(decodeKeyOffer(first.bytes.slice(0, length)), undefined);
  });
});
