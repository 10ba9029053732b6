/** A queue, oldest first. Taking the oldest costs the same however much was taken before. */

/** Places of taken items that are kept before the others move down. */
const TAKEN_MAX = 1024;

/** See the top of this file. */
export class Fifo<T> {
  #items: (T | undefined)[] = [];
  #first = 0;

  /** Items in it. */
  get size(): number {
    return this.#items.length - this.#first;
  }

  /** The item so many places behind the oldest one. */
  at(index: number): T | undefined {
    return this.#items[this.#first + index];
  }

  push(item: T): void {
    this.#items.push(item);
  }

  /** Takes the oldest item. */
  shift(): T | undefined {
    const item = this.at(0);
    if (this.size === 0) return undefined;
    this.#items[this.#first] = undefined;
    this.#first += 1;
    if (this.#first > TAKEN_MAX && 2 * this.#first > this.#items.length) {
      this.#items.splice(0, this.#first);
      this.#first = 0;
    }
    return item;
  }

  /** Leaves out what does not fulfil a condition. */
  filter(keeps: (item: T) => boolean): void {
    const kept: T[] = [];
    for (let index = 0; index < this.size; index += 1) {
      const item = this.at(index)!;
      if (keeps(item)) kept.push(item);
    }
    this.#items = kept;
    this.#first = 0;
  }
}
