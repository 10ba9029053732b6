/** The pages that were built (`npm run pages`): where their files lie, and on what terms a browser gets them. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Files of a page, by name. */
export type PageFiles = ReadonlyMap<string, Buffer>;

/** Where a page begins. */
export const INDEX = 'index.html';
/** Nothing from anywhere else, nothing inline; trusted programs are compiled in the page, and a worker may be made of text. */
export const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self' data:",
  "worker-src 'self' blob:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** In the package beside the program, in a clone below `build`. */
const FOLDERS = ['../pages', '../../build/pages'];
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$/;
const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
  txt: 'text/plain; charset=utf-8',
  json: 'application/json',
  wasm: 'application/wasm',
};
/** No file of a page is longer. */
const FILE_BYTES_MAX = 16 * 1024 * 1024;

/** Folders in which the pages of this installation may lie, each page in one of its own. */
export function builtFolders(): readonly string[] {
  return FOLDERS.map((folder) => fileURLToPath(new URL(folder, import.meta.url)));
}

/** Media type of a file; undefined for one that no page has. */
export function typeOf(name: string): string | undefined {
  return TYPES[name.slice(name.lastIndexOf('.') + 1)];
}

/** Files in a folder that a browser can use; none if it is not there or cannot be read. */
export function filesOf(folder: string): PageFiles {
  const files = new Map<string, Buffer>();
  try {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      if (!entry.isFile() || !NAME.test(entry.name) || typeOf(entry.name) === undefined) continue;
      const path = join(folder, entry.name);
      if (statSync(path).size <= FILE_BYTES_MAX) files.set(entry.name, readFileSync(path));
    }
  } catch {
    // Whoever asked says what to do about it.
  }
  return files;
}
