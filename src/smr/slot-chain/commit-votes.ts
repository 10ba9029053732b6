/** What replicas committed to, in whatever view: equal votes of a quorum decide for ever. Bounded by the window. */
import type { ReplicaId, SequenceNumber } from '../../core/types.ts';

/** Different things that votes of one replica for one sequence number are kept for: one of each of its last views. */
const KEPT_PER_REPLICA = 4;

/** See the top of this file. `V`: a vote. */
export class CommitVotes<V> {
  readonly #votes = new Map<SequenceNumber, Map<string, Map<ReplicaId, V>>>();
  /** Sequence numbers with something new since the last look. */
  readonly changed = new Set<SequenceNumber>();

  /** Counts a vote; `key`: what must be equal for two to count together. */
  add(sequence: SequenceNumber, key: string, replica: ReplicaId, vote: V): void {
    let candidates = this.#votes.get(sequence);
    if (candidates === undefined) this.#votes.set(sequence, (candidates = new Map()));
    let equal = candidates.get(key);
    if (equal?.has(replica) === true) return;
    // The oldest of its own gives way: views may change many times before one of them decides.
    const others = [...candidates].filter(([, votes]) => votes.has(replica));
    if (others.length >= KEPT_PER_REPLICA) {
      const [oldest, votes] = others[0]!;
      votes.delete(replica);
      if (votes.size === 0) candidates.delete(oldest);
    }
    if (equal === undefined) candidates.set(key, (equal = new Map()));
    equal.set(replica, vote);
    this.changed.add(sequence);
  }

  /** The equal votes of at least `quorum` replicas; undefined if there are none. */
  decided(sequence: SequenceNumber, quorum: number): ReadonlyMap<ReplicaId, V> | undefined {
    for (const votes of this.#votes.get(sequence)?.values() ?? []) if (votes.size >= quorum) return votes;
    return undefined;
  }

  /** A vote of every quorum that is known; for judges. */
  quorums(quorum: number): V[] {
    const found: V[] = [];
    for (const candidates of this.#votes.values())
      for (const votes of candidates.values())
        if (votes.size >= quorum) found.push(...[...votes.values()].slice(0, 1));
    return found;
  }

  /** Sequence numbers at or below a stable checkpoint are past. */
  dropThrough(sequence: SequenceNumber): void {
    for (const known of [...this.#votes.keys()]) if (known <= sequence) this.#votes.delete(known);
    for (const known of [...this.changed]) if (known <= sequence) this.changed.delete(known);
  }
}
