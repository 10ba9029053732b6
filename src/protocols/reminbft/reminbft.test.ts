/** ReMinBFT at work: modes, passive replicas, and its scenarios. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Digest } from '../../core/types.ts';
import { computeTerms, judgeViewChange } from '../../smr/slot-chain/view-change.ts';
import { reminbft } from './definition.ts';
import { COUNTER } from './messages.ts';
import { NOWHERE, prepare, ReStage } from './scenes.testing.ts';

const [A, B] = NOWHERE as [Digest, Digest];
const all = () => true;
const NO_BYTES = new Uint8Array(0);

/** The digest of a batch that everybody gets, and that nobody has proposed. */
function givenBody(stage: ReStage): Digest {
  const other = new ReStage();
  other.submit('made elsewhere', [0]);
  other.run(5);
  const batch = [...other.machines[0]!.bodies.values()][0]!;
  for (const id of stage.machines.keys()) stage.input(id, { kind: 'body', batch });
  return batch.digest;
}

/** A cluster that was brought to view 1, in fault-handling mode, with nothing executed. */
function inViewOne(f = 1): ReStage {
  const stage = new ReStage(f);
  stage.wish(1, ...Array.from({ length: f + 1 }, (_, index) => stage.n - 1 - index));
  stage.settle(400);
  assert.ok(stage.views.every((view) => view === 1));
  return stage;
}

describe('ReMinBFT, normal case', () => {
  it('f+1 replicas order and execute; the others apply what changed (scenario 1)', () => {
    for (const f of [1, 2]) {
      const stage = new ReStage(f);
      stage.ask(1, 'r');
      const expected = reminbft.facts.messages(stage.n, f);
      for (const kind of ['PREPARE', 'COMMIT', 'UPDATE'])
        assert.equal(stage.count(kind), expected[kind], kind);
      stage.ask(9, 's');
      stage.settle(600);
      for (const [id, { objects, bodies }] of stage.machines.entries()) {
        const isActive = id <= f;
        assert.equal(stage.machines[id]!.history.length, 10);
        assert.equal(stage.applied(id).length, isActive ? 0 : 10);
        assert.deepEqual([...objects.keys()], isActive ? [COUNTER.order] : []);
        assert.equal(bodies.size > 0, isActive);
        assert.equal(stage.at(id).role, `normal case, ${isActive ? 'active' : 'passive'}`);
        assert.equal(stage.at(id).stableSequence, 8);
      }
    }
  });

  it('ReMinBFT.M.active: whoever is passive votes for nothing, whatever it is told', () => {
    const stage = new ReStage();
    stage.takeOver(0, 1);
    stage.deliver(0, 2, stage.by(0, prepare(0, 1, givenBody(stage), 0)));
    stage.settle(20);
    assert.equal(stage.refused('ReMinBFT.M.active') > 0, true);
    assert.equal(stage.count('COMMIT'), 0);
  });

  it('ReMinBFT.N3.prepare: a COMMIT to what its primary did not say counts for nothing; ReMinBFT.N3.backup: nor does its own', () => {
    const stage = new ReStage();
    stage.takeOver(1, 2);
    const digest = givenBody(stage);
    const foreign = stage.made(2, prepare(0, 1, digest, 0));
    const commit = { kind: 'COMMIT', view: 0, sequence: 1, digest, prepare: foreign } as const;
    stage.deliver(1, 0, stage.by(1, commit));
    assert.equal(stage.refused('ReMinBFT.N3.prepare'), 1);
    const own = stage.made(0, prepare(0, 1, digest, 0));
    stage.deliver(1, 0, stage.made(0, { ...commit, prepare: own }));
    assert.equal(stage.refused('ReMinBFT.N3.backup'), 1);
    stage.run(20);
    assert.deepEqual(stage.executed, [0, 0, 0]);
  });

  it('a primary that would propose two batches for one order gets one value (scenario 9)', () => {
    const stage = new ReStage();
    stage.takeOver(0);
    stage.by(0, prepare(0, 1, A, 0));
    assert.equal(stage.tryBy(0, prepare(0, 1, B, 0)), undefined);
  });

  it('restarts in any role, and without its store', () => {
    const stage = new ReStage();
    stage.ask(3, 'r');
    for (const id of [0, 1, 2]) stage.restart(id);
    stage.ask(3, 's');
    stage.settle(2_000);
    assert.deepEqual(stage.executed, [6, 6, 6]);
    assert.deepEqual(stage.since, [0, 0, 0]);
    stage.restart(2, true);
    stage.ask(8, 't');
    stage.settle(3_000);
    assert.deepEqual(stage.executed, [14, 14, 14]);
    stage.restart(1, true);
    stage.ask(8, 'u');
    stage.settle(8_000);
    assert.deepEqual(stage.executed, [22, 22, 22]);
  });
});

