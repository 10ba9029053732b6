/** Pages for the browser of this machine, and pages in one file. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { heldPlayback } from '../dashboard/playground/embedded.ts';
import { play } from '../sim/playback/play.ts';
import { onePage, readPage, servePage, withData } from './page-server.ts';

const folder = mkdtempSync(join(tmpdir(), 'moiety-page-'));
const INDEX =
  '<html><head>\n<link rel="icon" href="icon.svg" />\n<link rel="stylesheet" href="main.css" /></head>' +
  '<body><div id="app"></div><script src="main.js"></script></body></html>';

mkdirSync(join(folder, 'demo'));
writeFileSync(join(folder, 'demo', 'index.html'), INDEX);
writeFileSync(join(folder, 'demo', 'main.js'), 'console.log("</script>$&")');
writeFileSync(join(folder, 'demo', 'main.css'), 'p{content:"$&"}');
writeFileSync(join(folder, 'secret.txt'), 'no page');

/** What a page finds under an id, as a browser reads the text of such a block. */
function pageOf(html: string): { getElementById(id: string): { textContent: string } | null } {
  return {
    getElementById: (id) => {
      const behind = html.split(`<script type="application/json" id="${id}">`)[1];
      return behind === undefined ? null : { textContent: behind.split('</script>')[0]! };
    },
  };
}

function ask(
  port: number,
  path: string,
  options: { readonly host?: string; readonly method?: string } = {},
): Promise<{ readonly status: number; readonly headers: Record<string, unknown>; readonly text: string }> {
  const { host = `127.0.0.1:${port}`, method = 'GET' } = options;
  return new Promise((resolve, reject) => {
    const sent = request({ port, path, method, host: '127.0.0.1', headers: { host } }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')));
      response.on('end', () => resolve({ status: response.statusCode!, headers: response.headers, text }));
    });
    sent.on('error', reject);
    sent.end();
  });
}

describe('pages', () => {
  after(() => rmSync(folder, { recursive: true, force: true }));
  const files = readPage('demo', [join(folder, 'none'), folder]);

  it('are served from memory, to this machine and under its own name only', async () => {
    const { url, close } = await servePage(files, 0);
    const port = Number(new URL(url).port);
    const index = await ask(port, '/?x');
    assert.equal(index.status, 200);
    assert.equal(index.text, INDEX);
    assert.match(String(index.headers['content-security-policy']), /default-src 'none'; script-src 'self'/);
    assert.equal(index.headers['x-content-type-options'], 'nosniff');
    assert.equal((await ask(port, '/main.js')).headers['content-type'], 'text/javascript; charset=utf-8');
    assert.equal((await ask(port, '/', { method: 'HEAD' })).text, '');
    for (const path of ['/secret.txt', '/../secret.txt', '/%2e%2e/secret.txt', '//etc/passwd', '/__proto__'])
      assert.equal((await ask(port, path)).status, 404, path);
    assert.equal((await ask(port, '/', { method: 'POST' })).status, 405);
    assert.equal((await ask(port, '/', { host: 'elsewhere.example' })).status, 421);
    await assert.rejects(servePage(files, port), /Port \d+ of 127.0.0.1 cannot be used/);
    await close();
  });

  it('hold data that no script of theirs runs, whatever it says', () => {
    const { trace } = play('scenario calm\nreplicas 3\nexpect clean\ncalm after 60\nclients 1 bundles 1\n');
    const text = JSON.stringify({ ...trace, name: '</script><script>alert(1)</script>$&' });
    const html = withData(files, { 'moiety-trace': text }).get('index.html')!.toString('utf8');
    assert.equal(html.split('<script').length - 1, 2);
    const playback = heldPlayback(pageOf(html));
    assert.ok(typeof playback === 'object');
    assert.equal(playback.trace.name, '</script><script>alert(1)</script>$&');
    assert.equal(heldPlayback(pageOf(INDEX)), undefined);
    const damaged = withData(files, { 'moiety-trace': '{}' }).get('index.html')!.toString('utf8');
    assert.match(String(heldPlayback(pageOf(damaged))), /^The event log cannot be shown: it is no event log/);
  });

  it('can be one file that asks for no other', () => {
    const html = onePage(files, { 'moiety-trace': '{}' });
    assert.doesNotMatch(html, /src=|href=/);
    assert.ok(html.includes('<style>p{content:"$&"}</style>'));
    assert.ok(html.includes('<script>console.log("<\\/script>$&")</script>'));
  });

  it('that are not built are asked for', () => {
    assert.throws(() => readPage('demo', [join(folder, 'none')]), /"npm run pages" builds it/);
  });
});
