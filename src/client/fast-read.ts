/**
 * Fast reads (decision C6): a result that all N replicas give alike is linearizable without ordering. Every completed
 * write was executed by at least one correct replica before it was acknowledged, and that replica is among the N.
 * Fewer than N equal answers would permit stale reads in a group of 2f+1. Pure.
 */
import { equalBytes } from '../core/bytes.ts';
import type { Height, ReplicaId, SequenceNumber } from '../core/types.ts';

/** One replica's answer to a fast read. */
export interface ReadAnswer {
  readonly sequence: SequenceNumber;
  readonly height: Height;
  readonly result: Uint8Array;
}

/** `agreed`: all N alike. `mismatch`: they never will be, order the read instead. */
export type ReadVerdict =
  | { readonly kind: 'waiting' }
  | { readonly kind: 'agreed'; readonly answer: ReadAnswer }
  | { readonly kind: 'mismatch' };

/** Collects the answers to one fast read. */
export class FastRead {
  readonly #replicas: number;
  readonly #answers = new Map<ReplicaId, ReadAnswer>();

  /** `replicas` is N. */
  constructor(replicas: number) {
    this.#replicas = replicas;
  }

  /** Takes an answer that came over the pinned link of `replica`. The first one of each replica counts. */
  onAnswer(replica: ReplicaId, answer: ReadAnswer): ReadVerdict {
    if (!this.#answers.has(replica)) this.#answers.set(replica, answer);
    const first = this.#answers.values().next().value;
    if (first === undefined) return { kind: 'waiting' };
    let lowest = first;
    for (const other of this.#answers.values()) {
      if (!equalBytes(other.result, first.result)) return { kind: 'mismatch' };
      if (other.sequence < lowest.sequence) lowest = other;
    }
    return this.#answers.size < this.#replicas ? { kind: 'waiting' } : { kind: 'agreed', answer: lowest };
  }
}