describe('ReMinBFT, updates', () => {
  it('ReMinBFT.U.equal: one replica cannot make a passive one believe; it complains, and all take part (scenario 5)', () => {
    const stage = new ReStage();
    const bytes = new TextEncoder().encode('wrong');
    const lie = { kind: 'UPDATE', sequence: 1, digest: A, update: B, length: bytes.length, bytes } as const;
    stage.deliver(1, 2, stage.made(1, lie));
    stage.submit('one');
    stage.run(4);
    assert.deepEqual(stage.executed, [1, 1, 0]);
    assert.ok(stage.refused('ReMinBFT.U.equal') > 0);
    stage.settle(3_000);
    assert.deepEqual([stage.executed, stage.applied(2)], [[1, 1, 1], []]);
    assert.ok(stage.views.every((view) => view === 1));
    assert.deepEqual(stage.since, [undefined, undefined, undefined]);
    stage.ask(1, 'r');
    assert.deepEqual([stage.executed, stage.applied(2)], [[2, 2, 2], []]);
  });

  it('ReMinBFT.U.conflict: two active replicas that contradict each other end normal-case mode without a wait', () => {
    const stage = new ReStage();
    const told = { kind: 'UPDATE', sequence: 1, digest: A, update: B, length: 1, bytes: NO_BYTES } as const;
    stage.deliver(2, 1, stage.made(2, told));
    stage.submit('one');
    stage.run(20);
    assert.equal(stage.count('REQ-VIEW-CHANGE'), 0, 'a passive replica that lies contradicts nobody');
    stage.deliver(1, 2, stage.made(1, { ...told, sequence: 2 }));
    stage.submit('two');
    stage.run(20);
    assert.equal(stage.refused('ReMinBFT.U.conflict'), 1);
    assert.ok(stage.views.every((view) => view === 1));
    stage.settle(1_000);
    assert.deepEqual(stage.executed, [2, 2, 2]);
    assert.deepEqual(stage.refused('ReMinBFT.U.conflict'), 1, 'in fault-handling mode nobody looks');
  });

  it('ReMinBFT.P.silent, ReMinBFT.P.join: a passive replica complains when updates stop, and is heard by everybody', () => {
    const stage = new ReStage(2);
    stage.ask(1, 'r');
    stage.passes = (from, to, message) =>
      !(from === 0 && to === 4 && ['UPDATE', 'UPDATE-PART'].includes(message.kind)) &&
      message.kind !== 'PROOF';
    // Replica 4 has not even heard of the request: for it nothing is overdue.
    stage.submit('two', [0]);
    stage.run(300);
    assert.deepEqual(stage.executed, [2, 2, 2, 2, 1]);
    assert.ok(stage.refused('ReMinBFT.P.silent') > 0);
    stage.passes = (from, to, message) => !(from === 0 && to === 4 && message.kind === 'UPDATE');
    stage.settle(3_000);
    assert.deepEqual(stage.executed, [2, 2, 2, 2, 2]);
    assert.ok(
      stage.views.every((view) => view === 1),
      'one complaint of one passive replica was enough',
    );
  });

  it('ReMinBFT.P.silent: an order that is stuck is complained about, though no request waits for it', () => {
    const stage = new ReStage();
    stage.ask(1, 'r');
    stage.takeOver(1);
    // A power cut took what 0 had decided; the COMMIT that decided it will never come again.
    stage.machines[0]!.history = [];
    stage.machines[0]!.confirmed = 0;
    stage.machines[0]!.stored.delete('decided/1');
    stage.restart(0);
    stage.run(100);
    assert.deepEqual(stage.executed, [0, 1, 1]);
    stage.settle(6_000);
    assert.deepEqual(stage.executed, [1, 1, 1]);
    assert.ok(stage.views[0]! > 0);
  });

  it('executes after a power cut what it had decided before', () => {
    const stage = new ReStage();
    stage.ask(1, 'r');
    stage.takeOver(1);
    stage.machines[0]!.history = [];
    stage.machines[0]!.confirmed = 0;
    stage.restart(0);
    stage.run(100);
    assert.deepEqual(stage.executed, [1, 1, 1]);
    assert.equal(stage.views[0], 0);
  });

  it('ReMinBFT.P.join: in fault-handling mode f+1 must complain', () => {
    const stage = inViewOne();
    stage.wish(2, 0);
    stage.settle(200);
    assert.deepEqual(stage.views, [1, 1, 1]);
    assert.ok(stage.refused('ReMinBFT.P.join') > 0);
  });

  it('an update that the service refuses is not tried again: in fault-handling mode the replica executes', () => {
    const stage = new ReStage();
    stage.ask(1, 'r');
    const { history, notes } = stage.machines[2]!;
    const [own] = history;
    history[0] = A;
    stage.ask(1, 's');
    assert.deepEqual(stage.executed, [2, 2, 1]);
    history[0] = own!;
    stage.settle(6_000);
    assert.equal(notes.filter((name) => name === 'updateRefused').length, 1);
    assert.deepEqual([stage.executed, stage.applied(2)], [[2, 2, 2], [1]]);
    assert.ok(stage.views[2]! > 0);
  });

  it('lost updates are asked for, and nobody complains', () => {
    const stage = new ReStage();
    let lost = 0;
    stage.passes = (_from, to, message) => {
      if (to !== 2 || message.kind !== 'UPDATE' || lost === 2) return true;
      lost += 1;
      return false;
    };
    stage.ask(1, 'r');
    stage.settle(700);
    assert.deepEqual(
      [stage.executed, stage.views],
      [
        [1, 1, 1],
        [0, 0, 0],
      ],
    );
    assert.deepEqual(stage.applied(2), [1]);
  });
});

