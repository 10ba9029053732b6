/** Requests that wait at one replica: passed on, proposed, and the deadline after which the primary is suspected. */
import type { ReplicaContext } from '../../core/protocol.ts';
import type { Batch, Bundle } from '../../core/request.ts';
import type { Milliseconds, ReplicaId, View } from '../../core/types.ts';
import { BATCH_FRAME_BYTES, buildBatch, decideBatch } from '../batcher.ts';
import { PendingRequests } from '../pending-requests.ts';
import type { Desk } from './desk.ts';

/** See the top of this file. */
export class RequestDesk<M> {
  readonly #desk: Desk<M>;
  readonly #context: ReplicaContext;
  readonly pending = new PendingRequests();

  constructor(desk: Desk<M>) {
    this.#desk = desk;
    this.#context = desk.context;
  }

  /** A client's bundle, authentic and not executed as far as is known. */
  add(bundle: Bundle, delayMs: Milliseconds): void {
    if (this.pending.has(bundle.digest) || this.#context.isExecuted(bundle)) return;
    this.pending.add(bundle, this.#desk.now, delayMs);
  }

  /** These were executed. */
  settle(bundles: readonly Bundle[]): void {
    for (const bundle of bundles) this.pending.remove(bundle.digest);
  }

  /** On entering a view: everything is unproposed again, and every deadline starts anew. */
  restart(delayMs: Milliseconds): void {
    this.pending.clearProposed();
    this.pending.restartDeadlines(this.#desk.now, delayMs);
  }

  /** Passes on what is due; true if a request is past its deadline (all deadlines then start anew). */
  considerDeadlines(primary: ReplicaId, delayMs: Milliseconds): boolean {
    const desk = this.#desk;
    const wake = this.pending.nextWake();
    if (wake === undefined) return false;
    if (wake > desk.now) {
      desk.wakeAt('request', wake);
      return false;
    }
    const { toPrimary, toAll } = this.pending.dueForwards(desk.now);
    for (const bundle of toPrimary)
      if (primary !== desk.self && this.#stillWaits(bundle))
        desk.emit({ kind: 'forward', bundle, to: primary });
    for (const bundle of toAll) if (this.#stillWaits(bundle)) desk.emit({ kind: 'forward', bundle });
    const overdue = this.pending.isOverdue(desk.now, this.#context.isExecuted);
    if (overdue) this.pending.restartDeadlines(desk.now, delayMs);
    const next = this.pending.nextWake();
    if (next !== undefined) desk.wakeAt('request', Math.max(next, desk.now + 1));
    return overdue;
  }

  /** What an update brought, or a fetched state, was executed without being seen here: it is forgotten now. */
  #stillWaits(bundle: Bundle): boolean {
    if (!this.#context.isExecuted(bundle)) return true;
    this.pending.remove(bundle.digest);
    return false;
  }

  /** The next batch to propose in `view`, if it is time for one. */
  nextBatch(view: View, inFlight: number): Batch | undefined {
    const { settings, hash, domain, isExecuted } = this.#context;
    const { limits, timers } = settings;
    const { pending } = this;
    const desk = this.#desk;
    const decision = decideBatch(limits, timers.batchDelayMs, {
      now: desk.now,
      inFlight,
      unproposedRequests: pending.unproposedRequests,
      unproposedBytes: pending.unproposedBytes,
      oldestSince: pending.oldestUnproposedSince(),
    });
    if (decision.kind === 'waitUntil') desk.wakeAt('batch', decision.at);
    if (decision.kind !== 'propose') return undefined;
    const room = { requests: limits.batchRequestsMax, bytes: limits.batchBytesMax - BATCH_FRAME_BYTES };
    const bundles = pending.take(room, view, isExecuted);
    if (bundles.length === 0) return undefined;
    return buildBatch(hash, domain, { proposedInView: view, time: desk.wallMs, recovers: [], bundles });
  }
}
