/** Rules of conduct of view changes, one test each: MinBFT.VC. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeFullNewView } from '../../smr/usig-stream/nested.ts';
import {
  batchOf,
  bothWays,
  committed,
  corrupt,
  count,
  executedOf,
  filter,
  give,
  lie,
  lose,
  noted,
  order,
  reach,
  scene,
  viewOf,
  wish,
} from './conduct-scenes.testing.ts';

test('MinBFT.VC.1: f wishes move nobody, f+1 do', () => {
  const { cluster, sent } = scene({ f: 2 });
  order(cluster, 3, 1);
  for (const from of [3, 4]) wish(cluster, from, 1, 1);
  cluster.run(3_000);
  assert.equal(viewOf(cluster, 1), 0);
  wish(cluster, 2, 1, 1);
  reach(cluster, 100, () => viewOf(cluster, 1) === 1);
  assert.equal(count(sent, 1, 'VIEW-CHANGE') > 0, true);
  bothWays(cluster, 1, 'MinBFT.VC.1');
});

test('MinBFT.VC.2: a request that waits longer than its deadline makes the backups suspect, not before', () => {
  const { cluster } = scene({ timers: { requestMs: 500 } });
  order(cluster, 3, 1);
  cluster.crash(0);
  cluster.run(5_000);
  assert.equal(noted(cluster, 1, 'suspect'), 0, 'nothing waits');
  give(cluster, cluster.bundle(50), [1, 2]);
  cluster.run(450);
  assert.equal(noted(cluster, 1, 'suspect') + noted(cluster, 2, 'suspect'), 0);
  reach(cluster, 200, () => noted(cluster, 1, 'suspect') + noted(cluster, 2, 'suspect') === 2);
  bothWays(cluster, 1, 'MinBFT.VC.2');
});

test('MinBFT.VC.3: a primary whose stream breaks a rule is left at once, although nothing waits', () => {
  const { cluster } = scene({ timers: { requestMs: 1_000_000 } });
  order(cluster, 3, 1);
  cluster.run(300);
  const liar = corrupt(cluster, 0);
  const next = executedOf(cluster, 1) + 1;
  lie(cluster, liar, next, batchOf(cluster));
  cluster.run(1_000);
  assert.deepEqual([viewOf(cluster, 1), executedOf(cluster, 1)], [0, next]);
  // It skips an order.
  lie(cluster, liar, next + 2, batchOf(cluster));
  reach(cluster, 500, () => viewOf(cluster, 1) === 1 && viewOf(cluster, 2) === 1);
  for (const id of [1, 2]) {
    assert.equal(noted(cluster, id, 'streamDead'), 1);
    bothWays(cluster, id, 'MinBFT.VC.3');
  }
});

test('MinBFT.VC.4: the new-view timer waits until f+1 VIEW-CHANGEs are known', () => {
  const { cluster, sent } = scene({ timers: { newViewMs: 1_000 } });
  order(cluster, 3, 1);
  lose(cluster, sent, ({ kind }) => kind === 'VIEW-CHANGE' || kind === 'NEW-VIEW');
  cluster.crash(0);
  give(cluster, cluster.bundle(50), [1, 2]);
  cluster.run(20_000);
  assert.deepEqual([viewOf(cluster, 1), viewOf(cluster, 2)], [1, 1], 'both have left view 0');
  assert.equal(noted(cluster, 2, 'newViewTimeout'), 0, 'alone it goes nowhere');
  lose(cluster, sent, ({ kind }) => kind === 'NEW-VIEW');
  reach(cluster, 3_000, () => noted(cluster, 2, 'newViewTimeout') === 1);
  bothWays(cluster, 2, 'MinBFT.VC.4');
});

test('MinBFT.VC.5: a valid NEW-VIEW is followed, one that its VIEW-CHANGEs do not support is not', () => {
  const { cluster, sent } = scene({ f: 2 });
  order(cluster, 3, 1);
  cluster.run(300);
  // Replica 4 hears of the change by the NEW-VIEW alone, first without what it rests on.
  let whole = false;
  filter(cluster, sent, (_from, to, message) => {
    if (to !== 4) return [message];
    if (message.kind !== 'NEW-VIEW') return [];
    return [whole ? message : makeFullNewView(message.header, [])];
  });
  cluster.crash(0);
  give(cluster, cluster.bundle(50), [1, 2, 3]);
  reach(cluster, 5_000, () => [1, 2, 3].every((id) => viewOf(cluster, id) === 1));
  cluster.run(1_000);
  const newView = sent.findLast(({ from, message }) => from === 1 && message.kind === 'NEW-VIEW')!.message;
  assert.ok(sent.some(({ to, message }) => to === 4 && message.kind === 'NEW-VIEW'));
  assert.equal(viewOf(cluster, 4), 0);
  whole = true;
  cluster.transmit(1, 4, newView);
  reach(cluster, 1_000, () => viewOf(cluster, 4) === 1 && count(sent, 4, 'COMMIT-NEW-VIEW') > 0);
  bothWays(cluster, 4, 'MinBFT.VC.5');
});

test('MinBFT.VC.6: nobody commits to a NEW-VIEW before the bodies of its base are here', () => {
  const { cluster, sent } = scene({ timers: { requestMs: 3_000, newViewMs: 1_000_000 } });
  order(cluster, 3, 1);
  cluster.run(300);
  const { sendBody } = cluster;
  cluster.sendBody = (from, to, bytes) => {
    if (to !== 2) sendBody.call(cluster, from, to, bytes);
  };
  const next = executedOf(cluster, 1) + 1;
  const bundle = cluster.bundle(50);
  give(cluster, bundle, [0]);
  reach(cluster, 500, () => committed(sent, 1).includes(next));
  cluster.crash(0);
  give(cluster, cluster.bundle(51), [1, 2]);
  reach(cluster, 5_000, () => count(sent, 1, 'NEW-VIEW') > 0);
  cluster.run(1_000);
  assert.equal(viewOf(cluster, 2), 1);
  assert.equal(count(sent, 2, 'COMMIT-NEW-VIEW'), 0);
  cluster.sendBody = sendBody;
  reach(cluster, 2_000, () => count(sent, 2, 'COMMIT-NEW-VIEW') > 0);
  reach(cluster, 10_000, () => executedOf(cluster, 2) >= next);
  assert.ok(cluster.members[2]!.done.has(bundle.digest));
  bothWays(cluster, 2, 'MinBFT.VC.6');
});
