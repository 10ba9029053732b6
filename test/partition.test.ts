/** `fault partition` on real processes: the others go on without the replica, which finds them again when it is healed. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { eventually, LocalCluster, moiety, startMoiety } from './support/local-cluster.ts';
import type { SeenReplica } from './support/local-cluster.ts';

describe('explain', () => {
  it('says with exit code 3 that there is no cluster', () => {
    const { code, err } = moiety('explain', '--url', 'http://127.0.0.1:9');
    assert.equal(code, 3);
    assert.match(err, /No gateway answers/);
  });
});

describe('a replica that is cut off from the others', { timeout: 400_000 }, () => {
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

  it('is named by explain, with the one that is down, when nothing commits, and both statuses tell it', async () => {
    // On a busy machine somebody may be suspected of being late.
    const well = cluster.run('explain');
    assert.equal(well.code, /^Nothing is wrong\. No request waits to be ordered/.test(well.out) ? 0 : 1);
    assert.doesNotMatch(well.out, /Nothing commits/);
    const { id } = primary();
    const [first, second] = [0, 1, 2].filter((one) => one !== id) as [number, number];
    assert.equal(cluster.run('fault', 'pause', String(first)).code, 0);
    assert.equal(cluster.run('fault', 'partition', String(second)).code, 0);
    const put = startMoiety('put', 'stuck', 'x', '--data', cluster.data);
    put.unref();
    const said = await eventually('explained', 30_000, () => {
      const { code, out } = cluster.run('explain', '--json');
      const { stuck, explanation } = JSON.parse(out) as { stuck: string; explanation: string[] };
      const isSaid = explanation.some((one) => /waits for the COMMIT/.test(one));
      return code === 1 && stuck === 'seen' && isSaid ? explanation.join('\n') : undefined;
    });
    assert.match(said, /^Nothing commits\. No quorum: 1 of 3 replicas take part, 2 are needed/);
    assert.match(said, new RegExp(`Replica ${id} says that it waits for the COMMIT of one more of replicas`));
    assert.match(said, new RegExp(`replica ${first} is paused`));
    assert.match(
      said,
      new RegExp(`replica ${second} was cut off from the others by "moiety fault partition"`),
    );
    const answer = await fetch(`${cluster.url}/v1/status`);
    const { explanation } = (await answer.json()) as { explanation: string[] };
    assert.match(explanation.join('\n'), new RegExp(`replica ${second} was cut off from the others`));
    assert.match(cluster.run('status').out, /Nothing commits\. No quorum/);
    assert.equal(cluster.run('fault', 'heal', String(second)).code, 0);
    assert.equal(cluster.run('fault', 'resume', String(first)).code, 0);
    await cluster.converged();
    await eventually('well again', 30_000, () => {
      const { stuck } = JSON.parse(cluster.run('explain', '--json').out) as { stuck: string };
      return stuck === 'no' ? true : undefined;
    });
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
