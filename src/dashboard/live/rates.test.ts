/** Throughput and latency as charts and sentences want them. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { chartData, chartSentences, CHART_SECONDS, flowOf, mergedRates, shortNumber } from './rates.ts';
import type { Rate } from './status-shape.ts';

function rate(second: number, perSecond: number, p50Ms: number | null = null): Rate {
  return { atMs: second * 1_000, transactionsPerSecond: perSecond, p50Ms, p99Ms: p50Ms };
}

describe('rates', () => {
  it('are merged: each second once, the newer word wins, the oldest go', () => {
    const known = mergedRates([], [rate(1, 5), rate(2, 6)]);
    const merged = mergedRates(known, [rate(3, 8), rate(2, 7)]);
    assert.deepEqual(
      merged.map((one) => one.transactionsPerSecond),
      [5, 7, 8],
    );
    assert.equal(mergedRates(merged, []), merged);
    const many = Array.from({ length: 1_000 }, (_, second) => rate(second, 1));
    const kept = mergedRates(merged, many);
    assert.equal(kept.length, CHART_SECONDS);
    assert.equal(kept.at(-1)!.atMs, 999_000);
  });

  it('have a gap where nothing is known', () => {
    const { seconds, perSecond, p50Ms } = chartData([rate(1, 5, 2), rate(2, 6), rate(9, 7, 3)]);
    assert.deepEqual(seconds, [1, 2, 3, 9]);
    assert.deepEqual(perSecond, [5, 6, null, 7]);
    assert.deepEqual(p50Ms, [2, null, null, 3]);
  });

  it('say what flows now, and nothing of what is old', () => {
    const rates = [rate(1, 900, 9), rate(10, 3, 2), rate(11, 6), rate(12, 3)];
    assert.deepEqual(flowOf(rates, 12_100), { perSecond: 4, isStopped: false, p50Ms: 2 });
    assert.deepEqual(flowOf(rates, 30_000), { perSecond: 0, isStopped: true, p50Ms: null });
    assert.deepEqual(flowOf([], 0), { perSecond: 0, isStopped: true, p50Ms: null });
    assert.equal(flowOf([...rates, rate(13, 0)], 13_000).isStopped, true);
  });

  it('are told in sentences', () => {
    const rates = [rate(0, 1_240, 12.4), rate(120, 40, 2.04), rate(121, 20, 3.06)];
    assert.deepEqual(chartSentences(rates, 121_500), {
      rate: 'Now 30 a second; at most 1,240 in the last 2 minutes.',
      latency: 'Now p50 3.1 ms. p99 at most 12 ms in the last 2 minutes.',
    });
    assert.match(chartSentences(rates, 500_000).latency, /^Nothing answered now\. p99 at most 12 ms/);
    assert.equal(chartSentences([], 0).rate, 'No rates yet.');
    assert.equal(chartSentences([rate(1, 0)], 1_000).latency, 'Nothing answered now.');
    assert.deepEqual([0, 0.04, 0.26, 3, 9.96, 12.6, 12_345].map(shortNumber), [
      '0',
      'fewer than 0.1',
      '0.3',
      '3',
      '10',
      '13',
      '12,345',
    ]);
  });
});
