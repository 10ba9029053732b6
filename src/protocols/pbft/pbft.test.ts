/** Three-phase agreement and its signed view change, rule by rule, and the scenarios of the paper's critics. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Digest, ReplicaId, View } from '../../core/types.ts';
import { provenCheckpoint, readingOf } from '../../smr/attested/checkpoint.ts';
import { sha256, TestCluster } from '../../smr/attested/cluster.testing.ts';
import { isSigned } from '../../smr/attested/quorums.ts';
import type { AttestedMessage, Sealed } from '../../smr/attested/sealed.ts';
import { isOf, isSealed, SealedCodec } from '../../smr/attested/sealed.ts';
import type { PhaseContent, PreparedProof, ViewChange } from '../../smr/three-phase/messages.ts';
import type { PhaseRules } from '../../smr/three-phase/view-change.ts';
import {
  baseOf,
  isPreparedProof,
  isValidViewChange,
  judgeNewView,
} from '../../smr/three-phase/view-change.ts';
import { pbft } from './definition.ts';
import { PBFT_MESSAGES } from './messages.ts';

type Message = Sealed<PhaseContent>;
type Kind = PhaseContent['kind'];

const A = 'a'.repeat(64) as Digest;
const B = 'b'.repeat(64) as Digest;

/** A cluster with a record of the rules that refused, and a forge for messages of Byzantine replicas. */
class Stage extends TestCluster<PhaseContent> {
  readonly refused: string[];
  readonly codec: SealedCodec<PhaseContent>;
  #numbers = 1_000;

  constructor(f = 1) {
    const refused: string[] = [];
    super(pbft, {
      f,
      trace: ({ rule, passed }) => {
        if (!passed) refused.push(rule);
      },
    });
    this.refused = refused;
    this.codec = new SealedCodec({ hash: sha256, domain: this.contexts[0]!.domain }, PBFT_MESSAGES);
  }

  /** A message as its author would have signed it. */
  forge(author: ReplicaId, content: PhaseContent): Message {
    this.#numbers += 1;
    const word = { kind: 'host', replica: author, signature: new Uint8Array(64) } as const;
    return this.codec.complete(
      this.#numbers,
      author,
      content,
      this.codec.encodeContent(author, content),
      word,
    );
  }

  /** How many replicas have executed this many batches. */
  executed(count: number): number {
    return this.histories().filter((history) => history.length >= count).length;
  }

  view(id: ReplicaId): View {
    return this.machines[id]!.replica.inspect(this.now).view;
  }
}

const order = (kind: 'PRE-PREPARE' | 'PREPARE' | 'COMMIT', view: View, sequence: number, digest: Digest) =>
  ({ kind, view, sequence, digest }) as const;

