/** `up --dev` from outside: volatile trusted components inside the replicas, labelled, and kept apart from real ones. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { LocalCluster, moiety } from './support/local-cluster.ts';

describe('a development cluster', { timeout: 180_000 }, () => {
  const cluster = new LocalCluster(8_340);
  before(() => cluster.start('--dev'));
  after(() => cluster.dispose());

  it('says that it protects nothing, at its start and in status', () => {
    assert.match(cluster.output, /--dev protects nothing.*more than f = 1 replicas.*final halt.*--fresh/);
    for (const { tc } of cluster.replicas()) {
      const { footprint, persistent, suite } = tc as typeof tc & { persistent: boolean; suite: string };
      assert.deepEqual(
        { footprint, persistent, suite },
        { footprint: 'wasm', persistent: false, suite: 'hmac-sha256' },
      );
    }
    const { out } = cluster.run('status');
    assert.match(out, /usig@wasm \(volatile\)/);
    assert.match(out, /Development cluster.*protect nothing/);
  });

  it('orders writes and gives receipts that verify offline', () => {
    const { txId } = JSON.parse(cluster.run('put', 'hello', 'world', '--json').out) as { txId: string };
    assert.equal(cluster.run('get', 'hello').out, 'world');
    const path = join(cluster.root, 'receipt.json');
    assert.equal(cluster.run('receipt', txId, '-o', path).code, 0);
    const { code, out } = moiety('verify', path, '--trust', join(cluster.data, 'trust.json'));
    assert.equal(code, 0, out);
  });

  it('re-admits a replica that was killed, under a new tcEpoch, and one that lost its store', async () => {
    const first = cluster.replicas().map(({ tc }) => tc.tcEpoch);
    assert.equal(cluster.run('fault', 'kill', '2').code, 0);
    assert.equal(cluster.run('put', 'while-2-is-down', 'x').code, 0);
    assert.equal(cluster.run('fault', 'restart', '2').code, 0);
    const killed = (await cluster.converged()).map(({ tc }) => tc.tcEpoch);
    assert.deepEqual(killed.slice(0, 2), first.slice(0, 2));
    assert.notEqual(killed[2], first[2]);
    assert.equal(cluster.run('fault', 'wipe', '1').code, 0);
    assert.equal(cluster.run('fault', 'restart', '1').code, 0);
    const wiped = (await cluster.converged()).map(({ tc }) => tc.tcEpoch);
    assert.notEqual(wiped[1], killed[1]);
    assert.equal(cluster.run('put', 'hello', 'again').code, 0);
    assert.equal(cluster.run('get', 'hello').out, 'again');
  });

  it('does not go on after a stop, and is refused by a plain `up`', () => {
    assert.equal(cluster.run('down').code, 0);
    const again = cluster.run('up', '--dev');
    assert.equal(again.code, 1);
    assert.match(again.err, /more than f = 1 cannot be re-admitted \(a final halt\)\. Add --fresh/);
    const plain = cluster.run('up');
    assert.equal(plain.code, 1);
    assert.match(plain.err, /made with --dev.*protect nothing.*--fresh/);
    const alone = moiety('replica', '--config', join(cluster.data, 'replica-0', 'node.json'));
    assert.equal(alone.code, 2);
    assert.match(alone.err, /only "moiety up --dev" runs it/);
  });

  it('begins anew with --fresh, as a real cluster too, which --dev refuses', async () => {
    await cluster.start('--fresh');
    assert.equal(cluster.replicas()[0]!.tc.footprint, 'process');
    assert.equal(cluster.run('down').code, 0);
    const { code, err } = cluster.run('up', '--dev');
    assert.equal(code, 1);
    assert.match(err, /persistent trusted components.*leave --dev out/);
  });
});
