/** PBFT with authenticators: what follows from claims that nobody signed, and attacks on it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Digest, ReplicaId, View } from '../../core/types.ts';
import { ZERO_DIGEST } from '../../core/types.ts';
import { sha256, TestCluster } from '../../smr/attested/cluster.testing.ts';
import type { AttestedMessage, Sealed } from '../../smr/attested/sealed.ts';
import { isSealed, SealedCodec } from '../../smr/attested/sealed.ts';
import { buildBatch } from '../../smr/batcher.ts';
import { pbftMac } from './definition.ts';
import type { CheckpointClaim, MacContent, OrderClaim, ViewChange } from './messages.ts';
import { MAC_MESSAGES } from './messages.ts';
import type { Claimed, SelectionSizes } from './selection.ts';
import {
  isFree,
  isGenuine,
  isLatest,
  isWellFormed,
  latestClaims,
  select,
  selectCheckpoint,
} from './selection.ts';

const A = 'a'.repeat(64) as Digest;
const B = 'b'.repeat(64) as Digest;
const GENESIS: CheckpointClaim = { sequence: 0, digest: ZERO_DIGEST };
const SIZES: SelectionSizes = { quorum: 3, weak: 2, window: 8, nothing: ZERO_DIGEST };

const claim = (sequence: number, digest: Digest, view: View): OrderClaim => ({ sequence, digest, view });

function change(parts: Partial<ViewChange> = {}): ViewChange {
  return {
    kind: 'VIEW-CHANGE',
    view: 3,
    low: 0,
    checkpoints: [GENESIS],
    prepared: [],
    proposed: [],
    ...parts,
  };
}

const claimed = (...changes: readonly ViewChange[]): Claimed[] =>
  changes.map((content, author) => ({ author, content }));

class Stage extends TestCluster<MacContent> {
  readonly refused: string[];
  readonly codec: SealedCodec<MacContent>;
  #numbers = 1_000;

  constructor() {
    const refused: string[] = [];
    super(pbftMac, {
      trace: ({ rule, passed }) => {
        if (!passed) refused.push(rule);
      },
    });
    this.refused = refused;
    this.codec = new SealedCodec({ hash: sha256, domain: this.contexts[0]!.domain }, MAC_MESSAGES);
  }

  /** What its author says over its own link. */
  say(author: ReplicaId, content: MacContent): Sealed<MacContent> {
    this.#numbers += 1;
    const encoded = this.codec.encodeContent(author, content);
    return this.codec.complete(this.#numbers, author, content, encoded, { kind: 'link', replica: author });
  }

  tell(author: ReplicaId, to: ReplicaId, content: MacContent): Sealed<MacContent> {
    const message = this.say(author, content);
    this.deliver(author, to, message);
    return message;
  }

  executed(count: number): number {
    return this.histories().filter((history) => history.length >= count).length;
  }

  view(id: ReplicaId): View {
    return this.machines[id]!.replica.inspect(this.now).view;
  }

  /** Digest of the batch that does nothing. */
  get nothing(): Digest {
    const { hash, domain } = this.contexts[0]!;
    return buildBatch(hash, domain, { proposedInView: 0, time: 0, recovers: [], bundles: [] }).digest;
  }

  isActive(id: ReplicaId): boolean {
    return this.machines[id]!.replica.inspect(this.now).mode === 'active';
  }
}

