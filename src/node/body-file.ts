/**
 * Batch bodies that were executed and may still be asked for: the newest in memory, the rest in a scratch file of slots.
 * A window of batches of the largest size is 128 MiB, which is more than a replica should keep. The file is emptied at each
 * start, since the journal holds every body that a restart needs; it is never synced.
 */
import path from 'node:path';
import type { Digest } from '../core/types.ts';
import type { BodyPort } from '../host/ports.ts';
import type { Disk, DiskFile } from './disk.ts';
import { diskFailureSentence } from './disk.ts';

const FILE_NAME = 'bodies.tmp';
/** Bytes of bodies in memory beyond those that are being written. */
const MEMORY_BYTES = 8 * 1024 * 1024;

interface Place {
  readonly slot: number;
  readonly length: number;
}

/** What it is made of. */
export interface BodyFileOptions {
  readonly disk: Disk;
  readonly folder: string;
  /** Longer bodies stay in memory: there are none, but for those of a liar. */
  readonly slotBytes: number;
  /** Whether these are the bytes that a digest names: disks may lie. */
  readonly isBody: (digest: Digest, bytes: Uint8Array) => boolean;
  readonly onFatal: (sentence: string) => void;
  /** For tests. */
  readonly memoryBytes?: number;
}

/** See the top of this file. */
export class BodyFile implements BodyPort {
  readonly #options: BodyFileOptions;
  readonly #file: DiskFile;
  readonly #memoryBytesMax: number;
  /** Oldest first. */
  readonly #memory = new Map<Digest, Uint8Array>();
  #memoryBytes = 0;
  readonly #places = new Map<Digest, Place>();
  readonly #free: number[] = [];
  #slots = 0;
  #writing: Promise<void> | undefined;
  #isOver = false;

  private constructor(options: BodyFileOptions, file: DiskFile) {
    this.#options = options;
    this.#file = file;
    this.#memoryBytesMax = options.memoryBytes ?? MEMORY_BYTES;
  }

  /** Makes the file of a folder, or empties it. Rejects with the system's error. */
  static async open(options: BodyFileOptions): Promise<BodyFile> {
    const file = await options.disk.open(path.join(options.folder, FILE_NAME));
    await file.truncate(0);
    return new BodyFile(options, file);
  }

  /** Bytes of bodies in memory. */
  get memoryBytes(): number {
    return this.#memoryBytes;
  }

  /** Bodies in the file. */
  get inFile(): number {
    return this.#places.size;
  }

  put(digest: Digest, bytes: Uint8Array): void {
    if (this.#memory.has(digest) || this.#places.has(digest)) return;
    // A view must not keep a much larger buffer in memory.
    this.#memory.set(digest, bytes.buffer.byteLength > 2 * bytes.length ? bytes.slice() : bytes);
    this.#memoryBytes += bytes.length;
    this.#writing ??= this.#nextToWrite() === undefined ? undefined : this.#writeOut();
  }

  get(digest: Digest): Uint8Array | undefined {
    const held = this.#memory.get(digest);
    if (held !== undefined) return held;
    const place = this.#places.get(digest);
    if (place === undefined) return undefined;
    try {
      const bytes = this.#file.readNow(place.slot * this.#options.slotBytes, place.length);
      if (this.#options.isBody(digest, bytes)) return bytes;
      this.#fail('Reading batch bodies', new Error('the disk gives back other bytes than were written'));
    } catch (error) {
      this.#fail('Reading batch bodies', error);
    }
    return undefined;
  }

  drop(digest: Digest): void {
    this.#forget(digest);
    const place = this.#places.get(digest);
    if (place === undefined) return;
    this.#places.delete(digest);
    this.#free.push(place.slot);
  }

  /** Waits for what is being written, then closes the file and removes it. */
  async close(): Promise<void> {
    this.#isOver = true;
    await this.#writing;
    await this.#file.close();
    await this.#options.disk.remove(path.join(this.#options.folder, FILE_NAME));
  }

  #forget(digest: Digest): void {
    const held = this.#memory.get(digest);
    if (held === undefined) return;
    this.#memory.delete(digest);
    this.#memoryBytes -= held.length;
  }

  /** The oldest body that fits into a slot, if there is too much in memory. */
  #nextToWrite(): readonly [Digest, Uint8Array] | undefined {
    if (this.#isOver || this.#memoryBytes <= this.#memoryBytesMax) return undefined;
    for (const entry of this.#memory) if (entry[1].length <= this.#options.slotBytes) return entry;
    return undefined;
  }

  /** One at a time: what waits meanwhile is in memory. */
  async #writeOut(): Promise<void> {
    // Not inside the call of `put`: what is put and dropped at once is never written.
    await new Promise((resolve) => setImmediate(resolve));
    try {
      for (let next = this.#nextToWrite(); next !== undefined; next = this.#nextToWrite()) {
        const [digest, bytes] = next;
        const slot = this.#free.pop() ?? this.#slots++;
        await this.#file.write(bytes, slot * this.#options.slotBytes);
        if (this.#memory.get(digest) === bytes) {
          this.#forget(digest);
          this.#places.set(digest, { slot, length: bytes.length });
        } else this.#free.push(slot);
      }
    } catch (error) {
      this.#fail('Writing batch bodies', error);
    }
    this.#writing = undefined;
  }

  #fail(what: string, error: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#options.onFatal(diskFailureSentence(what, path.join(this.#options.folder, FILE_NAME), error));
  }
}