describe('PBFT, normal case', () => {
  it('orders what clients ask for, each replica the same, with the messages of the paper', () => {
    const stage = new Stage();
    stage.submit('one');
    stage.run(50);
    assert.equal(stage.executed(1), 4);
    const expected = pbft.facts.messages(4, 1);
    for (const kind of ['PRE-PREPARE', 'PREPARE', 'COMMIT'])
      assert.equal(stage.count(kind), expected[kind], kind);
  });

  it('PBFT.N1: proposes inside the window only, with a bounded number in flight', () => {
    const stage = new Stage();
    stage.passes = (_from, _to, message) => message.kind !== 'COMMIT' && message.kind !== 'CHECKPOINT';
    for (let count = 0; count < 20; count += 1) stage.submit(`r${count}`, [0]);
    stage.run(40);
    // checkpointInterval 4 with factor 2: the window is 8.
    assert.equal(stage.count('PRE-PREPARE'), 8 * 3);
    assert.ok(stage.refused.includes('PBFT.N1'));
  });

  it('PBFT.N2.primary: takes no proposal of a backup', () => {
    const stage = new Stage();
    stage.deliver(2, 1, stage.forge(2, order('PRE-PREPARE', 0, 1, A)));
    assert.ok(stage.refused.includes('PBFT.N2.primary'));
  });

  it('PBFT.N2.once: the first proposal for an order stands, also after it was prepared', () => {
    const stage = new Stage();
    stage.submit('one');
    stage.run(50);
    const second = stage.forge(0, order('PRE-PREPARE', 0, 1, B));
    stage.deliver(0, 1, second);
    stage.run(20);
    assert.ok(stage.refused.includes('PBFT.N2.once'));
    assert.ok(stage.machines[1]!.notes.includes('conflictingProposal'));
    assert.equal(stage.executed(1), 4);
  });

  it('PBFT.N2.once: a proposal to each half decides nothing, and the view changes', () => {
    const stage = new Stage();
    stage.passes = (from, to, message) => from !== 0 || message.kind !== 'PRE-PREPARE' || to === 1;
    stage.submit('one');
    stage.run(5);
    const other = stage.forge(0, order('PRE-PREPARE', 0, 1, B));
    for (const id of [2, 3]) stage.deliver(0, id, other);
    stage.run(4_000);
    assert.ok(stage.view(1) > 0);
    assert.equal(stage.executed(1), 4);
  });

  it('PBFT.N2.window: what lies beyond the window waits', () => {
    const stage = new Stage();
    stage.deliver(0, 1, stage.forge(0, order('PRE-PREPARE', 0, 9, A)));
    assert.ok(stage.refused.includes('PBFT.N2.window'));
  });

  it('PBFT.N2.authentic: nobody votes for a batch with a request that its client did not sign', () => {
    const stage = new Stage();
    stage.passes = (from) => from !== 0;
    const bundle = stage.submit('one', [0]);
    stage.run(5);
    const batch = [...stage.machines[0]!.bodies.values()][0]!;
    assert.ok(batch.bundles.some(({ digest }) => digest === bundle.digest));
    const forged = { ...batch, digest: A, bundleAuthentic: [false] };
    stage.input(1, { kind: 'body', batch: forged });
    stage.deliver(0, 1, stage.forge(0, order('PRE-PREPARE', 0, 1, A)));
    stage.run(20);
    assert.ok(stage.refused.includes('PBFT.N2.authentic'));
    assert.equal(stage.sent.filter(({ from, kind }) => from === 1 && kind === 'PREPARE').length, 0);
  });

  it('PBFT.N3: needs PREPAREs of a quorum; PBFT.N3.backup: that of the primary does not count', () => {
    const stage = new Stage();
    stage.passes = (_from, _to, message) => message.kind !== 'PREPARE';
    stage.submit('one');
    stage.run(20);
    const digest = [...stage.machines[0]!.bodies.keys()][0]!;
    assert.ok(stage.refused.includes('PBFT.N3'));
    stage.deliver(0, 1, stage.forge(0, order('PREPARE', 0, 1, digest)));
    assert.ok(stage.refused.includes('PBFT.N3.backup'));
    assert.equal(stage.count('COMMIT'), 0);
    stage.deliver(2, 1, stage.forge(2, order('PREPARE', 0, 1, digest)));
    stage.run(5);
    assert.equal(stage.count('COMMIT'), 3, 'the own PREPARE and one more are a quorum with the proposal');
  });

  it('PBFT.N4: COMMITs count together only if view, order and batch are equal', () => {
    const stage = new Stage();
    stage.passes = (_from, _to, message) => message.kind !== 'COMMIT';
    stage.submit('one');
    stage.run(20);
    const digest = [...stage.machines[0]!.bodies.keys()][0]!;
    stage.deliver(0, 1, stage.forge(0, order('COMMIT', 0, 1, A)));
    stage.deliver(2, 1, stage.forge(2, order('COMMIT', 1, 1, digest)));
    stage.deliver(3, 1, stage.forge(3, order('COMMIT', 0, 2, digest)));
    stage.deliver(3, 1, stage.forge(3, order('COMMIT', 0, 1, digest)));
    stage.run(5);
    assert.equal(stage.executed(1), 0);
    assert.ok(stage.refused.includes('PBFT.N4'));
    stage.deliver(2, 1, stage.forge(2, order('COMMIT', 0, 1, digest)));
    stage.run(5);
    assert.equal(stage.executed(1), 1);
  });
});

