import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { connectTrustedProcess } from './connect.ts';
import {
  createTrustedFolder,
  openTrustedProcess,
  spawnTrustedProcess,
  stopTrustedProcess,
  trustedCarrierPath,
} from './launcher.ts';
import { findSandbox, sandboxArguments, withFilter } from './sandbox.ts';
import { callingLibrary, sealLibrary } from './seal-library.ts';

const found = await findSandbox();
const skip =
  'command' in found
    ? false
    : found.missing.debianPackage === undefined
      ? found.missing.what
      : `${found.missing.what}: Debian package ${found.missing.debianPackage}`;

const root = mkdtempSync(join(tmpdir(), 'moiety-hard-'));
const store = join(root, 'store');
mkdirSync(store);
writeFileSync(join(store, 'journal'), 'what only the replica may see');
const lingerMs = 30_000;
const folders: string[] = [];
after(async () => {
  for (const folder of folders) await stopTrustedProcess(folder);
  rmSync(root, { recursive: true, force: true });
});

interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly said: string;
}

/** Runs another script in exactly the sandbox of a trusted process. */
function runInside(name: string, script: string, files: Readonly<Record<string, Uint8Array>>): Promise<Ran> {
  assert.ok('command' in found);
  const code = join(root, `${name}-code`);
  const folder = join(root, `${name}-folder`);
  for (const path of [code, folder]) mkdirSync(path, { mode: 0o700 });
  writeFileSync(join(code, 'probe.mjs'), script);
  for (const [file, bytes] of Object.entries(files)) writeFileSync(join(code, file), bytes);
  const args = sandboxArguments({
    folder,
    script: join(code, 'probe.mjs'),
    beside: Object.keys(files).map((file) => join(code, file)),
    runtimeOptions: ['--disable-warning=ExperimentalWarning'],
    arguments: [folder],
  });
  const child = withFilter((filter) =>
    spawn(found.command, args, { env: {}, stdio: ['ignore', 'pipe', 'pipe', 'pipe', filter] }),
  );
  const said = { out: '', err: '' };
  child.stdio[3]!.on('data', () => undefined);
  child.stdout!.setEncoding('utf8').on('data', (chunk: string) => (said.out += chunk));
  child.stderr!.setEncoding('utf8').on('data', (chunk: string) => (said.err += chunk));
  return new Promise((done) =>
    child.once('close', (status) => done({ code: status, out: said.out, said: said.err })),
  );
}

function listen(server: Server, where: string | number): Promise<AddressInfo> {
  return new Promise((done) => server.listen(where, () => done(server.address() as AddressInfo)));
}

/** What the probe does; the names of files and ports outside are put in front of it. */
const PROBE = `
import { spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import fs from 'node:fs';
import net from 'node:net';
const result = {};
async function attempt(name, action) {
  try { await action(); result[name] = 'done'; } catch (error) { result[name] = error.code; }
}
const event = (emitter, good) => new Promise((done, fail) => emitter.once(good, done).once('error', fail));
await attempt('unix listen before the seal', () => event(net.createServer().listen(own + '/s'), 'listening'));
await attempt('tcp before the seal', () => event(net.connect(tcp, '127.0.0.1'), 'connect'));
try { process.dlopen({ exports: {} }, '/moiety/seal.node'); } catch {}
await attempt('own folder', () => fs.writeFileSync(own + '/x', 'x'));
await attempt('passwd', () => fs.readFileSync('/etc/passwd'));
await attempt('store', () => fs.readFileSync(store));
await attempt('home', () => fs.readdirSync(home));
await attempt('beside the own folder', () => fs.writeFileSync(own + '/../x', 'x'));
await attempt('write root', () => fs.writeFileSync('/x', 'x'));
await attempt('write program', () => fs.writeFileSync('/moiety/probe.mjs', 'x'));
await attempt('write runtime', () => fs.chmodSync('/moiety/node', 0o777));
await attempt('tcp', () => event(net.connect(tcp, '127.0.0.1'), 'connect'));
await attempt('udp', () => event(createSocket('udp4').bind(0), 'listening'));
await attempt('unix connect', () => event(net.connect(unix), 'connect'));
await attempt('abstract connect', () => event(net.connect(abstract), 'connect'));
await attempt('unix listen', () => event(net.createServer().listen(own + '/t'), 'listening'));
await attempt('fork', () => { const { error } = spawnSync('/moiety/node', ['-v']); if (error) throw error; });
await attempt('other process', () => fs.readFileSync('/proc/' + pid + '/status'));
await attempt('own process', () => fs.readFileSync('/proc/self/mem'));
await attempt('signal', () => process.kill(pid, 0));
result.root = fs.readdirSync('/').sort().join();
result.moiety = fs.readdirSync('/moiety').sort().join();
result.proc = fs.readdirSync('/proc').join();
result.dev = fs.readdirSync('/dev').sort().join();
result.pid = process.pid;
console.log(JSON.stringify(result));
process.exit(0);
`;