describe('ReMinBFT, fault handling and the way back', () => {
  it('an active replica dies: everybody takes part, nothing is lost (scenario 2)', () => {
    const stage = new ReStage();
    stage.ask(3, 'r');
    stage.takeOver(1);
    stage.submit('one more');
    stage.settle(6_000);
    assert.deepEqual([stage.executed[0], stage.executed[2]], [4, 4]);
    assert.equal(stage.at(2).role, 'fault handling');
    assert.deepEqual(stage.applied(2), [1, 2, 3]);
  });

  it('a replica dies that alone has executed a batch: it survives (scenario 3)', () => {
    const stage = new ReStage();
    stage.passes = (_from, _to, message) => message.kind !== 'COMMIT';
    stage.submit('one');
    stage.run(5);
    assert.deepEqual(stage.executed, [0, 1, 0]);
    stage.takeOver(1);
    stage.passes = all;
    stage.settle(4_000);
    assert.deepEqual(stage.machines[0]!.history, stage.machines[1]!.history);
    assert.deepEqual(stage.machines[2]!.history, stage.machines[1]!.history);
  });

  it('ReMinBFT.M.early, ReMinBFT.M.signed: back after X orders, when all of A have signed; X doubles if faults return (scenario 4)', () => {
    const stage = inViewOne();
    assert.deepEqual(stage.at(0).terms.carried, 4);
    stage.ask(3, 'r');
    assert.ok(stage.refused('ReMinBFT.M.early') > 0);
    assert.deepEqual(stage.since, [undefined, undefined, undefined]);
    stage.ask(1, 's');
    assert.ok(stage.refused('ReMinBFT.M.signed') > 0, 'no checkpoint of this view is stable yet');
    stage.ask(1, 't');
    assert.deepEqual(stage.since, [5, 5, 5]);
    const active = stage.at(0).active;
    const passive = [0, 1, 2].find((id) => !active.includes(id))!;
    stage.ask(1, 'u');
    assert.deepEqual([stage.executed, stage.applied(passive)], [[6, 6, 6], [6]]);
    // Another active replica than the primary dies.
    stage.takeOver(active.find((id) => id !== 1)!);
    stage.submit('one more');
    stage.settle(6_000);
    assert.deepEqual([stage.executed[1], stage.executed[passive]], [7, 7]);
    assert.equal(stage.at(1).terms.carried, 8);
    assert.equal(stage.since[1], undefined);
  });

  it('a MODE too early, or a mode that was not agreed, is refused, and the view changes (scenario 8)', () => {
    for (const [rule, since] of [
      ['ReMinBFT.M.early', 1],
      ['ReMinBFT.M.agreed', 2],
    ] as const) {
      const stage = inViewOne();
      stage.takeOver(1);
      stage.toAll(stage.by(1, prepare(1, 1, givenBody(stage), since)));
      stage.submit('one');
      stage.settle(6_000);
      assert.ok(stage.refused(rule) > 0, rule);
      assert.ok(stage.views[0]! > 1 && stage.views[2]! > 1);
      assert.deepEqual([stage.executed[0], stage.executed[2]], [1, 1]);
    }
  });

  it('a primary that denies the normal case is refused, too', () => {
    const stage = new ReStage();
    stage.takeOver(0);
    stage.deliver(0, 1, stage.by(0, prepare(0, 1, givenBody(stage), undefined)));
    stage.run(20);
    assert.ok(stage.refused('ReMinBFT.M.agreed') > 0);
    assert.equal(stage.count('COMMIT'), 0);
  });

  it('MODE that only one replica saw committed binds nobody after a view change (scenario 13)', () => {
    const stage = inViewOne();
    stage.ask(4, 'r');
    stage.passes = (_from, to, message) => to === 0 || !['PREPARE', 'COMMIT'].includes(message.kind);
    stage.submit('with MODE');
    stage.run(10);
    assert.deepEqual(stage.executed, [5, 4, 4]);
    assert.deepEqual(stage.since, [5, 5, undefined]);
    stage.takeOver(0);
    stage.passes = all;
    stage.wish(2, 0);
    stage.settle(6_000);
    assert.deepEqual([stage.executed[1], stage.executed[2]], [5, 5]);
    assert.deepEqual([stage.views[1], stage.views[2]], [2, 2]);
    assert.deepEqual([stage.since[1], stage.since[2]], [undefined, undefined]);
    assert.deepEqual(stage.machines[1]!.history, stage.machines[0]!.history);
  });

  it('a passive replica that was cut off for two windows leads, once it has the state (scenarios 10 and 11)', () => {
    const stage = new ReStage();
    stage.passes = (from, to) => from !== 2 && to !== 2;
    stage.ask(17, 'r');
    assert.deepEqual(stage.executed, [17, 17, 0]);
    stage.passes = all;
    stage.wish(2, 0, 1);
    stage.ask(1, 's');
    stage.settle(4_000);
    assert.deepEqual(stage.executed, [18, 18, 18]);
    assert.ok(
      stage.views.every((view) => view === 2),
      'it is its primary',
    );
    assert.equal(stage.at(2).terms.base, 16);
    stage.ask(1, 't');
    assert.deepEqual(stage.executed, [19, 19, 19]);
  });

  it('whoever missed MODE learns the mode from the next proposal', () => {
    const stage = inViewOne();
    const away = stage.at(1).active.find((id) => id !== 1)!;
    stage.ask(4, 'r');
    stage.settle(100);
    stage.passes = (from, to) => from !== away && to !== away;
    stage.ask(4, 's');
    assert.equal(stage.since[1], 5);
    stage.passes = all;
    stage.settle(4_000);
    stage.ask(3, 't');
    stage.settle(2_000);
    assert.deepEqual(stage.executed, [11, 11, 11]);
    const { view } = stage.at(1);
    if (view === 1) assert.equal(stage.since[away], 5);
  });
});

