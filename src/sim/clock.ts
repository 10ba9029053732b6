/**
 * The wall clock of one simulated machine: where it started, how fast it goes, and the jumps it made. Timers run on
 * virtual time and know nothing of it, as on a real machine they run on its monotonic clock.
 */
import type { Milliseconds } from '../core/types.ts';

/** See the top of this file. */
export class SimClock {
  readonly #startMs: Milliseconds;
  readonly #rate: number;
  #jumpedMs = 0;
  /** Jumps so far. */
  jumps = 0;

  /** `startMs`: what it shows at virtual time 0. `driftPpm`: microseconds that it gains in a second. */
  constructor(startMs: Milliseconds, driftPpm = 0) {
    this.#startMs = startMs;
    this.#rate = driftPpm / 1e6;
  }

  /** What it shows at a virtual time. */
  at(virtualMs: number): Milliseconds {
    return Math.floor(this.#startMs + virtualMs + virtualMs * this.#rate + this.#jumpedMs);
  }

  /** Jumps forwards, or backwards if negative. */
  jump(byMs: Milliseconds): void {
    this.#jumpedMs += byMs;
    this.jumps += 1;
  }

  /** An administrator sets it right: all jumps are undone. */
  setRight(): void {
    this.#jumpedMs = 0;
  }
}