test('in its sandbox a process opens no file and no socket that it should not', { skip }, async () => {
  const servers = [createServer(), createServer(), createServer()];
  const { port } = await listen(servers[0]!, 0);
  const unix = join(store, 'socket');
  await listen(servers[1]!, unix);
  const abstract = `\0moiety-probe-${process.pid}`;
  await listen(servers[2]!, abstract);
  const outside = {
    tcp: port,
    unix,
    abstract,
    store: join(store, 'journal'),
    home: homedir(),
    pid: process.pid,
  };
  const names = Object.entries(outside).map(([name, value]) => `const ${name} = ${JSON.stringify(value)};`);
  const head = `${names.join('\n')}\nconst own = process.argv[2];\n`;
  const udp = createSocket('udp4').unref();
  const { out, said } = await runInside('files', `${head}${PROBE}`, { 'seal.node': sealLibrary() });
  udp.close();
  for (const server of servers) server.close();
  assert.notEqual(out, '', said);
  const result = JSON.parse(out) as Record<string, unknown>;
  const { root: top, ...rest } = result;
  assert.ok(
    (top as string).split(',').every((name) => /^(dev|lib\d*|usr|moiety|proc|tmp)$/.test(name)),
    String(top),
  );
  assert.deepEqual(rest, {
    'unix listen before the seal': 'done',
    'tcp before the seal': 'EPERM',
    'own folder': 'done',
    passwd: 'ENOENT',
    store: 'ENOENT',
    home: 'ENOENT',
    'beside the own folder': 'EROFS',
    'write root': 'EROFS',
    'write program': 'EROFS',
    'write runtime': 'EROFS',
    tcp: 'EPERM',
    udp: 'EPERM',
    'unix connect': 'EPERM',
    'abstract connect': 'EPERM',
    'unix listen': 'EPERM',
    fork: 'EPERM',
    'other process': 'ENOENT',
    'own process': 'ENOENT',
    signal: 'EPERM',
    moiety: 'node,private,probe.mjs,seal.node',
    proc: 'sys',
    dev: 'null,urandom',
    pid: 1,
  });
});

test('sealed, it cannot become another program, be traced, or undo the seal', { skip }, async () => {
  const seal = { 'seal.node': sealLibrary() };
  const load = (name: string): string =>
    `try { process.dlopen({ exports: {} }, '/moiety/${name}'); } catch {}\n`;
  const execve = `${load('seal.node')} process.execve('/moiety/node', ['node', '-v'], {});`;
  const became = await runInside('execve', execve, seal);
  assert.match(became.said, /execve failed with error code EPERM/);
  assert.equal(became.out, '');
  // Calls that return 0 for a process that may make them; here each one must end it with its own code.
  const [PTRACE_TRACEME, PR_SET_DUMPABLE] = [0, 4];
  const tries = {
    ptrace: callingLibrary([{ call: 101, arguments: [PTRACE_TRACEME], exitCode: 81 }]),
    unshare: callingLibrary([{ call: 272, arguments: [0], exitCode: 82 }]),
    dumpable: callingLibrary([{ call: 157, arguments: [PR_SET_DUMPABLE, 1], exitCode: 83 }]),
  };
  const codes: (number | null)[] = [];
  for (const [name, library] of Object.entries(tries)) {
    const files = { ...seal, 'try.node': library };
    codes.push((await runInside(name, load('seal.node') + load('try.node'), files)).code);
  }
  assert.deepEqual(codes, [81, 82, 83]);
  const dumpable = { 'try.node': tries.dumpable };
  assert.equal((await runInside('control', load('try.node'), dumpable)).code, 0);
});

