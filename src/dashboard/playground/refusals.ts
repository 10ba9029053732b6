/**
 * Which certified message a refusal was about. One that waited for another is judged when that other arrives, so the
 * arrival alone does not say it; the replica's note that it stopped the stream names the counter value.
 */
import type { Trace } from '../../sim/trace/trace.ts';

/** A certified message that a replica refused. */
export interface Refusal {
  readonly atMs: number;
  readonly rule: string;
}

/** See the top of this file. */
export class Refusals {
  readonly #byMessage = new Map<string, Refusal>();
  /** By receiver and time. */
  readonly #moments = new Set<string>();

  constructor({ events }: Pick<Trace, 'events'>) {
    for (const event of events) {
      if (event.kind !== 'note' || event.name !== 'streamDead') continue;
      const { replica: author, counter, rule } = event.detail;
      if (typeof author !== 'number' || typeof counter !== 'number' || typeof rule !== 'string') continue;
      const key = `${event.replica}/${author}/${counter}`;
      if (!this.#byMessage.has(key)) this.#byMessage.set(key, { atMs: event.at, rule });
      this.#moments.add(`${event.replica}/${event.at}`);
    }
  }

  /** When and by which rule a replica refused what an author's component certified under this value. */
  of(receiver: number, author: number, counter: number): Refusal | undefined {
    return this.#byMessage.get(`${receiver}/${author}/${counter}`);
  }

  /** Whether a refusal at this moment was about what had waited, and not about the message that arrived. */
  isOfAnother(
    receiver: number,
    atMs: number,
    author: number | undefined,
    counter: number | undefined,
  ): boolean {
    if (!this.#moments.has(`${receiver}/${atMs}`)) return false;
    if (author === undefined || counter === undefined) return true;
    return this.of(receiver, author, counter)?.atMs !== atMs;
  }
}
