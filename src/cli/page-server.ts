/**
 * Shows a page that was built (`npm run pages`) to the browser of this machine: its files from memory, on 127.0.0.1 alone, with
 * nothing from anywhere else. Or makes one file of it that needs no server.
 */
import { spawnSync } from 'node:child_process';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { builtFolders, filesOf, INDEX, PAGE_POLICY, typeOf } from '../gateway/built-pages.ts';
import type { PageFiles } from '../gateway/built-pages.ts';
import { CommandFailure, messageOf } from './failure.ts';
import { printNote } from './output.ts';

/** What a page finds in itself when it is opened, by the id that it looks for. */
export type PageData = Readonly<Record<string, string>>;

/** Reads a built page; says how to build it if it is not there. */
export function readPage(name: string, folders: readonly string[] = builtFolders()): PageFiles {
  for (const folder of folders) {
    const files = filesOf(join(folder, name));
    if (files.has(INDEX)) return files;
  }
  throw new CommandFailure(`The page "${name}" is not built: "npm run pages" builds it.`);
}

/** The same after a clone has built what is out of date; the package has its pages built. */
export function freshPage(name: string): PageFiles {
  const script = fileURLToPath(new URL('../../scripts/build-pages.mjs', import.meta.url));
  if (import.meta.url.endsWith('.ts') && existsSync(script)) {
    const { status, stderr } = spawnSync(process.execPath, [script, '--if-stale', '--quiet'], {
      encoding: 'utf8',
    });
    if (status !== 0)
      printNote(`The pages could not be built anew: ${stderr.trim().split('\n').at(-1) ?? ''}`);
  }
  return readPage(name);
}

/** Text in a page that no script runs: whatever it holds, it ends where it should. */
function dataBlock(id: string, text: string): string {
  const safe = JSON.stringify(text).replace(/</g, '\\u003c');
  return `<script type="application/json" id="${id}">${safe}</script>`;
}

/** The first page with data in it. */
export function withData(files: PageFiles, data: PageData): PageFiles {
  const blocks = Object.entries(data).map(([id, text]) => dataBlock(id, text));
  const index = files.get(INDEX)!.toString('utf8');
  const text = index.replace('<div id="app"></div>', () => `<div id="app"></div>${blocks.join('')}`);
  return new Map([...files, [INDEX, Buffer.from(text)]]);
}

/** The whole page as one file, which needs neither server nor network. */
export function onePage(files: PageFiles, data: PageData): string {
  const text = (name: string): string => files.get(name)?.toString('utf8') ?? '';
  const script = text('main.js').replace(/<\/script/gi, '<\\/script');
  return withData(files, data)
    .get(INDEX)!
    .toString('utf8')
    .replace(/\s*<link rel="icon"[^>]*>/, '')
    .replace(/<link rel="stylesheet"[^>]*>/, () => `<style>${text('main.css')}</style>`)
    .replace(/<script src="main\.js"><\/script>/, () => `<script>${script}</script>`);
}

/** A page that is being served. */
export interface ServedPage {
  readonly url: string;
  close(): Promise<void>;
}

/** Serves a page on 127.0.0.1; port 0 takes any that is free. */
export async function servePage(files: PageFiles, port: number): Promise<ServedPage> {
  const server = createServer((request, response) => answer(files, request, response));
  await listening(server, port);
  const address = server.address();
  const taken = typeof address === 'object' && address !== null ? address.port : port;
  return {
    url: `http://127.0.0.1:${taken}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function listening(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) =>
      reject(new CommandFailure(`Port ${port} of 127.0.0.1 cannot be used: ${messageOf(error)}`)),
    );
    server.listen(port, '127.0.0.1', resolve);
  });
}

/** A page of another name that a browser was led to by a lie about this address gets nothing. */
function isOwnName(host: string | undefined): boolean {
  return /^(127\.0\.0\.1|localhost)(:\d{1,5})?$/.test(host ?? '');
}

function answer(files: PageFiles, request: IncomingMessage, response: ServerResponse): void {
  const path = (request.url ?? '/').split('?')[0]!;
  const name = path === '/' ? INDEX : path.slice(1);
  const bytes = files.get(name);
  response.setHeader('content-security-policy', PAGE_POLICY);
  response.setHeader('x-content-type-options', 'nosniff');
  response.setHeader('referrer-policy', 'no-referrer');
  response.setHeader('cache-control', 'no-store');
  const isReading = request.method === 'GET' || request.method === 'HEAD';
  const status = !isOwnName(request.headers.host) ? 421 : !isReading ? 405 : bytes === undefined ? 404 : 200;
  response.statusCode = status;
  response.setHeader('content-type', status === 200 ? typeOf(name)! : 'text/plain; charset=utf-8');
  if (status === 200) response.end(request.method === 'HEAD' ? undefined : bytes);
  else response.end(`${status}\n`);
}
