/**
 * One process per folder. Linux: a socket in the abstract namespace, whose name follows from the folder's access token
 * and place on disk; the kernel gives it to one process and takes it back when that one ends, however it ends.
 * Elsewhere: a lock file with the process id, taken over when that process is gone.
 */
import { createHash } from 'node:crypto';
import { closeSync, openSync, readFileSync, statSync, unlinkSync, writeSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';

const RETRY_MS = 20;

function lockName(folder: string, token: Uint8Array): string {
  const { dev, ino } = statSync(folder, { bigint: true });
  const digest = createHash('sha256').update(token).update(`${dev}:${ino}`).digest('hex');
  return `\0moiety-tc-${digest.slice(0, 40)}`;
}

function bindName(name: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(false);
      else reject(error);
    });
    // Held as long as the process lives; it must not keep it alive.
    server.listen(name, () => resolve(true)).unref();
  });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function takeFile(path: string): boolean {
  try {
    const file = openSync(path, 'wx', 0o600);
    writeSync(file, `${process.pid}\n`);
    closeSync(file);
    process.once('exit', () => unlinkSync(path));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const holder = Number.parseInt(readFileSync(path, 'utf8'), 10);
  if (!Number.isInteger(holder) || !isAlive(holder)) unlinkSync(path);
  return false;
}

/** Takes the lock of a folder; false if another process still has it after `patienceMs`. */
export async function takeLock(folder: string, token: Uint8Array, patienceMs: number): Promise<boolean> {
  const deadline = Date.now() + patienceMs;
  const name = lockName(folder, token);
  for (;;) {
    const taken = process.platform === 'linux' ? await bindName(name) : takeFile(join(folder, 'lock'));
    if (taken) return true;
    if (Date.now() >= deadline) return false;
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}
