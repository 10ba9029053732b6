/**
 * Rows of a CSV, TSV or NDJSON file, one at a time: memory does not grow with the file. What is malformed is told with
 * its line, never dropped silently.
 */
import { createReadStream } from 'node:fs';
import type { ReadStream } from 'node:fs';
import { parse } from 'csv-parse';
import type { CsvError } from 'csv-parse';
import { KV_KEY_BYTES_MAX, KV_VALUE_BYTES_MAX } from '../../apps/kv/operations.ts';

/** Formats of files. `seed` is what `moiety salvage` writes: keys and values as they were, in base64. */
export const ROW_FORMATS = ['csv', 'tsv', 'ndjson', 'seed'] as const;
/** One of them. */
export type RowFormat = (typeof ROW_FORMATS)[number];

/** A row of the file. `number` counts data rows from 1, malformed ones included; `line` counts lines from 1. */
export type Row =
  | {
      readonly kind: 'row';
      readonly number: number;
      readonly line: number;
      readonly key: Uint8Array;
      readonly value: Uint8Array;
    }
  | { readonly kind: 'malformed'; readonly number: number; readonly line: number; readonly why: string };

/** How to read. */
export interface RowOptions {
  readonly file: string;
  readonly format: RowFormat;
  /** Column that gives the key. */
  readonly key: string;
  /** Put before every key. */
  readonly prefix: string;
}

/** The file cannot be read as what it was said to be. */
class RowsUnreadable extends Error {
  override readonly name = 'RowsUnreadable';
}

const LINE_LENGTH_MAX = 4 * 1024 * 1024;
const READ_BYTES = 256 * 1024;

/** Rows, and how far the file was read. */
export interface RowReader {
  readonly rows: AsyncIterable<Row>;
  /** Bytes read so far. */
  bytesRead(): number;
}

/** Opens a file. Reading may fail with `RowsUnreadable`, or with the system's error. */
export function openRows(options: RowOptions): RowReader {
  const stream = createReadStream(options.file, { highWaterMark: READ_BYTES });
  const rows =
    options.format === 'csv' || options.format === 'tsv'
      ? delimitedRows(stream, options)
      : ndjsonRows(stream, options);
  return { rows, bytesRead: () => stream.bytesRead };
}

const encoder = new TextEncoder();

function rowOf(
  record: Readonly<Record<string, unknown>>,
  place: { readonly number: number; readonly line: number },
  options: RowOptions,
): Row {
  const malformed = (why: string): Row => ({ kind: 'malformed', ...place, why });
  const own = Object.hasOwn(record, options.key) ? record[options.key] : undefined;
  if (typeof own !== 'string' && typeof own !== 'number')
    return malformed(`it has no column "${options.key}"`);
  if (own === '') return malformed(`its column "${options.key}" is empty`);
  const key = encoder.encode(`${options.prefix}${own}`);
  const value = encoder.encode(JSON.stringify(record));
  if (key.length > KV_KEY_BYTES_MAX)
    return malformed(`its key has ${key.length} bytes; at most ${KV_KEY_BYTES_MAX} are possible`);
  if (value.length > KV_VALUE_BYTES_MAX)
    return malformed(`it has ${value.length} bytes as JSON; at most ${KV_VALUE_BYTES_MAX} are possible`);
  return { kind: 'row', ...place, key, value };
}

function seedRowOf(
  { key, value }: Readonly<Record<string, unknown>>,
  place: { readonly number: number; readonly line: number },
): Row {
  if (typeof key !== 'string' || typeof value !== 'string' || key === '')
    return { kind: 'malformed', ...place, why: 'it has no key and value in base64' };
  return { kind: 'row', ...place, key: Buffer.from(key, 'base64'), value: Buffer.from(value, 'base64') };
}

interface Parsed {
  readonly record: Record<string, string>;
  readonly info: { readonly lines: number };
}

