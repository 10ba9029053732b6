/** Leaving and entering views. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Batch } from '../../core/request.ts';
import type { Sealed } from '../../smr/attested/sealed.ts';
import type { History } from './history.ts';
import type { Message, ViewChange, ZyzzyvaContent } from './messages.ts';
import { publishedHistory } from './published-rule.testing.ts';
import { Scene } from './scene.testing.ts';
import type { ZyzzyvaReplica } from './replica.ts';
import type { HistoryRule } from './view-change.ts';
import { judgeViewChange } from './view-change.ts';

/** What the new primary made of the VIEW-CHANGEs that it got. */
function baseOf(scene: Scene, primary: number, view: number): { length: number; history: string } {
  const found = scene.said(primary, 'NEW-VIEW').find(({ content }) => content.view === view);
  assert.notEqual(found, undefined, `replica ${primary} says NEW-VIEW(${view})`);
  return found!.content.base;
}

/** Gives what a replica has said to others, also to those that a test has cut off. */
function pass(scene: Scene, from: number, kind: ZyzzyvaContent['kind'], to: readonly number[]): void {
  scene.tell(from, to, ...(scene.said(from, kind) as readonly Sealed<ZyzzyvaContent>[]));
}

/** Nothing passes by itself: a test carries every message. */
function silent(rule?: HistoryRule): Scene {
  const scene = new Scene(rule === undefined ? {} : { switches: { historyRule: rule } });
  scene.passes = () => false;
  return scene;
}

/** View 0 of Z1 and Z2: `first` for replicas 1 and 2, b for replica 3; the certificate of `first` reaches replica 2 only. */
function splitViewZero(scene: Scene, first: readonly Batch[], b: Batch): void {
  scene.share(...first, b);
  scene.tell(0, [1, 2], ...scene.orders(0, first));
  scene.tell(0, [3], ...scene.orders(0, [b]));
  const { end } = scene.history(first);
  const lie = scene.cores([0], 0, end);
  scene.certify(first.at(-1)!.bundles[0]!, [2], lie);
  assert.deepEqual(
    scene.answers(end.length, 'committed').map(({ replica }) => replica),
    [2],
  );
}

/** View 1 of Z1 and Z2: replicas 0 (which claims b), 1 and 3 change to it; its base is b. */
function viewOne(scene: Scene, b: Batch, entering: readonly number[]): History {
  scene.tell(0, [1, 3], ...scene.hates([0, 2], 0));
  const history = scene.history([b]);
  scene.tell(0, [1], scene.viewChange(0, 1, { history, reason: scene.hates([0, 2], 0) }));
  pass(scene, 3, 'VIEW-CHANGE', [1]);
  assert.equal(baseOf(scene, 1, 1).history, history.end.history);
  pass(scene, 1, 'NEW-VIEW', [2, 3]);
  const confirms = scene.confirms([0, 1, 3], 1, history.end);
  for (const id of entering) scene.tell(0, [id], ...confirms);
  for (const id of entering) assert.deepEqual(scene.executed(id), [b.digest]);
  return history;
}

/** Replica 2 makes view 2 of its own VIEW-CHANGE and of those of two others; what it puts at the first place. */
function viewTwo(scene: Scene, other: number): { readonly base: string; readonly shown: Message } {
  const reason = scene.hates([0, 3], 1);
  scene.tell(0, [2, other], ...reason);
  const shown = scene.said(2, 'VIEW-CHANGE').find(({ content }) => content.view === 2)!;
  scene.tell(0, [2], scene.viewChange(0, 2, { reason }));
  pass(scene, other, 'VIEW-CHANGE', [2]);
  return { base: baseOf(scene, 2, 2).history, shown };
}

/** Scenario Z1: b completes in view 1 by a certificate; what view 2 begins with. */
function playZ1(rule: HistoryRule | undefined, twoOrders: boolean): { base: string; b: string; a: string } {
  const scene = silent(rule);
  const first = twoOrders ? [scene.batch('a'), scene.batch('c')] : [scene.batch('a')];
  const b = scene.batch('b');
  splitViewZero(scene, first, b);
  const history = viewOne(scene, b, [1, 3]);
  const bundle = b.bundles[0]!;
  scene.certify(bundle, [1, 3], scene.cores([0], 1, history.end, history.end));
  const committed = scene.answers(1, 'committed').filter(({ batch }) => batch === b.digest);
  assert.deepEqual(
    committed.map(({ replica }) => replica),
    [1, 3],
    'with the word of replica 0 the client has 2f+1 acknowledgements: b is complete',
  );
  return { ...viewTwo(scene, 3), b: history.end.history, a: scene.history(first).end.history };
}

