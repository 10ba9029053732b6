import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { WireResult } from '../core/client-wire.ts';
import type { Standing } from '../core/protocol.ts';
import type { Digest } from '../core/types.ts';
import { errorResult } from '../ledger/operation.ts';
import { plainCounting } from './answer-rules.ts';
import { BundleTracker, PrimaryHint, RETRANSMIT_CAP_MS, RETRANSMIT_MS } from './bundle-tracker.ts';
import type { TrackerEffect } from './bundle-tracker.ts';

const digest = (digit: number): Digest => digit.toString(16).repeat(64) as Digest;
const bundleOf = (digit: number) => ({ digest: digest(digit), bytes: new Uint8Array([digit]), session: 7 });
const result = (number: number, over: Partial<WireResult> = {}): WireResult => ({
  number,
  txId: digest(number),
  sequence: 10,
  height: 4,
  result: new Uint8Array([0, number]),
  ...over,
});
const request = (number: number, mayBeOther = false) => ({ number, txId: digest(number), mayBeOther });
const kinds = (effects: readonly TrackerEffect[]): string[] => effects.map((effect) => effect.kind);

function tracking(quorum: number, numbers: readonly number[], mayBeOther = false): BundleTracker {
  const tracker = new BundleTracker(quorum, plainCounting(quorum - 1));
  tracker.track(
    bundleOf(15),
    numbers.map((number) => request(number, mayBeOther)),
    0,
  );
  return tracker;
}

/** A final reply. */
function give(
  tracker: BundleTracker,
  replica: number,
  session: number,
  results: readonly WireResult[],
): TrackerEffect[] {
  const reply = { session, results, standing: 'final', key: '', proof: new Uint8Array(0) } as const;
  return tracker.onReply(replica, reply, 0);
}

test('a result is believed when f+1 distinct replicas give it', () => {
  const tracker = tracking(2, [1]);
  assert.deepEqual(give(tracker, 0, 7, [result(1)]), []);
  assert.deepEqual(kinds(give(tracker, 2, 7, [result(1)])), ['result', 'finished']);
  assert.equal(tracker.size, 0);
});

test('duplicates of one replica are one vote', () => {
  const tracker = tracking(2, [1]);
  for (let times = 0; times < 5; times += 1) assert.deepEqual(give(tracker, 0, 7, [result(1)]), []);
  assert.equal(tracker.size, 1);
});

test('f lying replicas decide nothing, whichever field they lie about', () => {
  const lies: Partial<WireResult>[] = [
    { sequence: 11 },
    { height: 5 },
    { result: new Uint8Array([0, 9]) },
    { txId: digest(9) },
    { number: 2 },
  ];
  for (const lie of lies) {
    const tracker = tracking(3, [1]);
    assert.deepEqual(give(tracker, 0, 7, [result(1, lie)]), []);
    assert.deepEqual(give(tracker, 1, 7, [result(1, lie)]), []);
    assert.deepEqual(give(tracker, 2, 7, [result(1)]), []);
    assert.deepEqual(give(tracker, 3, 7, [result(1)]), []);
    const effects = give(tracker, 4, 7, [result(1)]);
    const first = effects[0];
    assert.ok(first?.kind === 'result');
    assert.deepEqual([first.bundle, first.expected, first.session], [digest(15), digest(1), 7]);
    assert.deepEqual(first.result, result(1));
  }
});

test('a liar that repeats the truth of another after its own lie is still one vote', () => {
  const tracker = tracking(2, [1]);
  give(tracker, 0, 7, [result(1, { height: 9 })]);
  assert.deepEqual(give(tracker, 0, 7, [result(1)]), []);
  assert.deepEqual(kinds(give(tracker, 1, 7, [result(1)])), ['result', 'finished']);
});

test('results may come in any order and in parts; late ones are not wanted', () => {
  const tracker = tracking(2, [1, 2, 3]);
  give(tracker, 0, 7, [result(3), result(1), result(2)]);
  assert.deepEqual(kinds(give(tracker, 1, 7, [result(2)])), ['result']);
  assert.deepEqual(kinds(give(tracker, 1, 7, [result(3), result(1)])), ['result', 'result', 'finished']);
  assert.equal(tracker.wants(7, [result(2)]), false);
  assert.deepEqual(give(tracker, 2, 7, [result(2)]), []);
});

test('another txId is believed only for a request with an idempotency key', () => {
  const other = result(1, { txId: digest(9) });
  const strict = tracking(2, [1]);
  assert.equal(strict.wants(7, [other]), false);
  const idempotent = tracking(2, [1], true);
  give(idempotent, 0, 7, [other]);
  assert.deepEqual(kinds(give(idempotent, 1, 7, [other])), ['result', 'finished']);
  const otherSession = tracking(2, [1], true);
  assert.equal(otherSession.wants(8, [other]), false);
});

