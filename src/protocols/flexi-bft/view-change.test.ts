/** View changes of Flexi-BFT: what was decided survives, whatever a faulty primary attested; what is invalid is refused. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Digest } from '../../core/types.ts';
import type { FlexiSealed, NewView, PrePrepare, ViewBase, ViewChange } from './messages.ts';
import { GENESIS_BASE } from './messages.ts';
import { NOWHERE, Scene } from './scenes.testing.ts';
import { isValidViewChange, judgeNewView } from './view-change.ts';

const EVIL = 'b'.repeat(64) as Digest;

function proposal(view: number, sequence: number, batch: Digest): PrePrepare {
  return { kind: 'PREPREPARE', view, sequence, batch };
}

function change(view: number, fields: Partial<ViewChange> = {}): ViewChange {
  return { kind: 'VIEW-CHANGE', view, checkpoints: [], base: GENESIS_BASE, proposals: [], ...fields };
}

/** A base that these replicas entered, or say so. */
function baseBy(
  scene: Scene,
  authors: readonly number[],
  view: number,
  batches: readonly Digest[],
): ViewBase {
  const start = { view, low: 0, batches };
  const enters = authors.map((id) => scene.by(id, { kind: 'ENTER', view, start: scene.digestOf(start) }));
  return { start, enters };
}

/** A scene in which one batch was decided at replica 2 alone, and the primary is cut off since. */
function decidedAtOne(): { scene: Scene; batch: Digest } {
  const scene = new Scene();
  scene.passes = (_from, to, message) => message.kind !== 'PREPARE' || to === 2;
  scene.submit('only here');
  scene.run(10);
  assert.deepEqual(
    scene.machines.map(({ history }) => history.length),
    [0, 0, 1, 0],
  );
  return { scene, batch: scene.machines[2]!.history[0]! };
}

