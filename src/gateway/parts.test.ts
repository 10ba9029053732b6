import assert from 'node:assert/strict';
import { test } from 'node:test';
import { equalSecrets, hostNameOf, isLoopback } from './guard.ts';
import { HealthCheck } from './health.ts';
import { percentDecode, percentEncode } from './http-values.ts';
import { checkGatewayConfig, parseListen } from './main-gateway.ts';
import { RateLimiter } from './rate-limit.ts';

test('the rate limiter refills, bursts and forgets the oldest address', () => {
  const limiter = new RateLimiter(10, 3);
  assert.deepEqual(
    [0, 0, 0, 0].map((now) => limiter.take('a', now)),
    [0, 0, 0, 100],
  );
  assert.equal(limiter.take('a', 100), 0);
  assert.equal(limiter.take('a', 50), 100, 'a clock that goes back gives nothing');
  for (let index = 0; index < 20_000; index += 1) limiter.take(`r${index}`, 100);
  assert.equal(limiter.size, 10_000);
});

test('every byte string survives percent-encoding', () => {
  const all = Uint8Array.from({ length: 256 }, (_, index) => index);
  assert.deepEqual(percentDecode(percentEncode(all), 'it'), all);
  for (const bad of ['%', '%1', '%g0', 'a b', 'ä', '% 1', '%+1'])
    assert.throws(() => percentDecode(bad, 'the key'), /the key has/);
});

test('host names and listening addresses', () => {
  assert.equal(hostNameOf('Example.org:80'), 'example.org');
  assert.equal(hostNameOf('[::1]:80'), '[::1]');
  for (const bad of [undefined, '', 'a b', 'a:b', 'x@y', 'a/b']) assert.equal(hostNameOf(bad), undefined);
  assert.deepEqual(parseListen('[::1]:80'), { host: '::1', port: 80 });
  for (const bad of ['80', 'a:99999', '']) assert.throws(() => parseListen(bad), /host:port/);
  assert.equal(isLoopback('127.8.9.1') && isLoopback('::1') && isLoopback('localhost'), true);
  assert.equal(isLoopback('0.0.0.0') || isLoopback('127.0.0.1.evil') || isLoopback('10.0.0.1'), false);
  assert.equal(equalSecrets('a', 'a'), true);
  assert.equal(equalSecrets('a', 'ab'), false);
});

test('the configuration names what is wrong in it', () => {
  const good = { cluster: 'cluster.json', key: 'gateway.key', listen: '127.0.0.1:1', hosts: ['a'] };
  assert.deepEqual(checkGatewayConfig(good), good);
  assert.throws(() => checkGatewayConfig({ ...good, port: 1 }), /"port" is not a known field/);
  assert.throws(() => checkGatewayConfig({ key: 'k' }), /"cluster" is missing/);
  assert.throws(() => checkGatewayConfig({ ...good, hosts: 'a' }), /"hosts" must be a list/);
  assert.throws(() => checkGatewayConfig({ ...good, timeoutMs: 0 }), /"timeoutMs"/);
  assert.throws(() => checkGatewayConfig([]), /no JSON object/);
});

test('health is asked once for many, and again after a moment', async () => {
  let now = 0;
  let asked = 0;
  let isUp = true;
  const noop = () => {
    asked += 1;
    const committed = { txId: 'ab'.repeat(32) as never, height: 0, sequence: asked };
    return isUp ? Promise.resolve(committed) : Promise.reject(new Error('nobody answers'));
  };
  const health = new HealthCheck(noop, () => now);
  const [first, second] = await Promise.all([health.check(), health.check()]);
  assert.deepEqual([first, second, asked], [first, first, 1]);
  isUp = false;
  now = 999;
  assert.equal((await health.check()).ok, true);
  now = 1_001;
  assert.deepEqual(await health.check(), { ok: false, detail: 'no quorum commits: nobody answers' });
  assert.equal(asked, 2);
});