async function newFolder(name: string): Promise<string> {
  const folder = join(root, name);
  await createTrustedFolder(folder);
  folders.push(folder);
  return folder;
}

test('a running component is locked in and sealed, and says so', { skip }, async () => {
  const folder = await newFolder('locked');
  const connection = await openTrustedProcess({ folder, lingerMs, hardening: 'required' });
  assert.equal(connection.hardening, 'bubblewrap');
  assert.equal(readFileSync(join(folder, 'pid'), 'utf8'), `${connection.pid}\n`);
  const status = readFileSync(`/proc/${connection.pid}/status`, 'utf8');
  const field = (name: string): string => new RegExp(`^${name}:\\s*(\\S+)`, 'm').exec(status)![1]!;
  assert.deepEqual(['NoNewPrivs', 'Seccomp', 'Seccomp_filters'].map(field), ['1', '2', '2']);
  assert.match(field('CapEff') + field('CapBnd') + field('CapInh'), /^0+$/);
  assert.match(readFileSync(`/proc/${connection.pid}/limits`, 'utf8'), /core file size +0 +0 /);
  connection.close();
});

test('hardening is asked for: off, then required', { skip }, async () => {
  const folder = await newFolder('asked');
  const plain = await openTrustedProcess({ folder, lingerMs, hardening: 'off' });
  assert.equal(plain.hardening, 'none');
  const hard = await openTrustedProcess({ folder, lingerMs, hardening: 'required' });
  assert.equal(hard.hardening, 'bubblewrap');
  // Whoever does not ask for more takes what runs.
  const same = await openTrustedProcess({ folder, lingerMs, hardening: 'off' });
  assert.equal(same.pid, hard.pid);
  same.close();
});

test('one process per folder, also where each has its own network', { skip }, async () => {
  const folder = await newFolder('single');
  for (const [first, second] of [
    ['off', 'required'],
    ['required', 'required'],
  ] as const) {
    const connection = await openTrustedProcess({ folder, lingerMs, hardening: first });
    rmSync(join(folder, 'socket'));
    await assert.rejects(
      spawnTrustedProcess({ folder, lingerMs, hardening: second }),
      /another process serves/,
    );
    const gone = new Promise((done) => connection.onClose(done));
    process.kill(connection.pid, 'SIGKILL');
    await gone;
  }
});

test('a component that hangs is ended by its id outside of its namespace', { skip }, async () => {
  const folder = await newFolder('hangs');
  const connection = await openTrustedProcess({ folder, lingerMs });
  process.kill(connection.pid, 'SIGSTOP');
  assert.equal(await stopTrustedProcess(folder), true);
  const again = await openTrustedProcess({ folder, lingerMs });
  assert.notEqual(again.pid, connection.pid);
  again.close();
});

test('a module with one other byte is refused, with both measurements', async () => {
  const folder = await newFolder('changed');
  const modules = join(root, 'changed-modules');
  cpSync(dirname(trustedCarrierPath()), modules, { recursive: true });
  const path = join(modules, 'usig.wasm');
  const bytes = readFileSync(path);
  bytes[bytes.length - 1]! ^= 1;
  writeFileSync(path, bytes);
  const carrierPath = join(modules, 'trusted-process.mjs');
  await assert.rejects(
    spawnTrustedProcess({ folder, lingerMs, carrierPath }),
    /"usig" is not the one .* measurement [0-9a-f]{64}, expected [0-9a-f]{64}; install the version of before/,
  );
  // A folder of before says nothing about its program: it is a USIG, and from now on this one.
  rmSync(join(folder, 'program.json'));
  await spawnTrustedProcess({ folder, lingerMs });
  assert.match(readFileSync(join(folder, 'program.json'), 'utf8'), /"program":"usig"/);
  (await connectTrustedProcess(folder)).close();
});
