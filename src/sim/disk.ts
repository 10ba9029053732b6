/**
 * The disk of one simulated replica. What was synced survives a crash; of what was only appended a random part is
 * found again, from the front. On demand it tears the record behind that part (the store's check value finds that and
 * cuts it off), rots, lies about syncs, fails them, or is slow. What the product's store finds out by its check values at
 * a start is `damage` here; what slips past them reaches the host.
 */
import type { StoredImage } from '../host/ports.ts';
import type { Block, FrozenCheckpoint, HeaderSignature } from '../ledger/contract.ts';
import { findChangedChunks } from '../ledger/state-tree.ts';
import type { Digest, ReplicaId } from '../core/types.ts';
import type { Chance } from './chance.ts';
import { SITE } from './chance.ts';
import type { EventQueue } from './event-queue.ts';

/** Speed of a disk, milliseconds. */
export interface DiskSettings {
  readonly syncLowMs: number;
  readonly syncHighMs: number;
  /** Whether a crash may leave a part of the first record that was lost. Absent: no. */
  readonly tornWrites?: boolean;
}

/** Where bits may rot. */
export type RotPlace = 'journal' | 'snapshot' | 'block';

interface Journal {
  /** Records that a rewrite put at its front; 0 for the first journal. */
  rewritten: number;
  records: Uint8Array[];
  /** Records from the front that are durable. */
  synced: number;
  /** Whether a durable record of it rotted. */
  rotten: boolean;
}

interface StoredSnapshot {
  readonly meta: Uint8Array;
  readonly chunks: ReadonlyMap<number, Uint8Array>;
  /** Digests of the chunks as they were written. */
  readonly leaves: readonly Digest[];
  /** Bytes of all chunks. */
  readonly bytes: number;
}

/** One replica's files. `lifetime` of the owner decides which completions are still wanted. */
export class SimDisk {
  readonly #owner: ReplicaId;
  readonly #queue: EventQueue;
  readonly #chance: Chance;
  #settings: DiskSettings;
  #journal: Journal = { rewritten: 0, records: [], synced: 0, rotten: false };
  /** The journal before a rewrite that is not durable yet. */
  #previous: Journal | undefined;
  #snapshot: StoredSnapshot | undefined;
  /** Changed chunks of checkpoints that were given and are not durable yet, newest state of each chunk. */
  #latestChunks = new Map<number, Uint8Array>();
  #latestLeaves: readonly Digest[] = [];
  #latestBytes = 0;
  #blocks: (Block | undefined)[] = [];
  #blocksDurable = 0;
  #lastDone = 0;
  /** Counts crashes; completions of an earlier life are dropped. */
  #life = 0;
  /** A chunk that rotted, as long as these very bytes are on the disk. */
  #rottenChunk: { readonly index: number; readonly bytes: Uint8Array; readonly hidden: boolean } | undefined;
  readonly #rottenBlocks = new Set<number>();
  #lying = false;
  #onFailure: (() => void) | undefined;
  #suspect = false;
  /** Bytes appended, ever. */
  written = 0;
  /** Records that a crash tore and the store cut off. */
  torn = 0;
  /** Syncs that were answered without being done. */
  lies = 0;
  /** Blocks that could not be read. */
  unreadable = 0;

  constructor(owner: ReplicaId, queue: EventQueue, chance: Chance, settings: DiskSettings) {
    this.#owner = owner;
    this.#queue = queue;
    this.#chance = chance;
    this.#settings = settings;
  }

  configure(settings: DiskSettings): void {
    this.#settings = settings;
  }

  /** Records of the current journal. */
  get journalLength(): number {
    return this.#journal.records.length;
  }

  /** Height of the highest block that is there. */
  get blockHeight(): number {
    return this.#blocks.length;
  }

  append(record: Uint8Array): void {
    this.written += record.length;
    this.#journal.records.push(record);
  }

