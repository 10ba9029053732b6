/**
 * The journal of a replica on disk (decisions E7, A7): one file per generation, one frame per group of records.
 *
 * - Group commit: what was appended while the former group was being synced goes out with one write and one sync.
 * - `rewrite` makes the next generation under a temporary name, syncs it, renames it, syncs the folder, and only then
 *   drops the former one: a crash at any moment leaves exactly one of the two.
 * - At the start a torn tail is cut; damage to what had been durable is refused with a sentence that says what to do.
 * - After the first failed write or sync nothing is acknowledged any more: `onFatal` is called once.
 */
import path from 'node:path';
import type { JournalPort, RecordSource } from '../host/ports.ts';
import { recordOf } from '../host/records.ts';
import type { Disk, DiskFile } from './disk.ts';
import { diskFailureSentence } from './disk.ts';
import type { FileIdentity } from './frame-file.ts';
import {
  createFileHeader,
  createFrame,
  FILE_HEADER_BYTES,
  readFileHeader,
  scanFrames,
} from './frame-file.ts';

/**
 * What an acknowledgement waits for. `fsync`: the disk has it (survives a power cut). `os`: the operating system has
 * it (survives the death of the process). `memory`: nothing; a clean stop still keeps everything.
 */
export type Durability = 'fsync' | 'os' | 'memory';

/** A store that must not be used as it is; `message` is a sentence for the operator. */
export class StoreDamaged extends Error {
  override readonly name = 'StoreDamaged';
}

/** Where the journal reports. */
export interface JournalEvents {
  /** Everything appended before `sync(token)` or `rewrite(.., token)` is durable. Never called from inside a call. */
  onSynced(token: number): void;
  /** The disk failed; nothing will be acknowledged any more. Called at most once. */
  onFatal(sentence: string): void;
}

interface GroupJob {
  readonly kind: 'group';
  readonly records: Uint8Array[];
  readonly tokens: number[];
}
interface RewriteJob {
  readonly kind: 'rewrite';
  readonly records: readonly RecordSource[];
  readonly tokens: readonly number[];
}

const KIND = 'JRNL';
const FILE_NAME = /^journal-(\d{10})\.log$/;
const TEMPORARY_NAME = /^journal-\d{10}\.tmp$/;
/** A group without a `sync` is written when it has this many bytes ... */
const IDLE_BYTES_MAX = 1024 * 1024;
/** ... or is this old. */
const IDLE_MS = 50;
/** Bytes of records in one frame of a rewritten journal. */
const REWRITE_FRAME_BYTES = 4 * 1024 * 1024;

function nameOf(generation: number, extension: 'log' | 'tmp'): string {
  return `journal-${String(generation).padStart(10, '0')}.${extension}`;
}

function writeRecords(records: readonly Uint8Array[]): Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (const record of records) {
    const length = Buffer.allocUnsafe(4);
    length.writeUInt32BE(record.length, 0);
    parts.push(length, record);
  }
  return parts;
}

function readRecords(given: Uint8Array, into: Uint8Array[]): boolean {
  // A plain view: pure code may call `slice`, which for a Buffer would not copy.
  const payload = new Uint8Array(given.buffer, given.byteOffset, given.length);
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  let at = 0;
  while (at < payload.length) {
    if (at + 4 > payload.length) return false;
    const length = view.getUint32(at);
    at += 4;
    if (at + length > payload.length) return false;
    into.push(payload.subarray(at, at + length));
    at += length;
  }
  return true;
}

function damaged(file: string, offset: number, problem: string): StoreDamaged {
  return new StoreDamaged(
    `The journal ${file} is damaged at offset ${offset}: ${problem}. This replica must not go on from it. ` +
      'Check the disk; then remove the store with `moiety fault wipe REPLICA` (keys are kept) and start the replica ' +
      'again: it comes back by state transfer from the others.',
  );
}

interface OpenJournal {
  readonly identity: FileIdentity;
  readonly file: DiskFile;
  readonly end: number;
  readonly check: Uint8Array;
  readonly records: Uint8Array[];
  readonly cutBytes: number;
}

async function openExisting(disk: Disk, file: string, durability: Durability): Promise<OpenJournal> {
  const bytes = disk.read(file);
  const identity = readFileHeader(bytes, KIND);
  if (identity === undefined) throw damaged(file, 0, 'its header is unreadable or of another version');
  const scan = scanFrames(identity, bytes);
  if (scan.damage !== undefined) throw damaged(file, scan.damage.offset, scan.damage.problem);
  if (!scan.frames.some((frame) => frame.payload.length === 0))
    throw damaged(file, scan.end, 'bytes that were durable are unreadable');
  const records: Uint8Array[] = [];
  for (const frame of scan.frames) {
    if (!readRecords(frame.payload, records)) throw damaged(file, frame.position, 'a record is malformed');
  }
  const handle = await disk.open(file);
  if (scan.tornBytes > 0) {
    await handle.truncate(scan.end);
    if (durability === 'fsync') await handle.sync();
  }
  return { identity, file: handle, end: scan.end, check: scan.check, records, cutBytes: scan.tornBytes };
}

