/**
 * What a client must remember to stay exactly-once over its own crashes: its session and every unfinished bundle, byte
 * for byte. An append-only file of checksummed records, mode 0600, rewritten when it has grown.
 *
 * A record is in the operating system's hands before its bundle is sent, which survives the death of the process. A
 * power cut may take the last records; therefore a file that was not closed properly is used only to finish its
 * bundles, and new requests go to a new session: no number is ever used for two operations.
 */
import {
  closeSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readFileSync,
  renameSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { Reader, Writer } from '../core/codec.ts';
import { BUNDLE_BYTES_MAX } from '../core/request.ts';
import type { Digest, RequestNumber, SessionId } from '../core/types.ts';
import { ClientError } from './errors.ts';
import { nodeHash } from '../platform/sha256.ts';

const OPENED = 1;
const BUNDLE = 2;
const FINISHED = 3;
const CLOSED = 4;
/** The file is rewritten when it has grown beyond this and mostly holds what is finished. */
const REWRITE_BYTES = 4 * 1024 * 1024;
const CHECKSUM_BYTES = 8;

/** A session that may be gone on with. */
export interface SavedSession {
  readonly session: SessionId;
  readonly window: number;
  readonly nextNumber: RequestNumber;
}

/** What a file held. */
export interface SavedState {
  /** Present only if the client was closed properly. */
  readonly session: SavedSession | undefined;
  /** Bytes of unfinished bundles, in order. */
  readonly bundles: readonly { readonly digest: Digest; readonly bytes: Uint8Array }[];
}

function frameRecord(payload: Uint8Array): Uint8Array {
  const checksum = nodeHash(payload).subarray(0, CHECKSUM_BYTES);
  return new Writer(payload.length + 16).raw(checksum).bytes(payload).finish();
}

function parse(bytes: Uint8Array, clientId: Digest): { state: SavedState; length: number } {
  const bundles = new Map<Digest, Uint8Array>();
  const reader = new Reader(bytes);
  let session: SavedSession | undefined;
  let length = 0;
  while (reader.remaining > 0) {
    const checksum = reader.raw(CHECKSUM_BYTES);
    const payload = reader.bytes(BUNDLE_BYTES_MAX + 1024);
    // The first torn record ends the file: what follows was never acknowledged.
    if (reader.failed || Buffer.compare(nodeHash(payload).subarray(0, CHECKSUM_BYTES), checksum) !== 0) break;
    length = reader.position;
    const record = new Reader(payload);
    const kind = record.u8();
    session = undefined;
    if (kind === OPENED) {
      if (record.digest() !== clientId) throw foreign();
    } else if (kind === BUNDLE) bundles.set(record.digest(), record.bytes(BUNDLE_BYTES_MAX).slice());
    else if (kind === FINISHED) bundles.delete(record.digest());
    else if (kind === CLOSED)
      session = { session: record.u64(), window: record.u32(), nextNumber: record.u64() };
  }
  const list = [...bundles].map(([digest, bundleBytes]) => ({ digest, bytes: bundleBytes }));
  return { state: { session, bundles: list }, length };
}

function foreign(): ClientError {
  return new ClientError('invalid', 'the state file belongs to another client or cluster: use another file');
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function lock(path: string): void {
  for (let attempt = 0; attempt < 2; attempt += 1) {
    try {
      const file = openSync(path, 'wx', 0o600);
      writeSync(file, String(process.pid));
      closeSync(file);
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST')
        throw new ClientError('invalid', `cannot use the state file: ${(error as Error).message}`);
    }
    const owner = Number(readFileSync(path, 'utf8'));
    if (Number.isInteger(owner) && owner > 0 && owner !== process.pid && isAlive(owner)) break;
    unlinkSync(path);
  }
  throw new ClientError(
    'invalid',
    `another process uses this state file (${path}): stop it or use another file`,
  );
}

/** The state file of one running client. */
export class StateFile {
  /** What the file held when it was opened. */
  readonly saved: SavedState;
  readonly #path: string;
  readonly #clientId: Digest;
  readonly #live = new Map<Digest, Uint8Array>();
  #file = -1;
  #length = 0;
  /** It is written anew when it is longer than this. */
  #rewriteFrom = REWRITE_BYTES;

  /** Opens and locks the file. `clientId` should bind cluster and key, so that files are not mixed up. */
  constructor(path: string, clientId: Digest) {
    this.#path = path;
    this.#clientId = clientId;
    lock(`${path}.lock`);
    let bytes: Uint8Array = new Uint8Array(0);
    try {
      bytes = readFileSync(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
    try {
      this.saved = parse(bytes, clientId).state;
    } catch (error) {
      unlinkSync(`${path}.lock`);
      throw error;
    }
    for (const bundle of this.saved.bundles) this.#live.set(bundle.digest, bundle.bytes);
    try {
      this.#file = this.#rewrite();
    } catch (error) {
      unlinkSync(`${path}.lock`);
      throw error;
    }
  }

  /**
   * A fresh file of what is live: also takes away the mark of a proper close, durably, before any number is given. If it
   * cannot be written, the old one stays.
   */
  #rewrite(): number {
    const temporary = `${this.#path}.new`;
    const [oldFile, oldLength] = [this.#file, this.#length];
    const file = openSync(temporary, 'w', 0o600);
    try {
      this.#length = 0;
      this.#file = file;
      this.#append(new Writer(64).u8(OPENED).digest(this.#clientId).finish());
      for (const [digest, bytes] of this.#live) this.#append(bundleRecord(digest, bytes));
      fsyncSync(file);
      renameSync(temporary, this.#path);
      return file;
    } catch (error) {
      [this.#file, this.#length] = [oldFile, oldLength];
      closeSync(file);
      unlinkSync(temporary);
      throw error;
    }
  }

  #append(payload: Uint8Array): void {
    const record = frameRecord(payload);
    try {
      // One call may take only a part of it.
      for (let from = 0; from < record.length;)
        from += writeSync(this.#file, record, from, record.length - from, this.#length + from);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      const advice = code === 'ENOSPC' || code === 'EDQUOT' ? 'the disk is full: free space on it' : message;
      throw new ClientError('unavailable', `the state file ${this.#path} cannot be written: ${advice}`);
    }
    this.#length += record.length;
  }

  /**
   * To be called before a bundle is sent. A `ClientError` if it cannot be written: the bundle must not be sent then, and may
   * be added again later. What was written of it is overwritten by the next record.
   */
  add(digest: Digest, bytes: Uint8Array): void {
    this.#append(bundleRecord(digest, bytes));
    this.#live.set(digest, bytes);
  }

  /**
   * Nothing of a bundle is outstanding any more. If that cannot be written, a later life asks for its results once more, which
   * executes nothing twice.
   */
  finish(digest: Digest): void {
    if (!this.#live.delete(digest)) return;
    try {
      this.#append(new Writer(64).u8(FINISHED).digest(digest).finish());
    } catch {
      return;
    }
    if (this.#length < this.#rewriteFrom) return;
    let live = 0;
    for (const bytes of this.#live.values()) live += bytes.length;
    if (this.#length < 4 * live) return;
    const old = this.#file;
    try {
      this.#rewrite();
      this.#rewriteFrom = REWRITE_BYTES;
      closeSync(old);
    } catch {
      this.#rewriteFrom = this.#length + REWRITE_BYTES;
    }
  }

  /** Closes properly: the next life goes on with this session, unless that cannot be written. */
  close(session: SavedSession | undefined): void {
    try {
      if (session !== undefined) {
        const { session: id, window, nextNumber } = session;
        this.#append(new Writer(32).u8(CLOSED).u64(id).u32(window).u64(nextNumber).finish());
      }
      // A record of which only a part was written must not stay behind the last one.
      ftruncateSync(this.#file, this.#length);
      fsyncSync(this.#file);
    } catch {
      // The next life opens a session of its own.
    }
    closeSync(this.#file);
    unlinkSync(`${this.#path}.lock`);
  }
}

function bundleRecord(digest: Digest, bytes: Uint8Array): Uint8Array {
  return new Writer(bytes.length + 64).u8(BUNDLE).digest(digest).bytes(bytes).finish();
}
