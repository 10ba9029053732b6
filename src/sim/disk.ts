/**
 * The disk of one simulated replica. What was synced survives a crash; of what was only appended a random part is
 * found again, from the front (a torn record is cut off by the real store's checksum, so it never shows here).
 */
import type { StoredImage } from '../host/ports.ts';
import type { Block, FrozenCheckpoint, HeaderSignature } from '../ledger/contract.ts';
import type { ReplicaId, SequenceNumber } from '../core/types.ts';
import type { Chance } from './chance.ts';
import { SITE } from './chance.ts';
import type { EventQueue } from './event-queue.ts';

/** Speed of a disk, milliseconds. */
export interface DiskSettings {
  readonly syncLowMs: number;
  readonly syncHighMs: number;
}

interface Journal {
  /** Records that a rewrite put at its front; 0 for the first journal. */
  rewritten: number;
  records: Uint8Array[];
  /** Records from the front that are durable. */
  synced: number;
}

interface StoredSnapshot {
  readonly sequence: SequenceNumber;
  readonly meta: Uint8Array;
  readonly chunks: ReadonlyMap<number, Uint8Array>;
}

/** One replica's files. `lifetime` of the owner decides which completions are still wanted. */
export class SimDisk {
  readonly #owner: ReplicaId;
  readonly #queue: EventQueue;
  readonly #chance: Chance;
  #settings: DiskSettings;
  #journal: Journal = { rewritten: 0, records: [], synced: 0 };
  /** The journal before a rewrite that is not durable yet. */
  #previous: Journal | undefined;
  #snapshot: StoredSnapshot | undefined;
  /** Changed chunks of checkpoints that were given and are not durable yet, newest state of each chunk. */
  #latestChunks = new Map<number, Uint8Array>();
  #latestSequence: SequenceNumber = -1;
  readonly #checkpointInterval: number;
  #blocks: (Block | undefined)[] = [];
  #blocksDurable = 0;
  #lastDone = 0;
  /** Counts crashes; completions of an earlier life are dropped. */
  #life = 0;
  /** Bytes appended, ever. */
  written = 0;

  constructor(
    owner: ReplicaId,
    queue: EventQueue,
    chance: Chance,
    settings: DiskSettings,
    checkpointInterval: number,
  ) {
    this.#checkpointInterval = checkpointInterval;
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
      journal.synced = Math.max(journal.synced, length);
      this.#blocksDurable = Math.max(this.#blocksDurable, Math.min(height, this.#blocks.length));
      done();
    });
  }

  rewrite(records: readonly Uint8Array[], done: () => void): void {
    const journal: Journal = { rewritten: records.length, records: [...records], synced: 0 };
    for (const record of records) this.written += record.length;
    // Two rewrites may overlap: the oldest journal stays the one to fall back to until the first is durable.
    this.#previous ??= this.#journal;
    this.#journal = journal;
    const length = records.length;
    this.#later(() => {
      journal.synced = Math.max(journal.synced, length);
      if (this.#journal === journal) this.#previous = undefined;
      else this.#previous = journal;
      done();
    });
  }

  /** Stores a checkpoint: of its chunks only those that changed, if the checkpoint before it is the one stored last. */
  storeSnapshot(frozen: FrozenCheckpoint, meta: Uint8Array, done: () => void): void {
    const { sequence } = frozen.checkpoint;
    if (sequence === this.#latestSequence + this.#checkpointInterval) {
      for (const index of frozen.changed) this.#latestChunks.set(index, frozen.chunk(index));
    } else {
      for (let index = 0; index < frozen.chunkCount; index += 1)
        this.#latestChunks.set(index, frozen.chunk(index));
    }
    this.#latestSequence = sequence;
    const snapshot: StoredSnapshot = {
      sequence,
      meta: meta.slice(),
      chunks: new Map(this.#latestChunks),
    };
    const height = this.#blocks.length;
    this.#later(() => {
      this.#snapshot = snapshot;
      this.#blocksDurable = Math.max(this.#blocksDurable, Math.min(height, this.#blocks.length));
      done();
    });
  }

  /** Writes a block; false if the chain would get a hole in it that no earlier write explains. */
  appendBlock(block: Block): void {
    this.#blocks[block.header.height - 1] = block;
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
    const { records, synced } = this.#journal;
    const kept =
      synced + Math.floor(this.#chance.unit(SITE.torn, this.#owner) * (records.length - synced + 1));
    this.#journal = { rewritten: 0, records: records.slice(0, kept), synced: kept };
    this.#latestChunks = new Map(this.#snapshot?.chunks ?? []);
    this.#latestSequence = -1;
    const lost = this.#blocks.length - this.#blocksDurable;
    if (lost > 0)
      this.#blocks.length =
        this.#blocksDurable + Math.floor(this.#chance.unit(SITE.block, this.#owner) * (lost + 1));
  }

  /** The disk is replaced by an empty one. */
  wipe(): void {
    this.crash();
    this.#journal = { rewritten: 0, records: [], synced: 0 };
    this.#snapshot = undefined;
    this.#latestChunks = new Map();
    this.#blocks = [];
    this.#blocksDurable = 0;
  }

  /** What another disk holds durably is put on this one. */
  copyFrom(other: SimDisk): void {
    const { records, synced } = other.#previous ?? other.#journal;
    this.#journal = { rewritten: 0, records: records.slice(0, synced), synced };
    this.#snapshot = other.#snapshot;
    this.#latestChunks = new Map(this.#snapshot?.chunks ?? []);
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
      if (life === this.#life) action();
    });
  }
}
