/** Liars: what they do is refused by everybody alike, proven where it can be, and nothing decided is lost. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildBatch } from '../../smr/batcher.ts';
import { viewChangeContent } from '../../smr/usig-stream/builders.ts';
import { completeDraft, decodeDraft, encodeDraft } from '../../smr/usig-stream/codec.ts';
import type { Sealed } from '../../smr/usig-stream/codec.ts';
import { createStreamContext } from '../../smr/usig-stream/context.ts';
import type { StreamContext } from '../../smr/usig-stream/context.ts';
import type { Draft, MinbftMessage, Prepare } from '../../smr/usig-stream/messages.ts';
import type { Batch, Bundle } from '../../core/request.ts';
import { Cluster, sha256 } from './fixture.test.ts';
import type { Member } from './fixture.test.ts';
import { asLogEntry } from '../../smr/usig-replica/stream-log.ts';

function contextOf(cluster: Cluster): StreamContext {
  return createStreamContext(cluster.settings, sha256, cluster.domain, 'minbft');
}

function order(cluster: Cluster, count: number, from: number, ms = 5_000): void {
  const bundles: Bundle[] = Array.from({ length: count }, (_, index) => cluster.bundle(from + index));
  for (const [index, bundle] of bundles.entries()) cluster.at(3 * index, () => cluster.submit(bundle));
  assert.ok(
    cluster.run(ms, () => cluster.settled(bundles)),
    cluster.describe(),
  );
}

/** Takes the logic away: from now on the test speaks with the trusted component itself. */
function corrupt(cluster: Cluster, id: number): Member {
  const member = cluster.members[id]!;
  member.replica = undefined;
  member.generation += 1;
  member.byzantine = true;
  member.tcCounter = member.ownLog.at(-1)?.ui.counter ?? member.tcCounter;
  return member;
}

/** Has the liar's trusted component seal a draft. */
function seal(cluster: Cluster, member: Member, draft: Draft): Sealed {
  const context = contextOf(cluster);
  const ui = cluster.certify(member, encodeDraft(context, draft).digest);
  return completeDraft(context, draft, ui);
}

function batchOf(cluster: Cluster, bundles: readonly Bundle[]): Batch {
  const content = { proposedInView: 0, time: cluster.now, recovers: [], bundles };
  return buildBatch(sha256, cluster.domain, content);
}

function prepare(cluster: Cluster, member: Member, sequence: number, batch: Batch): Prepare {
  member.stored.set(`body/${batch.digest}`, batch.bytes);
  return seal(cluster, member, {
    kind: 'PREPARE',
    view: 0,
    configurationVersion: 0,
    newViewCounter: 0,
    sequence,
    batchDigest: batch.digest,
    recovers: [],
  }) as Prepare;
}

function sendTo(cluster: Cluster, from: number, to: number, message: MinbftMessage): void {
  cluster.transmit(from, to, message);
}

test('two PREPAREs for one order, each shown to one half: the lower counter counts, the liar is proven (scenario 5)', () => {
  const cluster = new Cluster();
  cluster.startAll();
  order(cluster, 5, 1);
  cluster.run(500);
  const liar = corrupt(cluster, 0);
  const next = cluster.agreed.size + 1;
  const [one, two] = [batchOf(cluster, [cluster.bundle(50)]), batchOf(cluster, [cluster.bundle(51)])];
  const first = prepare(cluster, liar, next, one);
  const second = prepare(cluster, liar, next, two);
  sendTo(cluster, 0, 1, first);
  cluster.sendBody(0, 1, one.bytes);
  sendTo(cluster, 0, 2, second);
  cluster.sendBody(0, 2, two.bytes);
  assert.ok(
    cluster.run(3_000, () => cluster.accusations.length > 0),
    cluster.describe(),
  );
  assert.deepEqual(
    [...new Set(cluster.accusations.map(({ replica, rule }) => `${replica} ${rule}`))],
    ['0 doubleProposal'],
  );
  order(cluster, 5, 100);
  assert.equal(cluster.agreed.get(next), one.digest, 'the first one survives, because R1 committed to it');
  for (const id of [1, 2]) assert.ok(cluster.members[id]!.replica!.inspect(cluster.now).view >= 1);
});

