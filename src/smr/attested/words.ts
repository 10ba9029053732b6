/** Words of different replicas that count together, in the order in which they came. */
import type { ReplicaId } from '../../core/types.ts';

/** Replicas that have a bit in one number. */
const BITS = 32;

/** See the top of this file. `M`: a message that stands for its author. */
export class Words<M extends { readonly author: ReplicaId }> {
  // A list and a bit for each replica instead of a map: in a large cluster every replica has some hundred words for each
  // order, and where they lie in memory is what counting them costs.
  readonly #words: M[] = [];
  readonly #authors: number[] = [];

  get size(): number {
    return this.#words.length;
  }

  /** The word that came first; undefined if there is none. */
  get first(): M | undefined {
    return this.#words[0];
  }

  has(author: ReplicaId): boolean {
    return ((this.#authors[Math.floor(author / BITS)] ?? 0) & bitOf(author)) !== 0;
  }

  /** Takes in the word of a replica that has none here. */
  add(word: M): void {
    const { author } = word;
    const at = Math.floor(author / BITS);
    while (this.#authors.length <= at) this.#authors.push(0);
    this.#authors[at] = this.#authors[at]! | bitOf(author);
    this.#words.push(word);
  }

  delete(author: ReplicaId): void {
    if (!this.has(author)) return;
    this.#authors[Math.floor(author / BITS)]! &= ~bitOf(author);
    this.#words.splice(
      this.#words.findIndex((word) => word.author === author),
      1,
    );
  }

  /** The first `count` words, or all. */
  take(count = this.size): M[] {
    return this.#words.slice(0, count);
  }
}

function bitOf(author: ReplicaId): number {
  return 1 << (author % BITS);
}
