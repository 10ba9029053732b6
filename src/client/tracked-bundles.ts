/**
 * Bundles that are followed, and how a result finds its request: by session and number, without a table of requests. The
 * numbers of a bundle ascend, mostly one by one, so a request's place follows from its number; bundles of a session lie in
 * the order of their first numbers.
 */
import type { Digest, Milliseconds, ReplicaId, RequestNumber, SessionId } from '../core/types.ts';
import type { TrackedRequest } from './bundle-tracker.ts';
import type { Vote } from './reply-watch.ts';

/** By replica; holes where one has said nothing. Ids are those of the cluster. */
export type Votes = (Vote | undefined)[];

/** One request that is followed. */
export interface Entry<R> {
  readonly request: R;
  readonly owner: Tracked<R>;
  /** Latest vote of each replica, by id: a liar can change its own vote, never add a second one. */
  readonly votes: Votes;
  /** Who says that it does not keep the result any more: that takes back nothing that it has said before. */
  forgotten: Votes | undefined;
  /** It has an outcome, or is given up. */
  isDone: boolean;
}

/** One bundle that is followed. */
export interface Tracked<R> {
  readonly digest: Digest;
  /** Nothing once it is not followed any more, as are its entries. */
  bytes: Uint8Array;
  readonly session: SessionId;
  /** In order of their numbers. */
  entries: Entry<R>[];
  /** Requests that have no outcome. */
  left: number;
  readonly busy: Map<ReplicaId, Milliseconds>;
  readonly refusals: Map<ReplicaId, string>;
  readonly sentMs: Milliseconds;
  waitMs: Milliseconds;
  dueMs: Milliseconds;
}

const NOTHING = new Uint8Array(0);

interface OfSession<R> {
  /** In order of their first numbers. */
  readonly bundles: Tracked<R>[];
  /** Whether one may reach into the numbers of another: of a session of somebody else, or of the OPENs in session 0. */
  mayOverlap: boolean;
}

const firstOf = (tracked: Tracked<TrackedRequest>): RequestNumber => tracked.entries[0]?.request.number ?? 0;
const lastOf = (tracked: Tracked<TrackedRequest>): RequestNumber =>
  tracked.entries.at(-1)?.request.number ?? 0;

/** See the top of this file. */
export class TrackedBundles<R extends TrackedRequest> {
  readonly #bundles = new Map<Digest, Tracked<R>>();
  readonly #sessions = new Map<SessionId, OfSession<R>>();
  /** Where the last request was found: the next one is mostly beside it. */
  #latest: Tracked<R> | undefined;

  readonly #replicas: number;

  /** `replicas`: how many there are, about; more of them may have votes. */
  constructor(replicas: number) {
    this.#replicas = replicas;
  }

  get size(): number {
    return this.#bundles.size;
  }

  has(digest: Digest): boolean {
    return this.#bundles.has(digest);
  }

  get(digest: Digest): Tracked<R> | undefined {
    return this.#bundles.get(digest);
  }

  /** In the order in which they were added. */
  [Symbol.iterator](): Iterator<Tracked<R>> {
    return this.#bundles.values();
  }

  /** Adds a bundle without entries, and makes them of its requests, whose numbers ascend. */
  add(tracked: Tracked<R>, requests: readonly R[]): void {
    // An array that grows takes room for sixteen.
    for (const request of requests) {
      const votes: Votes = new Array<Vote | undefined>(this.#replicas);
      tracked.entries.push({ request, owner: tracked, votes, forgotten: undefined, isDone: false });
    }
    this.#bundles.set(tracked.digest, tracked);
    let all = this.#sessions.get(tracked.session);
    if (all === undefined) this.#sessions.set(tracked.session, (all = { bundles: [], mayOverlap: false }));
    const { bundles } = all;
    const place = placeBehind(bundles, firstOf(tracked));
    const before = bundles[place - 1];
    const behind = bundles[place];
    if (before !== undefined && lastOf(before) >= firstOf(tracked)) all.mayOverlap = true;
    if (behind !== undefined && firstOf(behind) <= lastOf(tracked)) all.mayOverlap = true;
    bundles.splice(place, 0, tracked);
  }

  delete(tracked: Tracked<R>): void {
    this.#bundles.delete(tracked.digest);
    if (this.#latest === tracked) this.#latest = undefined;
    const all = this.#sessions.get(tracked.session);
    const place = all?.bundles.indexOf(tracked) ?? -1;
    if (place >= 0) all!.bundles.splice(place, 1);
    if (all?.bundles.length === 0) this.#sessions.delete(tracked.session);
    // A Map of V8 that is never empty leaves a chain of outgrown tables behind, with what was in them. Short collections
    // take that for alive (docs/benchmarks.md, "Outgrown tables"), so it must be light by then.
    tracked.entries = [];
    tracked.bytes = NOTHING;
  }

  /**
   * The request that a result with this txId is about, if it has no outcome yet: the one that was sent under the number
   * and has the txId, or else one whose answer may name another transaction (decision C5).
   */
  find(session: SessionId, number: RequestNumber, txId: Digest): Entry<R> | undefined {
    const latest = this.#latest;
    if (latest?.session === session) {
      const entry = entryOf(latest, number);
      if (entry?.request.txId === txId && !entry.isDone) return entry;
    }
    const all = this.#sessions.get(session);
    if (all === undefined) return undefined;
    const last = placeBehind(all.bundles, number) - 1;
    let other: Entry<R> | undefined;
    for (let place = last; place >= (all.mayOverlap ? 0 : Math.max(0, last)); place -= 1) {
      const tracked = all.bundles[place]!;
      const entry = entryOf(tracked, number);
      if (entry === undefined || entry.isDone) continue;
      if (entry.request.txId === txId) {
        this.#latest = tracked;
        return entry;
      }
      if (entry.request.mayBeOther) other ??= entry;
    }
    return other;
  }
}

/** Place behind all bundles that begin at this number or before. */
function placeBehind<R extends TrackedRequest>(
  bundles: readonly Tracked<R>[],
  number: RequestNumber,
): number {
  let low = 0;
  let high = bundles.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (firstOf(bundles[middle]!) <= number) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The request with this number: at the place that it has if no number is left out, or somewhere before. */
function entryOf<R extends TrackedRequest>(tracked: Tracked<R>, number: RequestNumber): Entry<R> | undefined {
  const { entries } = tracked;
  const place = number - firstOf(tracked);
  if (entries[place]?.request.number === number) return entries[place];
  let low = 0;
  let high = Math.min(place, entries.length) - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    const found = entries[middle]!;
    if (found.request.number === number) return found;
    if (found.request.number < number) low = middle + 1;
    else high = middle - 1;
  }
  return undefined;
}