describe('PBFT-MAC, what a new view starts with', () => {
  it('starts from the highest checkpoint that f+1 hold and 2f+1 have not left behind', () => {
    const at = (sequence: number, digest: Digest): CheckpointClaim => ({ sequence, digest });
    const one = change({ checkpoints: [GENESIS, at(4, A)] });
    assert.deepEqual(selectCheckpoint(SIZES, claimed(one, one, change())), at(4, A));
    assert.deepEqual(selectCheckpoint(SIZES, claimed(one, change(), change())), GENESIS, 'one alone may lie');
    const ahead = change({ low: 8, checkpoints: [at(8, B)] });
    assert.equal(selectCheckpoint(SIZES, claimed(ahead, one, change())), undefined);
    assert.deepEqual(selectCheckpoint(SIZES, claimed(ahead, one, one, change())), at(4, A));
  });

  it('A1: nothing that was prepared later is passed over', () => {
    const early = change({ prepared: [claim(1, A, 0)], proposed: [claim(1, A, 0)] });
    const late = change({ prepared: [claim(1, B, 1)], proposed: [claim(1, B, 1)] });
    const all = claimed(early, early, late, late);
    assert.equal(isLatest(SIZES, all, 1, A, 0), false);
    assert.equal(isLatest(SIZES, all, 1, B, 1), true);
    assert.deepEqual(select(SIZES, all)?.proposals, [{ sequence: 1, digest: B }]);
  });

  it('looks at each claim a few times, however many orders there are', () => {
    let looks = 0;
    const counted = (sequence: number): OrderClaim => ({
      get sequence() {
        looks += 1;
        return sequence;
      },
      digest: A,
      view: 0,
    });
    const orders = Array.from({ length: 256 }, (_, index) => counted(index + 1));
    const all = claimed(...new Array(4).fill(change({ prepared: orders, proposed: orders })));
    assert.equal(select({ ...SIZES, window: 256 }, all)?.proposals.length, 256);
    assert.ok(looks < 50 * 4 * 2 * 256, `${looks} looks`);
  });

  it('A2: a batch that no correct replica said anything about is not chosen', () => {
    const invented = change({ prepared: [claim(1, B, 2)], proposed: [claim(1, B, 2)] });
    const honest = change();
    const all = claimed(invented, honest, honest, honest);
    assert.equal(isGenuine(SIZES, all, 1, B, 2), false);
    assert.deepEqual(select(SIZES, all)?.proposals, [{ sequence: 1, digest: ZERO_DIGEST }]);
    assert.equal(select(SIZES, claimed(invented, honest, honest)), undefined, 'three leave it open');
  });

  it('B: an order is free only if 2f+1 prepared nothing for it', () => {
    const prepared = change({ prepared: [claim(1, A, 0)], proposed: [claim(1, A, 0)] });
    const seen = change({ proposed: [claim(1, A, 0)] });
    assert.equal(isFree(SIZES, claimed(prepared, seen, change()), 1), false);
    assert.equal(isFree(SIZES, claimed(prepared, seen, change(), change()), 1), true);
    // Whatever was committed is in the P of f+1 correct replicas of any 2f+1.
    assert.deepEqual(select(SIZES, claimed(prepared, prepared, seen))?.proposals, [
      { sequence: 1, digest: A },
    ]);
  });

  it('PBFT-MAC.VC2: claims lie in the window, below the view, in order', () => {
    const good = change({
      prepared: [claim(1, A, 0), claim(2, A, 2)],
      proposed: [claim(1, A, 0), claim(1, B, 1)],
    });
    assert.equal(isWellFormed(SIZES, good), true);
    const bad: Partial<ViewChange>[] = [
      { prepared: [claim(1, A, 3)] },
      { prepared: [claim(9, A, 0)] },
      { prepared: [claim(2, A, 0), claim(1, A, 0)] },
      { prepared: [claim(1, A, 0), claim(1, B, 1)] },
      { proposed: Array.from({ length: 65 }, () => claim(1, A, 0)) },
      { checkpoints: [] },
      { low: 4, checkpoints: [GENESIS] },
      { view: 0 },
    ];
    for (const parts of bad) assert.equal(isWellFormed(SIZES, change(parts)), false, JSON.stringify(parts));
    const stage = new Stage();
    stage.tell(2, 1, change({ view: 1, prepared: [claim(1, A, 3)] }));
    assert.ok(stage.refused.includes('PBFT-MAC.VC2'));
  });
});

