/** What happens when the one thing that must hold does not: trusted components that were cloned, rolled back, robbed. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { runSchedule } from './run-schedule.ts';
import type { ForkWay } from './trusted-faults.ts';

/** Schedules of each kind. Of three about two fork where nothing stands in the way. */
const SEEDS = 8;

function forkedAmong(fork: ForkWay, fence: boolean): number[] {
  const forked: number[] = [];
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const { violations, reproduce } = runSchedule(seed, { fork, fence });
    if (violations.length === 0) continue;
    // A wrong state at a checkpoint is noticed in the same breath as the batch that made it so.
    const isFork = violations.some(({ judge }) => judge === 'agreement');
    assert.ok(isFork, `${reproduce}: ${violations[0]!.judge} ${violations[0]!.text}`);
    forked.push(seed);
  }
  return forked;
}

describe('one component with two voices', () => {
  for (const [fork, fence, why] of [
    ['snapshot', true, 'a copy of its memory is beyond any fence'],
    ['leak', true, 'so is its key'],
    ['rollback', false, 'an older folder is taken for the newest'],
    ['restart', false, 'a copied folder is taken for the only one'],
  ] as const) {
    it(`${fork}, ${fence ? 'in spite of the fence' : 'no fence'}: agreement breaks (${why})`, () => {
      assert.ok(forkedAmong(fork, fence).length >= SEEDS / 4);
    });
  }

  for (const fork of ['rollback', 'restart'] as const) {
    it(`${fork} with the fence: the same seeds are clean`, () => {
      assert.deepEqual(forkedAmong(fork, true), []);
    });
  }
});
