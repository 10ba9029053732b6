/**
 * Canonical bytes of TCS1 requests and answers. Decoders are strict and bounded and never throw; what they do not
 * accept is `undefined`. Byte strings that a decoder gives are copies, so a caller may reuse its buffer.
 */
import { bytesToHex } from '../core/bytes.ts';
import { decodeWhole, Writer } from '../core/codec.ts';
import type { Reader } from '../core/codec.ts';
import { KEY_ENVELOPE_BYTES } from '../crypto/request-mac.ts';
import {
  CERTIFICATES_MAX,
  CORE_BYTES_MAX,
  COUNTER_SENTINEL,
  EXTENSION_BYTES_MAX,
  MOVES_MAX,
  OBJECT_MODE,
  RECENT_DEPTH,
  STATEMENT_BYTES,
  TAG_CLAIMS_MAX,
} from './contract.ts';
import type {
  CounterMove,
  ObjectMode,
  RecentCertificate,
  TagClaim,
  TrustedCertificate,
  TrustedErrorCode,
  TrustedIdentity,
  TrustedRequest,
  TrustedResponse,
} from './contract.ts';
import { SUITE_BYTE, suiteOfByte } from './statement.ts';

/** Bytes of a request, at most: a `verifyTags` of TAG_CLAIMS_MAX claims of a hundred bytes. */
export const REQUEST_BYTES_MAX = 26 * 1024;
/** Bytes of an answer, at most: a whole `recent`. */
export const RESPONSE_BYTES_MAX = RECENT_DEPTH * (CORE_BYTES_MAX + 256) + 256;

const AUTHENTICATOR_BYTES_MAX = 64;
const EVIDENCE_BYTES_MAX = 64 * 1024;
const NAME_BYTES_MAX = 32;
const MESSAGE_BYTES_MAX = 256;

const OP = {
  identify: 1,
  certify: 2,
  recent: 3,
  renew: 4,
  verify: 5,
  attest: 6,
  create: 7,
  advance: 8,
  status: 9,
  close: 10,
  plain: 11,
  advanceMany: 12,
  replay: 13,
  exportClientKey: 14,
  verifyTags: 15,
  append: 20,
  advanceLog: 21,
  lookup: 22,
  end: 23,
  truncate: 24,
  extension: 64,
  certificates: 128,
  done: 129,
  error: 255,
} as const;
const MODES = Object.keys(OBJECT_MODE) as ObjectMode[];
const NONCE_BYTES = 16;

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

/** A value, or 2^64-1 for "none". */
function writeValue(writer: Writer, value: number): Writer {
  return value === COUNTER_SENTINEL ? writer.u32(0xffffffff).u32(0xffffffff) : writer.u64(value);
}

function readValue(reader: Reader): number {
  const high = reader.u32();
  const low = reader.u32();
  if (high === 0xffffffff && low === 0xffffffff) return COUNTER_SENTINEL;
  if (high >= 2 ** 21) reader.fail();
  return high * 2 ** 32 + low;
}

function writeMove(writer: Writer, move: CounterMove): void {
  writeValue(writer.hex(move.objectId), move.value);
}

function readMove(reader: Reader): CounterMove {
  return { objectId: bytesToHex(reader.raw(8)), value: readValue(reader) };
}

type ClientKeyRequest = Extract<TrustedRequest, { op: 'exportClientKey' | 'verifyTags' }>;

function writeClaim(writer: Writer, claim: TagClaim): void {
  writer.digest(claim.clientId).u32(claim.version).digest(claim.digest).raw(claim.tag);
}

function readClaim(reader: Reader): TagClaim {
  const clientId = reader.digest();
  const version = reader.u32();
  return { clientId, version, digest: reader.digest(), tag: copyOf(reader.raw(32)) };
}

function writeClientKeyRequest(writer: Writer, request: ClientKeyRequest): void {
  if (request.op === 'verifyTags') {
    writer.list(request.claims, writeClaim);
    return;
  }
  writer.raw(request.clientKey).u32(request.version).digest(request.clusterId);
  writer.u64(request.configurationVersion).raw(request.agreementKey).raw(request.signature);
}

function readKeyExport(reader: Reader): TrustedRequest {
  const clientKey = copyOf(reader.raw(32));
  const version = reader.u32();
  const clusterId = reader.digest();
  const configurationVersion = reader.u64();
  const agreementKey = copyOf(reader.raw(32));
  const signature = copyOf(reader.raw(64));
  return { op: 'exportClientKey', clientKey, version, clusterId, configurationVersion, agreementKey, signature };
}

function readTagClaims(reader: Reader): TrustedRequest {
  const claims = reader.list(TAG_CLAIMS_MAX, readClaim);
  if (claims.length === 0) reader.fail();
  return { op: 'verifyTags', claims };
}

/** One bit for each verdict, the lowest first; what is left of the last byte is zero. */
function writeVerdicts(writer: Writer, valid: readonly boolean[]): void {
  const bits = new Uint8Array(Math.ceil(valid.length / 8));
  valid.forEach((one, index) => (bits[index >> 3]! |= one ? 1 << (index & 7) : 0));
  writer.u32(valid.length).raw(bits);
}

function readVerdicts(reader: Reader): boolean[] {
  const count = reader.u32();
  if (count > TAG_CLAIMS_MAX) reader.fail();
  const bits = reader.failed ? new Uint8Array(0) : reader.raw(Math.ceil(count / 8));
  if (count % 8 !== 0 && bits.at(-1)! >> (count % 8) !== 0) reader.fail();
  return reader.failed
    ? []
    : Array.from({ length: count }, (_, index) => ((bits[index >> 3]! >> (index & 7)) & 1) === 1);
}

