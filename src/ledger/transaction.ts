/**
 * Digests of one executed request. Both are leaf digests of a block's Merkle trees: their input starts with a
 * length-prefixed domain tag, so its first byte is 0x00 (see `merkle.ts`).
 */
import { asciiBytes, concatBytes, digestToBytes, putHex } from '../core/bytes.ts';
import { Writer } from '../core/codec.ts';
import { digestOf, domainTag, finishDigest } from '../core/domain.ts';
import { OPERATION_BYTES_MAX } from '../core/request.ts';
import type { Digest, Hash, RequestNumber, SessionId } from '../core/types.ts';

/** Length of an organisation's name, at most. */
export const ORGANISATION_LENGTH_MAX = 64;
const TWO_32 = 2 ** 32;
/** Organisations whose prefixes are kept. */
const ORGANISATIONS_KEPT = 1024;
/** Results up to this length are hashed without an allocation. */
const SHORT_RESULT_BYTES = 1024;
/** Scratch views up to this length are kept. */
const VIEWED_BYTES = 4096;

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
  return finishDigest(hash, writer);
}

/**
 * Leaf of the results root: binds the transaction to what came of it and to the organisation that it was judged for.
 * It names the txId, so a path to it proves transaction, organisation and result at once.
 */
export function outcomeDigest(
  hash: Hash,
  transaction: { readonly id: Digest; readonly organisation: string; readonly result: Uint8Array },
): Digest {
  const { id, organisation, result } = transaction;
  return new OutcomeScratch(organisation).digest(hash, id, result);
}

function writeU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

/** Views of one scratch buffer from its start, one for each length that was asked for: a view costs more than a short copy. */
class ScratchViews {
  readonly bytes: Uint8Array;
  readonly #views: (Uint8Array | undefined)[] = [];

  constructor(prefix: Uint8Array, room: number) {
    this.bytes = new Uint8Array(prefix.length + room);
    this.bytes.set(prefix, 0);
  }

  upTo(length: number): Uint8Array {
    if (length > VIEWED_BYTES) return this.bytes.subarray(0, length);
    return (this.#views[length] ??= this.bytes.subarray(0, length));
  }
}

/** Inputs of outcome digests of one organisation. */
class OutcomeScratch {
  readonly #prefix: Uint8Array;
  readonly #scratch: ScratchViews;

  constructor(organisation: string) {
    this.#prefix = concatBytes(lengthPrefixed(domainTag('ledger', 'OUTCOME')), lengthPrefixed(organisation));
    this.#scratch = new ScratchViews(this.#prefix, 36 + SHORT_RESULT_BYTES);
  }

  digest(hash: Hash, id: Digest, result: Uint8Array): Digest {
    const at = this.#prefix.length;
    const isShort = result.length <= SHORT_RESULT_BYTES;
    const scratch = isShort ? this.#scratch : new ScratchViews(this.#prefix, 36 + result.length);
    const { bytes } = scratch;
    putHex(bytes, at, id);
    writeU32(bytes, at + 32, result.length);
    bytes.set(result, at + 36);
    return digestOf(hash, scratch.upTo(at + 36 + result.length));
  }
}

/**
 * Makes many txIds and outcome digests without an allocation for each: one scratch buffer, whose prefix changes only
 * with client and session.
 */
export class TransactionHasher {
  readonly #hash: Hash;
  readonly #head: number;
  readonly #scratch: ScratchViews;
  /** By organisation; those of one cluster are few. */
  readonly #outcomes = new Map<string, OutcomeScratch>();

  constructor(hash: Hash, clusterId: Digest) {
    this.#hash = hash;
    const prefix = concatBytes(lengthPrefixed(domainTag('ledger', 'TRANSACTION')), digestToBytes(clusterId));
    this.#head = prefix.length;
    this.#scratch = new ScratchViews(prefix, 32 + 8 + 8 + 4 + OPERATION_BYTES_MAX);
  }

  /** Sets client and session for the next calls of `id`. */
  begin(clientId: Digest, session: SessionId): this {
    const { bytes } = this.#scratch;
    putHex(bytes, this.#head, clientId);
    writeU32(bytes, this.#head + 32, Math.floor(session / TWO_32));
    writeU32(bytes, this.#head + 36, session >>> 0);
    return this;
  }

  /** txId of a request. */
  id(number: RequestNumber, operation: Uint8Array): Digest {
    const at = this.#head + 40;
    // Operations of requests are bounded by the codec; longer ones only come from a caller's own experiments.
    const scratch =
      operation.length <= OPERATION_BYTES_MAX
        ? this.#scratch
        : new ScratchViews(this.#scratch.bytes.subarray(0, at), 12 + operation.length);
    const { bytes } = scratch;
    writeU32(bytes, at, Math.floor(number / TWO_32));
    writeU32(bytes, at + 4, number >>> 0);
    writeU32(bytes, at + 8, operation.length);
    bytes.set(operation, at + 12);
    return digestOf(this.#hash, scratch.upTo(at + 12 + operation.length));
  }

  /** Outcome digest of the transaction `id`. */
  outcome(id: Digest, organisation: string, result: Uint8Array): Digest {
    let scratch = this.#outcomes.get(organisation);
    if (scratch === undefined) {
      if (this.#outcomes.size >= ORGANISATIONS_KEPT) this.#outcomes.clear();
      scratch = new OutcomeScratch(organisation);
      this.#outcomes.set(organisation, scratch);
    }
    return scratch.digest(this.#hash, id, result);
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
