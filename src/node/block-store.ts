/**
 * The chain of blocks on disk (decision E7): append-only segment files of frames, one block each, without holes. Blocks
 * can be made again by re-executing the journal, so they are written in the background; `flush` makes them durable
 * before a snapshot covers them. Header signatures stand beside, see `signature-file.ts`.
 */
import path from 'node:path';
import type { Digest, Height } from '../core/types.ts';
import type { BlockPort } from '../host/ports.ts';
import type { Block, HeaderSignature } from '../ledger/contract.ts';
import { BlockPlaces } from './block-places.ts';
import type { BlockPlace } from './block-places.ts';
import { BLOCK_HEAD_BYTES, blockPayload, headerHashIn, heightIn, numbersIn } from './block-record.ts';
import type { Disk, DiskFile } from './disk.ts';
import { diskFailureSentence } from './disk.ts';
import type { FileIdentity } from './frame-file.ts';
import {
  createFileHeader,
  createFrame,
  FILE_HEADER_BYTES,
  FRAME_HEAD_BYTES,
  FRAME_OVERHEAD_BYTES,
  readFileHeader,
  readFrame,
  scanFrames,
} from './frame-file.ts';
import { StoreDamaged } from './journal.ts';
import { EarlySignatures, SignatureFile } from './signature-file.ts';

const KIND = 'BLKS';
const FILE_NAME = /^blocks-(\d{10})\.dat$/;
/** A segment that is longer than this is not continued. */
const SEGMENT_BYTES = 64 * 1024 * 1024;
/** Blocks are written once they are this many bytes ... */
const LINGER_BYTES = 256 * 1024;
/** ... or once the first of them has waited for so long, or with a flush. */
const LINGER_MS = 50;
const CACHE_BYTES = 8 * 1024 * 1024;

interface Segment {
  readonly identity: FileIdentity;
  readonly file: DiskFile;
  readonly name: string;
  /** Where its records end, once it is not continued any more. */
  end: number;
}

/** What the block store reports and needs. */
export interface BlockStoreOptions {
  readonly disk: Disk;
  readonly folder: string;
  /** Replicas of the cluster: header signatures kept per block, at most. */
  readonly replicas: number;
  /** Whether `flush` syncs. */
  readonly durable: boolean;
  readonly onFatal: (sentence: string) => void;
  /** For tests. */
  readonly segmentBytes?: number;
}

type Job =
  | BlockJob
  | { readonly kind: 'truncate'; readonly height: Height }
  | { readonly kind: 'flush'; readonly done: (isDurable: boolean) => void };

interface BlockJob {
  readonly kind: 'block';
  readonly block: Block;
  readonly firstNumber: number;
}

function damaged(file: string, offset: number, problem: string): StoreDamaged {
  return new StoreDamaged(
    `The block file ${file} is damaged at offset ${offset}: ${problem}. Check the disk; then remove the store with ` +
      '`moiety fault wipe REPLICA` (keys are kept) and start the replica again: it fetches the blocks from the others.',
  );
}

/** Opens (or makes) the block store of a folder. Rejects with `StoreDamaged` or the system's error. */
export async function openBlockStore(options: BlockStoreOptions): Promise<BlockStore> {
  options.disk.makeFolder(options.folder);
  const signatures = await SignatureFile.open(options.disk, options.folder, options.replicas);
  const store = new BlockStore(options, signatures);
  await store.load();
  return store;
}

/** See the top of this file. */
export class BlockStore implements BlockPort {
  readonly #options: BlockStoreOptions;
  readonly #signatures: SignatureFile;
  readonly #segments: Segment[] = [];
  /** Of blocks that are written. */
  readonly #places = new BlockPlaces();
  /** Blocks that are not written yet. */
  readonly #pending = new Map<Height, BlockJob>();
  readonly #early = new EarlySignatures();
  readonly #cache = new Map<Height, Uint8Array>();
  #cacheBytes = 0;
  readonly #jobs: Job[] = [];
  /** Bytes of the blocks in `#jobs`, and of those that are being written. */
  #waitingBytes = 0;
  #running = false;
  #linger: NodeJS.Timeout | undefined;
  #failed = false;
  #closed = false;
  /** Highest block accepted, written or not. */
  #height: Height = 0;
  #end = 0;
  #check: Uint8Array = new Uint8Array(16);
  #syncedUpTo = 0;

