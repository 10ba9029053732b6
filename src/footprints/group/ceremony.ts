/**
 * How a group key comes to the members of a group, from component to component (decisions A2 and C3; the protocol itself
 * is `trusted/attestation/group-key.ts`). Each step runs inside the component that it concerns, on its own folder (the
 * current one), while nobody serves it:
 *
 *   1. new      the first component makes key and group, and an offer: envelope key and evidence
 *   2. request  a newcomer makes its offer for that group
 *   3. grant    a member judges the newcomer's offer and encrypts the group key to it
 *   4. install  the newcomer judges the member's offer and opens the envelope; from then on it uses the group's key
 *
 * Offers may be endorsed on their way. Each side judges by the policy that was fixed in its own folder before there was
 * a key, never by one that comes with what it judges, and only members with that same policy join it. The hosts carry
 * the bytes and learn nothing from them.
 */
import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  hash,
  randomBytes,
} from 'node:crypto';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { decodeWhole, Writer } from '../../core/codec.ts';
import type { AttestationPolicy } from '../../core/config.ts';
import { bytesToDigest, equalBytes } from '../../core/bytes.ts';
import type { Digest } from '../../core/types.ts';
import {
  decodeKeyOffer,
  encodeKeyOffer,
  groupKeyChallenge,
  judgeKeyOffer,
  keyOfferBytes,
  openGroupKey,
  sealGroupKey,
} from '../../trusted/attestation/group-key.ts';
import type { AcceptedOffer, GroupKeyCrypto } from '../../trusted/attestation/group-key.ts';
import { verdictLines } from '../../trusted/attestation/verdict.ts';
import { checkSignature } from '../process/environment.ts';
import { writeWhole } from '../durable-file.ts';
import { decodeGroupKey, encodeGroupKey, GROUP_FILE, readGroupFile } from './group-key.ts';
import type { GroupKey, GroupUse } from './group-key.ts';

const JOINING_FILE = 'joining';
const FOOTPRINT = 'process';
const PUBLIC_PREFIX = Buffer.from('302a300506032b656e032100', 'hex');
const PRIVATE_PREFIX = Buffer.from('302e020100300506032b656e04220420', 'hex');
const TAG_BYTES = 16;
const OFFER_BYTES_MAX = 16 * 1024;
const NO_KEY = new Uint8Array(32);

/** A step was refused; the message says why and what to do. */
export class CeremonyRefusal extends Error {
  override readonly name = 'CeremonyRefusal';
}

/** The component's own word, under its own Ed25519 key. */
export interface OwnWord {
  /** The program's evidence bundle for a challenge. */
  readonly evidence: Uint8Array;
  /** Over the offer: no host can ask for that, as it can for evidence. */
  readonly signature: Uint8Array;
}

/** Gives the own word for a challenge; `offerOf` makes the bytes to sign of what the program said. */
export type Attest = (challenge: Digest, offerOf: (possession: Uint8Array) => Uint8Array) => OwnWord;

const policyDigestOf = (policy: string): Digest =>
  bytesToDigest(crypto.hash(new TextEncoder().encode(policy)));

const privateKeyOf = (secret: Uint8Array) =>
  createPrivateKey({ key: Buffer.concat([PRIVATE_PREFIX, secret]), format: 'der', type: 'pkcs8' });
const publicKeyOf = (raw: Uint8Array) =>
  createPublicKey({ key: Buffer.concat([PUBLIC_PREFIX, raw]), format: 'der', type: 'spki' });

/** ChaCha20-Poly1305 with a nonce of zeros: every key is used once. */
const cipherSettings = ['chacha20-poly1305', Buffer.alloc(12), { authTagLength: TAG_BYTES }] as const;

const crypto: GroupKeyCrypto = {
  hash: (bytes) => hash('sha256', bytes, 'buffer'),
  hmac: (key, bytes) => createHmac('sha256', key).update(bytes).digest(),
  verifyEd25519: checkSignature,
  x25519PublicKey: (secret) =>
    new Uint8Array(
      createPublicKey(privateKeyOf(secret)).export({ format: 'der', type: 'spki' }).subarray(-32),
    ),
  x25519: (secret, publicKey) => {
    try {
      return new Uint8Array(
        diffieHellman({ privateKey: privateKeyOf(secret), publicKey: publicKeyOf(publicKey) }),
      );
    } catch {
      // A key of small order.
      return undefined;
    }
  },
  seal: (key, plain, associated) => {
    const [name, nonce, settings] = cipherSettings;
    const cipher = createCipheriv(name, key, nonce, settings).setAAD(associated, {
      plaintextLength: plain.length,
    });
    return new Uint8Array(Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]));
  },
  open: (key, sealed, associated) => {
    const end = sealed.length - TAG_BYTES;
    const [name, nonce, settings] = cipherSettings;
    try {
      const decipher = createDecipheriv(name, key, nonce, settings)
        .setAAD(associated, { plaintextLength: end })
        .setAuthTag(sealed.subarray(end));
      return new Uint8Array(Buffer.concat([decipher.update(sealed.subarray(0, end)), decipher.final()]));
    } catch {
      return undefined;
    }
  },
};

/** What a member gives a newcomer: both offers as they were judged, and the envelope. */
interface Grant {
  readonly holder: Uint8Array;
  readonly joiner: Uint8Array;
  readonly envelope: Uint8Array;
}

