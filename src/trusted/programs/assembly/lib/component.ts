// @ts-nocheck AssemblyScript has other types; its own compiler checks them.
// What every trusted program has: who it is, its key, statements and their authenticators, evidence, renewal.
//
// The key block that a footprint gives at the start and after `replaceKey`:
//   0 suite (1 HMAC, 2 Ed25519) | 1 flags (1 persistent, 2 keeps records) | 2 zero (2) | 4 tcId (16) | 20 tcEpoch (8) |
//   28 measurement (32) | 60 statement key (32; HMAC only) | 92 length of the public key (2) | 94 public key
import {
  BAD_REQUEST,
  MODE,
  OP_ATTEST,
  OP_CERTIFICATES,
  OP_DONE,
  OP_VERIFY,
  readBytes,
  readDone,
  reserve,
  STATEMENT_BYTES,
  STORAGE,
  take,
  takenLength,
  writeError,
  writeHexText,
  writeRaw,
  writeText,
  writeU32,
  writeU64,
  writeU8,
} from './frames';
import { authenticate, replaceKey } from './host';
import { equal32, mac, setMacKey, sha256 } from './sha256';

/** Statement kinds. */
export const KIND_ADVANCE: i32 = 1;
export const KIND_STATUS: i32 = 2;
export const KIND_ADVANCE_NOPREV: i32 = 3;
export const KIND_PLAIN: i32 = 4;
export const KIND_LOG_ENTRY: i32 = 5;
export const KIND_LOG_GAP: i32 = 6;
export const KIND_LOG_UNASSIGNED: i32 = 7;
export const KIND_LOG_FORGOTTEN: i32 = 8;
export const KIND_LOG_END: i32 = 9;
export const KIND_WAIT: i32 = 11;
export const KIND_SHARE_SET: i32 = 12;
export const KIND_SHARE_OPEN: i32 = 13;
export const KIND_CLOSED: i32 = 14;

/** Bytes of a key block, at most. */
export const KEY_BLOCK_BYTES: i32 = 94 + 65;
const SUITE_HMAC: u8 = 1;
const KEY: usize = memory.data(160);
const STATEMENT: usize = memory.data(136);
const TAG: usize = memory.data(32);
const BIND: usize = memory.data(176);
const NEXT_KEY: usize = memory.data(160);

/** Address of the 136 bytes that `certificate` authenticates; programs set fields by the functions below. */
export function statementAt(): usize {
  return STATEMENT;
}

/** tcEpoch (8 bytes) in force. */
export function epochAt(): usize {
  return KEY + 20;
}

/** tcId (16 bytes). */
export function tcIdAt(): usize {
  return KEY + 4;
}

/** Raw public key; empty for HMAC. */
export function publicKeyAt(): usize {
  return KEY + 94;
}

export function publicKeyLength(): i32 {
  return bswap<u16>(load<u16>(KEY + 92));
}

/** Whether records are to be kept: a volatile footprint spares the work. */
export function keepsRecords(): bool {
  return (load<u8>(KEY + 1) & 2) != 0;
}

function isHmac(): bool {
  return load<u8>(KEY) == SUITE_HMAC;
}

/** Takes a key block of `length` bytes. */
export function adoptKey(block: usize, length: i32): bool {
  if (length < 94 || length > KEY_BLOCK_BYTES) return false;
  if (length != 94 + <i32>bswap<u16>(load<u16>(block + 92))) return false;
  memory.fill(KEY, 0, 160);
  memory.copy(KEY, block, length);
  if (isHmac()) setMacKey(KEY + 60, 32);
  memory.fill(KEY + 60, 0, 32);
  memory.fill(STATEMENT, 0, STATEMENT_BYTES);
  // "TCS1", kind, suite, flags, zero
  store<u32>(STATEMENT, 0x31534354);
  store<u8>(STATEMENT + 5, load<u8>(KEY));
  memory.copy(STATEMENT + 8, KEY + 4, 24);
  return true;
}

/** Fills in the statement: kind, flags, object, values and digest; aux and nonce are zero. */
export function setStatement(kind: i32, object: u64, previous: u64, value: u64, digest: usize): void {
  store<u8>(STATEMENT + 4, kind);
  store<u8>(STATEMENT + 6, 0);
  store<u64>(STATEMENT + 32, object);
  store<u64>(STATEMENT + 40, bswap<u64>(previous));
  store<u64>(STATEMENT + 48, bswap<u64>(value));
  memory.copy(STATEMENT + 56, digest, 32);
  memory.fill(STATEMENT + 88, 0, 48);
}

/** Puts 32 bytes of aux into the statement. */
export function setAux(at: usize): void {
  store<u8>(STATEMENT + 6, load<u8>(STATEMENT + 6) | 4);
  memory.copy(STATEMENT + 88, at, 32);
}

