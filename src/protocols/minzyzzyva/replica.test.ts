/** MinZyzzyva in a small cluster, scenario by scenario. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Cluster } from './fixture.test.ts';

const ids = (n: number): number[] => Array.from({ length: n }, (_, index) => index);

function counted(cluster: Cluster): Map<string, number> {
  const kinds = new Map<string, number>();
  cluster.hook = (_from, _to, message) => {
    kinds.set(message.kind, (kinds.get(message.kind) ?? 0) + 1);
    return [message];
  };
  return kinds;
}

for (const f of [1, 2])
  test(`fault-free, ${2 * f + 1} replicas: all answers agree after three delays`, () => {
    const cluster = new Cluster({ f });
    const kinds = counted(cluster);
    cluster.startAll();
    cluster.run(500);
    const asked = ids(10).map((number) => {
      const waiting = cluster.ask(cluster.bundle(number + 1));
      assert.ok(
        cluster.run(60, () => waiting.accepted !== undefined),
        cluster.describe(),
      );
      return waiting;
    });
    for (const { accepted } of asked) assert.equal(accepted!.how, 'fast');
    const bundles = asked.map(({ bundle }) => bundle);
    assert.ok(
      cluster.run(1_000, () => cluster.allFinal(bundles)),
      cluster.describe(),
    );
    assert.equal(kinds.get('PREPARE'), 10 * (cluster.n - 1));
    assert.equal(kinds.get('COMMIT'), undefined);
    for (const { answers } of cluster.members)
      for (const given of answers.values())
        assert.equal(
          given.filter(({ standing }) => standing === 'speculative').length,
          1,
          'one for each request',
        );
    cluster.judgeAccepted();
  });

test('one crashed backup: each request completes by a certificate', () => {
  const cluster = new Cluster();
  cluster.startAll();
  cluster.run(300);
  cluster.crash(2);
  for (const number of ids(6)) {
    const waiting = cluster.ask(cluster.bundle(number + 1));
    assert.ok(
      cluster.run(2_000, () => waiting.accepted !== undefined),
      cluster.describe(),
    );
    assert.equal(waiting.accepted!.how, 'final');
  }
  cluster.judgeAccepted();
});