describe('PBFT, between views', () => {
  it('PBFT.VC.timer, PBFT.VC.join: a dead primary is replaced, and whoever waits for less joins', () => {
    const stage = new Stage();
    stage.passes = (from, to) => from !== 0 && to !== 0;
    stage.submit('one', [1, 2, 3]);
    stage.run(4_000);
    assert.deepEqual(
      [1, 2, 3].map((id) => stage.view(id)),
      [1, 1, 1],
    );
    assert.equal(stage.executed(1), 3);
    const { refused } = stage;
    assert.ok(refused.includes('PBFT.VC.timer') && refused.includes('PBFT.VC.join'));
  });

  it('what one correct replica committed survives two changes of the view', () => {
    const stage = new Stage();
    // Only replica 3 gets COMMITs, then it is cut off.
    stage.passes = (_from, to, message) => message.kind !== 'COMMIT' || to === 3;
    stage.submit('one');
    stage.run(20);
    assert.equal(stage.executed(1), 1);
    const decided = stage.histories()[3]![0];
    stage.passes = (from, to) => from !== 3 && to !== 3;
    stage.run(8_000);
    stage.submit('two', [0, 1, 2]);
    stage.run(8_000);
    stage.passes = () => true;
    stage.run(8_000);
    assert.equal(stage.executed(2), 4);
    assert.equal(stage.histories()[0]![0], decided);
  });

  it('PBFT.VC.left: nothing of a view is committed to after leaving it', () => {
    const stage = new Stage();
    stage.passes = (_from, _to, { kind }) => kind !== 'PREPARE' && kind !== 'VIEW-CHANGE';
    stage.submit('one');
    stage.run(20);
    const digest = [...stage.machines[0]!.bodies.keys()][0]!;
    for (const author of [0, 2]) {
      const content: PhaseContent = { kind: 'VIEW-CHANGE', view: 1, checkpoints: [], prepared: [] };
      stage.deliver(author, 3, stage.forge(author, content));
    }
    assert.equal(stage.view(3), 1);
    for (const author of [1, 2])
      stage.deliver(author, 3, stage.forge(author, order('PREPARE', 0, 1, digest)));
    stage.deliver(2, 3, stage.forge(2, order('COMMIT', 0, 1, digest)));
    stage.run(5);
    assert.equal(stage.sent.filter(({ from, kind }) => from === 3 && kind === 'COMMIT').length, 0);
    assert.ok(stage.refused.includes('PBFT.VC.left'));
  });

  it('PBFT.N2.base: a new primary proposes what it is obliged to, or nothing', () => {
    const stage = new Stage();
    const { prepared } = scene(stage);
    const changes = [0, 1, 2].map((author) =>
      stage.forge(author, {
        kind: 'VIEW-CHANGE',
        view: 1,
        checkpoints: [],
        prepared: author === 2 ? [prepared(0, 1, A)] : [],
      }),
    );
    stage.deliver(1, 3, stage.forge(1, { kind: 'NEW-VIEW', view: 1, viewChanges: changes }));
    assert.equal(stage.view(3), 1);
    stage.deliver(1, 3, stage.forge(1, order('PRE-PREPARE', 1, 1, B)));
    assert.ok(stage.refused.includes('PBFT.N2.base'));
  });

  it('PBFT.NV.primary, PBFT.NV.quorum: a NEW-VIEW is by its primary, on VIEW-CHANGEs of a quorum', () => {
    const stage = new Stage();
    const change = (author: ReplicaId): Message =>
      stage.forge(author, { kind: 'VIEW-CHANGE', view: 1, checkpoints: [], prepared: [] });
    const newView = (author: ReplicaId, authors: readonly ReplicaId[]): Message =>
      stage.forge(author, { kind: 'NEW-VIEW', view: 1, viewChanges: authors.map(change) });
    stage.deliver(2, 3, newView(2, [0, 1, 2]));
    assert.ok(stage.refused.includes('PBFT.NV.primary'));
    stage.deliver(1, 3, newView(1, [0, 1]));
    stage.deliver(1, 3, newView(1, [0, 1, 1]));
    assert.equal(stage.refused.filter((rule) => rule === 'PBFT.NV.quorum').length, 2);
    assert.equal(stage.view(3), 0);
    stage.deliver(1, 3, newView(1, [0, 1, 2]));
    assert.equal(stage.view(3), 1);
  });

  it('goes on to the next view when the new primary lies', () => {
    const stage = new Stage();
    stage.passes = (from, to, message) =>
      from !== 0 && to !== 0 && !(from === 1 && (message.kind === 'NEW-VIEW' || message.kind === 'PROOF'));
    stage.submit('one', [1, 2, 3]);
    stage.run(15_000);
    assert.ok([2, 3].every((id) => stage.view(id) >= 2));
    assert.equal(stage.executed(1), 3);
  });

  it('a replica beyond the window fetches the state and takes part again', () => {
    const stage = new Stage();
    stage.passes = (from, to) => from !== 3 && to !== 3;
    for (let count = 0; count < 16; count += 1) {
      stage.submit(`r${count}`, [0, 1, 2]);
      stage.run(20);
    }
    assert.equal(stage.executed(16), 3);
    stage.passes = () => true;
    stage.run(4_000);
    assert.ok(stage.machines[3]!.notes.includes('transfer'));
    stage.submit('more');
    stage.run(2_000);
    assert.equal(stage.executed(17), 4);
  });

  it('goes on after restarts of every replica, and without one that was wiped', () => {
    const stage = new Stage();
    stage.submit('one');
    stage.run(100);
    for (const id of [0, 1, 2, 3]) stage.restart(id);
    stage.submit('two');
    stage.run(3_000);
    assert.equal(stage.executed(2), 4);
    stage.restart(2, true);
    stage.submit('three');
    stage.run(6_000);
    assert.equal(stage.executed(3), 4);
  });
});

