/** `moiety trace` and `moiety playground`, as a person calls them. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const bin = fileURLToPath(new URL('../../../bin/moiety.mjs', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'moiety-trace-'));
const log = join(folder, 'run.json');

function moiety(...args: readonly string[]): { code: number | null; out: string; err: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [bin, ...args], { encoding: 'utf8' });
  return { code: status, out: stdout, err: stderr };
}

/** Starts a command that serves a page, looks at the page, and ends it as Ctrl-C does. */
async function served(...args: readonly string[]): Promise<{ text: string; code: number | null }> {
  const child = spawn(process.execPath, [bin, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString('utf8')));
  while (!out.includes('\n')) await Promise.race([once(child.stdout, 'data'), once(child, 'exit')]);
  const text = await (await fetch(out.trim())).text();
  child.kill('SIGINT');
  const [code] = (await once(child, 'exit')) as [number | null];
  return { text, code };
}

describe('moiety trace', () => {
  before(() => {
    const { code, err } = moiety('sim', '--protocol', 'pbft', '--seed', '58', '--trace', log);
    assert.equal(code, 0, err);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  it('show prints what --chart prints', () => {
    const shown = moiety('trace', 'show', log, '--until', '40');
    assert.equal(shown.code, 0, shown.err);
    const chart = moiety('sim', 'run', '--protocol', 'pbft', '--seed', '58', '--chart', '--until', '40');
    assert.ok(chart.out.startsWith(shown.out));
    assert.match(shown.out, /PRE-PREPARE n1 v0/);
  });

  it('svg draws what --svg draws, with clients', () => {
    const [drawn, again] = [join(folder, 'a.svg'), join(folder, 'b.svg')];
    moiety('sim', 'run', '--protocol', 'pbft', '--seed', '58', '--svg', drawn, '--arrows', '30');
    const { code, out, err } = moiety('trace', 'svg', log, '-o', again, '--arrows', '30');
    assert.equal(code, 0);
    assert.equal(out, '');
    assert.match(err, /Written to/);
    assert.equal(readFileSync(again, 'utf8'), readFileSync(drawn, 'utf8'));
    assert.match(moiety('trace', 'svg', log, '--all-messages').out, /^<svg [\s\S]*>client 0<[\s\S]*STATUS/);
  });

  it('view serves the page with the run in it, or writes it', async () => {
    const { text, code } = await served('trace', 'view', log);
    assert.equal(code, 0);
    assert.match(text, /id="moiety-trace"/);
    const file = join(folder, 'run.html');
    assert.equal(moiety('trace', 'view', log, '-o', file).code, 0);
    assert.match(readFileSync(file, 'utf8'), /id="moiety-trace"/);
    const both = moiety('trace', 'view', log, '-o', file, '--port', '8080');
    assert.equal(both.code, 2);
    assert.match(both.err, /leave --port and --open out, or -o/);
  });

  it('says what is wrong with a file', () => {
    const wrong = join(folder, 'wrong.json');
    writeFileSync(wrong, readFileSync(log, 'utf8').replace('"replicas":4', '"replicas":3'));
    for (const command of ['show', 'svg', 'view']) {
      const { code, err } = moiety('trace', command, wrong);
      assert.equal(code, 1);
      assert.match(err, /wrong\.json cannot be shown: it is damaged: event \d+/);
    }
    assert.match(moiety('trace', 'show', bin).err, /it is no event log/);
    const missing = moiety('trace', 'show', join(folder, 'none.json'));
    assert.equal(missing.code, 2);
    assert.match(missing.err, /cannot be read/);
    assert.equal(moiety('trace', 'show', log, '--from', '50', '--until', '20').code, 2);
    assert.equal(moiety('trace', 'svg', log, '-o', join(folder, 'none', 'a.svg')).code, 2);
  });

  it('says how long a file may be, and what to do with a longer one', () => {
    const long = join(folder, 'long.json');
    writeFileSync(long, '');
    truncateSync(long, 49 * 1024 * 1024);
    const { code, err } = moiety('trace', 'view', long);
    assert.equal(code, 1);
    assert.match(
      err,
      /long\.json cannot be shown: it has 49 MiB, and a page shows 48 MiB: "moiety trace svg" and/,
    );
    truncateSync(long, 193 * 1024 * 1024);
    assert.match(
      moiety('trace', 'view', long).err,
      /it has 193 MiB, and a page shows 48 MiB: make a shorter run\./,
    );
    assert.match(
      moiety('trace', 'show', long).err,
      /it has 193 MiB, and it is read up to 192 MiB: make a shorter/,
    );
  });

  it('of one protocol takes no option of the swarm', () => {
    const { code, err } = moiety('sim', '--protocol', 'pbft', '--short', '--replicas', '5');
    assert.equal(code, 2);
    assert.match(err, /leave --replicas, --short out/);
    assert.match(moiety('sim', '--f', '2').err, /--f is for --protocol/);
    assert.match(moiety('sim', '--protocol', 'raft').err, /no protocol "raft"/);
  });
});

describe('moiety playground', () => {
  it('serves the page until it is ended', async () => {
    const { text, code } = await served('playground');
    assert.match(text, /<title>Moiety playground<\/title>/);
    assert.equal(code, 0);
  });
});
