/** Where kernels and images of virtual machines are kept, and how the tools that make them are called. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { accessSync, constants, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const execute = promisify(execFile);
const OUTPUT_BYTES_MAX = 1024 * 1024;

/** Folder of everything that is downloaded or built; may be deleted at any time when no machine is being started. */
export function cacheFolder(): string {
  return (
    process.env['MOIETY_VM_CACHE'] ?? fileURLToPath(new URL('../../../.cache/trusted-vm', import.meta.url))
  );
}

/** SHA-256, hexadecimal. */
export function sha256Of(...parts: readonly (Uint8Array | string)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) {
    // With lengths, so that no two lists of parts give the same bytes.
    const bytes = typeof part === 'string' ? Buffer.from(part) : part;
    const length = Buffer.alloc(8);
    length.writeUInt32BE(bytes.length, 4);
    hash.update(length).update(bytes);
  }
  return hash.digest('hex');
}

/** Whether a program is in the search path. */
export function hasProgram(name: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return folder !== '';
    } catch {
      return false;
    }
  });
}

/** Runs a tool; rejects with a sentence that has the last line of what it said. */
export async function runTool(name: string, args: readonly string[], cwd?: string): Promise<string> {
  try {
    const options = { maxBuffer: OUTPUT_BYTES_MAX, ...(cwd === undefined ? {} : { cwd }) };
    return (await execute(name, args, options)).stdout;
  } catch (error) {
    const { stderr, message } = error as Error & { readonly stderr?: string };
    const last = (stderr ?? '').trim().split('\n').at(-1);
    throw new Error(`${name} failed: ${last === undefined || last === '' ? message : last}`);
  }
}

function makeDraft(): string {
  try {
    mkdirSync(cacheFolder(), { recursive: true });
    return mkdtempSync(join(cacheFolder(), 'draft-'));
  } catch (error) {
    const { message } = error as Error;
    throw new Error(
      `images of virtual machines cannot be kept (${message}); set MOIETY_VM_CACHE to a folder`,
    );
  }
}

/**
 * The folder `name` of the cache, filled by `fill` if it is not there yet. It appears whole or not at all, also when
 * two processes make it at once.
 */
export async function cached(name: string, fill: (folder: string) => Promise<void>): Promise<string> {
  const target = join(cacheFolder(), name);
  if (existsSync(target)) return target;
  const draft = makeDraft();
  try {
    await fill(draft);
    renameSync(draft, target);
  } catch (error) {
    if (!existsSync(target)) throw error;
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
  return target;
}
