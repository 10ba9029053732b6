import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { KvOperation } from './operations.ts';
import {
  checkKvOperation,
  decodeKvOperation,
  encodeKvOperation,
  isKvReadOnly,
  KV_ERROR_CODES,
  KV_KEY_BYTES_MAX,
  KV_OPERATION_BYTES_MAX,
  KV_VALUE_BYTES_MAX,
} from './operations.ts';
import type { KvResult } from './results.ts';
import { decodeKvResult, encodeKvResult } from './results.ts';

// One seed for all: a test run is repeatable.
fc.configureGlobal({ seed: 20_260_801 });
const record = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> =>
  fc.record<T>(model, { noNullPrototype: true }) as fc.Arbitrary<T>;

const bytes = (length: number): Uint8Array => new Uint8Array(length).fill(7);
const key = fc.uint8Array({ minLength: 1, maxLength: 40 });
const value = fc.uint8Array({ maxLength: 60 });
const maybe = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(arbitrary, { nil: undefined });

const operations: fc.Arbitrary<KvOperation> = fc.oneof(
  record({ kind: fc.constant('put' as const), key, value }),
  record({ kind: fc.constantFrom('get' as const, 'delete' as const, 'exists' as const), key }),
  record({ kind: fc.constant('compareAndSwap' as const), key, expected: maybe(value), value }),
  record({
    kind: fc.constant('list' as const),
    prefix: value,
    startAfter: maybe(key),
    limit: fc.integer({ min: 1, max: 1000 }),
  }),
);

const entry = record({ key, value });
const results: fc.Arbitrary<KvResult> = fc.oneof(
  record({ kind: fc.constantFrom('put' as const, 'deleted' as const), existed: fc.boolean() }),
  record({ kind: fc.constant('value' as const), value }),
  record({ kind: fc.constantFrom('notFound' as const, 'swapped' as const) }),
  record({ kind: fc.constant('mismatch' as const), current: maybe(value) }),
  record({
    kind: fc.constant('page' as const),
    entries: fc.array(entry, { maxLength: 5 }),
    next: maybe(key),
  }),
  record({ kind: fc.constant('exists' as const), exists: fc.boolean() }),
  record({ kind: fc.constant('error' as const), code: fc.constantFrom(...KV_ERROR_CODES) }),
);

test('operations and results survive their encoding', () => {
  fc.assert(
    fc.property(operations, (operation) => {
      assert.deepEqual(decodeKvOperation(encodeKvOperation(operation)), { ok: true, operation });
    }),
  );
  fc.assert(
    fc.property(results, (result) => assert.deepEqual(decodeKvResult(encodeKvResult(result)), result)),
  );
});

test('any bytes decode or do not, and what decodes is the only encoding of itself', () => {
  const nearOperations = operations.chain((operation) => {
    const encoded = encodeKvOperation(operation);
    return fc
      .tuple(fc.nat(encoded.length - 1), fc.integer({ min: 1, max: 255 }), fc.nat(encoded.length))
      .map(([at, difference, length]) => {
        const changed = encoded.slice();
        changed[at]! ^= difference;
        return changed.subarray(0, length);
      });
  });
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 100 }), nearOperations), (noise) => {
      const decoding = decodeKvOperation(noise);
      if (decoding.ok) assert.deepEqual(encodeKvOperation(decoding.operation), noise);
      const result = decodeKvResult(noise);
      if (result !== undefined) assert.deepEqual(encodeKvResult(result), noise);
    }),
    { numRuns: 500 },
  );
});

test('each bound has its own error code, and the bound itself is allowed', () => {
  const codeOf = (operation: KvOperation): string => {
    const decoding = decodeKvOperation(encodeKvOperation(operation));
    assert.equal(checkKvOperation(operation), decoding.ok ? undefined : decoding.code);
    return decoding.ok ? 'ok' : decoding.code;
  };
  const longKey = bytes(KV_KEY_BYTES_MAX);
  const longValue = bytes(KV_VALUE_BYTES_MAX);
  assert.equal(codeOf({ kind: 'put', key: longKey, value: longValue }), 'ok');
  assert.equal(codeOf({ kind: 'get', key: bytes(0) }), 'keyEmpty');
  assert.equal(codeOf({ kind: 'get', key: bytes(KV_KEY_BYTES_MAX + 1) }), 'keyTooLong');
  assert.equal(codeOf({ kind: 'put', key: bytes(1), value: bytes(KV_VALUE_BYTES_MAX + 1) }), 'valueTooLong');
  assert.equal(
    codeOf({
      kind: 'compareAndSwap',
      key: bytes(1),
      expected: bytes(KV_VALUE_BYTES_MAX + 1),
      value: bytes(0),
    }),
    'valueTooLong',
  );
  const list = { kind: 'list', prefix: bytes(0), startAfter: undefined } as const;
  assert.equal(codeOf({ ...list, limit: 0 }), 'limitOutOfRange');
  assert.equal(codeOf({ ...list, limit: 1001 }), 'limitOutOfRange');
  assert.equal(codeOf({ ...list, limit: 1000 }), 'ok');
  assert.equal(codeOf({ ...list, prefix: bytes(KV_KEY_BYTES_MAX + 1), limit: 1 }), 'keyTooLong');
  assert.equal(codeOf({ ...list, startAfter: bytes(KV_KEY_BYTES_MAX + 1), limit: 1 }), 'keyTooLong');
});

test('a compare-and-swap is as long as a request may be, and not longer', () => {
  const swap = (expected: number): KvOperation => ({
    kind: 'compareAndSwap',
    key: bytes(10),
    expected: bytes(expected),
    value: bytes(40_000),
  });
  const fits = KV_OPERATION_BYTES_MAX - 40_000 - 10 - 14;
  assert.equal(encodeKvOperation(swap(fits)).length, KV_OPERATION_BYTES_MAX);
  assert.equal(checkKvOperation(swap(fits)), undefined);
  assert.equal(checkKvOperation(swap(fits + 1)), 'operationTooLong');
  assert.deepEqual(decodeKvOperation(encodeKvOperation(swap(fits + 1))), {
    ok: false,
    code: 'operationTooLong',
  });
});

test('only get, list and exists are read-only', () => {
  const readOnly = fc.sample(operations, 50).filter(isKvReadOnly);
  for (const { kind } of readOnly) assert.ok(['get', 'list', 'exists'].includes(kind));
  assert.ok(!isKvReadOnly({ kind: 'delete', key: bytes(1) }));
});
