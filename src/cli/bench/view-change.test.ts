import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Moment } from './load-orders.ts';
import { viewChangeLines } from './print.ts';
import { judgeKill, silentKills, summedUp } from './view-change.ts';
import type { ViewChangeReport, ViewChangeRun } from './view-change.ts';

/** Operations that end every 10 ms, `count` at a time, and took so long. */
function steady(fromMs: number, toMs: number, count: number, tookMs = 20): Moment[] {
  return Array.from({ length: (toMs - fromMs) / 10 }, (_, index) => {
    const atMs = fromMs + index * 10;
    return [atMs, count, atMs - tookMs];
  });
}

const times = { fromMs: 1_000, killedMs: 3_000, goneMs: 3_010, toMs: 9_000 };

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

test('what was lost with the primary is a commit of the new view, though it was begun before the kill', () => {
  const lost: Moment = [5_000, 64, 2_990];
  const moments = [...steady(1_000, 3_020, 10), lost, ...steady(5_040, 9_000, 10)];
  const { nextCommitMs, lastOfOldViewMs } = judgeKill(moments, times);
  assert.deepEqual([lastOfOldViewMs, nextCommitMs], [10, 2_000]);
});

test('the silence that lasts to the end is no commit, and answers on their way are none', () => {
  // The last of the old view come 4 ms apart: that was taken for the next commit.
  const late: Moment[] = [
    [3_004, 10, 2_990],
    [3_008, 10, 2_990],
  ];
  for (const rest of [[], late]) {
    const { nextCommitMs, lastOfOldViewMs, recoveredMs, throughputAfter } = judgeKill(
      [...steady(1_000, 3_000, 10), ...rest],
      times,
    );
    assert.deepEqual([nextCommitMs, recoveredMs, throughputAfter], [null, null, 0]);
    assert.equal(lastOfOldViewMs, rest.length === 0 ? 0 : 8);
  }
});

test('a longer silence later on does not move the next commit', () => {
  const moments = [...steady(1_000, 3_000, 10), ...steady(5_000, 5_500, 10)];
  assert.equal(judgeKill(moments, times).nextCommitMs, 2_000);
});

test('a cluster that stays slow has not recovered', () => {
  const slow = [...steady(1_000, 3_000, 10), ...steady(4_000, 9_000, 8)];
  assert.equal(judgeKill(slow, times).recoveredMs, null);
});

function reportOf(moments: readonly (readonly Moment[])[]): ViewChangeReport {
  const runs: ViewChangeRun[] = moments.map((one) => ({
    ...judgeKill(one, times),
    ...{ killed: 0, newViewMs: null, errors: 3 },
  }));
  const terms = {
    ...{ retransmissionMs: 200, requestTimerMs: 1_500, messageDelayMs: 0.1, messageDelays: 5 },
    ...{ syncMs: 0, syncs: 0, sumMs: 1_700.5 },
  };
  return { terms, runs, beforeMs: 2_000, afterMs: 6_000, ...summedUp(runs) };
}

test('a kill without a commit is said in the table, and in a sentence', () => {
  const good = [...steady(1_000, 3_000, 10), ...steady(5_000, 9_000, 10)];
  const dead = steady(1_000, 3_000, 10);
  const failed = reportOf([good, dead]);
  assert.deepEqual([failed.nextCommitMs, failed.recoveredMs], [null, null]);
  assert.match(silentKills(failed)!, /^After 1 of 2 kills nothing was committed in 6 s/);
  const table = viewChangeLines(failed).join('\n');
  assert.match(table, /no commit in 6 s/);
  assert.doesNotMatch(table, /NaN|null/);
  const done = reportOf([good]);
  assert.equal(silentKills(done), undefined);
  assert.equal(done.nextCommitMs, 2_000);
  assert.match(viewChangeLines(done).join('\n'), /next commit, median +2000.0/);
});
