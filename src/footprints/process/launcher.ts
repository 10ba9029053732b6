/** Makes, starts, finds and stops trusted processes. They are detached: the death of their replica does not end them. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { hexToBytes } from '../../core/bytes.ts';
import type { TrustedRegistration } from '../../core/config.ts';
import { registrationOf } from '../../trusted/client.ts';
import { decodeTrustedResponse } from '../../trusted/frames.ts';
import type { FootprintOptions } from '../contract.ts';
import { FOLDER_FILES } from './channel.ts';
import { connectTrustedProcess, openSocket, TrustedProcessError } from './connect.ts';
import type { ProcessConnection } from './connect.ts';
import { FIRST_PROGRAM, programOf } from './program-file.ts';
import { findSandbox, SANDBOX_FILES, sandboxArguments, withFilter } from './sandbox.ts';
import type { SandboxAccess } from './sandbox.ts';
import type { Durability } from './state-log.ts';

/** Name of this footprint in registrations. */
export const PROCESS_FOOTPRINT = 'process';

const START_TIMEOUT_MS = 15_000;
const STOP_TIMEOUT_MS = 10_000;
const RETRY_MS = 20;
const LOG_BYTES_MAX = 256 * 1024;
const OUTPUT_BYTES_MAX = 4 * 1024;

/** Whether the process is locked in: where it can be, in any case (else it is not started), or not. */
export type Hardening = NonNullable<FootprintOptions['hardening']>;

/** Why a component cannot be locked in, as the end of a sentence. */
export interface Unconfined {
  readonly why: string;
}

/** What a component's sandbox must let in besides its folder; asked for when a process is started. */
export type AccessOf = () => SandboxAccess | Unconfined;

/** How a trusted process is to be started. */
export interface TrustedProcessOptions {
  readonly folder: string;
  /** Default `fsync`. */
  readonly durability?: Durability;
  /** Default `auto`. */
  readonly hardening?: Hardening;
  /** Ends after this time without a caller, its state being durable; 0 = never. Default ten minutes. */
  readonly lingerMs?: number;
  /** Default: the built carrier that belongs to this package. Modules lie beside it. */
  readonly carrierPath?: string;
  /** Default: nothing. */
  readonly access?: AccessOf;
}

/** File name of the built carrier, as it is seen in the list of processes. */
const CARRIER_FILE = 'trusted-process.mjs';

/** Path of the built carrier. */
export function trustedCarrierPath(): string {
  return fileURLToPath(new URL(`../../../trusted/${CARRIER_FILE}`, import.meta.url));
}

/**
 * What Node itself can close. Its permission model would close more, but it forbids fsync (seen with Node 24), without
 * which there is no persistent component.
 */
const FENCES = [
  // That node:sqlite, of which only the file lock is used, may still change.
  '--disable-warning=ExperimentalWarning',
  '--disable-proto=delete',
  '--disallow-code-generation-from-strings',
  '--max-old-space-size=64',
];

/** What a process that ended has printed is read after this time at the latest. */
const LAST_WORDS_MS = 100;
/** Exit codes above this one stand for the signal that ended a process. */
const KILLED_CODE = 128;
/** How long a process that closed its output may take to end. */
const GOODBYE_MS = 1_000;

/** A process that was started, and how to end it. */
interface Launched {
  readonly child: ChildProcess;
  readonly kill: () => void;
}

/** What one start is to do. */
interface LaunchOptions {
  readonly folder: string;
  readonly carrier: string;
  readonly program: string;
  readonly arguments: readonly string[];
  readonly log: number | 'ignore';
  readonly confinement: Confinement;
}

/** The command of a sandbox and what it lets in, or why there is none. */
type Confinement = { readonly command: string; readonly access: SandboxAccess } | Unconfined;

// An empty environment: NODE_OPTIONS of the caller must not reach into the trusted process.
const SETTINGS = { detached: true, env: {} };

function launchPlain({ folder, carrier, arguments: more, log }: LaunchOptions): Launched {
  const args = [...FENCES, carrier, '--folder', folder, ...more];
  const child = spawn(process.execPath, args, { ...SETTINGS, stdio: ['ignore', 'pipe', log] });
  return { child, kill: () => child.kill('SIGKILL') };
}

