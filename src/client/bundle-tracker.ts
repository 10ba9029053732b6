/**
 * Follows signed bundles until every request in them is settled: counts matching replies, retransmits to all with
 * doubling waits, believes BUSY and refusals of f+1 replicas (MinBFT "Client", decision C7). Pure: time is an argument,
 * what is to be done leaves as effects. Reply signatures are checked before `onReply`.
 */
import type { WireResult } from '../core/client-wire.ts';
import type { Bundle } from '../core/request.ts';
import type { Digest, Milliseconds, ReplicaId, RequestNumber, SessionId } from '../core/types.ts';
import { sameWireResult } from '../ledger/reply-evidence.ts';
import type { KeptReply, Vote } from './reply-watch.ts';

/** First wait before a bundle goes to all replicas (decision E8). */
export const RETRANSMIT_MS = 200;
/** Cap of the doubling waits. */
export const RETRANSMIT_CAP_MS = 5_000;
/** Cap on what replicas may ask for with BUSY: a liar must not silence a client for long. */
const RETRY_AFTER_CAP_MS = 5_000;

/** One request as the tracker sees it. */
export interface TrackedRequest {
  readonly number: RequestNumber;
  /** Computed by the caller: a reply cannot be about another operation. */
  readonly txId: Digest;
  /** With an idempotency key the answer may name the first execution's txId (decision C5). */
  readonly mayBeOther: boolean;
}

/** What the owner has to do. */
export type TrackerEffect =
  | { readonly kind: 'send'; readonly to: 'primary' | 'all'; readonly bytes: Uint8Array }
  /** f+1 replicas gave this result. `expected` is the txId under which the request was tracked. */
  | {
      readonly kind: 'result';
      readonly bundle: Digest;
      readonly expected: Digest;
      readonly session: SessionId;
      readonly result: WireResult;
      /** Latest word of each replica so far, those included that say otherwise. */
      readonly votes: ReadonlyMap<ReplicaId, Vote>;
    }
  /** f+1 replicas will never order it; these requests are given up. */
  | {
      readonly kind: 'refused';
      readonly bundle: Digest;
      readonly requests: readonly TrackedRequest[];
      readonly reason: string;
    }
  /** f+1 replicas are over capacity. The bundle is still tracked and re-sent later. */
  | {
      readonly kind: 'overloaded';
      readonly bundle: Digest;
      readonly requests: readonly TrackedRequest[];
      readonly retryAfterMs: Milliseconds;
    }
  /** Nothing of the bundle is outstanding any more. */
  | { readonly kind: 'finished'; readonly bundle: Digest };

interface Entry {
  readonly request: TrackedRequest;
  readonly owner: Tracked;
  /** Latest vote of each replica: a liar can change its own vote, never add a second one. */
  readonly votes: Map<ReplicaId, Vote>;
}

interface Tracked {
  readonly digest: Digest;
  readonly bytes: Uint8Array;
  readonly session: SessionId;
  readonly entries: Map<RequestNumber, Entry>;
  readonly busy: Map<ReplicaId, Milliseconds>;
  readonly refusals: Map<ReplicaId, string>;
  waitMs: Milliseconds;
  dueMs: Milliseconds;
}

/** See the top of this file. Memory is bounded by what its owner tracks. */
export class BundleTracker {
  readonly #quorum: number;
  readonly #bundles = new Map<Digest, Tracked>();
  readonly #byTransaction = new Map<Digest, Entry>();
  readonly #byNumber = new Map<string, Entry>();

  /** `quorum` is f+1. */
  constructor(quorum: number) {
    this.#quorum = quorum;
  }

  /** Bundles that are not finished. */
  get size(): number {
    return this.#bundles.size;
  }

  /** Whether a transaction is outstanding here. */
  isPending(txId: Digest): boolean {
    return this.#byTransaction.has(txId);
  }

  /** Bytes of all unfinished bundles, oldest first: for a replica whose link came up. */
  unfinished(): Uint8Array[] {
    return [...this.#bundles.values()].map((tracked) => tracked.bytes);
  }

  /** Starts to follow a bundle and sends it. `everyone`: to all replicas at once (after a restart, for an OPEN). */
  track(
    bundle: Pick<Bundle, 'digest' | 'bytes' | 'session'>,
    requests: readonly TrackedRequest[],
    now: Milliseconds,
    everyone = false,
  ): TrackerEffect[] {
    const { digest, bytes, session } = bundle;
    if (!this.#bundles.has(digest)) {
      const entries = new Map<RequestNumber, Entry>();
      const waitMs = RETRANSMIT_MS;
      const tracked: Tracked = {
        digest,
        bytes,
        session,
        entries,
        busy: new Map(),
        refusals: new Map(),
        waitMs,
        dueMs: now + waitMs,
      };
      this.#bundles.set(digest, tracked);
      for (const request of requests) {
        const entry = { request, owner: tracked, votes: new Map() };
        entries.set(request.number, entry);
        this.#byTransaction.set(request.txId, entry);
        if (request.mayBeOther) this.#byNumber.set(`${session}/${request.number}`, entry);
      }
    }
    return [{ kind: 'send', to: everyone ? 'all' : 'primary', bytes }];
  }

  /** Stops to follow a bundle, whatever became of it. */
  forget(digest: Digest): void {
    const tracked = this.#bundles.get(digest);
    if (tracked === undefined) return;
    for (const entry of [...tracked.entries.values()]) this.#drop(entry);
    this.#bundles.delete(digest);
  }

  #find(session: SessionId, result: WireResult): Entry | undefined {
    const entry = this.#byTransaction.get(result.txId);
    if (entry !== undefined) return entry.request.number === result.number ? entry : undefined;
    return this.#byNumber.get(`${session}/${result.number}`);
  }

