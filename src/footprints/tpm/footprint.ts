/**
 * Footprint (f), security hardware: a trusted process whose state a TPM 2.0 opens only to the start that follows the
 * last orderly stop (`anchor.ts`). The argument is a TPM device, the Unix socket of a swtpm, `tcp:HOST:PORT`, or `swtpm`
 * for a private software TPM in the component's own folder; empty: /dev/tpmrm0.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { TrustedRegistration } from '../../core/config.ts';
import type { Footprint, FootprintOptions, MissingRequirement } from '../contract.ts';
import { assertEmptyFolder, carrierPathOf, createByCarrier } from '../process/carrier-launcher.ts';
import { openTrustedProcess, stopTrustedProcess } from '../process/launcher.ts';
import { tpmAccess } from './access.ts';
import { PRIVATE_SWTPM, TPM_FILES } from './component-files.ts';
import { isSwtpmInstalled, startSwtpm, stopSwtpm } from './swtpm.ts';
import { TPM_DEVICE, TpmUnreachable } from './transport.ts';

const CARRIER = 'tpm-process.mjs';

/** What this machine lacks for a TPM footprint: a device, or at least a software TPM. */
function missingForTpm(): Promise<readonly MissingRequirement[]> {
  if (existsSync(TPM_DEVICE) || isSwtpmInstalled()) return Promise.resolve([]);
  const what = `a TPM 2.0 (${TPM_DEVICE}), or swtpm for development`;
  return Promise.resolve([{ what, debianPackage: 'swtpm' }]);
}

/** The argument as it is kept: paths hold wherever a process is started from. */
async function settleArgument({ argument, folder }: FootprintOptions): Promise<string> {
  if (argument === '' && !existsSync(TPM_DEVICE))
    throw new TpmUnreachable(
      `there is no TPM at ${TPM_DEVICE}; name another one, or for development a software TPM: tpm:${PRIVATE_SWTPM}`,
    );
  if (argument === PRIVATE_SWTPM) await startSwtpm(folder);
  return argument === '' || argument === PRIVATE_SWTPM || argument.startsWith('tcp:')
    ? argument
    : resolve(argument);
}

async function create(options: FootprintOptions): Promise<TrustedRegistration> {
  assertEmptyFolder(options.folder);
  const argument = await settleArgument(options);
  try {
    const access = (): ReturnType<typeof tpmAccess> => tpmAccess(argument, options.folder);
    return await createByCarrier(carrierPathOf(CARRIER), tpmFootprint.name, { ...options, argument }, access);
  } catch (error) {
    await stopSwtpm(options.folder);
    throw error;
  }
}

/** Argument of a component's folder; its software TPM is started if it has one. */
async function readyTpm(folder: string): Promise<string> {
  const path = join(folder, TPM_FILES.settings);
  if (!existsSync(path)) throw new TpmUnreachable(`there is no component of the footprint tpm in ${folder}`);
  const settings = JSON.parse(readFileSync(path, 'utf8')) as { readonly place?: unknown };
  if (settings.place === PRIVATE_SWTPM) await startSwtpm(folder);
  return typeof settings.place === 'string' ? settings.place : '';
}

/** See the top of this file. */
export const tpmFootprint: Footprint = {
  name: 'tpm',
  scenario: 'f',
  summary: 'own process whose key a TPM 2.0 keeps between two runs; a crash makes it a new component',
  persistent: true,
  missing: missingForTpm,
  create,
  open: async ({ folder, hardening = 'auto' }) => {
    const argument = await readyTpm(folder);
    const access = (): ReturnType<typeof tpmAccess> => tpmAccess(argument, folder);
    return openTrustedProcess({ folder, carrierPath: carrierPathOf(CARRIER), hardening, access });
  },
  stop: async (folder) => {
    const ran = await stopTrustedProcess(folder);
    await stopSwtpm(folder);
    return ran;
  },
};

/** Puts an operator's certificate of the attestation key beside it (docs/trusted/hardware.md). */
export function storeKeyCertificate(folder: string, root: string, signature: Uint8Array): void {
  const content = { root, signature: Buffer.from(signature).toString('hex') };
  writeFileSync(join(folder, TPM_FILES.certificate), `${JSON.stringify(content)}\n`, { mode: 0o600 });
}
