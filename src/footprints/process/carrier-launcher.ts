/** Makes components of carriers other than that of the footprint `process` (`carrier.ts`). */
import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { TrustedRegistration } from '../../core/config.ts';
import type { FootprintOptions } from '../contract.ts';
import { TrustedProcessError } from './connect.ts';
import { createInProcess } from './launcher.ts';
import type { AccessOf } from './launcher.ts';

const CREATE_TIMEOUT_MS = 120_000;

/** Path of a built carrier, for example `tpm-process.mjs`. */
export function carrierPathOf(file: string): string {
  return fileURLToPath(new URL(`../../../trusted/${file}`, import.meta.url));
}

/** Refuses a folder that holds something already. */
export function assertEmptyFolder(folder: string): void {
  if (existsSync(folder) && readdirSync(folder).length > 0)
    throw new TrustedProcessError(`${folder} is not empty; a trusted component is never overwritten`);
}

/** Has a carrier make a component. Rejects with TrustedProcessError, whose message is the carrier's own. */
export function createByCarrier(
  carrierPath: string,
  footprint: string,
  { folder, program, argument, hardening }: FootprintOptions,
  access: AccessOf,
): Promise<TrustedRegistration> {
  return createInProcess({
    folder,
    program,
    footprint,
    carrierPath,
    arguments: [`--argument=${argument}`],
    hardening,
    access,
    timeoutMs: CREATE_TIMEOUT_MS,
  });
}
