/** Results find their requests by number, also where numbers have gaps or bundles reach into each other. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Digest } from '../core/types.ts';
import type { TrackedRequest } from './bundle-tracker.ts';
import { TrackedBundles } from './tracked-bundles.ts';
import type { Tracked } from './tracked-bundles.ts';

const txIdOf = (bundle: number, number: number): Digest =>
  (bundle * 100_000 + number).toString(16).padStart(64, '0') as Digest;

let names = 0;

function add(
  all: TrackedBundles<TrackedRequest>,
  session: number,
  numbers: readonly number[],
  mayBeOther = false,
): { tracked: Tracked<TrackedRequest>; id: number } {
  const id = (names += 1);
  const tracked: Tracked<TrackedRequest> = {
    ...{ digest: txIdOf(id, 0), bytes: new Uint8Array(0), session, entries: [], left: numbers.length },
    ...{ busy: new Map(), refusals: new Map(), sentMs: 0, waitMs: 0, dueMs: 0 },
  };
  all.add(
    tracked,
    numbers.map((number) => ({ number, txId: txIdOf(id, number), mayBeOther })),
  );
  return { tracked, id };
}

test('each number is found in its bundle, in any order; done ones and those left out are not', () => {
  const all = new TrackedBundles<TrackedRequest>(3);
  const bundles = [
    add(all, 1, [1, 2, 3, 4]),
    add(all, 1, [5, 7, 8, 20, 21, 30]),
    add(all, 1, [31]),
    add(all, 2, [1, 2, 9]),
  ];
  for (const { tracked, id } of bundles)
    for (const number of [30, 9, 1, 21, 20, 4, 7, 8, 3, 2, 5, 31, 6, 19, 22, 0, 40, 1e9]) {
      const expected = tracked.entries.find(({ request }) => request.number === number);
      assert.equal(all.find(tracked.session, number, txIdOf(id, number)), expected, `${id} ${number}`);
      assert.equal(all.find(tracked.session, number, txIdOf(99, number)), undefined);
      assert.equal(all.find(3, number, txIdOf(id, number)), undefined);
    }
  const { tracked, id } = bundles[1]!;
  tracked.entries[2]!.isDone = true;
  assert.equal(all.find(1, 8, txIdOf(id, 8)), undefined);
  all.delete(tracked);
  assert.equal(all.find(1, 20, txIdOf(id, 20)), undefined);
  assert.deepEqual([tracked.entries.length, tracked.bytes.length], [0, 0], 'nothing heavy stays behind');
  assert.equal(all.size, 3);
  assert.deepEqual(
    [...all].map(({ entries }) => entries.length),
    [4, 1, 3],
  );
});

test('bundles that reach into each other, as the OPENs of session 0 do, are told apart by txId', () => {
  const all = new TrackedBundles<TrackedRequest>(3);
  const opens = [add(all, 0, [1]), add(all, 0, [1]), add(all, 0, [1])];
  for (const { tracked, id } of opens) assert.equal(all.find(0, 1, txIdOf(id, 1)), tracked.entries[0]);
  all.delete(opens[1]!.tracked);
  for (const { tracked, id } of [opens[2]!, opens[0]!])
    assert.equal(all.find(0, 1, txIdOf(id, 1)), tracked.entries[0]);
  // A wide one that came later begins before the others.
  const wide = [add(all, 5, [10, 11]), add(all, 5, [14]), add(all, 5, [2, 12, 14, 40])];
  for (const { tracked, id } of wide)
    for (const entry of tracked.entries)
      assert.equal(all.find(5, entry.request.number, txIdOf(id, entry.request.number)), entry);
});

test('another txId is taken only for a request that may have one, and never before the right request', () => {
  const all = new TrackedBundles<TrackedRequest>(3);
  const may = add(all, 1, [1, 2], true);
  assert.equal(all.find(1, 2, txIdOf(77, 2)), may.tracked.entries[1]);
  const strict = add(all, 1, [2, 3]);
  assert.equal(all.find(1, 2, txIdOf(strict.id, 2)), strict.tracked.entries[0]);
  assert.equal(all.find(1, 2, txIdOf(77, 2)), may.tracked.entries[1]);
  assert.equal(all.find(1, 3, txIdOf(77, 3)), undefined);
});
