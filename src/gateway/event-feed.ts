/**
 * One walk over the ledger for all viewers that are near its end: the latest events are kept in a ring, a viewer that
 * is further behind walks by itself. Memory is bounded by the ring and by what one viewer's socket may hold.
 */
import type { LedgerEvent } from '../client/contract.ts';
import { Waiters } from './waiters.ts';

/** Where events come from, as `MoietyClient.events` gives them. */
export type EventsFrom = (from: number | 'latest', signal: AbortSignal) => AsyncIterable<LedgerEvent>;

/** Events that are kept. */
const RING_MAX = 2_048;
/** Bytes of operations and results that are kept. */
const RING_BYTES_MAX = 32 * 1024 * 1024;

function sizeOf(event: LedgerEvent): number {
  return event.transaction.operation.length + event.transaction.result.length;
}

/** See the top of this file. */
export class EventFeed {
  readonly #source: EventsFrom;
  readonly #ring: LedgerEvent[] = [];
  readonly #waiting = new Waiters();
  #bytes = 0;
  #walk: AbortController | undefined;
  #viewers = 0;

  constructor(source: EventsFrom) {
    this.#source = source;
  }

  /** Viewers now. */
  get viewers(): number {
    return this.#viewers;
  }

  /** Events from `from`, dense; ends when `signal` is aborted. */
  async *follow(from: number | 'latest', signal: AbortSignal): AsyncGenerator<LedgerEvent, void, void> {
    this.#viewers += 1;
    this.#start();
    try {
      let next = from;
      while (!signal.aborted) {
        const event = typeof next === 'number' ? this.#find(next) : undefined;
        if (event !== undefined) {
          yield event;
          next = event.number + 1;
        } else if (typeof next === 'number' && next === this.#end) {
          await this.#waiting.more(signal);
        } else {
          // Behind the ring, before its first event or at an unknown place: walk alone until the ring has the next one.
          for await (const own of this.#source(next, signal)) {
            yield own;
            next = own.number + 1;
            if (signal.aborted || this.#find(next) !== undefined || next === this.#end) break;
          }
        }
      }
    } finally {
      this.#viewers -= 1;
      if (this.#viewers === 0) this.#stop();
    }
  }

  /** Number after the last kept event; undefined while the ring is empty. */
  get #end(): number | undefined {
    const last = this.#ring.at(-1);
    return last && last.number + 1;
  }

  #find(number: number): LedgerEvent | undefined {
    const first = this.#ring[0];
    return first && this.#ring[number - first.number];
  }

  #start(): void {
    if (this.#walk !== undefined) return;
    const walk = new AbortController();
    this.#walk = walk;
    void this.#run(walk.signal);
  }

  async #run(signal: AbortSignal): Promise<void> {
    try {
      for await (const event of this.#source('latest', signal)) {
        if (signal.aborted) return;
        this.#add(event);
      }
    } catch {
      // The viewers walk by themselves; the next viewer starts the shared walk again.
    } finally {
      if (this.#walk?.signal === signal) this.#stop();
    }
  }

  #add(event: LedgerEvent): void {
    this.#ring.push(event);
    this.#bytes += sizeOf(event);
    while (this.#ring.length > RING_MAX || (this.#bytes > RING_BYTES_MAX && this.#ring.length > 1))
      this.#bytes -= sizeOf(this.#ring.shift()!);
    this.#waiting.wake();
  }

  #stop(): void {
    this.#walk?.abort();
    this.#walk = undefined;
    this.#ring.length = 0;
    this.#bytes = 0;
    this.#waiting.wake();
  }
}
