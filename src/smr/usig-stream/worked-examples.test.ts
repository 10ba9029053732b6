/** Three worked examples of view changes, A, B and C, and scenarios in so far as they are about validity. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { mayAnchor } from './anchors.ts';
import type { ViewChange } from './messages.ts';
import { refusedBy, TestCluster, valid } from './fixture.test.ts';
import { computeBase, newViewContent, validNewView, validViewChange } from './view-change.ts';

function bodiesOf(cluster: TestCluster, viewChanges: readonly ViewChange[]): string[] {
  const computed = valid(computeBase(cluster.context, viewChanges, cluster.knowledge()));
  return computed.base.map(({ batchDigest }) => batchDigest.slice(0, 8));
}

function choose<T>(items: readonly T[], count: number): T[][] {
  if (count === 0) return [[]];
  return items.flatMap((item, index) =>
    choose(items.slice(index + 1), count - 1).map((rest) => [item, ...rest]),
  );
}

describe('worked example A: the primary falls silent', () => {
  function play() {
    const cluster = new TestCluster({ f: 1, checkpointInterval: 128 });
    const r0 = cluster.author(0);
    const r1 = cluster.author(1);
    const r2 = cluster.author(2);
    const a = r0.prepare(1, 'a');
    const b = r0.prepare(2, 'b');
    const c = r0.prepare(3, 'c');
    r1.commit(a);
    r1.commit(b);
    r2.commit(a);
    const viewChange1 = r1.viewChange(1);
    const viewChange2 = r2.viewChange(1);
    return { cluster, r0, r1, r2, a, b, c, viewChange1, viewChange2 };
  }

  it('carries a and b into view 1, and R0 rejoins without resurrecting c', () => {
    const { cluster, r0, r1, r2, a, b, c, viewChange1, viewChange2 } = play();
    const newView = r1.newView([viewChange1, viewChange2]);
    assert.equal(newView.header.ui.counter, 4);
    assert.equal(newView.header.end, 2);
    const checked = valid(validNewView(cluster.context, newView, cluster.knowledge()));
    assert.deepEqual(
      checked.base?.map(({ digest }) => digest),
      [a.digest, b.digest],
    );
    assert.equal(r2.commitNewView(newView.header).ui.counter, 3);
    const d = r1.prepare(3, 'd');
    assert.equal(d.newViewCounter, 4);
    assert.equal(r2.commit(d).ui.counter, 4);
    assert.equal(r2.last?.kind, 'accepted');

    r0.viewChange(1);
    r0.commitNewView(newView.header);
    assert.equal(r0.last?.kind, 'accepted');
    const later = [r0.viewChange(2), r2.viewChange(2)];
    const computed = valid(computeBase(cluster.context, later, cluster.knowledge()));
    assert.deepEqual(
      computed.base.map(({ digest }) => digest),
      [a.digest, b.digest, d.digest],
    );
    assert.ok(!computed.base.some(({ digest }) => digest === c.digest));
  });

  it('refuses a log that hides a commitment (V4)', () => {
    const { cluster, r1 } = play();
    const liar = new TestCluster({ f: 1, checkpointInterval: 128 }).author(1);
    for (const entry of r1.log.slice(0, 2)) if (entry.kind === 'COMMIT') liar.commit(entry.prepare);
    const hidden = liar.viewChange(1, { log: liar.log.slice(0, 1) });
    refusedBy(validViewChange(cluster.context, hidden, cluster.knowledge()), 'MinBFT.V4');
  });

  it('refuses a commitment that follows the VIEW-CHANGE', () => {
    const { r2, b } = play();
    r2.commit(b);
    refusedBy(r2.last, 'MinBFT.STEP.COMMIT.1');
  });
});

describe('worked example B: two Byzantine primaries', () => {
  function play() {
    const cluster = new TestCluster({ f: 2, checkpointInterval: 128 });
    const r0 = cluster.author(0);
    const r1 = cluster.author(1);
    const r2 = cluster.author(2);
    const r3 = cluster.author(3);
    const r4 = cluster.author(4);
    const a = r0.prepare(1, 'a');
    r1.commit(a);
    r2.commit(a);
    const first = [r0, r1, r2, r3, r4].map((author) => author.viewChange(1));
    return { cluster, r0, r1, r2, r3, r4, a, first };
  }

  it('keeps a in every NEW-VIEW that R1 can make, and in every choice for view 2', () => {
    const { cluster, r0, r1, r2, r3, r4, a, first } = play();
    const others = first.filter(({ ui }) => ui.replica !== 1);
    for (const pair of choose(others, 2))
      assert.deepEqual(bodiesOf(cluster, [first[1]!, ...pair]), [a.batchDigest.slice(0, 8)]);

    const newView = r1.newView([first[1]!, first[3]!, first[4]!]);
    assert.equal(newView.header.ui.counter, 3);
    r3.commitNewView(newView.header);
    assert.equal(r3.last?.kind, 'accepted');
    const second = [r0, r1, r2, r3, r4].map((author) => author.viewChange(2));
    assert.deepEqual(
      second.map(({ ui }) => ui.counter),
      [3, 4, 3, 3, 2],
    );
    const choices = choose([0, 1, 3, 4], 2).map((pair) => [2, ...pair]);
    assert.equal(choices.length, 6);
    for (const choice of choices) {
      const quoted = choice.map((replica) => second[replica]!);
      const computed = valid(computeBase(cluster.context, quoted, cluster.knowledge()));
      assert.deepEqual(
        computed.base.map(({ digest }) => digest),
        [a.digest],
      );
      assert.equal(computed.parent.view, choice.includes(1) || choice.includes(3) ? 1 : 0);
      valid(newViewContent(cluster.context, quoted, cluster.knowledge()));
    }
  });

  it('convicts whoever starts a view twice, and whoever commits to the second start (N3)', () => {
    const { cluster, r0, r1, first } = play();
    r1.newView([first[1]!, first[3]!, first[4]!]);
    const { content } = valid(
      newViewContent(cluster.context, [first[1]!, first[2]!, first[3]!], cluster.knowledge()),
    );
    const again = r1.sealNewView(content, [first[1]!, first[2]!, first[3]!]);
    assert.equal(again.header.ui.counter, 4);
    refusedBy(r1.last, 'MinBFT.STEP.NEW-VIEW.1');
    refusedBy(validNewView(cluster.context, again, cluster.knowledge()), 'MinBFT.N3');
    r0.commitNewView(again.header);
    refusedBy(r0.last, 'MinBFT.STEP.COMMIT-NEW-VIEW.5', /N3/);
    const accomplice = r0.viewChange(2);
    refusedBy(validViewChange(cluster.context, accomplice, cluster.knowledge()), 'MinBFT.V4', /N3/);
  });

  it('convicts whoever seals the same NEW-VIEW twice (N3)', () => {
    const { cluster, r0, r1, first } = play();
    const quoted = [first[1]!, first[3]!, first[4]!];
    const once = r1.newView(quoted);
    const twice = r1.sealNewView(once.header, quoted);
    assert.equal(once.header.digest, twice.header.digest);
    r0.commitNewView(twice.header);
    const accomplice = r0.viewChange(2, { newViews: [once] });
    refusedBy(validViewChange(cluster.context, accomplice, cluster.knowledge()), 'MinBFT.V4', /N3/);
  });

  it('takes the lower primary counter of two PREPAREs for one sequence number (MinBFT.BASE.5)', () => {
    const cluster = new TestCluster({ f: 2, checkpointInterval: 128 });
    const r0 = cluster.author(0);
    const a = r0.prepare(1, 'a');
    const x = r0.prepare(1, 'x');
    refusedBy(r0.last, 'MinBFT.STEP.PREPARE.5');
    cluster.author(1).commit(x);
    cluster.author(2).commit(a);
    const viewChanges = cluster.authors.map((author) => author.viewChange(1));
    const known = cluster.knowledge();
    refusedBy(validViewChange(cluster.context, viewChanges[0]!, known), 'MinBFT.V4');
    for (const order of [
      [1, 2, 3],
      [3, 2, 1],
    ])
      assert.deepEqual(
        valid(
          computeBase(
            cluster.context,
            order.map((replica) => viewChanges[replica]!),
            known,
          ),
        ).base,
        [a],
      );
    const withoutA = [1, 3, 4].map((replica) => viewChanges[replica]!);
    assert.deepEqual(valid(computeBase(cluster.context, withoutA, known)).base, [x]);
  });

  it('builds an empty base when nobody shows a commitment: a base must wait for its commitments', () => {
    const cluster = new TestCluster({ f: 2, checkpointInterval: 128 });
    const a = cluster.author(0).prepare(1, 'a');
    cluster.author(1).commit(a);
    const first = cluster.authors.map((author) => author.viewChange(1));
    cluster.author(1).newView([first[1]!, first[3]!, first[4]!]);
    const second = [2, 3, 4].map((replica) => cluster.author(replica).viewChange(2));
    assert.deepEqual(bodiesOf(cluster, second), []);
  });
});

describe('worked example C: trimming with pipelining', () => {
  it('allows CHECKPOINT(2) as the start of the log and not CHECKPOINT(4)', () => {
    const cluster = new TestCluster({ f: 1, checkpointInterval: 2, pipelineFactor: 2 });
    const r0 = cluster.author(0);
    const r1 = cluster.author(1);
    const prepares = [1, 2, 3, 4].map((sequence) => r0.prepare(sequence, `b${sequence}`));
    r1.commit(prepares[0]!);
    r1.commit(prepares[1]!);
    r1.commit(prepares[2]!);
    const older = r1.checkpoint(2);
    assert.equal(older.ui.counter, 4);
    assert.equal(older.self.lastSequence, 3);
    r0.checkpoint(2);
    for (const sequence of [5, 6]) prepares.push(r0.prepare(sequence, `b${sequence}`));
    r1.commit(prepares[3]!);
    r1.commit(prepares[4]!);
    const voucher = r0.checkpoint(4);
    assert.deepEqual(voucher.seen[1], { incarnation: 0, counter: 6 });
    const newer = r1.checkpoint(4);
    assert.equal(newer.self.lastSequence, 5);
    prepares.push(r0.prepare(7, 'b7'));
    r1.commit(prepares[5]!);
    r1.commit(prepares[6]!);
    assert.equal(r1.last?.kind, 'accepted');
    assert.equal(r1.state.counter, 9);

    const late = r0.checkpoint(6);
    assert.ok(mayAnchor(cluster.context, older, [voucher], 0, 4));
    assert.ok(!mayAnchor(cluster.context, newer, [late], 0, 4));
    const stable = { checkpoints: [voucher, newer] };
    const viewChange = r1.viewChange(1, { stable, anchor: older, vouchers: [voucher] });
    assert.deepEqual(
      viewChange.log.map(({ ui }) => ui.counter),
      [5, 6, 7, 8, 9],
    );
    const checked = valid(validViewChange(cluster.context, viewChange, cluster.knowledge()));
    assert.equal(checked.end.lastSequence, 7);

    const r2 = cluster.author(2).viewChange(1);
    const computed = valid(computeBase(cluster.context, [viewChange, r2], cluster.knowledge()));
    assert.equal(computed.low, 4);
    assert.deepEqual(
      computed.base.map(({ sequence }) => sequence),
      [5, 6, 7],
    );
  });
});
