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
    cluster.run(2_000);
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
