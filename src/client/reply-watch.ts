/**
 * Remembers what replicas signed lately and what f+1 of them agreed on, and finds replies that contradict it: wrong
 * signed replies become evidence (`ledger/reply-evidence.ts`), also when they come after the result was accepted. Only
 * final ones: what may be undone may be said otherwise later. Pure.
 * Every memory is bounded, each replica's apart, so that a liar who floods loses only its own.
 */
import type { SignedReply, WireResult } from '../core/client-wire.ts';
import type { Standing } from '../core/protocol.ts';
import type { ReplicaId, RequestNumber, SessionId } from '../core/types.ts';
import {
  encodeReplyEvidence,
  isContradiction,
  REPLY_EVIDENCE_BYTES_MAX,
  sameWireResult,
  verifyReplyEvidence,
  WRONG_REPLY,
} from '../ledger/reply-evidence.ts';
import type { SignedBytes } from '../ledger/reply-evidence.ts';
import type { Trust } from '../ledger/trust.ts';
import type { VerifierCrypto } from '../ledger/verify.ts';

/** Accepted results that are remembered, and their bytes. */
const ACCEPTED_MAX = 8_192;
const ACCEPTED_BYTES_MAX = 8 * 1024 * 1024;
/** Signed replies of one replica that are remembered, and their bytes. */
const REPLIES_MAX = 8_192;
const REPLY_BYTES_MAX = 4 * 1024 * 1024;
/** Records against one replica: a liar may be caught a thousand times, a few proofs are enough. */
const RECORDS_PER_REPLICA_MAX = 4;

/** A signed reply; `signed` is undefined once it was forgotten. */
export interface KeptReply {
  readonly replica: ReplicaId;
  signed: SignedBytes | undefined;
}

/** One replica's word on one request. */
export interface Vote {
  readonly result: WireResult;
  readonly standing: Standing;
  /** What must be equal in votes that count together. */
  readonly key: string;
  readonly proof: Uint8Array;
  readonly reply: KeptReply | undefined;
}

/** Proof against a replica that the client found itself. */
export interface FoundEvidence {
  readonly replica: ReplicaId;
  readonly rule: string;
  readonly bytes: Uint8Array;
  readonly explanation: string;
}

/** What the watch is made of. */
export interface ReplyWatchOptions {
  readonly trust: Trust;
  readonly crypto: VerifierCrypto;
  readonly onEvidence: (found: FoundEvidence) => void;
}

interface Accepted {
  readonly session: SessionId;
  readonly result: WireResult;
  /** Of f+1 distinct replicas, ascending. */
  readonly witnesses: readonly KeptReply[];
}

interface Memory {
  /** Insertion order is age order. */
  readonly replies: Set<KeptReply>;
  bytes: number;
}

/** A number is cheaper to make and to find than a text; nearly always both fit into one. */
const nameOf = (session: SessionId, number: RequestNumber): string | number =>
  session < 2 ** 20 && number < 2 ** 32 ? session * 2 ** 32 + number : `${session}/${number}`;

/** See the top of this file. */
export class ReplyWatch {
  readonly #options: ReplyWatchOptions;
  readonly #accepted = new Map<string | number, Accepted>();
  readonly #memories: readonly Memory[];
  readonly #records: number[];
  #acceptedBytes = 0;

  constructor(options: ReplyWatchOptions) {
    this.#options = options;
    const { hostKeys } = options.trust;
    this.#memories = hostKeys.map(() => ({ replies: new Set(), bytes: 0 }));
    this.#records = hostKeys.map(() => 0);
  }

  /** Remembers a reply whose signature holds. `content`: its canonical bytes; the caller gives them away. */
  keep(replica: ReplicaId, content: Uint8Array, signature: Uint8Array): KeptReply {
    const kept: KeptReply = { replica, signed: { content, signature: signature.slice() } };
    const memory = this.#memories[replica]!;
    memory.replies.add(kept);
    memory.bytes += content.length;
    for (const oldest of memory.replies) {
      if (memory.bytes <= REPLY_BYTES_MAX && memory.replies.size <= REPLIES_MAX) break;
      memory.replies.delete(oldest);
      memory.bytes -= oldest.signed?.content.length ?? 0;
      oldest.signed = undefined;
    }
    return kept;
  }

