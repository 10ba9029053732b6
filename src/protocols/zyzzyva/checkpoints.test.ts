/** Checkpoints, fetched states, restarts. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Batch } from '../../core/request.ts';
import type { Digest } from '../../core/types.ts';
import { newHistory } from './base.ts';
import type { Message } from './messages.ts';
import { isSealed } from '../../smr/attested/sealed.ts';
import { Scene } from './scene.testing.ts';

/** CHECKPOINT of a replica for its history after these batches; the state digest is that of a correct replica. */
function checkpoint(
  scene: Scene,
  author: number,
  view: number,
  batches: readonly Batch[],
  of: number,
): Message {
  const { length: sequence, history } = scene.history(batches).end;
  const { stateDigest } = scene
    .said(of, 'CHECKPOINT')
    .find(({ content }) => content.sequence === sequence)!.content;
  return scene.word(author, { kind: 'CHECKPOINT', view, sequence, history, stateDigest });
}

/** A scene with a boundary at every order (or every `interval`) in which nothing passes by itself. */
function silent(interval = 1, checkpointQuorum?: number): Scene {
  const limits = { checkpointInterval: interval };
  const scene = new Scene(
    checkpointQuorum === undefined ? { limits } : { limits, switches: { checkpointQuorum } },
  );
  scene.passes = () => false;
  return scene;
}

