/**
 * Footprint (d): a trusted program as the only process of a virtual machine. Its key is made in there and exists
 * nowhere else; a machine has no disk, so each start is a new component with a new key, which its replica has to
 * register again by RECOVER (decision A3). The machine outlives its replica.
 */
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TrustedRegistration } from '../../core/config.ts';
import { registrationOf } from '../../trusted/client.ts';
import type { TrustedIdentity } from '../../trusted/contract.ts';
import { decodeTrustedResponse, encodeTrustedRequest } from '../../trusted/frames.ts';
import type { Footprint, FootprintOptions, TrustedConnection } from '../contract.ts';
import { FOLDER_FILES, TOKEN_BYTES } from '../process/channel.ts';
import { missingForImages, programImage } from './image.ts';
import { connectMachine, MachineError } from './link.ts';
import { startMachine, stopMachine } from './machine.ts';
import type { Accelerator } from './machine.ts';

/** Name of this footprint in registrations. */
export const VM_FOOTPRINT = 'vm';
/** An emulated machine on a busy host takes its time to boot. */
const BOOT_TIMEOUT_MS = 60_000;
/** One that has booted answers at once, unless somebody else is connected. */
const ANSWER_TIMEOUT_MS = 5_000;
const RETRY_MS = 50;

/** How long the machine of a folder may take to welcome a caller, given how long it has been running. */
function patienceMs(folder: string): number {
  const startedMs =
    statSync(join(folder, FOLDER_FILES.pid), { throwIfNoEntry: false })?.mtimeMs ?? Date.now();
  return Math.max(ANSWER_TIMEOUT_MS, BOOT_TIMEOUT_MS - (Date.now() - startedMs));
}

/** `vm` or `vm:tcg` emulates; `vm:kvm` uses KVM where it works and emulates elsewhere. */
export function acceleratorOf(argument: string): Accelerator {
  if (argument === '' || argument === 'tcg') return 'tcg';
  if (argument === 'kvm') return 'kvm';
  throw new MachineError(`a virtual machine is run by "tcg" or "kvm", not by "${argument}"`);
}

/** Makes the folder of a component, which must not exist or be empty. */
export function makeComponentFolder(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  chmodSync(folder, 0o700);
  if (readdirSync(folder).length > 0)
    throw new MachineError(`${folder} is not empty; a trusted component is never overwritten`);
}

/** Asks who is at the other end. */
export function identityOf(connection: TrustedConnection): Promise<TrustedIdentity> {
  return new Promise((done, fail) => {
    connection.send(encodeTrustedRequest({ op: 'identify' }), (bytes) => {
      const response = bytes === undefined ? undefined : decodeTrustedResponse(bytes);
      if (response?.op === 'identify') done(response.identity);
      else fail(new MachineError('the trusted virtual machine does not say who it is', true));
    });
  });
}

/**
 * Connects to the machine in `folder`; `start` makes one if there is none, and another one if it ended meanwhile.
 */
export async function connectOrStart(
  folder: string,
  tokenFolder: string,
  start: () => Promise<void>,
): Promise<TrustedConnection> {
  const deadline = Date.now() + BOOT_TIMEOUT_MS;
  for (;;) {
    try {
      const connection = await connectMachine(folder, tokenFolder, patienceMs(folder));
      if (connection !== undefined) return connection;
      await start();
    } catch (error) {
      if (!(error instanceof MachineError) || !error.vanished || Date.now() > deadline) throw error;
    }
    await new Promise((done) => setTimeout(done, RETRY_MS));
  }
}

/** Connects to the component of a folder; starts a machine, which is a new component, if none runs. */
export function openVm(
  { folder, program, argument }: FootprintOptions,
  lingerSeconds?: number,
): Promise<TrustedConnection> {
  const accelerator = acceleratorOf(argument);
  return connectOrStart(folder, folder, async () => {
    const image = await programImage(program);
    const linger = lingerSeconds === undefined ? {} : { lingerSeconds };
    await startMachine({ folder, image, accelerator, ...linger });
  });
}

/** Makes a new component; its machine runs from now on, as its key exists nowhere else. */
export async function createVm(
  options: FootprintOptions,
  lingerSeconds?: number,
): Promise<TrustedRegistration> {
  const { folder, program } = options;
  acceleratorOf(options.argument);
  const image = await programImage(program);
  makeComponentFolder(folder);
  writeFileSync(join(folder, FOLDER_FILES.access), randomBytes(TOKEN_BYTES), { mode: 0o600, flag: 'wx' });
  try {
    const connection = await openVm(options, lingerSeconds);
    const identity = await identityOf(connection);
    connection.close();
    if (identity.program !== program || identity.measurement !== image.program)
      throw new MachineError('the virtual machine carries another program than its image');
    return registrationOf(identity, VM_FOOTPRINT);
  } catch (error) {
    await stopMachine(folder);
    for (const name of readdirSync(folder)) rmSync(join(folder, name));
    throw error;
  }
}

/** See the top of this file. */
export const vmFootprint: Footprint = {
  name: VM_FOOTPRINT,
  scenario: 'd',
  summary: 'only process of a virtual machine without disk and network, under QEMU',
  persistent: false,
  missing: missingForImages,
  create: (options) => createVm(options),
  open: (options) => openVm(options),
  stop: stopMachine,
};
