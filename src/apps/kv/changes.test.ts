import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Application, ExecutionContext } from '../../core/application.ts';
import { asciiBytes, bytesToHex } from '../../core/bytes.ts';
import { Prng } from '../../core/prng.ts';
import type { Digest } from '../../core/types.ts';
import { createKvApplication } from './application.ts';
import { KV_CHUNK_ENTRIES_MAX } from './buckets.ts';
import { decodeKvUpdate, encodeKvUpdate, KvChanges } from './changes.ts';
import type { KvOperation } from './operations.ts';
import { encodeKvOperation, KV_KEY_BYTES_MAX, KV_VALUE_BYTES_MAX } from './operations.ts';
import { decodeKvResult } from './results.ts';

// One seed for all: a test run is repeatable.
fc.configureGlobal({ seed: 20_261_123 });

const BUCKETS = 8;
const LIST: KvOperation = { kind: 'list', prefix: asciiBytes(''), startAfter: undefined, limit: 1000 };

const context: ExecutionContext = {
  clientId: '0'.repeat(64) as Digest,
  organisation: 'one',
  time: 1,
  sequence: 1,
  mayWrite: () => true,
};

const create = (buckets = BUCKETS): Application => createKvApplication({ buckets });

function run(app: Application, operation: KvOperation) {
  return decodeKvResult(app.execute(encodeKvOperation(operation), context))!;
}

function put(app: Application, key: string, value: string) {
  return run(app, { kind: 'put', key: asciiBytes(key), value: asciiBytes(value) });
}

function remove(app: Application, key: string) {
  return run(app, { kind: 'delete', key: asciiBytes(key) });
}

/** Everything of a store that can be seen: its chunks and its list. Freezes it. */
function seen(app: Application) {
  const frozen = app.freeze();
  const chunks = Array.from({ length: app.chunkCount }, (_, index) => bytesToHex(frozen.chunk(index)));
  return { chunks, list: app.query(encodeKvOperation(LIST)) };
}

function someOperation(prng: Prng): KvOperation {
  const key = asciiBytes(`key ${prng.between(0, 12)}`);
  const value = asciiBytes(`${prng.between(0, 4)}`.repeat(prng.between(0, 40)));
  switch (prng.between(0, 3)) {
    case 0:
      return { kind: 'delete', key };
    case 1: {
      const expected = prng.chance(0.5) ? undefined : asciiBytes('');
      return { kind: 'compareAndSwap', key, expected, value };
    }
    default:
      return { kind: 'put', key, value };
  }
}

test('undone to any mark, with checkpoints in between, a store is what it was there', () => {
  fc.assert(
    fc.property(fc.nat(), (seed) => {
      const prng = new Prng(seed);
      const app = create();
      const history: KvOperation[][] = [];
      // What a keeper of all chunks would know after each sequence number, were it told of the changed ones only.
      const told = [seen(app).chunks];
      const freeze = (): void => {
        const { changed, chunk } = app.freeze();
        const now = told.at(-1)!.slice();
        for (const index of changed) now[index] = bytesToHex(chunk(index));
        told[told.length - 1] = now;
      };
      let forgotten = 0;
      for (let step = 0; step < 40; step += 1) {
        const operations = Array.from({ length: prng.between(0, 4) }, () => someOperation(prng));
        history.push(operations);
        told.push(told.at(-1)!);
        app.mark(history.length);
        for (const operation of operations) run(app, operation);
        if (prng.chance(0.3)) freeze();
        if (prng.chance(0.2)) app.forgetThrough((forgotten = prng.between(forgotten, history.length)));
        if (prng.chance(0.3)) {
          history.length = prng.between(forgotten, history.length);
          told.length = history.length + 1;
          app.undoTo(history.length);
        }
        const straight = create();
        for (const operation of history.flat()) run(straight, operation);
        const expected = seen(straight);
        assert.deepEqual(app.query(encodeKvOperation(LIST)), expected.list);
        if (!prng.chance(0.2)) continue;
        app.mark(history.length + 1);
        told.push(told.at(-1)!);
        freeze();
        assert.deepEqual(told.at(-1), expected.chunks);
        app.undoTo(history.length);
        told.pop();
      }
    }),
    { numRuns: 60 },
  );
});

test('what an update tells is what changed since the mark, and makes another store equal', () => {
  fc.assert(
    fc.property(fc.nat(), (seed) => {
      const prng = new Prng(seed);
      const [active, passive] = [create(), create()];
      for (let sequence = 1; sequence <= 20; sequence += 1) {
        for (const app of [active, passive]) app.mark(sequence);
        for (let count = prng.between(0, 5); count > 0; count -= 1) run(active, someOperation(prng));
        const update = active.updateSinceMark();
        assert.ok(passive.applyUpdate(update));
        assert.deepEqual(passive.updateSinceMark(), update);
        assert.deepEqual(passive.query(encodeKvOperation(LIST)), active.query(encodeKvOperation(LIST)));
        for (const app of [active, passive]) app.forgetThrough(sequence);
      }
      assert.deepEqual(seen(passive), seen(active));
    }),
    { numRuns: 60 },
  );
});

