/** Seeds that once found a bug, each with what it was. They must stay clean. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { runSchedule } from './run-schedule.ts';

const FOUND = [
  {
    seed: 339,
    replicas: 3,
    bug: 'state transfer mixed a chunk of an earlier attempt into a state that did not need it',
  },
  {
    seed: 1151,
    replicas: 5,
    bug: 'a replica that waited for re-admission cut its new log by counters of the old component',
  },
  {
    seed: 56,
    replicas: 3,
    bug: 'a relayed stream began at an anchor that hid commitments above the stable checkpoint',
  },
  { seed: 377, replicas: 7, bug: 'a correct client was refused a request that its replica had forgotten' },
  { seed: 2013, replicas: 3, bug: 'a correct client was refused a request that its replica had forgotten' },
  { seed: 3099, replicas: 7, bug: 'triage after a crash said that the component was behind the log' },
] as const;

describe('seeds that found a bug', () => {
  for (const { seed, replicas, bug } of FOUND) {
    it(`--seed ${seed} --replicas ${replicas}: ${bug}`, () => {
      assert.deepEqual(runSchedule(seed, { replicas }).violations, []);
    });
  }
});
