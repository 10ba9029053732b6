/** Rules of conduct of checkpoints and re-admission, one test each: MinBFT.CKPT and MinBFT.RECOVER. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Reader } from '../../core/codec.ts';
import { readRecover } from '../../core/request.ts';
import type { Digest } from '../../core/types.ts';
import type { Checkpoint, MinbftMessage } from '../../smr/usig-stream/messages.ts';
import {
  askForRecovery,
  batchOf,
  bothWays,
  corrupt,
  draftsOf,
  executedOf,
  feed,
  filter,
  lie,
  lose,
  noted,
  order,
  reach,
  recoverOf,
  scene,
  seal,
  stableOf,
  viewOf,
} from './conduct-scenes.testing.ts';

const PATIENT = { requestMs: 1_000_000 };

test('MinBFT.CKPT.1: a certified state that is not the own one does not become stable here, it is fetched', () => {
  const { cluster } = scene();
  // A machine whose memory is faulty: its state at order 4 is not what the others have.
  const faulty = cluster.members[2]!;
  faulty.byzantine = true;
  const { stateDigest } = cluster;
  cluster.stateDigest = (member, sequence) =>
    member === faulty && sequence === 4 && noted(cluster, 2, 'transfer') === 0
      ? ('ab'.repeat(32) as Digest)
      : stateDigest.call(cluster, member, sequence);
  order(cluster, 3, 1);
  feed(cluster, 1, 50);
  reach(cluster, 2_000, () => noted(cluster, 2, 'stateDiverged') === 1);
  assert.equal(stableOf(cluster, 2), 0);
  reach(cluster, 2_000, () => stableOf(cluster, 2) === 4);
  assert.equal(noted(cluster, 2, 'transfer'), 1);
  assert.equal(stateDigest.call(cluster, faulty, 4), stateDigest.call(cluster, cluster.members[0]!, 4));
  bothWays(cluster, 2, 'MinBFT.CKPT.1');
  order(cluster, 6, 100);
});

test('MinBFT.CKPT.2: the own log starts at a vouched CHECKPOINT that is w-1 intervals below the stable one', () => {
  const { cluster, sent } = scene({ timers: PATIENT, limits: { batchRequestsMax: 1 } });
  lose(cluster, sent, ({ kind }) => kind === 'CHECKPOINT');
  feed(cluster, 4);
  reach(cluster, 2_000, () => executedOf(cluster, 0) === 4);
  cluster.run(200);
  assert.equal(cluster.members[0]!.ownLog[0]!.ui.counter, 1, 'nobody vouches, nothing is cut');
  lose(cluster, sent, () => false);
  feed(cluster, 40, 100);
  let cuts = 0;
  let first = 1;
  for (let step = 0; step < 100; step += 1) {
    cluster.run(20);
    const counter = cluster.members[0]!.ownLog[0]!.ui.counter;
    if (counter === first) continue;
    first = counter;
    cuts += 1;
    const anchor = draftsOf(cluster, 0)[0]!;
    assert.ok(anchor.kind === 'CHECKPOINT' && anchor.sequence <= stableOf(cluster, 0) - 4);
  }
  assert.ok(cuts >= 3, `${cuts} cuts`);
  bothWays(cluster, 0, 'MinBFT.CKPT.2');
});

test('MinBFT.CKPT.3: a STREAM-SYNC without vouchers moves no stream, with them it does', () => {
  const { cluster, sent } = scene({
    timers: PATIENT,
    limits: { checkpointInterval: 2, batchRequestsMax: 1 },
  });
  order(cluster, 4, 1);
  cluster.partition((a, b) => a === 2 || b === 2);
  feed(cluster, 40, 100);
  reach(cluster, 2_000, () => executedOf(cluster, 1) === 44);
  const seenOf0 = (): number => cluster.members[2]!.replica!.inspect(cluster.now).peers[0]!.counter;
  const before = seenOf0();
  filter(cluster, sent, (_from, _to, message) => {
    if (message.kind !== 'STREAM-SYNC') return [message];
    return [{ ...message, vouchers: [] }];
  });
  cluster.heal();
  cluster.run(2_000);
  assert.ok(sent.some(({ to, message }) => to === 2 && message.kind === 'STREAM-SYNC'));
  assert.equal(seenOf0(), before);
  lose(cluster, sent, () => false);
  reach(cluster, 10_000, () => seenOf0() > before + 20);
  bothWays(cluster, 2, 'MinBFT.CKPT.3');
});

test('MinBFT.CKPT.4: a CHECKPOINT under a key that no earlier checkpoint certifies makes nothing stable', () => {
  const { cluster, sent } = scene({ timers: PATIENT });
  order(cluster, 4, 1);
  cluster.run(300);
  const stable = stableOf(cluster, 0);
  // Replica 2 is re-admitted by an order that nothing covers yet: CHECKPOINTs between 0 and 1 are lost.
  const isReal = (message: MinbftMessage): boolean =>
    message.kind === 'CHECKPOINT' && message.ui.replica !== 2 && message.sequence > stable;
  lose(cluster, sent, isReal);
  cluster.wipe(2);
  const fresh = cluster.members[2]!;
  fresh.byzantine = true;
  askForRecovery(cluster, readRecover(new Reader(fresh.recover!)));
  const own = (): Checkpoint | undefined =>
    sent
      .flatMap(({ from, message }) => (from === 0 && message.kind === 'CHECKPOINT' ? [message] : []))
      .at(-1);
  reach(cluster, 5_000, () => (own()?.sequence ?? 0) > stable);
  const { ui: _ui, ...content } = own()!;
  cluster.transmit(2, 0, seal(cluster, fresh, content) as MinbftMessage);
  cluster.run(100);
  bothWays(cluster, 0, 'MinBFT.CKPT.4');
  assert.equal(stableOf(cluster, 0), stable, 'two CHECKPOINTs agree, but one of the keys is too new');
  lose(cluster, sent, () => false);
  reach(cluster, 5_000, () => stableOf(cluster, 0) > stable);
});

test('MinBFT.RECOVER.1: a RECOVER that names the wrong incarnation is executed without effect, the right one takes effect', () => {
  for (const [expected, incarnation] of [
    [5, 0],
    [0, 1],
  ] as const) {
    const { cluster } = scene({ timers: PATIENT });
    order(cluster, 3, 1);
    cluster.run(300);
    const liar = corrupt(cluster, 0);
    const next = executedOf(cluster, 1) + 1;
    const recovers = [recoverOf(0, cluster, expected)];
    lie(cluster, liar, next, batchOf(cluster, { recovers }), recovers);
    reach(cluster, 2_000, () => [1, 2].every((id) => executedOf(cluster, id) === next));
    for (const id of [1, 2]) {
      const { peers } = cluster.members[id]!.replica!.inspect(cluster.now);
      assert.equal(peers[0]!.incarnation, incarnation);
      const seen = cluster.members[id]!.traces.get('MinBFT.RECOVER.1')!;
      assert.deepEqual([seen.passed > 0, seen.failed > 0], [expected === 0, expected !== 0]);
    }
  }
});

test('MinBFT.RECOVER.2: a primary whose incarnation its own view retires is left at once', () => {
  const { cluster } = scene({ timers: PATIENT });
  order(cluster, 3, 1);
  cluster.run(300);
  const liar = corrupt(cluster, 0);
  const next = executedOf(cluster, 1) + 1;
  lie(cluster, liar, next, batchOf(cluster));
  reach(cluster, 1_000, () => executedOf(cluster, 2) === next);
  cluster.run(2_000);
  assert.deepEqual([viewOf(cluster, 1), viewOf(cluster, 2)], [0, 0], 'any other order changes nothing');
  const recovers = [recoverOf(0, cluster)];
  lie(cluster, liar, next + 1, batchOf(cluster, { recovers }), recovers);
  reach(cluster, 1_000, () => viewOf(cluster, 1) === 1 && viewOf(cluster, 2) === 1);
  for (const id of [1, 2]) {
    assert.ok(executedOf(cluster, id) >= next + 1);
    bothWays(cluster, id, 'MinBFT.RECOVER.2');
  }
});

test('MinBFT.RECOVER.3: a new component seals nothing before a stable checkpoint covers its RECOVER', () => {
  const { cluster, sent } = scene({ timers: PATIENT });
  order(cluster, 5, 1);
  cluster.run(300);
  lose(cluster, sent, ({ kind }) => kind === 'CHECKPOINT');
  cluster.wipe(2);
  cluster.start(2);
  const incarnation = (): number => cluster.members[0]!.replica!.inspect(cluster.now).peers[2]!.incarnation;
  reach(cluster, 5_000, () => incarnation() === 1);
  const since = executedOf(cluster, 0);
  cluster.run(3_000);
  assert.ok(stableOf(cluster, 0) < since, 'the RECOVER is executed and not covered');
  assert.equal(cluster.members[2]!.tcCounter, 0);
  lose(cluster, sent, () => false);
  reach(cluster, 10_000, () => cluster.members[2]!.tcCounter > 0);
  assert.ok(stableOf(cluster, 2) >= since);
  bothWays(cluster, 2, 'MinBFT.RECOVER.3');
});
