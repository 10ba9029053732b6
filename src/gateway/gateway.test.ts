import assert from 'node:assert/strict';
import { connect as connectTcp } from 'node:net';
import { test } from 'node:test';
import { connect } from '../client/client.ts';
import { FakeCluster } from '../client/fake-cluster.testing.ts';
import { trustOf } from '../ledger/trust.ts';
import { verifyReceipt } from '../ledger/verify.ts';
import type { FaultOrder } from './fault-port.ts';
import { createGateway, startGateway } from './server.ts';
import type { GatewayOptions } from './server.ts';

type Server = ReturnType<typeof createGateway>['server'];

async function serving(
  body: (server: Server, cluster: FakeCluster) => Promise<void>,
  options: Partial<GatewayOptions> = {},
  cluster = new FakeCluster(),
): Promise<void> {
  const { settings, clientKey: key, openChannel } = cluster;
  const client = await connect({ cluster: settings, key, openChannel, window: 4096 });
  const { server, stop } = createGateway({ client, ...options });
  try {
    await body(server, cluster);
  } finally {
    stop.abort();
    await server.close();
    await client.close();
  }
}

const host = { host: '127.0.0.1:4600' };

function isProblem(response: { statusCode: number; headers: object; body: string }, status: number): void {
  assert.equal(response.statusCode, status, response.body);
  assert.match(String((response.headers as Record<string, unknown>)['content-type']), /problem\+json/);
  const problem = JSON.parse(response.body) as Record<string, unknown>;
  assert.equal(problem['status'], status);
  for (const name of ['type', 'title', 'detail']) assert.equal(typeof problem[name], 'string');
}

test('a write answers txId, height and sequence; the value comes back byte for byte', async () => {
  await serving(async (server) => {
    const value = Buffer.from([0, 255, 10, 13]);
    for (const type of ['application/json', 'text/plain; charset=utf-8', 'no type at all', undefined]) {
      const headers = type === undefined ? host : { ...host, 'content-type': type };
      const put = await server.inject({ method: 'PUT', url: '/v1/kv/a%2Fb%FF', headers, payload: value });
      assert.equal(put.statusCode, 200, put.body);
      const written = put.json<Record<string, unknown>>();
      assert.match(String(written['txId']), /^[0-9a-f]{64}$/);
      assert.ok(Number(written['height']) > 0 && Number(written['sequence']) > 0);
    }
    const get = await server.inject({ method: 'GET', url: '/v1/kv/a/b%ff', headers: host });
    assert.equal(get.statusCode, 200);
    assert.deepEqual(get.rawPayload, value);
    assert.equal(get.headers['moiety-read'], 'fast');
    const one = await server.inject({ url: '/v1/kv/a/b%ff?consistency=replica', headers: host });
    assert.equal(one.headers['moiety-read'], 'replica');
    const tag = String(get.headers['etag']);
    const same = await server.inject({ url: '/v1/kv/a/b%ff', headers: { ...host, 'if-none-match': tag } });
    assert.equal(same.statusCode, 304);
    assert.equal(
      (await server.inject({ method: 'DELETE', url: '/v1/kv/a/b%ff', headers: host })).statusCode,
      200,
    );
    isProblem(await server.inject({ url: '/v1/kv/a/b%ff', headers: host }), 404);
  });
});

test('conditional writes: If-None-Match, If-Match and swaps', async () => {
  await serving(async (server) => {
    const put = (payload: string, headers: object) =>
      server.inject({ method: 'PUT', url: '/v1/kv/k', headers: { ...host, ...headers }, payload });
    assert.equal((await put('1', { 'if-none-match': '*' })).statusCode, 200);
    isProblem(await put('2', { 'if-none-match': '*' }), 412);
    const tag = String((await server.inject({ url: '/v1/kv/k', headers: host })).headers['etag']);
    assert.equal((await put('2', { 'if-match': tag })).statusCode, 200);
    isProblem(await put('3', { 'if-match': tag }), 412);
    const swap = (payload: object) =>
      server.inject({ method: 'POST', url: '/v1/kv/k?op=cas', headers: host, payload });
    assert.equal((await swap({ expected: '2', value: '3' })).json<{ swapped: boolean }>().swapped, true);
    const failed = (await swap({ expected: { base64: 'Mg==' }, value: '4' })).json<Record<string, unknown>>();
    assert.equal(failed['swapped'], false);
    assert.deepEqual(failed['current'], { text: '3', base64: 'Mw==' });
    isProblem(await swap({ expect: '2', value: '3' }), 400);
    isProblem(await server.inject({ method: 'POST', url: '/v1/kv/k', headers: host, payload: '{}' }), 400);
  });
});

