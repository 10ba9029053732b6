/** Rules of conduct of the normal case, one test each: MinBFT.LEADER and MinBFT.BACKUP. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MinbftMessage } from '../../smr/usig-stream/messages.ts';
import {
  batchOf,
  bothWays,
  committed,
  corrupt,
  count,
  draftsOf,
  executedOf,
  feed,
  give,
  lie,
  lose,
  noted,
  order,
  proposed,
  reach,
  recoverOf,
  scene,
  stableOf,
  viewOf,
} from './conduct-scenes.testing.ts';

/** Nobody suspects anybody while a test holds messages back. */
const PATIENT = { requestMs: 1_000_000 };
const upTo = (last: number): number[] => Array.from({ length: last }, (_, index) => index + 1);

test('MinBFT.LEADER.1: without a stable checkpoint the primary proposes the window and no more', () => {
  const { cluster, sent } = scene({ timers: PATIENT, limits: { batchRequestsMax: 1 } });
  lose(cluster, sent, ({ kind }) => kind === 'CHECKPOINT');
  feed(cluster, 20);
  cluster.run(1_000);
  assert.deepEqual(proposed(sent, 0), upTo(8), 'L = 8');
  lose(cluster, sent, () => false);
  reach(cluster, 10_000, () => executedOf(cluster, 2) === 20);
  assert.deepEqual(proposed(sent, 0), upTo(20));
  bothWays(cluster, 0, 'MinBFT.LEADER.1');
});

test('MinBFT.LEADER.2: at most 32 orders run ahead of execution, however wide the window is', () => {
  const limits = { checkpointInterval: 64, pipelineFactor: 1, batchRequestsMax: 1 };
  const { cluster, sent } = scene({ timers: PATIENT, limits });
  lose(cluster, sent, ({ kind }) => kind === 'COMMIT');
  feed(cluster, 50);
  cluster.run(1_000);
  assert.deepEqual(proposed(sent, 0), upTo(32));
  assert.equal(executedOf(cluster, 0), 0);
  lose(cluster, sent, () => false);
  reach(cluster, 10_000, () => executedOf(cluster, 0) === 50);
  bothWays(cluster, 0, 'MinBFT.LEADER.2');
});

test('MinBFT.LEADER.3: a log that fills up ends proposals early enough to leave room for a view change', () => {
  // L = 8: proposals end when 24 - 2 * 8 messages are in the log, which nothing cuts here.
  const limits = { batchRequestsMax: 1, logEntriesMax: 24 };
  const { cluster, sent } = scene({ timers: { requestMs: 3_000 }, limits });
  lose(cluster, sent, ({ kind }) => kind === 'CHECKPOINT');
  for (const number of upTo(20))
    cluster.at(5 * number, () => give(cluster, cluster.bundle(number), [0, 1, 2]));
  cluster.run(1_000);
  const own = draftsOf(cluster, 0).map(({ kind }) => kind);
  assert.deepEqual([own.filter((kind) => kind === 'PREPARE').length, own.length], [7, 8]);
  assert.ok(committed(sent, 1).length <= 7);
  bothWays(cluster, 0, 'MinBFT.LEADER.3');
  reach(cluster, 10_000, () => count(sent, 1, 'NEW-VIEW') > 0);
});

test('MinBFT.LEADER.4: an idle primary proposes nothing, but pads to the boundary that covers a RECOVER', () => {
  const { cluster, sent } = scene();
  order(cluster, 5, 1);
  const before = cluster.agreed.size;
  cluster.run(5_000);
  assert.equal(cluster.agreed.size, before, 'nothing to order');
  cluster.wipe(2);
  cluster.start(2);
  reach(cluster, 5_000, () => cluster.members[2]!.replica!.inspect(cluster.now).mode === 'active');
  const recover = sent.find(({ message }) => message.kind === 'PREPARE' && message.recovers.length > 0)!;
  const at = (recover.message as Extract<MinbftMessage, { kind: 'PREPARE' }>).sequence;
  const boundary = Math.ceil(at / 4) * 4;
  cluster.run(5_000);
  assert.equal(executedOf(cluster, 0), boundary, 'and not one order more');
  assert.equal(stableOf(cluster, 0), boundary);
  bothWays(cluster, 0, 'MinBFT.LEADER.4');
});

