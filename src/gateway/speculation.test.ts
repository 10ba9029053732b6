/** The gateway over a speculative protocol of 3f+1 replicas: answers come before blocks and receipts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connect } from '../client/client.ts';
import { FakeCluster } from '../client/fake-cluster.testing.ts';
import { trustOf } from '../ledger/trust.ts';
import { verifyReceipt } from '../ledger/verify.ts';
import { createGateway } from './server.ts';

const headers = { host: '127.0.0.1:4600' };

test('writes, reads, transactions and receipts of a speculative cluster with a dead replica', async () => {
  const cluster = new FakeCluster(1, true);
  cluster.replicas[2]!.behaviour = 'down';
  const { settings, clientKey: key, openChannel, protocol } = cluster;
  const client = await connect({ cluster: settings, key, openChannel, protocol, window: 4096 });
  const { server, stop } = createGateway({ client });
  const get = (url: string) => server.inject({ url, headers });
  const stateOf = async (id: string): Promise<string> =>
    (await get(`/v1/tx/${id}`)).json<{ state: string }>().state;
  try {
    const put = await server.inject({ method: 'PUT', url: '/v1/kv/k', headers, payload: 'v' });
    assert.equal(put.statusCode, 200, put.body);
    const { txId, height } = put.json<{ txId: string; height: number }>();
    const read = await get('/v1/kv/k');
    assert.equal(read.body, 'v');
    assert.equal(read.headers['moiety-read'], 'ordered');
    assert.equal(await stateOf(txId), 'pending');
    const early = await get(`/v1/receipts/${txId}`);
    assert.equal(early.statusCode, 404);
    assert.match(early.body, /pending/);
    assert.equal((await get(`/v1/blocks/${height}`)).statusCode, 404);
    assert.equal((await get('/health')).statusCode, 200);
    cluster.confirm();
    assert.equal(await stateOf(txId), 'committed');
    const receipt = (await get(`/v1/receipts/${txId}`)).body;
    assert.equal(verifyReceipt(receipt, trustOf(settings)).valid, true);
    const status = (await get('/v1/status')).json<{ f: number; protocol: string; replicas: unknown[] }>();
    assert.deepEqual([status.f, status.replicas.length], [1, 4]);
  } finally {
    stop.abort();
    await server.close();
    await client.close();
  }
});
