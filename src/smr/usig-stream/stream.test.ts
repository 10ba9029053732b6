/** One test for each STEP rule: what it lets pass and what it refuses. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { completeDraft } from './codec.ts';
import type { Prepare, StreamSummary } from './messages.ts';
import { epochOf, recovered, refusedBy, TestCluster } from './fixture.test.ts';
import type { Author, ClusterOptions } from './fixture.test.ts';
import {
  anchorStream,
  genesisStream,
  incarnationStream,
  killStream,
  stepStream,
  summaryOf,
} from './stream.ts';
import type { StreamLookup, StreamState } from './stream.ts';
import { invalid, need } from './validity.ts';

const TRUSTING: StreamLookup = {
  incarnationOf: (_replica, tcEpoch) => Number.parseInt(tcEpoch, 16) % 256,
  newView: () => ({ kind: 'valid', value: undefined }),
  viewChange: undefined,
};

interface Scene {
  readonly cluster: TestCluster;
  readonly r0: Author;
  readonly r1: Author;
  readonly r2: Author;
}

function scene(options: ClusterOptions = {}): Scene {
  const cluster = new TestCluster({ checkpointInterval: 2, pipelineFactor: 2, ...options });
  return { cluster, r0: cluster.author(0), r1: cluster.author(1), r2: cluster.author(2) };
}

function accepted(author: Author): void {
  assert.equal(author.last?.kind, 'accepted', JSON.stringify(author.last));
}

/** A PREPARE of another primary with the fields of `prepare`. */
function sealedBy(author: Author, prepare: Prepare, parts: Partial<Prepare>): Prepare {
  return completeDraft(author.cluster.context, { ...prepare, ...parts }, author.ui(prepare.ui.counter));
}

describe('MinBFT.STEP.PRE', () => {
  it('.1 nothing enters a dead stream', () => {
    const { cluster, r0 } = scene();
    const start = r0.state;
    const prepare = r0.prepare(1, 'a');
    const result = stepStream(cluster.context, killStream(start), 0, prepare, TRUSTING);
    assert.deepEqual(result, { kind: 'ignored', rule: 'MinBFT.STEP.PRE.1', reason: 'the stream is dead' });
    assert.equal(stepStream(cluster.context, start, 0, prepare, TRUSTING).kind, 'accepted');
  });

  it('.2 only the author under the incarnation of the stream is heard; an unknown one is asked for', () => {
    const { cluster, r0 } = scene();
    const start = r0.state;
    const prepare = r0.prepare(1, 'a');
    const stranger = stepStream(cluster.context, start, 1, prepare, TRUSTING);
    assert.ok(stranger.kind === 'ignored' && stranger.rule === 'MinBFT.STEP.PRE.2');
    const later = stepStream(cluster.context, { ...start, incarnation: 1 }, 0, prepare, TRUSTING);
    assert.ok(later.kind === 'ignored' && later.rule === 'MinBFT.STEP.PRE.2');
    const unknown = { ...TRUSTING, incarnationOf: () => undefined };
    assert.deepEqual(
      stepStream(cluster.context, start, 0, prepare, unknown),
      need({ kind: 'incarnation', replica: 0, tcEpoch: epochOf(0) }),
    );
  });

  it('.3 neither an old counter nor one after a gap is heard, and nobody is convicted', () => {
    const { cluster, r0 } = scene();
    const start = r0.state;
    const first = r0.prepare(1, 'a');
    const second = r0.prepare(2, 'b');
    for (const [state, message] of [
      [start, second],
      [r0.state, first],
    ] as const) {
      const result = stepStream(cluster.context, state, 0, message, TRUSTING);
      assert.ok(result.kind === 'ignored' && result.rule === 'MinBFT.STEP.PRE.3');
    }
  });
});

