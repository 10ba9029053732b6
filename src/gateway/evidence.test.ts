import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { connect } from '../client/client.ts';
import { verifyEvidence } from '../client/evidence.ts';
import { FakeCluster } from '../client/fake-cluster.testing.ts';
import { trustOf } from '../ledger/trust.ts';
import { EvidenceBook } from './evidence-book.ts';
import { createGateway } from './server.ts';

const headers = { host: '127.0.0.1:4600' };

const byId = (a: { id: string }, b: { id: string }): number => (a.id < b.id ? -1 : 1);

interface StatusJson {
  readonly replicas: readonly { id: number; proven: object[]; accuses: object[] }[];
  readonly proven: readonly {
    replica: number;
    rule: string;
    foundBy: (number | string)[];
    evidence: string[];
  }[];
}

async function withGateway(
  body: (
    get: (url: string) => Promise<{ statusCode: number; body: string }>,
    cluster: FakeCluster,
  ) => Promise<void>,
): Promise<void> {
  const cluster = new FakeCluster();
  const { settings, clientKey: key, openChannel } = cluster;
  let time = 0;
  const evidence = new EvidenceBook({ settings, now: () => (time += 2_000) });
  const client = await connect({ cluster: settings, key, openChannel, window: 4096 });
  const { server, stop } = createGateway({ client, evidence });
  try {
    await body((url) => server.inject({ url, headers }), cluster);
  } finally {
    stop.abort();
    await server.close();
    await client.close();
  }
}

test('status, list and file of a wrong reply', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'moiety-evidence-'));
  const cluster = new FakeCluster();
  const { settings, clientKey: key, openChannel } = cluster;
  cluster.replicas[1]!.behaviour = 'lying';
  const evidence = new EvidenceBook({ settings, folder });
  const client = await connect({
    cluster: settings,
    key,
    openChannel,
    window: 4096,
    onEvidence: (found) => evidence.add(found),
  });
  const { server, stop } = createGateway({ client, evidence });
  try {
    for (let index = 0; index < 3; index += 1)
      await server.inject({ method: 'PUT', url: '/v1/kv/a', headers, payload: `${index}` });
    await new Promise((resolve) => setTimeout(resolve, 20));
    const status = (await server.inject({ url: '/v1/status', headers })).json<StatusJson>();
    assert.deepEqual(
      status.proven.map(({ replica, rule, foundBy }) => [replica, rule, foundBy]),
      [[1, 'wrongReply', ['gateway']]],
    );
    assert.deepEqual(
      status.replicas.map(({ proven }) => proven.length),
      [0, 1, 0],
    );
    const { evidence: list } = (await server.inject({ url: '/v1/evidence', headers })).json<{
      evidence: { id: string }[];
    }>();
    const [id] = status.proven[0]!.evidence;
    assert.ok(list.some((one) => one.id === id));
    const file = await server.inject({ url: `/v1/evidence/${id}`, headers });
    const verdict = verifyEvidence(file.body, { trust: trustOf(settings) });
    assert.equal(verdict.valid, true, verdict.lines.join('\n'));
    assert.equal(verdict.lines.length, 5);
    assert.equal((await server.inject({ url: '/v1/evidence/none', headers })).statusCode, 404);
    const again = new EvidenceBook({ settings, folder });
    assert.deepEqual(again.list().sort(byId), evidence.list().sort(byId), 'kept over a restart');
    const other = new EvidenceBook({ settings: new FakeCluster().settings, folder });
    assert.deepEqual(other.list(), [], 'and proves nothing in another cluster');
    assert.equal(readdirSync(folder).length, evidence.list().length);
  } finally {
    stop.abort();
    await server.close();
    await client.close();
    rmSync(folder, { recursive: true });
  }
});

test("one replica's word accuses nobody; f+1 do, of whom one is correct", async () => {
  await withGateway(async (get, cluster) => {
    const proven = async (): Promise<number[]> =>
      (JSON.parse((await get('/v1/status')).body) as StatusJson).proven.map(({ replica }) => replica);
    const claim = { replica: 0, rule: 'doubleProposal' };
    cluster.replicas[2]!.accuses = [claim, { replica: 2, rule: 'doubleProposal' }];
    assert.deepEqual(await proven(), []);
    const { replicas } = JSON.parse((await get('/v1/status')).body) as StatusJson;
    assert.deepEqual(replicas[2]!.accuses[0], claim, 'its word stays visible as its word');
    cluster.replicas[1]!.accuses = [claim];
    assert.deepEqual(await proven(), [0]);
    cluster.replicas[0]!.accuses = [
      { replica: 2, rule: 'x' },
      { replica: 99, rule: 'doubleProposal' },
    ];
    assert.deepEqual(await proven(), [0]);
  });
});