/** As `launchPlain`, in a sandbox. The process inside is told which id it has outside. */
function launchInside(options: LaunchOptions, command: string, access: SandboxAccess): Launched {
  const { folder, carrier, log } = options;
  const told = ['--hardening', 'bubblewrap', ...(access.connects === true ? ['--connects'] : [])];
  const module = join(dirname(carrier), `${options.program}.wasm`);
  const args = sandboxArguments({
    folder,
    script: carrier,
    // One that does not exist is missed by the process, which says so.
    beside: existsSync(module) ? [module] : [],
    runtimeOptions: FENCES,
    arguments: ['--folder', folder, ...told, ...options.arguments],
    access,
  });
  const child = withFilter(access, (filter) =>
    spawn(command, args, { ...SETTINGS, stdio: ['pipe', 'pipe', log, 'pipe', filter] }),
  );
  let text = '';
  let inner: number | undefined;
  (child.stdio[SANDBOX_FILES.info] as Readable).setEncoding('latin1').on('data', (chunk: string) => {
    text += chunk;
    const found = /"child-pid": *(\d+)/.exec(text);
    if (found === null || inner !== undefined) return;
    inner = Number(found[1]);
    child.stdin?.end(`${inner}\n`);
  });
  child.stdin?.on('error', () => undefined);
  const kill = (): void => {
    child.kill('SIGKILL');
    try {
      if (inner !== undefined) process.kill(inner, 'SIGKILL');
    } catch {
      // It was gone already.
    }
  };
  return { child, kill };
}

/** How the process is to be locked in. Rejects if it must be and cannot. */
async function confinementFor(hardening: Hardening = 'auto', access?: AccessOf): Promise<Confinement> {
  if (hardening === 'off') return { why: 'it was started so' };
  const given = access?.() ?? {};
  const found = await findSandbox();
  if ('command' in found && !('why' in given)) return { command: found.command, access: given };
  const { what, debianPackage } =
    'missing' in found ? found.missing : { what: (given as Unconfined).why, debianPackage: undefined };
  const help = debianPackage === undefined ? '' : `; install the package ${debianPackage}`;
  const why = `${what}${help}`;
  if (hardening === 'auto') return { why };
  throw new TrustedProcessError(`the trusted process is to be hardened, but ${why}`);
}

function launch(options: LaunchOptions): Launched {
  const { confinement } = options;
  return 'why' in confinement
    ? launchPlain(options)
    : launchInside(options, confinement.command, confinement.access);
}

/** The first line that the child prints; rejects if it ends or stays silent. */
function firstLine({ child, kill }: Launched, timeoutMs = START_TIMEOUT_MS): Promise<string> {
  return new Promise((done, fail) => {
    let text = '';
    const timer = setTimeout(() => {
      kill();
      fail(new TrustedProcessError('the trusted process did not start in time'));
    }, timeoutMs);
    const finish = (line: string | undefined): void => {
      clearTimeout(timer);
      child.stdout?.destroy();
      if (line !== undefined) {
        child.unref();
        return done(line);
      }
      const ended = (code: number | null, signal: NodeJS.Signals | null): void => {
        // Killed from outside, it refused nothing: the next one may well serve. A sandbox says so by its exit code.
        const killed = signal !== null || (code ?? 0) > KILLED_CODE;
        const how = killed ? `was killed (${signal ?? code! - KILLED_CODE})` : 'ended';
        fail(new TrustedProcessError(`the trusted process ${how} at its start; see its log`, killed));
      };
      if (child.exitCode !== null || child.signalCode !== null)
        return ended(child.exitCode, child.signalCode);
      child.once('exit', ended);
      // One that says nothing sensible and lives on is ended here; that is no kill from outside.
      setTimeout(() => {
        child.off('exit', ended);
        kill();
        ended(null, null);
      }, GOODBYE_MS).unref();
    };
    child.once('error', (error) => {
      clearTimeout(timer);
      fail(new TrustedProcessError(`cannot start the trusted process: ${error.message}`));
    });
    child.stdout?.setEncoding('latin1');
    child.stdout?.on('data', (chunk: string) => {
      text += chunk;
      const end = text.indexOf('\n');
      if (end >= 0) finish(text.slice(0, end));
      else if (text.length > OUTPUT_BYTES_MAX) finish(undefined);
    });
    child.stdout?.once('close', () => {
      if (!text.includes('\n')) finish(undefined);
    });
    // A sandbox that was killed while it was set up leaves a process that nobody wakes any more.
    child.once('exit', () => {
      setTimeout(() => {
        if (text.includes('\n')) return;
        kill();
        child.stdout?.destroy();
      }, LAST_WORDS_MS);
    });
  });
}

