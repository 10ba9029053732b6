/** What a message says, as plain data for people: bounded, whatever a liar puts into it. */
import { bytesToHex } from '../../core/bytes.ts';
import type { TraceFields, TraceValue } from './trace.ts';

/** Bytes of a byte string that are shown. */
const BYTES_SHOWN = 12;
/** Characters of a text that are shown. */
const TEXT_SHOWN = 200;
/** Entries of a list that are shown. */
const ENTRIES_SHOWN = 24;
const DEPTH_MAX = 7;
/** Values of one message, at most. */
const VALUES_MAX = 1_000;
/** The whole encoding of a message, beside its fields. */
const ENCODINGS: ReadonlySet<string> = new Set(['bytes', 'draft']);

/** See the top of this file. */
export function fieldsOf(content: object): TraceFields {
  let left = VALUES_MAX;
  const valueOf = (value: unknown, depth: number): TraceValue => {
    left -= 1;
    if (left < 0) return '...';
    if (value instanceof Uint8Array) return bytesText(value);
    if (typeof value === 'string')
      return value.length > TEXT_SHOWN ? `${value.slice(0, TEXT_SHOWN)}...` : value;
    if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
    if (typeof value === 'boolean' || value === null) return value;
    if (typeof value !== 'object') return String(value);
    if (depth >= DEPTH_MAX) return '...';
    if (!Array.isArray(value)) return recordOf(value, depth);
    const shown = value.slice(0, ENTRIES_SHOWN).map((one) => valueOf(one, depth + 1));
    return shown.length < value.length ? [...shown, `${value.length - shown.length} more`] : shown;
  };
  const recordOf = (record: object, depth: number): TraceFields => {
    const fields: Record<string, TraceValue> = {};
    for (const [name, value] of Object.entries(record))
      if (value !== undefined && !isEncoding(name, value)) fields[name] = valueOf(value, depth + 1);
    return fields;
  };
  return recordOf(content, 0);
}

function isEncoding(name: string, value: unknown): boolean {
  return ENCODINGS.has(name) && value instanceof Uint8Array;
}

function bytesText(bytes: Uint8Array): string {
  if (bytes.length <= BYTES_SHOWN) return bytesToHex(bytes);
  return `${bytesToHex(bytes.subarray(0, BYTES_SHOWN))}...(${bytes.length} bytes)`;
}
