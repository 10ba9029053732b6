/**
 * One process per folder, whatever namespaces they live in: an exclusive lock of the kernel on a file in the folder,
 * taken back when its process ends, however it ends. Node offers no such lock but the one of its SQLite, on an empty
 * database that is never written.
 */
import { DatabaseSync } from 'node:sqlite';

const RETRY_MS = 20;
/** SQLITE_BUSY. */
const BUSY = 5;

/** Held as long as the process lives: a lock that is collected is given back. */
const held: DatabaseSync[] = [];

function tryLock(path: string): boolean {
  const file = new DatabaseSync(path, { allowExtension: false });
  try {
    file.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
  } catch (error) {
    file.close();
    if ((error as { readonly errcode?: number }).errcode === BUSY) return false;
    throw error;
  }
  held.push(file);
  return true;
}

/** Locks a file, which is made if there is none; false if another process still has it after `patienceMs`. */
export async function takeFileLock(path: string, patienceMs: number): Promise<boolean> {
  const deadline = Date.now() + patienceMs;
  for (;;) {
    if (tryLock(path)) return true;
    if (Date.now() >= deadline) return false;
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}
