/**
 * Remembers what replicas signed lately and what f+1 of them agreed on, and finds replies that contradict it: wrong
 * signed replies become evidence (`ledger/reply-evidence.ts`), also when they come after the result was accepted. Only
 * final ones: what may be undone may be said otherwise later. Pure.
 * Every memory is bounded, each replica's apart, so that a liar who floods loses only its own.
 */
import { resultAt, resultPlaces, resultsPartOf } from '../core/client-wire.ts';
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
import { Fifo } from './fifo.ts';

/** Accepted results that are remembered: the latest ones of a session, as long as the replies that said them are. */
const ACCEPTED_MAX = 8_192;
/** Signed replies of one replica that are remembered, and their bytes. */
const REPLIES_MAX = 8_192;
const REPLY_BYTES_MAX = 4 * 1024 * 1024;
/** Records against one replica: a liar may be caught a thousand times, a few proofs are enough. */
const RECORDS_PER_REPLICA_MAX = 4;

/** A signed reply; `signed` is undefined once it was forgotten. */
export interface KeptReply {
  readonly replica: ReplicaId;
  signed: SignedBytes | undefined;
  /** Where the results lie in its content, by request number, once somebody asked. */
  places: ReadonlyMap<RequestNumber, number> | undefined;
}

/** What a reply says about all results in it: one object for all votes of the reply. */
export interface Word {
  readonly standing: Standing;
  /** What must be equal in votes that count together. */
  readonly key: string;
  readonly proof: Uint8Array;
  readonly reply: KeptReply | undefined;
}

/** One replica's word on one request. */
export interface Vote {
  readonly result: WireResult;
  readonly word: Word;
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

/** What the same replicas said about results of one session: one object for all results that came together. */
interface Testimony {
  readonly session: SessionId;
  /** Of f+1 distinct replicas, ascending. */
  readonly witnesses: readonly KeptReply[];
}

interface Memory {
  /** Oldest first. */
  readonly replies: Fifo<KeptReply>;
  bytes: number;
}

/** Where a result is remembered: requests of a session are numbered one by one, so the latest ones do not collide. */
function placeOf(session: SessionId, number: RequestNumber): number {
  return (number + (session % ACCEPTED_MAX) * 2_731) % ACCEPTED_MAX;
}

/** See the top of this file. */
export class ReplyWatch {
  readonly #options: ReplyWatchOptions;
  /**
   * By place. No object for each result: they would live long enough to cost the garbage collector more than all else
   * that is done for a request. What was accepted is read again from what a witness signed, should it ever be needed.
   */
  readonly #numbers = new Float64Array(ACCEPTED_MAX);
  readonly #testimonies = new Array<Testimony | undefined>(ACCEPTED_MAX).fill(undefined);
  readonly #memories: readonly Memory[];
  readonly #records: number[];
  #lastTestimony: Testimony | undefined;

  constructor(options: ReplyWatchOptions) {
    this.#options = options;
    const { hostKeys } = options.trust;
    this.#memories = hostKeys.map(() => ({ replies: new Fifo(), bytes: 0 }));
    this.#records = hostKeys.map(() => 0);
  }

  /** Remembers a reply whose signature holds. `content`: its canonical bytes; the caller gives them away. */
  keep(replica: ReplicaId, content: Uint8Array, signature: Uint8Array): KeptReply {
    const signed = { content, signature: signature.slice() };
    const kept: KeptReply = { replica, signed, places: undefined };
    const memory = this.#memories[replica]!;
    memory.replies.push(kept);
    memory.bytes += content.length;
    while (memory.bytes > REPLY_BYTES_MAX || memory.replies.size > REPLIES_MAX) {
      const oldest = memory.replies.shift()!;
      memory.bytes -= oldest.signed!.content.length;
      oldest.signed = undefined;
      oldest.places = undefined;
    }
    return kept;
  }

  /** Whether a reply, not verified yet, says otherwise than f+1 replicas: then its signature is worth checking. */
  contradicts({ replica, session, standing, results, content }: SignedReply): boolean {
    return standing === 'final' && this.#find(replica, session, content, results, () => true);
  }

  #isEnough(replica: ReplicaId): boolean {
    return (this.#records[replica] ?? RECORDS_PER_REPLICA_MAX) >= RECORDS_PER_REPLICA_MAX;
  }

