/** Re-admission of a replica that lost counter or log. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Bundle } from '../../core/request.ts';
import { Cluster } from './fixture.test.ts';

function order(cluster: Cluster, count: number, from: number, ms = 10_000): void {
  const bundles: Bundle[] = Array.from({ length: count }, (_, index) => cluster.bundle(from + index));
  for (const [index, bundle] of bundles.entries()) cluster.at(3 * index, () => cluster.submit(bundle));
  assert.ok(
    cluster.run(ms, () => cluster.settled(bundles)),
    cluster.describe(),
  );
}

function isActive(cluster: Cluster, id: number): boolean {
  return cluster.members[id]!.replica?.inspect(cluster.now).mode === 'active';
}

function incarnationOf(cluster: Cluster, id: number, at: number): number {
  return cluster.members[at]!.replica!.inspect(cluster.now).peers[id]!.incarnation;
}

test('a wiped backup is re-admitted in an idle cluster and its votes count again', () => {
  const cluster = new Cluster();
  cluster.startAll();
  order(cluster, 10, 1);
  cluster.wipe(2);
  cluster.start(2);
  assert.ok(
    cluster.run(10_000, () => isActive(cluster, 2)),
    cluster.describe(),
  );
  assert.equal(incarnationOf(cluster, 2, 0), 1);
  cluster.crash(0);
  order(cluster, 6, 100);
  assert.equal(incarnationOf(cluster, 2, 1), 1);
});

test('a wiped primary is re-admitted; its view ends (rule 5)', () => {
  const cluster = new Cluster({ f: 2 });
  cluster.startAll();
  order(cluster, 10, 1);
  cluster.wipe(0);
  cluster.start(0);
  order(cluster, 4, 50);
  assert.ok(
    cluster.run(20_000, () => isActive(cluster, 0)),
    cluster.describe(),
  );
  for (let id = 0; id < 5; id += 1) assert.ok(cluster.members[id]!.replica!.inspect(cluster.now).view >= 1);
  order(cluster, 6, 100);
});

test('a second loss within 2cp orders is held, then accepted in bounded time (rule 8)', () => {
  const cluster = new Cluster();
  cluster.startAll();
  order(cluster, 5, 1);
  cluster.wipe(2);
  cluster.start(2);
  assert.ok(
    cluster.run(10_000, () => isActive(cluster, 2)),
    cluster.describe(),
  );
  cluster.wipe(2);
  cluster.start(2);
  assert.ok(
    cluster.run(20_000, () => isActive(cluster, 2)),
    cluster.describe(),
  );
  assert.equal(incarnationOf(cluster, 2, 0), 2);
  assert.ok(cluster.members.some(({ traces }) => (traces.get('MinBFT.LEADER.5')?.failed ?? 0) > 0));
  order(cluster, 6, 100);
});

test('everybody is re-admitted once, one after the other; an amnesic one verifies the chain of incarnations', () => {
  const cluster = new Cluster();
  cluster.startAll();
  order(cluster, 5, 1);
  for (const id of [1, 2, 0]) {
    cluster.wipe(id);
    cluster.start(id);
    assert.ok(
      cluster.run(20_000, () => [0, 1, 2].every((one) => isActive(cluster, one))),
      cluster.describe(),
    );
    order(cluster, 8, 100 * (id + 1));
  }
  cluster.wipe(1);
  cluster.start(1);
  assert.ok(
    cluster.run(30_000, () => [0, 1, 2].every((one) => isActive(cluster, one))),
    cluster.describe(),
  );
  order(cluster, 8, 900);
  assert.equal(incarnationOf(cluster, 1, 0), 2);
});

test('one re-admitting and one silent of three: waits and says for whom; goes on when that one returns', () => {
  const cluster = new Cluster();
  cluster.startAll();
  order(cluster, 6, 1);
  cluster.crash(1);
  cluster.wipe(2);
  cluster.start(2);
  const orders = cluster.agreed.size;
  cluster.submit(cluster.bundle(50));
  cluster.run(10_000);
  assert.equal(cluster.agreed.size, orders, 'nothing is ordered');
  assert.match(cluster.members[0]!.replica!.inspect(cluster.now).waitsFor ?? '', /replica 1/);
  cluster.start(1);
  assert.ok(
    cluster.run(40_000, () => isActive(cluster, 2)),
    cluster.describe(),
  );
  order(cluster, 6, 100);
});

test('two of three lost their counters: final halt, and it says so', () => {
  const cluster = new Cluster();
  cluster.startAll();
  order(cluster, 6, 1);
  const orders = cluster.agreed.size;
  for (const id of [1, 2]) {
    cluster.wipe(id);
    cluster.start(id);
  }
  cluster.submit(cluster.bundle(50));
  cluster.run(20_000);
  assert.equal(cluster.agreed.size, orders);
  assert.match(cluster.members[0]!.replica!.inspect(cluster.now).waitsFor ?? '', /final halt/);
});

test('five replicas, two re-admitting at once: goes on', () => {
  const cluster = new Cluster({ f: 2 });
  cluster.startAll();
  order(cluster, 6, 1);
  for (const id of [3, 4]) {
    cluster.wipe(id);
    cluster.start(id);
  }
  assert.ok(
    cluster.run(30_000, () => isActive(cluster, 3) && isActive(cluster, 4)),
    cluster.describe(),
  );
  order(cluster, 6, 100);
  cluster.crash(0);
  cluster.crash(1);
  order(cluster, 6, 200, 20_000);
});

test('component and log put back to an old copy: the replica halts as soon as a peer shows what it sealed later', () => {
  const cluster = new Cluster();
  cluster.startAll();
  order(cluster, 6, 1);
  const member = cluster.members[2]!;
  cluster.crash(2);
  const copy = { stored: new Map(member.stored), ownLog: [...member.ownLog], tcCounter: member.tcCounter };
  const history = [...member.history];
  cluster.start(2);
  cluster.run(1_000);
  order(cluster, 6, 100);
  cluster.run(1_000);
  cluster.crash(2);
  Object.assign(member, copy, { rolledBack: true, history, done: new Set(), doneAt: new Map() });
  cluster.start(2);
  assert.ok(
    cluster.run(5_000, () => member.notes.some(({ name }) => name === 'halt')),
    cluster.describe(),
  );
  // MinBFT.RECOVER.4: it asked first, so no counter value was used twice and nobody has anything against it.
  assert.equal(member.tcCounter, copy.tcCounter);
  assert.deepEqual(cluster.accusations, []);
});

test('after a start nothing is sealed before f peers have spoken; then it goes on (MinBFT.RECOVER.4)', () => {
  const cluster = new Cluster();
  cluster.startAll();
  order(cluster, 6, 1);
  cluster.run(500);
  cluster.crash(2);
  cluster.partition((a, b) => a === 2 || b === 2);
  cluster.start(2);
  const { tcCounter } = cluster.members[2]!;
  const bundle = cluster.bundle(50);
  cluster.submit(bundle);
  cluster.run(3_000);
  assert.equal(cluster.members[2]!.tcCounter, tcCounter);
  cluster.heal();
  cluster.crash(1);
  assert.ok(
    cluster.run(20_000, () => cluster.members[2]!.tcCounter > tcCounter),
    cluster.describe(),
  );
  order(cluster, 4, 60, 20_000);
});
