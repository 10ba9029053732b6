/** What is held against a peer whose messages could not be heard for a while: nothing beyond that silence. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { executedOf, feed, lose, order, reach, scene } from './conduct-scenes.testing.ts';

const PATIENT = { requestMs: 1_000_000, statusMs: 100 };

test('votes that come when a link is healed are not late, those of a peer that was heard all the time are', () => {
  for (const isHeard of [false, true]) {
    const { cluster, sent } = scene({
      timers: PATIENT,
      limits: { checkpointInterval: 32, batchRequestsMax: 1 },
    });
    order(cluster, 3, 1);
    if (isHeard) lose(cluster, sent, ({ kind }, from) => from === 2 && kind !== 'STATUS');
    else cluster.partition((a, b) => a === 2 || b === 2);
    feed(cluster, 5, 100);
    cluster.run(4_000);
    const executed = executedOf(cluster, 0);
    if (isHeard) lose(cluster, sent, () => false);
    else cluster.heal();
    reach(cluster, 3_000, () => executedOf(cluster, 2) === executed);
    cluster.run(1_000);
    for (const id of [0, 1]) {
      const { lateMs = 0 } = cluster.members[id]!.replica!.inspect(cluster.now).peers[2]!;
      if (isHeard) assert.ok(lateMs > 500, `${lateMs} ms late`);
      else assert.ok(lateMs < 50, `${lateMs} ms late`);
    }
  }
});

test('whoever falls silent for a moment before each vote is late all the same', () => {
  const { cluster, sent } = scene({
    timers: PATIENT,
    limits: { checkpointInterval: 32, batchRequestsMax: 1 },
  });
  order(cluster, 3, 1);
  for (let turn = 0; turn < 8; turn += 1) {
    lose(cluster, sent, (_, from) => from === 2);
    feed(cluster, 1, 100 + turn);
    cluster.run(430);
    lose(cluster, sent, () => false);
    cluster.run(1_000);
    reach(cluster, 3_000, () => executedOf(cluster, 2) === executedOf(cluster, 0));
  }
  const { lateMs = 0 } = cluster.members[0]!.replica!.inspect(cluster.now).peers[2]!;
  assert.ok(lateMs > 150, `${lateMs} ms late`);
});

test('lateness passes: with votes that are in time, of a primary too, and while nobody votes', () => {
  const { cluster, sent } = scene({
    timers: PATIENT,
    limits: { checkpointInterval: 32, batchRequestsMax: 1 },
  });
  order(cluster, 3, 1);
  const lateOf = (peer: number): number =>
    cluster.members[1]!.replica!.inspect(cluster.now).peers[peer]!.lateMs ?? 0;
  lose(cluster, sent, ({ kind }, from) => from === 0 && kind !== 'STATUS');
  for (const id of [0, 1, 2]) feed(cluster, 5, 100, id);
  cluster.run(2_500);
  lose(cluster, sent, () => false);
  cluster.run(3_000);
  const before = lateOf(0);
  assert.ok(before > 500, `${before} ms late`);
  // Only the primary hears of these requests: nobody else waits for its proposals.
  feed(cluster, 12, 200);
  cluster.run(3_000);
  assert.ok(lateOf(0) < before / 4, `${lateOf(0)} ms late`);
  cluster.run(61_000);
  assert.equal(lateOf(0), 0);
});
