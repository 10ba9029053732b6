/**
 * Handing a group key from one trusted component to another (decisions A2 and C3): the key of the HMAC suite is made inside
 * one component and leaves it only in an envelope to the key of a component whose evidence was judged, by the component
 * itself. Pure; what a footprint gives is `GroupKeyCrypto`. Hosts carry the bytes and learn nothing.
 *
 *   joiner  OFFER     envelope key, evidence bundle over groupKeyChallenge(group, envelope key)   -> holder
 *   holder  judges the offer, makes ENVELOPE for it and an OFFER of its own                        -> joiner
 *   joiner  judges the holder's offer, opens the envelope
 *
 * The possession seal inside the bundle covers the challenge, and with it the envelope key. But the host may have its
 * component attest to any challenge, also to that of an envelope key of its own: so the component signs the offer, too, as
 * what it is, which no program does on request. The offer names the policy that its component judges newcomers by: a
 * group has one policy, else the host of a single member would hand the key to whom it likes. The envelope is bound to
 * both offers, so it opens for this pair only.
 */
import { bytesToDigest, hexToBytes } from '../../core/bytes.ts';
import { decodeWhole, Writer } from '../../core/codec.ts';
import type { AttestationPolicy } from '../../core/config.ts';
import { domainTag, finishDigest } from '../../core/domain.ts';
import { EVIDENCE_BYTES_MAX } from '../../core/request.ts';
import type { Digest, Hash } from '../../core/types.ts';
import { decodeEvidence } from '../evidence.ts';
import type { Hmac } from '../statement.ts';
import { decodeBundleOfEvidence } from './bundle.ts';
import type { AttestationCrypto } from './format.ts';
import { judgeEvidence } from './judge.ts';
import { checkOf, verdictOf } from './verdict.ts';
import type { Check, Verdict } from './verdict.ts';

/** What a footprint gives its component for this. Secrets are 32 bytes and stay inside. */
export interface GroupKeyCrypto extends AttestationCrypto {
  readonly hmac: Hmac;
  readonly x25519PublicKey: (secret: Uint8Array) => Uint8Array;
  /** The shared secret; undefined for a public key of small order. */
  readonly x25519: (secret: Uint8Array, publicKey: Uint8Array) => Uint8Array | undefined;
  /** ChaCha20-Poly1305 under a key that is used once (nonce of zeros): ciphertext and tag. */
  readonly seal: (key: Uint8Array, plain: Uint8Array, associated: Uint8Array) => Uint8Array;
  /** The plaintext; undefined if the tag does not hold. */
  readonly open: (key: Uint8Array, sealed: Uint8Array, associated: Uint8Array) => Uint8Array | undefined;
}

const KEY_BYTES = 32;
const TAG_BYTES = 16;
const GROUP_ID_BYTES = 16;
const FOOTPRINT_BYTES_MAX = 32;
const SIGNATURE_BYTES = 64;

/** What a component tells the others of its group before a key is handed over. */
export interface KeyOffer {
  /** 16 bytes. */
  readonly groupId: Uint8Array;
  /** X25519, 32 bytes. */
  readonly envelopeKey: Uint8Array;
  readonly footprint: string;
  /** SHA-256 of the policy by which this component judges others, as it lies in its folder. */
  readonly policy: Digest;
  /** By the component's own Ed25519 key over `keyOfferBytes`; made where only the component itself can sign. 64 bytes. */
  readonly signature: Uint8Array;
  /** Bytes of an evidence bundle over `groupKeyChallenge`; endorsements may be added on the way. */
  readonly evidence: Uint8Array;
}

/**
 * What a component signs so that its envelope key counts: it begins with a tag, as nothing does that a program signs. With
 * what its program said (`possession`), whose measurement nothing else covers.
 */
export function keyOfferBytes(
  offer: Omit<KeyOffer, 'signature' | 'evidence'>,
  possession: Uint8Array,
): Uint8Array {
  return new Writer(512)
    .ascii(domainTag('attestation', 'GROUP-KEY-OFFER'))
    .raw(offer.groupId)
    .raw(offer.envelopeKey)
    .digest(offer.policy)
    .ascii(offer.footprint)
    .bytes(possession)
    .finish();
}

