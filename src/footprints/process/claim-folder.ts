/** Claims the folder of a trusted process (the current one) for this process, as long as it lives. */
import { FOLDER_FILES } from './channel.ts';
import { canLockFiles, takeFileLock } from './file-lock.ts';
import { takeLock } from './lock.ts';

const PATIENCE_MS = 2_000;

/**
 * False if another process serves the folder, in whichever namespaces it lives. The second lock is the one of processes
 * whose runtime cannot lock files.
 */
export async function claimFolder(token: Uint8Array): Promise<boolean> {
  if (canLockFiles() && !(await takeFileLock(FOLDER_FILES.lock, PATIENCE_MS))) return false;
  return takeLock('.', token, PATIENCE_MS);
}
