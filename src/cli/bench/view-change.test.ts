import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Moment } from './load-orders.ts';
import { judgeKill } from './view-change.ts';

/** Operations that end every 10 ms, `count` at a time. */
function steady(fromMs: number, toMs: number, count: number): Moment[] {
  return Array.from({ length: (toMs - fromMs) / 10 }, (_, index) => [fromMs + index * 10, count]);
}

const times = { fromMs: 1_000, killedMs: 3_000, toMs: 9_000 };

test('the next commit ends the longest silence after the kill, not the answers that were on their way', () => {
  const moments = [...steady(1_000, 3_030, 10), ...steady(5_000, 6_000, 5), ...steady(6_000, 9_000, 10)];
  const { timeline, ...judged } = judgeKill(moments, times);
  assert.deepEqual(judged, {
    throughputBefore: 1_000,
    lastOfOldViewMs: 20,
    nextCommitMs: 2_000,
    // Half a second at 90 %: of it at most a tenth before second 6.
    recoveredMs: 900,
    throughputAfter: 875,
  });
  assert.equal(timeline.length, 80);
  assert.deepEqual(
    [timeline[0], timeline[20], timeline[30], timeline[40], timeline[79]],
    [1_000, 300, 0, 500, 1_000],
  );
});

test('a cluster that stays slow has not recovered, and one that says nothing is an error', () => {
  const slow = [...steady(1_000, 3_000, 10), ...steady(4_000, 9_000, 8)];
  assert.equal(judgeKill(slow, times).recoveredMs, null);
  assert.throws(() => judgeKill(steady(1_000, 3_000, 10), times), /nothing was answered any more/);
});
