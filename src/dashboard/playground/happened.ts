/** What is known of a run at a moment: messages one by one, replicas as they are then, and sums so far. */
import type { Playback, ReplicaState } from '../../sim/playback/contract.ts';
import { Refusals } from './refusals.ts';
import type { Refusal } from './refusals.ts';
import type { TraceEvent, TraceFields, TraceTaken } from '../../sim/trace/trace.ts';

/** A frame on its way between two replicas, or between a client and a replica. */
export type Sending = Extract<TraceEvent, { readonly kind: 'send' | 'ask' | 'answer' }>;

/** What became of a message. */
export interface MessageStory {
  readonly sending: Sending;
  /** Each time that it arrived. */
  readonly arrivals: readonly ({ readonly at: number } & TraceTaken)[];
  readonly fields: TraceFields | undefined;
  /** It waited, and was refused when what it waited for was there. */
  readonly later?: Refusal;
  /** What was refused when it arrived is another message, which had waited for it. */
  readonly refusesAnother?: true;
}

/** Sums over a run up to a moment. */
export interface Sums {
  readonly messages: number;
  readonly clientMessages: number;
  readonly bytes: number;
  /** By kind, the most frequent first. */
  readonly kinds: readonly (readonly [string, number])[];
  /** Values that trusted components gave, by replica. */
  readonly trustedCalls: readonly number[];
  readonly believed: number;
}

/** Answers questions about one playback. */
export class Happened {
  readonly playback: Playback;
  readonly #sendings = new Map<number, Sending>();
  readonly #arrivals = new Map<number, ({ readonly at: number } & TraceTaken)[]>();

  readonly #refusals: Refusals;

  constructor(playback: Playback) {
    this.playback = playback;
    this.#refusals = new Refusals(playback.trace);
    for (const event of playback.trace.events) {
      if (event.kind === 'send' || event.kind === 'ask' || event.kind === 'answer')
        this.#sendings.set(event.id, event);
      else if (event.kind === 'deliver' || event.kind === 'asked' || event.kind === 'answered') {
        const known = this.#arrivals.get(event.id);
        if (known === undefined) this.#arrivals.set(event.id, [event]);
        else known.push(event);
      }
    }
  }

  /** Place of the last event that is not after a moment; -1 before the first one. */
  eventAt(atMs: number): number {
    const { events } = this.playback.trace;
    let low = -1;
    let high = events.length;
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (events[middle]!.at <= atMs) low = middle;
      else high = middle;
    }
    return low;
  }

  /** The story of a message; undefined if there is none with this number. */
  message(id: number): MessageStory | undefined {
    const sending = this.#sendings.get(id);
    if (sending === undefined) return undefined;
    const fields = sending.content === undefined ? undefined : this.playback.trace.contents[sending.content];
    const arrivals = this.#arrivals.get(id) ?? [];
    return { sending, arrivals, fields, ...this.#refusedWith(sending, arrivals) };
  }

  #refusedWith(
    sending: Sending,
    arrivals: MessageStory['arrivals'],
  ): Pick<MessageStory, 'later' | 'refusesAnother'> {
    if (sending.kind !== 'send' || arrivals.length === 0) return {};
    const { to, author, counter } = sending;
    const { at, verdict } = arrivals.at(-1)!;
    if (verdict !== undefined)
      return this.#refusals.isOfAnother(to, at, author, counter) ? { refusesAnother: true } : {};
    const later =
      author === undefined || counter === undefined ? undefined : this.#refusals.of(to, author, counter);
    return later !== undefined && later.atMs > at ? { later } : {};
  }

  /** How a replica looks after an event; null: it is down; undefined: nothing is known of it yet. */
  replica(id: number, event: number): ReplicaState | null | undefined {
    const { states } = this.playback;
    return states.findLast((change) => change.replica === id && change.event <= event)?.state;
  }

  /** Sums over all events up to one, itself included. */
  sums(event: number): Sums {
    const { events, replicas } = this.playback.trace;
    const kinds = new Map<string, number>();
    const trustedCalls = Array.from({ length: replicas }, () => 0);
    let [messages, clientMessages, bytes, believed] = [0, 0, 0, 0];
    for (let place = 0; place <= event; place += 1) {
      const one = events[place]!;
      if (one.kind === 'certify') trustedCalls[one.replica] = (trustedCalls[one.replica] ?? 0) + 1;
      else if (one.kind === 'believe') believed += 1;
      else if (one.kind === 'send' || one.kind === 'ask' || one.kind === 'answer') {
        if (one.kind === 'send') messages += 1;
        else clientMessages += 1;
        bytes += one.bytes ?? 0;
        kinds.set(one.message, (kinds.get(one.message) ?? 0) + 1);
      }
    }
    return {
      messages,
      clientMessages,
      bytes,
      kinds: [...kinds].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)),
      trustedCalls,
      believed,
    };
  }
}