  constructor(options: BlockStoreOptions, signatures: SignatureFile) {
    this.#options = options;
    this.#signatures = signatures;
  }

  /** Bytes of blocks that are not written yet. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** Highest block of the store. */
  get height(): Height {
    return this.#height;
  }

  /** Reads the index; called once by `openBlockStore`. */
  async load(): Promise<void> {
    const { disk, folder } = this.#options;
    const names = disk.list(folder).filter((name) => FILE_NAME.test(name));
    for (const [index, name] of names.entries()) {
      const isLast = index === names.length - 1;
      const file = await disk.open(path.join(folder, name));
      const identity = readFileHeader(file.readNow(0, FILE_HEADER_BYTES), KIND);
      if (identity === undefined) {
        // A segment whose header was never synced holds nothing that was.
        if (!isLast || file.size() > FILE_HEADER_BYTES) throw damaged(name, 0, 'its header is unreadable');
        await file.close();
        await disk.remove(path.join(folder, name));
        continue;
      }
      const segment = { identity, file, name, end: 0 };
      this.#segments.push(segment);
      if (isLast) await this.#loadLast(segment);
      else this.#walk(segment);
    }
    this.#height = this.#places.height;
    if (this.#segments.length > 0 && this.#end === 0) await this.#loadLast(this.#segments.at(-1)!);
  }

  /** Reads and checks everything of the segment that will be continued, and cuts what a crash left half written. */
  async #loadLast(segment: Segment): Promise<void> {
    const bytes = segment.file.readNow(0, segment.file.size());
    const scan = scanFrames(segment.identity, bytes);
    if (scan.damage !== undefined) throw damaged(segment.name, scan.damage.offset, scan.damage.problem);
    const known = this.#segments[this.#places.at(this.#places.height)?.segment ?? -1] === segment;
    if (!known)
      for (const { position, payload } of scan.frames)
        this.#index(segment, position, payload.subarray(0, BLOCK_HEAD_BYTES));
    if (scan.tornBytes > 0) {
      await segment.file.truncate(scan.end);
      if (this.#options.durable) await segment.file.sync();
    }
    this.#end = scan.end;
    this.#check = scan.check;
    this.#syncedUpTo = this.#options.durable ? scan.end : 0;
  }

  /** Indexes a finished segment by its frame heads alone; each block is checked when it is read. */
  #walk(segment: Segment): void {
    const size = segment.file.size();
    let position = FILE_HEADER_BYTES;
    while (position < size) {
      const head = segment.file.readNow(position, FRAME_HEAD_BYTES + BLOCK_HEAD_BYTES);
      if (head.length < FRAME_HEAD_BYTES + BLOCK_HEAD_BYTES)
        throw damaged(segment.name, position, 'a record is cut off');
      const length = new DataView(head.buffer, head.byteOffset).getUint32(4);
      this.#index(segment, position, head.subarray(FRAME_HEAD_BYTES));
      position += FRAME_OVERHEAD_BYTES + length;
    }
    if (position !== size) throw damaged(segment.name, position, 'a record is cut off');
    segment.end = size;
  }