/** Parts of VIEW-CHANGEs. */
function scene(stage: Stage): {
  readonly rules: PhaseRules;
  readonly refused: string[];
  prepared(view: View, sequence: number, digest: Digest, backups?: readonly ReplicaId[]): PreparedProof;
  checkpoint(author: ReplicaId, sequence: number, stateDigest: Digest): Message;
  change(prepared: readonly PreparedProof[], checkpoints?: readonly Message[]): Message;
} {
  const refused: string[] = [];
  return {
    refused,
    rules: {
      quorum: 3,
      window: 8,
      primaryOf: (view) => view % 4,
      rule: (rule, passed) => {
        if (!passed) refused.push(rule);
        return passed;
      },
      checkpointOf: readingOf,
      isVouched: isSigned,
    },
    prepared: (view, sequence, digest, backups = [2, 3]) => ({
      prePrepare: stage.forge(view % 4, order('PRE-PREPARE', view, sequence, digest)),
      prepares: backups.map((author) => stage.forge(author, order('PREPARE', view, sequence, digest))),
    }),
    checkpoint: (author, sequence, stateDigest) =>
      stage.forge(author, { kind: 'CHECKPOINT', sequence, stateDigest }),
    change: (prepared, checkpoints = []) =>
      stage.forge(3, { kind: 'VIEW-CHANGE', view: 5, checkpoints, prepared }),
  };
}

