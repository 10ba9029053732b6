/**
 * Canonical bytes of TCS1 requests and answers. Decoders are strict and bounded and never throw; what they do not
 * accept is `undefined`. Byte strings that a decoder gives are copies, so a caller may reuse its buffer.
 */
import { bytesToHex } from '../core/bytes.ts';
import { decodeWhole, Writer } from '../core/codec.ts';
import type { Reader } from '../core/codec.ts';
import { CORE_BYTES_MAX, RECENT_DEPTH, STATEMENT_BYTES } from './contract.ts';
import type {
  RecentCertificate,
  TrustedErrorCode,
  TrustedIdentity,
  TrustedRequest,
  TrustedResponse,
} from './contract.ts';
import { SUITE_BYTE, suiteOfByte } from './statement.ts';

/** Bytes of a request, at most. */
export const REQUEST_BYTES_MAX = CORE_BYTES_MAX + 256;
/** Bytes of an answer, at most: a whole `recent`. */
export const RESPONSE_BYTES_MAX = RECENT_DEPTH * (CORE_BYTES_MAX + 256) + 256;

const AUTHENTICATOR_BYTES_MAX = 64;
const EVIDENCE_BYTES_MAX = 64 * 1024;
const NAME_BYTES_MAX = 32;
const MESSAGE_BYTES_MAX = 256;

const OP = { identify: 1, certify: 2, recent: 3, renew: 4, verify: 5, attest: 6, error: 255 } as const;

const ERROR_CODES: readonly TrustedErrorCode[] = [
  'NO_OBJECT',
  'EXISTS',
  'MODE',
  'NOT_MONOTONIC',
  'CLOSED',
  'OVERFLOW',
  'QUOTA',
  'NOT_READY',
  'BAD_AUTH',
  'BAD_REQUEST',
  'STORAGE',
];

/** A copy also where the view is one of a Buffer, whose own `slice` copies nothing. */
function copyOf(view: Uint8Array): Uint8Array {
  return new Uint8Array(view);
}

/** Bytes of a request. A core above CORE_BYTES_MAX is refused by every component (BAD_REQUEST). */
export function encodeTrustedRequest(request: TrustedRequest): Uint8Array {
  const writer = new Writer(request.op === 'certify' ? 48 + request.core.length : 256).u8(OP[request.op]);
  switch (request.op) {
    case 'identify':
    case 'renew':
      break;
    case 'certify':
      writer.hex(request.objectId).digest(request.digest).bytes(request.core);
      break;
    case 'recent':
      writer.hex(request.objectId).u32(request.count);
      break;
    case 'verify':
      writer.bytes(request.statement).bytes(request.authenticator);
      break;
    case 'attest':
      writer.digest(request.challenge);
      break;
  }
  return writer.finish();
}

function readRequest(reader: Reader): TrustedRequest | undefined {
  switch (reader.u8()) {
    case OP.identify:
      return { op: 'identify' };
    case OP.certify: {
      const objectId = bytesToHex(reader.raw(8));
      const digest = reader.digest();
      return { op: 'certify', objectId, digest, core: copyOf(reader.bytes(CORE_BYTES_MAX)) };
    }
    case OP.recent: {
      const objectId = bytesToHex(reader.raw(8));
      return { op: 'recent', objectId, count: reader.u32() };
    }
    case OP.renew:
      return { op: 'renew' };
    case OP.verify: {
      const statement = copyOf(reader.bytes(STATEMENT_BYTES));
      return { op: 'verify', statement, authenticator: copyOf(reader.bytes(AUTHENTICATOR_BYTES_MAX)) };
    }
    case OP.attest:
      return { op: 'attest', challenge: reader.digest() };
    default:
      reader.fail();
      return undefined;
  }
}

/** Reads a request; undefined unless canonical and within bounds. */
export function decodeTrustedRequest(bytes: Uint8Array): TrustedRequest | undefined {
  if (bytes.length > REQUEST_BYTES_MAX) return undefined;
  return decodeWhole(bytes, readRequest);
}