test('unanswered bundles go to all, with doubling and capped waits', () => {
  const tracker = tracking(2, [1]);
  assert.deepEqual(tracker.onTick(RETRANSMIT_MS - 1), []);
  const times: number[] = [];
  for (let now = RETRANSMIT_MS; now < 60_000; now += 10) {
    for (const effect of tracker.onTick(now)) {
      assert.deepEqual(effect, { kind: 'send', to: 'all', bytes: new Uint8Array([15]) });
      times.push(now);
    }
  }
  assert.deepEqual(times.slice(0, 4), [200, 600, 1400, 3000]);
  const gaps = times.slice(1).map((time, index) => time - times[index]!);
  assert.equal(Math.max(...gaps), RETRANSMIT_CAP_MS);
});

test('BUSY of one replica is a hint, of f+1 an overload; the bundle stays tracked', () => {
  const tracker = tracking(2, [1]);
  assert.deepEqual(tracker.onBusy(0, digest(15), 100, 5), []);
  assert.deepEqual(tracker.onBusy(0, digest(15), 100, 5), []);
  const effects = tracker.onBusy(1, digest(15), 4_000_000_000, 5);
  assert.equal(effects[0]?.kind, 'overloaded');
  assert.ok(effects[0]?.kind === 'overloaded' && effects[0].retryAfterMs <= 5_000);
  assert.equal(tracker.size, 1);
  give(tracker, 0, 7, [result(1)]);
  assert.deepEqual(kinds(give(tracker, 1, 7, [result(1)])), ['result', 'finished']);
});

test('a refusal is believed from f+1 and gives up what is left', () => {
  const tracker = tracking(2, [1, 2]);
  give(tracker, 0, 7, [result(1)]);
  give(tracker, 1, 7, [result(1)]);
  assert.deepEqual(tracker.onRefused(2, digest(15), 'x'), []);
  assert.deepEqual(tracker.onRefused(2, digest(15), 'x'), []);
  const effects = tracker.onRefused(1, digest(15), 'unknownSession');
  assert.deepEqual(kinds(effects), ['refused', 'finished']);
  assert.ok(effects[0]?.kind === 'refused' && effects[0].requests.length === 1);
  assert.equal(tracker.size, 0);
  assert.equal(tracker.wants(7, [result(2)]), false);
});

test('the primary hint needs f+1 replicas', () => {
  const hint = new PrimaryHint(3, 2);
  hint.report(0, 9_000);
  assert.equal(hint.primary, 0);
  hint.report(1, 4);
  assert.equal(hint.view, 4);
  assert.equal(hint.primary, 1);
  hint.report(1, 0);
  assert.equal(hint.view, 4);
});

/** Counting of a speculative protocol with n = 4, f = 1. */
const SPECULATIVE = {
  needed: (standing: Standing) => ({ speculative: 4, committed: 3, final: 2 })[standing],
  certificateNeeded: 3,
};
type Word = readonly [replica: number, standing: Standing, key: string, result?: Partial<WireResult>];

/** What becomes of request 1 when replicas say these words, one by one. */
function outcomes(words: readonly Word[], rules: typeof SPECULATIVE = SPECULATIVE): string[] {
  const tracker = new BundleTracker(2, rules);
  tracker.track(bundleOf(15), [request(1)], 0);
  return words.map(([replica, standing, key, over], index) => {
    const proof = new Uint8Array([replica]);
    const reply = { session: 7, results: [result(1, over)], standing, key, proof };
    const effects = tracker.onReply(replica, reply, index);
    const done = effects.find((effect) => effect.kind === 'result');
    return done === undefined ? '' : done.standing;
  });
}
const spec = (replica: number, key = 'a'): Word => [replica, 'speculative', key];
const committed = (replica: number, key = 'a'): Word => [replica, 'committed', key];
const final = (replica: number): Word => [replica, 'final', ''];

test('each standing has its own number, and standings are not added up', () => {
  assert.deepEqual(outcomes([spec(0), spec(1), spec(2), spec(3)]), ['', '', '', 'speculative']);
  assert.deepEqual(outcomes([committed(0), committed(1), committed(3)]), ['', '', 'committed']);
  assert.deepEqual(outcomes([final(0), final(2)]), ['', 'final']);
  const mixed = outcomes([spec(0), spec(1), committed(2), committed(3), final(0)]);
  assert.deepEqual(mixed, ['', '', '', '', '']);
});