test('what was changed there and back is not told', () => {
  const app = create();
  put(app, 'a', '1');
  app.mark(1);
  put(app, 'a', '2');
  put(app, 'a', '1');
  put(app, 'b', '1');
  remove(app, 'b');
  put(app, 'c', '');
  assert.deepEqual(decodeKvUpdate(app.updateSinceMark()), [['c', new Uint8Array(0)]]);
  app.mark(2);
  assert.deepEqual(decodeKvUpdate(app.updateSinceMark()), []);
});

test('a full bucket takes an update and its undoing in whatever order the keys come', () => {
  const [active, passive] = [create(1), create(1)];
  const name = (index: number): string => String(index + 99_999);
  for (const app of [active, passive]) {
    for (let index = KV_CHUNK_ENTRIES_MAX; index > 0; index -= 1) put(app, name(index), '');
    app.mark(1);
  }
  remove(active, name(KV_CHUNK_ENTRIES_MAX));
  put(active, '0 before all others', '');
  assert.ok(passive.applyUpdate(active.updateSinceMark()));
  assert.deepEqual(seen(passive), seen(active));
  const before = active.query(encodeKvOperation(LIST));
  active.undoTo(0);
  passive.undoTo(0);
  assert.notDeepEqual(active.query(encodeKvOperation(LIST)), before);
  assert.deepEqual(seen(passive), seen(active));

  // The same for bytes: one value grows into the room that another one leaves.
  const [half, key] = [new Uint8Array(KV_VALUE_BYTES_MAX), (name: string) => asciiBytes(name)];
  const swap = [active, passive].map(() => create(1));
  for (const app of swap) {
    for (let index = 100; run(app, { kind: 'put', key: key(`k${index}`), value: half }).kind === 'put';)
      index += 1;
    put(app, 'a', '');
    app.mark(1);
  }
  put(swap[0]!, 'k100', '');
  run(swap[0]!, { kind: 'put', key: key('a'), value: half });
  assert.ok(swap[1]!.applyUpdate(swap[0]!.updateSinceMark()));
  assert.deepEqual(seen(swap[1]!), seen(swap[0]!));

  passive.mark(1);
  const untouched = seen(passive);
  assert.ok(!passive.applyUpdate(encodeKvUpdate([['one too many', asciiBytes('')]])));
  passive.undoTo(0);
  assert.deepEqual(seen(passive), untouched);
});

test('an update that no store would tell is refused', () => {
  const value = asciiBytes('1');
  const accepts = (bytes: Uint8Array): boolean => {
    const app = create();
    put(app, 'a', '1');
    app.mark(1);
    return app.applyUpdate(bytes);
  };
  assert.ok(accepts(encodeKvUpdate([['b', value]])));
  assert.ok(!accepts(encodeKvUpdate([['a', value]])), 'the same value again');
  assert.ok(!accepts(encodeKvUpdate([['b', undefined]])), 'a key that is not there is deleted');
  assert.ok(
    !accepts(
      encodeKvUpdate([
        ['c', value],
        ['b', value],
      ]),
    ),
  );
  assert.ok(!accepts(encodeKvUpdate([['', value]])));
  assert.ok(!accepts(encodeKvUpdate([['k'.repeat(KV_KEY_BYTES_MAX + 1), value]])));
  assert.ok(!accepts(encodeKvUpdate([['b', new Uint8Array(KV_VALUE_BYTES_MAX + 1)]])));
  const whole = encodeKvUpdate([['b', value]]);
  for (let length = 0; length < whole.length; length += 1) assert.ok(!accepts(whole.subarray(0, length)));
  assert.ok(!accepts(Uint8Array.of(...whole, 0)));
});

test('values are kept for marked sequence numbers only, once for each key, until forgotten', () => {
  const changes = new KvChanges();
  const copies: string[] = [];
  const keep = (key: string): void =>
    changes.keep(key, () => {
      copies.push(key);
      return undefined;
    });
  keep('a');
  assert.deepEqual([changes.size, changes.recording], [0, false]);
  changes.mark(1);
  for (const key of ['a', 'b', 'a']) keep(key);
  changes.mark(2);
  keep('a');
  assert.deepEqual([changes.size, copies], [3, ['a', 'b', 'a']]);
  changes.forgetThrough(1);
  assert.equal(changes.size, 1);
  assert.equal(changes.takeAbove(2), undefined);
  changes.forgetThrough(7);
  assert.deepEqual([changes.size, changes.recording], [0, false]);
  changes.mark(8);
  assert.throws(() => changes.mark(8), /ascend/);
  changes.clear();
  assert.equal(changes.takeAbove(0), undefined);
});

test('an install forgets what was marked', () => {
  const app = create();
  const empty = app.freeze();
  put(app, 'a', '1');
  app.mark(1);
  put(app, 'a', '2');
  assert.ok(app.install((index) => empty.chunk(index)));
  app.undoTo(0);
  assert.deepEqual(seen(app), seen(create()));
});