/** Scenario Z2: b completes in view 1 by 3f+1 answers, without any certificate. */
function playZ2(): { base: string; b: string; label: unknown } {
  const scene = silent();
  const b = scene.batch('b');
  splitViewZero(scene, [scene.batch('a')], b);
  const history = viewOne(scene, b, [1, 2, 3]);
  assert.equal(
    scene.believes(b.bundles[0]!, 'speculative', scene.cores([0], 1, history.end, history.end)),
    true,
  );
  const { base, shown } = viewTwo(scene, 1);
  const { label } = shown.content as { readonly label?: number };
  return { base, b: history.end.history, label };
}

describe('Zyzzyva, what the published view change loses', () => {
  it('scenario 3 (Z1): the corrected rule keeps the completed request', () => {
    const { base, b } = playZ1(undefined, false);
    assert.equal(base, b);
  });

  it('scenario 3 (Z1): the published rule loses it, and the test sees that', () => {
    const { base, a, b } = playZ1(publishedHistory, false);
    assert.notEqual(base, b);
    assert.equal(base, a);
  });

  it('scenario 3 (Z1 with two orders in view 0): kept by the corrected rule, lost by the published one', () => {
    const kept = playZ1(undefined, true);
    assert.equal(kept.base, kept.b);
    const lost = playZ1(publishedHistory, true);
    assert.equal(lost.base, lost.a);
  });

  it('scenario 4 (Z2): who has entered view 1 shows its certificate, not the one of view 0', () => {
    const { base, b, label } = playZ2();
    assert.equal(label, 1);
    assert.equal(base, b);
  });
});

