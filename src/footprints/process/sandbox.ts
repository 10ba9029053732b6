/**
 * Where a trusted process is locked in: bubblewrap gives it namespaces of its own (no network, no other process, a file
 * tree of exactly the runtime, the program and the component's folder), and a filter of system calls. Needs Linux on
 * x86-64, the Debian package `bubblewrap` and user namespaces.
 */
import { spawn } from 'node:child_process';
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  mkdtempSync,
  openSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import type { MissingRequirement } from '../contract.ts';
import { canLockFiles } from './file-lock.ts';
import { runtimeLibraries } from './libraries.ts';
import { startFilter } from './system-calls.ts';
import type { FilterNeeds } from './system-calls.ts';

/** Descriptors of the sandbox's own: bubblewrap tells the process id on one and reads the filter from the other. */
export const SANDBOX_FILES = { info: 3, filter: 4 } as const;
/** Inside, everything that is run lies here. */
const INSIDE = '/moiety';
const BOOT_ID = '/proc/sys/kernel/random/boot_id';
const PROBE_TIMEOUT_MS = 10_000;
const PLACES = ['/usr/bin', '/bin', '/usr/local/bin'];

/** What the component of a footprint needs beyond folder and program, by absolute paths. What is not there is left out. */
export interface SandboxAccess extends FilterNeeds {
  /** Files, folders and sockets that are seen, and cannot be changed, where they are. */
  readonly readable?: readonly string[];
  /** Files and folders that can be written to. */
  readonly writable?: readonly string[];
  /** Device files. */
  readonly devices?: readonly string[];
  /** npm packages that the script imports: the folder of each, and files in it. */
  readonly packages?: readonly SandboxPackage[];
}

/** See `SandboxAccess`. */
export interface SandboxPackage {
  readonly name: string;
  readonly folder: string;
  readonly files: readonly string[];
}

/** What a sandbox is made for. */
export interface SandboxOptions {
  /** Absolute; the only place that can be written to. */
  readonly folder: string;
  /** Script that is run, and what may be read beside it, by absolute path. */
  readonly script: string;
  readonly beside: readonly string[];
  /** Options of the runtime, and arguments of the script. */
  readonly runtimeOptions: readonly string[];
  readonly arguments: readonly string[];
  readonly access?: SandboxAccess;
}

function findBubblewrap(): string | undefined {
  const places = [...PLACES, ...(process.env['PATH'] ?? '').split(delimiter)];
  return places
    .filter((place) => place.startsWith('/'))
    .map((place) => join(place, 'bwrap'))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return statSync(path).isFile();
      } catch {
        return false;
      }
    });
}

function inside(path: string): string {
  return `${INSIDE}/${path.slice(dirname(path).length + 1)}`;
}

/** Arguments of bubblewrap for what a footprint needs besides. */
function accessArguments(access: SandboxAccess): readonly string[] {
  const here = (paths: readonly string[] = []): readonly string[] => paths.filter((path) => existsSync(path));
  const packages = (access.packages ?? []).flatMap(({ name, folder, files }) =>
    files.map((file) => [join(folder, file), `${INSIDE}/node_modules/${name}/${file}`] as const),
  );
  return [
    ...here(access.readable).flatMap((path) => ['--ro-bind', path, path]),
    ...packages.flatMap(([path, to]) => ['--ro-bind', path, to]),
    ...here(access.devices).flatMap((path) => ['--dev-bind', path, path]),
    ...here(access.writable).flatMap((path) => ['--bind', path, path]),
  ];
}

