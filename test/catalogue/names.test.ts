/**
 * M-11 of docs/scenarios.md: names that mean something to the language, as keys, parameters, headers, fields and
 * organisations, in a process whose Object.prototype and Array.prototype are frozen.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connect } from '../../src/client/client.ts';
import { FakeCluster } from '../../src/client/fake-cluster.testing.ts';
import { createGateway } from '../../src/gateway/server.ts';
import { clusterSettingsToJson, parseClusterSettings } from '../../src/ledger/genesis.ts';
import { runSchedule } from '../../src/sim/run-schedule.ts';

const NAMES = [
  ...['__proto__', 'constructor', 'prototype', 'toString', 'valueOf', 'then', 'hasOwnProperty'],
  ...['__defineGetter__', 'isPrototypeOf', 'length', '0', 'null', 'undefined'],
];
const host = { host: '127.0.0.1:4600' };
const pristine = Reflect.ownKeys(Object.prototype).length;
Object.freeze(Object.prototype);
Object.freeze(Array.prototype);

test('as keys of the service they are keys like others', async () => {
  const cluster = new FakeCluster();
  const { settings, clientKey: key, openChannel } = cluster;
  const client = await connect({ cluster: settings, key, openChannel });
  const { server, stop } = createGateway({ client });
  const ask = (method: 'GET' | 'PUT' | 'DELETE', name: string, payload?: string) =>
    server.inject({
      method,
      url: `/v1/kv/${name}`,
      headers: host,
      ...(payload === undefined ? {} : { payload }),
    });
  try {
    for (const name of NAMES) assert.equal((await ask('GET', name)).statusCode, 404, name);
    for (const name of NAMES) assert.equal((await ask('PUT', name, `of ${name}`)).statusCode, 200, name);
    for (const name of NAMES) assert.equal((await ask('GET', name)).body, `of ${name}`);
    const listed = await client.list({ prefix: new Uint8Array(0), limit: 100 });
    assert.deepEqual(
      listed.entries.map(({ key: one }) => new TextDecoder().decode(one)),
      NAMES.toSorted((a, b) => (a < b ? -1 : 1)),
    );
    for (const name of NAMES) assert.equal((await ask('DELETE', name)).statusCode, 200, name);
    for (const name of NAMES) {
      const posted = (payload: string) =>
        server.inject({ method: 'POST', url: '/v1/tx', headers: host, payload });
      assert.equal((await posted(`{"op":"${name}"}`)).statusCode, 400, name);
      assert.equal((await posted(`{"op":"get","key":"k","${name}":1}`)).statusCode, 400, name);
      assert.equal((await posted(`{"${name}":{"op":"put","key":"k","value":"v"}}`)).statusCode, 400, name);
      const odd = await server.inject({
        url: `/v1/kv?${name}=1&prefix=${name}`,
        headers: { ...host, [`x-${name}`]: name },
      });
      assert.ok([200, 400].includes(odd.statusCode), name);
      assert.equal((await server.inject({ url: `/v1/${name}`, headers: host })).statusCode, 404, name);
    }
  } finally {
    stop.abort();
    await server.close();
    await client.close();
  }
});

test('as fields of a cluster file they are refused', () => {
  const { settings } = new FakeCluster();
  const json = JSON.stringify(clusterSettingsToJson(settings));
  const parse = (text: string): boolean => 'settings' in parseClusterSettings(JSON.parse(text));
  assert.ok(parse(json));
  for (const name of NAMES) assert.ok(!parse(`{"${name}":{},${json.slice(1)}`), name);
});

test('the simulated cluster runs as ever', () => {
  for (const seed of [3, 11, 48]) assert.deepEqual(runSchedule(seed, { short: true }).violations, []);
});

test('nothing was added to what all objects share', () => {
  assert.equal(Reflect.ownKeys(Object.prototype).length, pristine);
  assert.equal(({} as Record<string, unknown>)['op'], undefined);
});
