/**
 * Operations of the key-value store and their canonical bytes. Keys and values are bytes. A client encodes, every
 * replica decodes; what does not decode has a result too (an error code), so that nothing ever throws.
 */
import { Reader, Writer } from '../../core/codec.ts';
import { OPERATION_BYTES_MAX } from '../../core/request.ts';

/** Bytes of a key, at most; at least one. */
export const KV_KEY_BYTES_MAX = 1024;
/** Bytes of a value, at most; may be empty. With a key it fits one bundle. */
export const KV_VALUE_BYTES_MAX = 48 * 1024;
/** Bytes of one operation, at most: leaves room for the ledger's envelope in a request. */
export const KV_OPERATION_BYTES_MAX = OPERATION_BYTES_MAX - 256;
/** Entries of one page of a list, at most. */
export const KV_LIST_LIMIT_MAX = 1000;

/** One operation. `get`, `list` and `exists` change nothing. */
export type KvOperation =
  | { readonly kind: 'put'; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly kind: 'get'; readonly key: Uint8Array }
  | { readonly kind: 'delete'; readonly key: Uint8Array }
  /** Puts `value` if the current value is `expected` (undefined: if there is no such key). */
  | {
      readonly kind: 'compareAndSwap';
      readonly key: Uint8Array;
      readonly expected: Uint8Array | undefined;
      readonly value: Uint8Array;
    }
  /** Entries whose key starts with `prefix`, in byte order, from the first key behind `startAfter`. */
  | {
      readonly kind: 'list';
      readonly prefix: Uint8Array;
      readonly startAfter: Uint8Array | undefined;
      readonly limit: number;
    }
  | { readonly kind: 'exists'; readonly key: Uint8Array };

/** Why an operation was not done. A closed list: an error changes nothing and is equal at every replica. */
export type KvErrorCode =
  /** The bytes are not one canonical operation. */
  | 'malformed'
  | 'keyEmpty'
  | 'keyTooLong'
  | 'valueTooLong'
  /** A list's limit is not 1 to 1000. */
  | 'limitOutOfRange'
  /** More bytes than one request may have (compare-and-swap with two long values). */
  | 'operationTooLong'
  /** The client's organisation may not write this key (decision C9). */
  | 'forbidden'
  /** The chunk that the key belongs to is full; see `buckets.ts`. */
  | 'bucketFull'
  /** A changing operation was sent as a query. */
  | 'notReadOnly';

/** All error codes; the index is the code's byte. New ones go to the end. */
export const KV_ERROR_CODES: readonly KvErrorCode[] = [
  'malformed',
  'keyEmpty',
  'keyTooLong',
  'valueTooLong',
  'limitOutOfRange',
  'operationTooLong',
  'forbidden',
  'bucketFull',
  'notReadOnly',
];

/** An operation, or the reason why the bytes are none. */
export type KvDecoding =
  { readonly ok: true; readonly operation: KvOperation } | { readonly ok: false; readonly code: KvErrorCode };

const KIND = { put: 1, get: 2, delete: 3, compareAndSwap: 4, list: 5, exists: 6 } as const;

/** Canonical bytes. Does not judge bounds; see `checkKvOperation`. */
export function encodeKvOperation(operation: KvOperation): Uint8Array {
  return writeKvOperation(new Writer(128), operation).finish();
}

/** Writes what `encodeKvOperation` gives. */
export function writeKvOperation(writer: Writer, operation: KvOperation): Writer {
  writer.u8(KIND[operation.kind]);
  switch (operation.kind) {
    case 'put':
      return writer.bytes(operation.key).bytes(operation.value);
    case 'compareAndSwap':
      return writer
        .bytes(operation.key)
        .option(operation.expected, (w, bytes) => w.bytes(bytes))
        .bytes(operation.value);
    case 'list':
      return writer
        .bytes(operation.prefix)
        .option(operation.startAfter, (w, bytes) => w.bytes(bytes))
        .u32(operation.limit);
    default:
      return writer.bytes(operation.key);
  }
}

function readOperation(reader: Reader): KvOperation | undefined {
  // Lengths are bounded by the operation itself here, so that a long key gets its own error code and not "malformed".
  const any = (r: Reader): Uint8Array => r.bytes(KV_OPERATION_BYTES_MAX);
  switch (reader.u8()) {
    case KIND.put:
      return { kind: 'put', key: any(reader), value: any(reader) };
    case KIND.get:
      return { kind: 'get', key: any(reader) };
    case KIND.delete:
      return { kind: 'delete', key: any(reader) };
    case KIND.compareAndSwap: {
      const key = any(reader);
      const expected = reader.option(any);
      return { kind: 'compareAndSwap', key, expected, value: any(reader) };
    }
    case KIND.list: {
      const prefix = any(reader);
      const startAfter = reader.option(any);
      return { kind: 'list', prefix, startAfter, limit: reader.u32() };
    }
    case KIND.exists:
      return { kind: 'exists', key: any(reader) };
    default:
      return undefined;
  }
}

function checkKey(key: Uint8Array): KvErrorCode | undefined {
  if (key.length === 0) return 'keyEmpty';
  return key.length > KV_KEY_BYTES_MAX ? 'keyTooLong' : undefined;
}

function isTooLong(value: Uint8Array | undefined): boolean {
  return value !== undefined && value.length > KV_VALUE_BYTES_MAX;
}

/** The first bound that an operation breaks, or undefined: clients ask before they send, replicas before they do. */
export function checkKvOperation(operation: KvOperation): KvErrorCode | undefined {
  if (operation.kind === 'list') {
    const { prefix, startAfter, limit } = operation;
    if (prefix.length > KV_KEY_BYTES_MAX) return 'keyTooLong';
    if (startAfter !== undefined && startAfter.length > KV_KEY_BYTES_MAX) return 'keyTooLong';
    const inRange = Number.isInteger(limit) && limit >= 1 && limit <= KV_LIST_LIMIT_MAX;
    return inRange ? undefined : 'limitOutOfRange';
  }
  const keyError = checkKey(operation.key);
  if (keyError !== undefined) return keyError;
  if (operation.kind === 'put') return isTooLong(operation.value) ? 'valueTooLong' : undefined;
  if (operation.kind !== 'compareAndSwap') return undefined;
  if (isTooLong(operation.value) || isTooLong(operation.expected)) return 'valueTooLong';
  const length = operation.key.length + operation.value.length + (operation.expected?.length ?? 0);
  // Kind byte, presence byte and three lengths.
  return length + 14 > KV_OPERATION_BYTES_MAX ? 'operationTooLong' : undefined;
}

/** Reads and judges an operation; any bytes have an answer. The operation's fields are views into `bytes`. */
export function decodeKvOperation(bytes: Uint8Array): KvDecoding {
  if (bytes.length > KV_OPERATION_BYTES_MAX) return { ok: false, code: 'operationTooLong' };
  const reader = new Reader(bytes);
  const operation = readOperation(reader);
  if (operation === undefined || !reader.done()) return { ok: false, code: 'malformed' };
  const code = checkKvOperation(operation);
  return code === undefined ? { ok: true, operation } : { ok: false, code };
}

/** Whether an operation changes nothing, so that it may be a query or an ordered read (decision C6). */
export function isKvReadOnly(operation: KvOperation): boolean {
  return operation.kind === 'get' || operation.kind === 'list' || operation.kind === 'exists';
}
