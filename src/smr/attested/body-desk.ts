/** Batch bodies of one replica: judged, stored before anything rests on them, fetched where they are lacking. */
import type { ReplicaContext } from '../../core/protocol.ts';
import type { Batch } from '../../core/request.ts';
import { decodeBatch } from '../../core/request.ts';
import type { Digest, Milliseconds, ReplicaId, SequenceNumber } from '../../core/types.ts';
import { buildBatch, TIME_AHEAD_MAX_MS } from '../batcher.ts';
import { BodyKeeper } from '../bodies.ts';
import type { Desk } from './desk.ts';

const KEY = 'body/';

/** Whether a replica may vote for a batch: at once, when its own clock has moved on, or never. */
export type BatchVerdict = 'good' | 'early' | 'bad';

/** See the top of this file. */
export class BodyDesk<M> {
  readonly #desk: Desk<M>;
  readonly #context: ReplicaContext;
  readonly #keeper = new BodyKeeper();
  /** The batch that does nothing: fills holes of a view change. Everybody makes the same one. */
  readonly nullBatch: Batch;

  constructor(desk: Desk<M>) {
    this.#desk = desk;
    this.#context = desk.context;
    const nothing = { proposedInView: 0, time: 0, recovers: [], bundles: [] };
    const { hash, domain } = desk.context;
    this.nullBatch = buildBatch(hash, domain, nothing);
  }

  /** Takes in a body. True if somebody waited for it. */
  put(batch: Batch): boolean {
    return this.#keeper.put(batch);
  }

  get(digest: Digest): Batch | undefined {
    return digest === this.nullBatch.digest ? this.nullBatch : this.#keeper.get(digest);
  }

  /** The body of a proposal, or undefined: then it is asked for, first of `first`, then of everybody. */
  need(digest: Digest, first: readonly ReplicaId[]): Batch | undefined {
    const batch = this.get(digest);
    if (batch !== undefined || this.#keeper.isWanted(digest)) return batch;
    const all = this.#context.settings.members.map(({ id }) => id);
    const sources = [...first, ...all.filter((replica) => !first.includes(replica))];
    this.#keeper.want(
      digest,
      sources.filter((replica) => replica !== this.#desk.self),
      this.#desk.now,
    );
    return undefined;
  }

  /** The body that is wanted for longest, and who may have it, its proposer first. */
  oldestWanted(): ReturnType<BodyKeeper['oldestWanted']> {
    return this.#keeper.oldestWanted();
  }

  /** Whether this replica may vote for the batch: every seal in it holds, nothing is in it that the protocol does not know. */
  judge(batch: Batch): BatchVerdict {
    if (batch.recovers.length > 0 || batch.bundleAuthentic.includes(false)) return 'bad';
    if (batch.time <= this.#desk.wallMs + TIME_AHEAD_MAX_MS) return 'good';
    // Nobody is accused for it: clocks differ. The request timer deals with a primary that lies about time.
    this.#desk.wakeAt('bodies', this.#desk.now + batch.time - this.#desk.wallMs - TIME_AHEAD_MAX_MS);
    return 'early';
  }

  /** Sends a body that this replica proposes to these replicas; undefined: to all others. */
  share(batch: Batch, audience?: readonly ReplicaId[]): void {
    this.#keeper.keep(batch);
    if (audience === undefined) return this.#desk.emit({ kind: 'shareBody', batch });
    for (const to of audience) if (to !== this.#desk.self) this.#desk.emit({ kind: 'shareBody', batch, to });
  }

  /** W1: the body is in the durable map before anything that rests on it is attested or executed. */
  makeDurable(batch: Batch, sequence: SequenceNumber): void {
    if (batch.digest === this.nullBatch.digest) this.#keeper.keep(batch);
    const known = this.#keeper.isDurable(batch.digest);
    this.#keeper.markDurable(batch.digest, sequence);
    if (!known) this.#desk.store([{ key: KEY + batch.digest, value: batch.bytes }]);
  }

  /** Makes durable what is here of the batches that a view starts with: those of `after`+1, `after`+2, and so on. */
  makeAllDurable(digests: readonly Digest[], after: SequenceNumber): void {
    for (const [index, digest] of digests.entries()) {
      const batch = this.get(digest);
      if (batch !== undefined) this.makeDurable(batch, after + index + 1);
    }
  }

  /** Whether the store has this body, or needs none for it. It was judged good before. */
  isDurable(digest: Digest): boolean {
    return digest === this.nullBatch.digest || this.#keeper.isDurable(digest);
  }

  /** The body was executed: memory may forget it, the store keeps it. */
  release(digest: Digest): void {
    this.#keeper.release(digest);
  }

  /** Bodies that are lacking are asked for, of one source after the other. */
  fetch(retryMs: Milliseconds): void {
    if (this.#keeper.wantedCount === 0) return;
    for (const { digest, from } of this.#keeper.dueFetches(this.#desk.now, retryMs))
      this.#desk.emit({ kind: 'fetchBody', digest, from });
    const next = this.#keeper.nextFetch();
    if (next !== undefined) this.#desk.wakeAt('bodies', Math.max(next, this.#desk.now + 1));
  }

  /** Forgets what was fetched for nothing, and stops to fetch: what is still needed is asked for again. */
  sweep(): void {
    this.#keeper.demote();
  }

  /** Forgets bodies that no sequence number above this one needs. */
  dropThrough(sequence: SequenceNumber): void {
    const dropped = this.#keeper.dropDurableThrough(sequence);
    this.#desk.store(dropped.map((digest) => ({ key: KEY + digest, value: undefined })));
  }

  /** Takes back stored bodies after a restart; all were judged good before they were stored. */
  restore(stored: ReadonlyMap<string, Uint8Array>, sequence: SequenceNumber): void {
    const { hash, domain, settings } = this.#context;
    for (const [key, bytes] of stored) {
      if (!key.startsWith(KEY)) continue;
      const batch = decodeBatch(hash, domain, bytes, settings.limits.batchRequestsMax);
      if (batch === undefined) continue;
      const authentic = { bundleAuthentic: batch.bundles.map(() => true), recoverAuthentic: [] };
      this.#keeper.keep({ ...batch, ...authentic });
      // Which order needed it is not on record: it stays until the next checkpoint but one.
      this.#keeper.markDurable(batch.digest, sequence);
    }
  }

  /** What is kept in memory, for judges. */
  sizes(): { readonly bodies: number; readonly bytes: number; readonly durable: number } {
    return this.#keeper.sizes();
  }
}