describe('Zyzzyva, CHECKPOINT', () => {
  it('Zyzzyva.CKPT.2: only with a certificate of the present view that covers the boundary', () => {
    const scene = new Scene({ limits: { checkpointInterval: 2 } });
    scene.passes = ({ message }) => message.kind !== 'SPEC-RESPONSE';
    const bundles = ['x', 'y'].map((name) => scene.cluster.submit(name));
    scene.run();
    assert.equal(scene.replica(1).executed, 2);
    assert.equal(scene.said(1, 'CHECKPOINT').length, 0);
    assert.ok(scene.saw('Zyzzyva.CKPT.2', false));
    scene.certify(bundles[0]!);
    assert.equal(scene.said(1, 'CHECKPOINT').length, 0, 'the certificate of 1 does not cover 2');
    scene.certify(bundles[1]!, [1]);
    assert.equal(scene.said(1, 'CHECKPOINT').length, 1);
    assert.equal(scene.said(2, 'CHECKPOINT').length, 0);
    // The next view takes the order into its base: its certificate covers the boundary for everybody.
    scene.tell(0, [1, 2, 3], ...scene.hates([0, 3], 0));
    scene.run(100);
    for (const id of [1, 2, 3])
      assert.equal(
        scene.said(id, 'CHECKPOINT').some(({ content }) => content.view === 1),
        true,
      );
    for (const id of [0, 1, 2, 3]) assert.equal(scene.replica(id).confirmed, 2);
    assert.equal(scene.replica(1).stableProof.view, 1);
  });

  /** View 0 orders a for replicas 1 and 2 and certifies it for replica 1; what replica 1 holds for stable. */
  const scenario10 = (quorum?: number): { confirmed: number; base: number } => {
    const scene = silent(1, quorum);
    const a = scene.batch('a');
    scene.share(a);
    scene.tell(0, [1, 2], ...scene.orders(0, [a]));
    scene.certify(a.bundles[0]!, [1], scene.cores([0], 0, scene.history([a]).end));
    scene.tell(0, [1], checkpoint(scene, 0, 0, [a], 1));
    const { confirmed } = scene.replica(1);
    // View 4 begins with what replica 0 (which hides everything), 2 and 3 report.
    scene.tell(0, [2, 3], ...scene.hates([0, 3], 3));
    const reports = [2, 3].map((id) => {
      const { label, history } = scene.replica(id);
      return { author: id, label, proven: 0, history };
    });
    const base = newHistory(1, [{ author: 0, label: 0, proven: 0, history: scene.history([]) }, ...reports])!;
    return { confirmed, base: base.length };
  };

  it('scenario 10, Zyzzyva.CKPT.3: f+1 CHECKPOINTs would make an order stable that the next view may lose', () => {
    assert.deepEqual(scenario10(2), { confirmed: 1, base: 0 }, 'with f+1: stable, and lost');
    assert.deepEqual(scenario10(), { confirmed: 0, base: 0 }, 'with 2f+1: not stable');
  });

  it('scenario 14 (Z3), Zyzzyva.CKPT.3: CHECKPOINTs of different views do not count together', () => {
    const scene = silent();
    const [a, b] = [scene.batch('a'), scene.batch('b')];
    scene.share(a, b);
    const { end } = scene.history([a]);
    scene.tell(0, [1, 2], ...scene.orders(0, [a]));
    scene.tell(0, [3], ...scene.orders(0, [b]));
    scene.certify(a.bundles[0]!, [1], scene.cores([0], 0, end));
    const first = scene.said(1, 'CHECKPOINT');
    assert.equal(first.length, 1);
    // View 4, whose primary is replica 0 again: it leaves replica 1 out, and the base is empty.
    scene.tell(0, [1, 2, 3], ...scene.hates([0, 3], 3));
    const viewChanges = [
      scene.viewChange(0, 4),
      ...[2, 3].map((id) => scene.said(id, 'VIEW-CHANGE').find(({ content }) => content.view === 4)!),
    ];
    const empty = scene.history([]).end;
    const newView = scene.word(0, { kind: 'NEW-VIEW', view: 4, viewChanges, base: empty });
    scene.tell(0, [1, 2, 3], newView, ...scene.confirms([0, 2, 3], 4, empty));
    for (const id of [1, 2, 3])
      assert.deepEqual([scene.replica(id).label, scene.replica(id).executed], [4, 0]);
    // a again, with the same hash; its certificate reaches replica 2 only.
    scene.tell(0, [1, 2], ...scene.orders(4, [a]));
    // Its body was forgotten in memory and comes back from the others.
    scene.run(10);
    scene.show([2], scene.cores([0, 1, 2], 4, end, empty));
    scene.tell(1, [2], ...first);
    scene.tell(0, [2], checkpoint(scene, 0, 4, [a], 2));
    assert.equal(scene.replica(2).confirmed, 0, 'two of view 4 and one of view 0');
    const reports = [1, 3].map((id) => ({
      author: id,
      label: 4,
      proven: 0,
      history: scene.replica(id).history,
    }));
    const base = newHistory(1, [{ author: 0, label: 4, proven: 0, history: scene.history([]) }, ...reports]);
    assert.equal(base!.length, 0, 'had it been stable, the next view could have lost it');
  });

  it('scenario 12: a slow replica fetches a state, and the fast path is back', () => {
    const scene = new Scene({ limits: { checkpointInterval: 2 } });
    scene.cut.add(3);
    for (const name of 'abcdefgh') {
      scene.cluster.submit(name);
      scene.run(10);
    }
    assert.equal(scene.replica(2).stableProof.length, 8);
    scene.cut.clear();
    scene.run(2_000);
    assert.equal(scene.replica(3).executed, 8);
    const bundle = scene.cluster.submit('again');
    scene.run();
    assert.equal(scene.believes(bundle, 'speculative'), true);
  });

  it('scenario 18, Zyzzyva.CKPT.6: a stable certificate of the own view replaces the other branch', () => {
    const scene = silent(2);
    const batches = [scene.batch('a'), scene.batch('c')];
    const b = scene.batch('b');
    scene.share(...batches, b);
    scene.tell(0, [1, 2], ...scene.orders(0, batches));
    scene.tell(0, [3], ...scene.orders(0, [b]));
    scene.show([1, 2], scene.cores([0, 1, 2], 0, scene.history(batches).end));
    const lie = checkpoint(scene, 0, 0, batches, 1);
    scene.tell(1, [3], ...scene.said(1, 'CHECKPOINT'), ...scene.said(2, 'CHECKPOINT'), lie);
    scene.run(700);
    assert.deepEqual(
      scene.executed(3),
      batches.map(({ digest }) => digest),
    );
    assert.deepEqual([scene.replica(3).label, scene.replica(3).confirmed], [0, 2]);
    // The view goes on for it: what follows on the checkpoint is accepted, and answered.
    const next = scene.batch('d');
    scene.share(next);
    scene.tell(0, [3], ...scene.orders(0, [next], scene.history(batches).end));
    assert.equal(scene.replica(3).executed, 3);
    assert.equal(scene.answers(3, 'speculative').length, 1);
  });

  it('Zyzzyva.CKPT.6: with the orders at hand nothing is fetched, and what follows stays', () => {
    const scene = silent(2);
    const batches = [scene.batch(), scene.batch(), scene.batch()];
    scene.share(...batches);
    scene.tell(0, [1, 2, 3], ...scene.orders(0, batches));
    scene.show([1, 2], scene.cores([0, 1, 2], 0, scene.history(batches.slice(0, 2)).end));
    const lie = checkpoint(scene, 0, 0, batches.slice(0, 2), 1);
    scene.tell(1, [3], ...scene.said(1, 'CHECKPOINT'), ...scene.said(2, 'CHECKPOINT'), lie);
    assert.deepEqual([scene.replica(3).confirmed, scene.replica(3).executed], [2, 3]);
    assert.equal(scene.replica(3).history.digestAt(3), batches[2]!.digest);
    assert.ok(scene.saw('Zyzzyva.CKPT.6', true) && !scene.saw('Zyzzyva.CKPT.6', false));
  });

  it('scenario 18, Zyzzyva.CKPT.7: one of a later view waits until that view can be entered', () => {
    const scene = new Scene({ limits: { checkpointInterval: 2 } });
    scene.cut.add(3);
    scene.tell(3, [0, 1, 2], ...scene.hates([0, 3], 0));
    scene.run(50);
    for (const name of 'xy') scene.cluster.submit(name);
    scene.run(50);
    assert.deepEqual(scene.replica(1).stableProof.view, 1);
    for (const id of [0, 1, 2]) scene.tell(id, [3], ...scene.said(id, 'CHECKPOINT'));
    scene.run(1_500);
    assert.deepEqual([scene.replica(3).label, scene.executed(3).length], [0, 0]);
    assert.ok(scene.saw('Zyzzyva.CKPT.7', false));
    scene.cut.clear();
    scene.run(3_000);
    assert.deepEqual(scene.executed(3), scene.executed(1));
    assert.deepEqual([scene.replica(3).label, scene.replica(3).stableProof.view], [1, 1]);
  });

  it('a base that begins at a checkpoint which is not here is entered with its state', () => {
    const scene = new Scene({ limits: { checkpointInterval: 2 } });
    scene.cut.add(3);
    for (const name of 'xyz') {
      scene.cluster.submit(name);
      scene.run(10);
    }
    assert.equal(scene.replica(1).stableProof.length, 2);
    scene.tell(3, [0, 1, 2], ...scene.hates([0, 3], 0));
    scene.run(50);
    assert.deepEqual([scene.replica(1).label, scene.replica(1).base.length], [1, 3]);
    scene.cut.clear();
    scene.run(3_000);
    assert.equal(scene.replica(3).label, 1);
    assert.deepEqual(scene.executed(3), scene.executed(1));
    const bundle = scene.cluster.submit('again');
    scene.run();
    assert.equal(scene.believes(bundle, 'speculative'), true);
  });
});

