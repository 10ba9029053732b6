/**
 * Votes, explicit for each order: a vote for n-1 is never inferred from a vote for n. A voter is a replica under an
 * incarnation; which incarnations count is judged when deciding, not here. (Where messages are attested one by one, words
 * of many views count side by side and must be bounded: `attested/commit-votes.ts`.)
 */
import type { Incarnation, ReplicaId, SequenceNumber } from '../core/types.ts';

/** Who stands for a proposal. */
interface Candidate {
  /** One entry per replica; a replica that voted under two incarnations is kept under both. */
  readonly voters: readonly Voter[];
}

/** Who voted. */
export interface Voter {
  readonly replica: ReplicaId;
  readonly incarnation: Incarnation;
}

interface Slot<P> {
  readonly candidates: Map<string, { proposal: P; voters: Voter[] }>;
}

/** Votes of one group (a view under one NEW-VIEW). */
export class VoteKeeper<P> {
  readonly #slots = new Map<SequenceNumber, Slot<P>>();

  /** Counts a vote; a repeated one changes nothing. True if it is new. */
  add(sequence: SequenceNumber, key: string, proposal: P, voter: Voter): boolean {
    let slot = this.#slots.get(sequence);
    if (slot === undefined) this.#slots.set(sequence, (slot = { candidates: new Map() }));
    let candidate = slot.candidates.get(key);
    if (candidate === undefined) slot.candidates.set(key, (candidate = { proposal, voters: [] }));
    const known = candidate.voters.some(
      (other) => other.replica === voter.replica && other.incarnation === voter.incarnation,
    );
    if (!known) candidate.voters.push(voter);
    return !known;
  }

  /** Whether any candidate has so many voters; whether they count is for `decided`. */
  hasVoters(sequence: SequenceNumber, quorum: number): boolean {
    const slot = this.#slots.get(sequence);
    if (slot === undefined) return false;
    for (const { voters } of slot.candidates.values()) if (voters.length >= quorum) return true;
    return false;
  }

  /**
   * The candidate that at least `quorum` distinct replicas voted for, counting only voters for which `counts` holds.
   * At most one can exist; candidates are tried in order of arrival.
   */
  decided(
    sequence: SequenceNumber,
    quorum: number,
    counts: (voter: Voter, proposal: P) => boolean,
  ): P | undefined {
    const slot = this.#slots.get(sequence);
    if (slot === undefined) return undefined;
    for (const { proposal, voters } of slot.candidates.values()) {
      if (voters.length < quorum) continue;
      if (distinctReplicas(voters.filter((voter) => counts(voter, proposal))) >= quorum) return proposal;
    }
    return undefined;
  }

  /** What was proposed for an order, in order of arrival. */
  proposalsAt(sequence: SequenceNumber): P[] {
    return [...(this.#slots.get(sequence)?.candidates.values() ?? [])].map(({ proposal }) => proposal);
  }

  /** Candidates at an order, in order of arrival. */
  candidates(sequence: SequenceNumber): readonly Candidate[] {
    return [...(this.#slots.get(sequence)?.candidates.values() ?? [])];
  }

  /** Everything that was voted for and is not forgotten. */
  proposals(): P[] {
    const found: P[] = [];
    for (const { candidates } of this.#slots.values())
      for (const { proposal } of candidates.values()) found.push(proposal);
    return found;
  }

  /** Forgets votes at or below an order that was executed here. */
  dropThrough(sequence: SequenceNumber): void {
    for (const held of [...this.#slots.keys()]) if (held <= sequence) this.#slots.delete(held);
  }

  /** Forgets one order. */
  drop(sequence: SequenceNumber): void {
    this.#slots.delete(sequence);
  }

  get size(): number {
    return this.#slots.size;
  }
}

/** How many different replicas are among the voters. */
export function distinctReplicas(voters: readonly Voter[]): number {
  const seen: ReplicaId[] = [];
  for (const { replica } of voters) if (!seen.includes(replica)) seen.push(replica);
  return seen.length;
}
