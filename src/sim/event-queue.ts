/**
 * The heart of the simulator: what happens next. A heap over (time, order of insertion), so that two events of
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

/** What an event does when its time has come; `subject` and `number` are those that it was planned with. */
export type Action<S = unknown> = (subject: S, number: number) => void;

/** Children of a node of the heap: with four of them it is half as deep as with two, and they lie side by side. */
const ARITY = 4;
const ROOM_AT_FIRST = 64;

/** Events by time. Times are milliseconds of virtual time, fractions allowed. */
export class EventQueue {
  // The heap moves numbers only, the time of an event and its place; what lies at the place stays there until it runs.
  #times = new Float64Array(ROOM_AT_FIRST);
  #places = new Uint32Array(ROOM_AT_FIRST);
  #size = 0;
  // ---- by place
  readonly #orders: number[] = [];
  readonly #actions: Action<never>[] = [];
  readonly #subjects: unknown[] = [];
  readonly #numbers: number[] = [];
  /** Places of events that ran. */
  readonly #free: number[] = [];
  #nextOrder = 0;
  #now = 0;

  /** Virtual time of the event that runs, or ran last. */
  get now(): number {
    return this.#now;
  }

  /** Events that wait. */
  get size(): number {
    return this.#size;
  }

  /** Runs `action` after `delayMs`; a negative delay counts as none. */
  after(delayMs: number, action: () => void): void {
    this.afterWith(delayMs, action, undefined, 0);
  }

  /** The same for an action that many events share: no closure is made for each. */
  afterWith<S>(delayMs: number, action: Action<S>, subject: S, number: number): void {
    const place = this.#free.pop() ?? this.#orders.length;
    this.#orders[place] = this.#nextOrder;
    this.#actions[place] = action;
    this.#subjects[place] = subject;
    this.#numbers[place] = number;
    this.#nextOrder += 1;
    if (this.#size === this.#times.length) this.#grow();
    this.#rise(this.#now + Math.max(0, delayMs), place);
  }

  /** Runs the next event; false if there is none. */
  runNext(): boolean {
    if (this.#size === 0) return false;
    this.#now = this.#times[0]!;
    const place = this.#places[0]!;
    this.#size -= 1;
    if (this.#size > 0) this.#sink(this.#times[this.#size]!, this.#places[this.#size]!);
    const action = this.#actions[place]!;
    const subject = this.#subjects[place];
    this.#subjects[place] = undefined;
    this.#free.push(place);
    action(subject as never, this.#numbers[place]!);
    return true;
  }

  /** Places an event at the end and restores the heap. */
  #rise(time: number, place: number): void {
    const times = this.#times;
    const places = this.#places;
    let child = this.#size;
    this.#size += 1;
    while (child > 0) {
      const parent = Math.floor((child - 1) / ARITY);
      if (!this.#isBefore(time, place, times[parent]!, places[parent]!)) break;
      times[child] = times[parent]!;
      places[child] = places[parent]!;
      child = parent;
    }
    times[child] = time;
    places[child] = place;
  }

  /** Places an event at the root and restores the heap. */
  #sink(time: number, place: number): void {
    const times = this.#times;
    const places = this.#places;
    const size = this.#size;
    let parent = 0;
    for (;;) {
      const first = ARITY * parent + 1;
      if (first >= size) break;
      let least = first;
      const end = Math.min(first + ARITY, size);
      for (let child = first + 1; child < end; child += 1)
        if (this.#isBefore(times[child]!, places[child]!, times[least]!, places[least]!)) least = child;
      if (!this.#isBefore(times[least]!, places[least]!, time, place)) break;
      times[parent] = times[least]!;
      places[parent] = places[least]!;
      parent = least;
    }
    times[parent] = time;
    places[parent] = place;
  }

  /** Earlier, or made earlier for the same time. */
  #isBefore(time: number, place: number, otherTime: number, otherPlace: number): boolean {
    return time < otherTime || (time === otherTime && this.#orders[place]! < this.#orders[otherPlace]!);
  }

  #grow(): void {
    const times = new Float64Array(2 * this.#size);
    times.set(this.#times);
    this.#times = times;
    const places = new Uint32Array(2 * this.#size);
    places.set(this.#places);
    this.#places = places;
  }
}
