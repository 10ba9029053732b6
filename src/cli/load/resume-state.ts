/**
 * What a load remembers of itself: up to which row everything is written. Rows behind it may or may not be: a resumed
 * load asks the ledger about those before it writes them.
 */
import { createHash } from 'node:crypto';
import {
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';

const SAMPLE_BYTES = 1024 * 1024;

/** Content of the state file. */
export interface LoadState {
  /** What was loaded: file, format, key column, prefix, cluster. */
  readonly identity: string;
  /** Everything up to this row has an outcome; the counts are of these rows. */
  readonly row: number;
  readonly written: number;
  readonly malformed: number;
  /** Rows that may have been sent, at most: those behind this one were never read. */
  readonly furthest: number;
}

/** Identity of a file's content without reading all of it: its length, beginning and end. */
export function sampleDigest(path: string): { readonly digest: string; readonly bytes: number } {
  const file = openSync(path, 'r');
  try {
    const { size } = fstatSync(file);
    const hash = createHash('sha256').update(`${size}/`);
    const buffer = Buffer.alloc(Math.min(size, SAMPLE_BYTES));
    for (const from of [0, Math.max(0, size - buffer.length)]) {
      const read = readSync(file, buffer, 0, buffer.length, from);
      hash.update(buffer.subarray(0, read));
    }
    return { digest: hash.digest('hex'), bytes: size };
  } finally {
    closeSync(file);
  }
}

/** Reads the state of an unfinished load; undefined if there is none of this identity. */
export function readLoadState(path: string, identity: string): LoadState | undefined {
  try {
    const state = JSON.parse(readFileSync(path, 'utf8')) as LoadState;
    return state.identity === identity && Number.isSafeInteger(state.row) ? state : undefined;
  } catch {
    return undefined;
  }
}

/** Writes the state in one step. */
export function writeLoadState(path: string, state: LoadState): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeFileSync(`${path}.new`, JSON.stringify(state), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

/** A load that is finished needs no state. */
export function removeLoadState(path: string): void {
  rmSync(path, { force: true });
}

/** What became of a row. */
export type Outcome = 'written' | 'malformed';

/** Outcomes by row, and the counts of those up to the first row that has none yet. */
export class Outcomes {
  #row: number;
  #written: number;
  #malformed: number;
  readonly #beyond = new Map<number, Outcome>();

  constructor(before: { readonly row: number; readonly written: number; readonly malformed: number }) {
    this.#row = before.row;
    this.#written = before.written;
    this.#malformed = before.malformed;
  }

  /** Every row up to this one has an outcome; how many were written and malformed among them. */
  get contiguous(): { readonly row: number; readonly written: number; readonly malformed: number } {
    return { row: this.#row, written: this.#written, malformed: this.#malformed };
  }

  add(row: number, outcome: Outcome): void {
    this.#beyond.set(row, outcome);
    for (
      let next = this.#beyond.get(this.#row + 1);
      next !== undefined;
      next = this.#beyond.get(this.#row + 1)
    ) {
      this.#row += 1;
      this.#beyond.delete(this.#row);
      if (next === 'written') this.#written += 1;
      else this.#malformed += 1;
    }
  }
}
