/** Updates that active replicas told a passive one; it applies what all of them told alike. Bounded by the window. */
import { bytesToHex } from '../../core/bytes.ts';
import type { Hash, ReplicaId, SequenceNumber } from '../../core/types.ts';

/** One replica's word. */
interface Told {
  readonly hash: string;
  readonly update: Uint8Array;
}

/** See the top of this file. */
export class Updates {
  readonly #hash: Hash;
  readonly #told = new Map<SequenceNumber, Map<ReplicaId, Told>>();
  /** Handed to the service already: what it refused once it would refuse again. */
  #applied: SequenceNumber = 0;

  constructor(hash: Hash) {
    this.#hash = hash;
  }

  /** Takes in a word, the first of each replica; false if others told something else. */
  add(sequence: SequenceNumber, author: ReplicaId, update: Uint8Array): boolean {
    let told = this.#told.get(sequence);
    if (told === undefined) this.#told.set(sequence, (told = new Map()));
    if (!told.has(author)) told.set(author, { hash: bytesToHex(this.#hash(update)), update });
    return new Set([...told.values()].map(({ hash }) => hash)).size === 1;
  }

  /** What all these replicas told alike; undefined if they did not. */
  agreed(sequence: SequenceNumber, active: readonly ReplicaId[]): Uint8Array | undefined {
    const told = this.#told.get(sequence);
    const first = told?.get(active[0]!);
    if (first === undefined) return undefined;
    return active.every((replica) => told!.get(replica)?.hash === first.hash) ? first.update : undefined;
  }

  /** Whether the update of a sequence number is to be handed to the service now; once. */
  takes(sequence: SequenceNumber): boolean {
    if (sequence <= this.#applied) return false;
    this.#applied = sequence;
    return true;
  }

  /** What is at or below a state that is here is past. */
  dropThrough(sequence: SequenceNumber): void {
    this.#applied = Math.max(this.#applied, sequence);
    for (const known of [...this.#told.keys()]) if (known <= sequence) this.#told.delete(known);
  }

  clear(): void {
    this.#told.clear();
  }
}
