/**
 * Footprint (e): the replica's side lives in a virtual machine, the trusted program outside of it, beside the monitor:
 * a process as in footprint (c), to which the machine's first virtio port is connected and nothing else is. What is in
 * the machine here is the replica's end of the channel (native/carrier/relay.c), through which every request passes:
 * replica -> machine -> monitor -> program. The program's state is durable; the machine has none.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { TrustedRegistration } from '../../core/config.ts';
import type { Footprint, FootprintOptions, MissingRequirement, TrustedConnection } from '../contract.ts';
import { FOLDER_FILES } from '../process/channel.ts';
import { processFootprint } from '../process/footprint.ts';
import { acceleratorOf, connectOrStart, makeComponentFolder } from '../vm/footprint.ts';
import { missingForImages, relayImage } from '../vm/image.ts';
import { startMachine, stopMachine } from '../vm/machine.ts';

/** Name of this footprint in registrations. */
export const VMM_FOOTPRINT = 'vmm';
/** Folder of the trusted process within the component's folder. */
const PROGRAM_FOLDER = 'program';
/** A machine without a caller ends after this time: nothing is lost with it. */
const LINGER_SECONDS = 600;

async function missing(): Promise<readonly MissingRequirement[]> {
  return [...(await processFootprint.missing()), ...(await missingForImages())];
}

async function create(options: FootprintOptions): Promise<TrustedRegistration> {
  const { folder, argument } = options;
  acceleratorOf(argument);
  await relayImage();
  makeComponentFolder(folder);
  const inner = join(folder, PROGRAM_FOLDER);
  try {
    mkdirSync(inner, { mode: 0o700 });
    const registration = await processFootprint.create({ ...options, folder: inner, argument: '' });
    return { ...registration, footprint: VMM_FOOTPRINT };
  } catch (error) {
    rmSync(inner, { recursive: true, force: true });
    throw error;
  }
}

/** Starts the program and the machine where they do not run; the machine is connected to the program by QEMU. */
async function open(options: FootprintOptions): Promise<TrustedConnection> {
  const { folder, argument } = options;
  const accelerator = acceleratorOf(argument);
  const inner = join(folder, PROGRAM_FOLDER);
  return connectOrStart(folder, inner, async () => {
    const image = await relayImage();
    // The program must be there before the machine; this caller leaves again, the machine takes its place.
    const program = await processFootprint.open({ ...options, folder: inner, argument: '' });
    program.close();
    const behind = join(PROGRAM_FOLDER, FOLDER_FILES.socket);
    await startMachine({ folder, image, accelerator, behind, lingerSeconds: LINGER_SECONDS });
  });
}

async function stop(folder: string): Promise<boolean> {
  const machine = await stopMachine(folder);
  const program = await processFootprint.stop(join(folder, PROGRAM_FOLDER));
  return machine || program;
}

/** See the top of this file. */
export const vmmFootprint: Footprint = {
  name: VMM_FOOTPRINT,
  scenario: 'e',
  summary: "beside the monitor of the replica's virtual machine, reached through a virtio port",
  persistent: true,
  missing,
  create,
  open,
  stop,
};
