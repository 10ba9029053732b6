import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Prng } from '../../core/prng.ts';
import { Latencies } from './latency.ts';
import { loadFiguresOf, tooManyErrors } from './load-figures.ts';
import { closedLoop, openLoop } from './load-loops.ts';
import { LoadTally } from './load-tally.ts';
import type { Clock, LoadSettings } from './measured.ts';
import { ProcessMeter } from './process-meter.ts';
import { kindsOf } from './sitting.ts';
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
  assert.equal(summaryOf([1, 4]).interval, null, 'two runs say nothing about their spread');
  // Logarithms 0, ln 2 and ln 4: mean ln 2, standard error ln 2 / sqrt 3, t of two degrees of freedom 4.303.
  const { interval } = summaryOf([1, 2, 4]);
  assert.ok(Math.abs(interval![0] - 2 ** (1 - 4.303 / Math.sqrt(3))) < 1e-4);
  assert.ok(Math.abs(interval![1] - 2 ** (1 + 4.303 / Math.sqrt(3))) < 1e-3);
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
  const tally = new LoadTally(OPEN, clock);
  // The service answers at once, but between 300 and 700 ms nothing at all.
  const answer = (): Promise<void> => clock.pause(Math.max(0, clock.now() < 300 ? 0 : 700 - clock.now()));
  await clock.runUntil(openLoop(tally, 1_000, new Prng(1), () => [undefined, answer()], clock));
  const figures = loadFiguresOf([tally.result]);
  assert.ok(figures.operations > 900 && figures.operations < 1_100, String(figures.operations));
  assert.equal(figures.unfinished, 0);
  // Four in ten were due in the stall and waited 200 ms on average; a closed loop would have counted one of them.
  assert.ok(figures.p90Ms > 250 && figures.p90Ms < 350, String(figures.p90Ms));
  assert.ok(figures.maxMs > 390, String(figures.maxMs));
});

test('throughput of an open loop is what ended while it was measured, however much was due', async () => {
  const clock = new VirtualClock();
  const tally = new LoadTally({ ...OPEN, warmupMs: 500 }, clock);
  let freeMs = 0;
  // One after the other, 10 ms each: 100 a second, of 1,000 that are asked for.
  const answer = (): Promise<void> => {
    freeMs = Math.max(freeMs, clock.now()) + 10;
    return clock.pause(freeMs - clock.now());
  };
  await clock.runUntil(openLoop(tally, 1_000, new Prng(1), () => ['read', answer()], clock));
  const { due, ended, operations, unfinished, kinds } = tally.result;
  assert.ok(due > 900 && due < 1_100, String(due));
  assert.equal(operations + unfinished, due, 'latencies are those of what was due');
  assert.ok(operations > 500, `${operations} ended up to ten seconds later`);
  assert.ok(ended >= 99 && ended <= 101, String(ended));
  assert.equal(loadFiguresOf([tally.result]).throughput, ended);
  assert.deepEqual([kinds['read']?.ended, kinds['read']?.operations], [ended, operations]);
});

test('kinds of operations add up to all of them', async () => {
  const clock = new VirtualClock();
  const tally = new LoadTally({ ...OPEN, pace: { kind: 'closed', inFlight: 3 }, timeline: true }, clock);
  let count = 0;
  const operate = (): [string, Promise<void>] => [
    count % 3 === 0 ? 'read' : 'update',
    clock.pause(1 + (count++ % 7)),
  ];
  await clock.runUntil(closedLoop(tally, 3, operate, clock));
  const { operations, ended, due, kinds, moments } = tally.result;
  assert.ok(operations > 500);
  assert.deepEqual(
    [kinds['read']!.operations + kinds['update']!.operations, ended, due],
    [operations, operations, 0],
  );
  assert.ok(moments.reduce((sum, [, many]) => sum + many, 0) >= operations);
  assert.ok(moments.every(([atMs, , begunMs]) => begunMs <= atMs + 1 && begunMs >= atMs - 8));
});

test('a kind that was not done has no latency, and counts as nothing in its runs', () => {
  const figures = (kind: string, count: number) => {
    const tally = new LoadTally(
      { ...OPEN, pace: { kind: 'closed', inFlight: 1 } },
      { ...new VirtualClock(), now: () => 5, pause: () => Promise.resolve() },
    );
    for (let each = 0; each < count; each += 1) tally.done(3, kind);
    return loadFiguresOf([tally.result.kinds[kind] ?? { ...tally.result, ended: 0 }]);
  };
  const runs = [
    { kinds: { read: figures('read', 4), insert: figures('insert', 0) } },
    { kinds: { read: figures('read', 6) } },
    { kinds: { read: figures('read', 8), scan: figures('scan', 9) } },
  ];
  assert.deepEqual(kindsOf(runs), {
    insert: { throughput: 0, p50Ms: null, p99Ms: null },
    read: { throughput: 6, p50Ms: 2, p99Ms: 2 },
    scan: { throughput: 0, p50Ms: 2, p99Ms: 2 },
  });
});

test('more than one failure in a hundred is a failure, and so is a loop that gave up', () => {
  const problem = 'resultForgotten';
  assert.equal(tooManyErrors({ runs: [{ operations: 9_900, errors: 100 }], problem }), undefined);
  assert.match(
    tooManyErrors({
      runs: [
        { operations: 800, errors: 8 },
        { operations: 100, errors: 92 },
      ],
      problem,
    })!,
    /^10.0 % of the operations failed \(the first: resultForgotten\).*fewer operations on the way \(--inflight\)/,
  );
  assert.match(tooManyErrors({ runs: [{ operations: 0, errors: 1 }], problem })!, /^100 %/);
  assert.match(
    tooManyErrors({ runs: [{ operations: 1e6, errors: 1_000 }], problem })!,
    /gave up after 1000 errors/,
  );
  assert.equal(tooManyErrors({ runs: [{ operations: 0, errors: 0 }], problem: undefined }), undefined);
});

test('the most memory that was seen is no less than what was seen last', () => {
  let bytes = 0;
  const meter = new ProcessMeter({ processorSeconds: () => 1, residentBytes: () => (bytes += 10) });
  meter.begin([
    ['a', 1],
    ['a', 2],
  ]);
  const [use] = meter.end();
  assert.equal(use!.residentBytes, 70);
  assert.equal(use!.residentBytesMax, 70);
});

test('an open loop counts what never ends with the time that it waited', async () => {
  const clock = new VirtualClock();
  const tally = new LoadTally(OPEN, clock);
  const never = new Promise(() => undefined);
  await clock.runUntil(openLoop(tally, 100, new Prng(1), () => [undefined, never], clock));
  const { operations, unfinished, latencies } = tally.result;
  assert.equal(operations, 0);
  assert.ok(unfinished > 70 && unfinished < 130, String(unfinished));
  const all = new Latencies();
  all.merge(latencies);
  assert.ok(all.quantile(0.001) >= 10_000);
});

test('a closed loop keeps as many on the way as it was told, and counts errors', async () => {
  const clock = new VirtualClock();
  const tally = new LoadTally({ ...OPEN, pace: { kind: 'closed', inFlight: 4 }, warmupMs: 500 }, clock);
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
  await clock.runUntil(closedLoop(tally, 4, () => [undefined, operate()], clock));
  const { operations, errors, problem } = tally.result;
  assert.equal(most, 4);
  assert.ok(operations > 330 && operations < 400, String(operations));
  assert.ok(errors >= 4);
  assert.equal(problem, 'refused');
});
