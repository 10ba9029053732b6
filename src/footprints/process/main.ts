/**
 * The trusted process: carries one trusted program, a Wasm module, with an own folder. Built into one file,
 * trusted/trusted-process.mjs; the modules lie beside it. `--create --program P --folder F` makes a new component and
 * prints who it is; `--folder F` serves it.
 */
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { parseArgs } from 'node:util';
import { bytesToHex } from '../../core/bytes.ts';
import { RECENT_DEPTH } from '../../trusted/contract.ts';
import type { TrustedProgram } from '../../trusted/contract.ts';
import { encodeTrustedRequest } from '../../trusted/frames.ts';
import { startModule } from '../../trusted/module.ts';
import { FOLDER_FILES, HARDENINGS, TOKEN_BYTES } from './channel.ts';
import type { HardeningState } from './channel.ts';
import { claimFolder } from './claim-folder.ts';
import { createEnvironment } from './environment.ts';
import { FIRST_PROGRAM, loadModule, moduleOfFolder, writeProgramFile } from './program-file.ts';
import type { MeasuredModule } from './program-file.ts';
import { watchSocket } from './own-socket.ts';
import { outerPid, sealProcess } from './seal.ts';
import { serveProgram } from './server.ts';
import { DURABILITIES, StateLog } from './state-log.ts';
import type { Durability } from './state-log.ts';

/** Below the patience of the next start, which waits for the lock meanwhile. */
const FOLDER_CHECK_MS = 1_000;
const LINGER_MS = 10 * 60_000;

/** Ends the process with a sentence for the operator. */
class Refusal extends Error {
  override readonly name = 'Refusal';
}

/** The modules lie beside this file. */
const MODULES = new URL('./', import.meta.url);

function assertPrivate(folder: string): void {
  if (!existsSync(folder))
    throw new Refusal(`there is no folder ${folder}; make the component with --create`);
  const { mode, uid } = statSync(folder);
  if ((mode & 0o077) !== 0) throw new Refusal(`${folder} is open to others; run: chmod 700 ${folder}`);
  if (process.getuid !== undefined && uid !== process.getuid())
    throw new Refusal(`${folder} belongs to another user`);
}

/** The program of a folder, continued after its records. */
function startProgram(log: StateLog, durability: Durability, found: MeasuredModule): TrustedProgram {
  const program = startModule(found.module, createEnvironment(log, durability, found.measurement));
  log.begin(() => program.image?.());
  return program;
}

function create(folder: string, name: string): void {
  const found = loadModule(MODULES, name);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  chmodSync(folder, 0o700);
  if (readdirSync(folder).length > 0)
    throw new Refusal(`${folder} is not empty; a trusted component is never overwritten`);
  process.chdir(folder);
  const access = openSync(FOLDER_FILES.access, 'wx', 0o600);
  writeFileSync(access, randomBytes(TOKEN_BYTES));
  fsyncSync(access);
  closeSync(access);
  writeProgramFile(found);
  StateLog.create('.');
  const log = StateLog.open('.', 'fsync', RECENT_DEPTH);
  const program = startProgram(log, 'fsync', found);
  process.stdout.write(`${bytesToHex(program.handle(encodeTrustedRequest({ op: 'identify' })))}\n`);
  log.close();
}

function readToken(): Uint8Array {
  const token = readFileSync(FOLDER_FILES.access);
  if (token.length !== TOKEN_BYTES) throw new Refusal('the access token is damaged; make it anew (32 bytes)');
  return token;
}

/** What went wrong, for an operator. */
function explain(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG')
    return `no space for the trusted component's state (${message}); nothing is lost: make room and start again`;
  return error instanceof Error ? message : String(error);
}

function say(text: string): void {
  process.stderr.write(`${new Date().toISOString()} ${text}\n`);
}

/** How a folder is to be served. */
interface ServeOptions {
  readonly folder: string;
  readonly durability: Durability;
  readonly lingerMs: number;
  readonly hardening: HardeningState;
}

