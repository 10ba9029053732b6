/**
 * Certificates that a client makes when speculative answers are too few to complete a request: waits a short while for
 * the missing ones, then gives out enough equal proofs, again and again with doubling waits and other replicas' proofs
 * each time (one of them may be worthless), until no request waits for them. Pure: time is an argument.
 */
import type { Milliseconds, ReplicaId } from '../core/types.ts';
import type { SignedProof } from './answer-rules.ts';

/** First wait before a certificate is sent again. */
const RESEND_MS: Milliseconds = 200;
/** Cap of the doubling waits. */
const RESEND_CAP_MS: Milliseconds = 5_000;
/** Least time that the missing answers are waited for. */
const PATIENCE_MIN_MS: Milliseconds = 4;
/** So many times in vain, one after the other, and the missing answers are waited for no more… */
const MISSES_MAX = 3;
/** …but once in so many times, to find out whether they come again. */
const PROBE_EVERY = 32;

/**
 * How long the answers that lack for the fast path are worth waiting for. It follows what was seen: a little longer than
 * they used to come after the others, never longer than the second round would take, and not at all while a replica is
 * down or slow, or else that one replica would slow every request of everybody.
 */
export class Patience {
  #lateMs: Milliseconds | undefined;
  #spreadMs: Milliseconds = 0;
  #roundMs: Milliseconds | undefined;
  #misses = 0;
  #turn = 0;

  /** Enough answers for a certificate came, `roundMs` after the request was sent. */
  onEnough(roundMs: Milliseconds): void {
    this.#roundMs = this.#roundMs === undefined ? roundMs : this.#roundMs + (roundMs - this.#roundMs) / 8;
  }

  /** All answers came, `lateMs` after enough for a certificate. */
  onAll(lateMs: Milliseconds): void {
    this.#misses = 0;
    if (this.#lateMs === undefined) {
      this.#lateMs = lateMs;
      this.#spreadMs = lateMs / 2;
      return;
    }
    const error = lateMs - this.#lateMs;
    this.#lateMs += error / 8;
    this.#spreadMs += (Math.abs(error) - this.#spreadMs) / 4;
  }

  /** A certificate completed what the missing answers did not. */
  onMiss(): void {
    this.#misses += 1;
  }

  /** How long to wait this time. */
  next(): Milliseconds {
    if (this.#misses >= MISSES_MAX) {
      this.#turn += 1;
      if (this.#turn % PROBE_EVERY !== 0) return 0;
    }
    const most = Math.max(PATIENCE_MIN_MS, this.#roundMs ?? 0);
    const usual = this.#lateMs === undefined ? most : this.#lateMs + 4 * this.#spreadMs;
    return Math.min(Math.max(usual, PATIENCE_MIN_MS), most);
  }
}

interface Group {
  readonly proofs: Map<ReplicaId, Uint8Array>;
  /** Requests that wait for it. */
  readonly waiting: Set<object>;
  readonly sinceMs: Milliseconds;
  dueMs: Milliseconds;
  waitMs: Milliseconds;
  sent: number;
}

/** See the top of this file. Memory is bounded by the requests that are followed. */
export class Certificates {
  readonly #needed: number;
  readonly #patience = new Patience();
  /** By what is equal in their proofs. */
  readonly #groups = new Map<string, Group>();
  readonly #keyOf = new Map<object, string>();

  /** `needed`: proofs of one certificate. */
  constructor(needed: number) {
    this.#needed = needed;
  }

  /** When the next certificate is due; undefined: none is. */
  get dueMs(): Milliseconds | undefined {
    let earliest: Milliseconds | undefined;
    for (const { dueMs } of this.#groups.values())
      if (earliest === undefined || dueMs < earliest) earliest = dueMs;
    return earliest;
  }

  /**
   * Equal speculative answers to a request, which was sent at `sentMs`. A request that has answers of another history
   * now starts over with those.
   */
  offer(
    request: object,
    key: string,
    proofs: readonly SignedProof[],
    now: Milliseconds,
    sentMs: Milliseconds,
  ): void {
    if (proofs.length < this.#needed) return;
    if (this.#keyOf.get(request) !== key) {
      this.forget(request);
      this.#keyOf.set(request, key);
    }
    let group = this.#groups.get(key);
    if (group === undefined) {
      this.#patience.onEnough(now - sentMs);
      const dueMs = now + this.#patience.next();
      group = { proofs: new Map(), waiting: new Set(), sinceMs: now, dueMs, waitMs: RESEND_MS, sent: 0 };
      this.#groups.set(key, group);
    }
    group.waiting.add(request);
    for (const { replica, proof } of proofs) group.proofs.set(replica, proof);
  }

  /** A request is complete; `fast`: by speculative answers alone. */
  settle(request: object, now: Milliseconds, fast: boolean): void {
    const key = this.#keyOf.get(request);
    const group = key === undefined ? undefined : this.#groups.get(key);
    this.forget(request);
    // One batch of requests is one observation.
    if (group === undefined || group.waiting.size > 0) return;
    if (fast) this.#patience.onAll(now - group.sinceMs);
    else if (group.sent > 0) this.#patience.onMiss();
  }

  /** A request is not followed any more. */
  forget(request: object): void {
    const key = this.#keyOf.get(request);
    if (key === undefined) return;
    this.#keyOf.delete(request);
    const group = this.#groups.get(key);
    group?.waiting.delete(request);
    if (group?.waiting.size === 0) this.#groups.delete(key);
  }

  /** Proofs of each certificate that is due. */
  due(now: Milliseconds): SignedProof[][] {
    const certificates: SignedProof[][] = [];
    for (const group of this.#groups.values()) {
      if (group.dueMs > now) continue;
      const proofs = [...group.proofs].map(([replica, proof]) => ({ replica, proof }));
      certificates.push(combination(proofs, this.#needed, group.sent));
      group.sent += 1;
      group.dueMs = now + group.waitMs;
      group.waitMs = Math.min(group.waitMs * 2, RESEND_CAP_MS);
    }
    return certificates;
  }
}

function binomial(n: number, k: number): number {
  let result = 1;
  for (let step = 1; step <= k; step += 1) result = (result * (n - k + step)) / step;
  return Math.round(result);
}

/** The `index`-th way (around, in lexicographic order) to take `count` of the items. */
function combination<T>(items: readonly T[], count: number, index: number): T[] {
  const taken: T[] = [];
  let left = index % binomial(items.length, count);
  for (let at = 0; taken.length < count && at < items.length; at += 1) {
    const withThis = binomial(items.length - at - 1, count - taken.length - 1);
    if (left < withThis) taken.push(items[at]!);
    else left -= withThis;
  }
  return taken;
}