test('lists page through a prefix', async () => {
  await serving(async (server) => {
    for (const key of ['a1', 'b%2F1', 'b%2F2', 'b%2F3'])
      await server.inject({ method: 'PUT', url: `/v1/kv/${key}`, headers: host, payload: key });
    type Page = { entries: { key: string }[]; next: string | null };
    const keys: string[] = [];
    let after = '';
    for (;;) {
      const page = await server.inject({ url: `/v1/kv?prefix=b%2F&limit=2${after}`, headers: host });
      const { entries, next } = page.json<Page>();
      keys.push(...entries.map((entry) => entry.key));
      if (next === null) break;
      after = `&after=${next}`;
    }
    assert.deepEqual(keys, ['b%2F1', 'b%2F2', 'b%2F3']);
    isProblem(await server.inject({ url: '/v1/kv?limit=1001', headers: host }), 400);
    isProblem(await server.inject({ url: '/v1/kv?prefix=%zz', headers: host }), 400);
  });
});

test('POST /v1/tx, its state, its receipt and its block', async () => {
  await serving(async (server, cluster) => {
    const headers = { ...host, 'idempotency-key': 'order-17' };
    const payload = { op: 'put', key: 'k', value: { base64: 'AAE=' } };
    const submit = () => server.inject({ method: 'POST', url: '/v1/tx', headers, payload });
    const first = (await submit()).json<{ txId: string; height: number }>();
    assert.deepEqual((await submit()).json(), first);
    isProblem(
      await server.inject({ method: 'POST', url: '/v1/tx', headers, payload: { ...payload, value: 'x' } }),
      422,
    );
    const state = (await server.inject({ url: `/v1/tx/${first.txId}`, headers: host })).json<{
      state: string;
    }>();
    assert.equal(state.state, 'committed');
    const unknown = await server.inject({ url: `/v1/tx/${'ab'.repeat(32)}`, headers: host });
    assert.equal(unknown.json<{ state: string }>().state, 'unknown');
    isProblem(await server.inject({ url: '/v1/tx/ABC', headers: host }), 400);
    const receipt = await server.inject({ url: `/v1/receipts/${first.txId}`, headers: host });
    assert.equal(verifyReceipt(receipt.body, trustOf(cluster.settings)).valid, true);
    isProblem(await server.inject({ url: `/v1/receipts/${'ab'.repeat(32)}`, headers: host }), 404);
    const block = (await server.inject({ url: `/v1/blocks/${first.height}`, headers: host })).json<{
      transactions: { txId: string; operation: object }[];
    }>();
    assert.equal(block.transactions[0]?.txId, first.txId);
    assert.equal((block.transactions[0]?.operation as { op: string }).op, 'put');
    isProblem(await server.inject({ url: '/v1/blocks/99', headers: host }), 404);
    isProblem(await server.inject({ url: '/v1/blocks/0', headers: host }), 400);
  });
});

test('malformed and oversized input is a problem that says what is wrong', async () => {
  await serving(async (server) => {
    const post = (payload: string | Buffer) =>
      server.inject({ method: 'POST', url: '/v1/tx', headers: host, payload });
    for (const body of [
      '',
      '{',
      'null',
      '[]',
      '{"op":"get","key":"a"}',
      '{"op":"__proto__"}',
      '{"op":"put","key":1,"value":"x"}',
      '{"op":"put","key":"a","value":{"base64":"?"}}',
      '{"op":"put","key":"a","value":"x","more":1}',
      '{"op":"put","key":"","value":"x"}',
      Buffer.from([0x22, 0xff, 0x22]),
    ])
      isProblem(await post(body), 400);
    isProblem(await post('x'.repeat(200 * 1024)), 413);
    const put = (url: string, payload: Buffer, headers: object = {}) =>
      server.inject({ method: 'PUT', url, payload, headers: { ...host, ...headers } });
    isProblem(await put('/v1/kv/k', Buffer.alloc(48 * 1024 + 1)), 413);
    assert.equal((await put('/v1/kv/k', Buffer.alloc(48 * 1024))).statusCode, 200);
    isProblem(await put('/v1/kv/', Buffer.from('x')), 400);
    isProblem(await put(`/v1/kv/${'k'.repeat(1025)}`, Buffer.from('x')), 400);
    isProblem(await put('/v1/kv/%4', Buffer.from('x')), 400);
    isProblem(await put('/v1/kv/k', Buffer.from('x'), { 'idempotency-key': 'k'.repeat(65) }), 400);
    isProblem(await server.inject({ url: '/nothing', headers: host }), 404);
    for (const method of ['PATCH', 'HEAD', 'OPTIONS'] as const) {
      const wrong = await server.inject({ method, url: '/v1/kv/k', headers: host });
      if (method === 'HEAD') assert.equal(wrong.statusCode, 405);
      else isProblem(wrong, 405);
      assert.equal(wrong.headers['allow'], 'PUT, GET, DELETE, POST');
    }
    const block = await server.inject({ method: 'DELETE', url: '/v1/blocks/7', headers: host });
    assert.equal(block.headers['allow'], 'GET');
    isProblem(await server.inject({ url: '/v1/kv/k?consistency=never', headers: host }), 400);
    const bundle = { ...host, 'content-type': 'application/vnd.moiety.bundle' };
    isProblem(await server.inject({ method: 'POST', url: '/v1/tx', headers: bundle, payload: 'junk' }), 400);
  });
});