  #index(segment: Segment, position: number, head: Uint8Array): void {
    const height = head.length < BLOCK_HEAD_BYTES ? 0 : heightIn(head);
    const expected = this.#places.height + 1;
    if (height !== expected)
      throw damaged(segment.name, position, `block ${expected} is expected, ${height} is there`);
    const { firstNumber, transactions } = numbersIn(head);
    const number = this.#nextNumber(height);
    if (firstNumber !== number)
      throw damaged(segment.name, position, `transaction ${number} is expected, ${firstNumber} is there`);
    this.#places.add(this.#segments.length - 1, position, transactions);
  }

  append(block: Block): void {
    if (this.#failed || this.#closed) return;
    const { height } = block.header;
    if (height <= this.#height) {
      if (this.headerHash(height) !== block.headerHash)
        this.#fatal(
          `The stored block ${height} differs from the one executed now, or is damaged; stop and run \`moiety audit\`.`,
        );
      return;
    }
    if (height !== this.#height + 1) {
      this.#fatal(
        `The block files end at height ${this.#height}, but block ${height} was to follow: blocks are lost (a power ` +
          'cut without durability fsync?). Remove the store with `moiety fault wipe REPLICA` and start the replica again.',
      );
      return;
    }
    const firstNumber = this.#nextNumber(height);
    this.#height = height;
    const job: BlockJob = { kind: 'block', block, firstNumber };
    this.#pending.set(height, job);
    this.#waitingBytes += block.bytes.length;
    this.#add(job);
    for (const { headerHash, signature } of this.#early.take(height))
      this.sign(height, headerHash, signature);
  }

  #nextNumber(height: Height): number {
    const pending = this.#pending.get(height - 1);
    if (pending !== undefined) return pending.firstNumber + pending.block.transactions.length;
    return this.#places.numberAfter(height - 1);
  }

  sign(height: Height, headerHash: Digest, signature: HeaderSignature): void {
    if (this.#failed || this.#closed) return;
    if (height <= this.#height) {
      if (this.#claimedHash(height) === headerHash) this.#signatures.put(height, headerHash, signature);
      return;
    }
    // This replica lags. What a peer claims about later heights is compared when they come.
    if (signature.replica < 0 || signature.replica >= this.#options.replicas) return;
    this.#early.put(height, headerHash, signature);
  }

  truncateAbove(height: Height): void {
    if (this.#failed || this.#closed || height >= this.#height) return;
    this.#height = height;
    for (const known of this.#pending.keys()) if (known > height) this.#pending.delete(known);
    this.#cache.clear();
    this.#cacheBytes = 0;
    this.#add({ kind: 'truncate', height });
  }

  read(height: Height): Uint8Array | undefined {
    const waiting = this.#pending.get(height);
    if (waiting !== undefined) return waiting.block.bytes;
    const cached = this.#cache.get(height);
    if (cached !== undefined) return cached;
    const bytes = this.#payloadAt(height)?.subarray(BLOCK_HEAD_BYTES);
    if (bytes === undefined) return undefined;
    const plain = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#remember(height, plain);
    return plain;
  }

  /** What stands at the place of a block; undefined if there is none, or if it is not this block as it was written. */
  #payloadAt(height: Height): Uint8Array | undefined {
    const place = height > this.#height ? undefined : this.#places.at(height);
    if (place === undefined) return undefined;
    const { identity, file } = this.#segments[place.segment]!;
    const length = Math.max(0, this.#endOf(height, place) - place.position);
    const frame = file.readNow(place.position, length);
    const payload = readFrame(identity, place.position, frame);
    if (payload !== undefined && heightIn(payload) === height) return payload;
    this.damagedReads += 1;
    return undefined;
  }

  /** Where the record of a block ends: where the next one begins, or the segment ends. */
  #endOf(height: Height, { segment }: BlockPlace): number {
    const next = this.#places.at(height + 1);
    if (next?.segment === segment) return next.position;
    return segment === this.#segments.length - 1 ? this.#end : this.#segments[segment]!.end;
  }

  /** Blocks that could not be read because their check value is wrong. */
  damagedReads = 0;

  #remember(height: Height, bytes: Uint8Array): void {
    this.#cache.set(height, bytes);
    this.#cacheBytes += bytes.length;
    for (const [oldest, old] of this.#cache) {
      if (this.#cacheBytes <= CACHE_BYTES) break;
      this.#cache.delete(oldest);
      this.#cacheBytes -= old.length;
    }
  }

  /** Header hash of a block; undefined if there is none, or if its record is damaged. */
  headerHash(height: Height): Digest | undefined {
    if (height > this.#height) return undefined;
    const pending = this.#pending.get(height);
    if (pending !== undefined) return pending.block.headerHash;
    const payload = this.#payloadAt(height);
    return payload === undefined ? undefined : headerHashIn(payload);
  }

  /** The same without a look at the whole block: for peers, who may ask for any block as often as they like. */
  #claimedHash(height: Height): Digest | undefined {
    const pending = this.#pending.get(height);
    if (pending !== undefined) return pending.block.headerHash;
    const place = height > this.#height ? undefined : this.#places.at(height);
    if (place === undefined) return undefined;
    const { file } = this.#segments[place.segment]!;
    const head = file.readNow(place.position + FRAME_HEAD_BYTES, BLOCK_HEAD_BYTES);
    return head.length === BLOCK_HEAD_BYTES && heightIn(head) === height ? headerHashIn(head) : undefined;
  }

  /** Header signatures kept for a block, ascending by replica; those that were learnt are not verified. */
  signatures(height: Height): readonly HeaderSignature[] {
    const headerHash = this.#claimedHash(height);
    return headerHash === undefined ? [] : this.#signatures.get(height, headerHash);
  }

  /** Number of the block's first transaction (from 1) and how many it has. */
  numbersOf(height: Height): { readonly first: number; readonly count: number } | undefined {
    if (height < 1 || height > this.#height) return undefined;
    const pending = this.#pending.get(height);
    if (pending !== undefined)
      return { first: pending.firstNumber, count: pending.block.transactions.length };
    const first = this.#places.at(height)?.firstNumber;
    return first === undefined ? undefined : { first, count: this.#places.numberAfter(height) - first };
  }

  /** Transactions of all blocks. */
  get transactionCount(): number {
    return this.#nextNumber(this.#height + 1) - 1;
  }

  /** Height of the block that holds a transaction number; undefined if there is none yet. */
  heightOfNumber(number: number): Height | undefined {
    let low = 1;
    let high = this.#height;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const { first, count } = this.numbersOf(middle)!;
      if (number < first) high = middle - 1;
      else if (number >= first + count) low = middle + 1;
      else return middle;
    }
    return undefined;
  }

  /** True once everything given so far is durable (written, if the store is not durable); false if the disk failed. */
  flush(): Promise<boolean> {
    return new Promise((resolve) => {
      if (this.#failed || this.#closed) resolve(false);
      else this.#add({ kind: 'flush', done: resolve });
    });
  }

  /** Writes everything and closes the files. */
  async close(): Promise<void> {
    if (this.#closed) return;
    if (!this.#failed) await this.flush();
    this.#closed = true;
    for (const segment of this.#segments) await segment.file.close().catch(() => undefined);
    await this.#signatures.close();
  }

  #add(job: Job): void {
    this.#jobs.push(job);
    if (this.#running) return;
    // A block may wait for others: it is served from memory meanwhile, and can be made again from the journal.
    if (job.kind === 'block' && this.#waitingBytes < LINGER_BYTES) {
      this.#linger ??= setTimeout(() => this.#start(), LINGER_MS);
      return;
    }
    this.#start();
  }

  #start(): void {
    clearTimeout(this.#linger);
    this.#linger = undefined;
    if (this.#running) return;
    this.#running = true;
    setImmediate(() => {
      void this.#run();
    });
  }

  async #run(): Promise<void> {
    while (this.#jobs.length > 0 && !this.#failed) {
      const job = this.#jobs[0]!;
      try {
        if (job.kind === 'block') await this.#writeBlocks();
        else {
          this.#jobs.shift();
          if (job.kind === 'truncate') await this.#truncate(job.height);
          else await this.#sync();
        }
      } catch (error) {
        if (job.kind === 'flush') job.done(false);
        this.#fatal(diskFailureSentence('Writing a block file', this.#options.folder, error));
        return;
      }
      if (job.kind === 'flush') job.done(true);
    }
    this.#running = false;
  }

  /** Writes the blocks at the head of the queue with one write. */
  async #writeBlocks(): Promise<void> {
    const limit = this.#options.segmentBytes ?? SEGMENT_BYTES;
    if (this.#segments.length === 0 || this.#end > limit) await this.#newSegment();
    const segment = this.#segments.at(-1)!;
    const frames: Uint8Array[] = [];
    const positions: number[] = [];
    const written: BlockJob[] = [];
    const start = this.#end;
    let end = start;
    for (let job = this.#jobs[0]; job?.kind === 'block' && end <= limit; job = this.#jobs[0]) {
      this.#jobs.shift();
      const at = { position: end, syncedUpTo: this.#syncedUpTo, previous: this.#check };
      const frame = createFrame(segment.identity, at, blockPayload(job.block, job.firstNumber));
      frames.push(frame.bytes);
      this.#check = frame.check;
      positions.push(end);
      written.push(job);
      end += frame.bytes.length;
    }
    await segment.file.write(frames.length === 1 ? frames[0]! : Buffer.concat(frames), start);
    this.#end = end;
    for (const [index, job] of written.entries()) {
      this.#waitingBytes -= job.block.bytes.length;
      this.#places.add(this.#segments.length - 1, positions[index]!, job.block.transactions.length);
      // Unless it was truncated and given anew in the meantime.
      const { height } = job.block.header;
      if (this.#pending.get(height) === job) this.#pending.delete(height);
    }
  }

  async #newSegment(): Promise<void> {
    const { disk, folder, durable } = this.#options;
    const former = this.#segments.at(-1);
    // What comes before the segment that is continued is never looked at for torn writes.
    if (former !== undefined && durable) await former.file.sync();
    if (former !== undefined) former.end = this.#end;
    const generation = (former?.identity.generation ?? 0) + 1;
    const name = `blocks-${String(generation).padStart(10, '0')}.dat`;
    const file = await disk.open(path.join(folder, name));
    const { header, identity } = createFileHeader(KIND, generation);
    await file.write(header, 0);
    if (durable) await file.sync();
    await disk.syncFolder(folder);
    this.#segments.push({ identity, file, name, end: 0 });
    this.#end = FILE_HEADER_BYTES;
    this.#check = identity.check;
    this.#syncedUpTo = FILE_HEADER_BYTES;
  }

  async #truncate(height: Height): Promise<void> {
    const { disk, folder } = this.#options;
    const first = this.#places.at(height + 1);
    if (first === undefined) return;
    const { file, identity } = this.#segments[first.segment]!;
    const { check } = scanFrames(identity, file.readNow(0, first.position));
    // All at once: whoever reads while the files follow finds every block that is kept.
    this.#places.truncateAbove(height);
    const dropped = this.#segments.splice(first.segment + 1);
    this.#end = first.position;
    this.#check = check;
    this.#syncedUpTo = this.#options.durable ? first.position : 0;
    // One by one from the end: at no moment may a crash leave a hole between segments.
    for (const segment of dropped.reverse()) {
      await segment.file.close();
      await disk.remove(path.join(folder, segment.name));
      await disk.syncFolder(folder);
    }
    await file.truncate(first.position);
    // Durable before anything is written over it: old frames behind new ones would look like damage.
    if (this.#options.durable) await file.sync();
  }

  async #sync(): Promise<void> {
    await this.#signatures.flush(this.#options.durable);
    const segment = this.#segments.at(-1);
    if (!this.#options.durable || segment === undefined || this.#syncedUpTo === this.#end) return;
    await segment.file.sync();
    this.#syncedUpTo = this.#end;
  }

  #fatal(sentence: string): void {
    if (this.#failed) return;
    this.#failed = true;
    for (const job of this.#jobs.splice(0)) if (job.kind === 'flush') job.done(false);
    this.#options.onFatal(sentence);
  }
}
