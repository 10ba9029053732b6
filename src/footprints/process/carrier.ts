/**
 * The frame of every trusted process: folder, access token, lock, socket, end. Where key and state lie is given as a
 * `Carrier`: in a state log (footprint `process`), with a TPM or in a token. Its entry point is bundled into one file of
 * trusted/, beside the modules.
 */
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { bytesToHex } from '../../core/bytes.ts';
import type { TrustedProgram } from '../../trusted/contract.ts';
import { encodeTrustedRequest, encodeTrustedResponse } from '../../trusted/frames.ts';
import { writeWhole } from '../durable-file.ts';
import { FOLDER_FILES, HARDENINGS, TOKEN_BYTES } from './channel.ts';
import type { HardeningState } from './channel.ts';
import { claimFolder } from './claim-folder.ts';
import { FIRST_PROGRAM, loadModule, moduleOfFolder, writeProgramFile } from './program-file.ts';
import type { MeasuredModule } from './program-file.ts';
import { watchSocket } from './own-socket.ts';
import { outerPid, sealProcess } from './seal.ts';
import { serveProgram } from './server.ts';
import { DURABILITIES } from './state-log.ts';
import type { Durability } from './state-log.ts';

/** Below the patience of the next start, which waits for the lock meanwhile. */
const FOLDER_CHECK_MS = 1_000;
const LINGER_MS = 10 * 60_000;

/** Ends the process with a sentence for the operator. */
export class CarrierRefusal extends Error {
  override readonly name = 'CarrierRefusal';
}

/** A component that runs. */
export interface CarriedComponent {
  readonly program: TrustedProgram;
  /** See `ServerOptions.answerLater`. */
  readonly answerLater?: (request: Uint8Array) => Promise<Uint8Array> | undefined;
  /** Makes durable what the program persisted. Throws if it cannot: the process ends without an answer. */
  flush(): void;
  /** Ends in order; the program is asked nothing any more. */
  close(): void;
}

/** What a footprint gives. Both are called with the component's folder as the current one. */
export interface Carrier {
  /** Makes the state of a new component; `argument` is what stood behind the footprint's name. */
  create(found: MeasuredModule, argument: string): Promise<CarriedComponent>;
  /** `durability`: how records are to be kept, where the carrier leaves a choice. */
  open(found: MeasuredModule, durability: Durability): Promise<CarriedComponent>;
}

/** The modules lie beside the bundle. */
const MODULES = new URL('./', import.meta.url);
const ENDING = encodeTrustedResponse({ op: 'error', code: 'NOT_READY', message: 'the component is ending' });

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

/** Goes into a folder that is this user's alone. */
function enter(folder: string): void {
  if (!existsSync(folder)) throw new CarrierRefusal(`there is no folder ${folder}; make the component first`);
  const { mode, uid } = statSync(folder);
  if ((mode & 0o077) !== 0) throw new CarrierRefusal(`${folder} is open to others; run: chmod 700 ${folder}`);
  if (process.getuid !== undefined && uid !== process.getuid())
    throw new CarrierRefusal(`${folder} belongs to another user`);
  process.chdir(folder);
}

async function create(carrier: Carrier, folder: string, name: string, argument: string): Promise<void> {
  const found = loadModule(MODULES, name);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  chmodSync(folder, 0o700);
  if (existsSync(`${folder}/${FOLDER_FILES.access}`))
    throw new CarrierRefusal(`${folder} is not empty; a trusted component is never overwritten`);
  process.chdir(folder);
  const component = await carrier.create(found, argument);
  writeProgramFile(found);
  const identity = component.program.handle(encodeTrustedRequest({ op: 'identify' }));
  component.flush();
  component.close();
  // Last: a folder without it is none that was made.
  writeWhole(FOLDER_FILES.access, randomBytes(TOKEN_BYTES));
  process.stdout.write(`${bytesToHex(identity)}\n`);
}

/** How a folder is to be served. */
interface ServeOptions {
  readonly folder: string;
  readonly durability: Durability;
  readonly lingerMs: number;
  readonly hardening: HardeningState;
  /** The component connects to a Unix socket at any time; see `FilterNeeds`. */
  readonly connects: boolean;
}