async function serve({ folder, durability, lingerMs, hardening }: ServeOptions): Promise<void> {
  const pid = outerPid(hardening);
  assertPrivate(folder);
  process.chdir(folder);
  const token = readToken();
  if (!(await claimFolder(token))) throw new Refusal('another process serves this trusted component already');
  const found = moduleOfFolder(MODULES);
  const log = StateLog.open('.', durability, RECENT_DEPTH);
  const program = startProgram(log, durability, found);
  rmSync(FOLDER_FILES.socket, { force: true });

  const stop = (reason: string): never => {
    log.close();
    rmSync(FOLDER_FILES.socket, { force: true });
    rmSync(FOLDER_FILES.pid, { force: true });
    say(`stopped: ${reason}`);
    process.exit(0);
  };
  const fail = (error: unknown): never => {
    say(`ended without answering: ${explain(error)}`);
    process.exit(1);
  };
  let lonely: NodeJS.Timeout | undefined;
  const onCaller = (present: boolean): void => {
    clearTimeout(lonely);
    // The state is durable, so nothing is lost by ending; the next start of the replica starts it again.
    if (!present && lingerMs > 0) lonely = setTimeout(() => stop('nobody called'), lingerMs);
  };
  await serveProgram(FOLDER_FILES.socket, {
    program,
    token,
    welcome: { durability: DURABILITIES.indexOf(durability), hardening, pid },
    flush: () => log.flush(),
    onStop: () => stop('asked by the caller'),
    onFatal: fail,
    onCaller,
  });
  const socketIs = watchSocket(FOLDER_FILES.socket);
  onCaller(false);
  writeFileSync(FOLDER_FILES.pid, `${pid}\n`, { mode: 0o600 });
  process.on('SIGTERM', () => stop('SIGTERM'));
  // A terminal's Ctrl-C is meant for the replica, not for this process.
  process.on('SIGINT', () => undefined);
  process.on('SIGHUP', () => undefined);
  setInterval(() => {
    if (!existsSync(FOLDER_FILES.access)) process.exit(0);
    const state = socketIs();
    // Another one serves: what lies in the folder is no longer this process's to change.
    if (state === 'other') fail(new Refusal('the socket in the folder is of another process'));
    try {
      if (state === 'gone') stop('its socket was deleted');
    } catch (error) {
      fail(error);
    }
  }, FOLDER_CHECK_MS);
  if (hardening === 'bubblewrap') sealProcess();
  say(`serving ${found.program}, pid ${pid}, durability ${durability}, hardening ${hardening}`);
  process.stdout.write('ready\n');
}

async function main(): Promise<void> {
  process.umask(0o077);
  const { values } = parseArgs({
    options: {
      folder: { type: 'string' },
      create: { type: 'boolean', default: false },
      program: { type: 'string', default: FIRST_PROGRAM },
      durability: { type: 'string', default: 'fsync' },
      hardening: { type: 'string', default: 'none' },
      'linger-ms': { type: 'string', default: String(LINGER_MS) },
    },
  });
  const { folder } = values;
  if (folder === undefined) throw new Refusal('--folder is missing');
  const durability = DURABILITIES.find((known) => known === values.durability);
  if (durability === undefined) throw new Refusal('--durability is fsync, os or memory');
  const hardening = HARDENINGS.find((known) => known === values.hardening);
  if (hardening === undefined) throw new Refusal('--hardening says what this process runs in');
  const lingerMs = Number(values['linger-ms']);
  if (!Number.isSafeInteger(lingerMs) || lingerMs < 0 || lingerMs > 2 ** 31 - 1)
    throw new Refusal('--linger-ms is a number of milliseconds, 0 for ever');
  if (values.create) create(folder, values.program);
  else await serve({ folder, durability, lingerMs, hardening });
}

main().catch((error: unknown) => {
  const text = explain(error);
  process.stdout.write(`refused: ${text}\n`);
  say(`refused: ${text}`);
  process.exitCode = 1;
  // Sockets and timers of a half-made start must not keep the process.
  setTimeout(() => process.exit(1), 50).unref();
});
