/** CheapTiny: counts, passive replicas, what is refused, how long instances last. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { bytesToDigest } from '../../core/bytes.ts';
import type { Digest } from '../../core/types.ts';
import { sha256 } from '../../smr/attested/cluster.testing.ts';
import { PART_BYTES } from '../../smr/passive/messages.ts';
import type { Instance } from './instances.ts';
import {
  activeSet,
  decodeInstance,
  encodeInstance,
  endOfFallback,
  endOfTiny,
  FIRST_INSTANCE,
  isTiny,
  labelOf,
  nextInstance,
} from './instances.ts';
import { cheapbft, Scene } from './scenes.testing.ts';

const EVIL = 'b'.repeat(64) as Digest;

describe('CheapTiny', () => {
  it('orders with the messages of the table; passive replicas apply updates (scenario 1)', () => {
    for (const f of [1, 2]) {
      const scene = new Scene({ f });
      for (let index = 0; index < 3; index += 1) {
        scene.submit(`a${index}`);
        scene.settle(20);
      }
      const wanted = cheapbft.facts.messages(scene.n, f);
      for (const kind of ['PREPARE', 'COMMIT', 'UPDATE'])
        assert.equal(scene.count(kind), 3 * wanted[kind]!, `${kind}, f = ${f}`);
      assert.equal(scene.count('PANIC'), 0);
      assert.deepEqual(scene.lengths(), new Array(scene.n).fill(3));
      const calls = scene.machines.flatMap(({ objects }) => [...objects.values()].map(({ size }) => size));
      assert.equal(
        calls.reduce((sum, size) => sum + size, 0),
        3 * cheapbft.facts.trustedCalls(scene.n, f),
      );
      assert.equal(scene.at(scene.n - 1).role, 'CheapTiny, passive');
      assert.ok(scene.outcomes('CheapBFT.T4', true) > 0 && scene.outcomes('CheapBFT.T4', false) > 0);
      assert.ok(scene.outcomes('CheapBFT.T5.equal', true) > 0);
      assert.equal(scene.outcomes('CheapBFT.T5.conflict', false), 0);
    }
  });

  it('refuses what has not the value of its offset, or is by the wrong replica (scenario 4)', () => {
    const scene = new Scene();
    scene.passes = () => false;
    const prepare = { kind: 'PREPARE', instance: 0, offset: 1, batch: EVIL } as const;
    const first = scene.by(0, prepare, 1);
    // Another batch for the same offset can only have the next value.
    const nothing = scene.at(1).bodies.nullBatch.digest;
    const second = scene.by(0, { ...prepare, batch: nothing }, 2);
    scene.deliver(0, 1, second);
    scene.run(1);
    assert.equal(scene.count('COMMIT'), 0);
    assert.equal(scene.outcomes('CheapBFT.T2.counter', false), 1);
    scene.deliver(2, 1, scene.by(2, prepare, 1));
    scene.deliver(1, 0, scene.by(1, { ...prepare, offset: 1 }, 1));
    assert.equal(scene.outcomes('CheapBFT.T2.counter', false), 3);
    scene.deliver(0, 1, first);
    assert.equal(scene.outcomes('CheapBFT.T2.counter', true), 1);
    const lie = scene.by(1, { kind: 'COMMIT', instance: 0, offset: 2, prepare: first }, 2);
    scene.deliver(1, 0, lie);
    assert.equal(scene.outcomes('CheapBFT.T3', false), 1);
  });

  it('panics over a batch that is not authentic, and agrees to nothing after a panic', () => {
    const scene = new Scene();
    scene.passes = () => false;
    scene.submit('forged', [0]);
    scene.run(0.5);
    const [batch] = scene.machines[0]!.bodies.values();
    scene.input(1, { kind: 'body', batch: { ...batch!, bundleAuthentic: [false] } });
    const digest = batch!.digest;
    const [draft] = scene.machines[0]!.drafts;
    assert.ok(draft !== undefined);
    const prepare = { kind: 'PREPARE', instance: 0, offset: 1, batch: digest } as const;
    const { attestation } = draft;
    scene.deliver(0, 1, { ...scene.told(0, prepare), attestation });
    assert.equal(scene.outcomes('CheapBFT.T2.authentic', false), 1);
    assert.equal(scene.at(1).mode, 'changing');
    scene.run(1);
    assert.ok(scene.outcomes('CheapBFT.T2.running', false) > 0);
    assert.equal(scene.count('COMMIT'), 0);
  });

  it('keeps to the window until a checkpoint is stable (CheapBFT.T1)', () => {
    const scene = new Scene({ limits: { checkpointInterval: 2, pipelineFactor: 1 } });
    scene.passes = (_from, _to, { kind }) => kind !== 'CHECKPOINT' && kind !== 'STATUS' && kind !== 'PANIC';
    for (let index = 0; index < 5; index += 1) scene.submit(`w${index}`);
    scene.run(100);
    assert.deepEqual(scene.lengths(), [2, 2, 2]);
    assert.ok(scene.outcomes('CheapBFT.T1', false) > 0);
  });

  it('panics over different updates and leaves the state untouched (scenario 11)', () => {
    const scene = new Scene();
    scene.passes = (_from, to, { kind }) => kind !== 'UPDATE' || to !== 2;
    scene.submit('x');
    scene.run(20);
    assert.deepEqual(scene.lengths(), [1, 1, 0]);
    const update = (author: number, byte: number) => {
      const bytes = new Uint8Array([byte]);
      const told = bytesToDigest(sha256(bytes));
      return scene.told(author, {
        kind: 'UPDATE',
        sequence: 1,
        digest: EVIL,
        update: told,
        length: 1,
        bytes,
      });
    };
    scene.deliver(0, 2, update(0, 1));
    scene.run(0);
    assert.equal(scene.lengths()[2], 0);
    assert.equal(scene.at(2).mode, 'active');
    scene.deliver(1, 2, update(1, 2));
    assert.equal(scene.outcomes('CheapBFT.T5.conflict', false), 1);
    assert.equal(scene.at(2).mode, 'changing');
    assert.equal(scene.lengths()[2], 0);
    scene.passes = () => true;
    scene.settle(2_000);
    assert.ok(scene.lengths().every((length) => length >= 1));
  });

  it('keeps few bytes of what an active replica tells alone, and none of what others tell', () => {
    const scene = new Scene();
    scene.passes = () => false;
    const { window } = scene.at(2);
    const bytes = new Uint8Array(PART_BYTES).fill(3);
    const update = bytesToDigest(sha256(bytes));
    const tell = (author: number): void => {
      for (let sequence = 1; sequence <= window + 8; sequence += 1) {
        const told = { sequence, digest: EVIL, update, length: 4 * 1024 * 1024, bytes } as const;
        scene.deliver(author, 2, scene.told(author, { kind: 'UPDATE', ...told }));
      }
    };
    tell(0);
    const { size } = scene.at(2).updates.inbox;
    assert.deepEqual(size, { updates: window, bytes: 2 * PART_BYTES });
    const passive = new Scene({ f: 2 });
    passive.passes = () => false;
    const told = { sequence: 1, digest: EVIL, update, length: PART_BYTES, bytes } as const;
    passive.deliver(4, 3, passive.told(4, { kind: 'UPDATE', ...told }));
    assert.deepEqual(passive.at(3).updates.inbox.size, { updates: 0, bytes: 0 });
  });

  it('asks for updates that were lost, and applies them', () => {
    const scene = new Scene();
    const isLost = (to: number, kind: string) => kind === 'PROOF' || (to === 2 && kind === 'UPDATE');
    scene.passes = (_from, to, { kind }) => !isLost(to, kind);
    scene.submit('x');
    scene.run(20);
    assert.equal(scene.lengths()[2], 0);
    scene.passes = (_from, _to, { kind }) => kind !== 'PROOF';
    scene.settle(1_000);
    assert.ok(scene.count('UPDATE-FETCH') > 0);
    assert.deepEqual([scene.lengths()[2], scene.machines[2]!.applied], [1, [1]]);
  });

  it('an update that the service refuses is not tried again: the replica is shown what was committed to', () => {
    const scene = new Scene();
    scene.submit('one');
    scene.settle(20);
    const { history, notes, applied } = scene.machines[2]!;
    const [own] = history;
    history[0] = EVIL;
    scene.submit('two', [0, 1]);
    scene.run(20);
    assert.deepEqual([scene.lengths()[2], applied], [1, [1]]);
    assert.equal(notes.filter((name) => name === 'updateRefused').length, 1);
    history[0] = own!;
    scene.settle(1_500);
    assert.deepEqual([scene.lengths(), applied], [[2, 2, 2], [1]]);
    assert.equal(notes.filter((name) => name === 'updateRefused').length, 1);
  });

  it('shows a passive replica what was committed to if updates are lost', () => {
    const scene = new Scene();
    scene.passes = (_from, _to, { kind }) => kind !== 'UPDATE';
    scene.submit('x', [0, 1]);
    scene.settle(1_500);
    assert.deepEqual(scene.lengths(), [1, 1, 1]);
    assert.deepEqual(scene.instances(), [0, 0, 0]);
  });
});

describe('instances of CheapBFT', () => {
  it('take turns; active sets rotate with the switches', () => {
    let instance: Instance = FIRST_INSTANCE;
    const sets: (readonly number[])[] = [];
    for (let turn = 0; turn < 6; turn += 1) {
      if (isTiny(instance)) sets.push(activeSet(instance, 5, 2));
      instance = nextInstance(instance, instance.low + 4, 4);
    }
    assert.deepEqual(sets, [
      [0, 1, 2],
      [1, 2, 3],
      [2, 3, 4],
    ]);
    assert.deepEqual(activeSet({ ...instance, number: 8 }, 5, 2), [4, 0, 1]);
  });

  it('double the patience of the fallback while faults come soon, and start anew after quiet times', () => {
    const tiny = (number: number, patience: number): Instance => ({ number, low: 0, patience });
    assert.equal(nextInstance(tiny(0, 1), 4, 4).patience, 1);
    assert.equal(nextInstance(tiny(2, 1), 4, 4).patience, 2);
    assert.equal(nextInstance(tiny(4, 2), 32, 4).patience, 4);
    assert.equal(nextInstance(tiny(4, 32), 4, 4).patience, 32);
    assert.equal(nextInstance(tiny(4, 32), 36, 4).patience, 1);
    // The fallback passes it on.
    assert.deepEqual(nextInstance({ number: 3, low: 8, patience: 2 }, 16, 4), {
      number: 4,
      low: 16,
      patience: 2,
    });
  });

  it('end at boundaries beyond what they executed', () => {
    assert.deepEqual(
      [0, 1, 3, 4, 7].map((last) => endOfTiny(last, 4)),
      [4, 4, 4, 8, 8],
    );
    assert.equal(endOfFallback({ number: 1, low: 8, patience: 3 }, 4), 20);
    const instance = { number: 7, low: 24, patience: 2 };
    assert.deepEqual(decodeInstance(encodeInstance(instance)), instance);
    assert.equal(decodeInstance(new Uint8Array(3)), undefined);
    const labels = (['tiny', 'switch', 'order'] as const).map((purpose) => labelOf(purpose, 3));
    assert.equal(new Set([...labels, labelOf('tiny', 4)]).size, 4);
  });
});
