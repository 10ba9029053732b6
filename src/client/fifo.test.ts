/** A queue gives back what it was given, in order, however much went through it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Fifo } from './fifo.ts';

test('oldest first, over many more items than it ever holds', () => {
  const fifo = new Fifo<number>();
  assert.equal(fifo.shift(), undefined);
  let given = 0;
  let taken = 0;
  for (let round = 0; round < 2_000; round += 1) {
    for (let count = 0; count < (round % 7) + 1; count += 1) fifo.push(given++);
    for (let count = 0; count < 4 && fifo.size > 0; count += 1) assert.equal(fifo.shift(), taken++);
    assert.equal(fifo.size, given - taken);
    if (fifo.size > 0) assert.deepEqual([fifo.at(0), fifo.at(fifo.size - 1)], [taken, given - 1]);
    assert.equal(fifo.at(fifo.size), undefined);
  }
  assert.ok(taken > 5_000);
});

test('what is left out does not come', () => {
  const fifo = new Fifo<number>();
  for (let item = 0; item < 10; item += 1) fifo.push(item);
  fifo.shift();
  fifo.filter((item) => item % 3 === 0);
  assert.deepEqual(
    [fifo.size, fifo.shift(), fifo.shift(), fifo.shift(), fifo.shift()],
    [3, 3, 6, 9, undefined],
  );
});
