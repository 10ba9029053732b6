import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WaitBook } from './wait-book.ts';

test('waits are counted by the least bound that holds them', () => {
  const book = new WaitBook();
  assert.deepEqual(book.counts, []);
  for (const [waitedMs, requests] of [
    [0, 1],
    [1, 2],
    // A clock that was set back.
    [-5, 4],
    [7, 8],
    [8, 16],
    [60_000, 32],
    [900_000, 64],
  ] as const)
    book.note(waitedMs, requests);
  assert.deepEqual(book.counts, [
    [1, 7],
    [8, 24],
    [60_000, 96],
  ]);
});
