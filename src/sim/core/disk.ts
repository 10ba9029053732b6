/**
 * The durable store of the core fidelity: the records of a journal as objects, and snapshots as references. What is
 * lost at a crash follows the rules of the real store: everything from a random point of the unsynced records on.
 * Whether a write is durable is worked out when it matters, by its time; only what somebody waits for is an event.
 */
import type { ReplicaId, SequenceNumber, TcEpoch } from '../../core/types.ts';
import type { Chance } from '../chance.ts';
import { SITE } from '../chance.ts';
import type { DiskSettings } from '../disk.ts';
import type { EventQueue } from '../event-queue.ts';
import { CoreImage } from './core-image.ts';
import type { CoreRecord } from './core-image.ts';
import type { FrozenService } from './service.ts';

interface PendingSnapshot {
  readonly state: FrozenService;
  /** Records before it: the certificate of its checkpoint is among them, and must not be younger than it. */
  readonly length: number;
  readonly atMs: number;
}

/** See the top of this file. */
export class CoreDisk {
  readonly #owner: ReplicaId;
  readonly #queue: EventQueue;
  readonly #chance: Chance;
  readonly #genesisEpoch: TcEpoch;
  #settings: DiskSettings;
  #records: CoreRecord[] = [];
  #synced = 0;
  #snapshot: FrozenService | undefined;
  #pending: PendingSnapshot | undefined;
  #lastDone = 0;

  constructor(
    owner: ReplicaId,
    queue: EventQueue,
    chance: Chance,
    settings: DiskSettings,
    genesisEpoch: TcEpoch,
  ) {
    this.#owner = owner;
    this.#queue = queue;
    this.#chance = chance;
    this.#settings = settings;
    this.#genesisEpoch = genesisEpoch;
  }

  configure(settings: DiskSettings): void {
    this.#settings = settings;
  }

  /** Records so far. */
  get length(): number {
    return this.#records.length;
  }

  append(record: CoreRecord): void {
    this.#records.push(record);
  }

  /** When a sync that is asked for now will be done, milliseconds. Writes are done in the order in which they were asked. */
  syncDoneAt(): number {
    const { syncLowMs, syncHighMs } = this.#settings;
    const delay = this.#chance.range(SITE.disk, this.#owner, syncLowMs, syncHighMs);
    this.#lastDone = Math.max(this.#queue.now + delay, this.#lastDone);
    return this.#lastDone;
  }

  /** The first `length` records are durable. */
  markSynced(length: number): void {
    this.#synced = Math.max(this.#synced, length);
  }

  /** Writes a snapshot; gives the time at which it will be durable. One at a time: a newer one replaces one under way. */
  storeSnapshot(state: FrozenService): number {
    this.#settle();
    const { length } = this.#records;
    const atMs = this.syncDoneAt();
    this.#pending = { state, length, atMs };
    return atMs;
  }

  /** Sequence number of the durable snapshot; 0 for none. */
  snapshotSequence(): SequenceNumber {
    this.#settle();
    return this.#snapshot?.sequence ?? 0;
  }

  #settle(): void {
    const pending = this.#pending;
    if (pending === undefined || pending.atMs > this.#queue.now) return;
    this.#snapshot = pending.state;
    this.markSynced(pending.length);
    this.#pending = undefined;
  }

  /** Power is gone: unsynced records are lost from a random point on, and a snapshot that was under way. */
  crash(): void {
    this.#settle();
    this.#pending = undefined;
    this.#lastDone = 0;
    const unsynced = this.#records.length - this.#synced;
    if (unsynced > 0)
      this.#records.length =
        this.#synced + Math.floor(this.#chance.unit(SITE.torn, this.#owner) * (unsynced + 1));
    this.#synced = this.#records.length;
  }

  /** It is replaced by an empty one. */
  wipe(): void {
    this.#records = [];
    this.#synced = 0;
    this.#snapshot = undefined;
    this.#pending = undefined;
  }

  /** What another disk holds durably is put on this one. */
  copyFrom(other: CoreDisk): void {
    other.#settle();
    this.#records = other.#records.slice(0, other.#synced);
    this.#synced = this.#records.length;
    this.#snapshot = other.#snapshot;
  }

  /** What a starting replica finds. */
  image(): { readonly image: CoreImage; readonly snapshot: FrozenService | undefined } {
    const image = new CoreImage(this.#genesisEpoch);
    for (const record of this.#records) image.take(record);
    return { image, snapshot: this.#snapshot };
  }
}
