/**
 * `program@rote`: a component whose state is accepted at its start only if a quorum of guards names it. Here the whole
 * group runs on one machine, each guard a process of its own behind a Unix socket: the protocol as it is, without what
 * makes it protect, which is different machines.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bytesToDigest, hexToBytes } from '../../core/bytes.ts';
import type { TrustedRegistration } from '../../core/config.ts';
import { decodeTrustedResponse, RESPONSE_BYTES_MAX } from '../../trusted/frames.ts';
import type { GuardGroup } from '../../trusted/rote/contract.ts';
import type { Footprint, FootprintOptions, TrustedConnection } from '../contract.ts';
import { FramedConnection } from '../framed-connection.ts';
import { FrameReader } from '../process/channel.ts';
import { guardPath, GUARDS_FOLDER, outerSocketPath, readGuardFile, RoteError } from './places.ts';
import type { GuardFile } from './places.ts';

const START_MS = 20_000;
const RETRY_MS = 50;
const GUARDS_DEFAULT = 3;
/** Exit code of a guard that ended for a reason of its own. */
const REFUSED = 1;
const LAST_WORDS_MAX = 4096;

/** Path of the guard's program. */
const MAIN = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? './main-guard.ts' : './main-guard.js', import.meta.url),
);

function spawnGuard(folder: string, id: number, found: boolean): ChildProcess {
  const guards = resolve(folder, GUARDS_FOLDER);
  const args = [MAIN, '--guards', guards, '--id', String(id), ...(found ? ['--found'] : [])];
  const log = found ? 'ignore' : openSync(join(guards, guardPath(id, 'log')), 'a', 0o600);
  const pipe = found ? 'pipe' : 'ignore';
  const child = spawn(process.execPath, args, { detached: true, stdio: [pipe, pipe, log], env: {} });
  if (log !== 'ignore') closeSync(log);
  child.stdin?.on('error', () => undefined);
  return child;
}

/** Lines that a guard prints, one after the other. */
class Lines {
  #text = '';
  #ended = false;
  readonly #child: ChildProcess;

