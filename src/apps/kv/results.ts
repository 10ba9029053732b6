/** Results of the key-value store and their canonical bytes. A replica encodes, a client decodes. */
import { decodeWhole, Reader, Writer } from '../../core/codec.ts';
import type { KvErrorCode } from './operations.ts';
import { KV_ERROR_CODES, KV_KEY_BYTES_MAX, KV_LIST_LIMIT_MAX, KV_VALUE_BYTES_MAX } from './operations.ts';

/** Bytes of the entries of one page; a page has at least one entry, however long, so that paging always goes on. */
export const KV_PAGE_BYTES_MAX = 48 * 1024;
/** Bytes that a page counts for an entry beyond key and value. */
export const KV_ENTRY_OVERHEAD_BYTES = 8;

/** One entry of a page. */
export interface KvEntry {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** What came of an operation. */
export type KvResult =
  /** `existed`: whether the key had a value before. */
  | { readonly kind: 'put'; readonly existed: boolean }
  | { readonly kind: 'value'; readonly value: Uint8Array }
  | { readonly kind: 'notFound' }
  | { readonly kind: 'deleted'; readonly existed: boolean }
  | { readonly kind: 'swapped' }
  /** `current` is the value that was not the expected one; undefined: there is none. */
  | { readonly kind: 'mismatch'; readonly current: Uint8Array | undefined }
  /** `next`: key to start after for the next page; undefined: this was the last one. */
  | { readonly kind: 'page'; readonly entries: readonly KvEntry[]; readonly next: Uint8Array | undefined }
  | { readonly kind: 'exists'; readonly exists: boolean }
  | { readonly kind: 'error'; readonly code: KvErrorCode };

const KIND = {
  put: 1,
  value: 2,
  notFound: 3,
  deleted: 4,
  swapped: 5,
  mismatch: 6,
  page: 7,
  exists: 8,
  error: 9,
} as const;

function writeBytes(writer: Writer, bytes: Uint8Array): void {
  writer.bytes(bytes);
}

/** Results that say nothing but yes or no, made once. Shared: nobody may change them. */
const plain = (kind: number, ...rest: readonly number[]): Uint8Array => Uint8Array.of(kind, ...rest);
const yesOrNo = (kind: number) => ({ yes: plain(kind, 1), no: plain(kind, 0) });
const PUT = yesOrNo(KIND.put);
const DELETED = yesOrNo(KIND.deleted);
const EXISTS = yesOrNo(KIND.exists);
const NOT_FOUND = plain(KIND.notFound);
const SWAPPED = plain(KIND.swapped);

/** Canonical bytes; shared ones where they say yes or no, so they are not to be changed. */
export function encodeKvResult(result: KvResult): Uint8Array {
  switch (result.kind) {
    case 'put':
      return result.existed ? PUT.yes : PUT.no;
    case 'deleted':
      return result.existed ? DELETED.yes : DELETED.no;
    case 'exists':
      return result.exists ? EXISTS.yes : EXISTS.no;
    case 'notFound':
      return NOT_FOUND;
    case 'swapped':
      return SWAPPED;
    default:
      return writeKvResult(result);
  }
}

type LongResult = Extract<KvResult, { readonly kind: 'value' | 'mismatch' | 'page' | 'error' }>;

function writeKvResult(result: LongResult): Uint8Array {
  const writer = new Writer(64).u8(KIND[result.kind]);
  switch (result.kind) {
    case 'value':
      return writer.bytes(result.value).finish();
    case 'mismatch':
      return writer.option(result.current, writeBytes).finish();
    case 'page':
      return writer
        .list(result.entries, (w, entry) => w.bytes(entry.key).bytes(entry.value))
        .option(result.next, writeBytes)
        .finish();
    case 'error':
      return writer.u8(KV_ERROR_CODES.indexOf(result.code)).finish();
  }
}

const readKey = (reader: Reader): Uint8Array => reader.bytes(KV_KEY_BYTES_MAX);
const readValue = (reader: Reader): Uint8Array => reader.bytes(KV_VALUE_BYTES_MAX);

function readResult(reader: Reader): KvResult {
  switch (reader.u8()) {
    case KIND.put:
      return { kind: 'put', existed: reader.bool() };
    case KIND.value:
      return { kind: 'value', value: readValue(reader) };
    case KIND.notFound:
      return { kind: 'notFound' };
    case KIND.deleted:
      return { kind: 'deleted', existed: reader.bool() };
    case KIND.swapped:
      return { kind: 'swapped' };
    case KIND.mismatch:
      return { kind: 'mismatch', current: reader.option(readValue) };
    case KIND.page: {
      const entries = reader.list(KV_LIST_LIMIT_MAX, (r) => ({ key: readKey(r), value: readValue(r) }));
      return { kind: 'page', entries, next: reader.option(readKey) };
    }
    case KIND.exists:
      return { kind: 'exists', exists: reader.bool() };
    case KIND.error: {
      const code = KV_ERROR_CODES[reader.u8()];
      if (code !== undefined) return { kind: 'error', code };
    }
  }
  reader.fail();
  return { kind: 'notFound' };
}

/** Reads a result; undefined unless canonical and bounded. Fields are views into `bytes`. */
export function decodeKvResult(bytes: Uint8Array): KvResult | undefined {
  return decodeWhole(bytes, readResult);
}
