/**
 * Where the guards of a group lie that runs on one machine: a folder for each, below `guards`, with its key, the group
 * and its socket. Guard 0 hosts the component. Paths are relative to `guards`, the working folder of every guard.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import type { GuardGroup } from '../../trusted/rote/contract.ts';

/** Folder of all guards in the folder of a component. */
export const GUARDS_FOLDER = 'guards';
/** Files of one guard. */
const GUARD_FILES = {
  key: 'key',
  group: 'group.json',
  socket: 'socket',
  component: 'component',
  state: 'state',
  previous: 'state.previous',
  pid: 'pid',
  log: 'log',
} as const;

/** A sentence for the operator. */
export class RoteError extends Error {
  override readonly name = 'RoteError';
}

/** What a guard is told when its group is founded. */
export interface GuardFile {
  readonly group: GuardGroup;
  /** Trusted program that it hosts; absent: none. */
  readonly program?: string;
  /** SHA-256 of that program's module when the group was founded: nothing else is ever run with its state. */
  readonly measurement?: string;
}

/** Unix socket paths are at most 107 bytes on Linux and 103 elsewhere. */
const SOCKET_PATH_BYTES_MAX = 100;

/** Path of a file of a guard, as it is seen from the folder of all guards. */
export function guardPath(id: number, file: keyof typeof GUARD_FILES): string {
  return join(String(id), GUARD_FILES[file]);
}

/** Path of a guard's socket for a process that runs elsewhere. Throws RoteError if it is too long. */
export function outerSocketPath(folder: string, id: number, file: 'socket' | 'component'): string {
  const absolute = resolve(folder, GUARDS_FOLDER, guardPath(id, file));
  const path = [absolute, relative(process.cwd(), absolute)].find(
    (one) => Buffer.byteLength(one) <= SOCKET_PATH_BYTES_MAX,
  );
  if (path === undefined)
    throw new RoteError(`the path ${absolute} is too long for a socket; use a shorter folder`);
  return path;
}

/** Reads what a guard was told. Throws RoteError. */
export function readGuardFile(path: string): GuardFile {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as GuardFile;
  } catch {
    throw new RoteError(`${path} is ${existsSync(path) ? 'damaged' : 'missing'}: found a new group`);
  }
}
