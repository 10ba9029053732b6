/**
 * The dashboard and the playground: files that `npm run pages` built (`build/pages` of a clone, `dist/pages` of the
 * package). They are read once, at the start; an address is looked up among them, so no address leads anywhere else.
 * They hold no secret and are served without the gateway's token: the page asks for it, or finds it in its own address.
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { builtFolders, filesOf, INDEX, PAGE_POLICY, typeOf } from './built-pages.ts';
import type { Route } from './routes.ts';

/** Folder of built files to the address that it is served under. */
const PLACES = [
  { folder: 'dashboard', prefix: '/' },
  { folder: 'playground', prefix: '/playground/' },
];
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

/** The built pages in a folder; if there are none, their addresses say how to build them. */
export function readPages(root: string | undefined): Pages {
  const pages = new Map<string, Page>();
  for (const { folder, prefix } of root === undefined ? [] : PLACES)
    for (const [name, bytes] of filesOf(join(root!, folder))) {
      const page = pageOf(bytes, typeOf(name)!);
      pages.set(`${prefix}${name}`, page);
      if (name === INDEX) pages.set(prefix, page);
    }
  const missing = pageOf(Buffer.from(NOT_BUILT), typeOf(INDEX)!, 404);
  for (const { prefix } of PLACES) if (!pages.has(prefix)) pages.set(prefix, missing);
  return pages;
}

/** Folder of the built pages of this installation; undefined if there is none. */
export function builtPages(): string | undefined {
  return builtFolders().find((path) => PLACES.some(({ folder }) => filesOf(join(path, folder)).has(INDEX)));
}

function send(page: Page, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const { bytes, type, tag, status } = page;
  void reply.headers({
    'content-security-policy': PAGE_POLICY,
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
