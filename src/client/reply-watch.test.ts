import assert from 'node:assert/strict';
import { test } from 'node:test';
import { trustOf } from '../ledger/trust.ts';
import { verifyReplyEvidence } from '../ledger/reply-evidence.ts';
import { connect } from './client.ts';
import { FakeCluster } from './fake-cluster.testing.ts';
import type { Behaviour } from './fake-cluster.testing.ts';
import type { FoundEvidence } from './reply-watch.ts';

const key = new Uint8Array([1]);

async function evidenceOf(
  behaviours: readonly Behaviour[],
  f: number,
  writes: number,
): Promise<FoundEvidence[]> {
  const cluster = new FakeCluster(f);
  behaviours.forEach((behaviour, replica) => (cluster.replicas[replica]!.behaviour = behaviour));
  const found: FoundEvidence[] = [];
  const client = await connect({
    cluster: cluster.settings,
    key: cluster.clientKey,
    openChannel: cluster.openChannel,
    onEvidence: (one) => found.push(one),
  });
  for (let index = 0; index < writes; index += 1) await client.put(key, new Uint8Array([index]));
  // Replies that come after the result count, too.
  await new Promise((resolve) => setTimeout(resolve, 20));
  await client.close();
  for (const { bytes, replica } of found) {
    const verdict = verifyReplyEvidence(bytes, trustOf(cluster.settings));
    assert.ok(verdict.valid);
    assert.equal(verdict.replica, replica);
  }
  return found;
}

for (const liar of [0, 1, 2])
  test(`a wrong signed reply of replica ${liar} becomes evidence, before or after the result`, async () => {
    const behaviours: Behaviour[] = ['correct', 'correct', 'correct'];
    behaviours[liar] = 'lying';
    const found = await evidenceOf(behaviours, 1, 8);
    assert.equal(found.length, 4, 'a few records against one replica are enough');
    for (const { replica, rule } of found) assert.deepEqual([replica, rule], [liar, 'wrongReply']);
  });

test('two liars of five are both proved, nobody else is', async () => {
  const found = await evidenceOf(['lying', 'correct', 'correct', 'lying', 'correct'], 2, 8);
  assert.deepEqual([...new Set(found.map(({ replica }) => replica))].sort(), [0, 3]);
});

test('correct and silent replicas are not accused', async () => {
  assert.deepEqual(await evidenceOf(['mute', 'correct', 'correct'], 1, 4), []);
});