/** What makes a component, and how. */
export interface CreateOptions {
  readonly folder: string;
  readonly program: string;
  /** Name of the footprint in the registration. */
  readonly footprint: string;
  readonly carrierPath: string;
  /** Of the carrier, besides folder and program. */
  readonly arguments: readonly string[];
  /** Default `auto`. */
  readonly hardening?: Hardening | undefined;
  readonly access?: AccessOf;
  readonly timeoutMs?: number;
}

/**
 * Has a carrier make a component in a folder that must not exist or be empty. Its key is made inside the trusted process.
 * Rejects with TrustedProcessError, whose message is the carrier's own.
 */
export async function createInProcess(options: CreateOptions): Promise<TrustedRegistration> {
  const { folder, program } = options;
  const confinement = await confinementFor(options.hardening, options.access);
  if (!('why' in confinement)) mkdirSync(folder, { recursive: true, mode: 0o700 });
  const launched = launch({
    folder: resolve(folder),
    carrier: options.carrierPath,
    program,
    arguments: ['--create', '--program', program, ...options.arguments],
    log: 'ignore',
    confinement,
  });
  const line = await firstLine(launched, options.timeoutMs);
  const bytes = hexToBytes(line);
  const response = bytes === undefined ? undefined : decodeTrustedResponse(bytes);
  if (response?.op !== 'identify') throw new TrustedProcessError(line);
  return registrationOf(response.identity, options.footprint);
}

/**
 * Makes a new component in `folder`, which must not exist or be empty. Its key is made inside the trusted program and
 * never leaves it. The registration goes into genesis: this fixes the first tcEpoch (decision A1).
 */
export function createTrustedFolder(
  folder: string,
  options: { readonly program?: string; readonly hardening?: Hardening; readonly carrierPath?: string } = {},
): Promise<TrustedRegistration> {
  return createInProcess({
    folder,
    program: options.program ?? FIRST_PROGRAM,
    footprint: PROCESS_FOOTPRINT,
    carrierPath: options.carrierPath ?? trustedCarrierPath(),
    arguments: [],
    hardening: options.hardening,
  });
}

/** Whether a process serves this folder. Disturbs nobody. */
export async function isTrustedProcessRunning(folder: string): Promise<boolean> {
  const socket = await openSocket(folder);
  socket?.destroy();
  return socket !== undefined;
}

function openLog(folder: string): number {
  const path = join(folder, FOLDER_FILES.log);
  const long = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  return openSync(path, long > LOG_BYTES_MAX ? 'w' : 'a', 0o600);
}

/**
 * Starts the process of `folder` unless one runs; it outlives this process. Rejects with TrustedProcessError, whose
 * message is the program's own (damaged state, folder open to others, full disk, ...).
 */
export async function spawnTrustedProcess(options: TrustedProcessOptions): Promise<void> {
  if (await isTrustedProcessRunning(options.folder)) return;
  if (statSync(options.folder, { throwIfNoEntry: false }) === undefined)
    throw new TrustedProcessError(`there is no trusted component in ${options.folder}`);
  const more = ['--durability', options.durability ?? 'fsync'];
  if (options.lingerMs !== undefined) more.push('--linger-ms', String(options.lingerMs));
  const confinement = await confinementFor(options.hardening, options.access);
  const folder = resolve(options.folder);
  const carrier = resolve(options.carrierPath ?? trustedCarrierPath());
  const log = openLog(folder);
  try {
    const line = await firstLine(
      launch({ folder, carrier, program: programOf(folder), arguments: more, log, confinement }),
    );
    if (line !== 'ready') throw new TrustedProcessError(line);
  } finally {
    closeSync(log);
  }
}

