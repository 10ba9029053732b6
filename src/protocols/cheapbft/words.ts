/** PREPAREs and COMMITs of a CheapTiny instance, by offset. Bounded by the window. */
import type { Milliseconds, ReplicaId, SequenceNumber } from '../../core/types.ts';
import type { CheapSealed } from './messages.ts';

/** See the top of this file. */
export class Words {
  readonly #words = new Map<number, Map<ReplicaId, CheapSealed>>();

  /** Takes in a word, the first of each replica: its counter has no other for this offset. */
  add(offset: number, message: CheapSealed): void {
    let words = this.#words.get(offset);
    if (words === undefined) this.#words.set(offset, (words = new Map()));
    if (!words.has(message.author)) words.set(message.author, message);
  }

  /** What a replica said about an offset. */
  of(offset: number, replica: ReplicaId): CheapSealed | undefined {
    return this.#words.get(offset)?.get(replica);
  }

  offsets(): IterableIterator<number> {
    return this.#words.keys();
  }

  dropThrough(offset: number): void {
    for (const known of [...this.#words.keys()]) if (known <= offset) this.#words.delete(known);
  }

  clear(): void {
    this.#words.clear();
  }
}

/** Looks for how long nothing was executed although this replica has agreed to more. */
export class Stall {
  #executed: SequenceNumber = 0;
  #since: Milliseconds | undefined;

  /** Since when; undefined while everything that it agreed to is executed. */
  since(executed: SequenceNumber, agreed: SequenceNumber, now: Milliseconds): Milliseconds | undefined {
    if (agreed <= executed || executed !== this.#executed) this.#since = undefined;
    this.#executed = executed;
    if (agreed > executed) this.#since ??= now;
    return this.#since;
  }
}
