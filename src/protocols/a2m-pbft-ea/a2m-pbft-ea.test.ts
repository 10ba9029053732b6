/** A2M-PBFT-EA at work: the normal case rule by rule, and its scenarios. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Digest, ReplicaId } from '../../core/types.ts';
import { markVerified } from '../../core/types.ts';
import type { NewView } from '../../smr/slot-chain/messages.ts';
import { computeTerms, digestOfTerms, judgeViewChange } from '../../smr/slot-chain/view-change.ts';
import { a2mPbftEa } from './definition.ts';
import type { EaOrder } from './messages.ts';
import { LOG } from './messages.ts';
import { A, B, EaStage, order } from './scenes.testing.ts';

/** Lets clients ask for so many batches, one after the other. */
function ask(stage: EaStage, batches: number, name = 'r'): void {
  for (let count = 0; count < batches; count += 1) {
    stage.submit(`${name}${count}`);
    stage.run(20);
  }
}

/** The digest of a batch that everybody gets, and that nobody has proposed. */
function givenBody(stage: EaStage, authentic = true): Digest {
  const other = new EaStage();
  other.submit('made elsewhere', [0]);
  other.run(5);
  const batch = [...other.machines[0]!.bodies.values()][0]!;
  for (const id of stage.machines.keys())
    stage.input(id, { kind: 'body', batch: { ...batch, bundleAuthentic: [authentic] } });
  return batch.digest;
}

/** Cuts the links between two groups. */
function divide(stage: EaStage, side: readonly ReplicaId[]): void {
  stage.passes = (from, to) => side.includes(from) === side.includes(to);
}

const all = () => true;

