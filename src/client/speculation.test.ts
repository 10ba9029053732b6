/** A client of a speculative protocol (n = 4, f = 1): fast path, certificates, mixed views, lies, what comes later. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { trustOf } from '../ledger/trust.ts';
import { verifyReceipt } from '../ledger/verify.ts';
import { connect } from './client.ts';
import type { MoietyClient } from './contract.ts';
import { FakeCluster } from './fake-cluster.testing.ts';
import type { FoundEvidence } from './reply-watch.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

async function using(
  cluster: FakeCluster,
  body: (client: MoietyClient) => Promise<void>,
  onEvidence?: (found: FoundEvidence) => void,
): Promise<void> {
  const { settings, clientKey: key, openChannel, protocol } = cluster;
  const client = await connect({ cluster: settings, key, openChannel, protocol, onEvidence });
  try {
    await body(client);
  } finally {
    await client.close();
  }
}

const certificatesAt = (cluster: FakeCluster): number[] =>
  cluster.replicas.map(({ certificates }) => certificates);

test('all answers alike complete a request in one round', async () => {
  const cluster = new FakeCluster(1, true);
  await using(cluster, async (client) => {
    for (const value of ['1', '2', '3']) await client.put(bytes('k'), bytes(value));
    const read = await client.get(bytes('k'));
    assert.deepEqual(read.value, bytes('3'));
    assert.equal(read.path, 'ordered', 'the confirmed state may lack what was completed');
    assert.equal(cluster.replicas[0]!.executor.confirmed, 0);
  });
});

for (const trouble of ['mute', 'down', 'lying', 'forged'] as const)
  test(`one ${trouble} replica breaks the fast path: a certificate completes the request`, async () => {
    for (const id of [0, 3]) {
      const cluster = new FakeCluster(1, true);
      cluster.replicas[id]!.behaviour = trouble;
      await using(cluster, async (client) => {
        assert.equal((await client.put(bytes('k'), bytes('1'))).height, 1);
        assert.equal((await client.put(bytes('k'), bytes('2'))).existed, true);
        assert.deepEqual((await client.get(bytes('k'))).value, bytes('2'));
        const seen = certificatesAt(cluster).filter((_, replica) => replica !== id);
        assert.ok(
          seen.every((count) => count > 0),
          `${seen.join(' ')}`,
        );
      });
    }
  });

for (const proofs of ['otherHistory', 'badSeal', 'none'] as const)
  test(`a replica whose proofs are wrong (${proofs}) neither counts nor spoils a certificate`, async () => {
    const cluster = new FakeCluster(1, true);
    cluster.replicas[1]!.proofs = proofs;
    await using(cluster, async (client) => {
      assert.equal((await client.put(bytes('k'), bytes('1'))).height, 1);
      const heard = certificatesAt(cluster);
      // Each certificate that was made was one that replicas take: they have no word for the others.
      assert.ok(heard[0]! > 0);
      assert.equal(cluster.replicas[0]!.committed, cluster.replicas[0]!.executor.executed);
    });
  });

test('answers of two views are never added up; they count when all answer in one', async () => {
  const cluster = new FakeCluster(1, true);
  await using(cluster, async (client) => {
    await client.put(bytes('warm'), bytes(''));
    for (const id of [2, 3]) cluster.replicas[id]!.view = 1;
    const before = certificatesAt(cluster);
    const put = client.put(bytes('k'), bytes('1'));
    const outcome = await Promise.race([put, new Promise((resolve) => setTimeout(resolve, 120, 'waits'))]);
    assert.equal(outcome, 'waits');
    assert.deepEqual(certificatesAt(cluster), before, 'two answers are no certificate');
    for (const replica of cluster.replicas) replica.view = 1;
    // The retransmission is answered in the view of now.
    assert.equal((await put).height, 2);
  });
});

test('what was confirmed while nobody listened is answered as final, f+1 are enough', async () => {
  const cluster = new FakeCluster(1, true);
  await using(cluster, async (client) => {
    await client.put(bytes('warm'), bytes(''));
    for (const replica of cluster.replicas) replica.loseReplies = 1;
    const put = client.put(bytes('k'), bytes('1'));
    while (cluster.replicas[0]!.executor.executed < 3) await new Promise((resolve) => setImmediate(resolve));
    cluster.confirm();
    cluster.replicas[0]!.behaviour = 'mute';
    cluster.replicas[1]!.behaviour = 'lying';
    assert.equal((await put).height, 2);
  });
});

test('a transaction is pending until its block is final, then its receipt verifies', async () => {
  const cluster = new FakeCluster(1, true);
  await using(cluster, async (client) => {
    const { txId } = await client.put(bytes('k'), bytes('1'));
    assert.equal((await client.transaction(txId)).state, 'pending');
    await assert.rejects(client.receipt(txId), /pending/);
    cluster.confirm();
    assert.equal((await client.transaction(txId)).state, 'committed');
    const receipt = new TextDecoder().decode(await client.receipt(txId));
    assert.equal(verifyReceipt(receipt, trustOf(cluster.settings)).valid, true);
  });
});

test('an answer that may be undone accuses nobody, a final one does', async () => {
  const cluster = new FakeCluster(1, true);
  cluster.replicas[2]!.behaviour = 'lying';
  const found: FoundEvidence[] = [];
  await using(
    cluster,
    async (client) => {
      await client.put(bytes('k'), bytes('1'));
      await new Promise((resolve) => setTimeout(resolve, 20));
      assert.deepEqual(found, []);
      for (const replica of cluster.replicas) replica.loseReplies = 1;
      const put = client.put(bytes('k'), bytes('2'));
      while (cluster.replicas[0]!.executor.executed < 3)
        await new Promise((resolve) => setImmediate(resolve));
      cluster.confirm();
      await put;
      await new Promise((resolve) => setTimeout(resolve, 20));
      assert.deepEqual([...new Set(found.map(({ replica }) => replica))], [2]);
    },
    (one) => found.push(one),
  );
});

test('many requests at once, one replica down: few certificates, each for a whole batch', async () => {
  const cluster = new FakeCluster(1, true);
  cluster.replicas[3]!.behaviour = 'down';
  await using(cluster, async (client) => {
    const puts = Array.from({ length: 60 }, (_, index) => client.put(bytes(`k${index}`), bytes('v')));
    const heights = new Set((await Promise.all(puts)).map(({ height }) => height));
    const certificates = cluster.replicas[0]!.certificates;
    assert.ok(certificates <= 2 * (heights.size + 1), `${certificates} for ${heights.size} batches`);
  });
});

test('a cluster of an unknown protocol is refused in words', async () => {
  const { settings, clientKey: key, openChannel } = new FakeCluster();
  const cluster = { ...settings, protocol: 'raft' };
  await assert.rejects(connect({ cluster, key, openChannel }), /does not know the protocol "raft"/);
});