describe('Zyzzyva, VIEW-CHANGE', () => {
  const offered = (message: (scene: Scene, batches: Batch[]) => Message): Scene => {
    const scene = silent();
    const batches = [scene.batch(), scene.batch(), scene.batch()];
    scene.tell(3, [1], message(scene, batches));
    return scene;
  };

  it('Zyzzyva.VC.2: one valid VIEW-CHANGE is enough to follow, since it carries the reason', () => {
    const scene = offered((s) => s.viewChange(3, 1));
    assert.equal(scene.replica(1).view, 1);
    assert.equal(scene.said(1, 'VIEW-CHANGE').length, 1);
    assert.equal(scene.said(1, 'VIEW-CHANGE')[0]!.content.reason.length, 2);
  });

  it('Zyzzyva.VC.4.REASON: without f+1 words against the primary, or with words against another, it is void', () => {
    for (const reason of [
      (s: Scene) => s.hates([0], 0),
      (s: Scene) => s.hates([0, 0], 0),
      (s: Scene) => s.hates([0, 3], 1),
      (s: Scene) => s.orders(0, [s.batch()]),
    ]) {
      const scene = offered((s) => s.viewChange(3, 1, { reason: reason(s) }));
      assert.equal(scene.replica(1).view, 0);
      assert.ok(scene.saw('Zyzzyva.VC.4.REASON', false));
    }
  });

  it('a proof against the primary is a reason, too', () => {
    const scene = offered((s, [a, b]) => {
      const reason = [s.orders(0, [a!])[0]!, s.orders(0, [b!])[0]!];
      return s.viewChange(3, 1, { reason });
    });
    assert.equal(scene.replica(1).view, 1);
    const chained = offered((s, [a, b]) => s.viewChange(3, 1, { reason: s.orders(0, [a!, b!]) }));
    assert.equal(chained.replica(1).view, 0, 'two orders that chain prove nothing');
    const certified = offered((s, [a, b]) => {
      const reason = [s.orders(0, [a!])[0]!, ...s.cores([1, 2, 3], 0, s.history([b!]).end)];
      return s.viewChange(3, 1, { reason });
    });
    assert.equal(certified.replica(1).view, 1);
  });

  it('scenario 6, Zyzzyva.VC.4.LABEL: a label without a certificate of its view', () => {
    const forged = [
      () => [],
      (s: Scene) => s.confirms([0, 3], 1, s.history([]).end),
      (s: Scene) => s.confirms([0, 3, 3], 1, s.history([]).end),
      (s: Scene) => s.confirms([0, 2, 3], 2, s.history([]).end),
      (s: Scene) => s.hates([0, 2, 3], 1),
    ];
    for (const make of forged) {
      const scene = offered((s) => {
        const certificate = make(s);
        return s.viewChange(3, 4, { label: 1, certificate, reason: s.hates([0, 3], 3) });
      });
      assert.equal(scene.replica(1).view, 0);
      assert.ok(scene.saw('Zyzzyva.VC.4.LABEL', false));
    }
  });

  it('scenario 6, Zyzzyva.VC.4.REACH: a certificate beyond the history, or of another one', () => {
    for (const length of [1, 2]) {
      const scene = offered((s, batches) => {
        const history = s.history(batches.slice(0, length));
        const proven = s.history(length === 1 ? batches : batches.toReversed());
        return s.viewChange(3, 1, { history, certificate: s.cores([0, 2, 3], 0, proven.upTo(2).end) });
      });
      assert.equal(scene.replica(1).view, 0);
      assert.ok(scene.saw('Zyzzyva.VC.4.REACH', false));
    }
  });

  it('a certificate inside the base of its view proves the whole base', () => {
    const make = (length: number): Scene =>
      offered((s, batches) => {
        const whole = s.history(batches);
        const certificate = s.cores([0, 2, 3], 1, whole.upTo(1).end, whole.end);
        const history = whole.upTo(length);
        return s.viewChange(3, 2, { label: 1, history, certificate, reason: s.hates([0, 3], 1) });
      });
    assert.equal(make(3).replica(1).view, 2);
    assert.equal(make(2).replica(1).view, 0);
  });

  it('scenario 6, Zyzzyva.VC.4.CHAIN: a history that does not chain, or beyond the window', () => {
    const broken = offered((s, batches) => {
      const { content } = s.viewChange(3, 1, { history: s.history(batches) });
      return s.word(3, { ...content, history: batches[0]!.digest } as ZyzzyvaContent);
    });
    assert.equal(broken.replica(1).view, 0);
    assert.ok(broken.saw('Zyzzyva.VC.4.CHAIN', false));
    const long = offered((s, [a]) => s.viewChange(3, 1, { history: s.history(new Array(9).fill(a)) }));
    assert.equal(long.replica(1).view, 0);
  });

  it('Zyzzyva.VC.4.CHAIN: what is too long is not hashed', () => {
    const scene = new Scene();
    let links = 0;
    const { judging, bodies } = scene.replica(1) as unknown as ZyzzyvaReplica;
    const link: typeof judging.link = (...of) => {
      links += 1;
      return judging.link(...of);
    };
    const counting = { ...judging, link };
    const judge = (length: number): unknown => {
      const digests = new Array<Batch>(length).fill(bodies.nullBatch);
      const reason = scene.hates([0, 3], 0);
      const leave = scene.viewChange(3, 1, { history: scene.history(digests), reason });
      return judgeViewChange(counting, leave as Message<ViewChange>);
    };
    assert.ok(judge(judging.window) !== undefined && links === judging.window);
    assert.ok(judge(judging.window + 1) === undefined && links === judging.window);
  });

  it('Zyzzyva.VC.4.STABLE: a checkpoint that is not certified, or of a view above the label', () => {
    const forged = (s: Scene, batch: Batch, view: number, of: readonly number[]): Message => {
      const { length: sequence, history } = s.history([batch]).end;
      const content = { kind: 'CHECKPOINT', view, sequence, history, stateDigest: batch.digest } as const;
      const checkpoints = of.map((author) => s.word(author, content));
      return s.viewChange(3, 5, {
        checkpoints,
        history: s.history([], s.history([batch]).end),
        reason: s.hates([0, 3], 4),
      });
    };
    for (const [view, of] of [
      [0, [0, 3]],
      [0, [0, 3, 3]],
      [1, [0, 2, 3]],
    ] as const) {
      const scene = offered((s, [a]) => forged(s, a!, view, of));
      assert.equal(scene.replica(1).view, 0);
      assert.ok(scene.saw('Zyzzyva.VC.4.STABLE', false));
    }
    assert.equal(offered((s, [a]) => forged(s, a!, 0, [0, 2, 3])).replica(1).view, 5);
  });

  it('Zyzzyva.VC.2.NEAR: lies of a primary to be move nobody out of the views before', () => {
    const scene = new Scene();
    const [a, b] = [scene.batch('a'), scene.batch('b')];
    const lied = (view: number) => [...scene.orders(view, [a]), ...scene.orders(view, [b])];
    // Replica 3 would lead view 3: what it signs for that view today is no reason to leave view 0.
    scene.tell(3, [1, 2], scene.viewChange(3, 4, { reason: lied(3) }));
    assert.deepEqual(
      [1, 2].map((id) => scene.replica(id).view),
      [0, 0],
    );
    assert.ok(scene.saw('Zyzzyva.VC.2.NEAR', false));
    // With f+1 that ask for it there is a correct one among them.
    scene.tell(0, [1, 2], scene.viewChange(0, 4, { reason: lied(3) }));
    assert.deepEqual(
      [1, 2].map((id) => scene.replica(id).view),
      [4, 4],
    );
  });

  it('Zyzzyva.VC.1, Zyzzyva.VC.2: a suspicion is told once and work goes on; f+1 end the view', () => {
    const scene = new Scene();
    scene.cut.add(0);
    scene.cluster.submit('x', [1]);
    scene.passes = ({ message }) => message.kind !== 'STATUS';
    scene.run(2_000);
    assert.equal(scene.said(1, 'I-HATE-THE-PRIMARY').filter(({ content }) => content.view === 0).length, 1);
    assert.ok(scene.saw('Zyzzyva.VC.1', true) && scene.saw('Zyzzyva.VC.2', true));
    const alone = silent();
    alone.tell(3, [1], ...alone.hates([3], 0));
    assert.equal(alone.replica(1).mode, 'active');
    assert.ok(alone.saw('Zyzzyva.VC.2', false));
    alone.tell(2, [1], ...alone.hates([2], 0));
    assert.equal(alone.replica(1).mode, 'changing');
  });

  it('scenario 13, Zyzzyva.LC.1: no LOCAL-COMMIT after the own VIEW-CHANGE', () => {
    const scene = silent();
    const batch = scene.batch();
    scene.share(batch);
    scene.tell(0, [1, 2, 3], ...scene.orders(0, [batch]));
    scene.tell(0, [1, 2, 3], ...scene.hates([0, 3], 0));
    for (const id of [1, 2, 3]) assert.equal(scene.said(id, 'VIEW-CHANGE')[0]!.content.certificate.length, 0);
    scene.certify(batch.bundles[0]!, [1, 2, 3]);
    assert.equal(scene.answers(1, 'committed').length, 0);
    for (const id of [1, 2, 3]) assert.equal(scene.replica(id).certificate, undefined);
  });

  it('Zyzzyva.LC.1: nor one whose certificate became durable only after it', () => {
    const scene = silent();
    const batch = scene.batch();
    scene.share(batch);
    scene.tell(0, [1, 2, 3], ...scene.orders(0, [batch]));
    // The certificate is taken in, and before its word is given the view is left.
    const messages = scene.cores([0, 2, 3], 0, scene.history([batch]).end);
    const message = { kind: 'PROOF', messages } as const;
    scene.cluster.input(1, { kind: 'clientMessage', message: message as never });
    for (const hate of scene.hates([0, 3], 0)) scene.cluster.deliver(0, 1, hate);
    scene.run();
    assert.equal(scene.said(1, 'VIEW-CHANGE')[0]!.content.certificate.length, 3, 'but it is shown');
    assert.equal(scene.answers(1, 'committed').length, 0);
    assert.ok(scene.saw('Zyzzyva.LC.1', false));
  });
});