/** What the parser may skip is put back in its place: rows come in the order of the file. */
async function* delimitedRows(stream: ReadStream, options: RowOptions): AsyncGenerator<Row, void, void> {
  const skipped: { readonly line: number; readonly why: string }[] = [];
  const parser = parse({
    columns: (head: string[]) => checkHead(head, options),
    delimiter: options.format === 'tsv' ? '\t' : ',',
    // Tab-separated files have no quotes: a quotation mark is a character like any other.
    quote: options.format === 'tsv' ? null : '"',
    bom: true,
    skip_empty_lines: true,
    skip_records_with_error: true,
    info: true,
    max_record_size: LINE_LENGTH_MAX,
    on_skip: (error: CsvError | undefined) => {
      const line = Number((error as { lines?: number } | undefined)?.lines ?? 0);
      skipped.push({ line, why: wordsOf(error) });
      return undefined;
    },
  });
  stream.once('error', (error) => parser.destroy(error));
  stream.pipe(parser);
  let number = 0;
  for await (const { record, info } of parser as AsyncIterable<Parsed>) {
    // The parser runs ahead: only what was skipped before this line belongs here.
    while (skipped.length > 0 && skipped[0]!.line < info.lines) {
      number += 1;
      yield { kind: 'malformed', number, ...skipped.shift()! };
    }
    number += 1;
    yield rowOf(record, { number, line: info.lines }, options);
  }
  for (const { line, why } of skipped) {
    number += 1;
    yield { kind: 'malformed', number, line, why };
  }
}

function checkHead(head: string[], options: RowOptions): string[] {
  if (!head.includes(options.key))
    throw new RowsUnreadable(
      `There is no column "${options.key}"; the file has ${head.slice(0, 20).join(', ')}.`,
    );
  const twice = head.find((name, index) => head.indexOf(name) !== index);
  if (twice !== undefined) throw new RowsUnreadable(`The file has the column "${twice}" twice.`);
  return head;
}

function wordsOf(error: CsvError | undefined): string {
  if (
    error?.code === 'CSV_RECORD_INCONSISTENT_COLUMNS' ||
    error?.code === 'CSV_RECORD_INCONSISTENT_FIELDS_LENGTH'
  )
    return 'it has another number of columns than the head';
  if (error?.code === 'CSV_QUOTE_NOT_CLOSED') return 'a quotation mark is not closed';
  if (error?.code === 'CSV_MAX_RECORD_SIZE') return `it is longer than ${LINE_LENGTH_MAX} characters`;
  return error?.message ?? 'it cannot be read';
}

async function* linesOf(stream: ReadStream): AsyncGenerator<string | undefined, void, void> {
  const decoder = new TextDecoder();
  let rest = '';
  let isTooLong = false;
  for await (const chunk of stream as AsyncIterable<Uint8Array>) {
    const pieces = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = pieces.pop()!;
    for (const piece of pieces) {
      yield isTooLong ? undefined : piece;
      isTooLong = false;
    }
    if (rest.length > LINE_LENGTH_MAX) {
      isTooLong = true;
      rest = '';
    }
  }
  if (isTooLong) yield undefined;
  else if (rest !== '') yield rest;
}

async function* ndjsonRows(stream: ReadStream, options: RowOptions): AsyncGenerator<Row, void, void> {
  let line = 0;
  let number = 0;
  for await (const text of linesOf(stream)) {
    line += 1;
    if (text?.trim() === '') continue;
    number += 1;
    const place = { number, line };
    const record = text === undefined ? undefined : objectOf(text);
    if (record === undefined) {
      const why =
        text === undefined ? `it is longer than ${LINE_LENGTH_MAX} characters` : 'it is not a JSON object';
      yield { kind: 'malformed', ...place, why };
    } else yield options.format === 'seed' ? seedRowOf(record, place) : rowOf(record, place, options);
  }
}

function objectOf(text: string): Record<string, unknown> | undefined {
  try {
    const value = JSON.parse(text) as unknown;
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}
