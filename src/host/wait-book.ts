/**
 * How long requests waited here: from the arrival of a client's bundle to its execution. Only the replica that clients
 * send to first (the primary, mostly) sees them early enough to say so; what came over another replica is not counted.
 */
import type { WaitCounts } from '../core/live.ts';
import type { Milliseconds } from '../core/types.ts';

/** Upper bounds, about a quarter apart; clocks are read in milliseconds. */
const BOUNDS_MS: readonly Milliseconds[] = [
  1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 65, 80, 100, 125, 160, 200, 250, 320, 400, 500, 650,
  800, 1_000, 1_250, 1_600, 2_000, 2_500, 3_200, 4_000, 5_000, 6_500, 8_000, 10_000, 15_000, 20_000, 30_000,
  60_000,
];

/** See the top of this file. */
export class WaitBook {
  readonly #counts = BOUNDS_MS.map(() => 0);

  /** So many requests waited for so long. */
  note(waitedMs: Milliseconds, requests: number): void {
    // Nearly all waits are short: the first bounds are looked at most.
    let at = 0;
    while (at < BOUNDS_MS.length - 1 && BOUNDS_MS[at]! < waitedMs) at += 1;
    this.#counts[at]! += requests;
  }

  /** Bounds without requests are left out. */
  get counts(): WaitCounts {
    return BOUNDS_MS.flatMap((bound, at) =>
      this.#counts[at]! > 0 ? [[bound, this.#counts[at]!] as const] : [],
    );
  }
}