describe('PBFT, validity of a VIEW-CHANGE', () => {
  it('PBFT.VC.checkpoint: its h is proven by equal CHECKPOINTs of a quorum', () => {
    const { rules, refused, checkpoint, change } = scene(new Stage());
    const three = [0, 1, 2].map((author) => checkpoint(author, 4, A));
    assert.equal(provenCheckpoint(rules, three), 4);
    assert.equal(provenCheckpoint(rules, []), 0);
    assert.equal(isValidViewChange(rules, change([], three)), true);
    const bad: (readonly Message[])[] = [
      three.slice(1),
      [three[0]!, three[1]!, checkpoint(2, 4, B)],
      [three[0]!, three[1]!, checkpoint(1, 4, A)],
    ];
    for (const checkpoints of bad) assert.equal(isValidViewChange(rules, change([], checkpoints)), false);
    assert.deepEqual(new Set(refused), new Set(['PBFT.VC.checkpoint']));
  });

  it('PBFT.VC.proof: a prepared batch is proven by its primary and two backups of the same view', () => {
    const { rules, refused, prepared, change } = scene(new Stage());
    const good = prepared(1, 2, A);
    assert.equal(isPreparedProof(rules, good), true);
    const stage = new Stage();
    const bad: PreparedProof[] = [
      prepared(1, 2, A, [2]),
      prepared(1, 2, A, [2, 2]),
      prepared(1, 2, A, [1, 2]),
      { ...good, prepares: prepared(1, 2, B).prepares },
      { ...good, prepares: prepared(2, 2, A, [1, 3]).prepares },
      { ...good, prePrepare: stage.forge(2, order('PRE-PREPARE', 1, 2, A)) },
    ];
    for (const proof of bad) assert.equal(isValidViewChange(rules, change([proof])), false);
    assert.deepEqual(new Set(refused), new Set(['PBFT.VC.proof']));
  });

  it('PBFT.VC.range: one proof for each order, inside the window, of earlier views', () => {
    const { rules, refused, prepared, change } = scene(new Stage());
    assert.equal(isValidViewChange(rules, change([prepared(1, 2, A), prepared(2, 3, B, [0, 3])])), true);
    const bad = [
      [prepared(1, 3, A), prepared(1, 2, A)],
      [prepared(1, 2, A), prepared(2, 2, A, [0, 3])],
      [prepared(1, 9, A)],
      [prepared(5, 2, A)],
    ];
    for (const proofs of bad) assert.equal(isValidViewChange(rules, change(proofs)), false);
    assert.deepEqual(new Set(refused), new Set(['PBFT.VC.range']));
  });

  it('the highest view decides what is proposed again; holes are filled with nothing', () => {
    const { rules, prepared, change, checkpoint } = scene(new Stage());
    const content = (message: Message): ViewChange => message.content as ViewChange;
    const three = [0, 1, 2].map((author) => checkpoint(author, 1, A));
    const base = baseOf(rules, [
      content(change([prepared(1, 2, A), prepared(1, 4, A)])),
      content(change([prepared(2, 2, B, [0, 3])])),
      content(change([], three)),
    ]);
    assert.deepEqual([base.low, base.end], [1, 4]);
    assert.deepEqual(
      [...base.proposals],
      [
        [2, B],
        [4, A],
      ],
    );
  });

  it('judges a NEW-VIEW by the VIEW-CHANGEs in it alone', () => {
    const stage = new Stage();
    const { rules, prepared } = scene(stage);
    const changes = [0, 1, 2].map((author) =>
      stage.forge(author, { kind: 'VIEW-CHANGE', view: 5, checkpoints: [], prepared: [prepared(1, 1, A)] }),
    );
    const newView = stage.forge(1, { kind: 'NEW-VIEW', view: 5, viewChanges: changes });
    assert.ok(isOf(newView, 'NEW-VIEW'));
    assert.deepEqual([...judgeNewView(rules, newView)!.proposals], [[1, A]]);
  });
});

describe('PBFT, messages', () => {
  it('come back from their bytes, nested ones too; anything else is refused', () => {
    const stage = new Stage();
    const { prepared } = scene(stage);
    const kinds = new Set<Kind>();
    const change = stage.forge(3, {
      kind: 'VIEW-CHANGE',
      view: 5,
      checkpoints: [stage.forge(1, { kind: 'CHECKPOINT', sequence: 4, stateDigest: A })],
      prepared: [prepared(1, 5, A)],
    });
    const newView = stage.forge(1, { kind: 'NEW-VIEW', view: 5, viewChanges: [change] });
    const { settings, domain, hash } = stage.contexts[0]!;
    for (const message of [change, newView, prepared(1, 2, A).prePrepare]) {
      const bytes = pbft.encode(message);
      const decoded: AttestedMessage<PhaseContent> = pbft.decode(bytes, { settings, domain, hash })!;
      assert.ok(isSealed(decoded));
      assert.equal(decoded.digest, message.digest);
      assert.deepEqual(pbft.encode(decoded), bytes);
      kinds.add(decoded.kind);
      assert.equal(pbft.decode(bytes.slice(0, -1), { settings, domain, hash }), undefined);
    }
    assert.equal(pbft.seals(newView).length, 6, 'every quoted message has a seal that must hold');
  });
});