describe('Zyzzyva, NEW-VIEW', () => {
  /** Three VIEW-CHANGEs for view 1 with these histories. */
  const changes = (scene: Scene, of: readonly number[], history: History): Message[] =>
    of.map((author) => scene.viewChange(author, 1, { history, reason: scene.hates([0, 3], 0) }));

  it('Zyzzyva.NV.1, Zyzzyva.NV.2.BASE: by its primary, of exactly 2f+1 replicas, with the base that follows', () => {
    const scene = silent();
    const history = scene.history([scene.batch()]);
    const { end: base } = history;
    const three = changes(scene, [0, 2, 3], history);
    const offers = [
      [2, { viewChanges: three, base }],
      [1, { viewChanges: three.slice(1), base }],
      [1, { viewChanges: [...three, ...changes(scene, [1], history)], base }],
      [1, { viewChanges: [three[0]!, three[1]!, three[1]!], base }],
      [1, { viewChanges: [three[0]!, three[1]!, scene.viewChange(3, 2)], base }],
      [1, { viewChanges: three, base: scene.history([]).end }],
    ] as const;
    for (const [author, content] of offers) {
      scene.tell(author, [3], scene.word(author, { kind: 'NEW-VIEW', view: 1, ...content }));
      assert.equal(scene.said(3, 'VIEW-CONFIRM').length, 0);
    }
    assert.ok(scene.saw('Zyzzyva.NV.1', false) && scene.saw('Zyzzyva.NV.2.BASE', false));
    scene.tell(1, [3], scene.word(1, { kind: 'NEW-VIEW', view: 1, viewChanges: three, base }));
    assert.deepEqual(scene.said(3, 'VIEW-CONFIRM')[0]!.content.base, base);
  });

  it('scenarios 7 and 16, Zyzzyva.NV.2.ONCE: of two NEW-VIEWs of one primary one is confirmed', () => {
    const scene = silent();
    const [a, b] = [scene.batch('a'), scene.batch('b')];
    const offers = [a, b].map((batch) => {
      const history = scene.history([batch]);
      const viewChanges = changes(scene, [0, 1, 2], history);
      return scene.word(1, { kind: 'NEW-VIEW', view: 1, viewChanges, base: history.end });
    });
    scene.tell(1, [2], offers[0]!, offers[1]!);
    scene.tell(1, [3], offers[1]!, offers[0]!);
    assert.deepEqual(scene.said(2, 'VIEW-CONFIRM')[0]!.content.base, scene.history([a]).end);
    assert.deepEqual(scene.said(3, 'VIEW-CONFIRM')[0]!.content.base, scene.history([b]).end);
    for (const id of [2, 3]) assert.equal(scene.said(id, 'VIEW-CONFIRM').length, 1);
    assert.ok(scene.saw('Zyzzyva.NV.2.ONCE', false));
    // Also after a restart.
    scene.cluster.restart(2);
    scene.tell(1, [2], offers[1]!);
    scene.run();
    assert.equal(scene.said(2, 'VIEW-CONFIRM').length, 1);
  });

  it('Zyzzyva.ENTER.1.QUORUM: with 2f+1 equal VIEW-CONFIRMs; whoever confirmed another base enters the right one', () => {
    const scene = silent();
    const [a, b] = [scene.batch('a'), scene.batch('b')];
    scene.share(a, b);
    const offer = (batch: Batch): Message => {
      const history = scene.history([batch]);
      const viewChanges = changes(scene, [0, 1, 2], history);
      return scene.word(1, { kind: 'NEW-VIEW', view: 1, viewChanges, base: history.end });
    };
    const base = scene.history([b]).end;
    scene.tell(1, [3], offer(a), ...scene.confirms([0, 2], 1, base));
    assert.equal(scene.replica(3).label, 0);
    assert.ok(scene.saw('Zyzzyva.ENTER.1.QUORUM', false));
    scene.tell(1, [3], ...scene.confirms([1], 1, base));
    assert.equal(scene.replica(3).label, 0, 'it does not know that base yet');
    scene.tell(1, [3], offer(b));
    assert.equal(scene.replica(3).label, 1);
    assert.deepEqual(scene.executed(3), [b.digest]);
  });

  it('scenario 15, Zyzzyva.ENTER.1.LOWER: no view is entered below one that was asked for', () => {
    const scene = silent();
    const history = scene.history([scene.batch()]);
    const viewChanges = changes(scene, [0, 1, 2], history);
    const { end: base } = history;
    scene.tell(1, [3], scene.word(1, { kind: 'NEW-VIEW', view: 1, viewChanges, base }));
    scene.tell(0, [3], ...scene.hates([0, 1], 1));
    assert.equal(scene.replica(3).view, 2);
    scene.tell(1, [3], ...scene.confirms([0, 1, 2], 1, base));
    assert.deepEqual([scene.replica(3).label, scene.replica(3).view], [0, 2]);
    assert.ok(scene.saw('Zyzzyva.ENTER.1.LOWER', false));
  });

  it('an invalid NEW-VIEW and one that does not come make the next primary', () => {
    const scene = new Scene();
    scene.cut.add(0);
    scene.passes = ({ from, message }) => from !== 1 || message.kind !== 'NEW-VIEW';
    const bundle = scene.cluster.submit('x', [1, 2, 3]);
    scene.run(4_500);
    assert.ok(scene.replica(2).label >= 2);
    scene.certify(bundle, [1, 2, 3]);
    assert.equal(scene.believes(bundle, 'committed'), true);
  });
});

