/** What the sandbox of a component lets in so that it reaches its TPM: one device file, or one Unix socket. */
import { statSync } from 'node:fs';
import type { Unconfined } from '../process/launcher.ts';
import type { SandboxAccess } from '../process/sandbox.ts';
import { placeOf } from './component-files.ts';

/**
 * For a component in `folder` whose argument is `argument`. A device is a file and widens no filter. A socket must be
 * connected to after the seal, too: a software TPM serves one connection at a time, so that one that was kept would shut
 * out every other component and tool.
 */
export function tpmAccess(argument: string, folder: string): SandboxAccess | Unconfined {
  if (argument.startsWith('tcp:'))
    return { why: 'its TPM is reached over TCP, and a sandbox has no network' };
  const path = placeOf(argument, folder);
  const kind = statSync(path, { throwIfNoEntry: false });
  if (kind?.isCharacterDevice() === true) return { devices: [path] };
  // What is not there, or is neither, the process itself refuses by a sentence.
  return kind?.isSocket() === true ? { readable: [path], connects: true } : {};
}
