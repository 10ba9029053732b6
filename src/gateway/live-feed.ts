/**
 * What a dashboard shows, for all viewers at once: the status of the replicas and what each of them does. Replicas are
 * asked only while somebody watches, once for all viewers. Events have dense numbers for the life of this process and
 * are kept in a ring, so that a viewer goes on where it was; one that comes too late, or from another life, begins with
 * a fresh status.
 */
import type { LiveAnswer } from '../core/live.ts';
import type { Milliseconds, ReplicaId } from '../core/types.ts';
import { Rates } from './rates.ts';
import type { StatusRow } from './rates.ts';
import { Waiters } from './waiters.ts';

/** Document of `/v1/status`. */
export type StatusDocument = Readonly<Record<string, unknown>> & { readonly replicas: readonly StatusRow[] };

/** Where it comes from. */
export interface LiveSource {
  readonly replicas: number;
  readonly f: number;
  status(): Promise<StatusDocument>;
  live(replica: ReplicaId, cursor: string): Promise<LiveAnswer | undefined>;
}

/** How the feed runs. */
export interface LiveFeedOptions {
  readonly source: LiveSource;
  /** Name of this life, which ids of events begin with. */
  readonly run: string;
  readonly now: () => Milliseconds;
  /** Between two questions for the status; default 500. */
  readonly statusMs?: Milliseconds;
  /** Between two questions for what a replica did; default 250. */
  readonly momentsMs?: Milliseconds;
  /** A status is sent at least so often; default 5,000. */
  readonly quietMs?: Milliseconds;
  /** Told once what went wrong when the status cannot be had, and again after it could. */
  readonly warn?: (error: unknown) => void;
}

/** Events that are kept. */
const RING_MAX = 512;
/** Characters of them. */
const RING_LENGTH_MAX = 8 * 1024 * 1024;
/** Events that came within this time are written together, so many at most. */
const TOGETHER_MS: Milliseconds = 25;
/** So far may a replica's clock be ahead. */
const AHEAD_MS: Milliseconds = 5_000;
const TOGETHER_MAX = 16;
const NUMBER = /^[0-9]{1,15}$/;

/** Fields that say how long ago something was: they change while nothing happens. */
const RESTLESS: readonly string[] = ['upMs', 'lastHeardMs', 'lateMs', 'forMs'];
/** Fields with sentences for people. */
const SENTENCES: readonly string[] = ['why', 'waitsFor', 'explanation'];

/** Equal for statuses between which nothing happened. */
function gistOf(document: StatusDocument): string {
  return JSON.stringify(document, (name, value: unknown) => {
    if (RESTLESS.includes(name)) return undefined;
    // "silent for 7 s": time passes in sentences, too.
    const isTold = SENTENCES.includes(name) && (typeof value === 'string' || Array.isArray(value));
    return isTold ? JSON.stringify(value).replace(/\d+/g, '#') : value;
  });
}

/** Until the next multiple of the period: what is asked for at one time comes at one time. */
function pauseToNext(periodMs: Milliseconds, signal: AbortSignal): Promise<void> {
  const delayMs = periodMs - (performance.now() % periodMs);
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, delayMs);
    signal.addEventListener('abort', done, { once: true });
    if (signal.aborted) done();
  });
}

/** See the top of this file. */
export class LiveFeed {
  readonly #options: LiveFeedOptions;
  readonly #rates: Rates;
  readonly #ring: string[] = [];
  readonly #waiting = new Waiters();
  /** By replica: where the next question goes on. */
  readonly #cursors: string[];
  #waking: NodeJS.Timeout | undefined;
  #hasFailed = false;
  #length = 0;
  /** Number of the next event. */
  #next = 1;
  #watch: AbortController | undefined;
  #viewers = 0;
  /** The latest status of this watch. */
  #latest: StatusDocument | undefined;
  #sent: { readonly atMs: Milliseconds; readonly gist: string } | undefined;
  /** How many rates were told by events. */
  #told = 0;

  constructor(options: LiveFeedOptions) {
    this.#options = options;
    this.#rates = new Rates(options.source.f);
    this.#cursors = Array.from({ length: options.source.replicas }, () => '');
  }

  /** Viewers now. */
  get viewers(): number {
    return this.#viewers;
  }

