/**
 * A private software TPM (swtpm) for development and tests. It keeps its whole state in a folder: whoever can write
 * that folder can copy it back and the emulated TPM does not notice, so it protects nothing by itself.
 */
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { TpmUnreachable } from './transport.ts';

/** Unix socket paths are at most 107 bytes on Linux. */
const SOCKET_PATH_BYTES_MAX = 100;
const START_TIMEOUT_MS = 10_000;
const POLL_MS = 10;

const FILES = { state: 'swtpm-state', socket: 'swtpm.sock', pid: 'swtpm.pid', place: 'swtpm.place' } as const;

/** Whether the program `swtpm` is there. */
export function isSwtpmInstalled(): boolean {
  return spawnSync('swtpm', ['--version'], { stdio: 'ignore' }).status === 0;
}

function answers(path: string): Promise<boolean> {
  return new Promise((done) => {
    if (!existsSync(path)) return done(false);
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      done(true);
    });
    socket.once('error', () => done(false));
  });
}

/** Where the socket of the swtpm of a folder is: in the folder unless its path would be too long. */
export function swtpmPlace(folder: string): string {
  const near = join(resolve(folder), FILES.socket);
  if (Buffer.byteLength(near) <= SOCKET_PATH_BYTES_MAX) return near;
  const noted = join(folder, FILES.place);
  if (!existsSync(noted))
    writeFileSync(noted, join(mkdtempSync(join(tmpdir(), 'moiety-tpm-')), 's'), { mode: 0o600 });
  return readFileSync(noted, 'utf8');
}

/** Process id of the swtpm that serves a folder; undefined if none does. */
function servingPid(folder: string): number | undefined {
  const path = join(folder, FILES.pid);
  const pid = existsSync(path) ? Number.parseInt(readFileSync(path, 'utf8'), 10) : 0;
  if (!Number.isSafeInteger(pid) || pid <= 1) return undefined;
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
    return words.includes('swtpm') && words.includes(resolve(folder)) ? pid : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Starts the swtpm of a folder (mode 0700) unless it runs, and gives the place of its TPM for `openTransport`. It
 * outlives this process, as a TPM does. Rejects with TpmUnreachable.
 */
export async function startSwtpm(folder: string): Promise<string> {
  mkdirSync(join(folder, FILES.state), { recursive: true, mode: 0o700 });
  const socket = swtpmPlace(folder);
  if (servingPid(folder) !== undefined) return socket;
  if (!isSwtpmInstalled())
    throw new TpmUnreachable('swtpm is not installed: install the Debian package swtpm');
  rmSync(socket, { force: true });
  const args = ['socket', '--tpm2', '--tpmstate', `dir=${join(resolve(folder), FILES.state)},mode=0600`];
  args.push('--server', `type=unixio,path=${socket},mode=0600`, '--flags', 'not-need-init,startup-clear');
  args.push('--pid', `file=${join(resolve(folder), FILES.pid)}`);
  const child = spawn('swtpm', args, { detached: true, stdio: 'ignore' });
  child.on('error', () => undefined);
  child.unref();
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (!(await answers(socket))) {
    if (Date.now() > deadline || child.exitCode !== null)
      throw new TpmUnreachable(`swtpm does not start in ${folder}`);
    await new Promise((done) => setTimeout(done, POLL_MS));
  }
  // swtpm makes it readable for all.
  const pid = join(folder, FILES.pid);
  if (existsSync(pid)) chmodSync(pid, 0o600);
  return socket;
}

/** Ends the swtpm of a folder; false if none ran. */
export async function stopSwtpm(folder: string): Promise<boolean> {
  const pid = servingPid(folder);
  if (pid === undefined) return false;
  process.kill(pid, 'SIGTERM');
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (servingPid(folder) !== undefined && Date.now() < deadline)
    await new Promise((done) => setTimeout(done, POLL_MS));
  return true;
}