describe('MinBFT.STEP.PREPARE', () => {
  it('accepts the next one and leaves the former state as it was', () => {
    const { cluster, r0 } = scene();
    const start = Object.freeze(r0.state);
    const prepare = r0.prepare(1, 'a');
    const result = stepStream(cluster.context, start, 0, prepare, TRUSTING);
    assert.ok(result.kind === 'accepted' && result.rule === 'MinBFT.STEP.PREPARE');
    assert.deepEqual(result.state, { ...start, counter: 1, lastSequence: 1, lastPrimaryCounter: 1 });
    assert.deepEqual(start, genesisStream(cluster.context));
  });

  it('.1 refuses proposals after a VIEW-CHANGE', () => {
    const { r0 } = scene();
    r0.viewChange(1);
    r0.prepare(1, 'a');
    refusedBy(r0.last, 'MinBFT.STEP.PREPARE.1');
  });

  it('.2 refuses proposals of a backup', () => {
    const { r1 } = scene();
    r1.prepare(1, 'a');
    refusedBy(r1.last, 'MinBFT.STEP.PREPARE.2');
  });

  it('.3 .4 .7 refuses another view, another NEW-VIEW, another configuration', () => {
    const parts = [{ view: 3 }, { newViewCounter: 7 }, { configurationVersion: 2 }];
    const rules = ['MinBFT.STEP.PREPARE.3', 'MinBFT.STEP.PREPARE.4', 'MinBFT.STEP.PREPARE.7'] as const;
    for (const [index, part] of parts.entries()) {
      const { r0 } = scene();
      r0.prepare(1, 'a', part);
      refusedBy(r0.last, rules[index]!);
    }
  });

  it('.5 refuses a repeated and a skipped sequence number', () => {
    for (const sequence of [1, 3]) {
      const { r0 } = scene();
      r0.prepare(1, 'a');
      accepted(r0);
      r0.prepare(sequence, 'b');
      refusedBy(r0.last, 'MinBFT.STEP.PREPARE.5');
    }
  });

  it('.6 refuses what is beyond the window until a CHECKPOINT moves it', () => {
    const { r0 } = scene();
    for (const sequence of [1, 2, 3, 4]) r0.prepare(sequence, 'a');
    accepted(r0);
    r0.prepare(5, 'a');
    refusedBy(r0.last, 'MinBFT.STEP.PREPARE.6');
    r0.checkpoint(2);
    accepted(r0);
    r0.prepare(5, 'a');
    accepted(r0);
  });
});

