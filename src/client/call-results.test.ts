/** What calls give is made of the bytes of their results, whatever becomes of those afterwards. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeKvResult } from '../apps/kv/results.ts';
import type { KvResult } from '../apps/kv/results.ts';
import { ZERO_DIGEST } from '../core/types.ts';
import { okResult } from '../ledger/operation.ts';
import { readPut, readSwap } from './call-results.ts';

const resultOf = (result: Uint8Array) => ({ number: 1, txId: ZERO_DIGEST, sequence: 2, height: 3, result });
const bytesOf = (said: KvResult): Uint8Array => okResult(encodeKvResult(said));

test('a short result is read alike again when the buffer of an earlier one holds something else', () => {
  const current = Uint8Array.of(7);
  const mismatch = bytesOf({ kind: 'mismatch', current });
  const reply = Uint8Array.from([...mismatch, 0]);
  const result = reply.subarray(0, mismatch.length);
  const first = readSwap(resultOf(result));
  assert.deepEqual(first.current, current);
  reply.fill(9);
  assert.deepEqual(first.current, current);
  assert.deepEqual(readSwap(resultOf(mismatch)).current, current);
});

test('results that differ are told apart, however alike they are', () => {
  for (const existed of [true, false, false, true])
    assert.equal(readPut(resultOf(bytesOf({ kind: 'put', existed }))).existed, existed);
  const other = resultOf(bytesOf({ kind: 'swapped' }));
  assert.throws(() => readPut(other), /"swapped"/);
  assert.throws(() => readPut(other), /"swapped"/);
});
