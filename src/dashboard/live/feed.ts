/**
 * Follows `/v1/live` for as long as the page is open: connects, goes on behind the last event after a break, and waits
 * longer after each failure. A stream that says nothing for long counts as broken: the gateway promises a word every
 * five seconds.
 */
import { jsonOf } from './shapes.ts';
import { readStatus } from './status-shape.ts';
import type { LiveStatus } from './status-shape.ts';
import { readMoments } from './moments-shape.ts';
import type { MomentsEvent } from './moments-shape.ts';
import { EventStreamParser } from './event-stream.ts';
import type { StreamEvent } from './event-stream.ts';
import type { GatewayClient } from './gateway-client.ts';

/** How the connection is. */
export type Connection =
  | { readonly state: 'connecting' }
  | { readonly state: 'live' }
  | { readonly state: 'reconnecting'; readonly sinceMs: number; readonly why: string }
  /** The gateway wants its token; the page goes on when it has it. */
  | { readonly state: 'denied' };

/** What a feed tells. */
export type FeedEvent =
  | { readonly kind: 'connection'; readonly connection: Connection }
  | { readonly kind: 'status'; readonly status: LiveStatus }
  | { readonly kind: 'moments'; readonly moments: MomentsEvent }
  /** An event that this page does not understand. */
  | { readonly kind: 'unreadable'; readonly sentence: string };

/** What a feed works with; tests bring their own. */
export interface FeedWorld {
  readonly client: GatewayClient;
  readonly now: () => number;
  /** Resolves after that time, or at once when the signal is aborted. */
  readonly wait: (ms: number, signal: AbortSignal) => Promise<void>;
}

const BACK_OFF_FIRST_MS = 500;
const BACK_OFF_LAST_MS = 8_000;
/** Without a word for so long a stream is taken for broken. */
const SILENCE_MS = 15_000;

/** See the top of this file. */
export class Feed {
  readonly #world: FeedWorld;
  readonly #tell: (event: FeedEvent) => void;
  #lastId = '';
  #failures = 0;
  #brokenSinceMs: number | undefined;

  constructor(world: FeedWorld, tell: (event: FeedEvent) => void) {
    this.#world = world;
    this.#tell = tell;
  }

  /** Runs until the signal is aborted, or the gateway wants a token. */
  async run(signal: AbortSignal): Promise<void> {
    this.#tell({ kind: 'connection', connection: { state: 'connecting' } });
    while (!signal.aborted) {
      const why = await this.#follow(signal);
      if (signal.aborted) return;
      if (why === undefined) return this.#tell({ kind: 'connection', connection: { state: 'denied' } });
      this.#brokenSinceMs ??= this.#world.now();
      const connection: Connection = { state: 'reconnecting', sinceMs: this.#brokenSinceMs, why };
      this.#tell({ kind: 'connection', connection });
      const waitMs = Math.min(BACK_OFF_LAST_MS, BACK_OFF_FIRST_MS * 2 ** this.#failures);
      this.#failures = Math.min(this.#failures + 1, 16);
      await this.#world.wait(waitMs, signal);
    }
  }

  /** One connection; why it ended, or undefined if the gateway wants a token. */
  async #follow(signal: AbortSignal): Promise<string | undefined> {
    const attempt = new AbortController();
    const stop = (): void => attempt.abort();
    signal.addEventListener('abort', stop, { once: true });
    try {
      const opened = await this.#world.client.stream('/v1/live', this.#lastId, attempt.signal);
      if (!opened.ok) return opened.status === 401 ? undefined : opened.sentence;
      return await this.#read(opened.body, attempt);
    } catch {
      return 'The connection broke.';
    } finally {
      signal.removeEventListener('abort', stop);
      attempt.abort();
    }
  }

  async #read(body: ReadableStream<Uint8Array>, attempt: AbortController): Promise<string> {
    const parser = new EventStreamParser(this.#lastId);
    const decoder = new TextDecoder();
    const reader = body.getReader();
    for (;;) {
      const piece = await this.#next(reader, attempt);
      if (piece === 'silent') return 'The gateway says nothing.';
      if (piece.done) return 'The gateway ended the stream.';
      const events = parser.push(decoder.decode(piece.value, { stream: true }));
      if (events === undefined) return 'The gateway sent an event that is too long.';
      for (const event of events) this.#take(event);
    }
  }

  /** The next piece of a stream, unless it stays silent. */
  async #next(
    reader: ReadableStreamDefaultReader<Uint8Array>,
    attempt: AbortController,
  ): Promise<Awaited<ReturnType<typeof reader.read>> | 'silent'> {
    const patience = new AbortController();
    const silence = this.#world.wait(SILENCE_MS, patience.signal).then(() => 'silent' as const);
    try {
      const piece = await Promise.race([reader.read(), silence]);
      if (piece === 'silent') attempt.abort();
      return piece;
    } finally {
      patience.abort();
    }
  }

  #take({ id, event, data }: StreamEvent): void {
    this.#lastId = id;
    this.#failures = 0;
    if (this.#brokenSinceMs !== undefined || event === 'status') this.#isLive();
    if (event !== 'status' && event !== 'moments') return;
    const value = jsonOf(data);
    const status = event === 'status' ? readStatus(value) : undefined;
    const moments = event === 'moments' ? readMoments(value) : undefined;
    if (status !== undefined) this.#tell({ kind: 'status', status });
    else if (moments !== undefined) this.#tell({ kind: 'moments', moments });
    else
      this.#tell({
        kind: 'unreadable',
        sentence: `The gateway sent a "${event}" event that this page cannot read; it was passed over.`,
      });
  }

  #isLive(): void {
    this.#brokenSinceMs = undefined;
    this.#tell({ kind: 'connection', connection: { state: 'live' } });
  }
}