  /** A final reply whose signature holds: results that were accepted before are compared. */
  onReply(reply: KeptReply, session: SessionId, results: readonly WireResult[]): void {
    const { replica, signed } = reply;
    if (signed === undefined) return;
    this.#find(replica, session, signed.content, results, (result, witnesses) => {
      this.#record(session, result, witnesses, reply);
      return this.#isEnough(replica);
    });
  }

  /**
   * Looks among results for those that contradict an accepted one, until `found` says that it is enough; tells whether it
   * did. `content` is what the results came in.
   */
  #find(
    replica: ReplicaId,
    session: SessionId,
    content: Uint8Array,
    results: readonly WireResult[],
    found: (result: WireResult, witnesses: readonly KeptReply[]) => boolean,
  ): boolean {
    if (this.#isEnough(replica)) return false;
    // All that one testimony says is mostly said again by one reply, in the same bytes.
    let compared: Testimony | undefined;
    let isSame = false;
    for (const result of results) {
      const place = placeOf(session, result.number);
      const testimony = this.#testimonies[place];
      if (testimony?.session !== session || this.#numbers[place] !== result.number) continue;
      if (testimony !== compared) {
        compared = testimony;
        isSame = saysTheSame(testimony.witnesses[0]?.signed?.content, content);
      }
      if (isSame) continue;
      const agreed = acceptedIn(testimony.witnesses[0], result.number);
      if (agreed === undefined || !isContradiction(session, agreed, result)) continue;
      if (found(result, testimony.witnesses)) return true;
    }
    return false;
  }

  /**
   * Enough replicas agree on a result, which is final. `votes`: the latest word of each replica on this request; those
   * below `final` prove nothing.
   */
  onAccepted(session: SessionId, result: WireResult, votes: readonly (Vote | undefined)[]): void {
    if (session === 0) return;
    const { witnesses } = (this.#lastTestimony = this.#testimonyOf(session, result, votes));
    for (const vote of votes)
      if (
        vote?.word.standing === 'final' &&
        vote.word.reply !== undefined &&
        isContradiction(session, result, vote.result)
      )
        this.#record(session, result, witnesses, vote.word.reply);
    const place = placeOf(session, result.number);
    this.#numbers[place] = result.number;
    this.#testimonies[place] = this.#lastTestimony;
  }

  /** Who said so. Results that came together mostly have the same witnesses in the same replies. */
  #testimonyOf(session: SessionId, result: WireResult, votes: readonly (Vote | undefined)[]): Testimony {
    const last = this.#lastTestimony;
    let count = 0;
    let isLast = last?.session === session;
    for (const vote of votes) {
      const witness = witnessIn(vote, result);
      if (witness === undefined) continue;
      if (witness !== last?.witnesses[count]) isLast = false;
      count += 1;
    }
    if (isLast && last!.witnesses.length === count) return last!;
    const witnesses: KeptReply[] = [];
    for (const vote of votes) {
      const witness = witnessIn(vote, result);
      if (witness !== undefined) witnesses.push(witness);
    }
    return { session, witnesses };
  }

  #record(
    session: SessionId,
    { number }: WireResult,
    witnesses: readonly KeptReply[],
    wrong: KeptReply,
  ): void {
    const { trust, crypto, onEvidence } = this.#options;
    if (this.#isEnough(wrong.replica) || wrong.signed === undefined) return;
    const right: SignedBytes[] = [];
    for (const { signed } of witnesses)
      if (signed !== undefined && right.length <= trust.f) right.push(signed);
    let length = wrong.signed.content.length;
    for (const { content } of right) length += content.length;
    if (right.length <= trust.f || length > REPLY_EVIDENCE_BYTES_MAX) return;
    const { clusterId, configurationVersion } = trust;
    const record = { clusterId, configurationVersion, session, number, wrong: wrong.signed, right };
    const bytes = encodeReplyEvidence(record);
    // Nobody is accused by a record that a stranger could not verify.
    const verdict = verifyReplyEvidence(bytes, trust, crypto);
    if (!verdict.valid) return;
    this.#records[wrong.replica]! += 1;
    onEvidence({ replica: verdict.replica, rule: WRONG_REPLY, bytes, explanation: verdict.explanation });
  }
}

/** The reply in which a vote stands, if it vouches for a result for good. */
function witnessIn(vote: Vote | undefined, result: WireResult): KeptReply | undefined {
  if (vote?.word.standing !== 'final' || !sameWireResult(result, vote.result)) return undefined;
  return vote.word.reply;
}

/** Whether two replies have the same results, byte for byte; the head names the replica and differs always. */
function saysTheSame(one: Uint8Array | undefined, other: Uint8Array): boolean {
  if (one === undefined) return false;
  return Buffer.compare(resultsPartOf(one), resultsPartOf(other)) === 0;
}

/** What a witness signed about a request; undefined if that is not kept any more. */
function acceptedIn(witness: KeptReply | undefined, number: RequestNumber): WireResult | undefined {
  if (witness?.signed === undefined) return undefined;
  const { content } = witness.signed;
  // Found once for each reply: a liar that asks for all of them again and again gains nothing.
  witness.places ??= resultPlaces(content);
  const place = witness.places.get(number);
  return place === undefined ? undefined : resultAt(content, place);
}
