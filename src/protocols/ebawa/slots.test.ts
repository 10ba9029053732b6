/** What streams and bases of EBAWA may hold: EBAWA.STEP, and how a view follows from VIEW-CHANGEs. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { viewChangeContent } from '../../smr/usig-stream/builders.ts';
import { completeDraft, decodeMessage, encodeMessage } from '../../smr/usig-stream/codec.ts';
import { digestNamed, epochOf, TestCluster } from '../../smr/usig-stream/fixture.test.ts';
import type {
  CheckpointContent,
  CommitVector,
  Draft,
  LogEntry,
  NewViewHeader,
  Owner,
  Prepare,
  PrepareContent,
  ViewChange,
} from '../../smr/usig-stream/messages.ts';
import { lastSlotOf, slotsOf } from '../../smr/usig-stream/slots.ts';
import { genesisStream, stepStream, summaryOf } from '../../smr/usig-stream/stream.ts';
import type { StreamState } from '../../smr/usig-stream/stream.ts';
import { makeFullNewView } from '../../smr/usig-stream/nested.ts';
import { computeBase, newViewContent, validNewView } from '../../smr/usig-stream/view-change.ts';
import { EBAWA_SLOTS, indexAt, nextSlot, ownersOf, roundEnd, skipBatch } from './slots.ts';

const cluster = new TestCluster({
  protocol: 'ebawa',
  vote: 'COMMIT-VECTOR',
  slots: EBAWA_SLOTS,
  checkpointInterval: 4,
  pipelineFactor: 2,
});
const { context } = cluster;
const lookup = {
  incarnationOf: () => 0,
  newView: () => ({ kind: 'valid', value: 0 }) as const,
  viewChange: undefined,
};

/** A replica's voice: what it seals, and its stream as the rules have it. */
class Voice {
  readonly replica: number;
  state: StreamState = genesisStream(context);
  readonly log: LogEntry[] = [];

  constructor(replica: number) {
    this.replica = replica;
  }

  seal<M>(draft: Draft): M {
    const authenticator = new Uint8Array(64).fill(this.replica);
    const ui = {
      replica: this.replica,
      tcEpoch: epochOf(this.replica),
      counter: this.state.counter + 1,
      authenticator,
    };
    return completeDraft(context, draft, ui) as unknown as M;
  }

  /** Outcome of a message for the own stream, without saying it. */
  outcome(message: LogEntry): string {
    const result = stepStream(context, this.state, this.replica, message, lookup);
    return result.kind === 'accepted' || result.kind === 'invalid'
      ? `${result.kind} ${result.rule}`
      : result.kind;
  }

  say<M extends LogEntry>(message: M): M {
    const result = stepStream(context, this.state, this.replica, message, lookup);
    assert.ok(
      result.kind === 'accepted',
      result.kind === 'invalid' ? `${result.rule}: ${result.reason}` : result.kind,
    );
    this.state = result.state;
    this.log.push(message);
    return message;
  }

  proposal(sequence: number, parts: Partial<PrepareContent> = {}): Prepare {
    return this.seal({
      kind: 'PREPARE',
      view: 0,
      configurationVersion: 1,
      newViewCounter: 0,
      sequence,
      batchDigest: digestNamed(`${this.replica}/${sequence}`),
      recovers: [],
      run: 1,
      ...parts,
    });
  }

  skip(sequence: number, run: number): Prepare {
    return this.proposal(sequence, { run, batchDigest: skipBatch(context, 0).digest });
  }

  vector(prepares: readonly Prepare[]): CommitVector {
    return this.seal({ kind: 'COMMIT-VECTOR', prepares });
  }

  checkpoint(sequence: number): LogEntry {
    const content: CheckpointContent = {
      kind: 'CHECKPOINT',
      sequence,
      stateDigest: digestNamed('state'),
      last: { view: 0, primaryCounter: 1 },
      configurationVersion: 1,
      registryDigest: context.genesisRegistryDigest,
      self: summaryOf(this.state),
      seen: cluster.positions(),
    };
    return this.seal(content);
  }

