import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Application, ExecutionContext } from '../../core/application.ts';
import { asciiBytes, bytesToHex, compareBytes, hexToBytes } from '../../core/bytes.ts';
import { OPERATION_BYTES_MAX } from '../../core/request.ts';
import type { Digest } from '../../core/types.ts';
import { createKvApplication } from './application.ts';
import { KV_CHUNK_BYTES_MAX, KV_CHUNK_ENTRIES_MAX } from './buckets.ts';
import type { KvOperation } from './operations.ts';
import { encodeKvOperation } from './operations.ts';
import type { KvResult } from './results.ts';
import { decodeKvResult, encodeKvResult } from './results.ts';

// One seed for all: a test run is repeatable.
fc.configureGlobal({ seed: 20_260_801 });
const record = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> =>
  fc.record<T>(model, { noNullPrototype: true }) as fc.Arbitrary<T>;

const BUCKETS = 8;
const FORBIDDEN = 0xff;

const context: ExecutionContext = {
  clientId: '0'.repeat(64) as Digest,
  organisation: 'one',
  time: 1,
  sequence: 1,
  mayWrite: (key) => key[0] !== FORBIDDEN,
};

const create = (buckets = BUCKETS): Application => createKvApplication({ buckets });

function run(app: Application, operation: KvOperation): KvResult {
  const result = decodeKvResult(app.execute(encodeKvOperation(operation), context));
  assert.ok(result !== undefined);
  return result;
}

function put(app: Application, key: string, value: Uint8Array | string): KvResult {
  return run(app, {
    kind: 'put',
    key: asciiBytes(key),
    value: typeof value === 'string' ? asciiBytes(value) : value,
  });
}

function allChunks(app: Application): string[] {
  const frozen = app.freeze();
  return Array.from({ length: app.chunkCount }, (_, index) => bytesToHex(frozen.chunk(index)));
}

type Model = Map<string, Uint8Array>;

function runModel(model: Model, operation: KvOperation): KvResult {
  if (operation.kind === 'list') return listModel(model, operation);
  const name = bytesToHex(operation.key);
  const current = model.get(name);
  switch (operation.kind) {
    case 'get':
      return current === undefined ? { kind: 'notFound' } : { kind: 'value', value: current };
    case 'exists':
      return { kind: 'exists', exists: current !== undefined };
  }
  if (operation.key[0] === FORBIDDEN) return { kind: 'error', code: 'forbidden' };
  switch (operation.kind) {
    case 'put':
      model.set(name, operation.value);
      return { kind: 'put', existed: current !== undefined };
    case 'delete':
      return { kind: 'deleted', existed: model.delete(name) };
    case 'compareAndSwap': {
      const { expected } = operation;
      const same = (bytes: Uint8Array | undefined): string | undefined => bytes && bytesToHex(bytes);
      if (same(current) !== same(expected)) return { kind: 'mismatch', current };
      model.set(name, operation.value);
      return { kind: 'swapped' };
    }
  }
}

function listModel(model: Model, operation: Extract<KvOperation, { kind: 'list' }>): KvResult {
  const prefix = bytesToHex(operation.prefix);
  const matching = [...model]
    .filter(([name]) => name.startsWith(prefix))
    .map(([name, value]) => ({ key: hexToBytes(name)!, value }))
    .filter(({ key }) => operation.startAfter === undefined || compareBytes(key, operation.startAfter) > 0)
    .sort((a, b) => compareBytes(a.key, b.key));
  const entries = matching.slice(0, operation.limit);
  return { kind: 'page', entries, next: matching.length > entries.length ? entries.at(-1)!.key : undefined };
}

// Few bytes, so that keys meet, are prefixes of each other, and stand on both sides of 0x80.
const key = fc
  .array(fc.constantFrom(0, 1, 0x7f, 0x80, FORBIDDEN), { minLength: 1, maxLength: 4 })
  .map((codes) => Uint8Array.from(codes));