describe('Zyzzyva, own log', () => {
  it('is trimmed behind a suspicion that came to nothing, and the primary can be suspected again', () => {
    const scene = new Scene({ limits: { checkpointInterval: 2 } });
    // The first of all to hear of a request is the first to lose patience.
    const suspect = (name: string): void => {
      scene.cut.add(0);
      scene.cluster.submit(name, [1]);
      scene.run(520);
      scene.cut.clear();
      scene.run(600);
    };
    const numbers = (): Set<number> => {
      const own = scene.sent.flatMap(({ from, message }) =>
        from === 1 && isSealed(message) ? [message] : [],
      );
      return new Set(own.filter(({ kind }) => kind === 'I-HATE-THE-PRIMARY').map(({ id }) => id));
    };
    for (const round of [1, 2]) {
      suspect(`late ${round}`);
      assert.equal(numbers().size, round);
      for (let count = 0; count < 12; count += 1) {
        scene.cluster.submit(`${round}/${count}`);
        scene.run(10);
      }
      const { ownLogEntries, view } = scene.cluster.machines[1]!.replica.inspect(scene.cluster.now);
      if (round === 1) assert.equal(view, 0, 'the view went on');
      assert.ok(ownLogEntries < 8, `${ownLogEntries} messages are kept`);
    }
  });
});

