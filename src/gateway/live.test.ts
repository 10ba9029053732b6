import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { connect } from '../client/client.ts';
import { FakeCluster } from '../client/fake-cluster.testing.ts';
import { parseTrust, trustOf } from '../ledger/trust.ts';
import { startGateway } from './server.ts';
import type { Gateway, GatewayOptions } from './server.ts';

interface Event {
  readonly id: string;
  readonly event: string;
  readonly data: Readonly<Record<string, unknown>>;
}

async function serving(
  body: (gateway: Gateway, cluster: FakeCluster) => Promise<void>,
  options: Partial<GatewayOptions> = {},
): Promise<void> {
  const cluster = new FakeCluster();
  const { settings, clientKey: key, openChannel } = cluster;
  const client = await connect({ cluster: settings, key, openChannel });
  const gateway = await startGateway({ client, port: 0, ...options });
  try {
    await body(gateway, cluster);
  } finally {
    await gateway.close();
    await client.close();
  }
}

/** Events of `/v1/live` until one of them fits. */
async function eventsUntil(
  url: string,
  fits: (event: Event) => boolean,
  headers: Record<string, string> = {},
): Promise<Event[]> {
  const leave = new AbortController();
  const response = await fetch(`${url}/v1/live`, { headers, signal: leave.signal });
  assert.equal(response.headers.get('content-type'), 'text/event-stream');
  const events: Event[] = [];
  let text = '';
  try {
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      const blocks = text.split('\n\n');
      text = blocks.pop()!;
      for (const block of blocks) {
        const match = /^id: (\S+)\nevent: (\w+)\ndata: (.*)$/.exec(block);
        if (match === null) continue;
        const data = JSON.parse(match[3]!) as Event['data'];
        events.push({ id: match[1]!, event: match[2]!, data });
        if (fits(events.at(-1)!)) return events;
      }
    }
  } finally {
    leave.abort();
  }
  return events;
}

const isStatus = ({ event }: Event): boolean => event === 'status';
const isMoments = ({ event }: Event): boolean => event === 'moments';

describe('/v1/live', { timeout: 60_000 }, () => {
  it('begins with the document of /v1/status, and goes on behind an id', async () => {
    await serving(async ({ url }, cluster) => {
      let count = 0;
      cluster.replicas[2]!.tells = (cursor) => {
        assert.ok(['', `k-${count}`].includes(cursor));
        count += 1;
        const moment = { at: 'sent', ms: count, kind: 'COMMIT', view: 0, author: 2, counter: count };
        return { cursor: `k-${count}`, moments: [moment], missed: 0 };
      };
      const events = await eventsUntil(url, ({ data }) => data['replica'] === 2);
      const status = events[0]!;
      assert.equal(status.event, 'status');
      const { now, rates, ...document } = status.data;
      assert.ok(Number.isSafeInteger(now) && Array.isArray(rates));
      const plain = (await (await fetch(`${url}/v1/status`)).json()) as Record<string, unknown>;
      assert.deepEqual(document, plain);
      assert.equal((plain['replicas'] as { transactions: number }[])[0]?.transactions, 0);
      const seen = events.at(-1)!;
      const headers = { 'last-event-id': seen.id };
      const [next] = await eventsUntil(url, isMoments, headers);
      assert.notEqual(next?.event === 'status' && next.id, seen.id);
      const numberOf = (event: Event): number => Number(event.id.split('-')[1]);
      assert.equal(numberOf(next!), numberOf(seen) + 1);
    });
  });

  it('begins anew at another gateway', async () => {
    let id = '';
    await serving(async ({ url }) => {
      id = (await eventsUntil(url, isStatus)).at(-1)!.id;
    });
    await serving(async ({ url }) => {
      const [first] = await eventsUntil(url, () => true, { 'last-event-id': id });
      assert.equal(first?.event, 'status');
      assert.notEqual(first.id.split('-')[0], id.split('-')[0]);
    });
  });

  it('shows what correct replicas do, whatever a Byzantine one answers', async () => {
    await serving(async ({ url }, cluster) => {
      const good = { at: 'view', ms: 1, view: 3 };
      cluster.replicas[0]!.tells = () => ({ cursor: 'good-1', moments: [good], missed: 0 });
      const hostile: unknown[] = [
        null,
        [],
        'x'.repeat(1_000_000),
        { cursor: 5, moments: [], missed: 0 },
        { cursor: 'a\nb', moments: [good], missed: 0 },
        { cursor: 'x', moments: 'many', missed: 0 },
        { cursor: 'x', moments: [null, { at: 'sent', ms: 1, kind: '</script>' }], missed: 0 },
        { cursor: 'x', moments: Array.from({ length: 100_000 }, () => good), missed: 0 },
        undefined,
      ];
      let at = 0;
      cluster.replicas[1]!.tells = () => {
        at += 1;
        return hostile[at % hostile.length];
      };
      cluster.replicas[1]!.more = {
        transactions: 'all',
        waits: [[1, 'x'], null, { length: 1e9 }],
        suspected: [null, 7],
      };
      const events = await eventsUntil(url, (event) => at > 2 * hostile.length && isMoments(event));
      for (const { data } of events.filter(isMoments))
        if (data['replica'] === 0) assert.deepEqual(data['moments'], [good]);
        else assert.ok((data['moments'] as unknown[]).length === 0);
      assert.ok(events.some(({ data }) => data['replica'] === 0));
    });
  });

  it('takes a status for none that is far too long, or too deep to be written', async () => {
    await serving(async ({ url }, cluster) => {
      const status = cluster.statusOf(1);
      cluster.replicas[1]!.says = `${status.slice(0, -1)},"junk":${'['.repeat(100_000)}${']'.repeat(100_000)}}`;
      assert.equal((await fetch(`${url}/v1/status`)).status, 200);
      const [deep] = await eventsUntil(url, isStatus);
      assert.equal((deep!.data['replicas'] as { reachable: boolean }[])[1]?.reachable, false);
      cluster.replicas[1]!.says = `${status.slice(0, -1)},"junk":"${'x'.repeat(300_000)}"}`;
      const [first] = await eventsUntil(url, isStatus);
      const rows = first!.data['replicas'] as { reachable: boolean; reason?: string }[];
      assert.deepEqual(
        rows.map(({ reachable }) => reachable),
        [true, false, true],
      );
      assert.equal(rows[1]?.reason, 'its status makes no sense');
    });
  });

  it('counts its viewers with those of /v1/events, and has room for so many', async () => {
    await serving(
      async ({ url }) => {
        const leave = new AbortController();
        const { signal } = leave;
        const open = await Promise.all([
          fetch(`${url}/v1/live`, { signal }),
          fetch(`${url}/v1/events`, { signal }),
        ]);
        assert.deepEqual(
          open.map(({ status }) => status),
          [200, 200],
        );
        for (const path of ['/v1/live', '/v1/events'])
          assert.equal((await fetch(`${url}${path}`)).status, 503);
        assert.match(await (await fetch(`${url}/metrics`)).text(), /moiety_gateway_event_viewers 2/);
        leave.abort();
      },
      { viewersMax: 2 },
    );
  });
});

it('/v1/trust is the trust file of the cluster', async () => {
  await serving(async ({ url }, cluster) => {
    const response = await fetch(`${url}/v1/trust`);
    assert.match(String(response.headers.get('content-type')), /^application\/json/);
    assert.deepEqual(parseTrust(await response.text()), trustOf(cluster.settings));
  });
});
