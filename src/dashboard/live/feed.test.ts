/** Following `/v1/live`: what is read, what happens when the stream breaks. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Feed } from './feed.ts';
import type { FeedEvent } from './feed.ts';
import { GatewayClient } from './gateway-client.ts';

const STATUS = { protocol: 'minbft', f: 1, now: 1_000, replicas: [{ id: 0, role: 'primary' }], rates: [] };

/** One answer of the fake gateway: a refusal, or pieces of a stream and whether it ends after them. */
type Reply =
  | { readonly status: number; readonly body?: string }
  | { readonly pieces: readonly string[]; readonly stays?: true };

interface Followed {
  readonly events: readonly FeedEvent[];
  /** `Last-Event-ID` of each connection; empty: none. */
  readonly resumed: readonly string[];
  /** Waits between connections. */
  readonly waits: readonly number[];
}

/** Follows a gateway that gives these answers, one a connection, until it has none left. */
async function follow(replies: readonly Reply[], silentOn?: number): Promise<Followed> {
  const leaving = new AbortController();
  const [events, resumed, waits]: [FeedEvent[], string[], number[]] = [[], [], []];
  const send: typeof fetch = (_, init) => {
    const reply = replies[resumed.length];
    resumed.push(new Headers(init?.headers).get('last-event-id') ?? '');
    if (reply === undefined) {
      leaving.abort();
      return Promise.reject(new TypeError('refused'));
    }
    if ('status' in reply) return Promise.resolve(new Response(reply.body ?? '', { status: reply.status }));
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        for (const piece of reply.pieces) controller.enqueue(new TextEncoder().encode(piece));
        if (reply.stays !== true) controller.close();
      },
    });
    return Promise.resolve(new Response(body));
  };
  const wait = (ms: number, signal: AbortSignal): Promise<void> => {
    // The wait for a word of the stream: only the connection that shall stay silent runs out of it.
    if (ms === 15_000)
      return silentOn === resumed.length - 1
        ? new Promise((done) => setTimeout(done, 20))
        : new Promise((done) => signal.addEventListener('abort', () => done(), { once: true }));
    waits.push(ms);
    return Promise.resolve();
  };
  const client = new GatewayClient(send, () => undefined);
  await new Feed({ client, wait, now: () => 77 }, (event) => events.push(event)).run(leaving.signal);
  return { events, resumed, waits };
}

function event(id: string, name: string, data: unknown): string {
  return `id: ${id}\nevent: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}

const kinds = ({ events }: Followed): string[] =>
  events.map((one) => (one.kind === 'connection' ? one.connection.state : one.kind));

describe('the feed', () => {
  it('tells statuses and moments, cut into pieces anywhere', async () => {
    const moments = { replica: 0, moments: [{ at: 'view', ms: 5, view: 1 }], missed: 0 };
    const text = `retry: 1000\n\n: hello\n\n${event('a-1', 'status', STATUS)}${event('a-2', 'moments', moments)}`;
    const followed = await follow([{ pieces: text.match(/[^]{1,7}/g)! }]);
    assert.deepEqual(kinds(followed).slice(0, 4), ['connecting', 'live', 'status', 'moments']);
  });

  it('goes on behind the last event after a break, and is live again with the next one', async () => {
    const followed = await follow([
      { pieces: [event('a-1', 'status', STATUS)] },
      { pieces: [event('a-2', 'status', STATUS)] },
    ]);
    assert.deepEqual(followed.resumed.slice(0, 3), ['', 'a-1', 'a-2']);
    const states = kinds(followed).filter((kind) => kind !== 'status');
    assert.deepEqual(states.slice(0, 4), ['connecting', 'live', 'reconnecting', 'live']);
  });

  it('waits longer after each failure, up to a bound, and says why and since when', async () => {
    const refusal = { status: 503, body: '{"detail":"too many event streams are open"}' };
    const followed = await follow(Array.from({ length: 7 }, () => refusal));
    assert.deepEqual(followed.waits, [500, 1_000, 2_000, 4_000, 8_000, 8_000, 8_000]);
    const said = followed.events.at(-1)!;
    assert.deepEqual(said, {
      kind: 'connection',
      connection: { state: 'reconnecting', sinceMs: 77, why: 'Too many event streams are open.' },
    });
  });

  it('stops when the gateway wants its token', async () => {
    const followed = await follow([{ status: 401 }]);
    assert.deepEqual(kinds(followed), ['connecting', 'denied']);
  });

  it('takes a stream that says nothing for broken', async () => {
    const followed = await follow([{ pieces: [event('a-1', 'status', STATUS)], stays: true }], 0);
    const last = followed.events.at(-1)!;
    assert.ok(last.kind === 'connection' && last.connection.state === 'reconnecting');
    assert.equal(last.connection.why, 'The gateway says nothing.');
    assert.equal(followed.resumed[1], 'a-1');
  });

  it('says so when it cannot read an event, and goes on with the next', async () => {
    const pieces = [
      'event: status\ndata: {"replicas": 7}\n\n',
      'event: moments\ndata: no json\n\n',
      'event: news\ndata: {}\n\n',
      event('a-3', 'status', STATUS),
    ];
    const followed = await follow([{ pieces }]);
    assert.deepEqual(
      kinds(followed).filter((kind) => kind === 'unreadable' || kind === 'status'),
      ['unreadable', 'unreadable', 'status'],
    );
  });
});
