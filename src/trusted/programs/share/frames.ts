/** Bodies of the `extension` requests of the share program and of their answers (docs/trusted/share.md). */
import { digestToBytes } from '../../../core/bytes.ts';
import type { Reader } from '../../../core/codec.ts';
import { decodeWhole, Writer } from '../../../core/codec.ts';
import type { CounterValue, Digest, TcEpoch } from '../../../core/types.ts';
import { STATEMENT_BYTES } from '../../contract.ts';
import type { TrustedCertificate, TrustedRequest, TrustedResponse } from '../../contract.ts';

/** The program's only object: class 4 (share set), purpose 1. */
export const SHARE_OBJECT_ID = '0401000000000000';
/** Members of a group, at most. */
const SHARE_MEMBERS_MAX = 25;
/** Counter values of a view are below. */
export const SHARE_COUNTER_END = 2 ** 40;

const BOX_BYTES_MAX = 16 + 33 * (SHARE_MEMBERS_MAX + 1) + 32;
const CODE = {
  announce: 1,
  enrol: 2,
  lead: 3,
  enter: 4,
  split: 5,
  order: 6,
  accept: 7,
  follow: 8,
  verifySecret: 9,
  close: 10,
  reset: 11,
} as const;

/** Where a component stands: `value` of its statements. */
export interface SharePosition {
  readonly view: number;
  /** 0 before the first value of the view. */
  readonly counter: number;
}

/** Position as the value of a statement: view * 2^40 + counter. */
export function positionValueOf({ view, counter }: SharePosition): CounterValue {
  return view * SHARE_COUNTER_END + counter;
}

/** The position that a statement's value stands for. */
export function positionOfValue(value: CounterValue): SharePosition {
  return { view: Math.floor(value / SHARE_COUNTER_END), counter: value % SHARE_COUNTER_END };
}

/** A component of the group. */
export interface ShareMember {
  /** 16 bytes, hexadecimal. */
  readonly tcId: string;
  readonly tcEpoch: TcEpoch;
  /** With signatures only: its keys, and its own certificate of the second one. */
  readonly keys?: ShareMemberKeys;
}

/** Keys of a member under a suite with signatures. */
export interface ShareMemberKeys {
  /** Raw public key of its statements, 32 bytes. */
  readonly publicKey: Uint8Array;
  readonly agreement: AnnouncedKey;
}

/** Answer to `announce`. */
export interface AnnouncedKey {
  /** X25519 public key, 32 bytes. */
  readonly key: Uint8Array;
  /** PLAIN statement over it. */
  readonly certificate: TrustedCertificate;
}

/** A holder of a share: its place among the members, and the position of its parent in the list of holders. */
export interface ShareHolder {
  readonly member: number;
  readonly parent: number;
}

/** A share on its way to a member's component, which alone can open it. */
export interface ShareBox {
  readonly member: number;
  readonly box: Uint8Array;
}

/** Answer to `split`. */
export interface SplitSecret {
  /** SHARE_SET statement: value = position, digest = commitment, aux = digest of the group. */
  readonly certificate: TrustedCertificate;
  readonly boxes: readonly ShareBox[];
}

/** Answer to `accept`. */
export interface OpenedShare {
  readonly share: Uint8Array;
  /** What partials must hash to: of the children in a tree; for the primary of a threshold set, of all members. */
  readonly checks: readonly { readonly member: number; readonly digest: Digest }[];
}

function extension(code: number, writer: Writer): TrustedRequest {
  return { op: 'extension', code, body: writer.finish() };
}

function writeCertificate(writer: Writer, { statement, authenticator }: TrustedCertificate): Writer {
  return writer.raw(statement).bytes(authenticator);
}

function readCertificate(reader: Reader): TrustedCertificate {
  const statement = new Uint8Array(reader.raw(STATEMENT_BYTES));
  return { statement, authenticator: new Uint8Array(reader.bytes(64)) };
}

function decodeAnswer<T>(answer: TrustedResponse, code: number, read: (reader: Reader) => T): T | undefined {
  return answer.op === 'extension' && answer.code === code ? decodeWhole(answer.body, read) : undefined;
}

/** Asks for the key by which others encrypt to this component. MODE in an HMAC group, which needs none. */
export function announceRequest(): TrustedRequest {
  return extension(CODE.announce, new Writer(0));
}

/** The announced key; undefined if the answer is another one. */
export function announcedKeyOf(answer: TrustedResponse): AnnouncedKey | undefined {
  return decodeAnswer(answer, CODE.announce, (reader) => {
    const key = new Uint8Array(reader.raw(32));
    return { key, certificate: readCertificate(reader) };
  });
}