describe('MinBFT.STEP.COMMIT', () => {
  it('accepts PREPAREs in order', () => {
    const { r0, r1 } = scene();
    r1.commit(r0.prepare(1, 'a'));
    accepted(r1);
    r1.commit(r0.prepare(2, 'b'));
    accepted(r1);
    assert.deepEqual([r1.state.lastSequence, r1.state.lastPrimaryCounter, r1.state.counter], [2, 2, 2]);
  });

  it('.1 refuses a commitment after a VIEW-CHANGE', () => {
    const { r0, r1 } = scene();
    r1.viewChange(1);
    r1.commit(r0.prepare(1, 'a'));
    refusedBy(r1.last, 'MinBFT.STEP.COMMIT.1');
  });

  it('.2 refuses a COMMIT of the primary', () => {
    const { r0 } = scene();
    r0.commit(r0.prepare(1, 'a'));
    refusedBy(r0.last, 'MinBFT.STEP.COMMIT.2');
  });

  it('.3 .4 .11 refuses PREPAREs of another view, NEW-VIEW, configuration', () => {
    const parts = [{ view: 3 }, { newViewCounter: 7 }, { configurationVersion: 2 }];
    const rules = ['MinBFT.STEP.COMMIT.3', 'MinBFT.STEP.COMMIT.4', 'MinBFT.STEP.COMMIT.11'] as const;
    for (const [index, part] of parts.entries()) {
      const { r0, r1 } = scene();
      r1.commit(r0.prepare(1, 'a', part));
      refusedBy(r1.last, rules[index]!);
    }
  });

  it('.5 refuses a PREPARE that the primary did not seal', () => {
    const { r0, r1, r2 } = scene();
    r1.commit(sealedBy(r2, r0.prepare(1, 'a'), {}));
    refusedBy(r1.last, 'MinBFT.STEP.COMMIT.5');
  });

  it('.6 refuses a PREPARE of another incarnation of the primary, and asks for unknown ones', () => {
    const { cluster, r0, r1 } = scene();
    const start = r1.state;
    const prepare = r0.prepare(1, 'a');
    const newer = completeDraft(cluster.context, prepare, { ...prepare.ui, tcEpoch: epochOf(0, 1) });
    const commit = r1.commit(newer);
    assert.deepEqual(r1.last, need({ kind: 'incarnation', replica: 0, tcEpoch: epochOf(0, 1) }));
    refusedBy(stepStream(cluster.context, start, 1, commit, TRUSTING), 'MinBFT.STEP.COMMIT.6');
  });

  it('.7 refuses a PREPARE that is not after the previous one in the stream of the primary', () => {
    const { r0, r1 } = scene();
    const first = r0.prepare(1, 'a');
    const second = r0.prepare(2, 'b');
    r1.commit(first);
    r1.commit(sealedBy(r0, { ...second, ui: first.ui }, {}));
    refusedBy(r1.last, 'MinBFT.STEP.COMMIT.7');
  });

  it('.8 refuses a sequence number twice', () => {
    const { r0, r1 } = scene();
    r1.commit(r0.prepare(1, 'a'));
    r1.commit(r0.prepare(1, 'x'));
    refusedBy(r1.last, 'MinBFT.STEP.COMMIT.8');
  });

  it('.9 refuses to skip, but for what the own CHECKPOINT covers', () => {
    const { r0, r1, r2 } = scene();
    const prepares = [1, 2, 3].map((sequence) => r0.prepare(sequence, 'a'));
    r1.commit(prepares[1]!);
    refusedBy(r1.last, 'MinBFT.STEP.COMMIT.9');
    r2.checkpoint(2);
    r2.commit(prepares[2]!);
    accepted(r2);
    assert.equal(r2.state.lastSequence, 3);
  });

  it('.10 refuses what is beyond the window', () => {
    const { r0, r1 } = scene();
    for (const sequence of [1, 2, 3, 4]) r1.commit(r0.prepare(sequence, 'a'));
    accepted(r1);
    const fifth = r0.prepare(5, 'a');
    r1.commit(fifth);
    refusedBy(r1.last, 'MinBFT.STEP.COMMIT.10');
    r1.checkpoint(2);
    r1.commit(fifth);
    accepted(r1);
  });
});

describe('MinBFT.STEP.CHECKPOINT', () => {
  it('.1 refuses one after a VIEW-CHANGE', () => {
    const { r1 } = scene();
    r1.viewChange(1);
    r1.checkpoint(2);
    refusedBy(r1.last, 'MinBFT.STEP.CHECKPOINT.1');
  });

  it('.2 refuses what is no multiple of the interval', () => {
    const { r1 } = scene();
    r1.checkpoint(3);
    refusedBy(r1.last, 'MinBFT.STEP.CHECKPOINT.2');
  });

  it('.3 refuses one that is not above the previous', () => {
    const { r1, r2 } = scene();
    r1.checkpoint(2);
    accepted(r1);
    r1.checkpoint(2);
    refusedBy(r1.last, 'MinBFT.STEP.CHECKPOINT.3');
    r2.checkpoint(0);
    refusedBy(r2.last, 'MinBFT.STEP.CHECKPOINT.3');
  });

  it('.4 refuses each false field of the summary', () => {
    const { cluster, r1 } = scene();
    const truth = summaryOf(r1.state);
    const { newView } = truth;
    const lies: StreamSummary[] = [
      { ...truth, lastSequence: 1 },
      { ...truth, lastPrimaryCounter: 1 },
      { ...truth, checkpointSequence: 2 },
      { ...truth, newView: { ...newView, view: 1 } },
      { ...truth, newView: { ...newView, incarnation: 1 } },
      { ...truth, newView: { ...newView, counter: 1 } },
      { ...truth, newView: { ...newView, end: 1 } },
      { ...truth, newView: { ...newView, digest: cluster.context.genesisRegistryDigest } },
    ];
    for (const self of lies) {
      const liar = scene().r1;
      liar.checkpoint(2, { self });
      refusedBy(liar.last, 'MinBFT.STEP.CHECKPOINT.4');
    }
  });

  it('.5 refuses another configuration', () => {
    const { r1 } = scene();
    r1.checkpoint(2, { configurationVersion: 2 });
    refusedBy(r1.last, 'MinBFT.STEP.CHECKPOINT.5');
  });
});