test('MinBFT.LEADER.5: a second RECOVER within 2cp orders is proposed only behind them', () => {
  const { cluster, sent } = scene();
  order(cluster, 5, 1);
  const isBack = (incarnation: number): boolean => {
    const { mode, peers } = cluster.members[2]!.replica!.inspect(cluster.now);
    return mode === 'active' && peers[2]!.incarnation === incarnation;
  };
  for (const incarnation of [1, 2]) {
    cluster.wipe(2);
    cluster.start(2);
    reach(cluster, 20_000, () => isBack(incarnation));
  }
  const orders = sent.flatMap(({ message }) =>
    message.kind === 'PREPARE' && message.recovers.length > 0 ? [message.sequence] : [],
  );
  const [first, second] = [...new Set(orders)];
  assert.ok(first !== undefined && second !== undefined && second > first + 8, `${first}, ${second}`);
  bothWays(cluster, 0, 'MinBFT.LEADER.5');
});

test('MinBFT.BACKUP.1: who has left a view does not commit to its PREPAREs any more', () => {
  const { cluster, sent } = scene({ timers: { newViewMs: 1_000_000 } });
  order(cluster, 3, 1);
  cluster.run(500);
  lose(cluster, sent, ({ kind }) => kind === 'PREPARE' || kind === 'COMMIT' || kind === 'NEW-VIEW');
  const bundle = cluster.bundle(50);
  give(cluster, bundle, [0, 1, 2]);
  reach(cluster, 5_000, () => count(sent, 2, 'VIEW-CHANGE') > 0);
  const before = committed(sent, 2);
  assert.ok(proposed(sent, 0).length > before.length, 'a PREPARE was under way');
  lose(cluster, sent, ({ kind }) => kind === 'NEW-VIEW');
  cluster.run(2_000);
  const log = draftsOf(cluster, 2).map(({ kind }) => kind);
  assert.equal(log.lastIndexOf('COMMIT') < log.indexOf('VIEW-CHANGE'), true);
  assert.deepEqual(committed(sent, 2), before);
  const { counter } = cluster.members[2]!.replica!.inspect(cluster.now).peers[0]!;
  const prepare = sent.findLast(({ from, message }) => from === 0 && message.kind === 'PREPARE')!.message;
  assert.ok(prepare.kind === 'PREPARE' && counter >= prepare.ui.counter, 'it was processed');
  lose(cluster, sent, () => false);
  reach(cluster, 20_000, () => cluster.settled([bundle]));
  give(cluster, cluster.bundle(60), [0, 1, 2]);
  const highest = proposed(sent, 0).at(-1)!;
  reach(cluster, 5_000, () => committed(sent, 2).some((n) => n > highest));
});

test('MinBFT.BACKUP.2: a backup leaves no hole but what its own and the stable checkpoint cover', () => {
  const { cluster, sent } = scene({ timers: PATIENT, limits: { batchRequestsMax: 1 } });
  lose(cluster, sent, (message) => message.kind === 'PREPARE' && message.sequence === 2);
  feed(cluster, 3);
  cluster.run(500);
  assert.deepEqual(proposed(sent, 0), [1, 2, 3]);
  for (const id of [1, 2]) assert.deepEqual(committed(sent, id), [1]);
  lose(cluster, sent, () => false);
  reach(cluster, 5_000, () => [1, 2].every((id) => committed(sent, id).length === 3));
  for (const id of [1, 2]) assert.deepEqual(committed(sent, id), [1, 2, 3]);
  // What it skips after a long absence is covered by a stable checkpoint that it has sealed itself.
  cluster.partition((a, b) => a === 2 || b === 2);
  feed(cluster, 40, 100);
  reach(cluster, 5_000, () => executedOf(cluster, 0) === 43);
  cluster.heal();
  reach(cluster, 10_000, () => executedOf(cluster, 2) === 43);
  feed(cluster, 3, 200);
  reach(cluster, 10_000, () => executedOf(cluster, 2) === 46);
  const numbers = committed(sent, 2);
  const jump = numbers.findIndex((n, index) => index > 0 && n > numbers[index - 1]! + 1);
  assert.ok(jump > 0, 'it skipped orders');
  const covered = numbers[jump]! - 1;
  const own = sent.flatMap(({ from, message }) =>
    from === 2 && message.kind === 'CHECKPOINT' ? [message.sequence] : [],
  );
  assert.ok(covered % 4 === 0 && own.includes(covered) && stableOf(cluster, 2) >= covered);
});

