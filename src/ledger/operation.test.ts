import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { digestOf } from '../../test/support/ledger-fixture.ts';
import type { Operation } from './operation.ts';
import {
  APPLICATION_OPERATION_BYTES_MAX,
  decodeOpened,
  decodeOperation,
  decodeResult,
  encodeOperation,
  encodeResult,
  okResult,
  openedResult,
  RESULT_ERRORS,
  RESULT_PAYLOAD_BYTES_MAX,
} from './operation.ts';

const bytes = (maxLength: number, minLength = 0) => fc.uint8Array({ minLength, maxLength });
const plain = { noNullPrototype: true } as const;
const anyOperation: fc.Arbitrary<Operation> = fc.oneof(
  fc.record(
    {
      kind: fc.constant('app' as const),
      idempotencyKey: fc.option(bytes(64, 1), { nil: undefined }),
      operation: bytes(200),
    },
    plain,
  ),
  fc.record(
    {
      kind: fc.constant('open' as const),
      nonce: bytes(16, 16),
      validUntil: fc.maxSafeNat(),
      window: fc.nat(),
    },
    plain,
  ),
  fc.constant({ kind: 'noop' as const }),
  fc.record({ kind: fc.constant('read' as const), operation: bytes(200) }, plain),
  fc.record(
    {
      kind: fc.constant('register' as const),
      clientKey: bytes(32, 32),
      organisation: fc.constantFrom('a', 'Some-Org_1.example'),
      role: fc.constantFrom('client' as const, 'admin' as const),
    },
    plain,
  ),
  fc.record({ kind: fc.constant('revoke' as const), clientId: fc.constant(digestOf('client')) }, plain),
);

test('every operation reads back equal; with a byte more or less it is refused', () => {
  fc.assert(
    fc.property(anyOperation, (operation) => {
      const encoded = encodeOperation(operation);
      assert.deepEqual(decodeOperation(encoded), operation);
      assert.equal(decodeOperation(encoded.subarray(0, -1)), undefined);
      assert.equal(decodeOperation(new Uint8Array([...encoded, 0])), undefined);
    }),
  );
});

test('what decodes encodes to the same bytes: no second spelling of an operation', () => {
  fc.assert(
    fc.property(anyOperation, fc.nat(), fc.nat(255), (operation, at, value) => {
      const encoded = encodeOperation(operation);
      encoded[at % encoded.length] = value;
      const decoded = decodeOperation(encoded);
      if (decoded !== undefined) assert.deepEqual(encodeOperation(decoded), encoded);
    }),
  );
  fc.assert(fc.property(bytes(300), (noise) => void decodeOperation(noise)));
});

test('bounds: keys of 1 to 64 bytes, names of organisations, length of the service operation', () => {
  const app = (key: Uint8Array | undefined, length: number) =>
    decodeOperation(encodeOperation({ kind: 'app', idempotencyKey: key, operation: new Uint8Array(length) }));
  assert.ok(app(new Uint8Array(64), APPLICATION_OPERATION_BYTES_MAX) !== undefined);
  assert.equal(app(new Uint8Array(65), 1), undefined);
  assert.equal(app(new Uint8Array(0), 1), undefined);
  assert.equal(app(undefined, APPLICATION_OPERATION_BYTES_MAX + 1), undefined);
  for (const organisation of ['', 'a b', 'x'.repeat(65), 'a\u0000']) {
    const operation = {
      kind: 'register',
      clientKey: new Uint8Array(32),
      organisation,
      role: 'client',
    } as const;
    assert.equal(decodeOperation(encodeOperation(operation)), undefined, JSON.stringify(organisation));
  }
});

test('results: success with payload and every error read back; anything else is refused', () => {
  for (const error of RESULT_ERRORS)
    assert.deepEqual(decodeResult(encodeResult({ ok: false, error })), { ok: false, error });
  const payload = new Uint8Array([1, 2, 3]);
  assert.deepEqual(decodeResult(encodeResult({ ok: true, payload })), { ok: true, payload });
  const refused = [[], [1], [1, 255], [1, RESULT_ERRORS.length], [1, 0, 0], [2], [2, 0]];
  for (const noise of refused) assert.equal(decodeResult(new Uint8Array(noise)), undefined, `${noise}`);
  const tooLarge = decodeResult(okResult(new Uint8Array(RESULT_PAYLOAD_BYTES_MAX + 1)));
  assert.deepEqual(tooLarge, { ok: false, error: 'resultTooLarge' });
});

test('what an OPEN gives reads back', () => {
  const result = decodeResult(openedResult({ session: 7, window: 64 }));
  assert.ok(result?.ok);
  assert.deepEqual(decodeOpened(result.payload), { session: 7, window: 64 });
  assert.equal(decodeOpened(new Uint8Array(11)), undefined);
});