/** Writes a whole new generation under its temporary name, then gives it its name. */
async function writeGeneration(
  disk: Disk,
  folder: string,
  generation: number,
  records: readonly RecordSource[],
): Promise<Omit<OpenJournal, 'records' | 'cutBytes'>> {
  const temporary = path.join(folder, nameOf(generation, 'tmp'));
  await disk.remove(temporary);
  const file = await disk.open(temporary);
  const { header, identity } = createFileHeader(KIND, generation);
  await file.write(header, 0);
  let end = FILE_HEADER_BYTES;
  let check = identity.check;
  const write = async (group: readonly Uint8Array[]): Promise<void> => {
    const frame = createFrame(
      identity,
      { position: end, syncedUpTo: 0, previous: check },
      writeRecords(group),
    );
    await file.write(frame.bytes, end);
    end += frame.bytes.length;
    check = frame.check;
  };
  let group: Uint8Array[] = [];
  let groupBytes = 0;
  for (const source of records) {
    const record = recordOf(source);
    group.push(record);
    groupBytes += record.length;
    if (groupBytes < REWRITE_FRAME_BYTES) continue;
    await write(group);
    [group, groupBytes] = [[], 0];
  }
  if (group.length > 0) await write(group);
  // An empty frame ends what was durable before the file got its name: if it is missing, that part is damaged.
  const seal = createFrame(identity, { position: end, syncedUpTo: end, previous: check }, []);
  await file.write(seal.bytes, end);
  end += seal.bytes.length;
  check = seal.check;
  await file.sync();
  await disk.rename(temporary, path.join(folder, nameOf(generation, 'log')));
  await disk.syncFolder(folder);
  return { identity, file, end, check };
}

/** What `openJournal` gives. */
export interface JournalOpened {
  readonly journal: Journal;
  /** All records, in order; views into one buffer. */
  readonly records: readonly Uint8Array[];
  /** Bytes of a torn tail that were cut. */
  readonly cutBytes: number;
}

/**
 * Opens (or makes) the journal of a folder. Rejects with `StoreDamaged` if what was durable is damaged, or with the
 * system's error.
 */
export async function openJournal(
  disk: Disk,
  folder: string,
  durability: Durability,
  events: JournalEvents,
): Promise<JournalOpened> {
  disk.makeFolder(folder);
  const names = disk.list(folder);
  const current = names.filter((name) => FILE_NAME.test(name)).at(-1);
  let state: Omit<OpenJournal, 'records' | 'cutBytes'>;
  let records: Uint8Array[] = [];
  let cutBytes = 0;
  if (current === undefined) {
    state = await writeGeneration(disk, folder, 1, []);
  } else {
    const found = await openExisting(disk, path.join(folder, current), durability);
    ({ records, cutBytes } = found);
    state = found;
  }
  for (const name of names) {
    const outdated = FILE_NAME.test(name) && name !== current;
    if (outdated || TEMPORARY_NAME.test(name)) await disk.remove(path.join(folder, name));
  }
  return { journal: new Journal({ disk, folder, durability, events, state }), records, cutBytes };
}

interface JournalParts {
  readonly disk: Disk;
  readonly folder: string;
  readonly durability: Durability;
  readonly events: JournalEvents;
  readonly state: Omit<OpenJournal, 'records' | 'cutBytes'>;
}

/** See the top of this file. Made by `openJournal`. */
export class Journal implements JournalPort {
  readonly #disk: Disk;
  readonly #folder: string;
  readonly #durability: Durability;
  readonly #events: JournalEvents;
  #identity: FileIdentity;
  #file: DiskFile;
  #end: number;
  #syncedUpTo: number;
  #check: Uint8Array;
  readonly #jobs: (GroupJob | RewriteJob)[] = [];
  #running: Promise<void> | undefined;
  #scheduled = false;
  #idleTimer: NodeJS.Timeout | undefined;
  #waitingBytes = 0;
  /** Tokens that are answered at the end of this turn of the event loop. */
  #acknowledged: number[] = [];
  #failed = false;
  #closed = false;