const value = fc.uint8Array({ maxLength: 4 });
const optional = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(arbitrary, { nil: undefined });
const operations: fc.Arbitrary<KvOperation> = fc.oneof(
  { weight: 4, arbitrary: record({ kind: fc.constant('put' as const), key, value }) },
  {
    weight: 3,
    arbitrary: record({
      kind: fc.constantFrom('get' as const, 'delete' as const, 'exists' as const),
      key,
    }),
  },
  {
    weight: 2,
    arbitrary: record({
      kind: fc.constant('compareAndSwap' as const),
      key,
      expected: optional(value),
      value,
    }),
  },
  {
    weight: 1,
    arbitrary: record({
      kind: fc.constant('list' as const),
      prefix: fc.oneof(key, fc.constant(new Uint8Array(0))),
      startAfter: optional(key),
      limit: fc.integer({ min: 1, max: 5 }),
    }),
  },
);
const histories = fc.array(operations, { maxLength: 120 });

test('every history gives the results of a plain map, and its state the bytes of the entries alone', () => {
  fc.assert(
    fc.property(histories, (history) => {
      const app = create();
      const model: Model = new Map();
      for (const operation of history) assert.deepEqual(run(app, operation), runModel(model, operation));
      // The same entries, put once each in another order, are the same chunks.
      const other = create();
      for (const [name, bytes] of [...model].sort().reverse())
        run(other, { kind: 'put', key: hexToBytes(name)!, value: bytes });
      assert.deepEqual(allChunks(other), allChunks(app));
    }),
  );
});

test('a frozen state does not move, names every chunk that changed, and installs elsewhere', () => {
  fc.assert(
    fc.property(histories, histories, (before, after) => {
      const app = create();
      for (const operation of before) run(app, operation);
      const frozen = app.freeze();
      assert.deepEqual(frozen.changed, [0, 1, 2, 3, 4, 5, 6, 7]);
      const chunks = Array.from({ length: BUCKETS }, (_, index) => bytesToHex(frozen.chunk(index)));
      for (const operation of after) run(app, operation);
      const now = app.freeze();
      for (let index = 0; index < BUCKETS; index += 1) {
        assert.equal(bytesToHex(frozen.chunk(index)), chunks[index]);
        const moved = bytesToHex(now.chunk(index)) !== chunks[index];
        assert.ok(!moved || now.changed.includes(index));
      }
      assert.deepEqual(
        now.changed,
        [...now.changed].sort((a, b) => a - b),
      );

      const copy = create();
      put(copy, 'left over', 'x');
      assert.ok(copy.install((index) => now.chunk(index)));
      assert.equal(copy.freeze().changed.length, BUCKETS);
      for (const operation of before) assert.deepEqual(run(copy, operation), run(app, operation));
      assert.deepEqual(allChunks(copy), allChunks(app));
    }),
    { numRuns: 60 },
  );
});

test('install refuses every chunk that is not what a store would have written', () => {
  const app = create();
  for (let index = 0; index < 40; index += 1) put(app, `key${index}`, `value${index}`);
  const frozen = app.freeze();
  const installsWith = (index: number, bytes: Uint8Array): boolean =>
    create().install((at) => (at === index ? bytes : frozen.chunk(at)));
  const chunk = frozen.chunk(3);
  assert.ok(installsWith(3, chunk));
  assert.ok(!installsWith(2, chunk), 'entries of another bucket');
  assert.ok(!installsWith(3, chunk.subarray(0, chunk.length - 1)));
  assert.ok(!installsWith(3, Uint8Array.from([...chunk, 0])));
  assert.ok(!installsWith(3, new Uint8Array(0)));
  const first = chunk.subarray(4, 4 + 6 + (chunk[5]! + chunk[9]!));
  const twice = Uint8Array.from([0, 0, 0, 2, ...first, ...first]);
  assert.ok(!installsWith(3, twice), 'one key twice');
  const emptyKey = Uint8Array.from([0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
  assert.ok(!installsWith(3, emptyKey));
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (noise) => {
      const target = create();
      if (target.install(() => noise)) assert.ok(noise.every((byte) => byte === 0) && noise.length === 4);
    }),
  );
});

