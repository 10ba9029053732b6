/**
 * Finds places in a run by what happens there. An arrival is asked for by what stands on the message that arrives, so that
 * a lesson need not know any number.
 */
import type { Trace, TraceEvent } from '../../../sim/trace/trace.ts';

/** What an event must be like; what is absent does not matter. */
export interface EventQuery {
  /** `violation`: where a checker objects first; `start` and `end`: of the run. */
  readonly kind: TraceEvent['kind'] | 'violation' | 'start' | 'end';
  readonly message?: string;
  readonly from?: number;
  readonly to?: number;
  readonly client?: number;
  readonly replica?: number;
  readonly author?: number;
  readonly view?: number;
  readonly sequence?: number;
  readonly counter?: number;
  /** Of a note. */
  readonly name?: string;
  /** Of a refusal. */
  readonly rule?: string;
  /** Who is accused by evidence. */
  readonly against?: number;
  /** Part of the words of a fault. */
  readonly text?: string;
}

type Sending = Extract<TraceEvent, { readonly kind: 'send' | 'ask' | 'answer' }>;

/** Answers queries about one run. */
export class Finder {
  readonly #trace: Trace;
  readonly #sendings = new Map<number, Sending>();

  constructor(trace: Trace) {
    this.#trace = trace;
    for (const event of trace.events)
      if (event.kind === 'send' || event.kind === 'ask' || event.kind === 'answer')
        this.#sendings.set(event.id, event);
  }

  /** The place of the nth event (from 1) that is like this; undefined if there is none. */
  find(query: EventQuery, nth = 1): number | undefined {
    const { events, violations } = this.#trace;
    if (query.kind === 'start') return events.length === 0 ? undefined : 0;
    if (query.kind === 'end') return events.length === 0 ? undefined : events.length - 1;
    if (query.kind === 'violation')
      return violations.length === 0
        ? undefined
        : this.#before(Math.round(violations[0]!.atMs * 1000) / 1000);
    let left = nth;
    const place = events.findIndex((event) => this.#isLike(event, query) && --left === 0);
    return place < 0 ? undefined : place;
  }

  /** How many events up to a place, itself included, are like this. */
  count(query: EventQuery, through: number): number {
    return this.#trace.events.slice(0, through + 1).filter((event) => this.#isLike(event, query)).length;
  }

  /** The message that an event is about; undefined if it is about none. */
  messageOf(place: number): number | undefined {
    const event = this.#trace.events[place];
    return event !== undefined && 'id' in event ? event.id : undefined;
  }

  /** The last event that is not later. */
  #before(atMs: number): number {
    const later = this.#trace.events.findIndex(({ at }) => at > atMs);
    return later < 0 ? this.#trace.events.length - 1 : Math.max(0, later - 1);
  }

  #isLike(event: TraceEvent, query: EventQuery): boolean {
    if (event.kind !== query.kind) return false;
    const facts = this.#factsOf(event);
    return Object.entries(query).every(([name, wanted]) =>
      name === 'kind'
        ? true
        : name === 'text'
          ? String(facts['text']).includes(String(wanted))
          : facts[name] === wanted,
    );
  }

  /** Everything that can be asked of an event: what stands on it, on its message, and in its detail. */
  #factsOf(event: TraceEvent): Readonly<Record<string, unknown>> {
    const isArrival = event.kind === 'deliver' || event.kind === 'asked' || event.kind === 'answered';
    const sending = isArrival ? this.#sendings.get(event.id) : undefined;
    const detail = event.kind === 'note' ? event.detail : {};
    return { ...detail, ...sending, ...event };
  }
}
