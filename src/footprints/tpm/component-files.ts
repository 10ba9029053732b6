/** What lies in the folder of a component of the footprint `tpm` besides the sealed state. */
import { readFileSync } from 'node:fs';
import { hexToBytes } from '../../core/bytes.ts';
import { swtpmPlace } from './swtpm.ts';
import { TPM_DEVICE } from './transport.ts';
import type { NvAccess, TpmBlob } from './driver.ts';

/** Files of the folder. */
export const TPM_FILES = {
  /** How the TPM is reached and what of it belongs to the component; holds passwords, mode 0600. */
  settings: 'tpm.json',
  /** What the last orderly stop sealed. */
  sealed: 'sealed',
  /** Word of an operator that the attestation key is of a genuine TPM; put there by the operator, may be absent. */
  certificate: 'ak-certificate.json',
} as const;

/** Argument that stands for a software TPM in the component's own folder. */
export const PRIVATE_SWTPM = 'swtpm';

/** Content of the settings. */
export interface TpmSettings {
  /** Argument of the footprint; empty: the kernel's device. */
  readonly place: string;
  readonly nv: NvAccess;
  /** Attestation key, and its password. */
  readonly key: TpmBlob & { readonly password: Uint8Array };
}

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** Text of the settings file. */
export function encodeSettings({ place, nv, key }: TpmSettings): string {
  const content = {
    place,
    index: nv.index,
    indexPassword: hexOf(nv.password),
    keyPublic: hexOf(key.publicArea),
    keyPrivate: hexOf(key.privateArea),
    keyPassword: hexOf(key.password),
  };
  return `${JSON.stringify(content, null, 2)}\n`;
}

/** Reads the settings of the current folder; throws a sentence for the operator. */
export function readSettings(): TpmSettings {
  const damaged = new Error(`${TPM_FILES.settings} of the trusted component is missing or damaged`);
  let content: Readonly<Record<string, unknown>>;
  try {
    content = JSON.parse(readFileSync(TPM_FILES.settings, 'utf8')) as typeof content;
  } catch {
    throw damaged;
  }
  const bytes = (name: string): Uint8Array => {
    const value = content[name];
    const found = typeof value === 'string' ? hexToBytes(value) : undefined;
    if (found === undefined) throw damaged;
    return found;
  };
  const { place, index } = content;
  if (typeof place !== 'string' || !Number.isSafeInteger(index)) throw damaged;
  return {
    place,
    nv: { index: index as number, password: bytes('indexPassword') },
    key: {
      publicArea: bytes('keyPublic'),
      privateArea: bytes('keyPrivate'),
      password: bytes('keyPassword'),
    },
  };
}

/** Where `openTransport` finds the TPM of a footprint argument, for a component in `folder`. */
export function placeOf(argument: string, folder: string): string {
  if (argument === '') return TPM_DEVICE;
  return argument === PRIVATE_SWTPM ? swtpmPlace(folder) : argument;
}