  /** Texts of events, each of one or more, from the one behind `last` (a `Last-Event-ID`) if that is still known; ends with `signal`. */
  async *follow(last: string | undefined, signal: AbortSignal): AsyncGenerator<string, void, void> {
    this.#viewers += 1;
    this.#start();
    try {
      let next = this.#placeAfter(last);
      while (!signal.aborted) {
        const first = this.#next - this.#ring.length;
        if (next === undefined || next < first) {
          const fresh = this.#freshStatus();
          if (fresh === undefined) await this.#waiting.more(signal);
          else {
            next = this.#next;
            yield fresh;
          }
        } else if (next < this.#next) {
          // What came together goes together: a write for each event would cost more than the event.
          const texts = this.#ring.slice(next - first, next - first + TOGETHER_MAX);
          next += texts.length;
          yield texts.join('');
        } else await this.#waiting.more(signal);
      }
    } finally {
      this.#viewers -= 1;
      if (this.#viewers === 0) this.#stop();
    }
  }

  #placeAfter(last: string | undefined): number | undefined {
    const { run } = this.#options;
    if (last?.startsWith(`${run}-`) !== true) return undefined;
    const number = last.slice(run.length + 1);
    if (!NUMBER.test(number)) return undefined;
    const next = Number(number) + 1;
    return next <= this.#next ? next : undefined;
  }

  /** For one viewer: it has the id of the latest event, behind which that viewer goes on. */
  #freshStatus(): string | undefined {
    const document = this.#latest;
    return document && this.#statusText(this.#next - 1, document, this.#rates.history);
  }

  #statusText(number: number, document: StatusDocument, rates: Rates['history']): string {
    return this.#textOf(number, 'status', { ...document, now: this.#options.now(), rates });
  }

  #textOf(number: number, event: string, data: unknown): string {
    return `id: ${this.#options.run}-${number}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
  }

  #add(text: string): void {
    this.#ring.push(text);
    this.#next += 1;
    this.#length += text.length;
    while (this.#ring.length > RING_MAX || (this.#length > RING_LENGTH_MAX && this.#ring.length > 1))
      this.#length -= this.#ring.shift()!.length;
    this.#wake();
  }

  /** Soon: the answers of the other replicas are on their way, too. */
  #wake(): void {
    this.#waking ??= setTimeout(() => {
      this.#waking = undefined;
      this.#waiting.wake();
    }, TOGETHER_MS);
  }

  // ---- asking -----------------------------------------------------------------------------------------------------

  #start(): void {
    if (this.#watch !== undefined) return;
    this.#watch = new AbortController();
    const { signal } = this.#watch;
    void this.#askForStatus(signal);
    for (const replica of this.#cursors.keys()) void this.#askForMoments(replica, signal);
  }

  #stop(): void {
    clearTimeout(this.#waking);
    this.#waking = undefined;
    this.#watch?.abort();
    this.#watch = undefined;
    this.#latest = undefined;
    this.#sent = undefined;
    this.#rates.pause();
  }

  async #askForStatus(signal: AbortSignal): Promise<void> {
    const { source, statusMs = 500 } = this.#options;
    while (!signal.aborted) {
      // What fails now is asked for again.
      const document = await source.status().catch((error: unknown) => this.#onFailed(error, signal));
      if (signal.aborted) return;
      if (document !== undefined) this.#onStatus(document);
      await pauseToNext(statusMs, signal);
    }
  }

  #onFailed(error: unknown, signal: AbortSignal): undefined {
    if (!signal.aborted && !this.#hasFailed) this.#options.warn?.(error);
    this.#hasFailed = true;
  }

  #onStatus(document: StatusDocument): void {
    this.#hasFailed = false;
    const { now, quietMs = 5_000 } = this.#options;
    const atMs = now();
    this.#rates.onStatus(document.replicas, atMs);
    this.#latest = document;
    const gist = gistOf(document);
    const sent = this.#sent;
    const waitedMs = atMs - (sent?.atMs ?? 0);
    if (sent?.gist === gist && waitedMs >= 0 && waitedMs < quietMs) return this.#wake();
    this.#sent = { atMs, gist };
    const { history, count } = this.#rates;
    const rates = history.slice(Math.max(0, history.length - (count - this.#told)));
    this.#told = count;
    this.#add(this.#statusText(this.#next, document, rates));
  }

  async #askForMoments(replica: ReplicaId, signal: AbortSignal): Promise<void> {
    const { source, momentsMs = 250 } = this.#options;
    while (!signal.aborted) {
      const answer = await source.live(replica, this.#cursors[replica]!).catch(() => undefined);
      if (signal.aborted) return;
      if (answer !== undefined) this.#onMoments(replica, answer);
      await pauseToNext(momentsMs, signal);
    }
  }

  #onMoments(replica: ReplicaId, { cursor, moments: told, missed }: LiveAnswer): void {
    // Whoever dates a moment far ahead would carry the diagrams of all viewers there.
    const latestMs = this.#options.now() + AHEAD_MS;
    const moments = told.map((moment) => (moment.ms > latestMs ? { ...moment, ms: latestMs } : moment));
    this.#cursors[replica] = cursor;
    if (moments.length > 0 || missed > 0)
      this.#add(this.#textOf(this.#next, 'moments', { replica, moments, missed }));
  }
}
