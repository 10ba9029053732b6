/**
 * State of one trusted process on disk: one file, `state`, that holds the key and every value that was used up under
 * it. A checksummed header (tcEpoch, seed of the key, how it is written), then checksummed and chained records. The
 * file is filled with zeros beforehand, so a sync writes data only. It is always replaced as a whole (write aside,
 * sync, rename, sync the folder): at a start, when it is full, and when the key is renewed. A new file begins with the
 * program's image of itself, or with the last records where these are enough.
 *
 * The lock of the folder keeps a second process off, unless somebody removes its file under the first one. Therefore a
 * process also lays down a file of its own, `owner`, before it reads the state, and looks whether that one is still
 * there after each write, before anything leaves: of two processes on one folder the older one ends.
 */
import { hash, randomBytes } from 'node:crypto';
import {
  closeSync,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';

/**
 * How a record is kept before its certificate leaves. `fsync`: on the disk. `os`: handed to the operating system, lost
 * with it. `memory`: lost with the process. What may have been lost is never continued: the key is renewed instead.
 */
export type Durability = 'fsync' | 'os' | 'memory';

/** Durability by its number in files and frames. */
export const DURABILITIES: readonly Durability[] = ['fsync', 'os', 'memory'];

/** The state is not what this program wrote; the message says what to do. */
export class StateDamage extends Error {
  override readonly name = 'StateDamage';
}

const FILE_BYTES = 4 * 1024 * 1024;
const HEADER_BYTES = 128;
const HEADER_MAGIC = Buffer.from('MTCSTAT1');
const RECORD_MAGIC = 0x54435231;
const RECORD_OVERHEAD = 56;
const CHECK_BYTES = 16;

function checkOf(bytes: Uint8Array): Buffer {
  return hash('sha256', bytes, 'buffer').subarray(0, CHECK_BYTES);
}

/** Key material of a state file. */
export interface StateKey {
  readonly tcEpoch: Uint8Array;
  /** Seed of the Ed25519 key, 32 bytes. */
  readonly seed: Uint8Array;
}

interface StateHeader extends StateKey {
  /** How the records of this file were written; `fsync` also for a file that was closed in order. */
  readonly written: Durability;
  /** Which run of the operating system wrote it; zero if that is not known. */
  readonly bootId: Buffer;
}

/** A key and tcEpoch that nobody has ever used. */
function freshKey(): StateKey {
  return { tcEpoch: randomBytes(8), seed: randomBytes(32) };
}

/** 16 bytes that differ after each start of the operating system; zero where it does not tell. */
function currentBootId(): Buffer {
  try {
    return checkOf(readFileSync('/proc/sys/kernel/random/boot_id'));
  } catch {
    return Buffer.alloc(16);
  }
}

/** Writes all of `bytes` or throws: a full disk may take a part of them first. */
function writeAll(file: number, bytes: Uint8Array, at: number): void {
  let done = 0;
  while (done < bytes.length) done += writeSync(file, bytes, done, bytes.length - done, at + done);
}

function encodeHeader(header: StateHeader): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES);
  HEADER_MAGIC.copy(bytes, 0);
  bytes.set(header.tcEpoch, 8);
  bytes.set(header.seed, 16);
  bytes.writeUInt8(DURABILITIES.indexOf(header.written), 48);
  bytes.set(header.bootId, 49);
  checkOf(bytes.subarray(0, HEADER_BYTES - CHECK_BYTES)).copy(bytes, HEADER_BYTES - CHECK_BYTES);
  return bytes;
}

function decodeHeader(file: Buffer): StateHeader | undefined {
  if (file.length < HEADER_BYTES || !file.subarray(0, 8).equals(HEADER_MAGIC)) return undefined;
  const check = file.subarray(HEADER_BYTES - CHECK_BYTES, HEADER_BYTES);
  if (!checkOf(file.subarray(0, HEADER_BYTES - CHECK_BYTES)).equals(check)) return undefined;
  const written = DURABILITIES[file.readUInt8(48)];
  if (written === undefined) return undefined;
  return {
    tcEpoch: Buffer.from(file.subarray(8, 16)),
    seed: Buffer.from(file.subarray(16, 48)),
    written,
    bootId: Buffer.from(file.subarray(49, 65)),
  };
}

interface RecordSpot {
  readonly end: number;
  readonly index: number;
  /** Index up to which (exclusive) everything was durable before this record was written. */
  readonly syncedBefore: number;
  readonly link: Buffer;
  readonly check: Buffer;
  readonly payload: Buffer;
}

function alignedBytes(payloadBytes: number): number {
  return (RECORD_OVERHEAD + payloadBytes + 7) & ~7;
}

