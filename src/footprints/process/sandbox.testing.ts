/** For tests: another script in exactly the sandbox of a component, which tries what the component must not. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { homedir } from 'node:os';
import { basename, join } from 'node:path';
import { findSandbox, sandboxArguments, withFilter } from './sandbox.ts';
import type { SandboxAccess } from './sandbox.ts';
import { callingLibrary, sealLibrary } from './seal-library.ts';

/** Why nothing can be locked in here; false if it can. */
export async function noSandbox(): Promise<string | false> {
  const found = await findSandbox();
  if ('command' in found) return false;
  const { what, debianPackage } = found.missing;
  return debianPackage === undefined ? what : `${what}: Debian package ${debianPackage}`;
}

/** A component's folder, and what its sandbox lets in besides. */
export interface ConfinedFolder {
  /** Of the test; takes scripts. */
  readonly root: string;
  readonly folder: string;
  readonly access: SandboxAccess;
}

interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly said: string;
}

/** Runs a script in the sandbox, with files beside it. */
async function runInside(
  { root, folder, access }: ConfinedFolder,
  script: string,
  files: Readonly<Record<string, Uint8Array>>,
): Promise<Ran> {
  const found = await findSandbox();
  assert.ok('command' in found);
  const code = mkdtempSync(join(root, 'code-'));
  writeFileSync(join(code, 'probe.mjs'), script);
  for (const [file, bytes] of Object.entries(files)) writeFileSync(join(code, file), bytes);
  const args = sandboxArguments({
    folder,
    script: join(code, 'probe.mjs'),
    beside: Object.keys(files).map((file) => join(code, file)),
    runtimeOptions: ['--disable-warning=ExperimentalWarning'],
    arguments: [folder],
    access,
  });
  const child = withFilter(access, (filter) =>
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
await more();
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

/** What the probe finds where nothing is let in besides. */
export const PROBED = {
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
};

/**
 * What a script finds in the sandbox of a component: files of another folder `neighbour` beside it, servers outside,
 * processes. `more`: statements of its own, after the seal; `attempt(name, action)` notes how an action ends.
 */
export async function probeSandbox(
  confined: ConfinedFolder,
  neighbour: string,
  more = '',
): Promise<Record<string, unknown>> {
  const store = join(confined.root, neighbour);
  mkdirSync(store, { recursive: true });
  writeFileSync(join(store, 'journal'), 'what only its owner may see');
  const servers = [createServer(), createServer(), createServer()];
  const { port } = await listen(servers[0]!, 0);
  const unix = join(store, 'probed');
  await listen(servers[1]!, unix);
  const abstract = `\0moiety-probe-${process.pid}-${basename(confined.folder)}`;
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
  const head = `${names.join('\n')}\nconst own = process.argv[2];\nconst more = async () => {${more}\n};\n`;
  const seal = { 'seal.node': sealLibrary(confined.access) };
  const { out, said } = await runInside(confined, `${head}${PROBE}`, seal);
  for (const server of servers) server.close();
  assert.notEqual(out, '', said);
  const { root: top, ...rest } = JSON.parse(out) as Record<string, unknown>;
  const found = String(top);
  const isKnown = (name: string): boolean => /^(dev|etc|lib\d*|usr|moiety|proc|tmp)$/.test(name);
  assert.ok(found.split(',').every(isKnown), found);
  return rest;
}

/** In this sandbox a sealed process cannot become another program, be traced, or undo the seal. */
export async function assertSealHolds(confined: ConfinedFolder): Promise<void> {
  const seal = { 'seal.node': sealLibrary(confined.access) };
  const load = (name: string): string =>
    `try { process.dlopen({ exports: {} }, '/moiety/${name}'); } catch {}\n`;
  const execve = `${load('seal.node')} process.execve('/moiety/node', ['node', '-v'], {});`;
  const became = await runInside(confined, execve, seal);
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
  for (const library of Object.values(tries)) {
    const files = { ...seal, 'try.node': library };
    codes.push((await runInside(confined, load('seal.node') + load('try.node'), files)).code);
  }
  assert.deepEqual(codes, [81, 82, 83]);
  const dumpable = { 'try.node': tries.dumpable };
  assert.equal((await runInside(confined, load('try.node'), dumpable)).code, 0);
}

/** A running component has no capabilities, both filters, and leaves no core dump. */
export function assertLockedIn(pid: number): void {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const field = (name: string): string => new RegExp(`^${name}:\\s*(\\S+)`, 'm').exec(status)![1]!;
  assert.deepEqual(['NoNewPrivs', 'Seccomp', 'Seccomp_filters'].map(field), ['1', '2', '2']);
  assert.match(field('CapEff') + field('CapBnd') + field('CapInh'), /^0+$/);
  assert.match(readFileSync(`/proc/${pid}/limits`, 'utf8'), /core file size +0 +0 /);
}
