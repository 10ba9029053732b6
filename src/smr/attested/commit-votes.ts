/**
 * What replicas committed to, in whatever view: equal words of a quorum decide for ever. Bounded by the window. (On USIG
 * streams votes are those of one view, and voters have incarnations: `vote-keeper.ts`.)
 */
import type { ReplicaId, SequenceNumber } from '../../core/types.ts';
import { Words } from './words.ts';

/** Different things that words of one replica for one order are kept for: one of each of its last views. */
const KEPT_PER_REPLICA = 4;

/** See the top of this file. `M`: a message that commits its author. */
export class CommitVotes<M extends { readonly author: ReplicaId }> {
  readonly #votes = new Map<SequenceNumber, Map<string, Words<M>>>();

  /** Counts a word; `key`: what must be equal for two to count together. False if it was counted before. */
  add(message: M, sequence: SequenceNumber, key: string): boolean {
    const { author } = message;
    let candidates = this.#votes.get(sequence);
    if (candidates === undefined) this.#votes.set(sequence, (candidates = new Map()));
    let equal = candidates.get(key);
    if (equal?.has(author) === true) return false;
    // The oldest of its own gives way, not that of the lowest view: views may change many times before one of them
    // decides, and what one of them has decided is shown later by all its words at once.
    if (candidates.size >= KEPT_PER_REPLICA) this.#makeRoom(candidates, author);
    if (equal === undefined) candidates.set(key, (equal = new Words()));
    equal.add(message);
    return true;
  }

  #makeRoom(candidates: Map<string, Words<M>>, author: ReplicaId): void {
    const others = [...candidates].filter(([, votes]) => votes.has(author));
    if (others.length < KEPT_PER_REPLICA) return;
    const [oldest, votes] = others[0]!;
    votes.delete(author);
    if (votes.size === 0) candidates.delete(oldest);
  }

  /**
   * Equal words of at least `quorum` replicas, in the order in which they came; undefined if there are none. `counts`: which
   * words are looked for, judged by one of them.
   */
  decided(
    sequence: SequenceNumber,
    quorum: number,
    counts: (word: M) => boolean = () => true,
  ): readonly M[] | undefined {
    const candidates = this.#votes.get(sequence);
    if (candidates === undefined) return undefined;
    for (const words of candidates.values())
      if (words.size >= quorum && counts(words.first!)) return words.take();
    return undefined;
  }

  /** Who stands for the same as most others do. */
  voters(sequence: SequenceNumber): ReplicaId[] {
    const all = [...(this.#votes.get(sequence)?.values() ?? [])].sort((a, b) => b.size - a.size);
    return (all[0]?.take() ?? []).map(({ author }) => author);
  }

  /** One word of every quorum that is known; for judges. */
  quorums(quorum: number): M[] {
    const found: M[] = [];
    for (const candidates of this.#votes.values())
      for (const words of candidates.values()) if (words.size >= quorum) found.push(words.first!);
    return found;
  }

  /** Orders at or below a stable checkpoint are past. */
  dropThrough(sequence: SequenceNumber): void {
    for (const known of [...this.#votes.keys()]) if (known <= sequence) this.#votes.delete(known);
  }
}