  leave(view: number, suspects: readonly number[] = []): ViewChange {
    const parts = { view, stable: undefined, anchor: undefined, vouchers: [], log: [...this.log], suspects };
    return this.seal(viewChangeContent(context, parts));
  }
}

function voices(): [Voice, Voice, Voice] {
  return [new Voice(0), new Voice(1), new Voice(2)];
}

test('slots belong to owners by round robin above the base', () => {
  const { newView } = genesisStream(context);
  assert.deepEqual(
    ownersOf(newView).map(({ replica }) => replica),
    [0, 1, 2],
  );
  const later = { ...newView, end: 5, owners: [2, 0].map((replica) => ({ replica, incarnation: 0 })) };
  assert.deepEqual(
    [6, 7, 8, 9].map((slot) => indexAt(later, slot)),
    [0, 1, 0, 1],
  );
  assert.deepEqual(
    [5, 6, 7, 8].map((after) => nextSlot(later, 0, after)),
    [6, 8, 8, 10],
  );
  assert.deepEqual([roundEnd(later, 6), roundEnd(later, 7), roundEnd(later, 8)], [7, 7, 9]);
  const run = new Voice(2).skip(3, 3);
  assert.deepEqual([...slotsOf(newView, run)], [3, 6, 9]);
  assert.equal(lastSlotOf(newView, run), 9);
});

test('EBAWA.STEP.1: an owner proposes in its next own slot, runs are SKIPs, the window counts to their last slot (scenario 13)', () => {
  const [, r1] = voices();
  assert.equal(r1.outcome(r1.proposal(2)), 'accepted EBAWA.STEP.1');
  for (const wrong of [
    r1.proposal(1),
    r1.proposal(5),
    r1.proposal(2, { view: 1 }),
    r1.proposal(2, { newViewCounter: 4 }),
    r1.proposal(2, { configurationVersion: 2 }),
    r1.proposal(2, { run: 2 }),
    r1.skip(2, 4),
  ])
    assert.equal(r1.outcome(wrong), 'invalid EBAWA.STEP.1');
  assert.equal(r1.outcome(r1.skip(2, 3)), 'accepted EBAWA.STEP.1', 'slots 2, 5 and 8 of a window of 8');
  r1.say(r1.skip(2, 2));
  assert.deepEqual(r1.state.last, [
    { sequence: 0, counter: 0 },
    { sequence: 5, counter: 1 },
    { sequence: 0, counter: 0 },
  ]);
  assert.equal(r1.outcome(r1.proposal(8)), 'accepted EBAWA.STEP.1');
  r1.say(r1.leave(1) as never);
  assert.equal(r1.outcome(r1.proposal(8)), 'invalid EBAWA.STEP.1');
});

test('EBAWA.STEP.2: one bad header makes the whole COMMIT-VEC invalid (scenario 16)', () => {
  const [r0, r1, r2] = voices();
  const first = r0.say(r0.proposal(1));
  const second = r0.say(r0.proposal(4));
  const other = r1.say(r1.skip(2, 2));
  assert.equal(r2.outcome(r2.vector([first, other, second])), 'accepted EBAWA.STEP.2');
  const good = r2.vector([first]);
  assert.deepEqual(decodeMessage(context, encodeMessage(good)), good);
  const foreign = new Voice(1).proposal(2, { newViewCounter: 1 });
  for (const wrong of [
    [],
    [second, first],
    [second],
    [first, first],
    [first, foreign],
    [first, r2.proposal(3)],
  ])
    assert.equal(r2.outcome(r2.vector(wrong)), 'invalid EBAWA.STEP.2');
  // The owner's counter decides which of two proposals for a slot is the one: a later one does not come after it.
  r2.say(r2.vector([first, second]));
  const stale = new Voice(0).proposal(7);
  assert.equal(r2.outcome(r2.vector([stale])), 'invalid EBAWA.STEP.2');
});

