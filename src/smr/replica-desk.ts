/**
 * The small things that every part of a replica does: emit an effect, arm a timer, trace a rule, know the time. What it
 * emits leaves when the step is over.
 */
import type { Effect, ReplicaContext, ReplicaInspection, StoreEntry, TimerName } from '../core/protocol.ts';
import type { Milliseconds, ReplicaId } from '../core/types.ts';

/** See the top of this file. `M`: messages of the protocol; `R`: ids of the rules that it cites. */
export abstract class ReplicaDesk<M, R extends string = string> {
  readonly context: ReplicaContext;
  readonly self: ReplicaId;
  /** Time that has passed here: never goes back. Waiting is measured by it. */
  now: Milliseconds = 0;
  /** What the host's clock shows; it may jump. Only the times of batches are compared with it (decision D4). */
  wallMs: Milliseconds = 0;
  #effects: Effect<M>[] = [];
  readonly #armed = new Map<TimerName, Milliseconds>();

  constructor(context: ReplicaContext) {
    this.context = context;
    this.self = context.self;
  }

  /** What the replica does at the moment; for traces and `inspect`. */
  abstract readonly mode: ReplicaInspection['mode'];

  /** The host's clock shows `wallMs` now. A jump back ends no wait and makes none longer: only what passed counts. */
  passTo(wallMs: Milliseconds): void {
    this.now += Math.max(0, wallMs - this.wallMs);
    this.wallMs = wallMs;
  }

  /** Everything emitted since the last call. */
  take(): Effect<M>[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  emit(effect: Effect<M>): void {
    this.#effects.push(effect);
  }

  send(to: ReplicaId, message: M): void {
    if (to !== this.self) this.#effects.push({ kind: 'send', to, message });
  }

  broadcast(message: M): void {
    this.#effects.push({ kind: 'broadcast', message });
  }

  store(entries: readonly StoreEntry[]): void {
    if (entries.length > 0) this.#effects.push({ kind: 'store', entries });
  }

  note(name: string, detail: Readonly<Record<string, string | number | boolean>>): void {
    this.#effects.push({ kind: 'note', name, detail });
  }

  /** Records the outcome of a rule; gives it back. */
  rule(rule: R, passed: boolean, about?: string): boolean {
    const { trace } = this.context;
    if (trace !== undefined)
      trace({ rule, passed, state: this.mode, ...(about === undefined ? {} : { about }) });
    return passed;
  }

  /** Makes the timer fire at `at` or earlier. What it is for is judged anew when it fires. */
  wakeAt(timer: TimerName, at: Milliseconds): void {
    const armed = this.#armed.get(timer);
    if (armed !== undefined && armed <= at) return;
    this.setTimerAt(timer, at);
  }

  /** Makes the timer fire at `at`, not earlier. */
  setTimerAt(timer: TimerName, at: Milliseconds): void {
    if (this.#armed.get(timer) === at) return;
    this.#armed.set(timer, at);
    this.#effects.push({ kind: 'setTimer', timer, delayMs: Math.max(0, at - this.now) });
  }

  cancelTimer(timer: TimerName): void {
    if (this.#armed.delete(timer)) this.#effects.push({ kind: 'cancelTimer', timer });
  }

  isArmed(timer: TimerName): boolean {
    return this.#armed.has(timer);
  }

  onTimerFired(timer: TimerName): void {
    this.#armed.delete(timer);
  }
}
