/** Normal operation, crash and loss: the replica against the sheet's scenarios, in the small cluster of this folder. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Cluster } from './fixture.test.ts';

function numbers(cluster: Cluster, count: number, from = 1): ReturnType<Cluster['bundle']>[] {
  return Array.from({ length: count }, (_, index) => cluster.bundle(from + index));
}

test('orders what clients send, several proposals in flight', () => {
  const cluster = new Cluster();
  cluster.startAll();
  const bundles = numbers(cluster, 40);
  for (const [index, bundle] of bundles.entries()) cluster.at(index, () => cluster.submit(bundle));
  assert.ok(
    cluster.run(2_000, () => cluster.settled(bundles)),
    cluster.describe(),
  );
  for (const member of cluster.members) assert.equal(member.replica!.inspect(cluster.now).view, 0);
});

test('a primary that crashes is replaced and comes back into the running view', () => {
  const cluster = new Cluster();
  cluster.startAll();
  const before = numbers(cluster, 10);
  for (const bundle of before) cluster.submit(bundle);
  assert.ok(
    cluster.run(1_000, () => cluster.settled(before)),
    cluster.describe(),
  );
  cluster.crash(0);
  const after = numbers(cluster, 10, 100);
  for (const bundle of after) cluster.submit(bundle);
  assert.ok(
    cluster.run(5_000, () => cluster.settled(after)),
    cluster.describe(),
  );
  cluster.start(0);
  const last = numbers(cluster, 10, 200);
  for (const bundle of last) cluster.submit(bundle);
  assert.ok(
    cluster.run(5_000, () => cluster.settled(last) && cluster.correct().length === 3),
    cluster.describe(),
  );
});
