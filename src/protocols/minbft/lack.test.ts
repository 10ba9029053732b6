/** What a replica says that it waits for, where what others said is of no use. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Digest } from '../../core/types.ts';
import { feed, scene, stableOf } from './conduct-scenes.testing.ts';

test('a CHECKPOINT of another state is none of those that are waited for', () => {
  const { cluster } = scene({ timers: { requestMs: 1_000_000 } });
  const { stateDigest } = cluster;
  const liar = cluster.members[1]!;
  liar.byzantine = true;
  cluster.stateDigest = (member, sequence) =>
    member === liar ? ('ab'.repeat(32) as Digest) : stateDigest.call(cluster, member, sequence);
  cluster.partition((a, b) => a === 2 || b === 2);
  feed(cluster, 60);
  cluster.run(3_000);
  assert.equal(stableOf(cluster, 0), 0);
  const { lack } = cluster.members[0]!.replica!.inspect(cluster.now);
  assert.equal(lack?.what, 'CHECKPOINT');
  assert.deepEqual([lack.needs, lack.has, lack.lacks], [2, [0], [1, 2]]);
});