/**
 * Starts the process if none runs and connects. One that was just killed may still hold its socket for a moment: then
 * again.
 */
async function startAndConnect(options: TrustedProcessOptions): Promise<ProcessConnection> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  for (;;) {
    try {
      await spawnTrustedProcess(options);
      return await connectTrustedProcess(options.folder);
    } catch (error) {
      if (!(error instanceof TrustedProcessError) || !error.vanished || Date.now() > deadline) throw error;
    }
    await new Promise((done) => setTimeout(done, RETRY_MS));
  }
}

/** Why a process that runs is not locked in. */
async function whyPlain({ hardening, access }: TrustedProcessOptions): Promise<string> {
  const confinement = await confinementFor(hardening === 'required' ? 'auto' : hardening, access);
  return 'why' in confinement ? confinement.why : 'it was started so and runs on; stop it once';
}

/** Connects to the process of a folder; starts it if none runs, and again if it runs in another way than asked for. */
export async function openTrustedProcess(options: TrustedProcessOptions): Promise<ProcessConnection> {
  let connection = await startAndConnect(options);
  const isHardEnough = options.hardening !== 'required' || connection.hardening !== 'none';
  if (!isHardEnough || connection.durability !== (options.durability ?? 'fsync')) {
    // Before the one that runs is ended: whether another one may be started at all.
    await confinementFor(options.hardening, options.access);
    connection.close();
    await stopTrustedProcess(options.folder);
    connection = await startAndConnect(options);
  }
  if (connection.hardening === 'none') connection.plainReason = await whyPlain(options);
  return connection;
}

/** `usig-process.mjs`: a process of before that still runs. */
const CARRIER_NAMES = /[\\/](trusted|usig|tpm|pkcs11)-process\.mjs$/;

function isServing(pid: number, folder: string): boolean {
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    return words.includes(resolve(folder)) && words.some((word) => CARRIER_NAMES.test(word));
  } catch {
    return false;
  }
}

/** Ends a process that listens but does not answer; false if it cannot be told for certain which one that is. */
function killSilent(folder: string): boolean {
  const path = join(folder, FOLDER_FILES.pid);
  if (statSync(path, { throwIfNoEntry: false }) === undefined) return false;
  const pid = Number.parseInt(readFileSync(path, 'utf8'), 10);
  return Number.isSafeInteger(pid) && pid > 1 && killServing(pid, folder);
}

/** Ends the process `pid` if it serves this folder; false if it is another one or is gone. */
function killServing(pid: number, folder: string): boolean {
  if (!isServing(pid, folder)) return false;
  process.kill(pid, 'SIGKILL');
  return true;
}

/** Whether there is a process of this number. */
function isThere(pid: number): boolean {
  return existsSync(`/proc/${pid}`) || !existsSync('/proc/self');
}

/** Ends the process of `folder` in order; its state is durable afterwards. False if none ran. */
export async function stopTrustedProcess(folder: string): Promise<boolean> {
  if (!(await isTrustedProcessRunning(folder))) return false;
  let connection: ProcessConnection;
  try {
    connection = await connectTrustedProcess(folder);
  } catch (error) {
    if (error instanceof TrustedProcessError && error.vanished) return true;
    if (killSilent(folder)) return true;
    throw error;
  }
  await new Promise<void>((done, fail) => {
    const timer = setTimeout(() => {
      // It has closed its log, so nothing is lost; it may have removed its pid file and hang in its own end.
      const { pid } = connection;
      if (killSilent(folder) || killServing(pid, folder) || !isThere(pid)) done();
      else fail(new TrustedProcessError(`process ${connection.pid} does not stop`));
      connection.close();
    }, STOP_TIMEOUT_MS);
    connection.onClose(() => {
      clearTimeout(timer);
      done();
    });
    connection.stop();
  });
  return true;
}
