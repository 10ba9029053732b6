/** What one lying peer could do to the liveness of the others with authentic but useless messages. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Bundle, RecoverRequest } from '../../core/request.ts';
import { recoverDigest } from '../../core/request.ts';
import type { TcEpoch } from '../../core/types.ts';
import { ZERO_DIGEST } from '../../core/types.ts';
import { recoverMessage } from '../../smr/usig-stream/builders.ts';
import { createStreamContext } from '../../smr/usig-stream/context.ts';
import type { MinbftMessage } from '../../smr/usig-stream/messages.ts';
import { makeFullNewView } from '../../smr/usig-stream/nested.ts';
import { Cluster, hostSignature, sha256 } from './fixture.test.ts';

function order(cluster: Cluster, count: number, from: number, ms = 10_000): void {
  const bundles: Bundle[] = Array.from({ length: count }, (_, index) => cluster.bundle(from + index));
  for (const [index, bundle] of bundles.entries()) cluster.at(3 * index, () => cluster.submit(bundle));
  assert.ok(
    cluster.run(ms, () => cluster.settled(bundles)),
    cluster.describe(),
  );
}

function recoverOf(cluster: Cluster, content: Omit<RecoverRequest, 'signature'>): MinbftMessage {
  const digest = recoverDigest(sha256, cluster.domain, content);
  const context = createStreamContext(cluster.settings, sha256, cluster.domain, 'minbft');
  const signature = hostSignature(content.replica, digest);
  return recoverMessage(context, { ...content, signature });
}

function viewOf(cluster: Cluster, id: number): number {
  return cluster.members[id]!.replica!.inspect(cluster.now).view;
}

test('a RECOVER that can never take effect is not waited for: no view change in an idle cluster', () => {
  const cluster = new Cluster();
  cluster.startAll();
  order(cluster, 4, 1);
  const used = recoverOf(cluster, {
    replica: 2,
    expectedIncarnation: 0,
    tcEpoch: 'ffffffffffffffff' as TcEpoch,
    tcId: 'ff'.repeat(16),
    // The key that speaks for replica 0.
    tcPublicKey: cluster.settings.members[0]!.trusted.publicKey,
    measurement: ZERO_DIGEST,
    footprint: 'process',
    evidence: new Uint8Array(0),
  });
  for (const to of [0, 1]) cluster.transmit(2, to, used);
  cluster.run(20_000);
  assert.deepEqual([viewOf(cluster, 0), viewOf(cluster, 1)], [0, 0]);
});

test('of two RECOVERs for one component the second is forgotten when the first took effect', () => {
  const cluster = new Cluster({ f: 2 });
  cluster.startAll();
  order(cluster, 4, 1);
  const component = {
    expectedIncarnation: 0,
    tcEpoch: 'ffffffffffffffff' as TcEpoch,
    tcId: 'ff'.repeat(16),
    tcPublicKey: 'ff'.repeat(32),
    measurement: ZERO_DIGEST,
    footprint: 'process',
    evidence: new Uint8Array(0),
  };
  cluster.crash(3);
  cluster.crash(4);
  for (const replica of [3, 4])
    for (const to of [0, 1, 2]) cluster.transmit(replica, to, recoverOf(cluster, { replica, ...component }));
  cluster.run(10_000);
  const settled = viewOf(cluster, 0);
  cluster.run(20_000);
  assert.equal(viewOf(cluster, 0), settled);
});

test('RECOVERs with long evidence are spread over batches: none is too large to be committed to', () => {
  const cluster = new Cluster({ f: 11 });
  cluster.startAll();
  order(cluster, 2, 1);
  const lost = Array.from({ length: 10 }, (_, index) => 13 + index);
  for (const replica of lost) cluster.crash(replica);
  for (const replica of lost) {
    const hex = replica.toString(16).padStart(2, '0');
    const request = recoverOf(cluster, {
      replica,
      expectedIncarnation: 0,
      tcEpoch: hex.repeat(8) as TcEpoch,
      tcId: hex.repeat(16),
      tcPublicKey: hex.repeat(32),
      measurement: ZERO_DIGEST,
      footprint: 'process',
      evidence: new Uint8Array(8 * 1024),
    });
    // The first primary hears of none: the next one has all of them at once.
    for (let to = 1; to < 13; to += 1) cluster.transmit(replica, to, request);
  }
  cluster.run(100);
  cluster.crash(0);
  cluster.submit(cluster.bundle(50));
  const incarnations = (): number[] =>
    cluster.members[1]!.replica!.inspect(cluster.now).peers.map(({ incarnation }) => incarnation);
  assert.ok(
    cluster.run(10_000, () => lost.every((replica) => incarnations()[replica] === 1)),
    cluster.describe(),
  );
  assert.equal(viewOf(cluster, 1), 1, 'nobody found a batch too large');
});

test('a chain of more incarnations than one answer holds reaches a replica that lost everything', () => {
  const cluster = new Cluster({ seed: 3 });
  cluster.startAll();
  const active = (): boolean =>
    [0, 1, 2].every((id) => cluster.members[id]!.replica?.inspect(cluster.now).mode === 'active');
  for (let round = 0; round < 11; round += 1) {
    order(cluster, 9, 100 * round + 1, 20_000);
    const id = [1, 2, 0][round % 3]!;
    cluster.wipe(id);
    cluster.start(id);
    assert.ok(cluster.run(40_000, active), `round ${round}\n${cluster.describe()}`);
  }
  order(cluster, 9, 5_000, 20_000);
  cluster.wipe(2);
  cluster.start(2);
  assert.ok(cluster.run(60_000, active), cluster.describe());
});

test('a NEW-VIEW whose VIEW-CHANGEs a peer has taken off does not keep out the whole one', () => {
  const cluster = new Cluster({ delayMs: [1, 1] });
  cluster.startAll();
  order(cluster, 3, 1);
  // What a NEW-VIEW quotes is not sealed with its header. Replica 2 gets the header alone first.
  cluster.hook = (_from, _to, message) =>
    message.kind === 'NEW-VIEW' ? [makeFullNewView(message.header, []), message] : [message];
  cluster.crash(0);
  order(cluster, 2, 100, 20_000);
  assert.equal(viewOf(cluster, 2), 1);
});