function encodeRecord(payload: Uint8Array, place: { index: number; synced: number; link: Buffer }): Buffer {
  const bytes = Buffer.alloc(alignedBytes(payload.length));
  bytes.writeUInt32BE(RECORD_MAGIC, 0);
  bytes.writeUInt32BE(payload.length, 4);
  bytes.writeBigUInt64BE(BigInt(place.index), 8);
  bytes.writeBigUInt64BE(BigInt(place.synced), 16);
  place.link.copy(bytes, 24);
  bytes.set(payload, 40);
  const end = 40 + payload.length;
  checkOf(bytes.subarray(0, end)).copy(bytes, end);
  return bytes;
}

function readRecord(file: Buffer, at: number): RecordSpot | undefined {
  if (at + RECORD_OVERHEAD > file.length || file.readUInt32BE(at) !== RECORD_MAGIC) return undefined;
  const length = file.readUInt32BE(at + 4);
  const end = at + 40 + length;
  if (end + CHECK_BYTES > file.length) return undefined;
  const check = file.subarray(end, end + CHECK_BYTES);
  if (!checkOf(file.subarray(at, end)).equals(check)) return undefined;
  return {
    end: at + alignedBytes(length),
    index: Number(file.readBigUInt64BE(at + 8)),
    syncedBefore: Number(file.readBigUInt64BE(at + 16)),
    link: file.subarray(at + 24, at + 40),
    check,
    payload: file.subarray(at + 40, end),
  };
}

/**
 * Reads the records of a file. A broken end is what a power cut leaves of the last group, which was never released:
 * it is dropped. But if a record further on says that the broken one had been durable, the file was damaged.
 */
function readRecords(file: Buffer): Buffer[] {
  const payloads: Buffer[] = [];
  let at = HEADER_BYTES;
  let index = 0;
  let link = file.subarray(HEADER_BYTES - CHECK_BYTES, HEADER_BYTES);
  for (;;) {
    const record = readRecord(file, at);
    if (record === undefined || record.index !== index || !record.link.equals(link)) break;
    payloads.push(Buffer.from(record.payload));
    ({ end: at, check: link } = record);
    index += 1;
  }
  for (let spot = at; spot + RECORD_OVERHEAD <= file.length; spot += 8) {
    const later = readRecord(file, spot);
    if (later !== undefined && later.syncedBefore > index)
      throw new StateDamage(
        `record ${index} of the trusted component's state is damaged, records after it are not; ` +
          'check the disk; the replica must be given a new component (renew) and re-admitted by RECOVER',
      );
  }
  return payloads;
}

/** The mark of the newest process on a folder, held open so that no other file gets its number. */
class Ownership {
  readonly #path: string;
  readonly #number: bigint;

