/** CheapSwitch and the fallback: one history, nothing lost, the way back, restarts and lost stores on the way. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Digest } from '../../core/types.ts';
import { markVerified } from '../../core/types.ts';
import { judgeHistory } from './history.ts';
import { FIRST_INSTANCE } from './instances.ts';
import type { CheapSealed, History } from './messages.ts';
import { Scene } from './scenes.testing.ts';

const EVIL = 'b'.repeat(64) as Digest;

/** Submits requests one after the other. */
function feed(scene: Scene, name: string, count: number, to?: readonly number[]): void {
  for (let index = 0; index < count; index += 1) {
    scene.submit(`${name}${index}`, to);
    scene.settle(40);
  }
}

describe('CheapSwitch', () => {
  it('goes on under the fallback when the leader is silent, and comes back to CheapTiny (scenarios 2, 12)', () => {
    const scene = new Scene();
    feed(scene, 'before', 2);
    scene.passes = (from) => from !== 0;
    feed(scene, 'during', 3, [1, 2]);
    scene.settle(8_000);
    assert.deepEqual(scene.instances().slice(1), [1, 1]);
    assert.ok(scene.lengths()[1]! >= 6);
    scene.passes = () => true;
    feed(scene, 'after', 6);
    scene.settle(3_000);
    // The fallback ended after one interval: the leader is another one now.
    assert.deepEqual(scene.instances(), [2, 2, 2]);
    assert.deepEqual(scene.at(0).active, [1, 2]);
    assert.equal(scene.at(0).role, 'CheapTiny, passive');
    assert.equal(new Set(scene.lengths()).size, 1);
    for (const rule of ['CheapBFT.S1', 'CheapBFT.S2', 'CheapBFT.S4', 'CheapBFT.S5', 'CheapBFT.S8'] as const)
      assert.ok(scene.outcomes(rule, true) > 0, rule);
    // At once another fault: the fallback lasts longer.
    scene.passes = (from) => from !== 1;
    feed(scene, 'again', 2, [0, 2]);
    scene.settle(8_000);
    assert.deepEqual([scene.at(0).instance.number, scene.at(0).instance.patience], [3, 2]);
  });

  it('keeps a batch that was committed to at exactly one active replica (scenario 8)', () => {
    const scene = new Scene();
    // Replica 0 hears the COMMIT, replica 1 commits to what nobody else executes.
    scene.passes = (from, _to, { kind }) => !(from === 0 && kind !== 'PREPARE');
    scene.submit('once', [0, 1]);
    scene.run(10);
    assert.deepEqual(scene.lengths(), [1, 1, 0]);
    const batch = scene.machines[0]!.history[0]!;
    scene.passes = (from, to) => from !== 0 && to !== 0;
    scene.submit('stuck', [1, 2]);
    scene.settle(6_000);
    assert.equal(scene.machines[2]!.history[0], batch);
    scene.passes = () => true;
    scene.settle(4_000);
    assert.equal(new Set(scene.lengths()).size, 1);
  });

  it('survives two faulty active replicas out of three (scenario 13)', () => {
    const scene = new Scene({ f: 2 });
    feed(scene, 'a', 3);
    scene.passes = (from) => from !== 0 && from !== 1;
    feed(scene, 'b', 3, [2, 3, 4]);
    scene.settle(12_000);
    for (const id of [2, 3, 4]) assert.ok(scene.lengths()[id]! >= 6, `replica ${id}`);
    assert.deepEqual(scene.instances().slice(2), [1, 1, 1]);
  });

  it('brings a passive replica along that missed everything (scenario 9)', () => {
    const scene = new Scene();
    scene.passes = (from, to) => from !== 2 && to !== 2;
    feed(scene, 'alone', 14, [0, 1]);
    assert.equal(scene.lengths()[2], 0);
    scene.passes = (from) => from !== 0;
    feed(scene, 'joined', 2, [1, 2]);
    scene.settle(10_000);
    assert.equal(scene.lengths()[2], scene.lengths()[1]);
    assert.ok(scene.lengths()[2]! >= 16);
  });

  it('stops for the panic of anybody, once for each instance (scenario 10)', () => {
    const scene = new Scene();
    feed(scene, 'a', 1);
    for (let index = 0; index < 20; index += 1)
      scene.deliver(2, 0, scene.by(2, { kind: 'PANIC', instance: 0 }));
    scene.settle(1_500);
    assert.deepEqual(scene.instances(), [1, 1, 1]);
    for (let index = 0; index < 20; index += 1)
      scene.deliver(2, 0, scene.by(2, { kind: 'PANIC', instance: 0 }));
    scene.settle(200);
    assert.deepEqual(scene.instances(), [1, 1, 1]);
    assert.equal(scene.machines[0]!.notes.filter((name) => name === 'instance').length, 1);
  });

  it('accepts complete histories of active replicas only (CheapBFT.S3; scenarios 5 and 6)', () => {
    const scene = new Scene();
    const prepare = (offset: number) =>
      scene.by(0, { kind: 'PREPARE', instance: 0, offset, batch: EVIL }, offset);
    const [one, two] = [prepare(1), prepare(2)];
    const history = (entries: readonly CheapSealed[], more: Partial<History> = {}): History => ({
      kind: 'HISTORY',
      instance: 0,
      checkpoints: [],
      entries,
      ...more,
    });
    const judged = (message: CheapSealed) => judgeHistory(scene.at(1).judge, message, FIRST_INSTANCE);
    const closing = scene.by(0, history([one, two]), 3);
    assert.deepEqual(judged(closing)?.batches, [EVIL, EVIL]);
    const { attestation } = closing;
    // The same word for less: the last, the first, or one in between left out.
    for (const entries of [[one], [two], [one, one], [two, one], []])
      assert.equal(judged({ ...closing, content: history(entries), attestation }), undefined);
    // After the closing value nothing can follow that a history would not have to show.
    const late = scene.by(0, { kind: 'PREPARE', instance: 0, offset: 4, batch: EVIL }, 4);
    assert.equal(judged(scene.by(0, history([one, two, late]), 5)), undefined);
    // Not active; another instance; a checkpoint that nobody proved.
    assert.equal(judged(scene.by(2, history([]), 1)), undefined);
    assert.equal(judged({ ...closing, content: history([one, two], { instance: 2 }) }), undefined);
    const checkpoint = scene.by(1, { kind: 'CHECKPOINT', sequence: 1, stateDigest: EVIL });
    assert.equal(judged({ ...closing, content: history([two], { checkpoints: [checkpoint] }) }), undefined);
    const proven = [checkpoint, scene.by(2, { kind: 'CHECKPOINT', sequence: 1, stateDigest: EVIL })];
    assert.equal(judged({ ...closing, content: history([two], { checkpoints: proven }) })?.low, 1);
    scene.deliver(2, 1, scene.by(2, history([]), 2));
    assert.ok(scene.outcomes('CheapBFT.S3', false) > 0);
  });

  it('commits to nothing behind a value that was spent on a HISTORY (CheapBFT.T4; seed 132 of f = 2)', () => {
    const scene = new Scene();
    scene.passes = (from, to) => from !== 1 && to !== 1;
    scene.submit('first', [0]);
    scene.run(5);
    scene.submit('second', [0]);
    scene.run(5);
    const prepares = scene
      .at(0)
      .own.after(0)
      .map(({ message }) => message);
    assert.deepEqual(
      prepares.map(({ kind }) => kind),
      ['PREPARE', 'PREPARE'],
    );
    const history = { kind: 'HISTORY', instance: 0, checkpoints: [], entries: [] } as const;
    const closing = scene.by(1, history, 1);
    const commit = { kind: 'COMMIT', instance: 0, offset: 2, prepare: prepares[1]! } as const;
    const skipping = scene.by(1, commit, 2);
    for (const to of [0, 2]) scene.deliver(1, to, skipping);
    assert.equal(scene.at(0).decisions.has(2), false);
    // The history that says nothing is ordered first; nobody has executed anything that it lacks.
    for (const to of [0, 2]) scene.deliver(1, to, closing);
    scene.settle(8_000);
    scene.histories();
  });

  it('panics when an answered batch is not committed to after a lost store (CheapBFT.S1.behind)', () => {
    const scene = new Scene();
    feed(scene, 'a', 1);
    // Answered by both active replicas; the passive one heard nothing.
    scene.passes = (_from, to) => to !== 2;
    feed(scene, 'answered', 1, [0, 1]);
    const batch = scene.machines[0]!.history[1]!;
    // The power goes before the decision is durable, and the other active replica loses its store.
    scene.machines[0]!.history.length = 1;
    scene.machines[0]!.stored.delete('decided/2');
    scene.passes = () => true;
    scene.restart(1, true);
    for (const id of [0, 2]) scene.restart(id);
    scene.settle(5_000);
    assert.ok(scene.outcomes('CheapBFT.S1.behind', false) > 0);
    for (const { history } of scene.machines) assert.equal(history[1], batch);
  });

  it('panics when updates stop although others go on, and nobody can show what was committed to', () => {
    const scene = new Scene();
    scene.passes = (_from, to) => to !== 2;
    feed(scene, 'a', 1, [0, 1]);
    // One active replica is gone for good; the other has executed, but only its own word survived.
    scene.passes = (from, to) => from !== 1 && to !== 1;
    scene.restart(0);
    scene.settle(6_000);
    assert.deepEqual(scene.machines[2]!.history[0], scene.machines[0]!.history[0]);
  });

  it('tells in its history of what its counter was asked for before the panic (CheapBFT.S2)', () => {
    const scene = new Scene();
    const told: CheapSealed[] = [];
    scene.passes = (from, _to, message) => {
      if (from === 0 && message.kind === 'HISTORY') told.push(message as CheapSealed);
      return true;
    };
    // The leader has asked its counter, and hears of a panic before the answer.
    scene.input(0, { kind: 'bundle', bundle: markVerified(scene.submit('on its way', [])) });
    scene.deliver(2, 0, scene.by(2, { kind: 'PANIC', instance: 0 }));
    assert.ok(scene.outcomes('CheapBFT.S2', false) > 0);
    scene.settle(1_500);
    assert.equal((told[0]!.content as History).entries.length, 1);
  });

  it('agrees to no history whose batches are not here (CheapBFT.S4)', () => {
    const scene = new Scene();
    // The leader proposes a batch that nobody gets and closes with it.
    const prepare = scene.by(0, { kind: 'PREPARE', instance: 0, offset: 1, batch: EVIL }, 1);
    const closing = scene.by(0, { kind: 'HISTORY', instance: 0, checkpoints: [], entries: [prepare] }, 2);
    scene.passes = (from) => from !== 0;
    for (const id of [1, 2]) scene.deliver(0, id, closing);
    scene.submit('goes on', [1, 2]);
    scene.settle(6_000);
    assert.ok(scene.outcomes('CheapBFT.S4', false) > 0);
    for (const id of [1, 2]) assert.ok(scene.lengths()[id]! >= 4, `replica ${id}`);
  });

  it('executes nothing that the fallback orders beyond its end (CheapBFT.F1), and waits for a certificate', () => {
    const scene = new Scene();
    scene.deliver(2, 0, scene.by(2, { kind: 'PANIC', instance: 0 }));
    scene.settle(1_000);
    assert.deepEqual(scene.lengths(), [4, 4, 4]);
    scene.passes = (_from, _to, { kind }) => kind !== 'CHECKPOINT' && kind !== 'PROOF';
    for (let index = 0; index < 8; index += 1) scene.submit(`m${index}`);
    scene.settle(300);
    assert.deepEqual(scene.lengths(), [8, 8, 8]);
    assert.deepEqual(scene.instances(), [1, 1, 1]);
    assert.ok(scene.outcomes('CheapBFT.F1', false) > 0);
    scene.passes = () => true;
    scene.settle(3_000);
    assert.ok(scene.instances().every((number) => number >= 2));
    // What was ordered beyond the end is ordered again.
    assert.ok(scene.lengths().every((length) => length >= 12));
  });

  it('goes on after power cuts in every phase, and after a lost store', () => {
    const scene = new Scene();
    feed(scene, 'a', 3);
    for (const id of scene.machines.keys()) scene.restart(id);
    feed(scene, 'b', 2);
    scene.deliver(2, 0, scene.by(2, { kind: 'PANIC', instance: 0 }));
    scene.run(1.5);
    for (const id of scene.machines.keys()) scene.restart(id);
    scene.settle(4_000);
    assert.deepEqual(scene.instances(), [1, 1, 1]);
    feed(scene, 'c', 1);
    for (const id of scene.machines.keys()) scene.restart(id);
    feed(scene, 'd', 1);
    scene.restart(2, true);
    scene.settle(4_000);
    assert.equal(new Set(scene.lengths()).size, 1);
    // Its counter of this instance is ahead of what it remembers, so it is mute until the next one.
    feed(scene, 'e', 4);
    scene.settle(6_000);
    assert.equal(new Set(scene.lengths()).size, 1);
    assert.ok(scene.instances().every((number) => number === 2));
  });
});
