/** Batch bodies that nobody needs: they give way. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ReplicaContext } from '../../core/protocol.ts';
import type { Batch } from '../../core/request.ts';
import { buildBatch } from '../batcher.ts';
import { pbft } from '../../protocols/pbft/definition.ts';
import { BodyDesk } from './body-desk.ts';
import { TestCluster } from './cluster.testing.ts';
import { Desk } from './desk.ts';
import { AttestedReplica } from './replica.ts';

/** More than what may be kept unasked (1,024). */
const MANY = 1_100;

/** Batches that differ in their time. */
function batches({ hash, domain }: ReplicaContext, from: number, count: number): Batch[] {
  return Array.from({ length: count }, (_, index) =>
    buildBatch(hash, domain, { proposedInView: 0, time: from + index, recovers: [], bundles: [] }),
  );
}

function made(): { readonly desk: BodyDesk<object>; readonly context: ReplicaContext } {
  const context = new TestCluster(pbft).contexts[1]!;
  return { desk: new BodyDesk(new Desk<object>(context)), context };
}

describe('bodies that were fetched by name', () => {
  it('give way after a sweep, but for those that are stored', () => {
    const { desk, context } = made();
    const named = batches(context, 1, MANY);
    for (const batch of named) {
      desk.need(batch.digest, [0]);
      assert.ok(desk.put(batch));
    }
    desk.makeDurable(named[0]!, 1);
    assert.equal(desk.sizes().bodies, MANY);
    desk.sweep();
    assert.equal(desk.sizes().bodies, 1 + 1_024);
    assert.equal(desk.get(named[0]!.digest), named[0]);
    assert.equal(desk.get(named[1]!.digest), undefined, 'the oldest went first');
  });

  it('are still at hand for whoever names them again', () => {
    const { desk, context } = made();
    const [batch, ...others] = batches(context, 1, MANY);
    desk.need(batch!.digest, [0]);
    desk.put(batch!);
    desk.sweep();
    assert.equal(desk.need(batch!.digest, [0]), batch);
    for (const other of others) desk.put(other);
    assert.equal(desk.get(batch!.digest), batch, 'what is named does not give way to what came unasked');
  });

  for (const [name, move] of [
    ['a view was entered', (replica) => replica.enterView(1)],
    [
      'a checkpoint became stable',
      (replica) => {
        const stateDigest = replica.bodies.nullBatch.digest;
        replica.makeStable({ checkpoint: { sequence: 4, stateDigest }, messages: [] });
      },
    ],
  ] as const satisfies readonly (readonly [string, (replica: AttestedReplica<never>) => void])[])
    it(`are swept when ${name}: what was bad does not stay`, () => {
      const cluster = new TestCluster(pbft);
      const { replica } = cluster.machines[1]!;
      assert.ok(replica instanceof AttestedReplica);
      const bad = batches(cluster.contexts[1]!, 1, 8);
      for (const batch of bad) {
        replica.bodies.need(batch.digest, [0]);
        replica.bodies.put(batch);
      }
      move(replica as unknown as AttestedReplica<never>);
      for (const batch of batches(cluster.contexts[1]!, 100, 1_024)) replica.bodies.put(batch);
      assert.equal(replica.bodies.sizes().bodies, 1_024);
      assert.equal(replica.bodies.get(bad[0]!.digest), undefined);
    });
});
