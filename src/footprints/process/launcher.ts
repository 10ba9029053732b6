/** Makes, starts, finds and stops trusted processes. They are detached: the death of their replica does not end them. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { hexToBytes } from '../../core/bytes.ts';
import type { TrustedRegistration } from '../../core/config.ts';
import type { Digest } from '../../core/types.ts';
import { registrationOf } from '../../trusted/client.ts';
import { decodeTrustedResponse } from '../../trusted/frames.ts';
import type { FootprintOptions } from '../contract.ts';
import { FOLDER_FILES } from './channel.ts';
import { connectTrustedProcess, openSocket, TrustedProcessError } from './connect.ts';
import type { ProcessConnection } from './connect.ts';
import { FIRST_PROGRAM, measureFile } from './program-file.ts';
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
}

/** File name of the built carrier, as it is seen in the list of processes. */
const CARRIER_FILE = 'trusted-process.mjs';

/** Path of the built carrier. */
export function trustedCarrierPath(): string {
  return fileURLToPath(new URL(`../../../trusted/${CARRIER_FILE}`, import.meta.url));
}

/** SHA-256 of what carries the trusted programs in this footprint. */
export function carrierMeasurement(): Digest {
  return measureFile(trustedCarrierPath());
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

/** How long a process that closed its output may take to end. */
const GOODBYE_MS = 1_000;

function launch(
  options: TrustedProcessOptions,
  more: readonly string[],
  log: number | 'ignore',
): ChildProcess {
  const folder = resolve(options.folder);
  const carrier = resolve(options.carrierPath ?? trustedCarrierPath());
  const args = [...FENCES, carrier, '--folder', folder, ...more];
  // An empty environment: NODE_OPTIONS of the caller must not reach into the trusted process.
  return spawn(process.execPath, args, { detached: true, stdio: ['ignore', 'pipe', log], env: {} });
}

/** The first line that the child prints; rejects if it ends or stays silent. */
function firstLine(child: ChildProcess): Promise<string> {
  return new Promise((done, fail) => {
    let text = '';
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      fail(new TrustedProcessError('the trusted process did not start in time'));
    }, START_TIMEOUT_MS);
    const finish = (line: string | undefined): void => {
      clearTimeout(timer);
      child.stdout?.destroy();
      if (line !== undefined) {
        child.unref();
        return done(line);
      }
      const ended = (_code: number | null, signal: NodeJS.Signals | null): void => {
        // Killed from outside, it refused nothing: the next one may well serve.
        const killed = signal !== null;
        const how = killed ? `was killed (${signal})` : 'ended';
        fail(new TrustedProcessError(`the trusted process ${how} at its start; see its log`, killed));
      };
      if (child.exitCode !== null || child.signalCode !== null)
        return ended(child.exitCode, child.signalCode);
      child.once('exit', ended);
      // One that says nothing sensible and lives on is ended here; that is no kill from outside.
      setTimeout(() => {
        child.off('exit', ended);
        child.kill('SIGKILL');
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
  });
}

/**
 * Makes a new component in `folder`, which must not exist or be empty. Its key is made inside the trusted program and
 * never leaves it. The registration goes into genesis: this fixes the first tcEpoch (decision A1).
 */
export async function createTrustedFolder(
  folder: string,
  options: { readonly program?: string; readonly hardening?: Hardening } = {},
): Promise<TrustedRegistration> {
  const program = options.program ?? FIRST_PROGRAM;
  const line = await firstLine(launch({ folder }, ['--create', '--program', program], 'ignore'));
  const bytes = hexToBytes(line);
  const response = bytes === undefined ? undefined : decodeTrustedResponse(bytes);
  if (response?.op !== 'identify') throw new TrustedProcessError(line);
  return registrationOf(response.identity, PROCESS_FOOTPRINT);
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
  const log = openLog(options.folder);
  try {
    const line = await firstLine(launch(options, more, log));
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

/** Connects to the process of a folder; starts it if none runs, and again if it runs in another durability mode. */
export async function openTrustedProcess(options: TrustedProcessOptions): Promise<ProcessConnection> {
  const connection = await startAndConnect(options);
  if (connection.durability === (options.durability ?? 'fsync')) return connection;
  connection.close();
  await stopTrustedProcess(options.folder);
  return startAndConnect(options);
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
  if (!Number.isSafeInteger(pid) || pid <= 1 || !isServing(pid, folder)) return false;
  process.kill(pid, 'SIGKILL');
  return true;
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
      if (killSilent(folder)) done();
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
