/**
 * Health: 200 only when an ordered no-op succeeded within 5 s (decision C10). Checks share one no-op at a time and its
 * outcome for a moment, so that a flood of checks cannot load the cluster.
 */
import type { Committed } from '../client/contract.ts';

/** A no-op must succeed within this time. */
const HEALTH_MS = 5_000;
/** How long an outcome serves further checks. */
const SHARED_MS = 1_000;

/** Outcome of a check. */
export type Health =
  | { readonly ok: true; readonly sequence: number; readonly tookMs: number }
  | { readonly ok: false; readonly detail: string };

/** See the top of this file. */
export class HealthCheck {
  readonly #noop: (timeoutMs: number) => Promise<Committed>;
  readonly #now: () => number;
  #running: Promise<Health> | undefined;
  #last: { readonly health: Health; readonly atMs: number } | undefined;

  constructor(noop: (timeoutMs: number) => Promise<Committed>, now: () => number) {
    this.#noop = noop;
    this.#now = now;
  }

  /** The state of the cluster now, or a moment ago. */
  check(): Promise<Health> {
    const last = this.#last;
    if (last !== undefined && this.#now() - last.atMs < SHARED_MS) return Promise.resolve(last.health);
    this.#running ??= this.#ask().finally(() => (this.#running = undefined));
    return this.#running;
  }

  async #ask(): Promise<Health> {
    const startMs = this.#now();
    let health: Health;
    try {
      const { sequence } = await this.#noop(HEALTH_MS);
      health = { ok: true, sequence, tookMs: this.#now() - startMs };
    } catch (error) {
      health = { ok: false, detail: `no quorum commits: ${(error as Error).message}` };
    }
    this.#last = { health, atMs: this.#now() };
    return health;
  }
}
