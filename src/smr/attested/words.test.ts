/** Words of replicas: each counts once, in order, however large the cluster is. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Words } from './words.ts';

const REPLICAS = 100;

test('each replica has one word, and they come out as they came', () => {
  const words = new Words<{ author: number }>();
  const order = Array.from({ length: REPLICAS }, (_, index) => (index * 37) % REPLICAS);
  for (const author of order) {
    assert.equal(words.has(author), false);
    words.add({ author });
    assert.equal(words.has(author), true);
  }
  assert.equal(words.size, REPLICAS);
  assert.equal(words.first?.author, order[0]);
  assert.deepEqual(
    words.take(REPLICAS - 1).map(({ author }) => author),
    order.slice(0, -1),
  );
});

test('a word that is taken out leaves the others as they were', () => {
  const words = new Words<{ author: number }>();
  for (const author of [31, 32, 63, 64]) words.add({ author });
  words.delete(32);
  words.delete(33);
  assert.deepEqual(
    words.take().map(({ author }) => author),
    [31, 63, 64],
  );
  assert.deepEqual([words.has(31), words.has(32), words.has(63)], [true, false, true]);
});