test('EBAWA.STEP.3, EBAWA.STEP.4: slots are skipped only below the own CHECKPOINT, which the VIEW-CHANGE must show as stable', () => {
  const [r0, , r2] = voices();
  const late = [1, 4, 7].map((slot) => r0.say(r0.proposal(slot)));
  assert.equal(r2.outcome(r2.vector([late[1]!])), 'invalid EBAWA.STEP.2');
  r2.say(r2.checkpoint(4) as never);
  const vector = r2.vector([late[2]!]);
  assert.equal(EBAWA_SLOTS.skippedBy(r2.state, vector), 4, 'slots 1 and 4 are skipped');
  assert.equal(EBAWA_SLOTS.skippedBy(r2.state, r2.vector(late)), 0);
  r2.say(vector);
  const verdict = computeBase(context, [r2.leave(1)], cluster.knowledge());
  assert.equal(verdict.kind === 'invalid' && verdict.rule, 'MinBFT.V6');
});

test('EBAWA.VC.3: one proposal for each slot, cut at the first missing one, also in the middle of a run (scenario 14)', () => {
  const [r0, r1, r2] = voices();
  const [a, b] = [r0.say(r0.proposal(1)), r0.say(r0.proposal(4))];
  const run = r1.say(r1.skip(2, 2));
  const third = r2.say(r2.proposal(3));
  r1.say(r1.vector([a, b]));
  r2.say(r2.vector([a, b]));
  const whole = computeBase(context, [r1.leave(1), r2.leave(1)], cluster.knowledge());
  assert.ok(whole.kind === 'valid');
  assert.deepEqual(
    whole.value.base.map(({ digest }) => digest),
    [a, run, third, b, run].map(({ digest }) => digest),
  );
  const [s0, s1] = voices();
  const first = s0.say(s0.proposal(1));
  s1.say(s1.skip(2, 2));
  s1.say(s1.vector([first]));
  const cut = computeBase(context, [s0.leave(1), s1.leave(1)], cluster.knowledge());
  assert.ok(cut.kind === 'valid');
  assert.equal(cut.value.end, 2, 'slot 3 is missing: slot 5 of the run is forgotten');
});

test('EBAWA.VC.2, EBAWA.VC.4: owners are the coordinator and whoever nobody suspects (scenario 7)', () => {
  const [, r1, r2] = voices();
  const owners = (suspects: readonly number[]): number[] => {
    const verdict = newViewContent(context, [r1.leave(1), r2.leave(1, suspects)], cluster.knowledge());
    assert.ok(verdict.kind === 'valid');
    return verdict.value.content.owners!.map(({ replica }) => replica);
  };
  assert.deepEqual(owners([]), [1, 2, 0]);
  assert.deepEqual(owners([0]), [1, 2]);
  assert.deepEqual(owners([0, 1, 2]), [1], 'the coordinator always');
  const named = r2.leave(1, [0]);
  assert.deepEqual(decodeMessage(context, encodeMessage(named)), named);
  assert.notEqual(named.bodyDigest, r2.leave(1).bodyDigest, 'the UI covers the suspects');
});

test('EBAWA.VC.4: a NEW-VIEW that names other owners is invalid', () => {
  const [, r1, r2] = voices();
  const viewChanges = [r1.say(r1.leave(1) as never) as unknown as ViewChange, r2.leave(1, [0])];
  const known = cluster.knowledge();
  const made = newViewContent(context, viewChanges, known);
  assert.ok(made.kind === 'valid');
  const { content } = made.value;
  const verdictOn = (owners: typeof content.owners): string => {
    const header = r1.seal<NewViewHeader>({ ...content, owners: owners! });
    const verdict = validNewView(context, makeFullNewView(header, viewChanges), cluster.knowledge());
    return verdict.kind === 'invalid' ? verdict.rule : verdict.kind;
  };
  const owner = (replica: number, incarnation = 0): Owner => ({ replica, incarnation });
  assert.equal(verdictOn(content.owners), 'valid');
  for (const wrong of [
    [owner(1)],
    [owner(2), owner(1)],
    [owner(1), owner(2, 1)],
    [owner(1), owner(2), owner(0)],
  ])
    assert.equal(verdictOn(wrong), 'EBAWA.VC.4');
});
