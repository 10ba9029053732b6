/**
 * TCS1 statements: the 136 bytes that every certificate covers (decision A10), who a component is (`tcIdOf`), the key
 * of the HMAC suite and the digest that binds a key to a challenge. Layout and vectors: docs/trusted-components.md.
 */
import { asciiBytes, bytesToDigest, bytesToHex, hexToBytes } from '../core/bytes.ts';
import { assert } from '../core/assert.ts';
import { Reader, Writer } from '../core/codec.ts';
import type { Suite } from '../core/config.ts';
import type { CounterValue, Digest, Hash, TcEpoch } from '../core/types.ts';
import { SAFE_INTEGER_END, ZERO_DIGEST } from '../core/types.ts';
import { COUNTER_SENTINEL, STATEMENT_BYTES, STATEMENT_KIND, USIG_OBJECT_ID } from './contract.ts';
import type { Statement } from './contract.ts';

/** HMAC-SHA-256: any key, any message -> 32 bytes. */
export type Hmac = (key: Uint8Array, message: Uint8Array) => Uint8Array;

/** Suite byte of a statement. */
export const SUITE_BYTE: Readonly<Record<Suite, number>> = { 'hmac-sha256': 1, ed25519: 2 };
/** Bytes of an authenticator, by suite. */
export const AUTHENTICATOR_BYTES: Readonly<Record<Suite, number>> = { 'hmac-sha256': 32, ed25519: 64 };
/** No nonce: 16 zero bytes. */
export const ZERO_NONCE = '0'.repeat(32);

const OFFSET = {
  kind: 4,
  suite: 5,
  flags: 6,
  tcId: 8,
  tcEpoch: 24,
  objectId: 32,
  previous: 40,
  value: 48,
  digest: 56,
  aux: 88,
  nonce: 120,
} as const;
const KNOWN_KINDS: ReadonlySet<number> = new Set(Object.values(STATEMENT_KIND));
const TWO_32 = 2 ** 32;

/** The suite that a suite byte stands for; undefined if none. */
export function suiteOfByte(byte: number): Suite | undefined {
  if (byte === 1) return 'hmac-sha256';
  return byte === 2 ? 'ed25519' : undefined;
}

function putHex(bytes: Uint8Array, at: number, text: string, length: number): void {
  const value = hexToBytes(text);
  assert(value !== undefined && value.length === length, `statement field of ${length} bytes`);
  bytes.set(value, at);
}

function putInteger(bytes: Uint8Array, at: number, value: CounterValue): void {
  if (value === COUNTER_SENTINEL) {
    bytes.fill(0xff, at, at + 8);
    return;
  }
  assert(value >= 0 && value < SAFE_INTEGER_END && Number.isInteger(value), 'counter is a safe integer');
  const high = Math.floor(value / TWO_32);
  const low = value >>> 0;
  for (let index = 0; index < 4; index += 1) {
    bytes[at + index] = high >>> (24 - 8 * index);
    bytes[at + 4 + index] = low >>> (24 - 8 * index);
  }
}

/** The 136 bytes of a statement. The fields are our own, so a field of a wrong size is a bug and asserts. */
export function encodeStatement(statement: Statement): Uint8Array {
  const bytes = new Uint8Array(STATEMENT_BYTES);
  bytes.set([0x54, 0x43, 0x53, 0x31, statement.kind, SUITE_BYTE[statement.suite], statement.flags, 0]);
  putHex(bytes, OFFSET.tcId, statement.tcId, 16);
  putHex(bytes, OFFSET.tcEpoch, statement.tcEpoch, 8);
  putHex(bytes, OFFSET.objectId, statement.objectId, 8);
  putInteger(bytes, OFFSET.previous, statement.previous);
  putInteger(bytes, OFFSET.value, statement.value);
  putHex(bytes, OFFSET.digest, statement.digest, 32);
  if (statement.aux !== undefined) putHex(bytes, OFFSET.aux, statement.aux, 32);
  if (statement.nonce !== undefined) putHex(bytes, OFFSET.nonce, statement.nonce, 16);
  return bytes;
}

function readInteger(reader: Reader): CounterValue {
  const high = reader.u32();
  const low = reader.u32();
  if (high === 0xffffffff && low === 0xffffffff) return COUNTER_SENTINEL;
  const value = high * TWO_32 + low;
  if (value >= SAFE_INTEGER_END) reader.fail();
  return value;
}

