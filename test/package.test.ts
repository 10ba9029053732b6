/**
 * What npm would publish: built from a copy of this tree, checked file by file, and run with the oldest Node of this
 * machine. No network: the dependencies of this clone are linked beside the unpacked package.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const READY_MS = 60_000;

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly bin: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
  readonly scripts?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: unknown;
}

/** The oldest Node from 20 on that the search path offers: the published package has to run on it. */
function oldestNode(): string {
  const versions = (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((folder) => join(folder, 'node'))
    .filter((path) => existsSync(path))
    .map((path) => ({
      path,
      version: execFileSync(path, ['-p', 'process.versions.node'], { encoding: 'utf8' }),
    }))
    .map(({ path, version }) => ({ path, major: Number(version.split('.')[0]) }))
    .filter(({ major }) => major >= 20)
    .sort((a, b) => a.major - b.major);
  return versions[0]?.path ?? process.execPath;
}

/** Five free ports in a row: the gateway's and those of three replicas. */
async function freeRange(): Promise<number> {
  const canListen = (port: number): Promise<boolean> =>
    new Promise((done) => {
      const server = createServer();
      server.once('error', () => done(false));
      server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => done(true)));
    });
  for (let port = 21_000 + (process.pid % 3_000) * 5; port < 60_000; port += 5) {
    const free = await Promise.all([0, 1, 2, 3].map((step) => canListen(port + step)));
    if (free.every((isFree) => isFree)) return port;
  }
  throw new Error('no free ports');
}

/** Waits until the process has printed `word`. */
function waitFor(child: ChildProcess, word: string): Promise<string> {
  return new Promise((done, fail) => {
    let text = '';
    const timer = setTimeout(() => fail(new Error(`no "${word}" in time:\n${text}`)), READY_MS);
    const onData = (chunk: Buffer): void => {
      text += chunk.toString();
      if (!text.includes(word)) return;
      clearTimeout(timer);
      done(text);
    };
    child.stdout?.on('data', onData);
    child.stderr?.on('data', onData);
    child.once('exit', (code) => {
      clearTimeout(timer);
      fail(new Error(`ended with ${code}:\n${text}`));
    });
  });
}

describe('the published package', { timeout: 240_000 }, () => {
  const scratch = mkdtempSync(join(tmpdir(), 'moiety-package-'));
  const copy = join(scratch, 'copy');
  const folder = join(scratch, 'empty');
  const installed = join(folder, 'node_modules', 'moiety');
  const node = oldestNode();
  let packed: string[] = [];
  let manifest: Manifest;

  const run = (file: string, ...args: string[]): string =>
    execFileSync(node, [file, ...args], { cwd: folder, encoding: 'utf8' });

  before(() => {
    mkdirSync(copy);
    for (const name of readdirSync(root))
      if (!/^(\.git|node_modules|dist|\.moiety|coverage|.*\.tgz)$/.test(name))
        cpSync(join(root, name), join(copy, name), { recursive: true });
    symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
    for (const script of ['build', 'pack-manifest'])
      execFileSync(process.execPath, [join(copy, 'scripts', `${script}.mjs`)], { stdio: 'pipe' });
    const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
    const args = ['pack', '--ignore-scripts', '--json', '--loglevel=error', '--pack-destination', scratch];
    const [report] = Object.values(
      JSON.parse(execFileSync(npm, args, { cwd: copy, encoding: 'utf8' })) as object,
    ) as { filename: string; files: { path: string }[] }[];
    packed = report!.files.map(({ path }) => path);
    mkdirSync(installed, { recursive: true });
    execFileSync('tar', ['-xzf', join(scratch, report!.filename), '-C', installed, '--strip-components=1']);
    for (const name of readdirSync(join(root, 'node_modules')))
      if (!name.startsWith('.') && name !== 'moiety')
        symlinkSync(join(root, 'node_modules', name), join(folder, 'node_modules', name));
    manifest = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as Manifest;
  });
  after(() => rmSync(scratch, { recursive: true, force: true }));

  it('holds what is needed and nothing else', () => {
    const tops = new Set(packed.map((path) => path.split('/')[0]!));
    const expected = [
      'CHANGELOG.md',
      'LICENSE',
      'README.md',
      'bin',
      'dist',
      'native',
      'package.json',
      'trusted',
    ];
    assert.deepEqual([...tops].sort(), expected.sort());
    const strangers = packed.filter(
      (path) =>
        /\.test\.|\.testing\.|\/testing\/|\.map$/.test(path) ||
        (path.endsWith('.ts') && !path.endsWith('.d.ts')),
    );
    assert.deepEqual(strangers, [], 'tests and sources stay at home');
    for (const name of ['trusted-process.mjs', 'usig.wasm', 'measurements.json'])
      assert.ok(packed.includes(`trusted/${name}`), name);
  });

  it('has no install scripts and no dependency that only a clone needs', () => {
    assert.deepEqual(manifest.scripts ?? {}, {});
    assert.equal(manifest.optionalDependencies, undefined);
    assert.ok(!('typescript' in manifest.dependencies));
    for (const version of Object.values(manifest.dependencies)) assert.match(version, /^\d+\.\d+\.\d+$/);
  });

  it('exports files that exist and can be imported', () => {
    for (const [name, target] of Object.entries(manifest.exports)) {
      for (const path of typeof target === 'string' ? [target] : Object.values(target))
        assert.ok(packed.includes(path.replace(/^\.\//, '')), `${name}: ${path}`);
    }
    const names = Object.keys(manifest.exports).filter((name) => !name.endsWith('.json'));
    const code = `for (const name of ${JSON.stringify(names)}) await import('moiety' + name.slice(1));
      const { connect } = await import('moiety/client');
      const { verifyReceipt } = await import('moiety/verify');
      console.log(typeof connect, typeof verifyReceipt);`;
    const text = execFileSync(node, ['--input-type=module', '-e', code], { cwd: folder, encoding: 'utf8' });
    assert.equal(text.trim(), 'function function');
  });

  it('runs its command line', () => {
    const launcher = join(installed, manifest.bin['moiety']!);
    assert.match(run(launcher, '--help'), /moiety up/);
    assert.match(run(launcher, 'version'), new RegExp(`moiety ${manifest.version.replaceAll('.', '\\.')}`));
    assert.match(run(launcher, 'sim', '--seed', '1', '--replicas', '3'), /seed 1 {2}ok/);
  });

  it('starts a cluster in an empty folder', async () => {
    const port = await freeRange();
    const launcher = join(installed, manifest.bin['moiety']!);
    const child = spawn(node, [launcher, 'up', '--port', String(port), '--durability', 'memory'], {
      cwd: folder,
    });
    try {
      await waitFor(child, 'ready\n');
      const url = `http://127.0.0.1:${port}/v1/kv/hello`;
      const written = await fetch(url, { method: 'PUT', body: 'world' });
      assert.equal(written.status, 200, await written.text());
      assert.equal(await (await fetch(url)).text(), 'world');
      const status = JSON.parse(run(launcher, 'status', '--json')) as { replicas: { headerHash: string }[] };
      assert.equal(status.replicas.length, 3);
    } finally {
      child.kill('SIGINT');
      await new Promise((done) => child.once('exit', done));
      run(launcher, 'down', '--wipe');
    }
  });
});
