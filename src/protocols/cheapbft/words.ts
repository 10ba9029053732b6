/** PREPAREs and COMMITs of a CheapTiny instance, by offset. Bounded by the window. */
import type { Milliseconds, ReplicaId, SequenceNumber } from '../../core/types.ts';
import type { CheapSealed } from './messages.ts';

/** See the top of this file. */
export class Words {
  readonly #words = new Map<number, Map<ReplicaId, CheapSealed>>();
  /** When the first word about an offset came. */
  readonly #since = new Map<number, Milliseconds>();

  /** Takes in a word, the first of each replica: its counter has no other for this offset. */
  add(offset: number, message: CheapSealed, now: Milliseconds): void {
    let words = this.#words.get(offset);
    if (words === undefined) this.#words.set(offset, (words = new Map()));
    if (words.size === 0) this.#since.set(offset, now);
    if (!words.has(message.author)) words.set(message.author, message);
  }

  /** What a replica said about an offset. */
  of(offset: number, replica: ReplicaId): CheapSealed | undefined {
    return this.#words.get(offset)?.get(replica);
  }

  /** Who has spoken about an offset, and since when anybody has. */
  about(offset: number): { readonly has: readonly ReplicaId[]; readonly since: Milliseconds | undefined } {
    return { has: [...(this.#words.get(offset)?.keys() ?? [])], since: this.#since.get(offset) };
  }

  offsets(): IterableIterator<number> {
    return this.#words.keys();
  }

  dropThrough(offset: number): void {
    for (const map of [this.#words, this.#since])
      for (const known of [...map.keys()]) if (known <= offset) map.delete(known);
  }

  clear(): void {
    this.#words.clear();
    this.#since.clear();
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