  /** Whether any of these results is still waited for: otherwise the signature is not worth checking. */
  wants(session: SessionId, results: readonly WireResult[]): boolean {
    return results.some((result) => this.#find(session, result) !== undefined);
  }

  /** Counts a reply whose signature holds. `reply`: what to give back with its votes. */
  onReply(
    replica: ReplicaId,
    session: SessionId,
    results: readonly WireResult[],
    reply?: KeptReply,
  ): TrackerEffect[] {
    const effects: TrackerEffect[] = [];
    for (const received of results) {
      const entry = this.#find(session, received);
      if (entry === undefined) continue;
      // A copy: the frame's buffer must not be kept alive by one small result.
      const result = { ...received, result: received.result.slice() };
      const { votes } = entry;
      votes.set(replica, { result, reply });
      let equal = 0;
      for (const vote of votes.values()) if (sameWireResult(vote.result, result)) equal += 1;
      if (equal < this.#quorum) continue;
      this.#drop(entry);
      const bundle = entry.owner.digest;
      const expected = entry.request.txId;
      effects.push({ kind: 'result', bundle, expected, session: entry.owner.session, result, votes });
      this.#finishIfDone(entry.owner, effects);
    }
    return effects;
  }

  /** One replica is over capacity (decision C7): a hint, until f+1 say so. */
  onBusy(replica: ReplicaId, digest: Digest, retryAfterMs: Milliseconds, now: Milliseconds): TrackerEffect[] {
    const tracked = this.#bundles.get(digest);
    if (tracked === undefined) return [];
    tracked.busy.set(replica, Math.min(retryAfterMs, RETRY_AFTER_CAP_MS));
    if (tracked.busy.size < this.#quorum) return [];
    // The median resists both extremes, which may be lies.
    const waits = [...tracked.busy.values()].sort((a, b) => a - b);
    const wait = waits[waits.length >> 1]!;
    tracked.busy.clear();
    tracked.waitMs = Math.min(Math.max(tracked.waitMs, wait) * 2, RETRANSMIT_CAP_MS);
    tracked.dueMs = now + tracked.waitMs;
    return [{ kind: 'overloaded', bundle: digest, requests: requestsOf(tracked), retryAfterMs: wait }];
  }

  /** One replica says that it will never order the bundle. Believed when f+1 do. */
  onRefused(replica: ReplicaId, digest: Digest, reason: string): TrackerEffect[] {
    const tracked = this.#bundles.get(digest);
    if (tracked === undefined) return [];
    tracked.refusals.set(replica, reason);
    if (tracked.refusals.size < this.#quorum) return [];
    const requests = requestsOf(tracked);
    this.forget(digest);
    return [
      { kind: 'refused', bundle: digest, requests, reason: commonest([...tracked.refusals.values()]) },
      { kind: 'finished', bundle: digest },
    ];
  }

  /** Re-sends what is due to all replicas. */
  onTick(now: Milliseconds): TrackerEffect[] {
    const effects: TrackerEffect[] = [];
    for (const tracked of this.#bundles.values()) {
      if (tracked.dueMs > now) continue;
      tracked.waitMs = Math.min(tracked.waitMs * 2, RETRANSMIT_CAP_MS);
      tracked.dueMs = now + tracked.waitMs;
      effects.push({ kind: 'send', to: 'all', bytes: tracked.bytes });
    }
    return effects;
  }

  #drop(entry: Entry): void {
    const { number, txId, mayBeOther } = entry.request;
    entry.owner.entries.delete(number);
    if (this.#byTransaction.get(txId) === entry) this.#byTransaction.delete(txId);
    if (mayBeOther) this.#byNumber.delete(`${entry.owner.session}/${number}`);
  }

  #finishIfDone(tracked: Tracked, effects: TrackerEffect[]): void {
    if (tracked.entries.size > 0) return;
    this.#bundles.delete(tracked.digest);
    effects.push({ kind: 'finished', bundle: tracked.digest });
  }
}

function requestsOf(tracked: Tracked): TrackedRequest[] {
  return [...tracked.entries.values()].map((entry) => entry.request);
}

function commonest(words: readonly string[]): string {
  let best = words[0] ?? '';
  const count = (word: string): number => words.filter((other) => other === word).length;
  for (const word of words) if (count(word) > count(best)) best = word;
  return best;
}

/** Which replica is probably the primary: the highest view that f+1 replicas report, so that one correct one does. */
export class PrimaryHint {
  readonly #quorum: number;
  readonly #views: number[];

  constructor(replicas: number, quorum: number) {
    this.#quorum = quorum;
    this.#views = new Array<number>(replicas).fill(0);
  }

  /** A replica's reply named this view. */
  report(replica: ReplicaId, view: number): void {
    const known = this.#views[replica];
    if (known !== undefined && view > known) this.#views[replica] = view;
  }

  /** The view. */
  get view(): number {
    return [...this.#views].sort((a, b) => b - a)[this.#quorum - 1] ?? 0;
  }

  /** Its primary, for protocols that rotate through the members. */
  get primary(): ReplicaId {
    return this.view % this.#views.length;
  }
}
