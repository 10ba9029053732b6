/** Modes of a view, each function alone. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { activeSet, isNormal, mayReturn, nextPatience } from './modes.ts';

const terms = { view: 1, base: 8, orders: [], carried: 4 };

it('view 0 has the first f+1 replicas, later views those that they rest on', () => {
  assert.deepEqual(activeSet(undefined, 2), [0, 1, 2]);
  const viewChanges = [4, 1, 3].map((author) => ({ author }));
  assert.deepEqual(activeSet({ viewChanges }, 2), [1, 3, 4]);
});

it('a view may return X orders after what its NEW-VIEW obliged to', () => {
  assert.ok(!mayReturn(terms, 11));
  assert.ok(mayReturn(terms, 12));
  assert.ok(!isNormal(undefined, 12) && !isNormal(12, 12) && isNormal(12, 13));
});

it('X doubles when faults come soon after the return, and is as at first after a calm', () => {
  const passed = (orders: number): number => nextPatience(terms, 8 + orders, 4);
  assert.deepEqual([0, 3, 4, 8, 11, 12, 100].map(passed), [4, 4, 8, 8, 8, 4, 4]);
  assert.equal(nextPatience({ ...terms, carried: 256 }, 8 + 300, 4), 256, 'it grows 64 times at most');
  assert.equal(nextPatience({ ...terms, view: 0 }, 11, 4), 4, 'view 0 did not have to return');
});
