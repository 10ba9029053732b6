/**
 * Messages between replicas, put together from what their senders and receivers tell: a moment `sent` and a moment
 * `taken` of equal label are one message. They come in any order, some never. Memory is bounded.
 */
import type { LiveMoment, MessageLabel } from '../../core/live.ts';
import { isFirstOfThree } from '../diagram/kinds.ts';
import { BACKGROUND_KINDS } from '../../host/message-label.ts';
import type { MomentsEvent } from './moments-shape.ts';

/** A message from one replica to another. At least one of the two times is known. */
export interface LiveMessage {
  /** Rises with each message of this page's life. */
  readonly id: number;
  readonly from: number;
  readonly to: number;
  readonly label: MessageLabel;
  /** By the clock of its sender; undefined: the sender did not tell. */
  readonly sentMs: number | undefined;
  /** By the clock of its receiver; undefined: not taken up so far. */
  readonly takenMs: number | undefined;
  /** Rule or reason why the receiver did not take it up. */
  readonly refused: string | undefined;
  /** Moments of its receiver are missing: it may have been taken up unseen. */
  readonly isUncertain: boolean;
}

/** Something that one replica did. */
export type LiveDeed = { readonly id: number; readonly replica: number } & Extract<
  LiveMoment,
  { readonly at: 'executed' | 'view' }
>;

/** The latest that is known. */
export interface MessagesSeen {
  /** Ascending by `momentOf`. */
  readonly messages: readonly LiveMessage[];
  /** Ascending by time. */
  readonly deeds: readonly LiveDeed[];
  /** Messages that were seen but are not among `messages`. */
  readonly notShown: number;
  /** Moments that replicas forgot before they were asked. */
  readonly missed: number;
}

/**
 * Messages that are kept so that their other half is found; of them the latest are shown. Gossip never stops: it has a
 * bound of its own, so that it does not drive out what happened before a quiet time.
 */
const KEPT_MAX = 1_200;
const BACKGROUND_KEPT_MAX = 400;
const DEEDS_MAX = 600;
/** A message that only its receiver told is shown after so long. */
const HALF_MS = 1_000;
/** A replica that is further behind in telling than this is not waited for. */
const LAG_MS = 2_500;
/** What is older than this is shown, whoever has not told yet: by the last status, and by the clock. */
const OLD_BY_STATUS_MS = 1_500;
const OLD_BY_CLOCK_MS = 3_000;
/** Clocks of different machines differ; halves that are further apart are no pair. */
const APART_MS = 60_000;

/** When a message is placed in time. */
export function momentOf({ sentMs, takenMs }: LiveMessage): number {
  return sentMs ?? takenMs ?? 0;
}

function keyOf(from: number, to: number, label: MessageLabel): string {
  const { kind, view, sequence, author, counter, about } = label;
  return [from, to, kind, view, sequence, author, counter, about].join('/');
}

function labelOf(moment: Extract<LiveMoment, { readonly at: 'sent' | 'taken' }>): MessageLabel {
  const { kind, view, sequence, author, counter, about } = moment;
  return {
    kind,
    ...(view === undefined ? {} : { view }),
    ...(sequence === undefined ? {} : { sequence }),
    ...(author === undefined ? {} : { author }),
    ...(counter === undefined ? {} : { counter }),
    ...(about === undefined ? {} : { about }),
  };
}

/** Waiting halves of messages by what they must be equal in. */
class Halves {
  readonly #waiting = new Map<string, number[]>();

  add(key: string, id: number): void {
    const ids = this.#waiting.get(key);
    if (ids === undefined) this.#waiting.set(key, [id]);
    else ids.push(id);
  }

  /** The oldest that waits, which waits no more. */
  take(key: string): number | undefined {
    const ids = this.#waiting.get(key);
    const id = ids?.shift();
    if (ids?.length === 0) this.#waiting.delete(key);
    return id;
  }

  remove(key: string, id: number): void {
    const ids = this.#waiting.get(key);
    const at = ids?.indexOf(id) ?? -1;
    if (ids === undefined || at < 0) return;
    ids.splice(at, 1);
    if (ids.length === 0) this.#waiting.delete(key);
  }
}

/** See the top of this file. */
export class LiveMessages {
  readonly #kept = new Map<number, LiveMessage>();
  /** Ids in `#kept`, oldest first. */
  readonly #ids = { foreground: new Set<number>(), background: new Set<number>() };
  readonly #withoutTaken = new Halves();
  readonly #withoutSent = new Halves();
  #deeds: LiveDeed[] = [];
  #next = 1;
  #seen = { all: 0, background: 0 };
  #missed = 0;
  #latestMs = 0;
  /** Until when each replica has told. */
  readonly #toldUntil = new Map<number, number>();
  #hasThreePhases = false;

  /** The latest time that any moment had; 0 before the first. */
  get latestMs(): number {
    return this.#latestMs;
  }

  /** Whether the protocol proposes with PRE-PREPARE, so that PREPARE is the vote there. */
  get hasThreePhases(): boolean {
    return this.#hasThreePhases;
  }