describe('Flexi-BFT, view change', () => {
  it('leaves a silent primary; the next one goes on with a counter of its own', () => {
    const scene = new Scene();
    scene.passes = (from) => from !== 0;
    for (let index = 0; index < 6; index += 1) scene.submit(`v${index}`);
    scene.settle(4_000);
    scene.assertViewFrom(1, [1, 2, 3]);
    for (const id of [1, 2, 3]) assert.equal(scene.machines[id]!.history.length, 6);
    const counters = [...scene.machines[1]!.objects.values()].map((values) => Math.min(...values.keys()));
    assert.deepEqual(counters, [1]);
    for (const rule of ['FlexiBFT.VC.timer', 'FlexiBFT.NV.certified'] as const) {
      assert.ok(scene.outcomes(rule, true) > 0, rule);
      assert.ok(scene.outcomes(rule, false) > 0, rule);
    }
    scene.passes = () => true;
    scene.settle(3_000);
    scene.assertViewFrom(1, [0, 1, 2, 3]);
    assert.equal(scene.histories()[0]!.length, 6);
  });

  it('joins f+1 others without waiting (FlexiBFT.VC.join)', () => {
    const scene = new Scene();
    scene.passes = () => false;
    scene.deliver(0, 3, scene.by(0, change(7)));
    scene.run(1);
    assert.equal(scene.at(3).view, 0);
    scene.deliver(2, 3, scene.by(2, change(5)));
    scene.run(1);
    assert.equal(scene.at(3).view, 5);
    assert.equal(scene.outcomes('FlexiBFT.VC.join', true), 1);
  });

  it('keeps a batch that was decided at one replica only', () => {
    const { scene, batch } = decidedAtOne();
    // Replica 2, which decided, is silent during the view change.
    scene.passes = (from, to) => from !== 2 && to !== 2;
    scene.submit('more');
    scene.settle(4_000);
    scene.passes = () => true;
    scene.settle(3_000);
    for (const history of scene.histories()) assert.equal(history[0], batch);
    for (const history of scene.histories()) assert.equal(history.length, 2);
  });

  it('counts no proposal of a view that no quorum entered, though its counter spoke (FlexiBFT.VC.base)', () => {
    const { scene, batch } = decidedAtOne();
    // Replica 1 leads view 1, shows its NEW-VIEW to nobody, and attests another batch for what was decided.
    const evil = scene.by(1, proposal(1, 1, EVIL));
    const { judge } = scene.at(3);
    const uncertified: ViewBase = { start: { view: 1, low: 0, batches: [] }, enters: [] };
    const tooFew = baseBy(scene, [0, 1], 1, []);
    const twice = baseBy(scene, [1, 1, 1], 1, []);
    for (const base of [uncertified, tooFew, twice])
      assert.equal(isValidViewChange(judge, change(2, { base, proposals: [evil] })), false);
    assert.equal(scene.outcomes('FlexiBFT.VC.base', false), 3);
    assert.equal(isValidViewChange(judge, change(2, { proposals: [evil] })), false);
    assert.ok(scene.outcomes('FlexiBFT.VC.proposals', false) > 0);
    // Had a quorum entered with this start, it would count.
    const certified = baseBy(scene, [1, 2, 3], 1, []);
    assert.equal(isValidViewChange(judge, change(2, { base: certified, proposals: [evil] })), true);
    scene.passes = (from) => from !== 1;
    scene.deliver(1, 3, scene.by(1, change(2, { base: uncertified, proposals: [evil] })));
    scene.submit('more');
    scene.settle(5_000);
    for (const id of [0, 2, 3]) assert.equal(scene.histories()[id]![0], batch);
  });

  it('refuses VIEW-CHANGEs that prove too little', () => {
    const scene = new Scene();
    const { judge } = scene.at(3);
    const holds = (content: ViewChange): boolean => isValidViewChange(judge, content);
    const p = (sequence: number): FlexiSealed => scene.by(0, proposal(0, sequence, EVIL));
    const [one, two, far] = [p(1), p(2), p(judge.window + 1)];
    assert.equal(holds(change(1, { proposals: [one!, two!] })), true);
    assert.equal(holds(change(1, { proposals: [two!, one!] })), false);
    assert.equal(holds(change(1, { proposals: [one!, one!] })), false);
    assert.equal(holds(change(1, { proposals: [far!] })), false);
    const stable = (ids: readonly number[]): FlexiSealed[] =>
      ids.map((id) => scene.by(id, { kind: 'CHECKPOINT', sequence: 4, stateDigest: EVIL }));
    assert.equal(holds(change(1, { checkpoints: stable([0, 1, 2]) })), true);
    assert.equal(holds(change(1, { checkpoints: stable([0, 1]) })), false);
    assert.equal(holds(change(1, { checkpoints: stable([0, 1, 1]) })), false);
    assert.equal(scene.outcomes('FlexiBFT.VC.checkpoint', false), 2);
    // Its last view began above what it proves to be stable.
    const above = { start: { view: 1, low: 4, batches: [] }, enters: [] };
    assert.equal(holds(change(2, { base: above })), false);
    assert.equal(holds(change(1, { base: baseBy(scene, [0, 1, 2], 1, []) })), false);
  });

  it('refuses NEW-VIEWs of another primary or of too few (FlexiBFT.NV.primary, FlexiBFT.NV.quorum)', () => {
    const scene = new Scene();
    const { judge } = scene.at(3);
    const changes = [0, 2, 3].map((id) => scene.by(id, change(1)));
    const newView = (author: number, list: readonly FlexiSealed[]): FlexiSealed<NewView> =>
      scene.by(author, { kind: 'NEW-VIEW', view: 1, changes: list });
    assert.deepEqual(judgeNewView(judge, newView(1, changes))?.start, { view: 1, low: 0, batches: [] });
    assert.equal(judgeNewView(judge, newView(2, changes)), undefined);
    assert.ok(scene.outcomes('FlexiBFT.NV.primary', false) > 0);
    assert.equal(judgeNewView(judge, newView(1, changes.slice(1))), undefined);
    assert.equal(judgeNewView(judge, newView(1, [...changes.slice(1), changes[1]!])), undefined);
    assert.equal(judgeNewView(judge, newView(1, [...changes.slice(1), scene.by(0, change(2))])), undefined);
    assert.equal(scene.outcomes('FlexiBFT.NV.quorum', false), 3);
  });

  it('fills holes with the batch that does nothing and takes what is told of the latest view', () => {
    const scene = new Scene();
    const { judge, bodies } = scene.at(3);
    const base = baseBy(scene, [0, 2, 3], 1, [EVIL]);
    const old = scene.by(0, change(2, { proposals: [scene.by(0, proposal(0, 2, EVIL))] }));
    const late = scene.by(2, change(2, { base, proposals: [scene.by(1, proposal(1, 3, NOWHERE))] }));
    const changes = [old, late, scene.by(3, change(2))];
    const judged = judgeNewView(judge, scene.by(2, { kind: 'NEW-VIEW', view: 2, changes }));
    assert.deepEqual(judged?.start.batches, [EVIL, bodies.nullBatch.digest, NOWHERE]);
  });

  it('is not stopped by a proposal whose batch nobody has (FlexiBFT.NV.bodies)', () => {
    const scene = new Scene();
    scene.passes = (from) => from !== 0;
    const nowhere = scene.by(0, proposal(0, 1, NOWHERE));
    const lie = scene.by(0, change(1, { proposals: [nowhere] }));
    for (const id of [1, 2, 3]) scene.deliver(0, id, lie);
    scene.submit('goes on');
    scene.settle(1_200);
    // The honest VIEW-CHANGEs are enough for the next primary.
    scene.assertViewFrom(1, [1, 2, 3]);
    assert.ok(scene.outcomes('FlexiBFT.NV.bodies', false) > 0);
    for (const id of [1, 2, 3]) assert.equal(scene.histories()[id]!.length, 1);
  });

  it('does not enter a view that starts with a batch nobody has, and goes on to the next', () => {
    const scene = new Scene();
    scene.passes = (from) => from !== 1;
    const nowhere = scene.by(0, proposal(0, 1, NOWHERE));
    const changes = [scene.by(0, change(1, { proposals: [nowhere] })), scene.by(2, change(1))];
    const newView: NewView = { kind: 'NEW-VIEW', view: 1, changes: [...changes, scene.by(3, change(1))] };
    for (const id of [0, 2, 3]) scene.deliver(1, id, scene.by(1, newView));
    assert.equal(scene.at(2).mode, 'changing');
    scene.submit('goes on', [0, 2, 3]);
    scene.settle(8_000);
    scene.assertViewFrom(2, [0, 2, 3]);
    for (const id of [0, 2, 3]) assert.equal(scene.histories()[id]!.length, 1);
  });

  it('says one ENTER for a view, whatever else its primary makes up (FlexiBFT.NV.once)', () => {
    const scene = new Scene();
    scene.passes = () => false;
    const of = (ids: readonly number[]): FlexiSealed =>
      scene.by(1, { kind: 'NEW-VIEW', view: 1, changes: ids.map((id) => scene.by(id, change(1))) });
    scene.deliver(1, 3, of([0, 2, 3]));
    scene.run(1);
    scene.deliver(1, 3, of([1, 2, 3]));
    scene.run(1);
    assert.equal(scene.sent.filter(({ from, kind }) => from === 3 && kind === 'ENTER').length, 3);
    assert.ok(scene.outcomes('FlexiBFT.NV.once', false) > 0);
  });

  it('proposes what the view starts with, and vouches for nothing else (FlexiBFT.13.start)', () => {
    const { scene, batch } = decidedAtOne();
    // The component of the next primary has spoken for something else before that view begins.
    const evil = scene.by(1, proposal(1, 1, scene.at(3).bodies.nullBatch.digest));
    scene.passes = (from, _to, message) => from !== 0 && (from !== 1 || message.kind !== 'PREPREPARE');
    scene.submit('more');
    scene.run(800);
    assert.equal(scene.at(3).base.start.view, 1);
    assert.deepEqual(scene.at(3).base.start.batches, [batch]);
    scene.deliver(1, 3, evil);
    assert.ok(scene.outcomes('FlexiBFT.13.start', false) > 0);
    scene.settle(8_000);
    for (const id of [1, 2, 3]) assert.equal(scene.histories()[id]![0], batch);
    assert.ok(scene.outcomes('FlexiBFT.13.start', true) > 0);
  });

  it('tells of every own proposal before it leaves (FlexiBFT.VC.drained), also of what its component refused', () => {
    const scene = new Scene();
    for (const name of ['a', 'b']) scene.submit(name);
    scene.settle(50);
    scene.passes = (from, to) => from !== 0 && to !== 0;
    scene.restart(0, true);
    // It has forgotten what its counter has spent: the component refuses.
    scene.submit('c', [0]);
    scene.run(20);
    scene.passes = () => true;
    scene.submit('d', [1, 2, 3]);
    scene.settle(5_000);
    assert.ok(scene.outcomes('FlexiBFT.VC.drained', false) > 0);
    assert.equal(scene.count('LEAVE'), 0);
    for (const history of scene.histories()) assert.equal(history.length, 4);
  });

  it('vouches for nothing in a view that it has left (FlexiBFT.13.left)', () => {
    const scene = new Scene();
    scene.passes = (_from, _to, message) => message.kind !== 'PREPREPARE' && message.kind !== 'NEW-VIEW';
    scene.submit('x');
    scene.run(700);
    assert.equal(scene.at(3).mode, 'changing');
    scene.passes = () => false;
    const before = scene.sent.length;
    const { view, sequence } = { view: 0, sequence: 2 };
    scene.deliver(0, 3, scene.by(0, proposal(view, sequence, scene.at(3).bodies.nullBatch.digest)));
    scene.run(1);
    assert.ok(scene.outcomes('FlexiBFT.13.left', false) > 0);
    assert.equal(
      scene.sent.slice(before).some(({ from, kind }) => from === 3 && kind === 'PREPARE'),
      false,
    );
  });

  it('survives storms: primaries fall silent one after the other, replicas restart in between', () => {
    const scene = new Scene({ f: 2, limits: { checkpointInterval: 2 } });
    for (let round = 0; round < 5; round += 1) {
      const silent = [round % 7, (round + 1) % 7];
      scene.passes = (from) => !silent.includes(from);
      scene.submit(`storm ${round}`);
      scene.run(900);
      scene.restart((round + 3) % 7, round === 2);
    }
    scene.passes = () => true;
    scene.submit('calm');
    scene.settle(20_000);
    for (const history of scene.histories()) assert.equal(history.length, scene.histories()[0]!.length);
    assert.ok(scene.histories()[0]!.length >= 6);
  });

  it('forks when the counter of a primary is put back (scenario 9): that is what it is trusted for', () => {
    const { scene, batch } = decidedAtOne();
    scene.machines[0]!.objects.clear();
    const other = scene.at(3).bodies.nullBatch.digest;
    const again = scene.by(0, proposal(0, 1, other));
    const told = scene.at(1).vouched.get(1)!;
    assert.equal((told.content as PrePrepare).batch, batch);
    const { judge } = scene.at(3);
    const changes = [
      scene.by(1, change(1, { proposals: [told] })),
      scene.by(3, change(1, { proposals: [again] })),
      scene.by(0, change(1)),
    ];
    const judged = judgeNewView(judge, scene.by(1, { kind: 'NEW-VIEW', view: 1, changes }));
    // A valid NEW-VIEW starts without what replica 2 has executed.
    assert.deepEqual(judged?.start.batches, [other]);
  });
});