test('answers of two views are not added up; the newer one of a replica replaces its older one', () => {
  const twoViews = [spec(0), spec(1), spec(2, 'b'), spec(3, 'b')];
  assert.deepEqual(outcomes(twoViews), ['', '', '', '']);
  // Replica 0 moves on and 2 falls back: still nowhere four alike at one time.
  assert.deepEqual(outcomes([...twoViews, spec(0, 'b'), spec(2)]), ['', '', '', '', '', '']);
  assert.equal(outcomes([...twoViews, spec(0, 'b'), spec(1, 'b')]).at(-1), 'speculative');
});

test('a committed answer may be undone and replaced, a final one is not taken back', () => {
  const redone = [committed(0), committed(1), spec(0, 'b'), committed(2), committed(3)];
  assert.equal(outcomes(redone).at(-1), 'committed');
  assert.deepEqual(outcomes([committed(0), committed(1), spec(0, 'b'), committed(2)]), ['', '', '', '']);
  assert.equal(outcomes([final(0), spec(0), final(1)]).at(-1), 'final');
});

test('f liars with valid proofs of their own complete nothing and stop nothing', () => {
  const lie = { result: new Uint8Array([0, 9]) };
  const words: Word[] = [[3, 'speculative', 'a', lie], spec(0), spec(1), spec(2)];
  assert.deepEqual(outcomes(words), ['', '', '', '']);
  assert.equal(outcomes([...words, committed(0), committed(1), committed(2)]).at(-1), 'committed');
  assert.equal(outcomes([[3, 'final', '', lie], final(0), final(1)]).at(-1), 'final');
  assert.deepEqual(outcomes([[3, 'final', '', lie], [3, 'final', ''], final(0)]), ['', '', 'final']);
});

test('a standing that can complete nothing is not even a vote', () => {
  const tracker = tracking(2, [1]);
  const reply = { session: 7, results: [result(1)], key: '', proof: new Uint8Array(0) };
  give(tracker, 0, 7, [result(1)]);
  assert.deepEqual(tracker.onReply(0, { ...reply, standing: 'committed' }, 0), []);
  assert.deepEqual(tracker.onReply(1, { ...reply, standing: 'speculative' }, 0), []);
  assert.deepEqual(kinds(give(tracker, 2, 7, [result(1)])), ['result', 'finished']);
});

test('enough speculative answers give out proofs for a certificate, with equal results only', () => {
  const tracker = new BundleTracker(2, SPECULATIVE);
  tracker.track(bundleOf(15), [request(1)], 0);
  const say = (replica: number, over: Partial<WireResult> = {}) =>
    tracker.onReply(
      replica,
      {
        session: 7,
        results: [result(1, over)],
        standing: 'speculative',
        key: 'a',
        proof: new Uint8Array([replica]),
      },
      20,
    );
  assert.deepEqual([...say(0), ...say(1), ...say(3, { height: 9 })], []);
  assert.equal(tracker.certificateDueMs, undefined);
  assert.deepEqual(say(2), []);
  const due = tracker.certificateDueMs!;
  assert.ok(due > 20 && due <= 40);
  const [effect] = tracker.onTick(due);
  assert.ok(effect?.kind === 'certify');
  assert.deepEqual(
    effect.proofs.map(({ replica, proof }) => [replica, ...proof]),
    [
      [0, 0],
      [1, 1],
      [2, 2],
    ],
  );
  tracker.forget(digest(15));
  assert.equal(tracker.certificateDueMs, undefined);
});

test('"forgotten" is believed of f+1, but takes back no result that a replica gave before', () => {
  const forgotten = { result: errorResult('resultForgotten') };
  const lost: Word = [0, 'final', '', forgotten];
  assert.deepEqual(outcomes([final(0), lost, final(1)]), ['', '', 'final']);
  assert.deepEqual(outcomes([lost, [1, 'final', '', forgotten]]), ['', 'final']);
  assert.deepEqual(outcomes([spec(0), spec(1), spec(2), lost, spec(3)]).at(-1), 'speculative');
});

test('a result that is waited for does not keep alive what a liar put around it', () => {
  const tracker = tracking(2, [1]);
  const memory = new Uint8Array(100_000);
  const around = { ...result(99), result: memory.subarray(10, 90_000) };
  give(tracker, 0, 7, [{ ...result(1), result: memory.subarray(0, 2) }, around]);
  const effects = give(tracker, 1, 7, [{ ...result(1), result: new Uint8Array(2) }]);
  const done = effects.find((effect) => effect.kind === 'result')!;
  assert.ok(done.kind === 'result');
  for (const vote of done.votes)
    if (vote !== undefined) assert.ok(vote.result.result.buffer.byteLength < 1_000);
  // What is mostly wanted stays as it is.
  const other = tracking(2, [1, 2]);
  const shared = [result(1), result(2)];
  give(other, 0, 7, shared);
  const last = give(other, 1, 7, shared).find((effect) => effect.kind === 'result')!;
  assert.ok(last.kind === 'result' && last.votes[0]!.result === shared[0]);
});
