import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Rehearsal } from './rehearsal.ts';

/** A short slice of `npm run test:rollback`. */
const MOMENTS = 3;

test('an old copy of store and trusted component put back under load is refused, and the replica re-joins', async (t) => {
  const rehearsal = new Rehearsal({
    replicas: 3,
    clients: 1,
    seed: 7,
    keep: false,
    tell: (line) => t.diagnostic(line),
  });
  assert.deepEqual(await rehearsal.run(MOMENTS), []);
  assert.equal(rehearsal.outcomes.length, MOMENTS);
});
