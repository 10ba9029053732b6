/**
 * Follows signed bundles until every request in them is settled: counts matching replies by the rules of the cluster's
 * protocol, has certificates made of speculative ones, retransmits to all with doubling waits, believes BUSY and
 * refusals of f+1 replicas (MinBFT "Client", decision C7). Pure: time is an argument, what is to be done leaves as
 * effects. Reply signatures and seals of proofs are checked before `onReply`.
 */
import type { WireResult } from '../core/client-wire.ts';
import type { Standing } from '../core/protocol.ts';
import type { Bundle } from '../core/request.ts';
import type { Digest, Milliseconds, ReplicaId, RequestNumber, SessionId } from '../core/types.ts';
import { isStatement, sameWireResult } from '../ledger/reply-evidence.ts';
import type { AnswerRules, SignedProof } from './answer-rules.ts';
import { Certificates } from './certificates.ts';
import type { KeptReply, Vote, Word } from './reply-watch.ts';
import { TrackedBundles } from './tracked-bundles.ts';
import type { Entry, Tracked, Votes } from './tracked-bundles.ts';

/** First wait before a bundle goes to all replicas (decision E8). */
export const RETRANSMIT_MS = 200;
/** Cap of the doubling waits. */
export const RETRANSMIT_CAP_MS = 5_000;
/** Cap on what replicas may ask for with BUSY: a liar must not silence a client for long. */
const RETRY_AFTER_CAP_MS = 5_000;

const NO_PROOF = new Uint8Array(0);
/** What a result takes beyond its bytes, about. */
const RESULT_OVERHEAD_BYTES = 64;

/** One request as the tracker sees it. */
export interface TrackedRequest {
  readonly number: RequestNumber;
  /** Computed by the caller: a reply cannot be about another operation. */
  readonly txId: Digest;
  /** With an idempotency key the answer may name the first execution's txId (decision C5). */
  readonly mayBeOther: boolean;
}

/** What the owner has to do; its own requests come back to it. */
export type TrackerEffect<R extends TrackedRequest = TrackedRequest> =
  | { readonly kind: 'send'; readonly to: 'primary' | 'all'; readonly bytes: Uint8Array }
  /** Proofs for a certificate, which goes to all replicas. */
  | { readonly kind: 'certify'; readonly proofs: readonly SignedProof[] }
  /** Enough replicas gave this result. `expected` is the txId under which the request was tracked. */
  | {
      readonly kind: 'result';
      readonly bundle: Digest;
      readonly expected: Digest;
      readonly request: R;
      readonly session: SessionId;
      /** Its bytes are a view into the whole reply: who keeps them makes a copy. */
      readonly result: WireResult;
      /** Below `final`, blocks and receipts of it come later. */
      readonly standing: Standing;
      /** Latest word of each replica so far, those included that say otherwise. */
      readonly votes: readonly (Vote | undefined)[];
    }
  /** f+1 replicas will never order it; these requests are given up. */
  | {
      readonly kind: 'refused';
      readonly bundle: Digest;
      readonly requests: readonly R[];
      readonly reason: string;
    }
  /** f+1 replicas are over capacity. The bundle is still tracked and re-sent later. */
  | {
      readonly kind: 'overloaded';
      readonly bundle: Digest;
      readonly requests: readonly R[];
      readonly retryAfterMs: Milliseconds;
    }
  /** Nothing of the bundle is outstanding any more. */
  | { readonly kind: 'finished'; readonly bundle: Digest };

/** What the tracker learns of one reply whose signature, proof and seals hold. */
export interface CheckedReply {
  readonly session: SessionId;
  readonly results: readonly WireResult[];
  readonly standing: Standing;
  /** What must be equal in replies that count together (`AnswerRules.readProof`). */
  readonly key: string;
  readonly proof: Uint8Array;
  /** What to give back with its votes. */
  readonly kept?: KeptReply | undefined;
}

/** See the top of this file. Memory is bounded by what its owner tracks. */
export class BundleTracker<R extends TrackedRequest = TrackedRequest> {
  readonly #quorum: number;
  readonly #rules: Pick<AnswerRules, 'needed' | 'certificateNeeded'>;
  readonly #certificates: Certificates | undefined;
  readonly #bundles: TrackedBundles<R>;

