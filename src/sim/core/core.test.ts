/** The core fidelity: equal seeds give equal runs, its budget is clean, and its judges see what they must. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { runSchedule } from '../run-schedule.ts';

describe('core fidelity', () => {
  it('runs alike for equal seeds', () => {
    for (const seed of [3, 17, 256]) {
      const first = runSchedule(seed, { fidelity: 'core' });
      const second = runSchedule(seed, { fidelity: 'core' });
      assert.equal(first.traceHash, second.traceHash, `seed ${seed}`);
      assert.deepEqual(first, second);
    }
  });

  it('says how to repeat a run', () => {
    const { reproduce } = runSchedule(5, { fidelity: 'core', replicas: 3 });
    assert.equal(reproduce, 'moiety sim --seed 5 --replicas 3 --fidelity core');
  });
});
