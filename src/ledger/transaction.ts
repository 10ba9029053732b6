/**
 * Digests of one executed request. Both are leaf digests of a block's Merkle trees: their input starts with a
 * length-prefixed domain tag, so its first byte is 0x00 (see `merkle.ts`).
 */
import { asciiBytes, bytesToDigest, concatBytes, digestToBytes } from '../core/bytes.ts';
import { Writer } from '../core/codec.ts';
import { domainTag } from '../core/domain.ts';
import { OPERATION_BYTES_MAX } from '../core/request.ts';
import type { Digest, Hash, RequestNumber, SessionId } from '../core/types.ts';

/** Length of an organisation's name, at most. */
export const ORGANISATION_LENGTH_MAX = 64;
const TWO_32 = 2 ** 32;
/** Organisations whose prefixes are kept. */
const ORGANISATIONS_KEPT = 1024;
/** Results up to this length are hashed without an allocation. */
const SHORT_RESULT_BYTES = 1024;

function lengthPrefixed(text: string): Uint8Array {
  return new Writer(64).ascii(text).finish();
}

/**
 * txId: binds cluster, client, session, number and operation (the canonical bytes of `Request.operation`). A client
 * computes it before it sends. The session that an OPEN belongs to is 0.
 */
export function transactionId(
  hash: Hash,
  clusterId: Digest,
  clientId: Digest,
  session: SessionId,
  number: RequestNumber,
  operation: Uint8Array,
): Digest {
  const writer = new Writer(160 + operation.length).ascii(domainTag('ledger', 'TRANSACTION'));
  writer.digest(clusterId).digest(clientId).u64(session).u64(number).bytes(operation);
  return bytesToDigest(hash(writer.finish()));
}

/**
 * Leaf of the results root: binds the transaction to what came of it and to the organisation that it was judged for.
 * It names the txId, so a path to it proves transaction, organisation and result at once.
 */
export function outcomeDigest(
  hash: Hash,
  transaction: { readonly id: Digest; readonly organisation: string; readonly result: Uint8Array },
): Uint8Array {
  const { id, organisation, result } = transaction;
  return outcomeDigestOf(hash, outcomePrefix(organisation), digestToBytes(id), result);
}

function outcomePrefix(organisation: string): Uint8Array {
  return concatBytes(lengthPrefixed(domainTag('ledger', 'OUTCOME')), lengthPrefixed(organisation));
}

function outcomeDigestOf(hash: Hash, prefix: Uint8Array, id: Uint8Array, result: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(prefix.length + 36 + result.length);
  bytes.set(prefix, 0);
  return finishOutcome(hash, bytes, prefix.length, id, result);
}

/** Digest of the bytes before `at` with txId and result behind them. */
function finishOutcome(
  hash: Hash,
  bytes: Uint8Array,
  at: number,
  id: Uint8Array,
  result: Uint8Array,
): Uint8Array {
  bytes.set(id, at);
  writeU32(bytes, at + 32, result.length);
  bytes.set(result, at + 36);
  return hash(bytes.subarray(0, at + 36 + result.length));
}

function writeU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

/**
 * Makes many txIds and outcome digests without an allocation for each: one scratch buffer, whose prefix changes only
 * with client and session.
 */
export class TransactionHasher {
  readonly #hash: Hash;
  readonly #scratch: Uint8Array;
  /** The part of it that was used last. */
  #input: Uint8Array;
  readonly #head: number;
  /** By organisation: its prefix, and room for what comes behind it. The organisations of one cluster are few. */
  readonly #outcomes = new Map<string, { readonly scratch: Uint8Array; readonly at: number }>();

  constructor(hash: Hash, clusterId: Digest) {
    this.#hash = hash;
    const prefix = concatBytes(lengthPrefixed(domainTag('ledger', 'TRANSACTION')), digestToBytes(clusterId));
    this.#head = prefix.length;
    this.#scratch = new Uint8Array(prefix.length + 32 + 8 + 8 + 4 + OPERATION_BYTES_MAX);
    this.#scratch.set(prefix, 0);
    this.#input = this.#scratch;
  }

  /** Sets client and session for the next calls of `id`. */
  begin(clientId: Digest, session: SessionId): this {
    this.#scratch.set(digestToBytes(clientId), this.#head);
    writeU32(this.#scratch, this.#head + 32, Math.floor(session / TWO_32));
    writeU32(this.#scratch, this.#head + 36, session >>> 0);
    return this;
  }

  /** txId as 32 bytes. */
  id(number: RequestNumber, operation: Uint8Array): Uint8Array {
    return this.#hash(this.input(number, operation));
  }

  /** What is hashed for a txId: a view that holds until the next call. */
  input(number: RequestNumber, operation: Uint8Array): Uint8Array {
    const at = this.#head + 40;
    const end = at + 12 + operation.length;
    const bytes = end <= this.#scratch.length ? this.#scratch : this.#larger(end);
    writeU32(bytes, at, Math.floor(number / TWO_32));
    writeU32(bytes, at + 4, number >>> 0);
    writeU32(bytes, at + 8, operation.length);
    bytes.set(operation, at + 12);
    // Operations are often of one length, and to make a view costs a fifth of the hash.
    if (bytes !== this.#scratch) return bytes;
    if (this.#input.length !== end) this.#input = bytes.subarray(0, end);
    return this.#input;
  }

  /** Outcome digest as 32 bytes; `id` is the txId. */
  outcome(id: Uint8Array, organisation: string, result: Uint8Array): Uint8Array {
    const { scratch, at } = this.#outcomes.get(organisation) ?? this.#beginOutcomes(organisation);
    return at + 36 + result.length <= scratch.length
      ? finishOutcome(this.#hash, scratch, at, id, result)
      : outcomeDigestOf(this.#hash, scratch.subarray(0, at), id, result);
  }

  #beginOutcomes(organisation: string): { readonly scratch: Uint8Array; readonly at: number } {
    if (this.#outcomes.size >= ORGANISATIONS_KEPT) this.#outcomes.clear();
    const prefix = outcomePrefix(organisation);
    const scratch = new Uint8Array(prefix.length + 36 + SHORT_RESULT_BYTES);
    scratch.set(prefix, 0);
    const begun = { scratch, at: prefix.length };
    this.#outcomes.set(organisation, begun);
    return begun;
  }

  /** Operations of requests are bounded by the codec; longer ones only come from a caller's own experiments. */
  #larger(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    bytes.set(this.#scratch.subarray(0, this.#head + 40), 0);
    return bytes;
  }
}

/** Whether a text may name an organisation: 1 to 64 letters, digits, dots, underscores or hyphens. */
export function isOrganisationName(text: string): boolean {
  if (text.length === 0 || text.length > ORGANISATION_LENGTH_MAX) return false;
  return asciiBytes(text).every((code, index) => text.charCodeAt(index) === code && isNameCode(code));
}

function isNameCode(code: number): boolean {
  const isDigit = code >= 0x30 && code <= 0x39;
  const isLetter = (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a);
  return isDigit || isLetter || code === 0x2e || code === 0x5f || code === 0x2d;
}
