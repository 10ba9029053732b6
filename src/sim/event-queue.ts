/**
 * The heart of the simulator: what happens next. A binary heap over (time, order of insertion), so that two events of
 * the same instant always run in the order in which they were made, on every machine.
 */

/** Events of one run in a cluster of usual size, at most. */
const EVENTS_MAX = 3_000_000;
/** Events for each link of a large one: so many rounds in which everybody tells everybody something. */
const EVENTS_PER_LINK = 64;

/** Events of one run of n replicas, at most: no schedule that is of use has more, and one that never ends must be ended. */
export function eventsMaxFor(n: number): number {
  return Math.max(EVENTS_MAX, EVENTS_PER_LINK * n * n);
}

/** What an event does when its time has come. */
export type Action = () => void;

/** Events by time. Times are milliseconds of virtual time, fractions allowed. */
export class EventQueue {
  // Three parallel arrays instead of an object per event: the heap moves numbers, and the collector sees closures only.
  #times: number[] = [];
  #orders: number[] = [];
  #actions: Action[] = [];
  #nextOrder = 0;
  #now = 0;

  /** Virtual time of the event that runs, or ran last. */
  get now(): number {
    return this.#now;
  }

  /** Events that wait. */
  get size(): number {
    return this.#times.length;
  }

  /** Runs `action` after `delayMs`; a negative delay counts as none. */
  after(delayMs: number, action: Action): void {
    const time = this.#now + Math.max(0, delayMs);
    let child = this.#times.length;
    const order = this.#nextOrder;
    this.#nextOrder += 1;
    this.#times.push(time);
    this.#orders.push(order);
    this.#actions.push(action);
    while (child > 0) {
      const parent = (child - 1) >> 1;
      if (this.#before(parent, time, order)) break;
      this.#move(parent, child);
      child = parent;
    }
    this.#place(child, time, order, action);
  }

  /** Runs the next event; false if there is none. */
  runNext(): boolean {
    if (this.#times.length === 0) return false;
    this.#now = this.#times[0]!;
    const action = this.#actions[0]!;
    const time = this.#times.pop()!;
    const order = this.#orders.pop()!;
    const moved = this.#actions.pop()!;
    if (this.#times.length > 0) this.#sink(time, order, moved);
    action();
    return true;
  }

  /** Places the given event at the root and restores the heap. */
  #sink(time: number, order: number, action: Action): void {
    const size = this.#times.length;
    let parent = 0;
    for (;;) {
      let child = 2 * parent + 1;
      if (child >= size) break;
      const right = child + 1;
      if (right < size && this.#before(right, this.#times[child]!, this.#orders[child]!)) child = right;
      if (!this.#before(child, time, order)) break;
      this.#move(child, parent);
      parent = child;
    }
    this.#place(parent, time, order, action);
  }

  #before(index: number, time: number, order: number): boolean {
    const own = this.#times[index]!;
    return own < time || (own === time && this.#orders[index]! < order);
  }

  #move(from: number, to: number): void {
    this.#place(to, this.#times[from]!, this.#orders[from]!, this.#actions[from]!);
  }

  #place(index: number, time: number, order: number, action: Action): void {
    this.#times[index] = time;
    this.#orders[index] = order;
    this.#actions[index] = action;
  }
}
