/** The normal case of Flexi-BFT: counts of messages, proposals out of order, windows, restarts, lost stores. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ReplicaId, View } from '../../core/types.ts';
import type { FlexiSealed } from './messages.ts';
import { counterFor, VALUES_PER_VIEW, VIEW_COUNTERS } from './messages.ts';
import { flexiBft } from './definition.ts';
import { FLEXI_RULES } from './rules.ts';
import { NOWHERE, Scene } from './scenes.testing.ts';

const isFirstProposal = (message: object): boolean => {
  const { content } = message as Partial<FlexiSealed>;
  return content?.kind === 'PREPREPARE' && content.sequence === 1;
};

describe('Flexi-BFT, normal case', () => {
  it('orders with the messages of the table, one call of a trusted component for each batch', () => {
    const scene = new Scene();
    for (let index = 0; index < 3; index += 1) {
      scene.submit(`a${index}`);
      scene.settle(20);
    }
    const wanted = flexiBft.facts.messages(4, 1);
    assert.equal(scene.count('PREPREPARE'), 3 * wanted['PREPREPARE']!);
    assert.equal(scene.count('PREPARE'), 3 * wanted['PREPARE']!);
    for (const history of scene.histories()) assert.equal(history.length, 3);
    const calls = scene.machines.map(({ objects }) => [...objects.values()].map((values) => values.size));
    assert.deepEqual(calls, [[3 * flexiBft.facts.trustedCalls(4, 1)], [], [], []]);
    assert.ok(
      scene.outcomes('FlexiBFT.13.commit', true) > 0 && scene.outcomes('FlexiBFT.13.commit', false) > 0,
    );
  });

  it('takes proposals in any order and executes in order (scenario 7)', () => {
    const scene = new Scene();
    const late: (() => void)[] = [];
    scene.passes = (from, to, message) => {
      if (!isFirstProposal(message)) return true;
      late.push(() => scene.deliver(from, to, message));
      return false;
    };
    scene.submit('first');
    scene.run(3);
    scene.submit('second');
    scene.run(20);
    // The second is vouched for by everybody, and waits for the first.
    assert.equal(scene.at(1).decisions.has(2), true);
    assert.deepEqual(
      scene.histories().map((history) => history.length),
      [0, 0, 0, 0],
    );
    for (const go of late) go();
    scene.settle(20);
    assert.deepEqual(
      scene.histories().map((history) => history.length),
      [2, 2, 2, 2],
    );
  });

  it('counts what is shown of an old view after words of many later ones (FlexiBFT.13.commit)', () => {
    const scene = new Scene();
    scene.passes = () => false;
    const order = { sequence: 1, batch: NOWHERE } as const;
    const vouch = (author: ReplicaId, view: View): void =>
      scene.deliver(author, 3, scene.by(author, { kind: 'PREPARE', view, ...order }));
    for (const view of [2, 3, 4, 6]) vouch(1, view);
    for (const view of [3, 4, 5, 7]) vouch(2, view);
    assert.equal(scene.at(3).decisions.has(1), false);
    scene.deliver(0, 3, scene.by(0, { kind: 'PREPREPARE', view: 0, ...order }));
    for (const author of [1, 2]) vouch(author, 0);
    assert.equal(scene.at(3).decisions.get(1)?.digest, NOWHERE);
  });

  it('never vouches for a proposal without the word of the right counter (FlexiBFT.12.counter)', () => {
    const scene = new Scene();
    const proposal = { kind: 'PREPREPARE', view: 0, sequence: 1, batch: NOWHERE } as const;
    const good = scene.by(0, proposal);
    assert.ok(good.attestation.kind === 'object');
    const lies: FlexiSealed[] = [
      { ...good, attestation: { kind: 'host', replica: 0, signature: new Uint8Array(64) } },
      { ...good, attestation: { ...good.attestation, value: 2 } },
      { ...good, attestation: { ...good.attestation, object: counterFor(4, 1, 4)!.object } },
      { ...good, attestation: { ...good.attestation, form: 'log', history: NOWHERE } },
    ];
    for (const lie of lies) scene.deliver(0, 1, lie);
    scene.deliver(2, 1, scene.by(2, { ...proposal, view: 1 }));
    assert.equal(scene.outcomes('FlexiBFT.12.counter', false), 5);
    scene.deliver(0, 1, good);
    assert.equal(scene.outcomes('FlexiBFT.12.counter', true), 1);
  });

  it('vouches for authentic batches only (FlexiBFT.13.authentic)', () => {
    const scene = new Scene();
    scene.passes = (from) => from !== 0;
    scene.submit('forged', [0]);
    scene.run(0.5);
    const [batch] = scene.machines[0]!.bodies.values();
    for (const id of [1, 2, 3])
      scene.input(id, { kind: 'body', batch: { ...batch!, bundleAuthentic: [id !== 3] } });
    const proposal = scene.at(0).vouched.get(1)!;
    for (const id of [1, 3]) scene.deliver(0, id, proposal);
    scene.run(5);
    assert.ok(scene.outcomes('FlexiBFT.13.authentic', true) > 0);
    assert.ok(scene.outcomes('FlexiBFT.13.authentic', false) > 0);
    assert.equal(
      scene.sent.some(({ from, kind }) => from === 3 && kind === 'PREPARE'),
      false,
    );
  });

  it('needs 2f+1 words: with two silent replicas nothing is decided', () => {
    const scene = new Scene();
    scene.passes = (from, to) => from < 2 && to < 2;
    scene.submit('x', [0, 1]);
    scene.settle(300);
    assert.deepEqual(
      scene.histories().map((history) => history.length),
      [0, 0, 0, 0],
    );
    assert.ok(scene.outcomes('FlexiBFT.13.commit', false) > 0);
  });

  it('keeps to the window until a checkpoint is stable (FlexiBFT.12, FlexiBFT.13.window)', () => {
    const scene = new Scene({ limits: { checkpointInterval: 2, pipelineFactor: 1 } });
    scene.passes = (_from, _to, message) => message.kind !== 'CHECKPOINT' && message.kind !== 'STATUS';
    for (let index = 0; index < 5; index += 1) scene.submit(`w${index}`);
    scene.run(100);
    for (const history of scene.histories()) assert.equal(history.length, 2);
    assert.ok(scene.outcomes('FlexiBFT.12', false) > 0);
    const beyond = scene.by(0, { kind: 'PREPREPARE', view: 0, sequence: 3, batch: NOWHERE });
    scene.deliver(0, 1, beyond);
    assert.ok(scene.outcomes('FlexiBFT.13.window', false) > 0);
  });

  it('goes on after restarts of all, and a replica that lost its store comes back by a fetched state', () => {
    const scene = new Scene();
    for (let index = 0; index < 6; index += 1) scene.submit(`r${index}`);
    scene.settle(200);
    for (const id of scene.machines.keys()) scene.restart(id);
    scene.submit('after');
    scene.settle(600);
    for (const history of scene.histories()) assert.equal(history.length, 7);
    scene.restart(3, true);
    for (let index = 0; index < 6; index += 1) scene.submit(`s${index}`);
    scene.settle(3_000);
    for (const history of scene.histories()) assert.equal(history.length, 13);
  });

  it('remembers what a primary said that fell silent: an answered batch is executed again after a power cut', () => {
    const scene = new Scene();
    scene.passes = (_from, to) => to !== 2;
    scene.submit('answered', [0]);
    scene.settle(20);
    // The executions were not durable yet, the words were.
    for (const id of [1, 3]) {
      assert.equal(scene.machines[id]!.history.length, 1);
      scene.machines[id]!.history = [];
    }
    scene.passes = (from) => from !== 0;
    for (const id of [1, 2, 3]) scene.restart(id);
    scene.settle(2_000);
    for (const id of [1, 3]) assert.equal(scene.machines[id]!.history.length, 1);
  });

  it('lets no counter run out and no value come twice, over any number of views', () => {
    const values = new Set<string>();
    const objects = new Set<string>();
    for (const turn of [0, 1, VIEW_COUNTERS - 1, VIEW_COUNTERS, VIEW_COUNTERS + 1, 5 * VIEW_COUNTERS])
      for (const sequence of [1, 2, VALUES_PER_VIEW - 1]) {
        const { object, value } = counterFor(4 * turn + 1, sequence, 4)!;
        values.add(`${object}/${value}`);
        objects.add(object);
      }
    assert.equal(values.size, 18);
    assert.equal(objects.size, 3);
    assert.equal(counterFor(4 * VIEW_COUNTERS * 2 ** 13, 1, 4), undefined);
    assert.equal(counterFor(0, VALUES_PER_VIEW, 4), undefined);
  });

  it('has each rule once', () => {
    assert.equal(new Set(FLEXI_RULES.map(({ id }) => id)).size, FLEXI_RULES.length);
  });
});
