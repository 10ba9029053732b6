/** What the sandbox of a component lets in so that it uses its token: the token's library, the binding, the PIN. */
import { existsSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { neededLibraries } from '../process/libraries.ts';
import type { Unconfined } from '../process/launcher.ts';
import type { SandboxAccess } from '../process/sandbox.ts';
import { BINDING, softhsmPath } from './token.ts';
import type { TokenPlace } from './token.ts';

/** Files of the binding that are used when it runs. */
const COMPILED = 'build/Release/pkcs11.node';
const BINDING_FILES = ['package.json', 'index.js', COMPILED];
/** Where the loader finds libraries of other folders than its own; a vendor's may lie there. */
const LOADER_CACHE = '/etc/ld.so.cache';
/** SoftHSM2 of the machine: its configuration names the folder of its tokens. */
const SOFTHSM_CONFIGURATION = '/etc/softhsm/softhsm2.conf';
const TOKEN_FOLDER = /^\s*directories\.tokendir\s*=\s*(\/.*?)\s*$/m;

function isSofthsm(module: string): boolean {
  return existsSync(module) && basename(realpathSync(module)).startsWith('libsofthsm2.so');
}

/** SoftHSM2 with the tokens of the machine; those of a component are in its own folder. */
function softhsmFiles(): Pick<SandboxAccess, 'readable' | 'writable'> {
  try {
    const tokens = TOKEN_FOLDER.exec(readFileSync(SOFTHSM_CONFIGURATION, 'utf8'))?.[1];
    return { readable: [SOFTHSM_CONFIGURATION], writable: tokens === undefined ? [] : [tokens] };
  } catch {
    // Not there or not for this user: SoftHSM2 says so when it is loaded.
    return {};
  }
}

/** Where the binding is installed for a carrier; undefined if it is not. */
function bindingFolder(carrier: string): string | undefined {
  try {
    return dirname(createRequire(carrier).resolve(BINDING));
  } catch {
    return undefined;
  }
}

function isDevice(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isCharacterDevice() === true;
}

/** For a token at `place`; undefined: a SoftHSM2 token in the component's own folder. */
export function tokenAccess(carrier: string, place: TokenPlace | undefined): SandboxAccess | Unconfined {
  if (place?.unconfined === true) return { why: 'its token was named with x-sandbox=none' };
  const isOwn = place === undefined || place.module === '';
  const module = isOwn ? softhsmPath() : place.module;
  const folder = bindingFolder(carrier);
  // What is missing the process itself refuses by a sentence.
  if (module === undefined || folder === undefined) return {};
  const libraries = [module, join(folder, COMPILED)].flatMap(neededLibraries);
  const packages = [{ name: BINDING, folder, files: BINDING_FILES }];
  if (isOwn) return { readable: [...new Set([module, ...libraries])], packages };
  const soft = isSofthsm(module) ? softhsmFiles() : {};
  const { reads = [], writes = [] } = place;
  return {
    readable: [
      ...new Set([module, ...libraries]),
      ...[LOADER_CACHE, place.pinFile],
      ...(soft.readable ?? []),
      ...reads,
    ],
    writable: [...(soft.writable ?? []), ...writes.filter((path) => !isDevice(path))],
    devices: writes.filter(isDevice),
    packages,
  };
}