/** Command line of bubblewrap: everything that the process can see is named here. */
export function sandboxArguments(options: SandboxOptions): readonly string[] {
  const node = `${INSIDE}/node`;
  const readable = [...runtimeLibraries(), BOOT_ID].flatMap((path) => ['--ro-bind', path, path]);
  const run = [options.script, ...options.beside].flatMap((path) => ['--ro-bind', path, inside(path)]);
  const devices = ['/dev/null', '/dev/urandom'].flatMap((path) => ['--dev-bind', path, path]);
  return [
    ...['--unshare-all', '--unshare-user', '--uid', '1000', '--gid', '1000', '--cap-drop', 'ALL'],
    // No `--die-with-parent`: the component outlives its replica.
    ...['--as-pid-1', '--new-session', '--hostname', 'component'],
    ...readable,
    ...['--ro-bind', process.execPath, node],
    ...run,
    ...devices,
    // Before the own folder, which nothing may cover.
    ...accessArguments(options.access ?? {}),
    ...[
      '--tmpfs',
      `${INSIDE}/private`,
      '--bind',
      options.folder,
      options.folder,
      '--remount-ro',
      '/',
      '--chdir',
      '/',
    ],
    ...['--info-fd', String(SANDBOX_FILES.info), '--seccomp', String(SANDBOX_FILES.filter)],
    ...[node, ...options.runtimeOptions, inside(options.script), ...options.arguments],
  ];
}

/** Calls `use` with a descriptor from which the start filter can be read. */
export function withFilter<T>(needs: FilterNeeds, use: (descriptor: number) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'moiety-'));
  try {
    const path = join(folder, 'filter');
    writeFileSync(path, startFilter(needs));
    const descriptor = openSync(path, 'r');
    try {
      return use(descriptor);
    } finally {
      closeSync(descriptor);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** What of the sandbox is missing here, apart from whether it works. */
function missingParts(): MissingRequirement | undefined {
  if (process.platform !== 'linux' || process.arch !== 'x64')
    return { what: 'hardening needs Linux on x86-64' };
  if (!canLockFiles()) return { what: 'hardening needs Node 22.5 or newer' };
  if (findBubblewrap() === undefined)
    return { what: 'bubblewrap is not installed', debianPackage: 'bubblewrap' };
  return undefined;
}

/** Runs nothing in a sandbox; why that failed, or undefined. */
function probe(command: string): Promise<MissingRequirement | undefined> {
  const folder = mkdtempSync(join(tmpdir(), 'moiety-'));
  const script = join(folder, 'probe.mjs');
  writeFileSync(script, '');
  const options = { folder, script, beside: [], runtimeOptions: [], arguments: [] };
  const args = sandboxArguments(options);
  const child = withFilter({}, (filter) =>
    spawn(command, args, {
      env: {},
      timeout: PROBE_TIMEOUT_MS,
      stdio: ['ignore', 'ignore', 'pipe', 'pipe', filter],
    }),
  );
  // Descriptors above 2 that are ignored are closed, and bubblewrap needs this one.
  (child.stdio[SANDBOX_FILES.info] as Readable).resume();
  let said = '';
  child.stderr?.setEncoding('latin1').on('data', (chunk: string) => (said += chunk));
  return new Promise((done) => {
    const finish = (why: string | undefined): void => {
      rmSync(folder, { recursive: true, force: true });
      done(why === undefined ? undefined : { what: `bubblewrap does not work here (${why})` });
    };
    child.once('error', (error) => finish(error.message));
    child.once('close', (code, signal) => {
      const how = said.trim().split('\n')[0] || `it ended with ${signal ?? code}`;
      finish(code === 0 ? undefined : how);
    });
  });
}

/** A sandbox that works here, or what is missing. */
export type SandboxState = { readonly command: string } | { readonly missing: MissingRequirement };

let state: Promise<SandboxState> | undefined;

/** Looks for the sandbox and tries it, once for each process that asks. */
export function findSandbox(): Promise<SandboxState> {
  state ??= (async () => {
    const missing = missingParts();
    if (missing !== undefined) return { missing };
    const command = findBubblewrap()!;
    const failure = await probe(command);
    return failure === undefined ? { command } : { missing: failure };
  })();
  return state;
}