  /** `quorum` is f+1: what one correct replica is among. */
  constructor(quorum: number, rules: Pick<AnswerRules, 'needed' | 'certificateNeeded'>) {
    this.#quorum = quorum;
    // No protocol has more than 3f+1 replicas.
    this.#bundles = new TrackedBundles(3 * quorum - 2);
    this.#rules = rules;
    const { certificateNeeded } = rules;
    this.#certificates = certificateNeeded === undefined ? undefined : new Certificates(certificateNeeded);
  }

  /** Bundles that are not finished. */
  get size(): number {
    return this.#bundles.size;
  }

  /** When a certificate is due; undefined: none is. */
  get certificateDueMs(): Milliseconds | undefined {
    return this.#certificates?.dueMs;
  }

  /** Whether a transaction is outstanding here. Looks at all of them. */
  isPending(txId: Digest): boolean {
    return this.requests().some((request) => request.txId === txId);
  }

  /** Whether this very request is outstanding here. */
  follows(session: SessionId, request: TrackedRequest): boolean {
    return this.#bundles.find(session, request.number, request.txId)?.request.txId === request.txId;
  }

  /** All requests that are outstanding here. */
  requests(): R[] {
    return [...this.#bundles].flatMap(requestsOf);
  }

  /** Since when the oldest bundle waits, and who has answered its first open request, whatever it said. */
  oldest(): { readonly sentMs: Milliseconds; readonly answered: readonly ReplicaId[] } | undefined {
    for (const { sentMs, entries } of this.#bundles) {
      const votes = entries.find(({ isDone }) => !isDone)?.votes;
      if (votes === undefined) continue;
      return { sentMs, answered: [...votes.keys()].filter((replica) => votes[replica] !== undefined) };
    }
    return undefined;
  }

  /** Bytes of all unfinished bundles, oldest first: for a replica whose link came up. */
  unfinished(): Uint8Array[] {
    return [...this.#bundles].map((tracked) => tracked.bytes);
  }

  /** Starts to follow a bundle and sends it. `everyone`: to all replicas at once (after a restart, for an OPEN). */
  track(
    bundle: Pick<Bundle, 'digest' | 'bytes' | 'session'>,
    requests: readonly R[],
    now: Milliseconds,
    everyone = false,
  ): TrackerEffect<R>[] {
    const { digest, bytes, session } = bundle;
    if (!this.#bundles.has(digest)) {
      const waitMs = RETRANSMIT_MS;
      this.#bundles.add(
        {
          digest,
          bytes,
          session,
          entries: [],
          left: requests.length,
          busy: new Map(),
          refusals: new Map(),
          sentMs: now,
          waitMs,
          dueMs: now + waitMs,
        },
        requests,
      );
    }
    return [{ kind: 'send', to: everyone ? 'all' : 'primary', bytes }];
  }

  /** Stops to follow a bundle, whatever became of it. */
  forget(digest: Digest): void {
    const tracked = this.#bundles.get(digest);
    if (tracked === undefined) return;
    for (const entry of tracked.entries) if (!entry.isDone) this.#drop(entry);
    this.#bundles.delete(tracked);
  }

  /** Whether any of these results is still waited for: otherwise the signature is not worth checking. */
  wants(session: SessionId, results: readonly WireResult[]): boolean {
    return results.some(({ number, txId }) => this.#bundles.find(session, number, txId) !== undefined);
  }

  /** Counts a reply. */
  onReply(replica: ReplicaId, reply: CheckedReply, now: Milliseconds): TrackerEffect<R>[] {
    const effects: TrackerEffect<R>[] = [];
    const { session, standing, key, kept } = reply;
    const isSpeculative = standing === 'speculative';
    const needed = this.#rules.needed(standing);
    if (needed === undefined && !(isSpeculative && this.#certificates !== undefined)) return [];
    const proof = reply.proof.length === 0 ? NO_PROOF : reply.proof.slice();
    const word: Word = { standing, key, proof, reply: kept };
    const found = reply.results.map(({ number, txId }) => this.#bundles.find(session, number, txId));
    const isLean = isMostlyWanted(reply.results, found);
    for (let index = 0; index < found.length; index += 1) {
      const entry = found[index];
      const received = reply.results[index]!;
      // One reply may name a request twice: it has an outcome only once.
      if (entry === undefined || entry.isDone) continue;
      // What is final stays so: an older word that comes late over another link takes nothing back.
      if (standing !== 'final' && entry.votes[replica]?.word.standing === 'final') continue;
      const result = isLean ? received : { ...received, result: received.result.slice() };
      const vote: Vote = { result, word };
      const votes = isStatement(received) ? entry.votes : (entry.forgotten ??= []);
      votes[replica] = vote;
      if (needed !== undefined && countEqualTo(vote, votes) >= needed)
        this.#complete(entry, vote, now, effects);
      else if (isSpeculative)
        this.#certificates?.offer(entry, key, proofsEqualTo(vote, votes), now, entry.owner.sentMs);
    }
    this.#addDueCertificates(effects, now);
    return effects;
  }

  #complete(
    entry: Entry<R>,
    { result, word: { standing } }: Vote,
    now: Milliseconds,
    effects: TrackerEffect<R>[],
  ): void {
    const { owner, request, votes } = entry;
    this.#certificates?.settle(entry, now, standing === 'speculative');
    this.#drop(entry);
    const { digest: bundle, session } = owner;
    const expected = request.txId;
    effects.push({ kind: 'result', bundle, expected, request, session, result, standing, votes });
    if (owner.left > 0) return;
    this.#bundles.delete(owner);
    effects.push({ kind: 'finished', bundle });
  }

  #addDueCertificates(effects: TrackerEffect<R>[], now: Milliseconds): void {
    for (const proofs of this.#certificates?.due(now) ?? []) effects.push({ kind: 'certify', proofs });
  }

  /** One replica is over capacity (decision C7): a hint, until f+1 say so. */
  onBusy(
    replica: ReplicaId,
    digest: Digest,
    retryAfterMs: Milliseconds,
    now: Milliseconds,
  ): TrackerEffect<R>[] {
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
  onRefused(replica: ReplicaId, digest: Digest, reason: string): TrackerEffect<R>[] {
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

  /** Sends certificates that are due, and re-sends what is due to all replicas. */
  onTick(now: Milliseconds): TrackerEffect<R>[] {
    const effects: TrackerEffect<R>[] = [];
    this.#addDueCertificates(effects, now);
    for (const tracked of this.#bundles) {
      if (tracked.dueMs > now) continue;
      tracked.waitMs = Math.min(tracked.waitMs * 2, RETRANSMIT_CAP_MS);
      tracked.dueMs = now + tracked.waitMs;
      effects.push({ kind: 'send', to: 'all', bytes: tracked.bytes });
    }
    return effects;
  }

  #drop(entry: Entry<R>): void {
    this.#certificates?.forget(entry);
    entry.isDone = true;
    entry.owner.left -= 1;
  }
}

/**
 * Whether a list of results may be kept as it is: views keep all of it alive, and a liar may have put much around the one
 * result that is waited for.
 */
function isMostlyWanted(results: readonly WireResult[], found: readonly (object | undefined)[]): boolean {
  let wanted = 0;
  let all = 0;
  for (let index = 0; index < results.length; index += 1) {
    const bytes = RESULT_OVERHEAD_BYTES + results[index]!.result.length;
    all += bytes;
    if (found[index] !== undefined) wanted += bytes;
  }
  return 2 * wanted >= all;
}

function isEqual(vote: Vote, other: Vote | undefined): other is Vote {
  if (other?.word.standing !== vote.word.standing || other.word.key !== vote.word.key) return false;
  return sameWireResult(other.result, vote.result);
}

/** How many say the same, about the same history, with the same standing. */
function countEqualTo(vote: Vote, votes: Votes): number {
  let count = 0;
  for (const other of votes) if (isEqual(vote, other)) count += 1;
  return count;
}

/** Proofs of those. */
function proofsEqualTo(vote: Vote, votes: Votes): SignedProof[] {
  const equal: SignedProof[] = [];
  for (const [replica, other] of votes.entries())
    if (isEqual(vote, other)) equal.push({ replica, proof: other.word.proof });
  return equal;
}

function requestsOf<R extends TrackedRequest>(tracked: Tracked<R>): R[] {
  return tracked.entries.filter((entry) => !entry.isDone).map((entry) => entry.request);
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
