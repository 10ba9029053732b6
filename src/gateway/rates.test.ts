import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Rates } from './rates.ts';
import type { StatusRow } from './rates.ts';

const rows = (...transactions: unknown[]): StatusRow[] =>
  transactions.map((count) => ({ reachable: true, transactions: count }));
const waiting = (...waits: unknown[]): StatusRow[] =>
  waits.map((one) => ({ reachable: true, transactions: 0, waits: one }));

test('throughput is what at least one correct replica has in its ledger', () => {
  const rates = new Rates(1);
  assert.equal(rates.onStatus(rows(100, 100, 0), 1_000), false, 'a beginning is no second');
  assert.equal(rates.onStatus(rows(150, 150, 0), 1_500), false);
  // One says far more than there is, one lags.
  assert.equal(rates.onStatus(rows(1e12, 200, 120), 2_000), true);
  assert.equal(rates.onStatus(rows(200, 0, 230), 4_000), true);
  assert.deepEqual(
    rates.history.map(({ atMs, transactionsPerSecond }) => [atMs, transactionsPerSecond]),
    [
      [2_000, 100],
      [4_000, 0],
    ],
  );
});

test('too few answers, and numbers that are none, are no throughput', () => {
  const rates = new Rates(1);
  rates.onStatus(rows(10, 10, 10), 1_000);
  rates.onStatus(rows('20', -5, 20), 2_000);
  rates.onStatus([{ reachable: false }, { reachable: false }, ...rows(2.5)], 3_000);
  rates.onStatus(rows(40, 40, 10), 4_000);
  assert.deepEqual(
    rates.history.map((rate) => rate.transactionsPerSecond),
    [0, 0, 30],
  );
});

test('waiting times are those of the requests of this second', () => {
  const rates = new Rates(1);
  rates.onStatus(waiting([[5_000, 100]], [], undefined), 1_000);
  rates.onStatus(
    waiting(
      [
        [2, 60],
        [8, 39],
        [5_000, 101],
      ],
      [],
      undefined,
    ),
    2_000,
  );
  rates.onStatus(waiting([[5_000, 101]], [], undefined), 3_000);
  const [first, second] = rates.history;
  assert.deepEqual([first?.p50Ms, first?.p99Ms], [2, 8]);
  // A replica that counts less than before began anew.
  assert.deepEqual([second?.p50Ms, second?.p99Ms], [5_000, 5_000]);
  rates.onStatus(waiting([[5_000, 101]], [], undefined), 4_000);
  assert.deepEqual([rates.history[2]?.p50Ms, rates.history[2]?.p99Ms], [null, null]);
});

test('whatever replicas claim about waiting, it is bounded and does no harm', () => {
  const rates = new Rates(1);
  const many = Array.from({ length: 10_000 }, (_, bound) => [bound, 1]);
  for (const [at, waits] of [
    7,
    'x',
    [[1]],
    [null, [2, -1], [-2, 1], ['3', 3], [1e9, 1], [4, 1.5]],
    many,
  ].entries()) {
    rates.onStatus(waiting([], [], waits), 1_000 * (at + 1));
    const last = rates.history.at(-1);
    assert.ok(last === undefined || (last.p99Ms ?? 0) < 64);
  }
});

test('the history is bounded, and goes on after a pause without a long second', () => {
  const rates = new Rates(0);
  for (let second = 0; second <= 1_000; second += 1) rates.onStatus(rows(second), second * 1_000);
  assert.equal(rates.history.length, 300);
  assert.equal(rates.count, 1_000);
  rates.pause();
  assert.equal(rates.onStatus(rows(99_000), 2_000_000), false);
  assert.equal(rates.onStatus(rows(99_005), 2_001_000), true);
  assert.equal(rates.history.at(-1)?.transactionsPerSecond, 5);
  // A clock that was set back.
  assert.equal(rates.onStatus(rows(99_006), 5_000), false);
  assert.equal(rates.onStatus(rows(99_009), 6_000), true);
  assert.equal(rates.history.at(-1)?.transactionsPerSecond, 3);
});
