/**
 * For tests: a disk in memory that forgets like a real one. What was written but not synced may be there after a
 * crash, in whole, in part or not at all; names that were not synced may be missing or old. Writes can be made to fail.
 */
import path from 'node:path';
import type { Prng } from '../core/prng.ts';
import type { Disk, DiskFile } from './disk.ts';

interface Node {
  durable: Uint8Array;
  current: Uint8Array;
  /** Writes since the last sync, in order. */
  unsynced: { readonly position: number; readonly bytes: Uint8Array }[];
}

/** An error as the operating system gives it. */
export function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: simulated`), { code });
}

function withWrite(content: Uint8Array, position: number, bytes: Uint8Array): Uint8Array {
  const next = new Uint8Array(Math.max(content.length, position + bytes.length));
  next.set(content);
  next.set(bytes, position);
  return next;
}

/** See the top of this file. `steps` counts operations that change the disk; `failAt` makes one of them fail. */
export class TornDisk implements Disk {
  #names = new Map<string, Node>();
  #durableNames = new Map<string, Node>();
  steps = 0;
  failAt = Infinity;
  failCode = 'ENOSPC';
  /** After this step the disk is dead: every operation rejects, as for a process that was killed. */
  dieAt = Infinity;

  #step(): void {
    this.steps += 1;
    if (this.steps >= this.dieAt) throw systemError('DEAD');
    if (this.steps === this.failAt) throw systemError(this.failCode);
  }

  makeFolder(): void {}

  list(folder: string): readonly string[] {
    const prefix = `${folder}/`;
    return [...this.#names.keys()]
      .filter((name) => name.startsWith(prefix))
      .map((name) => path.basename(name))
      .sort();
  }

  read(file: string): Uint8Array {
    const node = this.#names.get(file);
    if (node === undefined) throw systemError('ENOENT');
    return node.current.slice();
  }

  async open(file: string): Promise<DiskFile> {
    this.#step();
    let node = this.#names.get(file);
    if (node === undefined) {
      node = { durable: new Uint8Array(0), current: new Uint8Array(0), unsynced: [] };
      this.#names.set(file, node);
    }
    return this.#handle(node);
  }

  #handle(node: Node): DiskFile {
    const write = async (bytes: Uint8Array, position: number): Promise<void> => {
      this.#step();
      node.current = withWrite(node.current, position, bytes);
      node.unsynced.push({ position, bytes: bytes.slice() });
    };
    return {
      write,
      readNow: (position, length) => node.current.slice(position, position + length),
      sync: async () => {
        this.#step();
        node.durable = node.current;
        node.unsynced = [];
      },
      truncate: async (length) => {
        this.#step();
        node.current = node.current.slice(0, length);
        node.durable = node.durable.slice(0, length);
      },
      size: () => node.current.length,
      close: async () => {},
    };
  }

  async rename(from: string, to: string): Promise<void> {
    this.#step();
    const node = this.#names.get(from);
    if (node === undefined) throw systemError('ENOENT');
    this.#names.delete(from);
    this.#names.set(to, node);
  }

  async remove(file: string): Promise<void> {
    this.#step();
    this.#names.delete(file);
  }

  async syncFolder(): Promise<void> {
    this.#step();
    this.#durableNames = new Map(this.#names);
  }

  /** Power cut: what was not synced is kept, torn or lost by chance. Returns the disk as it is found afterwards. */
  crash(random: Prng): TornDisk {
    const after = new TornDisk();
    const namesKept = random.chance(0.5);
    for (const [name, node] of namesKept ? this.#names : this.#durableNames) {
      let content = node.durable;
      for (const write of node.unsynced) {
        if (random.chance(0.4)) content = withWrite(content, write.position, write.bytes);
        else if (random.chance(0.5)) {
          const kept = random.between(0, write.bytes.length);
          content = withWrite(content, write.position, write.bytes.subarray(0, kept));
        }
      }
      const node2 = { durable: content, current: content, unsynced: [] };
      after.#names.set(name, node2);
      after.#durableNames.set(name, node2);
    }
    return after;
  }

  /** Changes one byte of a file, as a failing disk would. */
  damage(file: string, offset: number): void {
    const node = this.#names.get(file)!;
    node.current = node.current.slice();
    node.current[offset] = node.current[offset]! ^ 0x40;
    node.durable = node.current;
  }

  /** The whole file, to be changed by a test. */
  replace(file: string, content: Uint8Array): void {
    this.#names.set(file, { durable: content, current: content, unsynced: [] });
  }
}
