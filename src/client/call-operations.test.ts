/** Operations as bytes: those of the codecs, each for itself, and never beyond a bound. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeKvOperation } from '../apps/kv/operations.ts';
import type { KvOperation } from '../apps/kv/operations.ts';
import { encodeOperation } from '../ledger/operation.ts';
import { encodeKv, OperationEncoder, promised } from './call-operations.ts';
import { ClientError } from './errors.ts';

const bytes = (length: number, value = 1): Uint8Array => new Uint8Array(length).fill(value);
const invalid = (reason: string) => (error: unknown) =>
  error instanceof ClientError && error.code === 'invalid' && error.reason === reason;

test('what is encoded is canonical, and stays as it is whatever is encoded after it', () => {
  const encoder = new OperationEncoder();
  const pairs: [Uint8Array, Uint8Array][] = [];
  for (let index = 0; index < 600; index += 1) {
    const idempotencyKey = index % 3 === 0 ? bytes(1 + (index % 64), index) : undefined;
    const kv: KvOperation = {
      kind: 'put',
      key: bytes(1 + (index % 50), index),
      value: bytes(index * 17, index),
    };
    const operation = encodeKvOperation(kv);
    pairs.push([
      encoder.encodeKv(kv, idempotencyKey),
      encodeOperation({ kind: 'app', idempotencyKey, operation }),
    ]);
    pairs.push([
      encoder.encodeApp(operation, idempotencyKey),
      encodeOperation({ kind: 'app', idempotencyKey, operation }),
    ]);
  }
  for (const [encoded, expected] of pairs) assert.deepEqual(encoded, expected);
});

test('bounds are checked before anything is encoded', () => {
  const encoder = new OperationEncoder();
  const put = (key: number, value: number): KvOperation => ({
    kind: 'put',
    key: bytes(key),
    value: bytes(value),
  });
  assert.throws(() => encodeKv(put(0, 1)), invalid('keyEmpty'));
  assert.throws(() => encoder.encodeKv(put(1_025, 1), undefined), invalid('keyTooLong'));
  assert.throws(() => encoder.encodeKv(put(1, 48 * 1024 + 1), undefined), invalid('valueTooLong'));
  const swap = {
    kind: 'compareAndSwap',
    key: bytes(1),
    expected: bytes(40_000),
    value: bytes(40_000),
  } as const;
  assert.throws(() => encodeKv(swap), invalid('operationTooLong'));
  assert.throws(() => encoder.encodeApp(bytes(70_000), undefined), invalid('operationTooLong'));
  assert.throws(() => encoder.encodeApp(bytes(1), bytes(0)), invalid('idempotencyKey'));
  assert.throws(() => encoder.encodeApp(bytes(1), bytes(65)), invalid('idempotencyKey'));
  assert.equal(encoder.encodeKv(put(1_024, 48 * 1024), undefined).length > 48 * 1024, true);
});

test('what throws where a promise is due becomes a rejection', async () => {
  const failure = new ClientError('invalid', 'no');
  await assert.rejects(
    promised(() => {
      throw failure;
    }),
    failure,
  );
  assert.equal(await promised(() => Promise.resolve(3)), 3);
});