  /** Takes in what a replica did. `replicas`: how many there are. */
  add({ replica, moments, missed }: MomentsEvent, replicas: number): void {
    if (replica >= replicas) return;
    if (missed > 0) this.#forgot(replica, missed);
    for (const moment of moments) {
      this.#latestMs = Math.max(this.#latestMs, moment.ms);
      this.#toldUntil.set(replica, Math.max(this.#toldUntil.get(replica) ?? 0, moment.ms));
      if (moment.at === 'sent') this.#sent(replica, moment, replicas);
      else if (moment.at === 'taken') this.#taken(replica, moment);
      else this.#deeds.push({ id: this.#next++, replica, ...moment });
    }
    if (this.#deeds.length > DEEDS_MAX) this.#deeds = this.#deeds.slice(-DEEDS_MAX);
  }

  /** What waits for a replica that forgot moments may have been taken up. */
  #forgot(replica: number, missed: number): void {
    this.#missed += missed;
    for (const [id, message] of this.#kept)
      if (message.to === replica && message.takenMs === undefined)
        this.#kept.set(id, { ...message, isUncertain: true });
  }

  #sent(from: number, moment: Extract<LiveMoment, { readonly at: 'sent' }>, replicas: number): void {
    const label = labelOf(moment);
    const all = moment.to === undefined ? Array.from({ length: replicas }, (_, id) => id) : [moment.to];
    for (const to of all) {
      if (to === from) continue;
      const key = keyOf(from, to, label);
      const other = this.#partner(this.#withoutSent, key, moment.ms);
      if (other !== undefined) this.#kept.set(other.id, { ...other, sentMs: moment.ms });
      else {
        const times = { sentMs: moment.ms, takenMs: undefined, refused: undefined };
        this.#withoutTaken.add(key, this.#keep({ from, to, label, ...times, isUncertain: false }));
      }
    }
  }

  #taken(to: number, moment: Extract<LiveMoment, { readonly at: 'taken' }>): void {
    const label = labelOf(moment);
    const { from, ms: takenMs, refused } = moment;
    if (from === to) return;
    const key = keyOf(from, to, label);
    const other = this.#partner(this.#withoutTaken, key, takenMs);
    if (other !== undefined) this.#kept.set(other.id, { ...other, takenMs, refused, isUncertain: false });
    else {
      const times = { sentMs: undefined, takenMs, refused };
      this.#withoutSent.add(key, this.#keep({ from, to, label, ...times, isUncertain: false }));
    }
  }

  #partner(halves: Halves, key: string, ms: number): LiveMessage | undefined {
    for (let id = halves.take(key); id !== undefined; id = halves.take(key)) {
      const other = this.#kept.get(id);
      if (other !== undefined && Math.abs(momentOf(other) - ms) < APART_MS) return other;
    }
    return undefined;
  }

  #keep(message: Omit<LiveMessage, 'id'>): number {
    const id = this.#next++;
    if (isFirstOfThree(message.label.kind)) this.#hasThreePhases = true;
    const isBackground = BACKGROUND_KINDS.has(message.label.kind);
    this.#seen.all += 1;
    if (isBackground) this.#seen.background += 1;
    const ids = isBackground ? this.#ids.background : this.#ids.foreground;
    this.#kept.set(id, { id, ...message });
    ids.add(id);
    for (const oldest of ids) {
      if (ids.size <= (isBackground ? BACKGROUND_KEPT_MAX : KEPT_MAX)) break;
      ids.delete(oldest);
      this.#forget(oldest);
    }
    return id;
  }

  #forget(id: number): void {
    const { from, to, label } = this.#kept.get(id)!;
    const key = keyOf(from, to, label);
    this.#kept.delete(id);
    this.#withoutTaken.remove(key, id);
    this.#withoutSent.remove(key, id);
  }

  /**
   * Until when the replicas have told what they did: they do it one after the other, and a picture of what only the last
   * one told would show messages that nobody takes. `statusMs`: time of the last status, before which most has been told;
   * `clockMs`: clock of the gateway now, ahead of what has arrived while the page is busy; `away`: replicas that are down.
   */
  horizon(statusMs: number, clockMs: number, away: readonly number[] = []): number {
    const told = [...this.#toldUntil]
      .filter(([replica, ms]) => !away.includes(replica) && ms >= this.#latestMs - LAG_MS)
      .map(([, ms]) => ms);
    return Math.min(
      this.#latestMs,
      Math.max(Math.min(...told), statusMs - OLD_BY_STATUS_MS, clockMs - OLD_BY_CLOCK_MS),
    );
  }

  /** The latest `most` messages until `untilMs`, and what replicas did in the same time. */
  latest(most: number, withBackground: boolean, untilMs = this.#latestMs): MessagesSeen {
    const ripe = this.#latestMs - HALF_MS;
    const all = [...this.#kept.values()].filter(
      (message) =>
        (withBackground || !BACKGROUND_KINDS.has(message.label.kind)) &&
        momentOf(message) <= (message.sentMs === undefined ? Math.min(ripe, untilMs) : untilMs),
    );
    const messages = all.sort((a, b) => momentOf(a) - momentOf(b) || a.id - b.id).slice(-most);
    const fromMs = messages[0] === undefined ? 0 : momentOf(messages[0]);
    const { all: seen, background } = this.#seen;
    return {
      messages,
      deeds: this.#deeds
        .filter(({ ms }) => ms >= fromMs && ms <= untilMs)
        .sort((a, b) => a.ms - b.ms || a.id - b.id)
        .slice(-2 * most),
      notShown: Math.max(0, seen - (withBackground ? 0 : background) - messages.length),
      missed: this.#missed,
    };
  }
}