test('hostile Host and Origin are refused, floods are slowed, a token is asked for', async () => {
  const options = {
    hosts: ['Ledger.Example'],
    origins: ['https://app.example'],
    requestsPerSecond: 1,
    burst: 12,
  };
  let nowMs = 0;
  await serving(
    async (server) => {
      const ask = (headers: object, remoteAddress = '10.0.0.1') =>
        server.inject({ url: '/openapi.json', headers: { ...headers }, remoteAddress });
      for (const name of [
        'evil.example',
        'localhost.evil.example:4600',
        '127.0.0.1@evil',
        '127.0.0.1:4600:80',
      ])
        isProblem(await ask({ host: name }), 403);
      assert.equal((await ask({ host: 'ledger.example' })).statusCode, 200);
      assert.equal((await ask({ host: 'LOCALHOST:1' })).statusCode, 200);
      isProblem(await ask({ ...host, origin: 'https://evil.example' }), 403);
      isProblem(await ask({ ...host, origin: 'null' }), 403);
      assert.equal((await ask({ ...host, origin: 'http://127.0.0.1:4600' })).statusCode, 200);
      assert.equal((await ask({ ...host, origin: 'https://app.example' })).statusCode, 200);
      for (let times = 0; times < 2; times += 1) await ask(host);
      const slowed = await ask(host);
      isProblem(slowed, 429);
      assert.equal(slowed.headers['retry-after'], '1');
      assert.equal((await ask(host, '10.0.0.2')).statusCode, 200);
      nowMs += 1_000;
      assert.equal((await ask(host)).statusCode, 200);
    },
    { ...options, now: () => nowMs },
  );
  await serving(
    async (server) => {
      const ask = (authorization?: string) =>
        server.inject({ url: '/v1/status', headers: authorization ? { ...host, authorization } : host });
      isProblem(await ask(), 401);
      isProblem(await ask('Bearer wrong'), 401);
      isProblem(await ask('Basic c2VjcmV0'), 401);
      assert.equal((await ask('Bearer secret')).statusCode, 200);
    },
    { token: 'secret', host: '0.0.0.0' },
  );
  await assert.rejects(
    serving(async () => undefined, { host: '0.0.0.0' }),
    /only with a token/,
  );
});

test('without a quorum: 504 with the transaction, health 503, then overload with Retry-After', async () => {
  await serving(
    async (server, cluster) => {
      await server.inject({ method: 'PUT', url: '/v1/kv/a', headers: host, payload: '1' });
      const good = await server.inject({ url: '/health', headers: host });
      assert.equal(good.statusCode, 200);
      assert.equal(cluster.replicas[0]!.executor.height, 1);
      cluster.isOrdering = false;
      const late = await server.inject({ method: 'PUT', url: '/v1/kv/b', headers: host, payload: '2' });
      isProblem(late, 504);
      const { txId } = late.json<{ txId: string }>();
      const pending = await server.inject({ url: `/v1/tx/${txId}`, headers: host });
      assert.equal(pending.json<{ state: string }>().state, 'pending');
      for (const replica of cluster.replicas) replica.behaviour = 'busy';
      const busy = await server.inject({ method: 'PUT', url: '/v1/kv/c', headers: host, payload: '3' });
      isProblem(busy, 503);
      assert.equal(busy.headers['retry-after'], '1');
    },
    { timeoutMs: 300 },
  );
});

test('health checks are coalesced', async () => {
  await serving(async (server, cluster) => {
    await server.inject({ url: '/health', headers: host });
    const before = cluster.replicas[0]!.executor.executed;
    const checks = Array.from({ length: 50 }, () => server.inject({ url: '/health', headers: host }));
    for (const check of await Promise.all(checks)) assert.equal(check.statusCode, 200);
    assert.ok(cluster.replicas[0]!.executor.executed - before <= 1);
  });
});