  /** Makes what was appended so far durable, then calls `done`. Operations finish in the order of their calls. */
  sync(done: () => void): void {
    const journal = this.#journal;
    const length = journal.records.length;
    const height = this.#blocks.length;
    this.#later(() => {
      if (!this.#lies()) {
        journal.synced = Math.max(journal.synced, length);
        this.#blocksDurable = Math.max(this.#blocksDurable, Math.min(height, this.#blocks.length));
      }
      done();
    });
  }

  rewrite(records: readonly Uint8Array[], done: () => void): void {
    const journal: Journal = { rewritten: records.length, records: [...records], synced: 0, rotten: false };
    for (const record of records) this.written += record.length;
    // Two rewrites may overlap: the oldest journal stays the one to fall back to until the first is durable.
    this.#previous ??= this.#journal;
    this.#journal = journal;
    const length = records.length;
    this.#later(() => {
      if (!this.#lies()) {
        journal.synced = Math.max(journal.synced, length);
        if (this.#journal === journal) this.#previous = undefined;
        else this.#previous = journal;
      }
      done();
    });
  }

  /** Bytes of the chunks of the durable snapshot. */
  get stateBytes(): number {
    return this.#snapshot?.bytes ?? 0;
  }

  /** Stores a checkpoint: of its chunks those that are not as in the one that was given before. */
  storeSnapshot(frozen: FrozenCheckpoint, meta: Uint8Array, done: () => void): void {
    const { leaves, chunkCount } = frozen;
    const changed = new Uint32Array(chunkCount);
    const count = findChangedChunks([this.#latestLeaves, leaves], [0, chunkCount], changed, 0);
    for (const index of changed.subarray(0, count)) {
      const chunk = frozen.chunk(index);
      this.#latestBytes += chunk.length - (this.#latestChunks.get(index)?.length ?? 0);
      this.#latestChunks.set(index, chunk);
    }
    this.#latestLeaves = leaves;
    const chunks = new Map(this.#latestChunks);
    const snapshot: StoredSnapshot = { meta: meta.slice(), chunks, leaves, bytes: this.#latestBytes };
    const height = this.#blocks.length;
    this.#later(() => {
      if (!this.#lies()) {
        this.#snapshot = snapshot;
        this.#blocksDurable = Math.max(this.#blocksDurable, Math.min(height, this.#blocks.length));
      }
      done();
    });
  }

  /** Writes a block; false if the chain would get a hole in it that no earlier write explains. */
  appendBlock(block: Block): void {
    this.#blocks[block.header.height - 1] = block;
    this.#rottenBlocks.delete(block.header.height);
  }

  signBlock(_height: number, _headerHash: string, _signature: HeaderSignature): void {
    // Header signatures are not judged by the simulator.
  }

  truncateBlocksAbove(height: number): void {
    if (height >= this.#blocks.length) return;
    this.#blocks.length = height;
    this.#blocksDurable = Math.min(this.#blocksDurable, height);
  }

  readBlock(height: number): Uint8Array | undefined {
    // The product's store checks what it reads and gives nothing if that is not what it wrote.
    if (this.#rottenBlocks.has(height)) {
      this.unreadable += 1;
      return undefined;
    }
    return this.#blocks[height - 1]?.bytes;
  }

  /** Power is gone: unsynced parts are lost from a random point on. */
  crash(): void {
    this.#life += 1;
    this.#lastDone = 0;
    if (this.#previous !== undefined) {
      // The rename of a rewrite may or may not have reached the disk; in the second case nothing of the new one counts.
      const renamed = this.#chance.happens(SITE.torn, this.#owner, 0.5);
      if (renamed) this.#journal.synced = Math.max(this.#journal.synced, this.#journal.rewritten);
      else this.#journal = this.#previous;
      this.#previous = undefined;
    }
    const { records, synced, rotten } = this.#journal;
    const kept =
      synced + Math.floor(this.#chance.unit(SITE.torn, this.#owner) * (records.length - synced + 1));
    if (this.#settings.tornWrites === true && kept < records.length) this.torn += 1;
    this.#journal = { rewritten: 0, records: records.slice(0, kept), synced: kept, rotten };
    this.#forgetUnstored();
    const lost = this.#blocks.length - this.#blocksDurable;
    if (lost > 0)
      this.#blocks.length =
        this.#blocksDurable + Math.floor(this.#chance.unit(SITE.block, this.#owner) * (lost + 1));
  }

  /** The next snapshot is compared with the durable one. */
  #forgetUnstored(): void {
    this.#latestChunks = new Map(this.#snapshot?.chunks ?? []);
    this.#latestLeaves = this.#snapshot?.leaves ?? [];
    this.#latestBytes = this.#snapshot?.bytes ?? 0;
  }

  /** The disk is replaced by an empty one. */
  wipe(): void {
    this.crash();
    this.#journal = { rewritten: 0, records: [], synced: 0, rotten: false };
    this.#snapshot = undefined;
    this.#forgetUnstored();
    this.#blocks = [];
    this.#blocksDurable = 0;
    this.#rottenChunk = undefined;
    this.#rottenBlocks.clear();
    this.#lying = false;
    this.#suspect = false;
  }

  // ---- faults -----------------------------------------------------------------------------------------------------

  /**
   * A bit flips in something durable; false if there is nothing of the kind. `hidden`: the store's check value does not
   * notice, so a snapshot comes to the host as it is (nothing else could come that far).
   */
  rot(place: RotPlace, hidden: boolean): boolean {
    if (place === 'journal') {
      if (this.#journal.synced === 0) return false;
      this.#journal.rotten = true;
      return true;
    }
    if (place === 'block') {
      const height = 1 + Math.floor(this.#chance.unit(SITE.rot, this.#owner) * this.#blocksDurable);
      if (this.#blocks[height - 1] === undefined) return false;
      this.#rottenBlocks.add(height);
      return true;
    }
    const indexes = [...(this.#snapshot?.chunks.keys() ?? [])];
    const index = indexes[Math.floor(this.#chance.unit(SITE.rot, this.#owner) * indexes.length)];
    if (this.#snapshot === undefined || index === undefined) return false;
    const before = this.#snapshot.chunks.get(index)!;
    const bytes = before.length === 0 ? new Uint8Array([1]) : before.slice();
    const at = Math.floor(this.#chance.unit(SITE.rot, this.#owner) * before.length);
    bytes[at] = bytes[at]! ^ 0x10;
    this.#snapshot = { ...this.#snapshot, chunks: new Map(this.#snapshot.chunks).set(index, bytes) };
    // Later snapshots write only what changed: the rotten chunk stays until then.
    if (this.#latestChunks.get(index) === before) this.#latestChunks.set(index, bytes);
    this.#rottenChunk = { index, bytes, hidden };
    if (hidden) this.#suspect = true;
    return true;
  }

  /** From now on syncs are answered without being done, or no longer. */
  lie(lying: boolean): void {
    this.#lying = lying;
    if (lying) this.#suspect = true;
  }

  /** From now on every write fails (full, or broken), and `onFailure` is told; or none does any more. */
  fail(onFailure: (() => void) | undefined): void {
    this.#onFailure = onFailure;
  }

  /** What the store's check values find at a start: the reason for not starting. */
  get damage(): string | undefined {
    if (this.#journal.rotten) return 'the journal is damaged';
    const rotten = this.#rottenChunk;
    if (rotten !== undefined && !rotten.hidden && this.#snapshot?.chunks.get(rotten.index) === rotten.bytes)
      return `chunk ${rotten.index} of the snapshot has a wrong check value`;
    for (const height of this.#rottenBlocks)
      if (height <= this.#blocks.length) return `block ${height} is damaged`;
    return undefined;
  }

  /** Whether there are blocks on it that cannot be read. */
  get isRotten(): boolean {
    return this.#rottenBlocks.size > 0;
  }

  /** Whether it did something that its check values do not show: a host that refuses it is right. */
  get isSuspect(): boolean {
    return this.#suspect;
  }

  #lies(): boolean {
    if (this.#lying) this.lies += 1;
    return this.#lying;
  }

  /** What another disk holds durably is put on this one. */
  copyFrom(other: SimDisk): void {
    const { records, synced } = other.#previous ?? other.#journal;
    this.#journal = { rewritten: 0, records: records.slice(0, synced), synced, rotten: false };
    this.#snapshot = other.#snapshot;
    this.#forgetUnstored();
    this.#blocks = other.#blocks.slice(0, other.#blocksDurable);
    this.#blocksDurable = this.#blocks.length;
  }

  /** What a starting replica finds. */
  image(): StoredImage {
    const snapshot = this.#snapshot;
    return {
      journal: [...this.#journal.records],
      snapshot: snapshot && {
        meta: snapshot.meta,
        chunk: (index) => snapshot.chunks.get(index) ?? new Uint8Array(0),
      },
    };
  }

  #later(action: () => void): void {
    const { syncLowMs, syncHighMs } = this.#settings;
    const life = this.#life;
    const delay = this.#chance.range(SITE.disk, this.#owner, syncLowMs, syncHighMs);
    const at = Math.max(this.#queue.now + delay, this.#lastDone);
    this.#lastDone = at;
    this.#queue.after(at - this.#queue.now, () => {
      if (life !== this.#life) return;
      if (this.#onFailure === undefined) action();
      else this.#onFailure();
    });
  }
}
