/**
 * Components that die with the process they run in (footprints `wasm` and `worker`, Ed25519 suite): the key of genesis
 * lies in the folder until its first use, then it is destroyed; each later start is a new component with a key and a
 * tcEpoch never used before (decision A3), which exist in memory only.
 */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { hexToBytes } from '../../core/bytes.ts';
import type { ProgramEnvironment, TrustedProgram } from '../../trusted/contract.ts';
import { decodeTrustedRequest, encodeTrustedResponse } from '../../trusted/frames.ts';
import { startModule } from '../../trusted/module.ts';
import { programKeyOf, programServices } from '../process/environment.ts';
import { loadModule } from '../process/program-file.ts';
import type { MeasuredModule } from '../process/program-file.ts';

/** Holds which module the component is of; mode 0600. */
const COMPONENT_FILE = 'volatile.json';
/** Holds tcEpoch and seed of genesis, hexadecimal; gone after the first use. */
const KEY_FILE = 'key';
const KEY_BYTES = 8 + 32;
const MODULES = new URL('../../../trusted/', import.meta.url);

function sync(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Makes a component in a folder that does not exist or is empty. Throws an Error whose message is for the operator. */
export function createVolatileFolder(folder: string, program: string): void {
  const { measurement } = loadModule(MODULES, program);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (existsSync(join(folder, COMPONENT_FILE)))
    throw new Error(`${folder} is not empty; a trusted component is never overwritten`);
  const files = {
    [KEY_FILE]: `${randomBytes(KEY_BYTES).toString('hex')}\n`,
    [COMPONENT_FILE]: `${JSON.stringify({ program, measurement })}\n`,
  };
  for (const [name, content] of Object.entries(files)) {
    writeFileSync(join(folder, name), content, { flag: 'wx', mode: 0o600 });
    sync(join(folder, name));
  }
  sync(folder);
}

function moduleOf(folder: string): MeasuredModule {
  const path = join(folder, COMPONENT_FILE);
  let expected: { readonly program?: unknown; readonly measurement?: unknown };
  try {
    expected = JSON.parse(readFileSync(path, 'utf8')) as typeof expected;
  } catch (error) {
    throw new Error(`${path} cannot be read: ${(error as Error).message}`);
  }
  return loadModule(MODULES, String(expected.program), String(expected.measurement));
}

/** The key of genesis; undefined once it was used. */
function genesisKeyOf(folder: string): Buffer | undefined {
  const path = join(folder, KEY_FILE);
  if (!existsSync(path)) return undefined;
  const bytes = hexToBytes(readFileSync(path, 'utf8').trim());
  if (bytes?.length !== KEY_BYTES) throw new Error(`${path} is damaged: make a new component`);
  return Buffer.from(bytes);
}

/** Removes the key of genesis, durable when this returns: a counter never begins twice under one tcEpoch. */
function spendKey(folder: string): void {
  // Fails if it is gone: another process, which opened this folder too, has begun under the same tcEpoch.
  rmSync(join(folder, KEY_FILE));
  sync(folder);
}

/** Requests that change nothing, so that the key of genesis stays unused. */
const HARMLESS: ReadonlySet<string | undefined> = new Set([
  undefined,
  'identify',
  'attest',
  'verify',
  'recent',
  'replay',
]);

function keyOf(bytes: Buffer): ReturnType<typeof programKeyOf> {
  return programKeyOf({ tcEpoch: bytes.subarray(0, 8), seed: bytes.subarray(8) });
}

/**
 * Starts the component of a folder in this thread: with the key of genesis as long as it is unused, with a fresh one
 * ever after. Throws an Error whose message is for the operator.
 */
export function startVolatile(folder: string): Pick<TrustedProgram, 'handle'> {
  const { module, measurement } = moduleOf(folder);
  const genesis = genesisKeyOf(folder);
  let isUnused = genesis !== undefined;
  const environment: ProgramEnvironment = {
    ...programServices,
    measurement,
    persistent: false,
    keepsRecords: false,
    key: keyOf(genesis ?? randomBytes(KEY_BYTES)),
    records: [],
    persist: () => true,
    replaceKey: () => keyOf(randomBytes(KEY_BYTES)),
  };
  const program = startModule(module, environment);
  const handle = (request: Uint8Array): Uint8Array => {
    if (isUnused && !HARMLESS.has(decodeTrustedRequest(request)?.op)) {
      try {
        spendKey(folder);
      } catch (error) {
        const message = `the first use cannot be marked: ${(error as Error).message}`;
        return encodeTrustedResponse({ op: 'error', code: 'STORAGE', message });
      }
      isUnused = false;
    }
    return program.handle(request);
  };
  return { handle };
}