test('status has the shape that scripts rely on', async () => {
  const cluster = new FakeCluster();
  cluster.replicas[2]!.behaviour = 'down';
  await serving(
    async (server) => {
      const { replicas } = (await server.inject({ url: '/v1/status', headers: host })).json<{
        replicas: Record<string, unknown>[];
      }>();
      assert.deepEqual(
        replicas.map((one) => [one['id'], one['role']]),
        [
          [0, 'primary'],
          [1, 'backup'],
          [2, 'unreachable'],
        ],
      );
      for (const name of ['view', 'sequence', 'height', 'headerHash', 'stateDigest', 'tc'])
        assert.ok(replicas[0]![name] !== undefined, name);
    },
    {},
    cluster,
  );
});

test('openapi.json describes exactly the registered routes', async () => {
  const cluster = new FakeCluster();
  const { settings, clientKey: key, openChannel } = cluster;
  const client = await connect({ cluster: settings, key, openChannel });
  const list = () => Promise.resolve({ behaviours: [], processes: [] });
  const fault = { token: 't', perform: () => Promise.resolve(), list };
  const { server, stop } = createGateway({ client, fault, pages: '/there are none' });
  await server.ready();
  const { paths } = (await server.inject({ url: '/openapi.json', headers: host })).json<{
    paths: Record<
      string,
      Record<string, { operationId: string; parameters?: { in: string; name: string }[] }>
    >;
  }>();
  const described: string[] = [];
  const ids = new Set<string>();
  for (const [path, operations] of Object.entries(paths)) {
    for (const [method, operation] of Object.entries(operations)) {
      described.push(`${method.toUpperCase()} ${path}`);
      ids.add(operation.operationId);
      assert.ok(
        server.hasRoute({ method: method.toUpperCase() as 'GET', url: path.replace(/\{(\w+)\}/g, ':$1') }),
        path,
      );
      const named = (operation.parameters ?? []).filter((one) => one.in === 'path').map((one) => one.name);
      assert.deepEqual(
        named,
        [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]),
      );
    }
  }
  assert.equal(ids.size, described.length);
  // The router's own tree: one entry in brackets for each path, with its methods.
  const registered = [...server.printRoutes({ commonPrefix: false }).matchAll(/\(([A-Z, ]+)\)/g)];
  const count = registered.reduce((sum, match) => sum + match[1]!.split(',').length, 0);
  // Pages are for people: `/`, `/playground` and `/playground/`, which say that nothing is built.
  assert.equal(count, described.length + 3);
  stop.abort();
  await server.close();
  await client.close();
});

test('faults need the token of this start and go to the supervisor', async () => {
  const orders: FaultOrder[] = [];
  const fault = {
    token: 'start-token',
    perform: (order: FaultOrder) => {
      orders.push(order);
      return order.replica === 2 ? Promise.reject(new Error('replica 2 is not running')) : Promise.resolve();
    },
    list: () => Promise.resolve({ behaviours: [{ name: 'silent', text: 'says nothing' }], processes: [] }),
  };
  await serving(
    async (server) => {
      const post = (url: string, token?: string, payload = '') =>
        server.inject({
          method: 'POST',
          url: `/v1/fault/${url}`,
          headers: token ? { ...host, 'moiety-fault-token': token } : host,
          payload,
        });
      isProblem(await post('kill/1'), 403);
      isProblem(await post('kill/1', 'other'), 403);
      isProblem(await post('explode/1', 'start-token'), 400);
      isProblem(await post('kill/3', 'start-token'), 400);
      isProblem(await post('byzantine/1', 'start-token'), 400);
      isProblem(await post('kill/2', 'start-token'), 409);
      for (const action of ['partition', 'heal'])
        assert.equal((await post(`${action}/1`, 'start-token')).statusCode, 200);
      assert.equal((await post('kill/1', 'start-token')).statusCode, 200);
      assert.equal((await post('byzantine/0', 'start-token', 'equivocate')).statusCode, 200);
      assert.deepEqual(orders.at(-1), { action: 'byzantine', replica: 0, behaviour: 'equivocate' });
      isProblem(await server.inject({ url: '/v1/fault', headers: host }), 403);
      const headers = { ...host, 'moiety-fault-token': 'start-token' };
      const listed = (await server.inject({ url: '/v1/fault', headers })).json<Record<string, unknown>>();
      assert.deepEqual(listed['behaviours'], [{ name: 'silent', text: 'says nothing' }]);
      assert.ok((listed['actions'] as string[]).includes('byzantine'));
      const status = await server.inject({ url: '/v1/status', headers: host });
      assert.equal(status.json<{ faults: boolean }>().faults, true);
    },
    { fault },
  );
  await serving(async (server) => {
    isProblem(await server.inject({ method: 'POST', url: '/v1/fault/kill/1', headers: host }), 404);
    isProblem(await server.inject({ url: '/v1/fault', headers: host }), 404);
    const status = await server.inject({ url: '/v1/status', headers: host });
    assert.equal(status.json<{ faults: boolean }>().faults, false);
  });
});

