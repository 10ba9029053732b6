/** What one client process counts: all operations together and each kind of them, at the same moments. */
import type { ClientMeasured, ClientRun, Moment } from './load-orders.ts';
import { Meter, REAL_CLOCK } from './measured.ts';
import type { Clock } from './measured.ts';

/** One meter, and how many ended while it was measured (a meter of an open loop counts those that were due then). */
interface Counted {
  readonly meter: Meter;
  ended: number;
}

/** See the top of this file. */
export class LoadTally {
  readonly #clock: Clock;
  readonly #all: Counted;
  readonly #kinds = new Map<string, Counted>();
  readonly #moments: [number, number, number][] | undefined;
  /** Of the operation that has just ended: the clock is read once for all meters, so that kinds add up to the whole. */
  #nowMs: number;
  #due = 0;

  constructor(settings: ClientRun, clock = REAL_CLOCK) {
    this.#clock = clock;
    this.#nowMs = clock.now();
    const momentOfEnd: Clock = { now: () => this.#nowMs, pause: (ms) => clock.pause(ms) };
    this.#all = { meter: new Meter(settings, momentOfEnd), ended: 0 };
    this.#moments = settings.timeline === true ? [] : undefined;
  }

  get toMs(): number {
    return this.#all.meter.toMs;
  }

  get isOver(): boolean {
    return this.#clock.now() >= this.toMs;
  }

  #isMeasured(atMs: number): boolean {
    return atMs >= this.#all.meter.fromMs && atMs < this.toMs;
  }

  /** An operation of an open loop is to begin at `atMs`. */
  due(atMs: number): void {
    if (this.#isMeasured(atMs)) this.#due += 1;
  }

  /** An operation that began, or should have begun, at `startMs` has just ended. */
  done(startMs: number, kind: string | undefined): void {
    this.#nowMs = this.#clock.now();
    this.#count(this.#all, startMs);
    if (kind !== undefined) this.#count(this.#ofKind(kind), startMs);
    if (this.#moments !== undefined) noteMoment(this.#moments, startMs, this.#nowMs);
  }

  #count(counted: Counted, startMs: number): void {
    counted.meter.done(startMs);
    if (this.#isMeasured(this.#nowMs)) counted.ended += 1;
  }

  #ofKind(kind: string): Counted {
    let counted = this.#kinds.get(kind);
    if (counted === undefined)
      this.#kinds.set(kind, (counted = { meter: this.#all.meter.sibling(), ended: 0 }));
    return counted;
  }

  failed(problem: string): void {
    this.#all.meter.failed(problem);
  }

  /** An operation of an open loop is waited for no longer. */
  givenUp(startMs: number): void {
    this.#nowMs = this.#clock.now();
    this.#all.meter.givenUp(startMs);
  }

  get result(): ClientMeasured {
    const kinds = [...this.#kinds].map(
      ([kind, { meter, ended }]) => [kind, { ...meter.result, ended }] as const,
    );
    return {
      ...this.#all.meter.result,
      ended: this.#all.ended,
      due: this.#due,
      kinds: Object.fromEntries(kinds),
      moments: (this.#moments ?? []).map(sinceEpoch),
    };
  }
}

/** What ends within a millisecond is one entry. */
function noteMoment(moments: [number, number, number][], startMs: number, endMs: number): void {
  const last = moments.at(-1);
  if (last === undefined || endMs - last[0] >= 1) return void moments.push([endMs, 1, startMs]);
  last[1] += 1;
  last[2] = Math.max(last[2], startMs);
}

function sinceEpoch([endMs, count, startMs]: Moment): Moment {
  return [performance.timeOrigin + endMs, count, performance.timeOrigin + startMs];
}
