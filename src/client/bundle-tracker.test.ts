import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { WireResult } from '../core/client-wire.ts';
import type { Digest } from '../core/types.ts';
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
