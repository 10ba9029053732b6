/** The browser of these tests notices whatever goes wrong in a page: a test of pages is worth no more than that. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { SKIP, TestBrowser } from './browser.ts';
import type { WatchedPage } from './browser.ts';

/** Nobody answers there, and nobody is asked. */
const AWAY = 'http://moiety.invalid';
const PATIENCE_MS = 30_000;

const html = (script: string): string =>
  `<!doctype html><title>test</title><link rel="icon" href="data:,"><script>${script}</script>`;
const worker = (script: string): string =>
  html(`new Worker('/worker?' + encodeURIComponent(${JSON.stringify(script)}))`);

/** Pages with one thing wrong each, and what must be noticed. */
const WRONG: readonly (readonly [string, string, RegExp])[] = [
  ['an error on the console', html(`console.error('said aloud')`), /^console: said aloud$/],
  ['an error that nobody catches', html(`throw new Error('thrown')`), /^uncaught: Error: thrown$/],
  [
    'a promise that nobody catches',
    html(`Promise.reject(new Error('refused'))`),
    /^uncaught: Error: refused$/,
  ],
  ['an error on the console of a worker', worker(`console.error('said there')`), /^console: said there$/],
  ['an error of a worker', worker(`throw new Error('thrown there')`), /^uncaught: .*thrown there/],
  [
    'a promise of a worker',
    worker(`Promise.reject(new Error('refused there'))`),
    /^uncaught: .*refused there/,
  ],
  ['a worker that is not there', html(`new Worker('/nowhere')`), /^answered with 404: .*\/nowhere$/],
  [
    'a request that fails',
    html(`fetch('/cut').catch(() => 0)`),
    /^failed: .*\/cut \(net::ERR_EMPTY_RESPONSE\)$/,
  ],
  ['a request of a worker that fails', worker(`fetch('/cut').catch(() => 0)`), /^failed: .*\/cut /],
  [
    'a request that is given up',
    html(`const gone = new AbortController();
    fetch('/never', { signal: gone.signal }).catch(() => 0);
    setTimeout(() => gone.abort(), 100)`),
    /^failed: .*\/never \(net::ERR_ABORTED\)$/,
  ],
  ['an answer that nobody announced', html(`fetch('/nowhere')`), /^answered with 404: .*\/nowhere$/],
  ['an answer to a worker', worker(`fetch('/nowhere')`), /^answered with 404: .*\/nowhere$/],
  ['a picture that is not there', html(`new Image().src = '/nowhere'`), /^answered with 404: .*\/nowhere$/],
  ['a request that leaves', html(`fetch('${AWAY}/a').catch(() => 0)`), /^wants http:\/\/moiety\.invalid\/a$/],
  ['a picture from elsewhere', html(`new Image().src = '${AWAY}/b'`), /^wants .*\/b$/],
  ['a script from elsewhere', `${html('')}<script src="${AWAY}/c"></script>`, /^wants .*\/c$/],
  ['a frame from elsewhere', `${html('')}<iframe src="${AWAY}/d"></iframe>`, /^wants .*\/d$/],
  ['a page elsewhere', html(`open('${AWAY}/e')`), /^wants .*\/e$/],
  ['a farewell elsewhere', html(`navigator.sendBeacon('${AWAY}/f', 'x')`), /^wants .*\/f$/],
  ['an answer that leads elsewhere', html(`fetch('/leave').catch(() => 0)`), /^wants .*\/left$/],
  ['events from elsewhere', html(`new EventSource('${AWAY}/g')`), /^wants .*\/g$/],
  ['a socket elsewhere', html(`new WebSocket('ws://moiety.invalid/h')`), /^wants ws:.*\/h$/],
  ['a request of a worker that leaves', worker(`fetch('${AWAY}/i').catch(() => 0)`), /^wants .*\/i$/],
  [
    'a script of a worker from elsewhere',
    worker(`try { importScripts('${AWAY}/j') } catch {}`),
    /^wants .*\/j$/,
  ],
];

describe('the browser of these tests', { skip: SKIP }, () => {
  let server: Server;
  let address = '';
  /** How the browser was closed. */
  let closed = '';

  before(async () => {
    server = createServer((request, response) => {
      const { pathname, search } = new URL(request.url!, 'http://localhost');
      const page = WRONG[Number(/^\/page\/(\d+)$/.exec(pathname)?.[1])]?.[1];
      if (pathname === '/cut') request.socket.destroy();
      else if (pathname === '/leave') response.writeHead(302, { location: `${AWAY}/left` }).end();
      else if (pathname === '/worker')
        response
          .writeHead(200, { 'content-type': 'text/javascript' })
          .end(decodeURIComponent(search.slice(1)));
      else if (pathname !== '/never')
        response
          .writeHead(pathname === '/nowhere' ? 404 : 200, { 'content-type': 'text/html' })
          .end(page ?? html(''));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });

  after(() => {
    server?.closeAllConnections();
    server?.close();
  });

  /** Opens a page and waits until it has done what is awaited; gives what a browser that is closed then complains of. */
  async function complaintsOf(
    path: string,
    isDone: (watched: WatchedPage) => boolean,
    prepare?: (watched: WatchedPage) => Promise<unknown>,
  ): Promise<readonly string[]> {
    const browser = await TestBrowser.start();
    try {
      const watched = await browser.open(`${address}${path}`);
      await prepare?.(watched);
      const deadline = performance.now() + PATIENCE_MS;
      while (!isDone(watched) && performance.now() < deadline)
        await new Promise((resolve) => setTimeout(resolve, 20));
      return watched.complaints;
    } finally {
      await browser.close().then(
        () => (closed = 'well'),
        (error: Error) => (closed = error.name),
      );
    }
  }

  for (const [index, [name, , pattern]] of WRONG.entries())
    it(`notices ${name}`, async () => {
      const isNoticed = (complaints: readonly string[]): boolean =>
        complaints.some((one) => pattern.test(one));
      const seen = await complaintsOf(`/page/${index}`, ({ complaints }) => isNoticed(complaints));
      assert.ok(isNoticed(seen), seen.join('\n'));
      assert.equal(closed, 'AssertionError');
    });

  it('has nothing against a page that does nothing wrong', async () => {
    const isDone = (): boolean => true;
    assert.deepEqual(await complaintsOf('/quiet', isDone), []);
    assert.equal(closed, 'well');
  });

  it('lets pass what a test announces, and nothing else', async () => {
    const ask = (watched: WatchedPage, path: string): Promise<unknown> =>
      watched.page.evaluate(`fetch('${path}').then(({ status }) => status)`);
    const announced = await complaintsOf(
      '/quiet',
      ({ complaints }) => complaints.length === 0,
      async (watched) => {
        watched.announce(404, /\/nowhere$/);
        assert.equal(await ask(watched, '/nowhere'), 404);
      },
    );
    assert.deepEqual([announced, closed], [[], 'well']);
    const others = await complaintsOf(
      '/quiet',
      ({ complaints }) => complaints.length === 2,
      async (watched) => {
        watched.announce(503, /\/nowhere$/);
        await ask(watched, '/nowhere');
      },
    );
    assert.deepEqual(others, [
      `answered with 404: ${address}/nowhere`,
      'announced and not answered: 503 of /\\/nowhere$/',
    ]);
    assert.equal(closed, 'AssertionError');
  });
});