test('execute and query answer any bytes, and a query changes nothing', () => {
  const app = create();
  put(app, 'a', '1');
  const before = allChunks(app);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (noise) => {
      assert.ok(decodeKvResult(app.query(noise)) !== undefined);
    }),
  );
  assert.deepEqual(decodeKvResult(app.query(encodeKvOperation({ kind: 'delete', key: asciiBytes('a') }))), {
    kind: 'error',
    code: 'notReadOnly',
  });
  assert.deepEqual(allChunks(app), before);
  assert.deepEqual(decodeKvResult(app.execute(new Uint8Array(OPERATION_BYTES_MAX + 1), context)), {
    kind: 'error',
    code: 'operationTooLong',
  });
  assert.deepEqual(decodeKvResult(app.execute(Uint8Array.of(99), context)), {
    kind: 'error',
    code: 'malformed',
  });
});

test('pages end at the limit or at their bytes, hold at least one entry, and together show everything once', () => {
  const app = create();
  const names: string[] = [];
  for (let index = 0; index < 60; index += 1) {
    const name = `p/${String(index).padStart(3, '0')}`;
    names.push(name);
    put(app, name, new Uint8Array(index % 7 === 0 ? 48 * 1024 : 3_000));
  }
  put(app, 'o', 'before');
  put(app, 'q', 'behind');
  const seen: string[] = [];
  let startAfter: Uint8Array | undefined;
  for (let page = 0; page < 100; page += 1) {
    const operation = encodeKvOperation({ kind: 'list', prefix: asciiBytes('p/'), startAfter, limit: 10 });
    const bytes = app.query(operation);
    assert.ok(bytes.length <= OPERATION_BYTES_MAX);
    const result = decodeKvResult(bytes);
    assert.ok(result?.kind === 'page' && result.entries.length >= 1 && result.entries.length <= 10);
    for (const entry of result.entries) seen.push(String.fromCharCode(...entry.key));
    startAfter = result.next;
    if (startAfter === undefined) break;
  }
  assert.deepEqual(seen, names);
});

test('a bucket is bounded in entries and in bytes, and a full one still takes what does not grow it', () => {
  const app = create(1);
  // Descending keys: each is inserted in front, so that the search ends at once.
  for (let index = KV_CHUNK_ENTRIES_MAX; index > 0; index -= 1) put(app, String(index + 99_999), '');
  assert.deepEqual(put(app, 'more', ''), { kind: 'error', code: 'bucketFull' });
  assert.deepEqual(put(app, '100000', 'x'), { kind: 'put', existed: true });
  run(app, { kind: 'delete', key: asciiBytes('100001') });
  assert.deepEqual(put(app, 'more', ''), { kind: 'put', existed: false });

  const large = create(1);
  const half = new Uint8Array(48 * 1024);
  let stored = 0;
  while (put(large, `k${stored}`, half).kind === 'put') stored += 1;
  assert.equal(stored, Math.floor(KV_CHUNK_BYTES_MAX / half.length));
  assert.ok(large.freeze().chunk(0).length <= KV_CHUNK_BYTES_MAX);
  assert.deepEqual(
    run(large, { kind: 'compareAndSwap', key: asciiBytes('new'), expected: undefined, value: half }),
    { kind: 'error', code: 'bucketFull' },
  );
  assert.deepEqual(run(large, { kind: 'exists', key: asciiBytes('new') }), { kind: 'exists', exists: false });
});

test('work of a checkpoint follows the changes: unchanged chunks are not named again', () => {
  const app = create(1024);
  for (let index = 0; index < 500; index += 1) put(app, `key${index}`, 'v');
  assert.equal(app.freeze().changed.length, 1024);
  assert.equal(app.freeze().changed.length, 0);
  put(app, 'key1', 'w');
  put(app, 'key1', 'v');
  assert.equal(app.freeze().changed.length, 1);
});

test('result bytes of a page of largest entries fit one reply', () => {
  const entry = { key: new Uint8Array(1024).fill(1), value: new Uint8Array(48 * 1024) };
  const bytes = encodeKvResult({ kind: 'page', entries: [entry], next: entry.key });
  assert.ok(bytes.length <= OPERATION_BYTES_MAX);
});