describe('PBFT-MAC, replicas', () => {
  it('orders requests and changes the view without a signature anywhere', () => {
    const stage = new Stage();
    stage.submit('one');
    stage.run(50);
    assert.equal(stage.executed(1), 4);
    stage.passes = (from, to) => from !== 0 && to !== 0;
    stage.submit('two', [1, 2, 3]);
    stage.run(6_000);
    assert.equal(stage.executed(2), 3);
    assert.ok([1, 2, 3].every((id) => stage.view(id) >= 1));
    stage.passes = () => true;
    stage.run(6_000);
    assert.equal(stage.executed(2), 4);
  });

  it('takes a message on the link of its author only', () => {
    const stage = new Stage();
    const message = stage.say(0, { kind: 'PRE-PREPARE', view: 0, sequence: 1, digest: A });
    stage.deliver(2, 1, message);
    stage.run(5);
    assert.equal(stage.machines[1]!.replica.inspect(stage.now).peers[0]!.counter, 0);
    stage.deliver(2, 1, { kind: 'PROOF', messages: [message] });
    stage.tell(0, 1, { kind: 'PRE-PREPARE', view: 0, sequence: 1, digest: B });
    assert.equal(stage.refused.includes('PBFT.N2.once'), false, 'the copies counted for nothing');
  });

  it('Q is bounded: the oldest batch gives way, never the one that was prepared', () => {
    let claims: readonly OrderClaim[] = [];
    const digest = (view: View): Digest => view.toString(16).padStart(64, '0') as Digest;
    for (let view = 0; view < 200; view += 1)
      claims = latestClaims(claims, claim(1, digest(view), view), digest(3));
    assert.equal(claims.length, 64);
    assert.deepEqual([claims[0]!.view, claims[1]!.view, claims.at(-1)!.view], [3, 137, 199]);
    assert.equal(isWellFormed(SIZES, change({ view: 200, proposed: claims })), true);
  });

  it('is not moved by a NEW-VIEW with names that are none', () => {
    const stage = new Stage();
    stage.passes = () => false;
    for (const author of [0, 2]) stage.tell(author, 3, change({ view: 1 }));
    stage.run(5);
    assert.equal(stage.view(3), 1);
    const from = [0, 99].map((replica) => ({ replica, digest: A }));
    const content = { kind: 'NEW-VIEW', view: 1, from, checkpoint: GENESIS, proposals: [] } as const;
    stage.tell(1, 3, content);
    stage.tell(1, 3, { ...content, from: [from[0]!, from[0]!] });
    stage.tell(1, 3, { kind: 'VIEW-CHANGE-COPY', of: 0, copy: change({ view: 1 }) });
    stage.run(500);
    assert.equal(stage.isActive(3), false);
    assert.ok(stage.refused.includes('PBFT-MAC.VC5.primary'));
  });

  it('a NEW-VIEW for a view that nobody asks for holds no other up', () => {
    const stage = new Stage();
    const from = [0, 1, 2].map((replica) => ({ replica, digest: A }));
    const far = { kind: 'NEW-VIEW', view: 4_000_000, from, checkpoint: GENESIS, proposals: [] } as const;
    for (const to of [1, 2, 3]) stage.tell(0, to, far);
    stage.passes = (sender, to) => sender !== 0 && to !== 0;
    stage.submit('one', [1, 2, 3]);
    stage.run(10_000);
    assert.equal(stage.executed(1), 3);
  });

  it('acknowledges only VIEW-CHANGEs for the view that it asks for', () => {
    const stage = new Stage();
    stage.passes = () => false;
    for (let view = 1; view < 100; view += 1) stage.tell(2, 3, change({ view }));
    stage.run(5);
    assert.equal(stage.count('VIEW-CHANGE-ACK'), 0);
  });

  it('a checkpoint without a certificate survives a restart', () => {
    const stage = new Stage();
    stage.passes = (sender, to) => sender !== 3 && to !== 3;
    for (let count = 0; count < 4; count += 1) {
      stage.submit(`r${count}`, [0, 1, 2]);
      stage.run(20);
    }
    stage.passes = (sender, to) => sender !== 2 && to !== 2;
    stage.run(6_000);
    const stableOf = (): number => stage.machines[3]!.replica.inspect(stage.now).stable;
    assert.equal(stableOf(), 4);
    stage.passes = () => false;
    stage.restart(3);
    stage.run(5);
    assert.equal(stableOf(), 4);
  });

  it('nothing at or below the checkpoint that a view starts from is proposed again', () => {
    const stage = new Stage();
    stage.passes = () => false;
    const checkpoints = [GENESIS, { sequence: 4, digest: A }];
    const claims = [0, 1, 2].map((author) => ({
      replica: author,
      digest: stage.tell(author, 3, change({ view: 1, ...(author === 2 ? {} : { checkpoints }) })).digest,
    }));
    const checkpoint = { sequence: 4, digest: A };
    stage.tell(1, 3, { kind: 'NEW-VIEW', view: 1, from: claims, checkpoint, proposals: [] });
    assert.deepEqual([stage.view(3), stage.isActive(3)], [1, true]);
    const nothing = stage.nothing;
    for (const sequence of [1, 2, 3, 4])
      stage.tell(1, 3, { kind: 'PRE-PREPARE', view: 1, sequence, digest: nothing });
    stage.run(50);
    assert.ok(stage.refused.includes('PBFT.N2.base'));
    assert.equal(stage.sent.filter(({ from, kind }) => from === 3 && kind === 'PREPARE').length, 0);
  });

  it('PBFT-MAC.VC3, PBFT-MAC.VC4: a new primary waits for acknowledgements, and until nothing is open', () => {
    const stage = new Stage();
    stage.passes = () => false;
    const changes = [0, 2, 3].map((author) => stage.tell(author, 1, change({ view: 1 })));
    stage.run(5);
    assert.equal(stage.view(1), 1);
    assert.ok(stage.refused.includes('PBFT-MAC.VC3') && stage.refused.includes('PBFT-MAC.VC4'));
    assert.equal(stage.count('NEW-VIEW'), 0);
    for (const { author: of, digest } of changes)
      for (const from of [0, 2, 3].filter((replica) => replica !== of))
        stage.tell(from, 1, { kind: 'VIEW-CHANGE-ACK', view: 1, of, digest });
    stage.run(5);
    assert.equal(stage.count('NEW-VIEW'), 3);
  });

  it('PBFT-MAC.VC5.primary, PBFT-MAC.VC5.same: an invented NEW-VIEW moves nobody but on', () => {
    const stage = new Stage();
    stage.passes = () => false;
    const from = [0, 1, 2].map((author) => ({
      replica: author,
      digest: stage.tell(author, 3, change({ view: 1 })).digest,
    }));
    const base = { kind: 'NEW-VIEW', view: 1, from, checkpoint: GENESIS } as const;
    stage.tell(2, 3, { ...base, proposals: [] });
    assert.ok(stage.refused.includes('PBFT-MAC.VC5.primary'));
    stage.tell(1, 3, { ...base, proposals: [{ sequence: 1, digest: A }] });
    assert.ok(stage.refused.includes('PBFT-MAC.VC5.same'));
    assert.equal(stage.view(3), 2, 'it asks for the next view');
  });

  it('PBFT-MAC.VC5.copy: a VIEW-CHANGE from another hand needs f+1 that had it from its author', () => {
    const stage = new Stage();
    stage.passes = () => false;
    const direct = [0, 1].map((author) => stage.tell(author, 3, change({ view: 1 })));
    const hidden = stage.say(2, change({ view: 1, proposed: [claim(1, A, 0)] }));
    const from = [...direct, hidden].map(({ author: replica, digest }) => ({ replica, digest }));
    stage.tell(1, 3, { kind: 'NEW-VIEW', view: 1, from, checkpoint: GENESIS, proposals: [] });
    assert.equal(stage.isActive(3), false);
    stage.tell(1, 3, { kind: 'VIEW-CHANGE-COPY', of: 2, copy: hidden.content as ViewChange });
    stage.tell(1, 3, { kind: 'VIEW-CHANGE-ACK', view: 1, of: 2, digest: hidden.digest });
    assert.equal(stage.isActive(3), false);
    assert.ok(stage.refused.includes('PBFT-MAC.VC5.copy'));
    stage.tell(0, 3, { kind: 'VIEW-CHANGE-ACK', view: 1, of: 2, digest: hidden.digest });
    assert.deepEqual([stage.view(3), stage.isActive(3)], [1, true]);
  });

  it('PBFT-MAC.DECIDED: f+1 that say so are believed, one is not', () => {
    const stage = new Stage();
    stage.passes = () => false;
    stage.input(3, { kind: 'body', batch: emptyBatch(A) });
    stage.tell(1, 3, { kind: 'DECIDED', sequence: 1, digest: A });
    stage.tell(1, 3, { kind: 'DECIDED', sequence: 1, digest: A });
    assert.ok(stage.refused.includes('PBFT-MAC.DECIDED'));
    assert.equal(stage.executed(1), 0);
    stage.tell(2, 3, { kind: 'DECIDED', sequence: 1, digest: A });
    assert.equal(stage.executed(1), 1);
  });

  it('PBFT-MAC.ENTERED: a replica that missed a view change takes part again', () => {
    const stage = new Stage();
    stage.submit('one');
    stage.run(50);
    stage.passes = (from, to) => from !== 0 && to !== 0;
    stage.submit('two', [1, 2, 3]);
    stage.run(3_000);
    assert.equal(stage.executed(2), 3);
    stage.restart(0);
    stage.passes = () => true;
    stage.run(1_500);
    assert.deepEqual([stage.view(0), stage.isActive(0)], [stage.view(1), true]);
    // Its vote is needed: one of the others goes.
    stage.passes = (from, to) => from !== 3 && to !== 3;
    stage.submit('three', [0, 1, 2]);
    stage.run(200);
    assert.equal(stage.executed(3), 3);
  });

  it('PBFT-MAC.ENTERED: f+1 that entered alike are followed, others are not', () => {
    const stage = new Stage();
    stage.passes = () => false;
    const entered = { kind: 'ENTERED', view: 3, checkpoint: GENESIS } as const;
    const proposals = [{ sequence: 1, digest: A }];
    stage.tell(1, 0, { ...entered, proposals });
    stage.tell(1, 0, { ...entered, proposals });
    stage.tell(2, 0, { ...entered, proposals: [{ sequence: 1, digest: B }] });
    stage.tell(3, 0, { ...entered, proposals: [{ sequence: 2, digest: A }] });
    assert.ok(stage.refused.includes('PBFT-MAC.ENTERED'));
    assert.equal(stage.view(0), 0);
    stage.tell(2, 0, { ...entered, proposals });
    assert.deepEqual([stage.view(0), stage.isActive(0)], [3, true]);
    // Later words about the same view start it no second time.
    stage.tell(3, 0, { ...entered, proposals: [] });
    assert.equal(stage.machines[0]!.notes.filter((note) => note === 'enteredView').length, 1);
  });

  it('PBFT-MAC.CKPT: a replica that lags takes the state that f+1 name', () => {
    const stage = new Stage();
    stage.passes = (from, to) => from !== 3 && to !== 3;
    for (let count = 0; count < 4; count += 1) {
      stage.submit(`r${count}`, [0, 1, 2]);
      stage.run(20);
    }
    assert.equal(stage.executed(4), 3);
    assert.ok(stage.refused.includes('PBFT-MAC.CKPT'));
    // Replica 2 goes silent: what it said once is lost for replica 3, and a quorum with it.
    stage.passes = (from, to) => from !== 2 && to !== 2;
    stage.run(6_000);
    assert.equal(stage.executed(4), 4);
  });

  it('PBFT-MAC.CKPT: fetches nothing that one replica alone names', () => {
    const stage = new Stage();
    for (const sequence of [4, 8]) stage.tell(2, 3, { kind: 'CHECKPOINT', sequence, stateDigest: A });
    stage.run(6_000);
    assert.equal(stage.machines[3]!.notes.includes('transfer'), false);
  });

  it('comes back from its bytes, every kind', () => {
    const stage = new Stage();
    const { settings, domain, hash } = stage.contexts[0]!;
    const contents: MacContent[] = [
      change({ prepared: [claim(1, A, 0)], proposed: [claim(1, B, 1)] }),
      { kind: 'VIEW-CHANGE-ACK', view: 1, of: 2, digest: A },
      { kind: 'NEW-VIEW', view: 1, from: [{ replica: 1, digest: A }], checkpoint: GENESIS, proposals: [] },
      { kind: 'FETCH-VIEW-CHANGE', of: 1, digest: A },
      { kind: 'VIEW-CHANGE-COPY', of: 1, copy: change() },
      { kind: 'DECIDED', sequence: 1, digest: A },
      { kind: 'ENTERED', view: 2, checkpoint: GENESIS, proposals: [{ sequence: 1, digest: B }] },
      { kind: 'CHECKPOINT', sequence: 4, stateDigest: A },
    ];
    for (const content of contents) {
      const bytes = pbftMac.encode(stage.say(1, content));
      const decoded: AttestedMessage<MacContent> = pbftMac.decode(bytes, { settings, domain, hash })!;
      assert.ok(isSealed(decoded));
      assert.deepEqual(decoded.content, content);
      assert.deepEqual(pbftMac.seals(decoded), []);
    }
  });
});

/** A batch without requests under any digest. */
function emptyBatch(digest: Digest) {
  const nothing = { bundles: [], recovers: [], bundleAuthentic: [], recoverAuthentic: [] };
  return { digest, bytes: new Uint8Array(0), proposedInView: 0, time: 0, ...nothing };
}
