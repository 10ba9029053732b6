/**
 * Requests that wait to be ordered: bounded, first in first out for each client,
 * round robin between clients, with forward times and deadlines. Not replicated.
 */
import { bytesToHex } from '../core/bytes.ts';
import type { Bundle } from '../core/request.ts';
import type { Digest, Milliseconds, View } from '../core/types.ts';

/** Bounds of the waiting room; a bundle beyond them is dropped and its client tries again. */
export interface PendingLimits {
  readonly bundlesMax: number;
  readonly bundlesPerClientMax: number;
  readonly bytesMax: number;
}

/** Bounds that suit a replica with some hundred MiB of memory. */
export const PENDING_LIMITS: PendingLimits = {
  bundlesMax: 20_000,
  bundlesPerClientMax: 2_048,
  bytesMax: 64 * 1024 * 1024,
};

/** Bundles passed on for one look at what waits, at most. */
const FORWARDS_MAX = 64;

/** One waiting bundle. */
interface Pending {
  readonly bundle: Bundle;
  readonly client: string;
  readonly since: Milliseconds;
  deadline: Milliseconds;
  forwardAt: Milliseconds;
  proposedIn: View | undefined;
}

interface ClientQueue {
  waiting: number;
  /** Not proposed yet, in order of arrival. */
  readonly unproposed: Map<Digest, Pending>;
}

/** How much may be taken for one batch. */
export interface BatchRoom {
  readonly requests: number;
  readonly bytes: number;
}

/** Bytes that a bundle takes in a batch beside its own. */
const BUNDLE_FRAME_BYTES = 4;

/** Waiting bundles of all clients. */
export class PendingRequests {
  readonly #limits: PendingLimits;
  /** All, oldest first. Deadlines ascend in this order, because every change of the delay restarts all of them. */
  readonly #all = new Map<Digest, Pending>();
  /** Not yet passed on to the primary, and not yet passed on to everybody; oldest first. */
  readonly #unforwarded = new Map<Digest, Pending>();
  readonly #unspread = new Map<Digest, Pending>();
  readonly #clients = new Map<string, ClientQueue>();
  /** Clients with unproposed bundles; the first one is served next and goes to the end. */
  readonly #ready = new Map<string, ClientQueue>();
  #bytes = 0;
  #unproposedBytes = 0;
  #unproposedRequests = 0;
  /** `nextWake` is asked for at every step, and changes far less often. */
  #wake: Milliseconds | undefined;
  #isWakeKnown = true;