describe('Zyzzyva, restarts', () => {
  it('history, certificate and answers are found again; nothing is answered in two ways', () => {
    const scene = new Scene();
    scene.cut.add(3);
    const bundle = scene.cluster.submit('x');
    scene.run();
    scene.certify(bundle);
    const before = scene.replica(2);
    scene.cluster.restart(2);
    scene.run(50);
    const after = scene.replica(2);
    assert.deepEqual(after.history.end, before.history.end);
    assert.equal(after.executed, 1, 'it executes again what was not confirmed');
    assert.equal(after.certificate!.proven.length, 1);
    const own = scene.answers(1, 'speculative').filter(({ replica }) => replica === 2);
    assert.equal(own.length, 2);
    assert.deepEqual(own[1]!.proof, own[0]!.proof);
    scene.certify(bundle);
    assert.equal(scene.answers(1, 'committed').filter(({ replica }) => replica === 2).length, 2);
    // What it shows when it leaves still has the certificate.
    scene.tell(1, [2], ...scene.hates([0, 1], 0));
    assert.equal(scene.said(2, 'VIEW-CHANGE')[0]!.content.certificate.length, 3);
  });

  it('a view that was left stays left, and the VIEW-CHANGE that a crash kept back is made up for', () => {
    const scene = new Scene();
    scene.passes = () => false;
    const batch = scene.batch();
    scene.share(batch);
    scene.tell(0, [1], ...scene.orders(0, [batch]), ...scene.hates([0, 3], 0));
    assert.equal(scene.said(1, 'VIEW-CHANGE').length, 1);
    const machine = scene.cluster.machines[1]!;
    machine.drafts = machine.drafts.filter(({ draft }) => draft[0] !== 6);
    scene.sent.length = 0;
    scene.cluster.restart(1);
    scene.run();
    assert.deepEqual(
      [scene.replica(1).view, scene.replica(1).label, scene.replica(1).mode],
      [1, 0, 'changing'],
    );
    assert.equal(scene.said(1, 'VIEW-CHANGE').length, 1);
    assert.deepEqual(scene.said(1, 'VIEW-CHANGE')[0]!.content.digests, [batch.digest]);
    scene.show([1], scene.cores([0, 2, 3], 0, scene.history([batch]).end));
    assert.equal(scene.answers(1, 'committed').length, 0);
  });

  it('a view that was entered is found again, with the proof that brings others into it', () => {
    const scene = new Scene();
    scene.cut.add(3);
    const bundle = scene.cluster.submit('x');
    scene.run();
    scene.tell(3, [0, 1, 2], ...scene.hates([0, 3], 0));
    scene.run(50);
    scene.cluster.submit('y');
    scene.run(50);
    for (const id of [0, 1, 2]) scene.cluster.restart(id);
    scene.run(100);
    for (const id of [0, 1, 2])
      assert.deepEqual(
        [scene.replica(id).label, scene.replica(id).base.length, scene.replica(id).executed],
        [1, 1, 2],
      );
    scene.cut.clear();
    scene.run(3_000);
    assert.deepEqual(scene.executed(3), scene.executed(0));
    assert.equal(scene.believes(bundle, 'speculative'), true);
  });

  it('a primary gives no number twice', () => {
    const scene = new Scene();
    scene.cluster.submit('x');
    scene.run();
    scene.cluster.restart(0);
    scene.cluster.submit('y');
    scene.run();
    assert.deepEqual(
      scene.said(0, 'ORDER-REQ').map(({ content }) => content.sequence),
      [1, 2],
    );
    for (const id of [1, 2, 3]) assert.deepEqual(scene.executed(id), scene.executed(0));
  });

  it('after a fetched state and a stable checkpoint it goes on from there', () => {
    const scene = new Scene({ limits: { checkpointInterval: 2 } });
    scene.cut.add(3);
    for (const name of 'abcde') {
      scene.cluster.submit(name);
      scene.run(10);
    }
    scene.cut.clear();
    scene.run(2_000);
    const digests = (id: number): readonly Digest[] => scene.executed(id);
    for (const id of [3, 2]) {
      scene.cluster.restart(id);
      scene.run(500);
      assert.deepEqual([scene.replica(id).stableProof.length, scene.replica(id).executed], [4, 5]);
    }
    const bundle = scene.cluster.submit('f');
    scene.run(100);
    assert.equal(scene.believes(bundle, 'speculative'), true);
    for (const id of [1, 2, 3]) assert.deepEqual(digests(id), digests(0));
  });

  it('a state that was installed just before a crash is taken over with its certificate', () => {
    for (const view of [0, 1]) {
      const scene = new Scene({ limits: { checkpointInterval: 2 } });
      scene.cut.add(3);
      if (view === 1) scene.tell(3, [0, 1, 2], ...scene.hates([0, 3], 0));
      scene.run(50);
      for (const name of 'xy') scene.cluster.submit(name);
      scene.run(50);
      const machine = scene.cluster.machines[3]!;
      const messages = [0, 1, 2].map((id) => scene.said(id, 'CHECKPOINT')[0]!);
      const { sequence, stateDigest } = messages[0]!.content;
      machine.stored.set('fetched', scene.codec.encodeList(messages));
      machine.history = [...scene.executed(1)];
      machine.confirmed = sequence;
      machine.stable = { sequence, stateDigest };
      scene.cluster.restart(3);
      // A state of view 1 is of no use in view 0.
      const { stableProof, history, mode } = scene.replica(3);
      assert.deepEqual([stableProof.length, stableProof.view, history.start], [2, view, 2]);
      assert.equal(mode, view === 0 ? 'active' : 'changing');
      scene.cluster.restart(3);
      assert.equal(scene.replica(3).mode, mode, 'also the second time');
      scene.cut.clear();
      scene.run(2_000);
      const bundle = scene.cluster.submit('z');
      scene.run();
      assert.deepEqual([scene.replica(3).label, scene.replica(3).executed], [view, 3]);
      assert.equal(scene.believes(bundle, 'speculative'), true);
    }
  });

  it('a replica that lost its store comes back by what the others show it', () => {
    const scene = new Scene({ limits: { checkpointInterval: 2 } });
    for (const name of 'abc') {
      scene.cluster.submit(name);
      scene.run(10);
    }
    scene.cluster.restart(3, true);
    scene.run(3_000);
    assert.deepEqual(scene.executed(3), scene.executed(0));
    const bundle = scene.cluster.submit('d');
    scene.run();
    assert.equal(scene.believes(bundle, 'speculative'), true);
  });
});