test('MinBFT.BACKUP.3: no COMMIT without the body, none with a seal in it that does not hold', () => {
  const { cluster, sent } = scene({ timers: PATIENT });
  order(cluster, 3, 1);
  cluster.run(300);
  const { sendBody } = cluster;
  cluster.sendBody = () => undefined;
  const next = executedOf(cluster, 0) + 1;
  give(cluster, cluster.bundle(50), [0]);
  cluster.run(2_000);
  assert.equal(proposed(sent, 0).at(-1), next);
  for (const id of [1, 2]) assert.ok(!committed(sent, id).includes(next));
  cluster.sendBody = sendBody;
  reach(cluster, 2_000, () => [1, 2].every((id) => committed(sent, id).includes(next)));
  // The second half: a client's seal that does not hold.
  reach(cluster, 2_000, () => executedOf(cluster, 1) === next);
  cluster.members[0]!.byzantine = true;
  give(cluster, cluster.bundle(60, 1, false), [0]);
  cluster.run(300);
  assert.equal(proposed(sent, 0).at(-1), next + 1);
  for (const id of [1, 2]) {
    assert.ok(viewOf(cluster, id) >= 1, 'the view is left at once');
    bothWays(cluster, id, 'MinBFT.BACKUP.3');
    bothWays(cluster, id, 'MinBFT.VC.3');
    const inViewZero = sent.some(
      ({ from, message }) =>
        from === id &&
        message.kind === 'COMMIT' &&
        message.prepare.view === 0 &&
        message.prepare.sequence === next + 1,
    );
    assert.equal(inViewZero, false);
  }
});

test('MinBFT.BACKUP.4: a backup that executes nothing commits to its own window only', () => {
  const { cluster, sent } = scene({ f: 2, timers: PATIENT, limits: { batchRequestsMax: 1 } });
  // Replica 1 hears the primary alone: it can commit, but not count a quorum.
  lose(cluster, sent, (_message, from, to) => to === 1 && from !== 0);
  feed(cluster, 20);
  const processed = (): number => cluster.members[1]!.replica!.inspect(cluster.now).peers[0]!.counter;
  reach(cluster, 2_000, () => committed(sent, 1).length === 8 && processed() > 10);
  cluster.run(100);
  assert.deepEqual(committed(sent, 1), upTo(8));
  assert.ok(Math.max(...committed(sent, 2)) > 8, 'the others go on');
  assert.equal(executedOf(cluster, 1), 0);
  bothWays(cluster, 1, 'MinBFT.BACKUP.4');
  lose(cluster, sent, () => false);
  reach(cluster, 20_000, () => executedOf(cluster, 1) === 20);
});

test('MinBFT.BACKUP.5: a batch from the future is committed to when it is no more than 5 s ahead', () => {
  const { cluster, sent } = scene({ timers: PATIENT });
  order(cluster, 3, 1);
  cluster.run(300);
  const liar = corrupt(cluster, 0);
  const next = executedOf(cluster, 1) + 1;
  const time = Math.floor(cluster.now) + 7_000;
  lie(cluster, liar, next, batchOf(cluster, { time }));
  cluster.run(1_900);
  for (const id of [1, 2]) assert.ok(!committed(sent, id).includes(next));
  reach(cluster, 200, () => [1, 2].every((id) => committed(sent, id).includes(next)));
  assert.ok(time - cluster.now <= 5_000);
  bothWays(cluster, 1, 'MinBFT.BACKUP.5');
});

test('MinBFT.BACKUP.6: a RECOVER in the body alone is not committed to, in body and header it is', () => {
  for (const honest of [true, false]) {
    const { cluster, sent } = scene({ timers: PATIENT });
    order(cluster, 3, 1);
    cluster.run(300);
    const liar = corrupt(cluster, 0);
    const next = executedOf(cluster, 1) + 1;
    const recovers = [recoverOf(0, cluster)];
    lie(cluster, liar, next, batchOf(cluster, { recovers }), honest ? recovers : []);
    cluster.run(300);
    const inViewZero = [1, 2].map((id) =>
      sent.some(
        ({ from, message }) =>
          from === id &&
          message.kind === 'COMMIT' &&
          message.prepare.view === 0 &&
          message.prepare.sequence === next,
      ),
    );
    assert.deepEqual(inViewZero, [honest, honest]);
    for (const id of [1, 2]) {
      assert.equal(noted(cluster, id, 'badBatch'), honest ? 0 : 1);
      const seen = cluster.members[id]!.traces.get('MinBFT.BACKUP.6')!;
      assert.equal(seen.failed > 0, !honest);
      assert.ok(seen.passed > 0);
    }
  }
});