type ObjectRequest = Exclude<
  TrustedRequest,
  { op: 'identify' | 'renew' | 'certify' | 'recent' | 'verify' | 'attest' | ClientKeyRequest['op'] }
>;

function writeObjectRequest(writer: Writer, request: ObjectRequest): void {
  switch (request.op) {
    case 'create':
      writer.hex(request.objectId).u8(OBJECT_MODE[request.mode]);
      break;
    case 'advance':
      writeValue(writer.hex(request.objectId), request.value).bool(request.independent).digest(request.digest);
      break;
    case 'status':
      writer.hex(request.objectId).hex(request.nonce).digest(request.digest);
      break;
    case 'close':
      writer.hex(request.objectId).digest(request.digest);
      break;
    case 'plain':
      writer.digest(request.digest);
      break;
    case 'advanceMany':
      writer.list(request.moves, writeMove).digest(request.digest);
      break;
    case 'replay':
      writer.hex(request.objectId).u32(request.count);
      break;
    case 'append':
      writer.hex(request.objectId).digest(request.entry);
      break;
    case 'advanceLog':
      writer.hex(request.objectId).u64(request.slot).digest(request.base).digest(request.entry);
      break;
    case 'lookup':
      writer.hex(request.objectId).u64(request.slot).hex(request.nonce);
      break;
    case 'end':
      writer.hex(request.objectId).hex(request.nonce);
      break;
    case 'truncate':
      writer.hex(request.objectId).u64(request.slot);
      break;
    case 'extension':
      writer.u8(request.code).bytes(request.body);
      break;
  }
}

/** Requests about objects, which a USIG does not have more than one of. */
function readObjectRequest(op: number, reader: Reader): TrustedRequest | undefined {
  const objectId = (): string => bytesToHex(reader.raw(8));
  const nonce = (): string => bytesToHex(reader.raw(NONCE_BYTES));
  switch (op) {
    case OP.create: {
      const id = objectId();
      const mode = MODES[reader.u8() - 1];
      if (mode !== undefined) return { op: 'create', objectId: id, mode };
      break;
    }
    case OP.advance: {
      const id = objectId();
      const value = readValue(reader);
      const independent = reader.bool();
      return { op: 'advance', objectId: id, value, independent, digest: reader.digest() };
    }
    case OP.status:
      return { op: 'status', objectId: objectId(), nonce: nonce(), digest: reader.digest() };
    case OP.close:
      return { op: 'close', objectId: objectId(), digest: reader.digest() };
    case OP.plain:
      return { op: 'plain', digest: reader.digest() };
    case OP.advanceMany:
      return { op: 'advanceMany', moves: reader.list(MOVES_MAX, readMove), digest: reader.digest() };
    case OP.replay:
      return { op: 'replay', objectId: objectId(), count: reader.u32() };
    case OP.append:
      return { op: 'append', objectId: objectId(), entry: reader.digest() };
    case OP.advanceLog: {
      const id = objectId();
      const slot = reader.u64();
      return { op: 'advanceLog', objectId: id, slot, base: reader.digest(), entry: reader.digest() };
    }
    case OP.lookup:
      return { op: 'lookup', objectId: objectId(), slot: reader.u64(), nonce: nonce() };
    case OP.end:
      return { op: 'end', objectId: objectId(), nonce: nonce() };
    case OP.truncate:
      return { op: 'truncate', objectId: objectId(), slot: reader.u64() };
    case OP.extension: {
      const code = reader.u8();
      return { op: 'extension', code, body: copyOf(reader.bytes(EXTENSION_BYTES_MAX)) };
    }
  }
  reader.fail();
  return undefined;
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
    case 'exportClientKey':
    case 'verifyTags':
      writeClientKeyRequest(writer, request);
      break;
    default:
      writeObjectRequest(writer, request);
  }
  return writer.finish();
}

function readRequest(reader: Reader): TrustedRequest | undefined {
  const op = reader.u8();
  switch (op) {
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
    case OP.exportClientKey:
      return readKeyExport(reader);
    case OP.verifyTags:
      return readTagClaims(reader);
    default:
      return readObjectRequest(op, reader);
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

function writeTrustedCertificate(writer: Writer, certificate: TrustedCertificate): void {
  writer.raw(certificate.statement).bytes(certificate.authenticator);
}

function readTrustedCertificate(reader: Reader): TrustedCertificate {
  const statement = copyOf(reader.raw(STATEMENT_BYTES));
  return { statement, authenticator: copyOf(reader.bytes(AUTHENTICATOR_BYTES_MAX)) };
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
    case 'certificates':
      writer.list(response.certificates, writeTrustedCertificate);
      break;
    case 'done':
      break;
    case 'exportClientKey':
      writer.raw(response.envelope);
      break;
    case 'verifyTags':
      writeVerdicts(writer, response.valid);
      break;
    case 'extension':
      writer.u8(response.code).bytes(response.body);
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
    case OP.certificates:
      return { op: 'certificates', certificates: reader.list(CERTIFICATES_MAX, readTrustedCertificate) };
    case OP.done:
      return { op: 'done' };
    case OP.exportClientKey:
      return { op: 'exportClientKey', envelope: copyOf(reader.raw(KEY_ENVELOPE_BYTES)) };
    case OP.verifyTags:
      return { op: 'verifyTags', valid: readVerdicts(reader) };
    case OP.extension: {
      const code = reader.u8();
      return { op: 'extension', code, body: copyOf(reader.bytes(EXTENSION_BYTES_MAX)) };
    }
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
