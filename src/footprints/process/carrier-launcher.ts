/** Makes components of carriers other than that of the footprint `process` (`carrier.ts`). */
import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { hexToBytes } from '../../core/bytes.ts';
import type { TrustedRegistration } from '../../core/config.ts';
import { registrationOf } from '../../trusted/client.ts';
import { decodeTrustedResponse } from '../../trusted/frames.ts';
import type { FootprintOptions } from '../contract.ts';
import { TrustedProcessError } from './connect.ts';

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
  carrier: string,
  footprint: string,
  { folder, program, argument }: FootprintOptions,
): Promise<TrustedRegistration> {
  const what = ['--create', '--program', program, `--argument=${argument}`, '--folder', resolve(folder)];
  const options = { env: {}, timeout: CREATE_TIMEOUT_MS, killSignal: 'SIGKILL', encoding: 'latin1' } as const;
  return new Promise((done, fail) => {
    const args = ['--disable-warning=ExperimentalWarning', carrier, ...what];
    execFile(process.execPath, args, options, (error, stdout) => {
      const line = stdout.split('\n')[0] ?? '';
      const bytes = hexToBytes(line);
      const answer = bytes === undefined ? undefined : decodeTrustedResponse(bytes);
      if (answer?.op === 'identify') done(registrationOf(answer.identity, footprint));
      else fail(new TrustedProcessError(line === '' ? `it does not start: ${error?.message}` : line));
    });
  });
}