  /** Whether a reply, not verified yet, says otherwise than f+1 replicas: then its signature is worth checking. */
  contradicts({ replica, session, standing, results }: SignedReply): boolean {
    return (
      standing === 'final' &&
      !this.#isEnough(replica) &&
      results.some((result) => this.#against(session, result) !== undefined)
    );
  }

  #isEnough(replica: ReplicaId): boolean {
    return (this.#records[replica] ?? RECORDS_PER_REPLICA_MAX) >= RECORDS_PER_REPLICA_MAX;
  }

  #against(session: SessionId, result: WireResult): Accepted | undefined {
    const accepted = this.#accepted.get(nameOf(session, result.number));
    return accepted !== undefined && isContradiction(session, accepted.result, result) ? accepted : undefined;
  }

  /** A final reply whose signature holds: results that were accepted before are compared. */
  onReply(reply: KeptReply, session: SessionId, results: readonly WireResult[]): void {
    for (const result of results) {
      if (this.#isEnough(reply.replica)) return;
      const accepted = this.#against(session, result);
      if (accepted !== undefined) this.#record(accepted, reply);
    }
  }

  /**
   * Enough replicas agree on a result, which is final. `votes`: the latest word of each replica on this request; those
   * below `final` prove nothing.
   */
  onAccepted(session: SessionId, result: WireResult, votes: readonly (Vote | undefined)[]): void {
    if (session === 0) return;
    const name = nameOf(session, result.number);
    const witnesses: KeptReply[] = [];
    const others: Vote[] = [];
    for (const vote of votes) {
      if (vote?.standing !== 'final') continue;
      if (sameWireResult(result, vote.result)) {
        if (vote.reply !== undefined) witnesses.push(vote.reply);
      } else if (isContradiction(session, result, vote.result)) others.push(vote);
    }
    const accepted: Accepted = { session, result, witnesses };
    for (const { reply } of others) if (reply !== undefined) this.#record(accepted, reply);
    if (this.#accepted.has(name)) return;
    this.#accepted.set(name, accepted);
    this.#acceptedBytes += result.result.length;
    if (this.#isOverfull) this.#forgetOldest();
  }

  get #isOverfull(): boolean {
    return this.#accepted.size > ACCEPTED_MAX || this.#acceptedBytes > ACCEPTED_BYTES_MAX;
  }

  /** Forgets an eighth at a time: to find the oldest of a map costs a walk over what was deleted before. */
  #forgetOldest(): void {
    const left = ACCEPTED_MAX - ACCEPTED_MAX / 8;
    for (const [oldest, { result }] of this.#accepted) {
      if (this.#accepted.size <= left && this.#acceptedBytes <= ACCEPTED_BYTES_MAX) break;
      this.#accepted.delete(oldest);
      this.#acceptedBytes -= result.result.length;
    }
  }

  #record({ session, result, witnesses }: Accepted, wrong: KeptReply): void {
    const { trust, crypto, onEvidence } = this.#options;
    if (this.#isEnough(wrong.replica) || wrong.signed === undefined) return;
    const right: SignedBytes[] = [];
    for (const { signed } of witnesses)
      if (signed !== undefined && right.length <= trust.f) right.push(signed);
    let length = wrong.signed.content.length;
    for (const { content } of right) length += content.length;
    if (right.length <= trust.f || length > REPLY_EVIDENCE_BYTES_MAX) return;
    const { clusterId, configurationVersion } = trust;
    const { number } = result;
    const record = { clusterId, configurationVersion, session, number, wrong: wrong.signed, right };
    const bytes = encodeReplyEvidence(record);
    // Nobody is accused by a record that a stranger could not verify.
    const verdict = verifyReplyEvidence(bytes, trust, crypto);
    if (!verdict.valid) return;
    this.#records[wrong.replica]! += 1;
    onEvidence({ replica: verdict.replica, rule: WRONG_REPLY, bytes, explanation: verdict.explanation });
  }
}
