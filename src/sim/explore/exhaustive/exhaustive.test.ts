/** Exhaustive search: it sees all there is, whichever way it walks, and the protocol is clean where it has been. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ExhaustiveOptions } from './configuration.ts';
import { ExhaustiveSearch } from './exhaustive.ts';

const CALM: ExhaustiveOptions = {
  requests: 1,
  equivocates: false,
  timeouts: 0,
  order: 'any',
  depth: 80,
  hints: false,
  reduce: false,
  merge: true,
};

function walk(
  options: Partial<ExhaustiveOptions>,
  budget = Infinity,
): ReturnType<ExhaustiveSearch['figures']> {
  const search = new ExhaustiveSearch({ ...CALM, ...options }, budget);
  while (search.advance());
  assert.deepEqual(search.findings, []);
  assert.equal(search.violating, 0);
  return search.figures();
}

describe('exhaustive search', () => {
  it('goes through every order of one request without faults, to the one end that there is', () => {
    const { complete, quiet, quietAndDone, deepest, ends } = walk({});
    assert.equal(complete, 1);
    // Two deliveries of the PREPARE, four of the COMMITs.
    assert.equal(deepest, 6);
    assert.deepEqual([ends, quiet, quietAndDone], [1, 1, 1]);
  });

  it('sleep sets leave out transitions and no states', () => {
    const scopes = [
      { requests: 2, order: 'link', merge: true },
      { requests: 2, order: 'link', merge: false },
      { timeouts: 1, order: 'link' },
    ] as const;
    for (const scope of scopes) {
      const plain = walk(scope);
      const reduced = walk({ ...scope, reduce: true });
      assert.equal(reduced['complete'], 1);
      assert.equal(reduced['states'], plain['states']);
      assert.ok(reduced['transitions']! < plain['transitions']!);
    }
  });

  it('merging states loses no end', () => {
    const merged = walk({ requests: 2, order: 'link' });
    const exact = walk({ requests: 2, order: 'link', merge: false });
    assert.ok(merged['states']! < exact['states']!);
    assert.equal(merged['deepest'], exact['deepest']);
    assert.equal(merged['quiet'], merged['quietAndDone']);
    assert.equal(exact['quiet'], exact['quietAndDone']);
  });

  it('changes the view, with a primary that is honest and with one that is not', () => {
    const change = walk({ timeouts: 1, order: 'link' }, 30_000);
    assert.equal(change['highestView'], 1);
    const forked = walk({ timeouts: 1, order: 'link', equivocates: true }, 30_000);
    assert.equal(forked['highestView'], 1);
    assert.ok(forked['replayed']! > 0);
  });

  it('cuts paths off at the depth, and says so', () => {
    const { deepest, cutOff, complete } = walk({ depth: 3 });
    assert.deepEqual([deepest, complete], [3, 1]);
    assert.ok(cutOff! > 0);
  });
});
