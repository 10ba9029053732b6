import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf, utf8 } from '../../test/support/ledger-fixture.ts';
import { UndoLog } from '../core/undo-log.ts';
import type { IdempotencyEntry } from './idempotency.ts';
import {
  IDEMPOTENCY_BLOCKS,
  IDEMPOTENCY_CHUNK_ENTRIES,
  IDEMPOTENCY_CHUNKS,
  IDEMPOTENCY_ENTRIES_MAX,
  IdempotencyQueue,
} from './idempotency.ts';

const txId = digestOf('tx');
const operationDigest = new Uint8Array(32);
const numbered = (number: number) => new Uint8Array([number >>> 24, number >>> 16, number >>> 8, number]);

function entry(number: number, height: number, organisation = 'alpha'): IdempotencyEntry {
  const result = new Uint8Array([0, number]);
  return { organisation, key: numbered(number), operationDigest, txId, sequence: height, height, result };
}

function chunksOf(queue: IdempotencyQueue): Uint8Array[] {
  return Array.from({ length: IDEMPOTENCY_CHUNKS }, (_, chunk) => queue.encodeChunk(chunk));
}

function copyOf(queue: IdempotencyQueue): IdempotencyQueue {
  const chunks = chunksOf(queue);
  const copy = new IdempotencyQueue();
  assert.ok(copy.decode(queue.head, queue.tail, (index) => chunks[index]!));
  return copy;
}

test('a key is remembered for exactly the stated number of blocks, per organisation', () => {
  const queue = new IdempotencyQueue();
  queue.add(entry(1, 5));
  queue.add(entry(2, 6));
  assert.equal(queue.find('alpha', numbered(1))?.height, 5);
  assert.equal(queue.find('beta', numbered(1)), undefined);
  queue.expire(5 + IDEMPOTENCY_BLOCKS);
  assert.equal(queue.find('alpha', numbered(1))?.height, 5);
  queue.expire(5 + IDEMPOTENCY_BLOCKS + 1);
  assert.equal(queue.find('alpha', numbered(1)), undefined);
  assert.equal(queue.find('alpha', numbered(2))?.height, 6);
});

test('keys that were added and keys that expired come back with an undo', () => {
  const undo = new UndoLog();
  const queue = new IdempotencyQueue(undo);
  for (let number = 1; number <= 3; number += 1) queue.add(entry(number, number));
  queue.takeChanged();
  const before = chunksOf(queue);
  undo.mark(1);
  queue.expire(3 + IDEMPOTENCY_BLOCKS);
  queue.add(entry(1, 3 + IDEMPOTENCY_BLOCKS));
  undo.mark(2);
  queue.takeChanged();
  queue.add(entry(2, 4 + IDEMPOTENCY_BLOCKS));
  assert.deepEqual([queue.head, queue.tail], [2, 5]);
  undo.undoTo(0);
  assert.deepEqual([queue.head, queue.tail], [0, 3]);
  assert.deepEqual(chunksOf(queue), before);
  assert.equal(queue.find('alpha', numbered(1))?.height, 1);
  assert.deepEqual(queue.takeChanged(), [0], 'what changed there and back is encoded again');
});

test('the key is copied: the bundle it came in can go', () => {
  const queue = new IdempotencyQueue();
  const key = utf8('key');
  queue.add({ ...entry(1, 1), key });
  key.fill(0);
  assert.ok(queue.find('alpha', utf8('key')) !== undefined);
});

test('a checkpoint encodes only the chunks at the two ends, and reads back equal around the whole ring', () => {
  const queue = new IdempotencyQueue();
  queue.takeChanged();
  const perBlock = IDEMPOTENCY_CHUNK_ENTRIES / 2;
  let height = 0;
  let added = 0;
  const addBlock = () => {
    height += 1;
    for (let count = 0; count < perBlock && queue.hasRoom; count += 1) queue.add(entry((added += 1), height));
  };
  addBlock();
  assert.deepEqual(queue.takeChanged(), [0]);
  while (queue.hasRoom) addBlock();
  assert.equal(queue.tail - queue.head, IDEMPOTENCY_ENTRIES_MAX);
  queue.takeChanged();
  queue.expire(3 + IDEMPOTENCY_BLOCKS);
  assert.deepEqual(queue.takeChanged(), [0]);
  assert.equal(queue.head, IDEMPOTENCY_CHUNK_ENTRIES);
  addBlock();
  addBlock();
  addBlock();
  assert.deepEqual(queue.takeChanged(), [IDEMPOTENCY_CHUNKS - 1], 'full again: one chunk was free');
  queue.expire(height - 6 + IDEMPOTENCY_BLOCKS);
  queue.takeChanged();
  for (let count = 0; count < 4; count += 1) addBlock();
  assert.deepEqual(queue.takeChanged(), [0, 1]);
  const copy = copyOf(queue);
  assert.deepEqual(copy.find('alpha', numbered(added)), queue.find('alpha', numbered(added)));
  copy.expire(height - 5 + IDEMPOTENCY_BLOCKS);
  queue.expire(height - 5 + IDEMPOTENCY_BLOCKS);
  assert.deepEqual(chunksOf(copy), chunksOf(queue));
});

test('chunks that do not fit head and tail, or hold a key twice, are refused', () => {
  const queue = new IdempotencyQueue();
  for (let number = 1; number <= 3; number += 1) queue.add(entry(number, number));
  const chunks = chunksOf(queue);
  const accepts = (head: number, tail: number, first = chunks[0]!) =>
    new IdempotencyQueue().decode(head, tail, (index) => (index === 0 ? first : chunks[index]!));
  assert.ok(accepts(0, 3));
  assert.ok(!accepts(0, 2));
  assert.ok(!accepts(1, 3));
  assert.ok(!accepts(3, 0));
  assert.ok(!accepts(0, 2 ** 40));
  assert.ok(!accepts(0, 3, chunks[0]!.subarray(0, -1)));
  const twice = new IdempotencyQueue();
  twice.add(entry(1, 1));
  twice.add(entry(1, 1));
  assert.ok(!accepts(0, 2, twice.encodeChunk(0)));
});