/** Puts 16 bytes of nonce into the statement. */
export function setNonce(at: usize): void {
  store<u8>(STATEMENT + 6, load<u8>(STATEMENT + 6) | 2);
  memory.copy(STATEMENT + 120, at, 16);
}

/** Authenticates bytes to `to` (at most 64 bytes); gives the length. */
export function authenticateTo(at: usize, length: i32, to: usize): i32 {
  if (!isHmac()) return authenticate(at, length, to);
  mac(at, length, to);
  return 32;
}

/** Writes a length-prefixed authenticator over the statement. */
export function writeAuthenticator(): void {
  const length = reserve(4);
  const at = reserve(0);
  const bytes = authenticateTo(STATEMENT, STATEMENT_BYTES, at);
  store<u32>(length, bswap<u32>(bytes));
  reserve(bytes);
}

/** Begins an answer of `count` certificates; each is then written by `writeCertificate`. */
export function beginCertificates(count: i32): void {
  writeU8(OP_CERTIFICATES);
  writeU32(count);
}

/** Writes the statement and its authenticator. */
export function writeCertificate(): void {
  writeRaw(STATEMENT, STATEMENT_BYTES);
  writeAuthenticator();
}

/** An answer without content. */
export function writeDone(): void {
  writeU8(OP_DONE);
}

/** Answer to `identify` and `renew`. `value`: the last value of the program's main counter, or 0. */
export function writeIdentity(op: i32, program: string, value: u64): void {
  writeU8(op);
  writeText(program);
  writeRaw(KEY + 28, 32);
  writeU8(load<u8>(KEY));
  writeRaw(KEY + 4, 24);
  writeHexText(publicKeyAt(), publicKeyLength());
  writeU8(load<u8>(KEY + 1) & 1);
  writeU64(value);
}

/** Answers `verify` (HMAC only). The right tag of a statement that the caller made up stays in here. */
export function answerVerify(): void {
  const statement = readBytes(STATEMENT_BYTES);
  const statementLength = takenLength();
  const authenticator = readBytes(64);
  const length = takenLength();
  if (!readDone()) return writeError(BAD_REQUEST, 'not a canonical TCS1 request');
  if (!isHmac()) return writeError(MODE, 'check signatures with the public key');
  let valid = false;
  if (statementLength == STATEMENT_BYTES && length == 32) {
    mac(statement, STATEMENT_BYTES, TAG);
    valid = equal32(TAG, authenticator);
    memory.fill(TAG, 0, 32);
  }
  writeU8(OP_VERIFY);
  writeU8(valid ? 1 : 0);
}

/** Answers `attest`: key and code, bound to the challenge. */
export function answerAttest(): void {
  const challenge = take(32);
  if (!readDone()) return writeError(BAD_REQUEST, 'not a canonical TCS1 request');
  const keyLength = publicKeyLength();
  writeBind(challenge, keyLength);
  writeU8(OP_ATTEST);
  const length = reserve(4);
  const start = reserve(0);
  writeText('none');
  writeRaw(KEY + 28, 32);
  writeU8(load<u8>(KEY));
  writeRaw(KEY + 4, 24);
  writeHexText(publicKeyAt(), keyLength);
  writeRaw(challenge, 32);
  const authenticatorLength = reserve(4);
  // 32 bytes are never a statement (136), so this seal can stand for nothing else.
  const bytes = authenticateTo(TAG, 32, reserve(0));
  store<u32>(authenticatorLength, bswap<u32>(bytes));
  reserve(bytes);
  store<u32>(length, bswap<u32>(<u32>(reserve(0) - start)));
}

/** Digest of "tc-bind-v1" | suite | tcId | tcEpoch | u16 length | public key | challenge to TAG. */
function writeBind(challenge: usize, keyLength: i32): void {
  const name = 'tc-bind-v1';
  for (let index: i32 = 0; index < 10; index++) store<u8>(BIND + index, name.charCodeAt(index));
  store<u8>(BIND + 10, load<u8>(KEY));
  memory.copy(BIND + 11, KEY + 4, 24);
  memory.copy(BIND + 35, KEY + 92, 2 + keyLength);
  memory.copy(BIND + 37 + keyLength, challenge, 32);
  sha256(BIND, 69 + keyLength, TAG);
}

/** Replaces key and tcEpoch; false after having written the error. */
export function replaceOwnKey(): bool {
  const length = replaceKey(NEXT_KEY);
  if (length > 0 && adoptKey(NEXT_KEY, length)) {
    memory.fill(NEXT_KEY, 0, 160);
    return true;
  }
  writeError(STORAGE, 'cannot store a new key');
  return false;
}