describe('MinBFT.STEP.VIEW-CHANGE', () => {
  it('.1 refuses a view that is not above the last one', () => {
    const { r0, r1, r2 } = scene();
    r1.viewChange(0);
    refusedBy(r1.last, 'MinBFT.STEP.VIEW-CHANGE.1');
    r2.viewChange(3);
    accepted(r2);
    assert.deepEqual([r2.state.mode, r2.state.view, r2.state.newView.view], ['changing', 3, 0]);
    r2.viewChange(3);
    refusedBy(r2.last, 'MinBFT.STEP.VIEW-CHANGE.1');
    r0.viewChange(3);
    r0.viewChange(4);
    accepted(r0);
  });

  it('.2 judges live ones in full, and stubs not', () => {
    const { cluster, r1 } = scene();
    const start = r1.state;
    const message = r1.viewChange(1);
    const verdicts = [
      invalid('MinBFT.V4', 'no'),
      need({ kind: 'registry', digest: cluster.context.genesisNewView }),
    ];
    for (const verdict of verdicts) {
      const lookup = { ...TRUSTING, viewChange: () => verdict };
      const result = stepStream(cluster.context, start, 1, message, lookup);
      if (verdict.kind === 'need') assert.deepEqual(result, verdict);
      else refusedBy(result, 'MinBFT.STEP.VIEW-CHANGE.2', /V4/);
      assert.equal(stepStream(cluster.context, start, 1, r1.log[0]!, lookup).kind, 'accepted');
    }
  });
});

describe('MinBFT.STEP.NEW-VIEW and COMMIT-NEW-VIEW', () => {
  function changed() {
    const all = scene();
    const { cluster, r0, r1, r2 } = all;
    r2.commit(r0.prepare(1, 'a'));
    const viewChanges = [r1.viewChange(1), r2.viewChange(1)];
    const before: StreamState = r1.state;
    const message = r1.newView(viewChanges);
    return { ...all, cluster, viewChanges, before, message };
  }

  it('enters the view with the end of the base as last sequence number', () => {
    const { r1, r2, message } = changed();
    accepted(r1);
    r2.commitNewView(message.header);
    accepted(r2);
    for (const { state } of [r1, r2]) {
      assert.deepEqual(
        [state.mode, state.view, state.lastSequence, state.lastPrimaryCounter],
        ['active', 1, 1, 2],
      );
      const { digest } = message.header;
      assert.deepEqual(state.newView, { view: 1, incarnation: 0, counter: 2, digest, end: 1 });
    }
  });

  it('.1 refuses both while active', () => {
    const { r0, r1, viewChanges, message } = changed();
    r1.sealNewView(message.header, viewChanges);
    refusedBy(r1.last, 'MinBFT.STEP.NEW-VIEW.1');
    r0.commitNewView(message.header);
    refusedBy(r0.last, 'MinBFT.STEP.COMMIT-NEW-VIEW.1');
  });

  it('.2 refuses a view that the author did not ask for', () => {
    const { r0, r1, viewChanges, message } = changed();
    r0.viewChange(2);
    r0.commitNewView(message.header);
    refusedBy(r0.last, 'MinBFT.STEP.COMMIT-NEW-VIEW.2');
    r1.viewChange(4);
    r1.sealNewView(message.header, viewChanges);
    refusedBy(r1.last, 'MinBFT.STEP.NEW-VIEW.2');
  });

  it('.3 refuses a NEW-VIEW of a backup and a COMMIT-NV of the primary', () => {
    const { r2, viewChanges, message } = changed();
    r2.sealNewView(message.header, viewChanges);
    refusedBy(r2.last, 'MinBFT.STEP.NEW-VIEW.3');
    const other = changed();
    other.r1.state = other.before;
    other.r1.commitNewView(message.header);
    refusedBy(other.r1.last, 'MinBFT.STEP.COMMIT-NEW-VIEW.3');
  });

  it('.4 refuses an invalid NEW-VIEW, and a COMMIT-NV to one that the primary did not seal', () => {
    const { cluster, r0, r2, before, message } = changed();
    const wrong = { ...TRUSTING, newView: () => invalid('MinBFT.N2', 'no') };
    refusedBy(stepStream(cluster.context, before, 1, message, wrong), 'MinBFT.STEP.NEW-VIEW.4', /N2/);
    const lacking = need({ kind: 'newView', digest: message.header.digest, view: 1 });
    const asking = { ...TRUSTING, newView: () => lacking };
    assert.deepEqual(stepStream(cluster.context, before, 1, message, asking), lacking);
    const stolen = completeDraft(cluster.context, message.header, r2.ui());
    r0.viewChange(1);
    r0.commitNewView(stolen);
    refusedBy(r0.last, 'MinBFT.STEP.COMMIT-NEW-VIEW.4');
  });

  it('.5 refuses a COMMIT-NV to an invalid NEW-VIEW and asks for unknown content', () => {
    const { cluster, r2, message } = changed();
    const state = r2.state;
    const commit = r2.commitNewView(message.header);
    const wrong = { ...TRUSTING, newView: () => invalid('MinBFT.N3', 'no') };
    refusedBy(stepStream(cluster.context, state, 2, commit, wrong), 'MinBFT.STEP.COMMIT-NEW-VIEW.5', /N3/);
    const lacking = need({ kind: 'newView', digest: message.header.digest, view: 1 });
    const asking = { ...TRUSTING, newView: () => lacking };
    assert.deepEqual(stepStream(cluster.context, state, 2, commit, asking), lacking);
  });
});