/** What the component seals in its evidence. */
export function groupKeyChallenge(hash: Hash, groupId: Uint8Array, envelopeKey: Uint8Array): Digest {
  const writer = new Writer(128).ascii(domainTag('attestation', 'GROUP-KEY'));
  return finishDigest(hash, writer.bytes(groupId).bytes(envelopeKey));
}

/** Canonical bytes of an offer. */
export function encodeKeyOffer(offer: KeyOffer): Uint8Array {
  return new Writer(1024)
    .u8(2)
    .raw(offer.groupId)
    .raw(offer.envelopeKey)
    .digest(offer.policy)
    .raw(offer.signature)
    .ascii(offer.footprint)
    .bytes(offer.evidence)
    .finish();
}

/** Reads an offer; undefined unless canonical. */
export function decodeKeyOffer(bytes: Uint8Array): KeyOffer | undefined {
  return decodeWhole(bytes, (reader) => {
    if (reader.u8() !== 2) reader.fail();
    const groupId = new Uint8Array(reader.raw(GROUP_ID_BYTES));
    const envelopeKey = new Uint8Array(reader.raw(KEY_BYTES));
    const policy = reader.digest();
    const signature = new Uint8Array(reader.raw(SIGNATURE_BYTES));
    const footprint = reader.ascii(FOOTPRINT_BYTES_MAX);
    const evidence = new Uint8Array(reader.bytes(EVIDENCE_BYTES_MAX));
    return { groupId, envelopeKey, policy, signature, footprint, evidence };
  });
}

/** An offer whose evidence was accepted; only `judgeKeyOffer` makes one. */
export interface AcceptedOffer {
  readonly offer: KeyOffer;
  readonly digest: Digest;
}

/** Outcome of judging an offer. The verdict is there to be shown, whatever it is. */
export interface JudgedOffer {
  readonly verdict: Verdict | undefined;
  readonly accepted: AcceptedOffer | undefined;
}

/** By what a component judges offers: its policy, and the digest of the bytes that it was read from. */
export interface GroupPolicy {
  readonly policy: AttestationPolicy;
  readonly digest: Digest;
}

/** Whether the component that the evidence is about made this offer itself, and judges as we do. */
function offerChecks(offer: KeyOffer, own: GroupPolicy, verifyEd25519: AttestationCrypto['verifyEd25519']): Check[] {
  const possession = decodeBundleOfEvidence(offer.evidence)?.possession ?? new Uint8Array(0);
  const key = hexToBytes(decodeEvidence(possession)?.publicKey ?? '');
  const holds =
    key?.length === KEY_BYTES && verifyEd25519(key, keyOfferBytes(offer, possession), offer.signature);
  return [
    checkOf(
      'offer',
      holds,
      holds ? 'made by the component itself' : 'a signature that does not verify',
      'the signature of the component over its offer',
      'The host had its component attest for an envelope key that is not the component\'s, or the offer was changed. Have ' +
        'the component make its offer itself.',
    ),
    checkOf(
      'group policy',
      offer.policy === own.digest,
      offer.policy,
      own.digest,
      'That component would hand the key on by another policy. All members of a group need the same policy file, byte by ' +
        'byte: make the group, or the request, again with it.',
    ),
  ];
}

/**
 * Judges an offer inside the component: made by itself, with our policy, and its evidence under that policy, for this
 * group and envelope key. Only the Ed25519 suite counts: before the hand-over nobody but the component itself could
 * check a MAC.
 */
export function judgeKeyOffer(
  bytes: Uint8Array,
  groupId: Uint8Array,
  own: GroupPolicy,
  crypto: AttestationCrypto,
): JudgedOffer {
  const offer = decodeKeyOffer(bytes);
  if (offer === undefined) return { verdict: undefined, accepted: undefined };
  const { hash, verifyEd25519, verifyP256 } = crypto;
  const judged = judgeEvidence(offer.evidence, {
    crypto: { hash, verifyEd25519, ...(verifyP256 === undefined ? {} : { verifyP256 }) },
    // Of the expected group: an offer for another one answers another challenge.
    challenge: groupKeyChallenge(hash, groupId, offer.envelopeKey),
    footprint: offer.footprint,
    policy: own.policy,
  });
  const verdict = verdictOf([...judged.checks, ...offerChecks(offer, own, verifyEd25519)]);
  const digest = bytesToDigest(hash(bytes));
  return { verdict, accepted: verdict.accepted ? { offer, digest } : undefined };
}