describe('A2M-PBFT-EA, normal case', () => {
  it('orders the same everywhere, with the messages and log entries of the paper', () => {
    for (const f of [1, 2]) {
      const stage = new EaStage(f);
      ask(stage, 1);
      assert.deepEqual(
        stage.executed,
        stage.machines.map(() => 1),
      );
      const expected = a2mPbftEa.facts.messages(stage.n, f);
      for (const kind of ['PRE-PREPARE', 'PREPARE', 'COMMIT'])
        assert.equal(stage.count(kind), expected[kind], kind);
      for (const { objects } of stage.machines)
        assert.deepEqual([...objects.keys()], [LOG.prepare, LOG.commit], 'two entries for a batch');
    }
  });

  it('keeps its logs short: what a stable checkpoint covers is nobody’s business any more (scenario 1)', () => {
    const stage = new EaStage();
    ask(stage, 14);
    stage.settle(600);
    assert.deepEqual(stage.executed, [14, 14, 14]);
    for (const [id, { drafts, stored }] of stage.machines.entries()) {
      assert.equal(stage.at(id).stableSequence, 12);
      assert.equal(stage.at(id).terms.view, 0);
      assert.equal(stage.at(id).chain.length, 2);
      assert.ok(drafts.length <= 8, `${drafts.length} own messages`);
      assert.deepEqual([...stored.keys()].filter((key) => key.startsWith('prepared/')).sort(), [
        'prepared/13',
        'prepared/14',
      ]);
    }
  });

  it('Chain.N1: the primary stays inside the window', () => {
    const stage = new EaStage();
    stage.passes = (_from, _to, message) => message.kind !== 'COMMIT' && message.kind !== 'CHECKPOINT';
    ask(stage, 12);
    assert.equal(stage.count('PRE-PREPARE'), 8 * 2);
    assert.ok(stage.refused('Chain.N1') > 0);
  });

  it('Chain.N2.primary: a backup proposes nothing', () => {
    const stage = new EaStage();
    stage.deliver(2, 1, stage.by(2, order('PRE-PREPARE', 0, 1, givenBody(stage))));
    stage.settle(20);
    assert.equal(stage.refused('Chain.N2.primary'), 1);
    assert.equal(stage.count('PREPARE'), 0);
  });

  it('Chain.N2.window: what lies beyond the window waits', () => {
    const stage = new EaStage();
    stage.takeOver(0);
    stage.deliver(0, 1, stage.by(0, order('PRE-PREPARE', 0, 9, A)));
    assert.equal(stage.refused('Chain.N2.window'), 1);
  });

  it('Chain.N2.order: a primary that burns slots only stops itself', () => {
    const stage = new EaStage();
    stage.takeOver(0);
    const digest = givenBody(stage);
    stage.deliver(0, 1, stage.by(0, order('PRE-PREPARE', 0, 3, digest)));
    stage.run(20);
    assert.ok(stage.refused('Chain.N2.order') > 0);
    assert.equal(stage.count('PREPARE'), 0);
    assert.equal(stage.tryBy(0, order('PRE-PREPARE', 0, 1, digest)), undefined, 'and it cannot go back');
  });

  it('Chain.N2.authentic: nobody votes for a request that its client did not sign', () => {
    const stage = new EaStage();
    stage.takeOver(0);
    stage.toAll(stage.by(0, order('PRE-PREPARE', 0, 1, givenBody(stage, false))));
    stage.run(20);
    assert.ok(stage.refused('Chain.N2.authentic') > 0);
    assert.equal(stage.count('PREPARE'), 0);
  });

  it('A2M-PBFT-EA.N3: one replica prepares nothing; A2M-PBFT-EA.N3.backup: nor does the primary twice', () => {
    const stage = new EaStage();
    stage.takeOver(0);
    const digest = givenBody(stage);
    stage.passes = (_from, _to, message) => message.kind !== 'PREPARE';
    stage.deliver(0, 1, stage.by(0, order('PRE-PREPARE', 0, 1, digest)));
    // Its own PREPARE is one, so with f = 1 the backup is done; a bigger cluster asks for another one.
    stage.run(20);
    assert.equal(stage.count('COMMIT'), 2);
    const large = new EaStage(2);
    large.takeOver(0, 2, 3, 4);
    const other = givenBody(large);
    large.deliver(0, 1, large.by(0, order('PRE-PREPARE', 0, 1, other)));
    large.run(20);
    assert.ok(large.refused('A2M-PBFT-EA.N3') > 0);
    large.deliver(0, 1, large.made(0, order('PREPARE', 0, 1, other)));
    large.run(20);
    assert.equal(large.refused('A2M-PBFT-EA.N3.backup'), 1);
    assert.equal(large.count('COMMIT'), 0);
    large.deliver(2, 1, large.by(2, order('PREPARE', 0, 1, B)));
    large.run(20);
    assert.equal(large.count('COMMIT'), 0, 'nor does a PREPARE for something else');
    large.deliver(3, 1, large.by(3, order('PREPARE', 0, 1, other)));
    large.run(20);
    assert.equal(large.count('COMMIT'), 4);
  });

  it('A2M-PBFT-EA.N4.order: what is prepared early is committed to late', () => {
    const stage = new EaStage(2);
    stage.passes = (_from, to, message) =>
      to !== 1 ||
      message.kind !== 'PREPARE' ||
      ('content' in message && (message.content as EaOrder).sequence > 1);
    ask(stage, 2);
    assert.equal(stage.sent.filter(({ from, kind }) => from === 1 && kind === 'COMMIT').length, 0);
    assert.ok(stage.refused('A2M-PBFT-EA.N4.order') > 0);
    stage.passes = all;
    stage.settle(600);
    assert.equal(stage.sent.filter(({ from, kind }) => from === 1 && kind === 'COMMIT').length, 8);
  });

  it('Chain.CM: f equal COMMITs decide nothing', () => {
    const stage = new EaStage();
    stage.takeOver(0, 1);
    const digest = givenBody(stage);
    stage.deliver(0, 2, stage.by(0, order('COMMIT', 0, 1, digest)));
    stage.deliver(1, 2, stage.by(1, order('COMMIT', 0, 1, A)));
    stage.run(20);
    assert.ok(stage.refused('Chain.CM') > 0);
    assert.deepEqual(stage.executed, [0, 0, 0]);
  });
});