/** Puts a group in force; `version` must be above the one in force. The view in force is closed by it. */
export function enrolRequest(version: number, members: readonly ShareMember[]): TrustedRequest {
  const writer = new Writer(4096).u32(version).u8(members.length);
  for (const { tcId, tcEpoch, keys } of members) {
    writer.hex(tcId).tcEpoch(tcEpoch);
    if (keys === undefined) continue;
    writer.raw(keys.publicKey).raw(keys.agreement.key).raw(keys.agreement.certificate.authenticator);
  }
  return extension(CODE.enrol, writer);
}

/** Enters a view as its primary, with the digest of its NEW-VIEW: kind ADVANCE_NOPREV, once a view. */
export function leadRequest(view: number, digest: Digest): TrustedRequest {
  return extension(CODE.lead, new Writer(40).u64(view).digest(digest));
}

/** Enters a view by the certificate of its primary. */
export function enterRequest(certificate: TrustedCertificate): TrustedRequest {
  return extension(CODE.enter, writeCertificate(new Writer(256), certificate));
}

/** Splits the secret of a counter value among the holders of a tree, the primary first: all of them are needed. */
export function splitRequest(counter: number, holders: readonly ShareHolder[]): TrustedRequest {
  const writer = new Writer(64).u64(counter).u8(holders.length);
  for (const { member, parent } of holders) writer.u8(member).u8(parent);
  return extension(CODE.split, writer);
}

/** Splits the secret of a counter value among all members: any f+1 of them are enough. */
export function splitThresholdRequest(counter: number): TrustedRequest {
  return splitRequest(counter, []);
}

/** The boxes of a split; undefined if the answer is another one. */
export function splitSecretOf(answer: TrustedResponse): SplitSecret | undefined {
  return decodeAnswer(answer, CODE.split, (reader) => {
    const certificate = readCertificate(reader);
    const boxes: ShareBox[] = [];
    const count = reader.u8();
    if (count > SHARE_MEMBERS_MAX) reader.fail();
    while (boxes.length < count && !reader.failed) {
      const member = reader.u8();
      boxes.push({ member, box: new Uint8Array(reader.bytes(BOX_BYTES_MAX)) });
    }
    return { certificate, boxes };
  });
}

/** Binds a digest to the next counter value of the view that this component leads: kind ADVANCE. */
export function orderRequest(digest: Digest): TrustedRequest {
  return extension(CODE.order, new Writer(32).digest(digest));
}

/** Accepts what the primary ordered, and takes the own share out of its box. */
export function acceptRequest(
  ordered: TrustedCertificate,
  commitment: Digest,
  box: Uint8Array,
): TrustedRequest {
  return extension(CODE.accept, writeCertificate(new Writer(1024), ordered).digest(commitment).bytes(box));
}

/** The share that was given out; undefined if the answer is another one. */
export function openedShareOf(answer: TrustedResponse): OpenedShare | undefined {
  return decodeAnswer(answer, CODE.accept, (reader) => {
    const share = new Uint8Array(reader.raw(32));
    const checks: { member: number; digest: Digest }[] = [];
    const count = reader.u8();
    if (count > SHARE_MEMBERS_MAX) reader.fail();
    while (checks.length < count && !reader.failed)
      checks.push({ member: reader.u8(), digest: reader.digest() });
    return { share, checks };
  });
}

/** Moves a component without a share past a value, by the secret that shows that enough others accepted it. */
export function followRequest(
  secret: Uint8Array,
  split: TrustedCertificate,
  ordered: TrustedCertificate,
): TrustedRequest {
  const writer = writeCertificate(new Writer(512).raw(secret), split);
  return extension(CODE.follow, writeCertificate(writer, ordered));
}

/** Asks whether a secret is the one of a SHARE_SET statement of this group. */
export function verifySecretRequest(secret: Uint8Array, split: TrustedCertificate): TrustedRequest {
  return extension(CODE.verifySecret, writeCertificate(new Writer(256).raw(secret), split));
}

/** Whether it is; undefined if the answer is another one. */
export function verifiedSecretOf(answer: TrustedResponse): boolean | undefined {
  return decodeAnswer(answer, CODE.verifySecret, (reader) => reader.bool());
}

/** Closes the view: no share leaves any more. Kind CLOSED, with where the component stands as `previous`. */
export function closeRequest(digest: Digest): TrustedRequest {
  return extension(CODE.close, new Writer(32).raw(digestToBytes(digest)));
}

/** Moves a component that fell behind to where f+1 others said that they stand: equal STATUS statements. */
export function resetRequest(positions: readonly TrustedCertificate[]): TrustedRequest {
  const writer = new Writer(4096).u8(positions.length);
  for (const certificate of positions) writeCertificate(writer, certificate);
  return extension(CODE.reset, writer);
}