/** What the envelope is bound to: both ends, and the one-time key. */
function bindingOf(holder: AcceptedOffer, joiner: AcceptedOffer, oneTimeKey: Uint8Array): Uint8Array {
  return new Writer(256)
    .ascii(domainTag('attestation', 'GROUP-KEY-ENVELOPE'))
    .raw(joiner.offer.groupId)
    .digest(holder.digest)
    .digest(joiner.digest)
    .raw(oneTimeKey)
    .finish();
}

/** HKDF-SHA-256 of both shared secrets, one block. */
function envelopeSecret(hmac: Hmac, shared: readonly Uint8Array[], binding: Uint8Array): Uint8Array {
  const material = new Uint8Array(KEY_BYTES * shared.length);
  shared.forEach((part, index) => material.set(part, KEY_BYTES * index));
  const extracted = hmac(new Uint8Array(KEY_BYTES), material);
  const info = new Uint8Array(binding.length + 1);
  info.set(binding);
  info[binding.length] = 1;
  const secret = hmac(extracted, info);
  material.fill(0);
  return secret;
}

/** What the holder of a group key has. */
export interface Holder {
  readonly own: AcceptedOffer;
  /** Secret of its own envelope key: shows the joiner that the envelope is from the component of the holder's offer. */
  readonly secret: Uint8Array;
  /** 32 unpredictable bytes, used for this envelope only. */
  readonly oneTimeSecret: Uint8Array;
  readonly groupKey: Uint8Array;
}

/** The group key for one accepted joiner; undefined where the keys cannot work together (small order, other group). */
export function sealGroupKey(
  holder: Holder,
  joiner: AcceptedOffer,
  crypto: GroupKeyCrypto,
): Uint8Array | undefined {
  if (bytesToDigest(holder.own.offer.groupId) !== bytesToDigest(joiner.offer.groupId)) return undefined;
  const oneTimeKey = crypto.x25519PublicKey(holder.oneTimeSecret);
  const once = crypto.x25519(holder.oneTimeSecret, joiner.offer.envelopeKey);
  const pair = crypto.x25519(holder.secret, joiner.offer.envelopeKey);
  if (once === undefined || pair === undefined) return undefined;
  const binding = bindingOf(holder.own, joiner, oneTimeKey);
  const secret = envelopeSecret(crypto.hmac, [once, pair], binding);
  const sealed = crypto.seal(secret, holder.groupKey, binding);
  for (const part of [once, pair, secret]) part.fill(0);
  return new Writer(128).raw(oneTimeKey).raw(sealed).finish();
}

/** What a joiner has. */
export interface Joiner {
  readonly own: AcceptedOffer;
  /** Secret of its envelope key. */
  readonly secret: Uint8Array;
}

/** Opens an envelope of an accepted holder; undefined for anything else. The result is the group key, 32 bytes. */
export function openGroupKey(
  envelope: Uint8Array,
  joiner: Joiner,
  holder: AcceptedOffer,
  crypto: GroupKeyCrypto,
): Uint8Array | undefined {
  if (envelope.length !== 2 * KEY_BYTES + TAG_BYTES) return undefined;
  const oneTimeKey = envelope.slice(0, KEY_BYTES);
  const once = crypto.x25519(joiner.secret, oneTimeKey);
  const pair = crypto.x25519(joiner.secret, holder.offer.envelopeKey);
  if (once === undefined || pair === undefined) return undefined;
  const binding = bindingOf(holder, joiner.own, oneTimeKey);
  const secret = envelopeSecret(crypto.hmac, [once, pair], binding);
  const groupKey = crypto.open(secret, envelope.slice(KEY_BYTES), binding);
  for (const part of [once, pair, secret]) part.fill(0);
  return groupKey;
}