describe('a new incarnation', () => {
  it('starts changing with the floor below its fromView, and re-enters view 0 through GENESIS-NV', () => {
    const { cluster, r1 } = scene();
    const registry = recovered(cluster.context.genesis, 1, 5, 0);
    cluster.learn(registry);
    const start = incarnationStream(cluster.context, registry.members[1]![1]!);
    assert.deepEqual(
      [start.mode, start.view, start.newView.view, start.incarnation],
      ['changing', -1, -1, 1],
    );
    const ui = (counter: number) => ({ ...r1.ui(counter), tcEpoch: epochOf(1, 1) });
    const stub = r1.viewChange(7);
    const content = { ...stub, view: 0 };
    const viewChange = completeDraft(cluster.context, content, ui(1));
    const asked = stepStream(cluster.context, start, 1, viewChange, TRUSTING);
    assert.ok(asked.kind === 'accepted' && asked.state.view === 0);
    const draft = { kind: 'COMMIT-NEW-VIEW', header: undefined } as const;
    const commit = completeDraft(cluster.context, draft, ui(2));
    const entered = stepStream(cluster.context, asked.state, 1, commit, TRUSTING);
    assert.ok(entered.kind === 'accepted');
    assert.deepEqual(entered.state, { ...genesisStream(cluster.context), incarnation: 1, counter: 2 });
    const primary = completeDraft(cluster.context, draft, { ...ui(2), replica: 0 });
    refusedBy(
      stepStream(cluster.context, asked.state, 0, primary, TRUSTING),
      'MinBFT.STEP.COMMIT-NEW-VIEW.3',
    );
  });

  it('may not ask for a view below its fromView', () => {
    const { cluster, r1 } = scene();
    const registry = recovered(cluster.context.genesis, 1, 5, 2);
    const start = incarnationStream(cluster.context, registry.members[1]![1]!);
    for (const [view, kind] of [
      [1, 'invalid'],
      [2, 'accepted'],
    ] as const) {
      const message = completeDraft(
        cluster.context,
        { ...r1.viewChange(view + 10), view },
        { ...r1.ui(1), tcEpoch: epochOf(1, 1) },
      );
      assert.equal(stepStream(cluster.context, start, 1, message, TRUSTING).kind, kind);
    }
  });
});

describe('anchorStream', () => {
  it('is the state that the stream had at its CHECKPOINT', () => {
    const { r0, r1 } = scene();
    r1.commit(r0.prepare(1, 'a'));
    r1.commit(r0.prepare(2, 'b'));
    const anchor = r1.checkpoint(2);
    accepted(r1);
    assert.deepEqual(anchorStream(anchor, 0), r1.state);
  });
});
