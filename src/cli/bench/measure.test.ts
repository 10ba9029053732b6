import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Prng } from '../../core/prng.ts';
import { Latencies } from './latency.ts';
import { closedLoop, openLoop } from './load-loops.ts';
import { figuresOf, Meter } from './measured.ts';
import type { Clock, LoadSettings } from './measured.ts';
import { median, summaryOf } from './statistics.ts';

/** Time that passes when somebody waits for it. */
class VirtualClock implements Clock {
  #ms = 0;
  readonly #waiting: { readonly atMs: number; readonly wake: () => void }[] = [];

  now(): number {
    return this.#ms;
  }

  pause(ms: number): Promise<void> {
    return new Promise((wake) => {
      this.#waiting.push({ atMs: this.#ms + ms, wake });
      this.#waiting.sort((a, b) => a.atMs - b.atMs);
    });
  }

  /** Goes on until `ended`. */
  async runUntil(ended: Promise<void>): Promise<void> {
    let isOver = false;
    void ended.then(() => (isOver = true));
    while (!isOver) {
      await new Promise((done) => setImmediate(done));
      const next = this.#waiting.shift();
      if (next === undefined) continue;
      this.#ms = Math.max(this.#ms, next.atMs);
      next.wake();
    }
  }
}

test('quantiles are right to three digits, and those of two processes together', () => {
  const prng = new Prng(5);
  const values = Array.from({ length: 20_000 }, () => prng.between(1, 5_000_000) / 1000);
  const parts = [new Latencies(), new Latencies()];
  values.forEach((ms, index) => parts[index % 2]!.add(ms));
  const all = new Latencies();
  for (const part of parts) all.merge(part.toJSON());
  values.sort((a, b) => a - b);
  assert.equal(all.total, values.length);
  for (const share of [0.01, 0.5, 0.9, 0.99, 0.999]) {
    const exact = values[Math.ceil(share * values.length) - 1]!;
    assert.ok(
      Math.abs(all.quantile(share) - exact) <= 0.002 * exact,
      `${share}: ${all.quantile(share)} ${exact}`,
    );
  }
  assert.deepEqual([new Latencies().quantile(0.5), new Latencies().maxMs], [0, 0]);
});

test('a latency beyond the range is counted as the longest, one of nothing as the shortest', () => {
  const latencies = new Latencies();
  latencies.add(10 ** 9);
  latencies.add(0, 3);
  assert.equal(latencies.total, 4);
  assert.ok(latencies.maxMs >= 3_600_000);
  assert.equal(latencies.quantile(0.5), 0.001);
});

test('intervals are those of Student, on logarithms', () => {
  assert.equal(median([5, 1, 3]), 3);
  assert.equal(median([4, 1, 3, 2]), 2.5);
  assert.deepEqual(summaryOf([7]), { median: 7, interval: null });
  assert.deepEqual(summaryOf([0, 7]).interval, null);
  // Logarithms 0 and ln 4: mean ln 2, standard error ln 2, t of one degree of freedom 12.706.
  const { interval } = summaryOf([1, 4]);
  assert.ok(Math.abs(interval![0] - 2 ** (1 - 12.706)) < 1e-6);
  assert.ok(Math.abs(interval![1] - 2 ** (1 + 12.706)) < 0.1);
  const narrow = summaryOf([100, 101, 99, 100, 100]).interval!;
  assert.ok(narrow[0] > 98.9 && narrow[1] < 101.1);
});

const OPEN: LoadSettings = {
  pace: { kind: 'open', ratePerSecond: 1_000 },
  payload: 0,
  warmupMs: 0,
  durationMs: 1_000,
};

test('an open loop lets everybody feel a stall who was due in it', async () => {
  const clock = new VirtualClock();
  const meter = new Meter(OPEN, clock);
  // The service answers at once, but between 300 and 700 ms nothing at all.
  const operate = (): Promise<void> => clock.pause(Math.max(0, clock.now() < 300 ? 0 : 700 - clock.now()));
  await clock.runUntil(openLoop(meter, 1_000, new Prng(1), operate, clock));
  const figures = figuresOf([meter.result]);
  assert.ok(figures.operations > 900 && figures.operations < 1_100, String(figures.operations));
  assert.equal(figures.unfinished, 0);
  // Four in ten were due in the stall and waited 200 ms on average; a closed loop would have counted one of them.
  assert.ok(figures.p90Ms > 250 && figures.p90Ms < 350, String(figures.p90Ms));
  assert.ok(figures.maxMs > 390, String(figures.maxMs));
});

test('an open loop counts what never ends with the time that it waited', async () => {
  const clock = new VirtualClock();
  const meter = new Meter(OPEN, clock);
  await clock.runUntil(openLoop(meter, 100, new Prng(1), () => new Promise(() => undefined), clock));
  const { operations, unfinished, latencies } = meter.result;
  assert.equal(operations, 0);
  assert.ok(unfinished > 70 && unfinished < 130, String(unfinished));
  const all = new Latencies();
  all.merge(latencies);
  assert.ok(all.quantile(0.001) >= 10_000);
});

test('a closed loop keeps as many on the way as it was told, and counts errors', async () => {
  const clock = new VirtualClock();
  const meter = new Meter({ ...OPEN, pace: { kind: 'closed', inFlight: 4 }, warmupMs: 500 }, clock);
  let open = 0;
  let most = 0;
  let count = 0;
  const operate = async (): Promise<void> => {
    open += 1;
    most = Math.max(most, open);
    await clock.pause(10);
    open -= 1;
    count += 1;
    if (count % 100 === 0) throw new Error('refused');
  };
  await clock.runUntil(closedLoop(meter, 4, operate, clock));
  const { operations, errors, problem } = meter.result;
  assert.equal(most, 4);
  assert.ok(operations > 330 && operations < 400, String(operations));
  assert.ok(errors >= 4);
  assert.equal(problem, 'refused');
});