describe('Zyzzyva, entering', () => {
  it('scenario 11: a branch of 50 orders is undone, and its requests are executed once afterwards', () => {
    const scene = new Scene({ limits: { checkpointInterval: 64 } });
    scene.cut.add(0);
    const a = scene.batch('a');
    const others = Array.from({ length: 50 }, (_, index) => scene.batch(`b${index}`));
    scene.share(a, ...others);
    scene.tell(0, [1, 2], ...scene.orders(0, [a]));
    scene.tell(0, [3], ...scene.orders(0, others));
    assert.equal(scene.executed(3).length, 50);
    scene.tell(0, [1, 2, 3], ...scene.hates([0, 3], 0));
    scene.run(100);
    for (const id of [1, 2, 3]) assert.deepEqual(scene.executed(id), [a.digest]);
    for (const id of [1, 2, 3]) assert.equal(scene.replica(id).label, 1);
    for (const { bundles } of others)
      for (const id of [1, 2, 3]) scene.cluster.input(id, { kind: 'bundle', bundle: bundles[0]! as never });
    scene.run(500);
    const { bodies } = scene.cluster.machines[3]!;
    const executed = scene
      .executed(3)
      .flatMap((digest) => bodies.get(digest)!.bundles.map((one) => one.digest));
    assert.equal(executed.length, 51);
    assert.equal(new Set(executed).size, 51);
    for (const id of [1, 2]) assert.deepEqual(scene.executed(id), scene.executed(3));
    assert.ok(scene.saw('Zyzzyva.ACC.4', true));
  });

  it('Zyzzyva.ENTER.3: what the base keeps is answered anew with the new view in every core', () => {
    const scene = new Scene();
    scene.cut.add(0);
    const batch = scene.batch();
    scene.share(batch);
    scene.tell(0, [1, 2, 3], ...scene.orders(0, [batch]));
    scene.tell(0, [1, 2, 3], ...scene.hates([0, 3], 0));
    scene.run(100);
    assert.equal(scene.answers(1, 'speculative').length, 6);
    const lie = scene.cores([0], 0, scene.history([batch]).end);
    assert.equal(
      scene.believes(batch.bundles[0]!, 'speculative', lie),
      true,
      'in view 0, with the word of replica 0',
    );
    assert.ok(scene.saw('Zyzzyva.ENTER.3', true));
    scene.certify(batch.bundles[0]!, [1, 2, 3]);
    for (const id of [1, 2, 3]) assert.equal(scene.replica(id).certificate!.view, 1);
  });

  it('Zyzzyva.ENTER.2: a base that contradicts what is stable here stops the replica', () => {
    const scene = new Scene({ limits: { checkpointInterval: 2 } });
    for (const name of ['x', 'y']) scene.cluster.submit(name);
    scene.run(50);
    assert.equal(scene.replica(3).confirmed, 2);
    scene.passes = () => false;
    // More than f lie: their VIEW-CHANGEs know of no stable checkpoint.
    const history = scene.history([scene.batch('p'), scene.batch('q'), scene.batch('r')]);
    const viewChanges = [0, 1, 2].map((author) => scene.viewChange(author, 1, { history }));
    const base = history.end;
    scene.tell(1, [3], scene.word(1, { kind: 'NEW-VIEW', view: 1, viewChanges, base }));
    scene.tell(1, [3], ...scene.confirms([0, 1, 2], 1, base));
    assert.match(scene.cluster.machines[3]!.halted ?? '', /contradicts what is stable/);
    assert.ok(scene.saw('Zyzzyva.ENTER.2', false));
  });
});
