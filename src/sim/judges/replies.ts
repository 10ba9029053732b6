/**
 * Truth of replies: correct replicas compute equal results and sign nothing that makes a proof of guilt; a client
 * believes only what correct replicas compute, at the place where they computed it.
 */
import { bytesToHex } from '../../core/bytes.ts';
import type { WireResult } from '../../core/client-wire.ts';
import type { Digest, ReplicaId, SequenceNumber, SessionId } from '../../core/types.ts';
import { decodeResult } from '../../ledger/operation.ts';
import { isContradiction } from '../../ledger/reply-evidence.ts';
import type { Believed } from '../client.ts';
import { sameResult } from '../client.ts';
import type { Bench } from './bench.ts';
import type { JudgedOutcome, OrderJudge } from './order.ts';

/** See the top of this file. */
export class ReplyJudge {
  readonly #bench: Bench;
  readonly #order: OrderJudge;
  readonly #results = new Map<Digest, WireResult>();
  /** What correct replicas signed about a request of a session. */
  readonly #signed = new Map<string, WireResult[]>();
  readonly #unconfirmed = new Map<Digest, Believed>();
  /** Results of batches that may yet be undone, by request. */
  readonly #tentative = new Map<Digest, WireResult[]>();
  readonly #believed: WireResult[] = [];
  /** Highest sequence number of a result that a client believes. */
  believedThrough: SequenceNumber = 0;

  constructor(bench: Bench, order: OrderJudge) {
    this.#bench = bench;
    this.#order = order;
  }

  /** Results that clients believe. */
  get believed(): readonly WireResult[] {
    return this.#believed;
  }

  /** A correct replica signed a reply: no two of them may ever make a proof of each other (`ledger/reply-evidence.ts`). */
  onSigned(replica: ReplicaId, session: SessionId, results: readonly WireResult[]): void {
    for (const result of results) {
      const name = `${session}/${result.number}`;
      const signed = this.#signed.get(name) ?? [];
      if (signed.some((known) => sameResult(known, result))) continue;
      if (signed.some((known) => isContradiction(session, known, result)))
        this.#bench.report(
          'accusation',
          `replica ${replica} signed ${show(result)}, a correct one ${show(signed[0]!)}`,
        );
      // Few differ: "forgotten" stands beside what was forgotten.
      this.#signed.set(name, [...signed, { ...result, result: result.result.slice() }]);
    }
  }

  onExecuted(replica: ReplicaId, outcome: JudgedOutcome): void {
    for (const group of outcome.replies)
      for (const result of group.results) this.#checkResult(replica, group.session, result);
  }

  /** A correct replica executed a batch that may be undone: its results may be believed before it is final. */
  onTentative({ replies }: Pick<JudgedOutcome, 'replies'>): void {
    for (const { results } of replies)
      for (const result of results) {
        const known = this.#tentative.get(result.txId);
        if (known === undefined) this.#tentative.set(result.txId, [result]);
        else if (!known.some((one) => sameResult(one, result))) known.push(result);
      }
  }

  #isTentative(result: WireResult): boolean {
    return this.#tentative.get(result.txId)?.some((one) => sameResult(one, result)) === true;
  }

  #checkResult(replica: ReplicaId, session: SessionId | undefined, result: WireResult): void {
    const known = this.#results.get(result.txId);
    if (known === undefined) {
      this.#results.set(result.txId, { ...result, result: result.result.slice() });
      const believed = this.#unconfirmed.get(result.txId);
      if (believed !== undefined) this.#confirm(believed);
      return;
    }
    if (session === 0 && (isRefusal(known) || isRefusal(result))) {
      // A refused OPEN is not remembered: it is tried anew wherever it is ordered again.
      if (!isRefusal(result)) this.#results.set(result.txId, { ...result, result: result.result.slice() });
      return;
    }
    if (!sameResult(known, result))
      this.#bench.report(
        'reply',
        `replica ${replica} computed ${show(result)} for ${result.txId.slice(0, 8)}, another ${show(known)}`,
      );
  }

  /** A client believes a result. It must be what correct replicas compute, now or soon. */
  onBelieved(believed: Believed): void {
    this.#believed.push(believed.result);
    this.believedThrough = Math.max(this.believedThrough, believed.result.sequence);
    if (this.#results.has(believed.result.txId)) this.#confirm(believed);
    else this.#unconfirmed.set(believed.result.txId, believed);
  }

  #confirm(believed: Believed): void {
    this.#unconfirmed.delete(believed.result.txId);
    const known = this.#results.get(believed.result.txId)!;
    if (!sameResult(known, believed.result))
      this.#bench.report(
        'reply',
        `client ${believed.client} believes ${show(believed.result)}, correct replicas computed ${show(known)}`,
      );
  }

  /**
   * At the end: everything that a client believes was executed by somebody correct, and stands in the one ledger.
   * `isCut`: the run ended at any moment, so that what is not final yet may count.
   */
  finish(isCut = false): void {
    for (const believed of this.#unconfirmed.values())
      if (!isCut || !this.#isTentative(believed.result))
        this.#bench.report(
          'reply',
          `client ${believed.client} believes ${show(believed.result)}, which no correct replica computed`,
        );
    for (const result of this.#believed) {
      const stands = this.#order.sequenceOf(result.txId);
      if (isCut && stands === undefined && this.#isTentative(result)) continue;
      // What has no height left no trace in the ledger: reads, no-ops, sessions.
      if (result.height > 0 && stands !== result.sequence)
        this.#bench.report(
          'durability',
          `${show(result)} is acknowledged, but not at its place in the ledger`,
        );
    }
  }
}

function isRefusal({ result }: WireResult): boolean {
  return decodeResult(result)?.ok !== true;
}

function show(result: WireResult): string {
  return `[${result.number} at ${result.sequence}/${result.height} = ${bytesToHex(result.result.subarray(0, 12))}]`;
}
