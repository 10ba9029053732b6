import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { connect } from '../client/client.ts';
import { FakeCluster } from '../client/fake-cluster.testing.ts';
import { builtPages } from './pages.ts';
import { startGateway } from './server.ts';
import type { Gateway, GatewayOptions } from './server.ts';

const root = mkdtempSync(join(tmpdir(), 'moiety-pages-'));
after(() => rmSync(root, { recursive: true, force: true }));
const built = join(root, 'pages');
for (const page of ['dashboard', 'playground']) {
  mkdirSync(join(built, page, 'folder.js'), { recursive: true });
  for (const name of [
    'index.html',
    'main.js',
    'main.css',
    'icon.svg',
    'main.js.LEGAL.txt',
    'notes.xyz',
    '.hidden.js',
  ])
    writeFileSync(join(built, page, name), `${page} ${name}`);
}
writeFileSync(join(built, 'secret.txt'), 'secret');
writeFileSync(join(root, 'secret.js'), 'secret');

async function serving(body: (gateway: Gateway) => Promise<void>, options: Partial<GatewayOptions> = {}) {
  const { settings, clientKey: key, openChannel } = new FakeCluster();
  const client = await connect({ cluster: settings, key, openChannel });
  const gateway = await startGateway({ client, port: 0, pages: built, ...options });
  try {
    await body(gateway);
  } finally {
    await gateway.close();
    await client.close();
  }
}

/** The answer to a path as it is: `fetch` would tidy it up. */
function raw(port: number, path: string, method = 'GET'): Promise<string> {
  return new Promise((resolve) => {
    const request = `${method} ${path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n`;
    const socket = connectTcp(port, '127.0.0.1', () => socket.write(request));
    let answer = '';
    socket.on('data', (chunk) => (answer += chunk.toString()));
    socket.on('close', () => resolve(answer));
  });
}

test('the pages are served with their types, a policy and a tag, also where a token is asked for', async () => {
  await serving(
    async ({ url }) => {
      const expected = [
        ['/', 'dashboard index.html', 'text/html; charset=utf-8'],
        ['/index.html', 'dashboard index.html', 'text/html; charset=utf-8'],
        ['/main.js', 'dashboard main.js', 'text/javascript; charset=utf-8'],
        ['/main.css?v=1', 'dashboard main.css', 'text/css; charset=utf-8'],
        ['/icon.svg', 'dashboard icon.svg', 'image/svg+xml'],
        ['/main.js.LEGAL.txt', 'dashboard main.js.LEGAL.txt', 'text/plain; charset=utf-8'],
        ['/playground/', 'playground index.html', 'text/html; charset=utf-8'],
        ['/playground/main.js', 'playground main.js', 'text/javascript; charset=utf-8'],
        // The way without a slash leads there.
        ['/playground', 'playground index.html', 'text/html; charset=utf-8'],
      ] as const;
      for (const [path, body, type] of expected) {
        const response = await fetch(`${url}${path}`);
        assert.equal(response.status, 200, path);
        assert.equal(await response.text(), body);
        assert.equal(response.headers.get('content-type'), type);
        assert.equal(response.headers.get('x-content-type-options'), 'nosniff');
        assert.equal(response.headers.get('cache-control'), 'no-cache');
        const policy = String(response.headers.get('content-security-policy'));
        assert.match(policy, /^default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self';/);
        assert.doesNotMatch(policy, /unsafe-inline|'unsafe-eval'|\*|https?:/);
        const tag = String(response.headers.get('etag'));
        const again = await fetch(`${url}${path}`, { headers: { 'if-none-match': `"x", ${tag}` } });
        assert.deepEqual([again.status, await again.text()], [304, '']);
      }
      assert.equal((await fetch(`${url}/v1/status`)).status, 401);
      assert.equal((await fetch(`${url}/v1/live`)).status, 401);
      assert.equal((await fetch(`${url}/`, { headers: { origin: 'http://evil.example' } })).status, 403);
    },
    { token: 'a token of the gateway' },
  );
});

test('no address leads out of the pages', async () => {
  symlinkSync(join(root, 'secret.js'), join(built, 'dashboard', 'link.js'));
  await serving(async ({ port }) => {
    const paths = [
      '/../secret.txt',
      '/..%2fsecret.txt',
      '/%2e%2e/secret.txt',
      '/playground/../../secret.txt',
      '/playground/..%5c..%5csecret.txt',
      '/playground//main.js',
      '//main.js',
      '/./secret.txt',
      '/secret.txt',
      '/.hidden.js',
      '/notes.xyz',
      '/folder.js',
      '/link.js',
      '/main.js%00.css',
      '/MAIN.JS',
      '/main.js/',
      '/dashboard/main.js',
    ];
    for (const path of paths) {
      const answer = await raw(port, path);
      assert.match(answer, /^HTTP\/1\.1 40[04] /, path);
      assert.doesNotMatch(answer, /secret$|dashboard |playground /, path);
    }
    assert.match(await raw(port, '/', 'POST'), /^HTTP\/1\.1 405 [^]*allow: GET/i);
  });
});

test('where nothing is built, the page says what to run', async () => {
  await serving(
    async ({ url }) => {
      for (const path of ['/', '/playground/']) {
        const response = await fetch(`${url}${path}`);
        assert.equal(response.status, 404);
        assert.equal(response.headers.get('content-type'), 'text/html; charset=utf-8');
        assert.match(await response.text(), /<code>npm run pages<\/code>/);
        assert.equal(response.headers.get('etag'), null);
      }
      assert.equal((await fetch(`${url}/main.js`)).status, 404);
    },
    { pages: join(root, 'nothing') },
  );
});

test('the pages of this installation are found, if they are built', () => {
  const folder = builtPages();
  if (folder !== undefined) assert.match(folder, /[/\\](build|dist)[/\\]pages$/);
});