function writeIdentity(writer: Writer, identity: TrustedIdentity): void {
  writer.ascii(identity.program).digest(identity.measurement).u8(SUITE_BYTE[identity.suite]);
  writer.hex(identity.tcId).tcEpoch(identity.tcEpoch).ascii(identity.publicKey);
  writer.bool(identity.persistent).u64(identity.counter);
}

function readIdentity(reader: Reader): TrustedIdentity {
  const program = reader.ascii(NAME_BYTES_MAX);
  const measurement = reader.digest();
  const suite = suiteOfByte(reader.u8());
  if (suite === undefined) reader.fail();
  const tcId = bytesToHex(reader.raw(16));
  const tcEpoch = reader.tcEpoch();
  const publicKey = reader.ascii(130);
  if (!/^(?:[0-9a-f]{2})*$/.test(publicKey)) reader.fail();
  const persistent = reader.bool();
  const counter = reader.u64();
  return { program, measurement, suite: suite ?? 'ed25519', tcId, tcEpoch, publicKey, persistent, counter };
}

function writeRecent(writer: Writer, certificate: RecentCertificate): void {
  writer.u64(certificate.counter).digest(certificate.digest).bytes(certificate.authenticator);
  writer.bytes(certificate.core);
}

function readRecent(reader: Reader): RecentCertificate {
  const counter = reader.u64();
  const digest = reader.digest();
  const authenticator = copyOf(reader.bytes(AUTHENTICATOR_BYTES_MAX));
  return { counter, digest, authenticator, core: copyOf(reader.bytes(CORE_BYTES_MAX)) };
}

/** Bytes of an answer. */
export function encodeTrustedResponse(response: TrustedResponse): Uint8Array {
  const writer = new Writer(256).u8(OP[response.op]);
  switch (response.op) {
    case 'identify':
    case 'renew':
      writeIdentity(writer, response.identity);
      break;
    case 'certify':
      writer.tcEpoch(response.tcEpoch).u64(response.previous).u64(response.value).digest(response.digest);
      writer.bytes(response.authenticator);
      break;
    case 'recent':
      writer.list(response.certificates, writeRecent);
      break;
    case 'verify':
      writer.bool(response.valid);
      break;
    case 'attest':
      writer.bytes(response.evidence);
      break;
    case 'error':
      writer.u8(ERROR_CODES.indexOf(response.code)).ascii(response.message.slice(0, MESSAGE_BYTES_MAX));
      break;
  }
  return writer.finish();
}

function readResponse(reader: Reader): TrustedResponse | undefined {
  switch (reader.u8()) {
    case OP.identify:
      return { op: 'identify', identity: readIdentity(reader) };
    case OP.renew:
      return { op: 'renew', identity: readIdentity(reader) };
    case OP.certify: {
      const tcEpoch = reader.tcEpoch();
      const previous = reader.u64();
      const value = reader.u64();
      const digest = reader.digest();
      const authenticator = copyOf(reader.bytes(AUTHENTICATOR_BYTES_MAX));
      return { op: 'certify', tcEpoch, previous, value, digest, authenticator };
    }
    case OP.recent:
      return { op: 'recent', certificates: reader.list(RECENT_DEPTH, readRecent) };
    case OP.verify:
      return { op: 'verify', valid: reader.bool() };
    case OP.attest:
      return { op: 'attest', evidence: copyOf(reader.bytes(EVIDENCE_BYTES_MAX)) };
    case OP.error: {
      const code = ERROR_CODES[reader.u8()];
      const message = reader.ascii(MESSAGE_BYTES_MAX);
      if (code !== undefined) return { op: 'error', code, message };
      break;
    }
  }
  reader.fail();
  return undefined;
}

/** Reads an answer; undefined unless canonical and within bounds. */
export function decodeTrustedResponse(bytes: Uint8Array): TrustedResponse | undefined {
  if (bytes.length > RESPONSE_BYTES_MAX) return undefined;
  return decodeWhole(bytes, readResponse);
}