describe('ReMinBFT, lies about the past', () => {
  it('a COMMIT left out of a chain is missed (scenario 6)', () => {
    const stage = new ReStage();
    stage.ask(2, 'r');
    stage.takeOver(1);
    const barrier = stage.by(1, { kind: 'BARRIER', view: 1 });
    const whole = [...stage.at(1).chain, barrier].map((message) => ({ message, proof: [] }));
    const leave = { kind: 'VIEW-CHANGE', view: 1, checkpoints: [], entered: undefined } as const;
    assert.equal(judgeViewChange(stage.rules, stage.by(1, { ...leave, chain: whole }))?.votes.size, 2);
    for (const leftOut of [0, 1]) {
      const chain = whole.filter((_, index) => index !== leftOut);
      const refused = stage.refuses('Chain.VC.whole', () =>
        assert.equal(judgeViewChange(stage.rules, stage.by(1, { ...leave, chain })), undefined),
      );
      assert.ok(refused);
    }
  });

  it('after the barrier nothing can be said in the old view (scenario 7)', () => {
    const stage = new ReStage();
    stage.takeOver(0, 1);
    const proposal = stage.by(0, prepare(0, 1, A, 0));
    stage.by(1, { kind: 'BARRIER', view: 1 });
    const commit = { kind: 'COMMIT', view: 0, sequence: 1, digest: A, prepare: proposal } as const;
    assert.equal(stage.tryBy(1, commit), undefined);
  });

  it('telling only what came after the own CHECKPOINT would lose what was pipelined before it (scenario 12)', () => {
    const stage = new ReStage();
    stage.ask(6, 'r');
    stage.settle(100);
    stage.takeOver(1);
    const { stable, chain } = stage.at(1);
    assert.deepEqual([stable?.checkpoint.sequence, chain.length], [4, 2]);
    const barrier = stage.by(1, { kind: 'BARRIER', view: 1 });
    const leave = {
      kind: 'VIEW-CHANGE',
      view: 1,
      checkpoints: stable!.messages,
      entered: undefined,
    } as const;
    const naive = stage.by(1, { ...leave, chain: [{ message: barrier, proof: [] }] });
    assert.equal(judgeViewChange(stage.rules, naive), undefined);
    // What the naive rule would take for the truth: a base without 5 and 6, which are executed.
    const believed = { author: 1, stable: 4, terms: stage.rules.genesis, votes: new Map<number, Digest>() };
    assert.deepEqual(computeTerms(stage.rules, 1, [believed, { ...believed, author: 2 }]).orders, []);
    assert.deepEqual(stage.executed, [6, 6, 6]);
  });

  it('a PREPARE of a batch that only the faulty primary has holds nobody up', () => {
    const stage = new ReStage();
    stage.takeOver(0);
    const alone = stage.by(0, prepare(0, 1, A, 0));
    const barrier = stage.by(0, { kind: 'BARRIER', view: 1 });
    const chain = [alone, barrier].map((message) => ({ message, proof: [] }));
    const lie = stage.by(0, { kind: 'VIEW-CHANGE', view: 1, checkpoints: [], entered: undefined, chain });
    assert.equal(judgeViewChange(stage.rules, lie)?.votes.get(1), A, 'it is a vote that was cast');
    stage.wish(1, 0);
    stage.submit('one', [1, 2]);
    stage.run(2);
    stage.toAll(lie);
    stage.settle(4_000);
    assert.ok(stage.refused('Chain.NV.bodies') > 0);
    assert.deepEqual([stage.executed[1], stage.executed[2]], [1, 1]);
    assert.deepEqual(stage.at(1).terms.orders, []);
  });
});
