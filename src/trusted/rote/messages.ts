/**
 * Messages between the guards of a group. Each is signed by its sender over the group, both ends, both sessions and the
 * content, so that none can be used in another group, at another member, or after either end was started again.
 */
import { asciiBytes, bytesToHex } from '../../core/bytes.ts';
import { decodeWhole, Writer } from '../../core/codec.ts';
import type { Reader } from '../../core/codec.ts';
import type { Digest } from '../../core/types.ts';

/** Number of a member in its group. */
export type GuardId = number;

/** Members of a group, at most. */
const GUARDS_MAX = 31;
/** Applications of one member, at most. */
export const APPLICATIONS_MAX = 8;
/** Bytes of a message, at most: RECOVER-R with every row of the largest group. */
export const ROTE_MESSAGE_BYTES_MAX = 256 + GUARDS_MAX * APPLICATIONS_MAX * 160;
/** Hexadecimal digits of sessions, nonces and challenges (16 bytes). */
const TOKEN_BYTES = 16;
const APPLICATION_BYTES_MAX = 32;
const SIGNATURE_BYTES = 64;
/** In the place of a session that is not known yet. */
export const NO_SESSION = '0'.repeat(2 * TOKEN_BYTES);

/** What is known of an application: its owner's signed word. */
export interface Row {
  readonly owner: GuardId;
  readonly application: string;
  readonly value: number;
  readonly digest: Digest;
  /** By the owner, over `rowBytes`. */
  readonly signature: Uint8Array;
}

/** What identifies an increment. */
export interface Mark {
  readonly application: string;
  readonly value: number;
  readonly digest: Digest;
}

/** Content of a message. */
export type RoteBody =
  | { readonly kind: 'HELLO'; readonly nonce: string }
  | { readonly kind: 'HELLO-R'; readonly nonce: string; readonly challenge: string }
  | { readonly kind: 'HELLO-C'; readonly challenge: string }
  | { readonly kind: 'WELCOME' }
  | { readonly kind: 'INC'; readonly row: Row }
  | { readonly kind: 'ECHO' | 'CONFIRM' | 'ACK'; readonly mark: Mark }
  | { readonly kind: 'NACK'; readonly row: Row }
  | { readonly kind: 'RECOVER-REQ'; readonly nonce: string }
  | { readonly kind: 'RECOVER-R'; readonly nonce: string; readonly rows: readonly Row[] }
  | { readonly kind: 'READ-REQ'; readonly nonce: string; readonly application: string }
  | { readonly kind: 'READ-R'; readonly nonce: string; readonly row: Row | undefined };

const KINDS: readonly RoteBody['kind'][] = [
  'HELLO',
  'HELLO-R',
  'HELLO-C',
  'WELCOME',
  'INC',
  'ECHO',
  'CONFIRM',
  'ACK',
  'NACK',
  'RECOVER-REQ',
  'RECOVER-R',
  'READ-REQ',
  'READ-R',
];

/** A message with its ends; sessions are 16 bytes, hexadecimal. */
export interface RoteMessage {
  readonly from: GuardId;
  readonly to: GuardId;
  readonly fromSession: string;
  readonly toSession: string;
  readonly body: RoteBody;
}

/** Bytes that the owner of a row signs. */
export function rowBytes(groupId: Digest, row: Omit<Row, 'signature'>): Uint8Array {
  return new Writer(128)
    .raw(asciiBytes('moiety/rote/ROW/v1'))
    .digest(groupId)
    .u32(row.owner)
    .ascii(row.application)
    .u64(row.value)
    .digest(row.digest)
    .finish();
}

function writeRow(writer: Writer, row: Row): void {
  writer.u32(row.owner).ascii(row.application).u64(row.value).digest(row.digest).raw(row.signature);
}

function readRow(reader: Reader): Row {
  const owner = reader.u32();
  const application = reader.ascii(APPLICATION_BYTES_MAX);
  const value = reader.u64();
  const digest = reader.digest();
  return { owner, application, value, digest, signature: new Uint8Array(reader.raw(SIGNATURE_BYTES)) };
}

