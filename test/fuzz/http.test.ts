/** Hostile HTTP: requests put together from valid and odd parts. Every one has an answer, and none an answer of 500. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { connect } from '../../src/client/client.ts';
import { FakeCluster } from '../../src/client/fake-cluster.testing.ts';
import { createGateway } from '../../src/gateway/server.ts';

const REQUESTS = Number(process.env['MOIETY_FUZZ_HTTP'] ?? 3_000);

const odd = fc.oneof(
  fc.constantFrom(
    ...['', '%', '%zz', '%00', '%ff', '..', '.', '__proto__', 'constructor', '%2e%2e%2f', '☃', '\u{1F600}'],
    ...['a'.repeat(5_000), '-1', '0', '1e9', '9007199254740993', '18446744073709551615', 'NaN', ' ', '\t'],
  ),
  fc.string({ unit: 'binary', maxLength: 20 }),
);
const name = fc.oneof(
  { weight: 2, arbitrary: fc.constantFrom('k', 'key%2F1', 'a/b') },
  { weight: 1, arbitrary: odd },
);
const id = fc.oneof(fc.constantFrom('0'.repeat(64), 'f'.repeat(64), 'F'.repeat(64), '1'), odd);
const path = fc.oneof(
  name.map((key) => `/v1/kv/${key}`),
  fc.constantFrom(
    '/v1/kv',
    '/v1/tx',
    '/v1/status',
    '/v1/evidence',
    '/health',
    '/metrics',
    '/openapi.json',
    '/',
  ),
  id.map((one) => `/v1/tx/${one}`),
  id.map((one) => `/v1/receipts/${one}`),
  id.map((one) => `/v1/blocks/${one}`),
  id.map((one) => `/v1/evidence/${one}`),
  fc.tuple(id, id).map(([action, replica]) => `/v1/fault/${action}/${replica}`),
  odd.map((one) => `/${one}`),
);
const query = fc.oneof(
  { weight: 3, arbitrary: fc.constant('') },
  {
    weight: 2,
    arbitrary: fc.constantFrom('?op=cas', '?limit=10&prefix=k', '?consistency=replica', '?after=k'),
  },
  {
    weight: 2,
    arbitrary: fc
      .array(fc.tuple(fc.constantFrom('op', 'limit', 'prefix', 'after', 'consistency', 'from', 'x'), odd))
      .map((pairs) => `?${pairs.map(([key, value]) => `${key}=${value}`).join('&')}`),
  },
);
const json = fc.oneof(
  fc.json({ maxDepth: 4 }),
  fc.constantFrom(
    ...['{"op":"put","key":"k","value":"v"}', '{"op":"put","key":"k","value":{"base64":"AAE="}}'],
    ...['{"op":"get","key":"k"}', '{"expected":"1","value":"2"}', '{"__proto__":{"op":"put"}}'],
    ...['{"op":"put","op":"delete","key":"k"}', '{"value":{"base64":"!"}}', '[', '{"a":'.repeat(3_000)],
    ...['[[[[[[[[[['.repeat(2_000), '{"key":"\\ud800","op":"put","value":""}', '', 'null', '1e999'],
  ),
);
const body = fc.oneof(
  fc.constant(undefined),
  json.map((text) => Buffer.from(text)),
  fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
);
const headerValue = fc.oneof(
  fc.constantFrom(
    '*',
    '"abc"',
    'W/"x"',
    'bytes=0-1',
    'application/json',
    'text/plain',
    '1',
    '',
    'x'.repeat(4_000),
  ),
  fc.string({ maxLength: 30 }).map((value) => value.replaceAll(/[^\x20-\x7e]/g, '?')),
);
const headers = fc.dictionary(
  fc.constantFrom(
    ...['if-match', 'if-none-match', 'idempotency-key', 'content-type', 'accept', 'origin', 'authorization'],
    ...['last-event-id', 'range', 'x-forwarded-for', 'cookie', 'accept-encoding', 'content-encoding'],
  ),
  headerValue,
  { maxKeys: 4 },
);
const anyMethod = fc.constantFrom('GET', 'PUT', 'POST', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH');

/** Mostly a method that the path has. */
function methodFor(where: string): fc.Arbitrary<string> {
  const natural = where.startsWith('/v1/kv/')
    ? fc.constantFrom('PUT', 'PUT', 'GET', 'DELETE', 'POST')
    : fc.constant(where === '/v1/tx' || where.startsWith('/v1/fault') ? 'POST' : 'GET');
  return fc.oneof({ weight: 4, arbitrary: natural }, { weight: 1, arbitrary: anyMethod });
}
const target = path.chain((where) => fc.tuple(methodFor(where), fc.constant(where)));

test(`every one of ${REQUESTS} odd requests gets an answer that blames the right side`, async () => {
  const cluster = new FakeCluster();
  const { settings, clientKey: key, openChannel } = cluster;
  const client = await connect({ cluster: settings, key, openChannel, window: 4096 });
  const { server, stop } = createGateway({ client, burst: 1e9, requestsPerSecond: 1e9 });
  const seen = new Map<number, number>();
  try {
    await fc.assert(
      fc.asyncProperty(target, query, headers, body, async ([verb, where], asked, given, payload) => {
        const response = await server.inject({
          method: verb as 'GET',
          // A request line holds no blanks or control characters: a real server never sees them there.
          url: `${where}${asked}`.replaceAll(/[\s\x00-\x1f\x7f]/g, '+'),
          headers: { host: given['accept'] === '*' ? 'elsewhere' : '127.0.0.1:4600', ...given },
          ...(payload === undefined ? {} : { payload }),
        });
        const { statusCode } = response;
        seen.set(statusCode, (seen.get(statusCode) ?? 0) + 1);
        assert.ok(statusCode >= 200 && statusCode < 500, `${statusCode}: ${response.body.slice(0, 300)}`);
        if (statusCode < 400 || verb === 'HEAD') return;
        const problem = JSON.parse(response.body) as Record<string, unknown>;
        assert.equal(problem['status'], statusCode);
        assert.equal(typeof problem['detail'], 'string');
      }),
      { seed: 11, numRuns: REQUESTS },
    );
    const put = await server.inject({
      method: 'PUT',
      url: '/v1/kv/after',
      headers: { host: '127.0.0.1' },
      payload: 'x',
    });
    assert.equal(put.statusCode, 200, 'it still serves');
  } finally {
    stop.abort();
    await server.close();
    await client.close();
  }
  console.log(
    `http: ${[...seen]
      .sort(([a], [b]) => a - b)
      .map(([status, count]) => `${status}: ${count}`)
      .join(', ')}`,
  );
  for (const status of [200, 400, 404, 405]) assert.ok((seen.get(status) ?? 0) > 0, `no answer ${status}`);
});