  constructor(parts: JournalParts) {
    this.#disk = parts.disk;
    this.#folder = parts.folder;
    this.#durability = parts.durability;
    this.#events = parts.events;
    this.#identity = parts.state.identity;
    this.#file = parts.state.file;
    this.#end = parts.state.end;
    this.#check = parts.state.check;
    this.#syncedUpTo = parts.durability === 'fsync' ? parts.state.end : 0;
  }

  /** Bytes appended that are not written yet: back-pressure for whoever fills the journal. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** Bytes of the current file. */
  get fileBytes(): number {
    return this.#end;
  }

  append(record: Uint8Array): void {
    if (this.#failed || this.#closed) return;
    this.#lastGroup().records.push(record);
    this.#waitingBytes += record.length;
    if (this.#waitingBytes > IDLE_BYTES_MAX) this.#schedule();
    else this.#idleTimer ??= setTimeout(() => this.#schedule(), IDLE_MS);
  }

  sync(token: number): void {
    if (this.#failed || this.#closed) return;
    if (this.#durability === 'memory') {
      this.#acknowledgeSoon(token);
      return;
    }
    this.#lastGroup().tokens.push(token);
    this.#schedule();
  }

  rewrite(records: readonly RecordSource[], token: number): void {
    if (this.#failed || this.#closed) return;
    this.#jobs.push({ kind: 'rewrite', records: [...records], tokens: [token] });
    this.#schedule();
  }

  /** Writes and (unless `memory`) syncs everything, then closes. Nothing can be appended afterwards. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#idleTimer);
    await this.#start();
    if (this.#failed) return;
    await this.#file.sync().catch((error: unknown) => this.#fail('Syncing the journal', error));
    await this.#file.close().catch(() => undefined);
  }

  #lastGroup(): GroupJob {
    const last = this.#jobs.at(-1);
    if (last?.kind === 'group') return last;
    const group: GroupJob = { kind: 'group', records: [], tokens: [] };
    this.#jobs.push(group);
    return group;
  }

  /** With durability `memory` nothing is waited for; what was appended is written when it is much, or old. */
  #acknowledgeSoon(token: number): void {
    this.#acknowledged.push(token);
    if (this.#acknowledged.length > 1) return;
    setImmediate(() => {
      const tokens = this.#acknowledged;
      this.#acknowledged = [];
      for (const due of tokens) if (!this.#failed) this.#events.onSynced(due);
    });
  }

  /** Starts writing at the end of this turn of the event loop, so that the whole turn shares one write. */
  #schedule(): void {
    if (this.#scheduled || this.#running !== undefined || this.#failed) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      void this.#start();
    });
  }

  #start(): Promise<void> {
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
      if (this.#jobs.length > 0) this.#schedule();
    });
    return this.#running;
  }

  async #run(): Promise<void> {
    clearTimeout(this.#idleTimer);
    this.#idleTimer = undefined;
    while (this.#jobs.length > 0 && !this.#failed) {
      const job = this.#jobs.shift()!;
      try {
        if (job.kind === 'group') await this.#writeGroup(job);
        else await this.#writeRewrite(job);
      } catch (error) {
        this.#fail('Writing the journal', error);
        return;
      }
      // Outside of the try: what the host throws is a bug of ours, not a failure of the disk.
      for (const token of job.tokens) this.#events.onSynced(token);
    }
  }

  async #writeGroup(job: GroupJob): Promise<void> {
    if (job.records.length > 0) {
      const at = { position: this.#end, syncedUpTo: this.#syncedUpTo, previous: this.#check };
      const frame = createFrame(this.#identity, at, writeRecords(job.records));
      await this.#file.write(frame.bytes, this.#end);
      for (const record of job.records) this.#waitingBytes -= record.length;
      this.#end += frame.bytes.length;
      this.#check = frame.check;
      if (this.#durability === 'fsync') {
        await this.#file.sync();
        this.#syncedUpTo = this.#end;
      }
    }
  }

  async #writeRewrite(job: RewriteJob): Promise<void> {
    const former = this.#file;
    const formerName = path.join(this.#folder, nameOf(this.#identity.generation, 'log'));
    const next = await writeGeneration(this.#disk, this.#folder, this.#identity.generation + 1, job.records);
    this.#identity = next.identity;
    this.#file = next.file;
    this.#end = next.end;
    this.#check = next.check;
    this.#syncedUpTo = next.end;
    await former.close();
    await this.#disk.remove(formerName);
  }

  #fail(what: string, error: unknown): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#jobs.length = 0;
    const file = path.join(this.#folder, nameOf(this.#identity.generation, 'log'));
    this.#events.onFatal(diskFailureSentence(what, file, error));
  }
}
