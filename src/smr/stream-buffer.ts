/** Messages of one stream that arrived before their turn: bounded, keyed by counter (`buf[j]`). */
import type { CounterValue } from '../core/types.ts';

/** Bounds of a buffer. */
export interface StreamBufferLimits<M> {
  readonly messages: number;
  /**
   * Bytes of all messages together; the lowest one is kept whatever its size, or the stream could not go on. One message
   * may be as long as a frame, so a count alone would let its author fill the memory.
   */
  readonly bytes: number;
  readonly bytesOf: (message: M) => number;
}

/** When full, the highest counter goes: the lowest ones are what the stream waits for. Its author sends the rest again. */
export class StreamBuffer<M> {
  readonly #limits: StreamBufferLimits<M>;
  readonly #messages = new Map<CounterValue, M>();
  #bytes = 0;
  #highest: CounterValue = 0;

  constructor(limits: StreamBufferLimits<M>) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#messages.size;
  }

  /** Bytes of all messages. */
  get bytes(): number {
    return this.#bytes;
  }

  get(counter: CounterValue): M | undefined {
    return this.#messages.get(counter);
  }

  /**
   * Keeps a message. `replace`: whether it is better than one that is there already (for example because it brings
   * attachments). False if there is no room for so high a counter.
   */
  put(counter: CounterValue, message: M, replace = false): boolean {
    const { bytesOf } = this.#limits;
    const held = this.#messages.get(counter);
    if (held !== undefined && !replace) return true;
    this.#bytes += bytesOf(message) - (held === undefined ? 0 : bytesOf(held));
    this.#messages.set(counter, message);
    this.#highest = Math.max(this.#highest, counter);
    while (this.#isOverfull()) this.delete(this.#highest);
    return this.#messages.has(counter);
  }

  #isOverfull(): boolean {
    const { messages, bytes } = this.#limits;
    const { size } = this.#messages;
    return size > messages || (this.#bytes > bytes && size > 1);
  }

  /** Drops everything at or below a counter. */
  dropThrough(counter: CounterValue): void {
    if (this.#messages.size === 0) return;
    for (const [held, message] of [...this.#messages]) {
      if (held > counter) continue;
      this.#messages.delete(held);
      this.#bytes -= this.#limits.bytesOf(message);
    }
    this.#highest = this.#findHighest();
  }

  delete(counter: CounterValue): void {
    const held = this.#messages.get(counter);
    if (held === undefined) return;
    this.#messages.delete(counter);
    this.#bytes -= this.#limits.bytesOf(held);
    if (counter === this.#highest) this.#highest = this.#findHighest();
  }

  clear(): void {
    this.#messages.clear();
    this.#bytes = 0;
    this.#highest = 0;
  }

  #findHighest(): CounterValue {
    let highest = 0;
    for (const held of this.#messages.keys()) highest = Math.max(highest, held);
    return highest;
  }
}
