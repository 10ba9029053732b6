/** Exponential waits with a cap that shrink again when a quorum is back (decision E8). */
import type { Milliseconds, SequenceNumber } from '../core/types.ts';

/** Exponents beyond this change nothing: every base times 2^20 is above any cap. */
const EXPONENT_MAX = 20;

/** delay = min(T * 2^k, cap). The exponent k grows only when a new-view timer expires. */
export class Backoff {
  readonly #capMs: Milliseconds;
  readonly #ordersPerStep: number;
  #exponent = 0;
  #executedAtStep: SequenceNumber = 0;

  /** `ordersPerStep`: cp; after so many newly executed orders the exponent goes down by one. */
  constructor(capMs: Milliseconds, ordersPerStep: number) {
    this.#capMs = capMs;
    this.#ordersPerStep = ordersPerStep;
  }

  get exponent(): number {
    return this.#exponent;
  }

  /** The wait for a base time. */
  delay(baseMs: Milliseconds): Milliseconds {
    return Math.min(baseMs * 2 ** this.#exponent, Math.max(this.#capMs, baseMs));
  }

  /** A new-view timer expired. */
  onExpired(): void {
    this.#exponent = Math.min(EXPONENT_MAX, this.#exponent + 1);
  }

  /** f+1 replicas are reachable after an interval in which they were not. True if the exponent changed. */
  onQuorumBack(): boolean {
    const changed = this.#exponent > 0;
    this.#exponent = 0;
    return changed;
  }

  /** Orders up to `executed` were executed. Not reset at once: one order per view must not keep timers short. */
  onExecuted(executed: SequenceNumber): boolean {
    if (this.#exponent === 0) {
      this.#executedAtStep = executed;
      return false;
    }
    if (executed - this.#executedAtStep < this.#ordersPerStep) return false;
    this.#executedAtStep = executed;
    this.#exponent -= 1;
    return true;
  }
}
