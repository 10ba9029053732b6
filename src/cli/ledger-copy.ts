/** Reads the blocks of a replica's store without changing anything: for audits and for salvage. */
import { existsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { systemDisk } from '../node/disk.ts';
import type { Disk, DiskFile } from '../node/disk.ts';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { openBlockStore } from '../node/block-store.ts';
import type { BlockStore } from '../node/block-store.ts';
import type { AuditEntry } from '../ledger/audit.ts';
import { CommandFailure, messageOf } from './failure.ts';

/** A file that is only read. What the store would cut is only passed over. */
class ReadOnlyFile implements DiskFile {
  readonly #descriptor: number | undefined;
  #length: number;

  constructor(path: string) {
    this.#descriptor = existsSync(path) ? openSync(path, 'r') : undefined;
    this.#length = this.#descriptor === undefined ? 0 : fstatSync(this.#descriptor).size;
  }

  write(): Promise<void> {
    return Promise.reject(new Error('the copy is only read'));
  }

  readNow(position: number, length: number): Uint8Array {
    const wanted = Math.max(0, Math.min(length, this.#length - position));
    const bytes = new Uint8Array(wanted);
    const read = this.#descriptor === undefined ? 0 : readSync(this.#descriptor, bytes, 0, wanted, position);
    return bytes.subarray(0, read);
  }

  sync(): Promise<void> {
    return Promise.resolve();
  }

  truncate(length: number): Promise<void> {
    this.#length = Math.min(this.#length, length);
    return Promise.resolve();
  }

  size(): number {
    return this.#length;
  }

  close(): Promise<void> {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    return Promise.resolve();
  }
}

const refuse = (): Promise<never> => Promise.reject(new Error('the copy is only read'));

const readOnlyDisk: Disk = {
  makeFolder: () => undefined,
  list: (folder) => systemDisk.list(folder),
  read: (file) => systemDisk.read(file),
  open: (file) => Promise.resolve(new ReadOnlyFile(file)),
  rename: refuse,
  remove: refuse,
  syncFolder: () => Promise.resolve(),
};

/** The folder of blocks that a path means: itself, or inside a store, or inside a replica's folder. */
function blocksFolder(path: string): string {
  const candidates = [join(path, 'store', 'blocks'), join(path, 'blocks'), path];
  const found = candidates.find((candidate) => existsSync(join(candidate, 'header-signatures.dat')));
  if (found !== undefined) return found;
  throw new CommandFailure(
    `${path} holds no ledger: name the folder of a replica (for example .moiety/replica-0), its store, or a backup.`,
  );
}

/** The trust file that lies nearest above a folder; undefined if there is none. */
export function trustFileNear(path: string): string | undefined {
  let folder = path;
  for (let step = 0; step < 4; step += 1) {
    const candidate = join(folder, 'trust.json');
    if (statSync(candidate, { throwIfNoEntry: false })?.isFile() === true) return candidate;
    folder = dirname(folder);
  }
  return undefined;
}

/** A ledger copy that is open. */
export interface LedgerCopy {
  readonly path: string;
  readonly height: number;
  /** Bytes and signatures of a block; undefined if its bytes are damaged. */
  entry(height: number): AuditEntry | undefined;
  close(): Promise<void>;
}

/** Opens a copy. Throws a CommandFailure if it is none or damaged beyond reading. `replicas`: as in the trust file. */
export async function openLedgerCopy(path: string, replicas: number): Promise<LedgerCopy> {
  const folder = blocksFolder(path);
  let store: BlockStore;
  try {
    store = await openBlockStore({
      disk: readOnlyDisk,
      folder,
      replicas,
      durable: false,
      onFatal: () => undefined,
    });
  } catch (error) {
    throw new CommandFailure(`The ledger in ${folder} cannot be read: ${messageOf(error)}`);
  }
  return {
    path,
    height: store.height,
    entry: (height) => {
      const bytes = store.read(height);
      return bytes === undefined ? undefined : { bytes, signatures: store.signatures(height) };
    },
    close: () => store.close(),
  };
}
