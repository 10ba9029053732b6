/** `fault partition` on real processes: the others go on without the replica, which finds them again when it is healed. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { eventually, LocalCluster } from './support/local-cluster.ts';
import type { SeenReplica } from './support/local-cluster.ts';

describe('a replica that is cut off from the others', { timeout: 180_000 }, () => {
  const cluster = new LocalCluster(8_350);
  before(() => cluster.start('--dev'));
  after(() => cluster.dispose());

  const primary = (): SeenReplica => cluster.replicas().find(({ role }) => role === 'primary')!;

  it('is replaced as the primary, is reached by the gateway, and catches up', async () => {
    assert.equal(cluster.run('put', 'before', 'x').code, 0);
    const { id, view } = primary();
    const { code, out } = cluster.run('fault', 'partition', String(id));
    assert.equal(code, 0);
    assert.match(out, new RegExp(`replica ${id} is cut off .* "moiety fault heal ${id}" ends that`));
    assert.equal(cluster.run('put', 'meanwhile', 'y').code, 0);
    const seen = cluster.replicas();
    assert.ok(seen.some((replica) => replica.view > view));
    const alone = seen[id]! as SeenReplica & { process: { cutOff: boolean; linksUp: number[] } };
    assert.notEqual(alone.reachable, false);
    assert.deepEqual(
      { cutOff: alone.process.cutOff, linksUp: alone.process.linksUp },
      { cutOff: true, linksUp: [] },
    );
    assert.match(cluster.run('status').out, new RegExp(`Replica ${id} .*cut off`));
    assert.equal(cluster.run('fault', 'heal', String(id)).code, 0);
    await cluster.converged();
    assert.equal(cluster.run('get', 'meanwhile').out, 'y');
  });

  it('stays cut off over a restart until it is healed', async () => {
    const { id } = cluster.replicas().find(({ role }) => role === 'backup')!;
    assert.equal(cluster.run('fault', 'partition', String(id)).code, 0);
    assert.equal(cluster.run('fault', 'restart', String(id)).code, 0);
    await eventually('cut off', 20_000, () => {
      const replica = cluster.replicas()[id] as SeenReplica & { process?: { cutOff: boolean } };
      return replica.process?.cutOff;
    });
    assert.equal(cluster.run('put', 'again', 'z').code, 0);
    assert.equal(cluster.run('fault', 'heal', String(id)).code, 0);
    await cluster.converged();
  });

  it('is one that runs, and is healed only if it is cut off', () => {
    const healed = cluster.run('fault', 'heal', '1');
    assert.equal(healed.code, 1);
    assert.match(healed.err, /Replica 1 is not cut off/);
    assert.equal(cluster.run('fault', 'kill', '2').code, 0);
    const killed = cluster.run('fault', 'partition', '2');
    assert.equal(killed.code, 1);
    assert.match(killed.err, /Replica 2 is not running/);
  });
});