describe('A2M-PBFT-EA, faulty replicas', () => {
  it('a word for another slot, of another log, or for a view is no word for this order', () => {
    const stage = new EaStage();
    stage.takeOver(0, 1);
    const digest = givenBody(stage);
    const commits = [0, 1].map((id) => stage.by(id, order('COMMIT', 0, 1, digest)));
    const words = [
      { value: 2 },
      { object: LOG.prepare },
      { form: 'counter' },
      { kind: 'host', signature: new Uint8Array(64) },
      { replica: 2 },
    ];
    for (const [index, other] of words.entries()) {
      const attestation = { ...commits[0]!.attestation, ...other } as (typeof commits)[0]['attestation'];
      const message = { ...commits[0]!, id: 50 + index, attestation };
      stage.input(2, { kind: 'message', from: 0, message: markVerified(message) });
    }
    stage.deliver(1, 2, commits[1]!);
    stage.run(20);
    assert.equal(stage.executed[2], 0);
    stage.deliver(0, 2, commits[0]!);
    stage.run(20);
    assert.equal(stage.executed[2], 1);
  });

  it('a primary that would propose two batches for one order gets one slot (scenario 2)', () => {
    const stage = new EaStage();
    const digest = givenBody(stage);
    stage.takeOver(0);
    stage.deliver(0, 1, stage.by(0, order('PRE-PREPARE', 0, 1, digest)));
    assert.equal(stage.tryBy(0, order('PRE-PREPARE', 0, 1, B)), undefined);
    stage.submit('one');
    stage.settle(4_000);
    assert.ok(stage.views[1]! > 0 && stage.views[2]! > 0);
    assert.deepEqual(stage.machines[1]!.history, stage.machines[2]!.history);
    assert.ok(stage.executed[2]! >= 1);
  });

  it('whoever has left a view commits to nothing in it any more (scenario 3)', () => {
    const stage = new EaStage();
    stage.takeOver(2);
    stage.by(2, { kind: 'BARRIER', view: 1 });
    assert.equal(stage.tryBy(2, order('COMMIT', 0, 1, A)), undefined);
    assert.notEqual(stage.tryBy(2, order('COMMIT', 1, 1, A)), undefined);
  });

  it('a VIEW-CHANGE that hides a vote is left aside, and the others change the view (scenarios 4 and 5)', () => {
    const stage = new EaStage(2);
    ask(stage, 2);
    stage.takeOver(0, 4);
    const barrier = { message: stage.by(4, { kind: 'BARRIER', view: 1 }), proof: [] };
    const lie = {
      kind: 'VIEW-CHANGE',
      view: 1,
      checkpoints: [],
      entered: undefined,
      chain: [barrier],
    } as const;
    const refused = stage.refuses('Chain.VC.whole', () => stage.toAll(stage.by(4, lie)));
    assert.ok(refused);
    stage.submit('three');
    stage.settle(3_000);
    assert.deepEqual(stage.executed.slice(1, 4), [3, 3, 3]);
    assert.deepEqual(stage.views.slice(1, 4), [1, 1, 1]);
  });

  it('a NEW-VIEW with a tampered O is answered by a wish for the next view (scenario 6)', () => {
    const stage = new EaStage();
    ask(stage, 1);
    stage.takeOver(1);
    const viewChanges = [0, 1].map((id) => stage.leaving(id, 1, {}));
    const terms = { view: 1, base: 0, orders: [B], carried: 0 };
    for (const id of [0, 2]) stage.deliver(1, id, stage.by(1, { kind: 'REQ-VIEW-CHANGE', view: 1 }));
    stage.passes = (_from, _to, message) => message.kind !== 'VIEW-CHANGE';
    stage.submit('two', [0, 2]);
    stage.run(20);
    const lie: NewView<EaOrder> = { kind: 'NEW-VIEW', view: 1, viewChanges, terms };
    const refused = stage.refuses('Chain.NV.terms', () => stage.toAll(stage.made(1, lie)));
    assert.ok(refused);
    stage.passes = all;
    stage.settle(6_000);
    assert.deepEqual(stage.machines[0]!.history.length, 2);
    assert.deepEqual(stage.machines[2]!.history, stage.machines[0]!.history);
  });

  it('Chain.NV.bodies, Chain.NV.ack: nothing rests on a batch that only a faulty replica has', () => {
    const stage = new EaStage();
    stage.takeOver(1);
    const terms = { view: 1, base: 0, orders: [A], carried: 0 };
    const votes = [{ view: 0, sequence: 1, digest: A }];
    const viewChanges = [1, 2].map((id) => stage.leaving(id, 1, { votes }));
    const refused = stage.refuses('Chain.NV.ack', () => {
      stage.toAll(stage.made(1, { kind: 'NEW-VIEW', view: 1, viewChanges, terms }));
      stage.run(50);
    });
    assert.ok(refused);
    assert.equal(stage.count('NV-ACK'), 0, 'f+1 replicas said that they had prepared it, and nobody has it');
    const leader = new EaStage();
    leader.takeOver(0);
    leader.deliver(0, 1, leader.leaving(0, 1, { votes }));
    for (const id of [1, 2]) leader.deliver(0, id, leader.by(0, { kind: 'REQ-VIEW-CHANGE', view: 1 }));
    leader.passes = (from) => from !== 2;
    leader.submit('one', [1, 2]);
    leader.run(900);
    assert.ok(leader.refused('Chain.NV.bodies') > 0);
    assert.equal(leader.count('NEW-VIEW'), 0);
    leader.passes = all;
    leader.settle(2_000);
    assert.deepEqual(leader.executed, [0, 1, 1], 'with the VIEW-CHANGE of another one it goes on');
    assert.deepEqual(leader.views.slice(1), [1, 1]);
  });
});

