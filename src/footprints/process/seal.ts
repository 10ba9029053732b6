/** What a process in a sandbox does for itself: learns its process id, and puts the seal on (seal-library.ts). */
import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { HardeningState } from './channel.ts';
import { sealLibrary } from './seal-library.ts';
import type { FilterNeeds } from './system-calls.ts';

/** In a sandbox, the one place besides the component's folder that can be written to; nobody else sees it. */
const LIBRARY = '/moiety/private/seal.node';

/** The own process id as it is seen from outside; in a namespace of its own it is told by whoever started it. */
export function outerPid(hardening: HardeningState): number {
  if (hardening === 'none') return process.pid;
  const pid = Number.parseInt(readFileSync(0, 'latin1'), 10);
  if (!Number.isSafeInteger(pid) || pid <= 1) throw new Error('it was not told its process id');
  return pid;
}

/**
 * Seals this process, all of its threads, for ever: it cannot load a program or make a socket (but those of `needs`).
 * Throws if it is not sealed afterwards.
 */
export function sealProcess(needs: FilterNeeds = {}): void {
  writeFileSync(LIBRARY, sealLibrary(needs), { mode: 0o700 });
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
