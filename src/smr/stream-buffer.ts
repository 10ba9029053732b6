/** Messages of one stream that arrived before their turn: bounded, keyed by counter (`buf[j]`). */
import type { CounterValue } from '../core/types.ts';

/** When full, the highest counter goes: the lowest ones are what the stream waits for. */
export class StreamBuffer<M> {
  readonly #capacity: number;
  readonly #messages = new Map<CounterValue, M>();
  #highest: CounterValue = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#messages.size;
  }

  get(counter: CounterValue): M | undefined {
    return this.#messages.get(counter);
  }

  /**
   * Keeps a message. `replace`: whether it is better than one that is there already (for example because it brings
   * attachments). False if there is no room for so high a counter.
   */
  put(counter: CounterValue, message: M, replace = false): boolean {
    if (this.#messages.has(counter)) {
      if (replace) this.#messages.set(counter, message);
      return true;
    }
    if (this.#messages.size >= this.#capacity) {
      if (counter >= this.#highest) return false;
      this.#messages.delete(this.#highest);
      this.#highest = this.#findHighest();
    }
    this.#messages.set(counter, message);
    this.#highest = Math.max(this.#highest, counter);
    return true;
  }

  /** Drops everything at or below a counter. */
  dropThrough(counter: CounterValue): void {
    if (this.#messages.size === 0) return;
    for (const held of [...this.#messages.keys()]) if (held <= counter) this.#messages.delete(held);
    this.#highest = this.#findHighest();
  }

  delete(counter: CounterValue): void {
    if (!this.#messages.delete(counter)) return;
    if (counter === this.#highest) this.#highest = this.#findHighest();
  }

  clear(): void {
    this.#messages.clear();
    this.#highest = 0;
  }

  #findHighest(): CounterValue {
    let highest = 0;
    for (const held of this.#messages.keys()) highest = Math.max(highest, held);
    return highest;
  }
}
