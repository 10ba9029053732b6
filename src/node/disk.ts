/**
 * The few operations that the stores of this folder ask of a disk, so that tests can put a disk below them which
 * tears writes, loses what was not synced and runs full. `systemDisk` is the real one.
 */
import fs from 'node:fs';
import path from 'node:path';

/** One open file. Every method rejects with the system's error (`code`: ENOSPC, EIO ...). */
export interface DiskFile {
  /** Writes all bytes at `position`, or rejects. */
  write(bytes: Uint8Array, position: number): Promise<void>;
  /** Reads up to `length` bytes at `position`; shorter only at the end of the file. Blocks: for short reads only. */
  readNow(position: number, length: number): Uint8Array;
  /** Makes everything written so far durable. */
  sync(): Promise<void>;
  truncate(length: number): Promise<void>;
  size(): number;
  close(): Promise<void>;
}

/** A disk. Paths are absolute or relative to the working directory; folders are made with mode 0700, files 0600. */
export interface Disk {
  makeFolder(folder: string): void;
  list(folder: string): readonly string[];
  read(file: string): Uint8Array;
  /** Opens for reading and writing; makes the file if it is not there. */
  open(file: string): Promise<DiskFile>;
  rename(from: string, to: string): Promise<void>;
  remove(file: string): Promise<void>;
  /** Makes new and removed names in a folder durable. */
  syncFolder(folder: string): Promise<void>;
}

type Done = (error: NodeJS.ErrnoException | null) => void;

/** Turns a call with an error-first callback into a promise; the callbacks are cheaper than `fs.promises`. */
function settled(call: (done: Done) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    call((error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
}

/**
 * Writes up to this many bytes are made at once: the operating system's cache takes them in microseconds, while a thread of
 * the pool has to be woken and to wake this one again, which costs several times as much.
 */
const WRITE_NOW_BYTES = 256 * 1024;

class SystemFile implements DiskFile {
  readonly #descriptor: number;

  constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  async write(bytes: Uint8Array, position: number): Promise<void> {
    let done = 0;
    if (bytes.length <= WRITE_NOW_BYTES) {
      while (done < bytes.length)
        done += fs.writeSync(this.#descriptor, bytes, done, bytes.length - done, position + done);
      return;
    }
    while (done < bytes.length) {
      const from = done;
      done += await new Promise<number>((resolve, reject) => {
        fs.write(this.#descriptor, bytes, from, bytes.length - from, position + from, (error, written) => {
          if (error === null) resolve(written);
          else reject(error);
        });
      });
    }
  }

  readNow(position: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    let done = 0;
    while (done < length) {
      const read = fs.readSync(this.#descriptor, bytes, done, length - done, position + done);
      if (read === 0) break;
      done += read;
    }
    return done === length ? bytes : bytes.subarray(0, done);
  }

  sync(): Promise<void> {
    return settled((done) => fs.fdatasync(this.#descriptor, done));
  }

  truncate(length: number): Promise<void> {
    return settled((done) => fs.ftruncate(this.#descriptor, length, done));
  }

  size(): number {
    return fs.fstatSync(this.#descriptor).size;
  }

  close(): Promise<void> {
    return settled((done) => fs.close(this.#descriptor, done));
  }
}

/** The disk of the operating system. */
export const systemDisk: Disk = {
  makeFolder(folder) {
    fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
  },
  list(folder) {
    return fs.readdirSync(folder).sort();
  },
  read(file) {
    return fs.readFileSync(file);
  },
  async open(file) {
    const flags = fs.constants.O_RDWR | fs.constants.O_CREAT;
    return await new Promise<DiskFile>((resolve, reject) => {
      fs.open(file, flags, 0o600, (error, descriptor) => {
        if (error === null) resolve(new SystemFile(descriptor));
        else reject(error);
      });
    });
  },
  rename(from, to) {
    return settled((done) => fs.rename(from, to, done));
  },
  remove(file) {
    return settled((done) => fs.rm(file, { force: true }, done));
  },
  async syncFolder(folder) {
    const descriptor = fs.openSync(folder, 'r');
    try {
      await settled((done) => fs.fsync(descriptor, done));
    } finally {
      fs.closeSync(descriptor);
    }
  },
};

/** Writes a small file so that a crash leaves the old or the new content, never a mixture; durable at return. */
export function writeFileAtomically(file: string, content: string | Uint8Array, mode = 0o600): void {
  const temporary = `${file}.${process.pid}.tmp`;
  const descriptor = fs.openSync(temporary, 'w', mode);
  try {
    fs.writeFileSync(descriptor, content);
    fs.fsyncSync(descriptor);
  } finally {
    fs.closeSync(descriptor);
  }
  fs.renameSync(temporary, file);
  const folder = fs.openSync(path.dirname(file), 'r');
  try {
    fs.fsyncSync(folder);
  } finally {
    fs.closeSync(folder);
  }
}

const FULL_CODES: readonly unknown[] = ['ENOSPC', 'EDQUOT'];

/** What an operator reads when a disk fails; the code decides the advice. */
export function diskFailureSentence(what: string, file: string, error: unknown): string {
  const failure = error as NodeJS.ErrnoException;
  const advice = FULL_CODES.includes(failure.code)
    ? 'The disk is full: free space on it, then start the replica again; nothing acknowledged is lost.'
    : 'Check the disk (system log, file permissions), then start the replica again.';
  return `${what} failed on ${file}: ${failure.message}. ${advice}`;
}
