/** The normal case: orders, answers, certificates, holes. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Scene } from './scene.testing.ts';

describe('Zyzzyva, fault-free', () => {
  it('scenario 1: completes by 3f+1 equal answers, three delays after the request', () => {
    const scene = new Scene();
    const bundles = ['x', 'y', 'z'].map((name) => scene.cluster.submit(name));
    scene.run(1);
    // Request, ORDER-REQ (1 ms), answer: a millisecond after the primary has the request everybody has answered.
    assert.deepEqual(
      scene.answers(1, 'speculative').map(({ replica }) => replica),
      [0, 1, 2, 3],
    );
    scene.run();
    for (const bundle of bundles) assert.equal(scene.believes(bundle, 'speculative'), true);
    assert.equal(scene.answers(1, 'committed').length, 0);
    assert.equal(scene.said(0, 'ORDER-REQ').length, 3);
    for (const id of [1, 2, 3]) assert.deepEqual(scene.executed(id), scene.executed(0));
    assert.ok(scene.saw('Zyzzyva.ACC.1.CHAIN', true) && scene.saw('Zyzzyva.ORD.1', true));
  });

  it('Zyzzyva.CKPT.8: nothing above the stable checkpoint is confirmed, also with a commit certificate', () => {
    const scene = new Scene();
    const bundle = scene.cluster.submit('x');
    scene.run();
    scene.certify(bundle);
    assert.equal(scene.believes(bundle, 'committed'), true);
    for (const { confirmed } of scene.cluster.machines) assert.equal(confirmed, 0);
    for (const name of ['y', 'z', 'w']) scene.cluster.submit(name);
    scene.run();
    for (const { confirmed } of scene.cluster.machines) assert.equal(confirmed, 4);
    assert.ok(scene.saw('Zyzzyva.CKPT.8', true));
  });

  it('Zyzzyva.ORD.2: when clients rest, what they believe becomes final by itself', () => {
    const scene = new Scene();
    scene.cluster.submit('x');
    scene.run(3_000);
    assert.equal(scene.said(0, 'ORDER-REQ').length, 1);
    assert.ok(scene.saw('Zyzzyva.ORD.2', false));
    scene.run(2_000);
    assert.equal(scene.said(0, 'ORDER-REQ').length, 4, 'up to the boundary');
    for (const { confirmed } of scene.cluster.machines) assert.equal(confirmed, 4);
    scene.run(5_000);
    assert.equal(scene.said(0, 'ORDER-REQ').length, 4, 'and no further');
    assert.ok(scene.saw('Zyzzyva.ORD.2', true));
  });

  it('Zyzzyva.ORD.1: the primary keeps the window', () => {
    const scene = new Scene({ limits: { checkpointInterval: 2, pipelineFactor: 1 } });
    scene.passes = ({ message }) => message.kind !== 'CHECKPOINT';
    for (const name of 'abcdef') scene.cluster.submit(name);
    scene.run(40);
    assert.equal(scene.said(0, 'ORDER-REQ').length, 2);
    assert.ok(scene.saw('Zyzzyva.ORD.1', false));
  });
});

describe('Zyzzyva, certificates', () => {
  it('scenario 2: with a silent backup requests complete by a commit certificate', () => {
    const scene = new Scene();
    scene.cut.add(3);
    for (const name of ['x', 'y']) {
      const bundle = scene.cluster.submit(name);
      scene.run();
      assert.equal(scene.believes(bundle, 'speculative'), false);
      scene.certify(bundle);
      assert.equal(scene.believes(bundle, 'committed'), true);
    }
    assert.ok(scene.saw('Zyzzyva.CC.1', true) && scene.saw('Zyzzyva.LC.1', true));
  });

  it('2f answers are no certificate, and answers of two histories never add up', () => {
    const scene = new Scene();
    scene.cut.add(0);
    const [a, b] = [scene.batch('a'), scene.batch('b')];
    scene.share(a, b);
    scene.tell(0, [1, 2], ...scene.orders(0, [a]));
    scene.tell(0, [3], ...scene.orders(0, [b]));
    assert.throws(() => scene.certify(a.bundles[0]!), /2f\+1/);
    scene.show([1, 2], scene.cores([1, 2], 0, scene.history([a]).end));
    scene.show(
      [1, 2],
      [...scene.cores([1, 2], 0, scene.history([a]).end), ...scene.cores([3], 0, scene.history([b]).end)],
    );
    assert.equal(scene.replica(1).certificate, undefined);
  });

  it('Zyzzyva.CC.2: a certificate of another view changes nothing', () => {
    const scene = new Scene();
    const batch = scene.batch();
    scene.show([1], scene.cores([0, 2, 3], 1, scene.history([batch]).end));
    assert.equal(scene.replica(1).certificate, undefined);
    assert.ok(scene.saw('Zyzzyva.CC.2', false));
  });

  it('Zyzzyva.CC.1: a certificate that the own history contradicts is proof against the primary', () => {
    const scene = new Scene();
    scene.cut.add(0);
    const [a, b] = [scene.batch('a'), scene.batch('b')];
    scene.share(a, b);
    scene.tell(0, [1, 2], ...scene.orders(0, [a]));
    scene.tell(0, [3], ...scene.orders(0, [b]));
    scene.show([3], scene.cores([0, 1, 2], 0, scene.history([a]).end));
    assert.ok(scene.saw('Zyzzyva.CC.1', false));
    assert.deepEqual(scene.replica(3).history.digests, [b.digest], 'it does not overwrite its history');
    assert.equal(scene.said(3, 'POM').length, 1);
    scene.run(50);
    for (const id of [1, 2, 3]) assert.equal(scene.replica(id).label, 1, 'the others find it convincing');
    for (const id of [1, 2, 3]) assert.equal(scene.replica(id).history.digests[0], a.digest);
  });

  it('a certificate that runs ahead of the orders waits for them', () => {
    const scene = new Scene();
    scene.cut.add(0);
    const [a, b] = [scene.batch('a'), scene.batch('b')];
    const [first, second] = scene.orders(0, [a, b]);
    scene.share(a, b);
    scene.show([1], scene.cores([0, 2, 3], 0, scene.history([a, b]).end));
    scene.tell(0, [1], first!);
    assert.equal(scene.answers(2, 'committed').length, 0);
    scene.tell(0, [1], second!);
    assert.deepEqual(
      scene.answers(2, 'committed').map(({ replica }) => replica),
      [1],
    );
  });

  it('scenario 8: a certificate that reached f replicas completes nothing', () => {
    const scene = new Scene();
    const bundle = scene.cluster.submit('x');
    scene.passes = ({ to }) => to !== 3;
    scene.run(2);
    scene.certify(bundle, [1]);
    assert.equal(scene.believes(bundle, 'committed'), false);
    assert.equal(scene.answers(1, 'committed').length, 1);
  });

  it('Zyzzyva.RSP.1, Zyzzyva.RSP.2: answers are repeated when asked for; scenario 19: as final ones when stable', () => {
    const scene = new Scene({ limits: { checkpointInterval: 2 } });
    const bundle = scene.cluster.submit('x');
    scene.run(100);
    const asked = { kind: 'asked', sequence: 1, bundle: bundle as never } as const;
    scene.cluster.input(2, asked);
    assert.equal(scene.answers(1, 'speculative').filter(({ replica }) => replica === 2).length, 2);
    scene.cluster.submit('y');
    scene.run(100);
    assert.equal(scene.replica(2).confirmed, 2);
    assert.equal(scene.believes(bundle, 'final'), false);
    scene.cluster.input(2, asked);
    scene.cluster.input(1, asked);
    assert.equal(scene.believes(bundle, 'final'), true);
    assert.ok(scene.saw('Zyzzyva.RSP.1', true) && scene.saw('Zyzzyva.RSP.2', true));
  });
});

describe('Zyzzyva, orders of a faulty primary', () => {
  const alone = (): Scene => {
    const scene = new Scene();
    scene.cut.add(0);
    return scene;
  };

  it('Zyzzyva.ACC.1.PRIMARY: only the primary of the view orders', () => {
    const scene = alone();
    const batch = scene.batch();
    scene.share(batch);
    const { history, digest } = { history: scene.history([batch]).end.history, digest: batch.digest };
    scene.tell(2, [1], scene.word(2, { kind: 'ORDER-REQ', view: 0, sequence: 1, history, digest }));
    assert.equal(scene.replica(1).executed, 0);
    assert.ok(scene.saw('Zyzzyva.ACC.1.PRIMARY', false));
  });

  it('Zyzzyva.ACC.1.CHAIN, Zyzzyva.ACC.3: orders that do not chain are proof against the primary', () => {
    const scene = alone();
    const [a, b, c] = [scene.batch('a'), scene.batch('b'), scene.batch('c')];
    scene.share(a, b, c);
    // The second order continues another history than the first one.
    scene.tell(0, [1], scene.orders(0, [a])[0]!, scene.orders(0, [b, c])[1]!);
    assert.ok(scene.saw('Zyzzyva.ACC.1.CHAIN', false));
    assert.equal(scene.replica(1).history.length, 1);
    assert.equal(scene.said(1, 'POM').length, 1);
    scene.run(50);
    for (const id of [1, 2, 3]) assert.equal(scene.replica(id).label, 1);
  });

  it('an order that chains on nothing is no proof, but a reason to suspect', () => {
    const scene = alone();
    const [a, b] = [scene.batch('a'), scene.batch('b')];
    scene.share(a, b);
    const history = scene.history([a]).end.history;
    scene.tell(0, [1], scene.word(0, { kind: 'ORDER-REQ', view: 0, sequence: 1, history, digest: b.digest }));
    assert.equal(scene.said(1, 'POM').length, 0);
    assert.equal(scene.said(1, 'I-HATE-THE-PRIMARY').length, 1);
    assert.equal(scene.replica(1).mode, 'active');
  });

  it('Zyzzyva.ACC.1.AUTHENTIC: nothing unauthentic is accepted', () => {
    const scene = alone();
    const batch = scene.batch();
    scene.share({ ...batch, bundleAuthentic: [false] });
    scene.tell(0, [1], ...scene.orders(0, [batch]));
    assert.equal(scene.replica(1).history.length, 0);
    assert.ok(scene.saw('Zyzzyva.ACC.1.AUTHENTIC', false));
    assert.equal(scene.said(1, 'I-HATE-THE-PRIMARY').length, 1);
  });

  it('Zyzzyva.ACC.1.WINDOW, Zyzzyva.ACC.1.VIEW: too early and too late', () => {
    const scene = new Scene({ limits: { checkpointInterval: 2, pipelineFactor: 1 } });
    scene.cut.add(0);
    const batches = [scene.batch(), scene.batch(), scene.batch()];
    scene.share(...batches);
    scene.tell(0, [1], ...scene.orders(0, batches));
    assert.equal(scene.replica(1).history.length, 2);
    assert.ok(scene.saw('Zyzzyva.ACC.1.WINDOW', false));
    scene.tell(1, [2], ...scene.orders(1, batches));
    assert.equal(scene.replica(2).history.length, 0);
    assert.ok(scene.saw('Zyzzyva.ACC.1.VIEW', false));
  });

  it('scenario 5: two stories come out by the words of a client; one survives, the other is ordered anew', () => {
    const scene = alone();
    const [a, b] = [scene.batch('a'), scene.batch('b')];
    scene.share(a, b);
    const [one, other] = [scene.orders(0, [a])[0]!, scene.orders(0, [b])[0]!];
    scene.tell(0, [1, 2], one);
    scene.tell(0, [3], other);
    scene.show([1], [one, one]);
    assert.equal(scene.replica(1).view, 0, 'one order is no proof');
    scene.show([1, 2, 3], [one, other]);
    scene.run(50);
    for (const id of [1, 2, 3]) assert.equal(scene.replica(id).label, 1);
    for (const id of [1, 2, 3]) assert.deepEqual(scene.executed(id), [a.digest]);
    const bundle = b.bundles[0]!;
    for (const id of [1, 2, 3]) scene.cluster.input(id, { kind: 'bundle', bundle: bundle as never });
    scene.run();
    for (const id of [1, 2, 3]) assert.equal(scene.executed(id).length, 2);
    scene.certify(bundle, [1, 2, 3]);
    assert.equal(scene.believes(bundle, 'committed'), true);
  });

  it('Zyzzyva.ACC.2: a hole is filled by others; scenario 9', () => {
    const scene = alone();
    const batches = [scene.batch(), scene.batch(), scene.batch()];
    const orders = scene.orders(0, batches);
    scene.share(...batches);
    scene.tell(0, [2], ...orders);
    scene.tell(0, [1], orders[0]!, orders[2]!);
    assert.equal(scene.replica(1).executed, 1);
    scene.run(400);
    assert.equal(scene.replica(1).executed, 3, 'replica 2 has passed on the order of the primary');
    assert.ok(scene.said(1, 'FILL-HOLE').length >= 1);
    assert.equal(scene.replica(1).view, 0);
    assert.ok(scene.saw('Zyzzyva.ACC.2', true));
  });

  it('Zyzzyva.ACC.2: if nobody has it, the primary is suspected', () => {
    const scene = alone();
    const batches = [scene.batch(), scene.batch(), scene.batch()];
    const orders = scene.orders(0, batches);
    scene.share(...batches);
    scene.tell(0, [1, 2, 3], orders[0]!, orders[2]!);
    scene.run(1_000);
    assert.ok(scene.saw('Zyzzyva.ACC.2', false));
    for (const id of [1, 2, 3]) assert.ok(scene.replica(id).label >= 1);
  });

  it('scenario 9: a silent primary is replaced, and what it had not ordered is', () => {
    const scene = alone();
    const bundle = scene.cluster.submit('x', [1, 2, 3]);
    scene.run(2_000);
    for (const id of [1, 2, 3]) assert.equal(scene.replica(id).label, 1);
    scene.certify(bundle, [1, 2, 3]);
    assert.equal(scene.believes(bundle, 'committed'), true);
  });

  it('Zyzzyva.ACC.5, scenario 17: who was left out asks the others, although nobody else complains', () => {
    const scene = alone();
    const batch = scene.batch();
    const bundle = batch.bundles[0]!;
    scene.share(batch);
    scene.tell(0, [1, 2], ...scene.orders(0, [batch]));
    // No help by reports of what was executed: only by asking.
    scene.passes = ({ message }) => message.kind !== 'STATUS';
    for (const id of [1, 2, 3]) scene.cluster.input(id, { kind: 'bundle', bundle: bundle as never });
    scene.run(400);
    assert.ok(scene.saw('Zyzzyva.ACC.5', true));
    assert.equal(scene.replica(3).executed, 1);
    scene.certify(bundle, [1, 2, 3]);
    assert.equal(scene.believes(bundle, 'committed'), true);
    assert.equal(scene.replica(3).label, 0);
  });

  it('Zyzzyva.ACC.6: two stories of a primary that fell silent come out although nobody asks', () => {
    const scene = alone();
    const [a, b] = [scene.batch('a'), scene.batch('b')];
    scene.share(a, b);
    scene.tell(0, [1, 2], ...scene.orders(0, [a]));
    scene.tell(0, [3], ...scene.orders(0, [b]));
    scene.run(2_000);
    assert.ok(scene.saw('Zyzzyva.ACC.6', true) && scene.saw('Zyzzyva.ACC.3', false));
    for (const id of [1, 2, 3]) assert.deepEqual(scene.executed(id), [a.digest]);
  });

  it('Zyzzyva.CKPT.1: at boundaries cores make a certificate among replicas', () => {
    const scene = new Scene({ limits: { checkpointInterval: 2 } });
    for (const name of ['x', 'y']) scene.cluster.submit(name);
    scene.run();
    assert.equal(scene.replica(3).stableProof.length, 2);
    assert.equal(scene.said(1, 'SPEC-RESPONSE').length, 1, 'not for the order below the boundary');
    assert.ok(scene.saw('Zyzzyva.CKPT.1', true) && scene.saw('Zyzzyva.CKPT.1', false));
  });
});
