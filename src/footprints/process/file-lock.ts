/**
 * An exclusive lock of the kernel on a file, which holds between all namespaces and is taken back when its process
 * ends, however it ends. Node offers no such lock but the one of its SQLite (since 22.5), here on an empty database that
 * is never written.
 */
import type { DatabaseSync } from 'node:sqlite';

const RETRY_MS = 20;
/** SQLITE_BUSY. */
const BUSY = 5;

/** Held as long as the process lives: a lock that is collected is given back. */
const held: DatabaseSync[] = [];

function sqlite(): typeof import('node:sqlite') | undefined {
  return process.getBuiltinModule?.('node:sqlite');
}

/** Whether this runtime can lock files. */
export function canLockFiles(): boolean {
  return sqlite() !== undefined;
}

function tryLock(path: string): boolean {
  const { DatabaseSync } = sqlite()!;
  const file = new DatabaseSync(path);
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

/**
 * Locks a file, which is made if there is none; false if another process still has it after `patienceMs`. Only where
 * `canLockFiles`.
 */
export async function takeFileLock(path: string, patienceMs: number): Promise<boolean> {
  const deadline = Date.now() + patienceMs;
  for (;;) {
    if (tryLock(path)) return true;
    if (Date.now() >= deadline) return false;
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}
