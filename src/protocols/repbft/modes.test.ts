/** Modes of RePBFT: what normal-case mode is, how faults end it, how MODE brings it back. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Digest } from '../../core/types.ts';
import { decodeMode, encodeMode } from '../../smr/passive/mode-order.ts';
import { repbft } from './definition.ts';
import { INTERVAL, Scene, without } from './scenes.testing.ts';

const NOWHERE = 'e'.repeat(64) as Digest;

describe('normal-case mode', () => {
  for (const f of [1, 2])
    test(`without faults f = ${f} passive replicas execute nothing and come to the same states`, () => {
      const scene = new Scene(f);
      scene.order(2 * INTERVAL + 1);
      const { machines, n } = scene;
      for (const { history } of machines) assert.equal(history.length, 2 * INTERVAL + 1);
      const active = Array.from({ length: 2 * f + 1 }, (_, id) => id);
      scene.assertNormal(0, active, [...machines.keys()]);
      for (let id = 2 * f + 1; id < n; id += 1) {
        assert.equal(machines[id]!.applied.length, 2 * INTERVAL + 1, 'nothing was executed');
        assert.equal(scene.sentBy(id, 'PRE-PREPARE', 'PREPARE', 'COMMIT'), 0);
        assert.equal(scene.at(id).stableSequence, 2 * INTERVAL);
        assert.equal(scene.at(id).role, 'normal-case mode, passive');
      }
      const expected = repbft.facts.messages(n, f);
      for (const kind of ['PRE-PREPARE', 'PREPARE', 'COMMIT', 'UPDATE'])
        assert.equal(scene.count(kind), expected[kind]! * (2 * INTERVAL + 1), kind);
      assert.equal(scene.count('UPDATE-FETCH'), 0);
    });

  test('RePBFT.R3: a passive replica votes for nothing, whatever it is shown', () => {
    const scene = new Scene();
    scene.order(1);
    scene.propose(0, 2, scene.machines[0]!.history[0]!, [3]);
    scene.settle(50);
    assert.ok(scene.saw('RePBFT.R3', false));
    assert.equal(scene.sentBy(3, 'PREPARE', 'COMMIT'), 0);
  });

  test('a primary that proposes two batches decides neither, and the view ends', () => {
    const scene = new Scene();
    scene.filter = without('PRE-PREPARE', (_content, from, to) => from === 0 && to === 2);
    scene.submit('one');
    scene.run(3);
    const other = scene.at(0).bodies.nullBatch.digest;
    scene.propose(0, 1, other, [2]);
    scene.settle(200);
    for (const { history } of scene.machines) assert.equal(history.length, 0);
    scene.settle(3_000);
    scene.assertExecuted(1);
    scene.assertFaultHandling(1, [1, 2, 3]);
  });
});

describe('a fault', () => {
  test('an active replica that crashes ends normal-case mode, and nothing is lost', () => {
    const scene = new Scene();
    scene.order(3);
    scene.cut(2);
    scene.order(1);
    scene.settle(2_500);
    scene.assertFaultHandling(1, [0, 1, 3]);
    scene.assertExecuted(4, [0, 1, 3]);
    scene.order(1);
    assert.ok(scene.sentBy(3, 'COMMIT') > 0, 'the passive replica takes part now');
    assert.ok(!scene.machines[3]!.applied.includes(5));
    scene.cut();
    scene.order(1);
    scene.settle(1_500);
    scene.assertExecuted(6);
  });

  test('what one replica has committed survives a crash of the primary', () => {
    const scene = new Scene();
    scene.filter = without('COMMIT', (_content, _from, to) => to !== 1);
    scene.submit('one', [0]);
    scene.run(20);
    assert.deepEqual(
      scene.machines.map(({ history }) => history.length),
      [0, 1, 0, 0],
    );
    const [decided] = scene.machines[1]!.history;
    scene.cut(0);
    scene.filter = () => true;
    scene.settle(4_000);
    for (const id of [1, 2, 3]) assert.equal(scene.machines[id]!.history[0], decided);
  });

  test('PBFT.N5: votes without a decision end the view though nobody waits for anything', () => {
    const scene = new Scene();
    scene.filter = without('COMMIT', (_content, from) => from === 0);
    scene.submit('one', [0]);
    scene.run(20);
    scene.cut(0);
    assert.ok(!scene.saw('PBFT.N5', true));
    scene.settle(4_000);
    assert.ok(scene.saw('PBFT.N5', true));
    scene.assertExecuted(1, [1, 2, 3]);
  });

  test('a passive replica that was cut off for two windows leads the next view after it fetched the state', () => {
    const scene = new Scene();
    scene.toReturn();
    scene.order(4 * INTERVAL);
    assert.ok(scene.at(2).executed < scene.at(1).stableSequence);
    scene.cut(0);
    scene.order(1);
    scene.settle(6_000);
    assert.ok(scene.machines[2]!.notes.includes('transfer'));
    const { view } = scene.at(2);
    assert.ok(view >= 2);
    scene.assertFaultHandling(view, [1, 2, 3]);
    scene.assertExecuted(6 * INTERVAL + 3, [1, 2, 3]);
  });
});

describe('the return', () => {
  test('after X orders the primary orders MODE with those that signed the last checkpoint', () => {
    const scene = new Scene();
    scene.toReturn();
    assert.ok(scene.saw('RePBFT.M.signed', true));
    const { record } = scene.at(1).schedule;
    assert.equal(record!.sequence, 2 * INTERVAL + 1);
    scene.cut();
    scene.order(2);
    scene.settle(1_000);
    scene.assertNormal(1, [0, 1, 3], [0, 1, 2, 3]);
    assert.equal(scene.at(2).role, 'normal-case mode, passive');
    const told = scene.machines[2]!.applied.length;
    scene.order(2);
    assert.equal(scene.machines[2]!.applied.length, told + 2);
    scene.assertExecuted(2 * INTERVAL + 6);
  });

  test('X doubles when an active replica crashes soon after', () => {
    const scene = new Scene();
    scene.toReturn();
    scene.cut();
    scene.order(1);
    scene.cut(3);
    scene.order(1);
    scene.settle(4_000);
    const { view } = scene.at(2);
    scene.assertFaultHandling(view, [0, 1, 2]);
    scene.order(2 * INTERVAL + 2);
    scene.settle(1_000);
    scene.assertFaultHandling(view, [0, 1, 2]);
    scene.order(2 * INTERVAL);
    scene.settle(1_000);
    scene.assertNormal(view, [0, 1, 2], [0, 1, 2]);
    assert.equal(scene.at(0).schedule.record!.exponent, 1);
  });

  /** Replica 1 hears that replica 3 has left the view, and nothing else about it. */
  function seemsToLeave(scene: Scene): void {
    // It still says what it said before, and its own word on where it is comes later than this one.
    const { filter } = scene;
    scene.filter = (from, to, message) =>
      filter(from, to, message) && (from !== 3 || message.kind !== 'STATUS');
    const { view, executed, own } = scene.at(3);
    const { life } = scene.at(1).peers[3]!.status!;
    const received = [0, 0, 0, own.last];
    const where = { life, view, executed, stable: 0, first: 1, skipped: [], received };
    scene.deliver(3, 1, { kind: 'STATUS', changing: true, ...where });
  }

  test('RePBFT.M.signed: not with a replica that seems to have left the view', () => {
    const scene = new Scene();
    scene.toViewOne();
    scene.order(2 * INTERVAL - 2);
    seemsToLeave(scene);
    scene.order(1);
    scene.settle(200);
    assert.ok(scene.saw('RePBFT.M.signed', false));
    assert.ok(!scene.saw('RePBFT.M.signed', true));
    scene.filter = () => true;
    scene.settle(1_000);
    scene.assertNormal(1, [0, 1, 3], [0, 1, 3]);
  });

  test('nothing is proposed behind a MODE that was not executed', () => {
    const scene = new Scene();
    scene.toViewOne();
    const mode = scene.at(1).executed + 2 * INTERVAL;
    scene.filter = without('COMMIT', (content) => 'sequence' in content && content.sequence === mode);
    scene.order(2 * INTERVAL - 1);
    assert.equal(scene.at(1).proposed, mode);
    seemsToLeave(scene);
    scene.order(1);
    assert.equal(scene.at(1).proposed, mode);
  });

  test('RePBFT.M.due: a MODE that comes too early gets no vote, and the view ends', () => {
    const scene = new Scene();
    scene.toViewOne();
    scene.order(1);
    const sequence = scene.at(0).executed + 1;
    scene.propose(1, sequence, encodeMode({ view: 1, exponent: 0, active: [0, 1, 3] }), [0, 3]);
    scene.submit('one more', [0, 3]);
    scene.settle(200);
    assert.equal(scene.at(0).slots.find(sequence)!.chosen, undefined);
    assert.ok(scene.saw('RePBFT.M.due', false));
    scene.settle(5_000);
    assert.ok(scene.at(0).view >= 2);
    assert.equal(scene.at(0).schedule.record, undefined);
    scene.assertExecuted(3, [0, 1, 3]);
  });

  for (const [name, order] of Object.entries({
    'without the primary': { view: 1, exponent: 0, active: [0, 2, 3] },
    'of too few': { view: 1, exponent: 0, active: [0, 1] },
    'of another view': { view: 2, exponent: 0, active: [0, 1, 3] },
    'after another X': { view: 1, exponent: 1, active: [0, 1, 3] },
  }))
    test(`RePBFT.M.fit: a MODE ${name} gets no vote`, () => {
      const scene = new Scene();
      scene.toViewOne();
      scene.order(2 * INTERVAL - 2);
      // The primary's own MODE reaches nobody: it is the faulty one.
      scene.filter = without('PRE-PREPARE', ({ kind, ...rest }) => {
        const digest = kind === 'PRE-PREPARE' ? (rest as { digest: Digest }).digest : NOWHERE;
        return decodeMode(digest) !== undefined;
      });
      scene.order(1);
      const sequence = scene.at(0).executed + 1;
      scene.propose(1, sequence, encodeMode(order), [0, 3]);
      scene.settle(200);
      assert.ok(scene.saw('RePBFT.M.fit', false));
      for (const id of [0, 3]) assert.equal(scene.at(id).slots.find(sequence)!.chosen, undefined);
    });

  test('RePBFT.M.count: a MODE waits until everything before it was executed', () => {
    const scene = new Scene();
    scene.toViewOne();
    scene.order(2 * INTERVAL - 2);
    const last = scene.at(0).executed + 1;
    scene.filter = without(
      'COMMIT',
      (content, _from, to) => to === 3 && 'sequence' in content && content.sequence === last,
    );
    scene.order(1);
    scene.settle(30);
    assert.equal(scene.at(3).executed, last - 1);
    assert.ok(scene.saw('RePBFT.M.count', false));
    assert.equal(scene.at(3).slots.find(last + 1)!.chosen, undefined);
    scene.filter = () => true;
    scene.settle(1_000);
    scene.assertNormal(1, [0, 1, 3], [0, 1, 3]);
  });

  test('RePBFT.M.known: nobody votes for an order while one before it may be a MODE', () => {
    const scene = new Scene();
    scene.toViewOne();
    const next = scene.at(3).executed + 1;
    scene.filter = without(
      'PRE-PREPARE',
      (content, _from, to) => to === 3 && 'sequence' in content && content.sequence === next,
    );
    scene.order(2);
    assert.ok(scene.saw('RePBFT.M.known', false));
    assert.equal(scene.at(3).slots.find(next + 1)!.chosen, undefined);
    assert.notEqual(scene.at(3).slots.find(next + 1)!.prePrepare, undefined);
    scene.filter = () => true;
    scene.settle(1_500);
    scene.assertExecuted(next + 1, [0, 1, 3]);
  });

  test('a MODE that one replica committed means the same to all in the next view', () => {
    const scene = new Scene();
    scene.toViewOne();
    const mode = scene.at(0).executed + 2 * INTERVAL;
    scene.filter = without(
      'COMMIT',
      (content, _from, to) => to !== 1 && 'sequence' in content && content.sequence === mode,
    );
    scene.order(2 * INTERVAL - 1);
    scene.settle(100);
    scene.assertNormal(1, [0, 1, 3], [1]);
    scene.assertFaultHandling(1, [0, 3]);
    scene.cut();
    scene.settle(1_500);
    scene.cut(1);
    scene.filter = () => true;
    scene.order(1);
    scene.settle(5_000);
    const { view } = scene.at(0);
    assert.ok(view >= 2);
    scene.assertFaultHandling(view, [0, 2, 3]);
    for (const id of [0, 2, 3]) assert.equal(scene.at(id).schedule.record!.sequence, mode);
  });

  test('a restart remembers the mode', () => {
    const scene = new Scene();
    scene.toReturn();
    for (const id of [0, 1, 3]) scene.restart(id);
    scene.settle(500);
    scene.assertNormal(1, [0, 1, 3], [0, 1, 3]);
    scene.order(1);
    scene.assertExecuted(2 * INTERVAL + 3, [0, 1, 3]);
  });
});