  constructor(child: ChildProcess) {
    this.#child = child;
    child.stdout?.setEncoding('latin1').on('data', (chunk: string) => (this.#text += chunk));
    child.once('exit', () => (this.#ended = true));
    child.once('error', () => (this.#ended = true));
  }

  async next(patienceMs: number): Promise<string> {
    const deadline = performance.now() + patienceMs;
    for (;;) {
      const end = this.#text.indexOf('\n');
      if (end >= 0) {
        const line = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 1);
        return line;
      }
      if (this.#ended) throw new RoteError('a guard ended at its start; see its log');
      if (performance.now() > deadline)
        throw new RoteError('a guard is not ready in time: fewer than a quorum of the others is active');
      await new Promise((wake) => setTimeout(wake, RETRY_MS));
    }
  }

  /** The guard lives on without this process. */
  release(): void {
    this.#child.stdout?.destroy();
    this.#child.stdin?.destroy();
    this.#child.unref();
  }
}

function sizeOf(argument: string): number {
  const n = argument === '' ? GUARDS_DEFAULT : Number(argument);
  if (Number.isInteger(n) && n >= 3 && n <= 31 && n % 2 === 1) return n;
  throw new RoteError(`"${argument}" is not a number of guards: an odd number from 3 to 31`);
}

async function create({ folder, program, argument }: FootprintOptions): Promise<TrustedRegistration> {
  const n = sizeOf(argument);
  if (existsSync(folder) && readdirSync(folder).length > 0)
    throw new RoteError(`${folder} is not empty; a trusted component is never overwritten`);
  mkdirSync(join(folder, GUARDS_FOLDER), { recursive: true, mode: 0o700 });
  const children = Array.from({ length: n }, (_, id) => spawnGuard(folder, id, true));
  const lines = children.map((child) => new Lines(child));
  try {
    const keys = await Promise.all(lines.map((one) => one.next(START_MS)));
    const groupId = bytesToDigest(createHash('sha256').update(randomBytes(32)).digest());
    const group: GuardGroup = { groupId, keys, f: 0, u: (n - 1) / 2 };
    for (const [id, child] of children.entries()) {
      const told: GuardFile = id === 0 ? { group, program } : { group };
      child.stdin?.write(`${JSON.stringify(told)}\n`);
    }
    const [first] = await Promise.all(lines.map((one) => one.next(START_MS)));
    const bytes = hexToBytes(first!.replace(/^ready /, ''));
    const response = bytes === undefined ? undefined : decodeTrustedResponse(bytes);
    if (response?.op !== 'identify') throw new RoteError('the component does not say who it is');
    const { measurement, suite, tcId, tcEpoch, publicKey } = response.identity;
    return { program, footprint: 'rote', measurement, suite, tcId, tcEpoch, publicKey };
  } catch (error) {
    for (const child of children) child.kill('SIGKILL');
    rmSync(join(folder, GUARDS_FOLDER), { recursive: true, force: true });
    throw error;
  } finally {
    for (const one of lines) one.release();
  }
}

function tryConnect(path: string): Promise<Socket | undefined> {
  return new Promise((done) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.removeAllListeners('error');
      done(socket);
    });
    socket.once('error', () => done(undefined));
  });
}

/** Numbers of the guards of a component's folder. */
function guardsOf(folder: string): number[] {
  const { group } = readGuardFile(join(folder, GUARDS_FOLDER, guardPath(0, 'group')));
  return [...group.keys.keys()];
}

/** Starts a guard unless it runs; the process if it was started. */
async function ensureGuard(folder: string, id: number): Promise<ChildProcess | undefined> {
  const socket = await tryConnect(outerSocketPath(folder, id, 'socket'));
  if (socket !== undefined) {
    socket.destroy();
    return undefined;
  }
  const child = spawnGuard(folder, id, false);
  // Whether it comes up shows when the component is reached.
  child.once('error', () => undefined);
  child.unref();
  return child;
}

/** Why a guard ended by itself, in its own words. */
function lastWords(folder: string, id: number): string {
  const path = join(folder, GUARDS_FOLDER, guardPath(id, 'log'));
  const line = /ended: (.+)\n$/.exec(readFileSync(path, 'utf8').slice(-LAST_WORDS_MAX))?.[1];
  return line ?? `see ${path}`;
}

function whatIfLost(folder: string): string {
  const { group, program } = readGuardFile(join(folder, GUARDS_FOLDER, guardPath(0, 'group')));
  const spec = `${program ?? 'usig'}@rote:${group.keys.length}`;
  return (
    'nobody remembers its newest state and it can never be continued. Replace it: stop the replica (on a local cluster ' +
    `"moiety fault kill REPLICA"), rm -r ${folder}, moiety trusted create ${folder} --tc ${spec}, and start the replica ` +
    '("moiety fault restart REPLICA"): it is re-admitted by RECOVER, and its store stays'
  );
}

/**
 * Throws RoteError if fewer guards run than a quorum has and the component's own is not one of them: whoever is started
 * again becomes active by the word of a quorum of others (ROTE.RECOVER.2), so that nobody ever would. Waiting cannot
 * help then.
 */
async function assertRemembered(folder: string): Promise<void> {
  const sockets = await Promise.all(
    guardsOf(folder).map((id) => tryConnect(outerSocketPath(folder, id, 'socket'))),
  );
  for (const socket of sockets) socket?.destroy();
  const running = sockets.filter((socket) => socket !== undefined).length;
  const quorum = (sockets.length + 1) / 2;
  if (sockets[0] !== undefined || running >= quorum) return;
  throw new RoteError(
    `${sockets.length - running} of the ${sockets.length} guards of the component in ${folder} have ended (the machine was ` +
      `started again?): ${whatIfLost(folder)}`,
  );
}

async function open({ folder }: FootprintOptions): Promise<TrustedConnection> {
  const [first, ...others] = guardsOf(folder);
  await assertRemembered(folder);
  const host = await ensureGuard(folder, first!);
  for (const id of others) await ensureGuard(folder, id);
  const deadline = performance.now() + START_MS;
  for (;;) {
    const socket = await tryConnect(outerSocketPath(folder, 0, 'component'));
    if (socket !== undefined)
      return new FramedConnection(socket, new FrameReader(RESPONSE_BYTES_MAX), 'the component');
    // One that was killed, or that has given way to a copy, may be started again; one that refuses will refuse again.
    if (host?.exitCode === REFUSED)
      throw new RoteError(`the guard of the component in ${folder} ended: ${lastWords(folder, first!)}`);
    if (performance.now() > deadline)
      throw new RoteError(
        `the component in ${folder} is not ready: its guard waits for a quorum of active ones. ` +
          `If more than ${others.length / 2} of them were started again at once, ${whatIfLost(folder)}`,
      );
    await new Promise((wake) => setTimeout(wake, RETRY_MS));
  }
}

/** Process id of a guard that runs; undefined if it does not. */
function guardProcess(folder: string, id: number): number | undefined {
  try {
    const guards = resolve(folder, GUARDS_FOLDER);
    const pid = Number.parseInt(readFileSync(join(guards, guardPath(id, 'pid')), 'utf8'), 10);
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    return words.includes(guards) && words.includes(String(id)) ? pid : undefined;
  } catch {
    return undefined;
  }
}

/** Ends one guard with a signal; resolves when nobody listens at its socket any more. False if it did not run. */
export async function endGuard(
  folder: string,
  id: number,
  signal: NodeJS.Signals = 'SIGTERM',
): Promise<boolean> {
  const pid = guardProcess(folder, id);
  if (pid === undefined) return false;
  process.kill(pid, signal);
  // A process loses its name before its sockets, which the next one must not take for its own.
  for (;;) {
    const socket = await tryConnect(outerSocketPath(folder, id, 'socket'));
    if (socket === undefined) return true;
    socket.destroy();
    await new Promise((wake) => setTimeout(wake, RETRY_MS));
  }
}

/** Ends every guard: the group forgets, and its component can never be continued. False if none ran. */
export async function endGroup(folder: string): Promise<boolean> {
  const ended = await Promise.all(guardsOf(folder).map((id) => endGuard(folder, id)));
  return ended.includes(true);
}

/** See the top of this file. */
export const roteFootprint: Footprint = {
  name: 'rote',
  scenario: 'c',
  summary: 'state accepted only if a quorum of guards names it (group on this machine)',
  persistent: true,
  missing: () => Promise.resolve([]),
  create,
  open,
  // Only the machine of the component: the other guards remember.
  stop: (folder) => endGuard(folder, 0),
  remembering: (folder) =>
    guardsOf(folder)
      .slice(1)
      .map((id) => guardProcess(folder, id))
      .filter((pid) => pid !== undefined),
};