function decodeGrant(bytes: Uint8Array): Grant | undefined {
  return decodeWhole(bytes, (reader) => ({
    holder: new Uint8Array(reader.bytes(OFFER_BYTES_MAX)),
    joiner: new Uint8Array(reader.bytes(OFFER_BYTES_MAX)),
    envelope: new Uint8Array(reader.bytes(256)),
  }));
}

function assertNoGroup(): void {
  if (existsSync(GROUP_FILE))
    throw new CeremonyRefusal('this component belongs to a group already; make a new one for another group');
}

function offerOf(group: GroupKey, attest: Attest): Uint8Array {
  const envelopeKey = crypto.x25519PublicKey(group.envelopeSecret);
  const policy = policyDigestOf(group.policy);
  const content = { groupId: group.id, envelopeKey, footprint: FOOTPRINT, policy };
  const challenge = groupKeyChallenge(crypto.hash, group.id, envelopeKey);
  const word = attest(challenge, (possession) => keyOfferBytes(content, possession));
  return encodeKeyOffer({ ...content, ...word });
}

/** The offer under the policy of this component; throws a refusal with the verdict. */
function accept(bytes: Uint8Array, group: GroupKey, whose: string): AcceptedOffer {
  const policy = JSON.parse(group.policy) as AttestationPolicy;
  const own = { policy, digest: policyDigestOf(group.policy) };
  const { verdict, accepted } = judgeKeyOffer(bytes, group.id, own, crypto);
  if (accepted !== undefined) return accepted;
  const why = verdict === undefined ? 'it is no offer' : `\n${verdictLines(verdict).join('\n')}`;
  throw new CeremonyRefusal(`the offer of ${whose} is refused: ${why}`);
}

function isOwn(offer: AcceptedOffer, group: GroupKey): boolean {
  return equalBytes(offer.offer.envelopeKey, crypto.x25519PublicKey(group.envelopeSecret));
}

/** Step 1: makes a group of which this component is the first member; gives its offer. */
export function makeGroup(replica: number, policy: string, use: GroupUse, attest: Attest): Uint8Array {
  assertNoGroup();
  const parts = { use, replica, policy, envelopeSecret: new Uint8Array(randomBytes(32)) };
  const group = { key: new Uint8Array(randomBytes(32)), id: new Uint8Array(randomBytes(16)), ...parts };
  // Evidence first: with the group's file in its folder the component no longer uses its own key.
  const offer = offerOf(group, attest);
  writeWhole(GROUP_FILE, encodeGroupKey(group));
  return offer;
}

/** Step 2: asks to join the group of this offer; gives the own one. */
export function requestGroup(
  replica: number,
  policy: string,
  use: GroupUse,
  holderOffer: Uint8Array,
  attest: Attest,
): Uint8Array {
  assertNoGroup();
  const groupId = decodeKeyOffer(holderOffer)?.groupId;
  if (groupId === undefined) throw new CeremonyRefusal('that is no offer of a member of a group');
  const group = {
    use,
    key: NO_KEY,
    id: groupId,
    replica,
    policy,
    envelopeSecret: new Uint8Array(randomBytes(32)),
  };
  const offer = offerOf(group, attest);
  writeWhole(JOINING_FILE, encodeGroupKey(group));
  return offer;
}

/** Step 3: judges the newcomer's offer and gives it the group key, in an envelope that only it can open. */
export function grantGroup(holderOffer: Uint8Array, joinerOffer: Uint8Array): Uint8Array {
  const group = readGroupFile();
  if (group === undefined) throw new CeremonyRefusal('this component has no group key to give: ask a member');
  const own = accept(holderOffer, group, 'this component');
  if (!isOwn(own, group)) throw new CeremonyRefusal('the first offer is not the one of this component');
  const joiner = accept(joinerOffer, group, 'the newcomer');
  const holder = {
    own,
    secret: group.envelopeSecret,
    oneTimeSecret: new Uint8Array(randomBytes(32)),
    groupKey: group.key,
  };
  const envelope = sealGroupKey(holder, joiner, crypto);
  if (envelope === undefined) throw new CeremonyRefusal('the envelope key of the newcomer is not usable');
  return new Writer(2048).bytes(holderOffer).bytes(joinerOffer).bytes(envelope).finish();
}

/** Step 4: judges the member and takes the group key; the secret of the request is gone when this returns. */
export function installGroup(bytes: Uint8Array): void {
  assertNoGroup();
  if (!existsSync(JOINING_FILE))
    throw new CeremonyRefusal('this component did not ask to join a group: begin with a request');
  const group = decodeGroupKey(readFileSync(JOINING_FILE));
  const grant = decodeGrant(bytes);
  if (group === undefined || grant === undefined)
    throw new CeremonyRefusal('that is no grant of a group key');
  const holder = accept(grant.holder, group, 'the member');
  const own = accept(grant.joiner, group, 'this component');
  const joiner = { own, secret: group.envelopeSecret };
  const key = isOwn(own, group) ? openGroupKey(grant.envelope, joiner, holder, crypto) : undefined;
  if (key === undefined)
    throw new CeremonyRefusal('the grant is not for this component, or it was changed on its way');
  writeWhole(GROUP_FILE, encodeGroupKey({ ...group, key }));
  rmSync(JOINING_FILE);
}