  constructor(limits: PendingLimits = PENDING_LIMITS) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#all.size;
  }

  /** Bytes of all bundles that wait here. */
  get bytes(): number {
    return this.#bytes;
  }

  get unproposedBytes(): number {
    return this.#unproposedBytes;
  }

  get unproposedRequests(): number {
    return this.#unproposedRequests;
  }

  /** True if something waits to be proposed. */
  get hasUnproposed(): boolean {
    return this.#ready.size > 0;
  }

  /** Arrival of the bundle that would be proposed next; undefined if there is none. Ages a batch by its first bundle. */
  oldestUnproposedSince(): Milliseconds | undefined {
    for (const queue of this.#ready.values())
      for (const pending of queue.unproposed.values()) return pending.since;
    return undefined;
  }

  has(digest: Digest): boolean {
    return this.#all.has(digest);
  }

  /** Since when a bundle waits; undefined if it does not. */
  waitingSince(digest: Digest): Milliseconds | undefined {
    return this.#all.get(digest)?.since;
  }

  /** Since when the oldest bundle waits; undefined if none does. */
  oldestSince(): Milliseconds | undefined {
    for (const { since } of this.#all.values()) return since;
    return undefined;
  }

  /** Everything that waits here, oldest first. */
  bundles(): Bundle[] {
    return [...this.#all.values()].map(({ bundle }) => bundle);
  }

  /**
   * Admits a bundle. False if it waits already or a bound is reached (then it is dropped without a timer: the
   * client retries). `delayMs`: request deadline; forwarding happens at a fifth, spreading to all at half of it.
   */
  add(bundle: Bundle, now: Milliseconds, delayMs: Milliseconds): boolean {
    const client = bytesToHex(bundle.clientKey);
    const queue = this.#clients.get(client) ?? { waiting: 0, unproposed: new Map<Digest, Pending>() };
    if (this.#all.has(bundle.digest)) return false;
    if (queue.waiting >= this.#limits.bundlesPerClientMax) return false;
    if (this.#all.size >= this.#limits.bundlesMax) return false;
    if (this.#bytes + bundle.bytes.length > this.#limits.bytesMax) return false;
    const forwardAt = now + delayMs / 5;
    const pending: Pending = {
      bundle,
      client,
      since: now,
      deadline: now + delayMs,
      forwardAt,
      proposedIn: undefined,
    };
    queue.waiting += 1;
    this.#clients.set(client, queue);
    this.#all.set(bundle.digest, pending);
    this.#unforwarded.set(bundle.digest, pending);
    this.#unspread.set(bundle.digest, pending);
    this.#isWakeKnown = false;
    this.#bytes += bundle.bytes.length;
    this.#enqueue(queue, pending);
    return true;
  }

  /** Forgets a bundle: it was executed, or is known to be void. */
  remove(digest: Digest): void {
    const pending = this.#all.get(digest);
    if (pending === undefined) return;
    const queue = this.#clients.get(pending.client)!;
    this.#all.delete(digest);
    this.#unforwarded.delete(digest);
    this.#unspread.delete(digest);
    this.#isWakeKnown = false;
    this.#bytes -= pending.bundle.bytes.length;
    this.#dequeue(queue, pending);
    queue.waiting -= 1;
    if (queue.waiting === 0) this.#clients.delete(pending.client);
  }

  /** Notes that a bundle is part of a proposal of `view`: it is not proposed again in that view. */
  markProposed(digest: Digest, view: View): void {
    const pending = this.#all.get(digest);
    if (pending === undefined) return;
    pending.proposedIn = view;
    this.#dequeue(this.#clients.get(pending.client)!, pending);
    this.#unforwarded.delete(digest);
    this.#isWakeKnown = false;
  }

  /** A bundle that was noted as proposed may be proposed after all. */
  reopen(digest: Digest): void {
    const pending = this.#all.get(digest);
    if (pending === undefined || pending.proposedIn === undefined) return;
    pending.proposedIn = undefined;
    this.#enqueue(this.#clients.get(pending.client)!, pending);
  }

  /** Bundles that wait and are in no proposal, as far as noted. */
  unproposed(): Bundle[] {
    return [...this.#ready.values()].flatMap((queue) =>
      [...queue.unproposed.values()].map(({ bundle }) => bundle),
    );
  }

  /** On entering a view: everything is unproposed again. */
  clearProposed(): void {
    for (const queue of this.#clients.values()) queue.unproposed.clear();
    this.#ready.clear();
    this.#unproposedBytes = 0;
    this.#unproposedRequests = 0;
    for (const pending of this.#all.values()) {
      pending.proposedIn = undefined;
      this.#enqueue(this.#clients.get(pending.client)!, pending);
    }
  }

  /**
   * Takes bundles for one batch and marks them as proposed in `view`. Bundles that `isExecuted` names are forgotten
   * on the way. One bundle is taken even if it alone exceeds the room for requests.
   */
  take(room: BatchRoom, view: View, isExecuted: (bundle: Bundle) => boolean): Bundle[] {
    const taken: Bundle[] = [];
    let requests = 0;
    let bytes = 0;
    while (this.#ready.size > 0) {
      const [client, queue] = this.#ready.entries().next().value!;
      const [digest, pending] = queue.unproposed.entries().next().value!;
      const { bundle } = pending;
      if (isExecuted(bundle)) {
        this.remove(digest);
        continue;
      }
      const more = bundle.bytes.length + BUNDLE_FRAME_BYTES;
      if (bytes + more > room.bytes) break;
      if (taken.length > 0 && requests + bundle.requestCount > room.requests) break;
      taken.push(bundle);
      requests += bundle.requestCount;
      bytes += more;
      this.markProposed(digest, view);
      if (this.#ready.delete(client) && queue.unproposed.size > 0) this.#ready.set(client, queue);
    }
    return taken;
  }

  /** Sets all deadlines to now + delay: on entering a view and whenever the back-off changes. */
  restartDeadlines(now: Milliseconds, delayMs: Milliseconds): void {
    this.#isWakeKnown = false;
    for (const [digest, pending] of this.#all) {
      pending.deadline = now + delayMs;
      pending.forwardAt = now + delayMs / 5;
      if (pending.proposedIn === undefined) this.#unforwarded.set(digest, pending);
      this.#unspread.set(digest, pending);
    }
  }

  /** Earliest time at which something is to be done: forward, spread, or suspect the primary. */
  nextWake(): Milliseconds | undefined {
    if (!this.#isWakeKnown) this.#wake = this.#findWake();
    this.#isWakeKnown = true;
    return this.#wake;
  }

  #findWake(): Milliseconds | undefined {
    let wake: Milliseconds | undefined;
    for (const pending of this.#all.values()) {
      wake = pending.deadline;
      break;
    }
    if (wake === undefined) return undefined;
    for (const pending of this.#unforwarded.values()) {
      wake = Math.min(wake, pending.forwardAt);
      break;
    }
    for (const pending of this.#unspread.values()) {
      wake = Math.min(wake, spreadAt(pending));
      break;
    }
    return wake;
  }

  /**
   * What to pass on now, at most `max` of each: to the primary what it may have missed, to everybody what is half-way
   * to its deadline (so that every correct replica has a deadline for it).
   */
  dueForwards(
    now: Milliseconds,
    max = FORWARDS_MAX,
  ): { readonly toPrimary: Bundle[]; readonly toAll: Bundle[] } {
    const toPrimary: Bundle[] = [];
    const toAll: Bundle[] = [];
    this.#isWakeKnown = false;
    for (const [digest, pending] of this.#unforwarded) {
      if (pending.forwardAt > now || toPrimary.length >= max) break;
      this.#unforwarded.delete(digest);
      toPrimary.push(pending.bundle);
    }
    for (const [digest, pending] of this.#unspread) {
      if (spreadAt(pending) > now || toAll.length >= max) break;
      this.#unspread.delete(digest);
      toAll.push(pending.bundle);
    }
    return { toPrimary, toAll };
  }

  /** Whether the oldest bundle is past its deadline. Those that were executed meanwhile are forgotten. */
  isOverdue(now: Milliseconds, isExecuted: (bundle: Bundle) => boolean): boolean {
    for (const [digest, pending] of this.#all) {
      if (pending.deadline > now) return false;
      if (!isExecuted(pending.bundle)) return true;
      this.remove(digest);
    }
    return false;
  }

  #enqueue(queue: ClientQueue, pending: Pending): void {
    queue.unproposed.set(pending.bundle.digest, pending);
    this.#ready.set(pending.client, queue);
    this.#unproposedBytes += pending.bundle.bytes.length + BUNDLE_FRAME_BYTES;
    this.#unproposedRequests += pending.bundle.requestCount;
  }

  #dequeue(queue: ClientQueue, pending: Pending): void {
    if (!queue.unproposed.delete(pending.bundle.digest)) return;
    this.#unproposedBytes -= pending.bundle.bytes.length + BUNDLE_FRAME_BYTES;
    this.#unproposedRequests -= pending.bundle.requestCount;
    if (queue.unproposed.size === 0) this.#ready.delete(pending.client);
  }
}

/** Half-way to the deadline. */
function spreadAt(pending: Pending): Milliseconds {
  return pending.forwardAt + (pending.deadline - pending.forwardAt) * 0.375;
}