/** Reads a statement; undefined unless these are exactly the 136 bytes of one of a known kind and suite. */
export function decodeStatement(bytes: Uint8Array): Statement | undefined {
  if (bytes.length !== STATEMENT_BYTES) return undefined;
  const reader = new Reader(bytes);
  const magic = bytesToHex(reader.raw(4));
  const kind = reader.u8();
  const suite = suiteOfByte(reader.u8());
  const flags = reader.u8();
  const zero = reader.u8();
  const tcId = bytesToHex(reader.raw(16));
  const tcEpoch = reader.tcEpoch();
  const objectId = bytesToHex(reader.raw(8));
  const previous = readInteger(reader);
  const value = readInteger(reader);
  const digest = reader.digest();
  const aux = reader.digest();
  const nonce = bytesToHex(reader.raw(16));
  if (!reader.done() || magic !== '54435331' || suite === undefined || zero !== 0) return undefined;
  if (!KNOWN_KINDS.has(kind)) return undefined;
  return {
    kind,
    suite,
    flags,
    tcId,
    tcEpoch,
    objectId,
    previous,
    value,
    digest,
    ...(aux === ZERO_DIGEST ? {} : { aux }),
    ...(nonce === ZERO_NONCE ? {} : { nonce }),
  };
}

/** What the statement of a UI is made of. */
export interface UiStatementParts {
  readonly tcId: string;
  readonly suite: Suite;
  readonly tcEpoch: TcEpoch;
  /** At least 1. */
  readonly counter: CounterValue;
  readonly digest: Digest;
}

/**
 * The statement that a USIG certifies as its `counter`-th: ADVANCE of the only object from counter - 1. Flags are
 * zero on every footprint: how durable a component is, is judged when it is registered, not by its own word.
 */
export function statementForUi(parts: UiStatementParts): Uint8Array {
  const { tcId, suite, tcEpoch, counter, digest } = parts;
  return encodeStatement({
    kind: STATEMENT_KIND.advance,
    suite,
    flags: 0,
    tcId,
    tcEpoch,
    objectId: USIG_OBJECT_ID,
    previous: counter - 1,
    value: counter,
    digest,
  });
}

/** What a component's id is derived from: the group and the replica (HMAC), or its own public key. */
export type TcIdentitySource =
  | { readonly suite: 'hmac-sha256'; readonly groupId: Uint8Array; readonly replica: number }
  | { readonly suite: 'ed25519'; readonly publicKey: Uint8Array };

/** tcId: 16 bytes, hexadecimal. */
export function tcIdOf(hash: Hash, source: TcIdentitySource): string {
  const writer = new Writer(64).raw(asciiBytes('tc-id-v1')).u8(SUITE_BYTE[source.suite]);
  if (source.suite === 'hmac-sha256') writer.raw(source.groupId).u32(source.replica);
  else writer.raw(source.publicKey);
  return bytesToHex(hash(writer.finish()).subarray(0, 16));
}

/** Key of all statements of the HMAC suite: HKDF-SHA-256 of the group key, salt = group id (16 bytes). */
export function statementKeyOf(hmac: Hmac, groupKey: Uint8Array, groupId: Uint8Array): Uint8Array {
  const extracted = hmac(groupId, groupKey);
  return hmac(extracted, new Writer(16).raw(asciiBytes('tcs1-hmac')).u8(1).finish());
}

/** What evidence binds together: the key of a component and a challenge. */
export interface BindParts {
  readonly suite: Suite;
  readonly tcId: string;
  readonly tcEpoch: TcEpoch;
  /** Raw public key, hexadecimal; empty for the HMAC suite. */
  readonly publicKey: string;
  readonly challenge: Digest;
}

/** Digest over key and challenge that a platform's quote carries. */
export function bindDigestOf(hash: Hash, parts: BindParts): Digest {
  const writer = new Writer(128)
    .raw(asciiBytes('tc-bind-v1'))
    .u8(SUITE_BYTE[parts.suite])
    .hex(parts.tcId)
    .tcEpoch(parts.tcEpoch)
    .u16(parts.publicKey.length / 2)
    .hex(parts.publicKey)
    .digest(parts.challenge);
  return bytesToDigest(hash(writer.finish()));
}

/** Digest of a message under the plain rule: u16 length of the domain, the domain, the message. */
export function domainDigestOf(hash: Hash, domain: string, message: Uint8Array): Digest {
  return bytesToDigest(hash(new Writer(64).u16(domain.length).raw(asciiBytes(domain)).raw(message).finish()));
}

/** Bytes of a certificate on the wire: statement, u16 length, authenticator. */
export function encodeCertificate(statement: Uint8Array, authenticator: Uint8Array): Uint8Array {
  return new Writer(208).raw(statement).u16(authenticator.length).raw(authenticator).finish();
}