function writeBody(writer: Writer, body: RoteBody): void {
  writer.u8(KINDS.indexOf(body.kind) + 1);
  switch (body.kind) {
    case 'HELLO':
    case 'RECOVER-REQ':
      writer.hex(body.nonce);
      break;
    case 'HELLO-R':
      writer.hex(body.nonce).hex(body.challenge);
      break;
    case 'HELLO-C':
      writer.hex(body.challenge);
      break;
    case 'WELCOME':
      break;
    case 'INC':
    case 'NACK':
      writeRow(writer, body.row);
      break;
    case 'ECHO':
    case 'CONFIRM':
    case 'ACK':
      writer.ascii(body.mark.application).u64(body.mark.value).digest(body.mark.digest);
      break;
    case 'RECOVER-R':
      writer.hex(body.nonce).list(body.rows, writeRow);
      break;
    case 'READ-REQ':
      writer.hex(body.nonce).ascii(body.application);
      break;
    case 'READ-R':
      writer.hex(body.nonce).option(body.row, writeRow);
      break;
  }
}

function readBody(reader: Reader): RoteBody | undefined {
  const kind = KINDS[reader.u8() - 1];
  const token = (): string => bytesToHex(reader.raw(TOKEN_BYTES));
  switch (kind) {
    case 'HELLO':
    case 'RECOVER-REQ':
      return { kind, nonce: token() };
    case 'HELLO-R': {
      const nonce = token();
      return { kind, nonce, challenge: token() };
    }
    case 'HELLO-C':
      return { kind, challenge: token() };
    case 'WELCOME':
      return { kind };
    case 'INC':
    case 'NACK':
      return { kind, row: readRow(reader) };
    case 'ECHO':
    case 'CONFIRM':
    case 'ACK': {
      const application = reader.ascii(APPLICATION_BYTES_MAX);
      const value = reader.u64();
      return { kind, mark: { application, value, digest: reader.digest() } };
    }
    case 'RECOVER-R': {
      const nonce = token();
      return { kind, nonce, rows: reader.list(GUARDS_MAX * APPLICATIONS_MAX, readRow) };
    }
    case 'READ-REQ': {
      const nonce = token();
      return { kind, nonce, application: reader.ascii(APPLICATION_BYTES_MAX) };
    }
    case 'READ-R': {
      const nonce = token();
      return { kind, nonce, row: reader.option(readRow) };
    }
    default:
      reader.fail();
      return undefined;
  }
}

/** Bytes of a message without its signature: what is signed, after the group. */
function contentOf(message: RoteMessage): Uint8Array {
  const writer = new Writer(256).u32(message.from).u32(message.to).hex(message.fromSession).hex(message.toSession);
  writeBody(writer, message.body);
  return writer.finish();
}

function signedBytes(groupId: Digest, content: Uint8Array): Uint8Array {
  return new Writer(64 + content.length).raw(asciiBytes('moiety/rote/MESSAGE/v1')).digest(groupId).raw(content).finish();
}

/** Bytes of a message; `sign` gives 64 bytes over what it is given. */
export function encodeRoteMessage(
  groupId: Digest,
  message: RoteMessage,
  sign: (bytes: Uint8Array) => Uint8Array,
): Uint8Array {
  const content = contentOf(message);
  return new Writer(content.length + SIGNATURE_BYTES).raw(content).raw(sign(signedBytes(groupId, content))).finish();
}

/**
 * Reads a message; undefined unless it is canonical and `check` accepts the signature under the key of the member that
 * it names as its sender.
 */
export function decodeRoteMessage(
  groupId: Digest,
  bytes: Uint8Array,
  check: (from: GuardId, bytes: Uint8Array, signature: Uint8Array) => boolean,
): RoteMessage | undefined {
  if (bytes.length > ROTE_MESSAGE_BYTES_MAX || bytes.length <= SIGNATURE_BYTES) return undefined;
  const end = bytes.length - SIGNATURE_BYTES;
  const content = bytes.subarray(0, end);
  const message = decodeWhole(content, (reader) => {
    const from = reader.u32();
    const to = reader.u32();
    const fromSession = bytesToHex(reader.raw(TOKEN_BYTES));
    const toSession = bytesToHex(reader.raw(TOKEN_BYTES));
    const body = readBody(reader);
    return body === undefined ? undefined : { from, to, fromSession, toSession, body };
  });
  if (message === undefined) return undefined;
  return check(message.from, signedBytes(groupId, content), bytes.subarray(end)) ? message : undefined;
}