test('a COMMIT after the own VIEW-CHANGE is not counted, and proves the fault (scenario 2)', () => {
  const cluster = new Cluster();
  cluster.startAll();
  order(cluster, 3, 1);
  cluster.run(500);
  const liar = corrupt(cluster, 2);
  const context = contextOf(cluster);
  const log = liar.ownLog.map(({ draft, ui }) =>
    asLogEntry(completeDraft(context, decodeDraft(context, draft)!, ui)),
  );
  const body = viewChangeContent(context, {
    view: 1,
    stable: undefined,
    anchor: undefined,
    vouchers: [],
    log,
  });
  const leaving = seal(cluster, liar, body) as MinbftMessage;
  // R0 proposes; R2 commits to it afterwards and shows everything to R0 alone.
  cluster.partition((a, b) => a === 1 || b === 1);
  const executed = cluster.members[0]!.history.length;
  let proposed: Prepare | undefined;
  cluster.hook = (_from, _to, message) => {
    if (message.kind === 'PREPARE') proposed = message;
    return [message];
  };
  cluster.input(0, { kind: 'bundle', bundle: cluster.bundle(60) as never });
  cluster.run(50, () => proposed !== undefined);
  assert.ok(proposed !== undefined);
  const commit = seal(cluster, liar, { kind: 'COMMIT', prepare: proposed }) as MinbftMessage;
  sendTo(cluster, 2, 0, leaving);
  sendTo(cluster, 2, 0, commit);
  cluster.run(300);
  assert.equal(cluster.members[0]!.history.length, executed, 'nothing is executed on a void commitment');
  assert.ok(cluster.accusations.some(({ rule }) => rule === 'activeAfterViewChange'));
  cluster.partition(() => false);
  order(cluster, 3, 100, 20_000);
});

test('a CHECKPOINT that contradicts the stable one proves the liar', () => {
  const cluster = new Cluster({ limits: { checkpointInterval: 2 } });
  cluster.startAll();
  order(cluster, 8, 1);
  cluster.run(500);
  const liar = corrupt(cluster, 2);
  const context = contextOf(cluster);
  const real = liar.ownLog
    .map(({ draft }) => decodeDraft(context, draft)!)
    .filter((draft) => draft.kind === 'CHECKPOINT')
    .at(-1)!;
  const { stable } = cluster.members[0]!.replica!.inspect(cluster.now);
  const wrong = { ...real, sequence: stable, stateDigest: 'ab'.repeat(32) as never };
  sendTo(cluster, 2, 0, seal(cluster, liar, wrong) as MinbftMessage);
  cluster.run(100);
  assert.deepEqual(
    cluster.accusations.map(({ by, replica, rule }) => ({ by, replica, rule })),
    [{ by: 0, replica: 2, rule: 'wrongCheckpoint' }],
  );
  order(cluster, 4, 100);
});

test('a client seal that does not hold, hidden in a batch: no COMMIT, another view, a no-op at most (scenario 15)', () => {
  const cluster = new Cluster();
  cluster.startAll();
  order(cluster, 3, 1);
  cluster.run(300);
  const forged = cluster.bundle(70, 1, false);
  cluster.members[0]!.byzantine = true;
  cluster.input(0, { kind: 'bundle', bundle: forged as never });
  order(cluster, 5, 100);
  for (const id of [1, 2]) {
    const { done, replica } = cluster.members[id]!;
    assert.equal(done.has(forged.digest), false);
    assert.ok(replica!.inspect(cluster.now).view >= 1);
  }
});

test('garbage of every shape from a member is ignored or dropped, never thrown at', () => {
  const cluster = new Cluster();
  cluster.startAll();
  order(cluster, 6, 1);
  cluster.run(300);
  const liar = corrupt(cluster, 2);
  const context = contextOf(cluster);
  const huge = 2 ** 52;
  const send = (message: MinbftMessage): void => {
    for (const to of [0, 1]) sendTo(cluster, 2, to, message);
  };
  send({ kind: 'RESEND-REQUEST', author: 0, incarnation: 0, counter: 1 });
  send({ kind: 'RESEND-REQUEST', author: 1, incarnation: 7, counter: huge });
  send({ kind: 'FETCH-LINKS', above: huge });
  send({ kind: 'FETCH-NEW-VIEW', view: huge, digest: 'cd'.repeat(32) as never });
  const streams = [0, 1, 2].map(() => ({ incarnation: 9, counter: huge }));
  send({
    kind: 'STATUS',
    view: huge,
    changing: false,
    executed: huge,
    stable: huge,
    streams,
    committedView: huge,
  });
  send({ kind: 'CHECKPOINT-PROOF', certificate: { checkpoints: [] }, links: [] });
  for (const draft of liar.ownLog.map(({ draft: bytes }) => decodeDraft(context, bytes)!)) {
    send(seal(cluster, liar, draft) as MinbftMessage);
  }
  order(cluster, 6, 100);
  assert.equal(cluster.members[0]!.replica!.inspect(cluster.now).peers[2]!.dead, true);
});

test('a component that was put back seals two statements with one counter value: anybody can prove it (doubleSeal)', () => {
  const cluster = new Cluster();
  cluster.startAll();
  order(cluster, 3, 1);
  const liar = corrupt(cluster, 0);
  const before = liar.tcCounter;
  const first = prepare(cluster, liar, 4, batchOf(cluster, [cluster.bundle(40)]));
  liar.tcCounter = before;
  const second = prepare(cluster, liar, 4, batchOf(cluster, [cluster.bundle(41)]));
  assert.equal(first.ui.counter, second.ui.counter);
  sendTo(cluster, 0, 1, first);
  cluster.run(50);
  sendTo(cluster, 0, 1, second);
  cluster.run(50);
  const [proof] = cluster.accusations;
  assert.deepEqual([proof?.by, proof?.replica, proof?.rule], [1, 0, 'doubleSeal']);
});
