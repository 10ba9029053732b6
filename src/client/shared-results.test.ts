/** Results that replicas say alike are decoded once, and never taken for others. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { writeReplyContent } from '../core/client-wire.ts';
import type { WireResult } from '../core/client-wire.ts';
import { Writer } from '../core/codec.ts';
import type { Digest } from '../core/types.ts';
import { SharedResults } from './shared-results.ts';

const HEAD = writeReplyContent(new Writer(64), {
  replica: 0,
  session: 1,
  view: 0,
  standing: 'final',
  proof: new Uint8Array(0),
  results: [],
}).finish();

function listOf(results: readonly WireResult[]): Uint8Array {
  const said = {
    replica: 0,
    session: 1,
    view: 0,
    standing: 'final',
    proof: new Uint8Array(0),
    results,
  } as const;
  return writeReplyContent(new Writer(64), said)
    .finish()
    .slice(HEAD.length - 4);
}

const result = (number: number, byte = 1): WireResult => ({
  number,
  txId: number.toString(16).padStart(64, '0') as Digest,
  sequence: 3,
  height: 2,
  result: Uint8Array.of(0, byte),
});

test('equal bytes give the same objects, others their own', () => {
  const shared = new SharedResults(3);
  const first = shared.read(listOf([result(1), result(2)]));
  assert.deepEqual(first, [result(1), result(2)]);
  assert.equal(shared.read(listOf([result(1), result(2)])), first);
  // One lie in the last byte: the same length and head.
  const lie = shared.read(listOf([result(1), result(2, 9)]));
  assert.deepEqual(lie, [result(1), result(2, 9)]);
  assert.deepEqual(shared.read(listOf([result(1), result(2)])), first);
});

test('a list is remembered until every replica has said it', () => {
  const shared = new SharedResults(3);
  const first = shared.read(listOf([result(1)]));
  assert.equal(shared.read(listOf([result(1)])), first);
  assert.equal(shared.size, 1);
  assert.equal(shared.read(listOf([result(1)])), first);
  assert.equal(shared.size, 0);
});

test('what was read does not change with the frame', () => {
  const shared = new SharedResults(3);
  const bytes = listOf([result(1)]);
  const read = shared.read(bytes);
  bytes.fill(255);
  assert.deepEqual(read, [result(1)]);
});

test('what is no list is none, and memory is bounded', () => {
  const shared = new SharedResults(3);
  const bytes = listOf([result(1)]);
  assert.equal(shared.read(bytes.subarray(0, bytes.length - 1)), undefined);
  assert.equal(shared.read(new Uint8Array(0)), undefined);
  const first = shared.read(listOf([result(1)]));
  for (let number = 2; number < 2_000; number += 1) assert.ok(shared.read(listOf([result(number)])));
  assert.notEqual(shared.read(listOf([result(1)])), first, 'forgotten');
});
