/** Puts the seal on the running process: from here on it cannot load a program or make a socket (seal-library.ts). */
import { spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { sealLibrary } from './seal-library.ts';

/** In a sandbox, the one place besides the component's folder that can be written to; nobody else sees it. */
const LIBRARY = '/moiety/private/seal.node';

/** Seals this process, all of its threads, for ever. Throws if it is not sealed afterwards. */
export function sealProcess(): void {
  writeFileSync(LIBRARY, sealLibrary(), { mode: 0o700 });
  try {
    process.dlopen({ exports: {} }, LIBRARY);
  } catch {
    // The library is no module of Node, which is said after it was loaded and has done its work.
  }
  rmSync(LIBRARY);
  // A try that must fail, and for this reason.
  const { error } = spawnSync(process.execPath, [], { stdio: 'ignore' });
  if ((error as NodeJS.ErrnoException | undefined)?.code !== 'EPERM')
    throw new Error('the trusted process could not be sealed');
}
