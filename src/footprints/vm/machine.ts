/**
 * Starts and ends virtual machines under QEMU. They are detached: the death of their replica does not end them. A
 * machine has no disk, no network, no display, no monitor; what it has are its virtio ports and a source of randomness.
 */
import { spawn } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  existsSync,
  openSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { FOLDER_FILES } from '../process/channel.ts';
import { KERNEL_WORDS } from './image.ts';
import type { MachineImage } from './image.ts';
import { MachineError } from './link.ts';

const QEMU = 'qemu-system-x86_64';
/** Written at each start: which image runs. */
const IMAGE_FILE = 'image.json';
const MEMORY_MB = 96;
const START_TIMEOUT_MS = 10_000;
const STOP_TIMEOUT_MS = 5_000;
const RETRY_MS = 20;
const LOG_BYTES_MAX = 256 * 1024;

/** Who executes the guest's instructions: QEMU itself, or the processor through KVM where there is KVM. */
export type Accelerator = 'tcg' | 'kvm';

/** How a machine is started. */
export interface MachineOptions {
  readonly folder: string;
  readonly image: MachineImage;
  readonly accelerator: Accelerator;
  /** Unix socket, relative to the folder, to which the first port is connected; the caller's port is then the second. */
  readonly behind?: string;
  /** The machine ends after this time without a caller; its state is lost. Default: never. */
  readonly lingerSeconds?: number;
}

/** QEMU's arguments; docs/trusted/virtual-machines.md explains each. */
export function machineArguments(options: MachineOptions): readonly string[] {
  const { image, accelerator, behind, lingerSeconds } = options;
  const linger = lingerSeconds === undefined ? '' : ` linger=${lingerSeconds}`;
  // QEMU takes the first of its accelerators that works.
  const accelerators = accelerator === 'kvm' ? ['-accel', 'kvm', '-accel', 'tcg'] : ['-accel', 'tcg'];
  const port = (id: string, socket: string): readonly string[] => [
    '-chardev',
    `socket,id=${id},${socket}`,
    '-device',
    `virtserialport,chardev=${id},name=moiety.${id}`,
  ];
  return [
    ...['-machine', 'pc', ...accelerators, '-m', String(MEMORY_MB), '-smp', '1'],
    ...['-no-user-config', '-nodefaults', '-display', 'none', '-monitor', 'none', '-no-reboot'],
    ...['-kernel', image.kernel, '-initrd', image.archive, '-append', `${KERNEL_WORDS}${linger}`],
    ...['-device', 'virtio-serial-pci'],
    ...(behind === undefined ? [] : port('trusted', `path=${behind},server=off,reconnect=1`)),
    ...port('caller', `path=${FOLDER_FILES.socket},server=on,wait=off`),
    ...['-object', 'rng-builtin,id=chance', '-device', 'virtio-rng-pci,rng=chance'],
    ...['-pidfile', FOLDER_FILES.pid],
    '-sandbox',
    'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny',
  ];
}

function openLog(folder: string): number {
  const path = join(folder, FOLDER_FILES.log);
  const long = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  return openSync(path, long > LOG_BYTES_MAX ? 'w' : 'a', 0o600);
}

function lastLine(folder: string): string {
  const text = readFileSync(join(folder, FOLDER_FILES.log), 'utf8').trim();
  return text.split('\n').at(-1)!;
}

const sleep = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

/**
 * Starts a machine in a folder where none runs; resolves when callers can connect (it boots meanwhile). Of two that are
 * started at once QEMU's lock on the pid file lets one live; then this resolves as well. Rejects with MachineError.
 */
export async function startMachine(options: MachineOptions): Promise<void> {
  const { folder, image } = options;
  const log = openLog(folder);
  const child = spawn(QEMU, machineArguments(options), {
    cwd: folder,
    detached: true,
    stdio: ['ignore', 'ignore', log],
    // Nothing of the caller's environment reaches QEMU but where its libraries and files are.
    env: { PATH: process.env['PATH'] ?? '' },
  });
  closeSync(log);
  let ended: string | undefined;
  child.once('error', (error) => (ended = error.message));
  child.once('exit', () => (ended ??= 'ended'));
  const deadline = Date.now() + START_TIMEOUT_MS;
  // The socket is made after the pid file was locked.
  while (machineProcess(folder) !== child.pid || !existsSync(join(folder, FOLDER_FILES.socket))) {
    if (ended !== undefined) {
      if (machineProcess(folder) !== undefined) return;
      const reason = ended === 'ended' ? lastLine(folder) : ended;
      throw new MachineError(`the virtual machine does not start: ${reason}`);
    }
    if (Date.now() > deadline) {
      child.kill('SIGKILL');
      throw new MachineError('the virtual machine did not start in time');
    }
    await sleep(RETRY_MS);
  }
  child.unref();
  chmodSync(join(folder, FOLDER_FILES.socket), 0o600);
  const { measurement, program } = image;
  writeFileSync(join(folder, IMAGE_FILE), `${JSON.stringify({ measurement, program })}\n`, { mode: 0o600 });
}

/** Id of the QEMU process of a folder; undefined if none runs, or if it cannot be told for certain. */
export function machineProcess(folder: string): number | undefined {
  try {
    const pid = Number.parseInt(readFileSync(join(folder, FOLDER_FILES.pid), 'utf8'), 10);
    if (!Number.isSafeInteger(pid) || pid <= 1) return undefined;
    const [program] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    const isOurs = program === QEMU && readlinkSync(`/proc/${pid}/cwd`) === realpathSync(folder);
    return isOurs ? pid : undefined;
  } catch {
    return undefined;
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has just ended.
  }
}

/** Ends the machine of a folder and waits until it is gone; false if none ran. */
export async function stopMachine(folder: string): Promise<boolean> {
  const pid = machineProcess(folder);
  if (pid === undefined) return false;
  const deadline = Date.now() + STOP_TIMEOUT_MS;
  signal(pid, 'SIGTERM');
  while (machineProcess(folder) === pid) {
    if (Date.now() > deadline) signal(pid, 'SIGKILL');
    await sleep(RETRY_MS);
  }
  rmSync(join(folder, FOLDER_FILES.socket), { force: true });
  return true;
}
