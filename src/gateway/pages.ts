/**
 * The dashboard and the playground: files that `npm run pages` built (`build/pages` of a clone, `dist/pages` of the
 * package). They are read once, at the start; an address is looked up among them, so no address leads anywhere else.
 * They hold no secret and are served without the gateway's token: the page asks for it, or finds it in its own address.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Route } from './routes.ts';

/** Where built pages lie: in the package, in a clone. */
const FOLDERS = [new URL('../pages', import.meta.url), new URL('../../build/pages', import.meta.url)];
/** Folder of built files to the address that it is served under. */
const PLACES = [
  { folder: 'dashboard', prefix: '/' },
  { folder: 'playground', prefix: '/playground/' },
];
const INDEX = 'index.html';
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
/** Nothing from anywhere else, nothing inline; trusted programs are compiled in the page. */
const POLICY = [
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
/** No file of a page is longer. */
const FILE_BYTES_MAX = 16 * 1024 * 1024;

const NOT_BUILT = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Moiety</title></head>
<body>
<h1>The pages are not built</h1>
<p>The gateway serves, but there is no dashboard to show: run <code>npm run pages</code> and start the gateway again.</p>
<p>The HTTP interface is described by <a href="/openapi.json">/openapi.json</a>.</p>
</body>
</html>
`;

interface Page {
  readonly bytes: Buffer;
  readonly type: string;
  readonly tag: string;
  readonly status: number;
}

/** By address, which is exact. */
export type Pages = ReadonlyMap<string, Page>;

function pageOf(bytes: Buffer, type: string, status = 200): Page {
  return { bytes, type, tag: `"${createHash('sha256').update(bytes).digest('hex').slice(0, 32)}"`, status };
}

/** Names of files that a browser can use; a folder that is not there has none. */
function filesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isFile() && NAME.test(entry.name) && typeOf(entry.name) !== undefined)
      .map(({ name }) => name);
  } catch {
    return [];
  }
}

function typeOf(name: string): string | undefined {
  return TYPES[name.slice(name.lastIndexOf('.') + 1)];
}

/** A gateway without pages is better than none. */
function bytesOf(path: string): Buffer | undefined {
  try {
    return statSync(path).size > FILE_BYTES_MAX ? undefined : readFileSync(path);
  } catch {
    return undefined;
  }
}

/** The built pages in a folder; if there are none, their addresses say how to build them. */
export function readPages(root: string | undefined): Pages {
  const pages = new Map<string, Page>();
  const places =
    root === undefined ? [] : PLACES.map((place) => ({ ...place, path: join(root, place.folder) }));
  for (const { path: folder, prefix } of places)
    for (const name of filesIn(folder)) {
      const bytes = bytesOf(join(folder, name));
      if (bytes === undefined) continue;
      const page = pageOf(bytes, typeOf(name)!);
      pages.set(`${prefix}${name}`, page);
      if (name === INDEX) pages.set(prefix, page);
    }
  const missing = pageOf(Buffer.from(NOT_BUILT), TYPES['html']!, 404);
  for (const { prefix } of PLACES) if (!pages.has(prefix)) pages.set(prefix, missing);
  return pages;
}

/** Folder of the built pages of this installation; undefined if there is none. */
export function builtPages(): string | undefined {
  return FOLDERS.map((url) => fileURLToPath(url)).find((path) =>
    PLACES.some(({ folder }) => filesIn(join(path, folder)).includes(INDEX)),
  );
}

function send(page: Page, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const { bytes, type, tag, status } = page;
  void reply.headers({
    'content-security-policy': POLICY,
    'referrer-policy': 'no-referrer',
    'cross-origin-opener-policy': 'same-origin',
    // Asked for again each time, sent again only when it changed.
    'cache-control': 'no-cache',
  });
  if (status !== 200) return reply.code(status).type(type).send(bytes);
  void reply.header('etag', tag);
  const known = (request.headers['if-none-match'] ?? '').split(',').map((one) => one.trim());
  if (known.includes(tag) || known.includes(`W/${tag}`)) return reply.code(304).send();
  return reply.type(type).send(bytes);
}

/** A route for each page. Relative addresses of the playground need the slash at the end of its own. */
export function pageRoutes(pages: Pages): Route[] {
  const routes = [...pages].map(([path, page]): Route => ({
    method: 'GET',
    path,
    operationId: `page ${path}`,
    summary: 'A page',
    success: { [page.status]: { media: page.type } },
    isPage: true,
    handler: (request, reply) => Promise.resolve(send(page, request, reply)),
  }));
  routes.push({
    method: 'GET',
    path: '/playground',
    operationId: 'page /playground',
    summary: 'The way to the playground',
    success: { 308: {} },
    isPage: true,
    handler: (_request, reply) => Promise.resolve(reply.redirect('/playground/', 308)),
  });
  return routes;
}
