/** Printing: tables and plain lines for people, JSON for programs. Data goes to stdout, everything else to stderr. */
import { writeSync } from 'node:fs';

/** Writes one line to stdout. A reader that went away (`moiety list | head`) ends the process quietly. */
export function printLine(text = ''): void {
  writeAll(1, Buffer.from(`${text}\n`));
}

/** Writes text as it is to stdout. */
export function printText(text: string): void {
  writeAll(1, Buffer.from(text));
}

/** Writes bytes as they are to stdout. */
export function printBytes(bytes: Uint8Array): void {
  writeAll(1, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
}

/** Writes one line to stderr: progress, advice, problems. */
export function printNote(text: string): void {
  writeAll(2, Buffer.from(`${text}\n`));
}

/** Writes a value as one line of JSON to stdout. */
export function printJson(value: unknown): void {
  printLine(JSON.stringify(value));
}

/** Pipes may take only a part, or nothing for a moment: what is left is written again. */
function writeAll(descriptor: number, bytes: Buffer): void {
  let offset = 0;
  while (offset < bytes.length) {
    try {
      offset += writeSync(descriptor, bytes, offset);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EPIPE') process.exit(0);
      if (code !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2);
    }
  }
}

/** Characters of a cell: what a replica says of itself may be of any length. */
const CELL_MAX = 100;

/** Somebody else's words on one line: no control characters, no line ends, nothing that turns the direction, not longer. */
export function foreignText(text: unknown, max: number): string {
  return String(text).replace(/\p{C}/gu, '').slice(0, max);
}

/** Lines of a table: columns as wide as their widest cell, two spaces between them. */
export function tableLines(
  head: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): string[] {
  const all = [head, ...rows.map((row) => row.map((cell) => foreignText(cell, CELL_MAX)))];
  const widths = head.map((_, column) => Math.max(...all.map((row) => (row[column] ?? '').length)));
  return all.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  );
}

/** `1 replica`, `3 replicas`. */
export function plural(count: number, noun: string, nouns = `${noun}s`): string {
  return `${count} ${count === 1 ? noun : nouns}`;
}

/** First digits of a digest, for people. */
export function shortDigest(digest: unknown): string {
  return String(digest).slice(0, 12);
}

/** Seconds as `12 s`, `3 min 20 s`, `2 h 5 min`. */
export function durationText(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** A percent-encoded key for people: as text where it is UTF-8 without control characters, else as it is. */
export function keyText(encoded: string): string {
  try {
    const text = decodeURIComponent(encoded);
    return /[\x00-\x1f\x7f]/.test(text) ? encoded : text;
  } catch {
    return encoded;
  }
}