describe('A2M-PBFT-EA, view change', () => {
  it('Chain.VC.join: one wish moves nobody, f+1 move everybody, and whoever asks keeps working', () => {
    const stage = new EaStage();
    stage.toAll(stage.by(2, { kind: 'REQ-VIEW-CHANGE', view: 1 }));
    stage.settle(50);
    assert.deepEqual(stage.views, [0, 0, 0]);
    assert.ok(stage.refused('Chain.VC.join') > 0);
    ask(stage, 1);
    assert.deepEqual(stage.executed, [1, 1, 1]);
    stage.toAll(stage.by(0, { kind: 'REQ-VIEW-CHANGE', view: 1 }));
    stage.settle(400);
    assert.deepEqual(stage.views, [1, 1, 1]);
    ask(stage, 1, 's');
    assert.deepEqual(stage.executed, [2, 2, 2]);
  });

  it('Chain.VC.barrier, Chain.VC.left: the barrier comes first, and nothing is voted for behind it', () => {
    const stage = new EaStage();
    const digest = givenBody(stage);
    stage.takeOver(0, 1);
    for (const id of [0, 1]) stage.deliver(id, 2, stage.by(id, { kind: 'REQ-VIEW-CHANGE', view: 1 }));
    assert.ok(stage.refused('Chain.VC.barrier') > 0, 'before its component has given the slot');
    stage.run(5);
    assert.equal(stage.count('VIEW-CHANGE'), 2);
    assert.deepEqual([...stage.machines[2]!.objects.keys()], [LOG.commit, LOG.viewChange]);
    stage.deliver(0, 2, stage.by(0, order('PRE-PREPARE', 0, 1, digest)));
    stage.deliver(1, 2, stage.by(1, order('PRE-PREPARE', 1, 1, digest)));
    stage.run(5);
    assert.ok(stage.refused('Chain.VC.left') > 0);
    assert.equal(stage.count('PREPARE'), 0);
  });

  it('Chain.VC.timer: the wait for a new view begins when f+1 replicas have left for it', () => {
    const stage = new EaStage();
    stage.takeOver(1, 2);
    for (const id of [1, 2]) stage.deliver(id, 0, stage.by(id, { kind: 'REQ-VIEW-CHANGE', view: 1 }));
    stage.run(5_000);
    assert.ok(stage.refused('Chain.VC.timer') > 0);
    assert.equal(stage.count('REQ-VIEW-CHANGE'), 0);
    stage.deliver(2, 0, stage.leaving(2, 1, {}));
    stage.run(1_200);
    assert.equal(stage.count('REQ-VIEW-CHANGE'), 2);
  });

  it('Chain.NV.enter: nobody acts on a NEW-VIEW that f+1 have not confirmed', () => {
    const stage = new EaStage();
    ask(stage, 1);
    stage.passes = (_from, _to, message) => message.kind !== 'NV-ACK' && message.kind !== 'PROOF';
    for (const id of [1, 2]) stage.toAll(stage.by(id, { kind: 'REQ-VIEW-CHANGE', view: 1 }));
    stage.run(300);
    assert.ok(stage.refused('Chain.NV.enter') > 0);
    assert.deepEqual(stage.views, [-1, -1, -1]);
    stage.passes = all;
    stage.settle(3_000);
    assert.ok(stage.views.every((view) => view > 0));
  });

  it('waits for NV-ACKs of exactly the terms that it has accepted', () => {
    const stage = new EaStage();
    ask(stage, 2);
    stage.takeOver(1, 2);
    const viewChanges = [1, 2].map((id) => {
      const chain = stage.at(id).chain.map((message) => ({ message, proof: stage.preparedAt(id, message) }));
      const barrier = { message: stage.by(id, { kind: 'BARRIER', view: 1 }), proof: [] };
      return stage.leaving(id, 1, {}, { chain: [...chain, barrier] });
    });
    const facts = viewChanges.map((one) => judgeViewChange(stage.rules, one)!);
    const terms = computeTerms(stage.rules, 1, facts);
    stage.deliver(1, 0, stage.by(1, { kind: 'NEW-VIEW', view: 1, viewChanges, terms }));
    const digest = digestOfTerms(stage.rules, { ...terms, carried: 7 });
    stage.deliver(2, 0, stage.by(2, { kind: 'NV-ACK', view: 1, digest }));
    stage.passes = () => false;
    stage.run(5);
    const lack = stage.at(0).viewLack();
    assert.equal(lack?.what, 'NV-ACK');
    assert.ok(!lack.has.includes(2), 'it confirms something else');
  });

  it('Chain.N2.obliged: a new primary proposes what its NEW-VIEW obliges it to, or nothing', () => {
    const stage = new EaStage();
    ask(stage, 2);
    stage.takeOver(1, 2);
    const viewChanges = [1, 2].map((id) => {
      const chain = stage.at(id).chain.map((message) => ({ message, proof: stage.preparedAt(id, message) }));
      const barrier = { message: stage.by(id, { kind: 'BARRIER', view: 1 }), proof: [] };
      return stage.leaving(id, 1, {}, { chain: [...chain, barrier] });
    });
    const facts = viewChanges.map((one) => judgeViewChange(stage.rules, one)!);
    const terms = computeTerms(stage.rules, 1, facts);
    assert.deepEqual(terms.orders, stage.machines[0]!.history);
    stage.deliver(1, 0, stage.by(1, { kind: 'NEW-VIEW', view: 1, viewChanges, terms }));
    const digest = digestOfTerms(stage.rules, terms);
    for (const id of [1, 2]) stage.deliver(id, 0, stage.by(id, { kind: 'NV-ACK', view: 1, digest }));
    stage.run(5);
    assert.equal(stage.views[0], 1);
    stage.deliver(1, 0, stage.made(1, order('PRE-PREPARE', 1, 1, givenBody(stage))));
    stage.run(5);
    assert.equal(stage.refused('Chain.N2.obliged'), 1);
    stage.deliver(1, 0, stage.by(1, order('PRE-PREPARE', 1, 1, terms.orders[0]!)));
    const before = stage.count('PREPARE');
    stage.run(5);
    assert.equal(
      stage.count('PREPARE') - before,
      2,
      'what was executed already is prepared again, not executed',
    );
    assert.deepEqual(stage.executed, [2, 2, 2]);
  });

  it('a batch that one correct replica has executed survives two views without it (scenario 7)', () => {
    const stage = new EaStage();
    stage.passes = (_from, to, message) => message.kind !== 'COMMIT' || to === 2;
    stage.submit('one');
    stage.run(20);
    assert.deepEqual(stage.executed, [0, 0, 1]);
    divide(stage, [2]);
    stage.submit('two', [0, 1]);
    stage.run(3_000);
    stage.toAll(stage.by(0, { kind: 'REQ-VIEW-CHANGE', view: stage.at(0).view + 1 }));
    stage.passes = all;
    stage.settle(6_000);
    assert.ok(stage.views.every((view) => view > 0));
    assert.deepEqual(stage.executed, [2, 2, 2]);
  });

  it('three primaries in a row are dead: the fourth leads (scenario 8)', () => {
    const stage = new EaStage(3);
    ask(stage, 1);
    stage.takeOver(0, 1, 2);
    stage.submit('two');
    stage.settle(20_000);
    assert.deepEqual(stage.executed.slice(3), [2, 2, 2, 2]);
    assert.ok(stage.views.slice(3).every((view) => view >= 3));
  });

  it('what one correct replica saw decided it passes on, so that f+1 can answer (scenario 9)', () => {
    const stage = new EaStage();
    // Replica 1 lies low after its COMMIT, and 2 hears no COMMIT of anybody.
    stage.passes = (_from, to, message) => to !== 2 || message.kind !== 'COMMIT';
    stage.submit('one');
    stage.run(20);
    stage.takeOver(1);
    assert.equal(stage.executed[2], 0);
    stage.settle(1_500);
    assert.equal(stage.executed[2], 1);
    assert.equal(stage.views[0], 0, 'no view was changed for it');
  });

  it('a replica that was left behind takes the state and then votes in its right slots (scenario 10)', () => {
    const stage = new EaStage();
    divide(stage, [2]);
    ask(stage, 13);
    stage.passes = all;
    stage.settle(3_000);
    ask(stage, 1, 's');
    stage.settle(600);
    assert.deepEqual(stage.executed, [14, 14, 14]);
    assert.ok(stage.machines[2]!.objects.get(LOG.commit)!.size <= 3, 'it jumped');
    // Its votes are needed now.
    stage.takeOver(1);
    ask(stage, 2, 't');
    stage.settle(600);
    assert.deepEqual([stage.executed[0], stage.executed[2]], [16, 16]);
  });

  it('a component that forgot is outside the promise: it lets its replica vote behind its barrier (scenario 13)', () => {
    const stage = new EaStage();
    stage.takeOver(2);
    stage.by(2, { kind: 'BARRIER', view: 1 });
    assert.equal(stage.tryBy(2, order('COMMIT', 0, 1, A)), undefined);
    stage.machines[2]!.objects.clear();
    const behind = stage.tryBy(2, order('COMMIT', 0, 1, A));
    assert.ok(behind !== undefined, 'which is why its key counts no more once it was lost');
  });

  it('restarts with its log, or without: what its component gave it keeps', () => {
    const stage = new EaStage();
    ask(stage, 3);
    for (const id of [0, 1, 2]) stage.restart(id);
    ask(stage, 2, 's');
    stage.settle(2_000);
    assert.deepEqual(stage.executed, [5, 5, 5]);
    stage.restart(2, true);
    ask(stage, 9, 't');
    stage.settle(4_000);
    assert.deepEqual(stage.executed, [14, 14, 14]);
    stage.takeOver(0);
    ask(stage, 1, 'u');
    stage.settle(6_000);
    assert.deepEqual(stage.executed.slice(1), [15, 15]);
  });
});
