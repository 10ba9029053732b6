/**
 * Timers of one machine. A timer that is set again and again costs one event: an event that comes too early, because
 * its timer was put off, waits on.
 */
import type { TimerName } from '../../core/protocol.ts';
import type { Milliseconds } from '../../core/types.ts';
import type { EventQueue } from '../event-queue.ts';

interface Timer {
  /** When it fires; undefined while it does not run. */
  dueAt: number | undefined;
  /** The earliest event that will look at it; Infinity for none. */
  wakesAt: number;
}

/** See the top of this file. */
export class Timers {
  readonly #queue: EventQueue;
  readonly #onFired: (timer: TimerName) => void;
  readonly #onFire: (timer: TimerName) => void;
  #timers = new Map<TimerName, Timer>();

  /** `onFired` only looks on; `onFire` is whoever works on it. */
  constructor(queue: EventQueue, onFired: (timer: TimerName) => void, onFire: (timer: TimerName) => void) {
    this.#queue = queue;
    this.#onFired = onFired;
    this.#onFire = onFire;
  }

  set(name: TimerName, delayMs: Milliseconds): void {
    let timer = this.#timers.get(name);
    if (timer === undefined) this.#timers.set(name, (timer = { dueAt: undefined, wakesAt: Infinity }));
    timer.dueAt = this.#queue.now + Math.max(0, delayMs);
    if (timer.wakesAt > timer.dueAt) this.#wakeAt(name, timer, timer.dueAt);
  }

  cancel(name: TimerName): void {
    const timer = this.#timers.get(name);
    if (timer !== undefined) timer.dueAt = undefined;
  }

  /** All of them stop, and events under way find nothing. */
  clear(): void {
    this.#timers = new Map();
  }

  #wakeAt(name: TimerName, timer: Timer, atMs: number): void {
    timer.wakesAt = atMs;
    this.#queue.after(atMs - this.#queue.now, () => this.#wake(name, timer, atMs));
  }

  #wake(name: TimerName, timer: Timer, atMs: number): void {
    if (timer.wakesAt !== atMs || this.#timers.get(name) !== timer) return;
    timer.wakesAt = Infinity;
    if (timer.dueAt === undefined) return;
    if (timer.dueAt > this.#queue.now) return this.#wakeAt(name, timer, timer.dueAt);
    timer.dueAt = undefined;
    this.#onFired(name);
    this.#onFire(name);
  }
}
