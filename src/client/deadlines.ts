/**
 * When calls give up. One timer for all: a timer for each call would cost more than the rest of a call does. Deadlines are
 * met up to a grain late, never early.
 */
import type { Milliseconds } from '../core/types.ts';

const GRAIN_MS: Milliseconds = 50;

/** A call that can give up; the same object may wait for one deadline at a time. */
export interface Waiting {
  /** Which group it waits in; undefined: none. Owned by `Deadlines`, as is its place there. */
  due: number | undefined;
  place: number;
  /** The deadline is over. */
  onDue(): void;
}

/** See the top of this file. */
export class Deadlines {
  /** By moment, in grains. */
  readonly #groups = new Map<number, Waiting[]>();
  #timer: NodeJS.Timeout | undefined;

  /** Calls `onDue` in so many milliseconds unless `clear` comes first. */
  set(waiting: Waiting, delayMs: Milliseconds): void {
    this.clear(waiting);
    const due = Math.ceil((performance.now() + delayMs) / GRAIN_MS);
    let group = this.#groups.get(due);
    if (group === undefined) this.#groups.set(due, (group = []));
    waiting.due = due;
    waiting.place = group.length;
    group.push(waiting);
    this.#timer ??= setTimeout(() => this.#onTimer(), Math.max(1, Math.min(delayMs, GRAIN_MS)));
  }

  /** Whether its deadline is still to come. */
  has(waiting: Waiting): boolean {
    return waiting.due !== undefined;
  }

  /** It need not give up any more. */
  clear(waiting: Waiting): void {
    const { due, place } = waiting;
    if (due === undefined) return;
    waiting.due = undefined;
    const group = this.#groups.get(due)!;
    // The last one of the group takes the place: nothing is searched, and nothing moves.
    const last = group.pop()!;
    if (last !== waiting) {
      group[place] = last;
      last.place = place;
    } else if (group.length === 0) this.#groups.delete(due);
  }

  #onTimer(): void {
    this.#timer = undefined;
    const over = Math.floor(performance.now() / GRAIN_MS);
    for (const [due, group] of [...this.#groups]) {
      if (due > over) continue;
      this.#groups.delete(due);
      for (const waiting of group) waiting.due = undefined;
      for (const waiting of group) waiting.onDue();
    }
    if (this.#groups.size > 0) this.#timer = setTimeout(() => this.#onTimer(), GRAIN_MS);
  }
}