async function serve(carrier: Carrier, options: ServeOptions): Promise<void> {
  const { folder, durability, lingerMs, hardening, connects } = options;
  const pid = outerPid(hardening);
  enter(folder);
  const token = readFileSync(FOLDER_FILES.access);
  if (token.length !== TOKEN_BYTES)
    throw new CarrierRefusal('the access token is damaged; make it anew (32 bytes)');
  if (!(await claimFolder(token)))
    throw new CarrierRefusal('another process serves this trusted component already');
  const found = moduleOfFolder(MODULES);
  const component = await carrier.open(found, durability);
  rmSync(FOLDER_FILES.socket, { force: true });
  const fail = (error: unknown): never => {
    say(`ended without answering: ${explain(error)}`);
    process.exit(1);
  };
  let socketIs: () => 'own' | 'gone' | 'other' = () => 'gone';
  let ends = false;
  const stop = (reason: string): void => {
    if (ends) return;
    ends = true;
    try {
      // Nobody finds it any more while it closes; another one's socket is not this process's to take away.
      const isOwner = socketIs() !== 'other';
      if (isOwner) rmSync(FOLDER_FILES.socket, { force: true });
      component.close();
      if (isOwner) rmSync(FOLDER_FILES.pid, { force: true });
    } catch (error) {
      fail(error);
    }
    say(`stopped: ${reason}`);
    process.exit(0);
  };
  let lonely: NodeJS.Timeout | undefined;
  const onCaller = (present: boolean): void => {
    clearTimeout(lonely);
    // The state is kept, so nothing is lost by ending; the next start of the replica starts it again.
    if (!present && lingerMs > 0) lonely = setTimeout(() => stop('nobody called'), lingerMs);
  };
  const { program, answerLater } = component;
  await serveProgram(FOLDER_FILES.socket, {
    program: { handle: (request) => (ends ? ENDING : program.handle(request)) },
    ...(answerLater === undefined ? {} : { answerLater }),
    token,
    welcome: { durability: DURABILITIES.indexOf(durability), hardening, pid },
    flush: () => component.flush(),
    onStop: () => stop('asked by the caller'),
    onFatal: fail,
    onCaller,
  });
  socketIs = watchSocket(FOLDER_FILES.socket);
  onCaller(false);
  writeFileSync(FOLDER_FILES.pid, `${pid}\n`, { mode: 0o600 });
  process.on('SIGTERM', () => stop('SIGTERM'));
  // A terminal's Ctrl-C is meant for the replica, not for this process.
  process.on('SIGINT', () => undefined);
  process.on('SIGHUP', () => undefined);
  setInterval(() => {
    if (!existsSync(FOLDER_FILES.access)) process.exit(0);
    const state = ends ? 'own' : socketIs();
    // Another one serves: what lies in the folder is no longer this process's to change.
    if (state === 'other') fail(new CarrierRefusal('the socket in the folder is of another process'));
    if (state === 'gone') stop('its socket was deleted');
  }, FOLDER_CHECK_MS);
  // Only now: loading the library of a token and reaching a TPM is part of the start.
  if (hardening === 'bubblewrap') sealProcess({ connects });
  say(`serving ${found.program}, pid ${pid}, durability ${durability}, hardening ${hardening}`);
  process.stdout.write('ready\n');
}

/** Runs a carrier by the arguments of this process: `--create --program P --argument A --folder F`, or `--folder F`. */
export async function runCarrier(carrier: Carrier): Promise<void> {
  process.umask(0o077);
  const { values } = parseArgs({
    options: {
      folder: { type: 'string' },
      create: { type: 'boolean', default: false },
      program: { type: 'string', default: FIRST_PROGRAM },
      argument: { type: 'string', default: '' },
      durability: { type: 'string', default: 'fsync' },
      hardening: { type: 'string', default: 'none' },
      connects: { type: 'boolean', default: false },
      'linger-ms': { type: 'string', default: String(LINGER_MS) },
    },
  });
  try {
    const { folder } = values;
    const lingerMs = Number(values['linger-ms']);
    const hardening = HARDENINGS.find((known) => known === values.hardening);
    if (hardening === undefined) throw new CarrierRefusal('--hardening says what this process runs in');
    if (folder === undefined) throw new CarrierRefusal('--folder is missing');
    if (!Number.isSafeInteger(lingerMs) || lingerMs < 0 || lingerMs > 2 ** 31 - 1)
      throw new CarrierRefusal('--linger-ms is a number of milliseconds, 0 for ever');
    if (values.create) await create(carrier, folder, values.program, values.argument);
    else {
      const { connects } = values;
      const durability = DURABILITIES.find((known) => known === values.durability);
      if (durability === undefined) throw new CarrierRefusal('--durability is fsync, os or memory');
      await serve(carrier, { folder, durability, lingerMs, hardening, connects });
    }
  } catch (error) {
    const text = explain(error);
    process.stdout.write(`refused: ${text}\n`);
    say(`refused: ${text}`);
    process.exitCode = 1;
    // Sockets and timers of a half-made start must not keep the process.
    setTimeout(() => process.exit(1), 50).unref();
  }
}