  /** Takes the folder over from whoever had it. */
  constructor(folder: string) {
    this.#path = join(folder, 'owner');
    const file = openSync(`${this.#path}.new`, 'w', 0o600);
    this.#number = fstatSync(file, { bigint: true }).ino;
    renameSync(`${this.#path}.new`, this.#path);
  }

  /** Throws StateDamage once another process has taken the folder over, or the folder is another one. */
  assert(): void {
    if (statSync(this.#path, { bigint: true, throwIfNoEntry: false })?.ino === this.#number) return;
    throw new StateDamage(
      "another process has taken this trusted component's folder over, or the folder was put back from a copy; " +
        'the older process ends here, so that no value is given twice; never remove the lock of a component that runs',
    );
  }
}

/** Everything that the records so far amount to, as one record; undefined where the last records are enough. */
export type ProgramImage = () => Uint8Array | undefined;

/** The open state of one trusted process. Every storage error is thrown and must end the process. */
export class StateLog {
  readonly #folder: string;
  readonly #durability: Durability;
  readonly #keep: number;
  readonly #owner: Ownership;
  #key: StateKey;
  /** Before `begin` all records of the file, later the last `keep`. */
  #kept: Uint8Array[];
  #image: ProgramImage = () => undefined;
  #pending: Uint8Array[] = [];
  #file = -1;
  #at = 0;
  #end = 0;
  /** Index of the next record in this file; all before it are durable once `flush` returned. */
  #index = 0;
  #link: Buffer = Buffer.alloc(CHECK_BYTES);

  private constructor(
    folder: string,
    durability: Durability,
    keep: number,
    owner: Ownership,
    key: StateKey,
    kept: Uint8Array[],
  ) {
    this.#folder = folder;
    this.#durability = durability;
    this.#keep = keep;
    this.#owner = owner;
    this.#key = key;
    this.#kept = kept;
  }

  /** Writes the state of a new component; nothing was ever certified under its key. */
  static create(folder: string): void {
    const log = new StateLog(folder, 'fsync', 1, new Ownership(folder), freshKey(), []);
    log.#replaceFile('fsync');
    closeSync(log.#file);
  }

  /**
   * Reads the state in `folder`. Throws StateDamage if it is damaged. If values may be missing at its end (written
   * without sync and not closed in order), the key is renewed first. `begin` must come before the first `append`.
   */
  static open(folder: string, durability: Durability, keep: number): StateLog {
    // First: what a process of before writes from now on, it does not release.
    const owner = new Ownership(folder);
    const file = readFileSync(join(folder, 'state'));
    const header = decodeHeader(file);
    if (header === undefined)
      throw new StateDamage(
        "the header of the trusted component's state is damaged: its key is lost; " +
          'the replica must be given a new component and be replaced by reconfiguration or RECOVER',
      );
    const records = readRecords(file);
    const bootId = currentBootId();
    const lostWithSystem =
      header.written === 'os' && (bootId.every((byte) => byte === 0) || !bootId.equals(header.bootId));
    const mayLack = header.written === 'memory' || lostWithSystem;
    const log = new StateLog(folder, durability, keep, owner, header, records);
    if (mayLack) log.renew();
    return log;
  }

  /** Starts a file for new records; the program has taken those of before, and `image` is what it makes of them. */
  begin(image: ProgramImage = () => undefined): void {
    this.#image = image;
    this.#replaceFile(this.#durability);
  }

  /** The key in force. */
  get key(): StateKey {
    return this.#key;
  }

  /** Before `begin`: all records of the file; later: the last ones. Oldest first. */
  get records(): readonly Uint8Array[] {
    return this.#kept;
  }

  /** Takes a record; it is kept as the mode says once `flush` returns. */
  append(payload: Uint8Array): void {
    this.#pending.push(payload);
    this.#kept.push(payload);
    if (this.#kept.length > 2 * this.#keep) this.#kept = this.#kept.slice(-this.#keep);
  }

  /** Makes everything appended durable: one write and one sync for all of it. */
  flush(): void {
    if (this.#pending.length === 0) return;
    const pending = this.#pending;
    this.#pending = [];
    // A crash renews the key, and a stop in order writes the kept records.
    if (this.#durability === 'memory') return;
    const synced = this.#index;
    const parts = pending.map((payload) => this.#nextRecord(payload, synced));
    const group = parts.length === 1 ? parts[0]! : Buffer.concat(parts);
    if (this.#at + group.length > this.#end) {
      this.#replaceFile(this.#durability);
    } else {
      writeAll(this.#file, group, this.#at);
      this.#at += group.length;
      if (this.#durability === 'fsync') fdatasyncSync(this.#file);
    }
    // Last: had another one read the state before this was written, its mark would be there already.
    this.#owner.assert();
  }

  /** Destroys the old key and starts an empty log under a new one; durable when it returns. */
  renew(): StateKey {
    // What waits was certified under the key that is destroyed now: nothing of it can be repeated.
    this.#pending = [];
    const oldFile = openSync(join(this.#folder, 'state'), 'r+');
    this.#key = freshKey();
    this.#kept = [];
    this.#replaceFile(this.#durability);
    // The old file has no name any more; overwrite its header so that the seed does not lie in free blocks either.
    writeAll(oldFile, Buffer.alloc(HEADER_BYTES), 0);
    fsyncSync(oldFile);
    closeSync(oldFile);
    return this.#key;
  }

  /** Closes in order: everything is durable afterwards, in every mode. */
  close(): void {
    this.flush();
    if (this.#durability !== 'fsync') this.#replaceFile('fsync');
    closeSync(this.#file);
  }

  #nextRecord(payload: Uint8Array, synced: number): Buffer {
    const record = encodeRecord(payload, { index: this.#index, synced, link: this.#link });
    const end = 40 + payload.length;
    this.#link = record.subarray(end, end + CHECK_BYTES);
    this.#index += 1;
    return record;
  }

  /** Writes a new file with the image or the kept records and puts it in the place of the old one. */
  #replaceFile(written: Durability): void {
    this.#owner.assert();
    this.#kept = this.#kept.slice(-this.#keep);
    const image = this.#kept.length === 0 ? undefined : this.#image();
    const first = image === undefined ? this.#kept : [image];
    const header = encodeHeader({ ...this.#key, written, bootId: currentBootId() });
    this.#index = 0;
    this.#link = header.subarray(HEADER_BYTES - CHECK_BYTES);
    // The whole file is synced before it gets its name: each record counts as durable before the next one.
    const content = Buffer.concat([
      header,
      ...first.map((payload) => this.#nextRecord(payload, this.#index)),
    ]);
    this.#at = content.length;
    this.#end = Math.max(FILE_BYTES, content.length + FILE_BYTES / 2);
    const aside = join(this.#folder, 'state.new');
    const file = openSync(aside, 'w', 0o600);
    writeAll(file, content, 0);
    writeAll(file, Buffer.alloc(this.#end - this.#at), this.#at);
    fsyncSync(file);
    renameSync(aside, join(this.#folder, 'state'));
    const folder = openSync(this.#folder, 'r');
    fsyncSync(folder);
    closeSync(folder);
    if (this.#file >= 0) closeSync(this.#file);
    this.#file = file;
  }
}