test('events stream with dense numbers and resume behind Last-Event-ID without loss', async () => {
  const cluster = new FakeCluster();
  const { settings, clientKey: key, openChannel } = cluster;
  const client = await connect({ cluster: settings, key, openChannel });
  const gateway = await startGateway({ client, port: 0 });
  const numbersOf = async (
    path: string,
    count: number,
    headers: Record<string, string> = {},
  ): Promise<number[]> => {
    const leave = new AbortController();
    const response = await fetch(`${gateway.url}${path}`, { headers, signal: leave.signal });
    assert.equal(response.headers.get('content-type'), 'text/event-stream');
    const numbers: number[] = [];
    let text = '';
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      const blocks = text.split('\n\n');
      text = blocks.pop()!;
      for (const block of blocks) {
        const id = /^id: (\d+)$/m.exec(block)?.[1];
        if (id === undefined) continue;
        const data = JSON.parse(/^data: (.*)$/m.exec(block)![1]!) as { number: number; txId: string };
        assert.equal(data.number, Number(id));
        numbers.push(Number(id));
      }
      if (numbers.length >= count) break;
    }
    leave.abort();
    return numbers.slice(0, count);
  };
  try {
    const write = (index: number) =>
      fetch(`${gateway.url}/v1/kv/k${index}`, { method: 'PUT', body: 'v' }).then((response) =>
        response.json(),
      );
    for (let index = 0; index < 5; index += 1) await write(index);
    assert.deepEqual(await numbersOf('/v1/events?from=1', 5), [1, 2, 3, 4, 5]);
    assert.deepEqual(await numbersOf('/v1/events?from=1', 2, { 'last-event-id': '3' }), [4, 5]);
    const live = numbersOf('/v1/events?from=4', 6);
    const second = numbersOf('/v1/events?from=6', 4);
    for (let index = 5; index < 9; index += 1) await write(index);
    assert.deepEqual(await live, [4, 5, 6, 7, 8, 9]);
    assert.deepEqual(await second, [6, 7, 8, 9]);
    assert.equal((await fetch(`${gateway.url}/v1/events?from=0`)).status, 400);
    const metrics = await (await fetch(`${gateway.url}/metrics`)).text();
    assert.match(
      metrics,
      /moiety_gateway_requests_total\{route="\/v1\/kv\/:key",method="PUT",status="200"\} 9/,
    );
    await assert.rejects(startGateway({ client, port: gateway.port }), /another process listens there/);
  } finally {
    await gateway.close();
    await client.close();
  }
});

test('what is not HTTP gets a problem and no connection', async () => {
  const cluster = new FakeCluster();
  const { settings, clientKey: key, openChannel } = cluster;
  const client = await connect({ cluster: settings, key, openChannel });
  const gateway = await startGateway({ client, port: 0 });
  const answerTo = (text: string): Promise<string> =>
    new Promise((resolve) => {
      const socket = connectTcp(gateway.port, '127.0.0.1', () => socket.write(text));
      let answer = '';
      socket.on('data', (chunk) => (answer += chunk.toString()));
      socket.on('close', () => resolve(answer));
    });
  try {
    assert.match(await answerTo('\x16\x03\x01\x00\x00garbage\r\n\r\n'), /400 [^]*urn:moiety:badRequest/);
    const long = `GET / HTTP/1.1\r\nhost: localhost\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`;
    assert.match(await answerTo(long), /^HTTP\/1.1 431 [^]*longer than 16 KiB/);
    const bare = 'GET /health HTTP/1.1\r\nconnection: close\r\n\r\n';
    assert.match(await answerTo(bare), /^HTTP\/1.1 403 [^]*urn:moiety:hostNotAllowed/);
    const proxy = 'CONNECT example.com:443 HTTP/1.1\r\nhost: localhost\r\n\r\n';
    assert.match(await answerTo(proxy), /^HTTP\/1.1 405 [^]*urn:moiety:methodNotAllowed/);
  } finally {
    await gateway.close();
    await client.close();
  }
});
