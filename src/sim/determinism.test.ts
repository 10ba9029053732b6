/**
 * The same seed gives the same run: in this thread, in a worker, and again. `MOIETY_TWICE_SEEDS` chooses how many seeds
 * (in npm test a few hundred; ten thousand take minutes).
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { runSchedule } from './run-schedule.ts';
import type { ScheduleOptions } from './run-schedule.ts';

const SEEDS = Number(process.env['MOIETY_TWICE_SEEDS'] ?? 150);
/** Whole schedules cost some thirty times as much: one for each so many. */
const WHOLE_EVERY = 25;

function optionsOf(seed: number): ScheduleOptions {
  return seed % WHOLE_EVERY === 0 ? { replicas: 3, durationMs: 300 } : { fidelity: 'core', short: true };
}

/** Everything that a run says of itself, for each seed. */
function hashes(count: number): string[] {
  return Array.from({ length: count }, (_, index) => {
    const seed = index + 1;
    const { traceHash, stats, violations } = runSchedule(seed, optionsOf(seed));
    return `${seed} ${traceHash} ${JSON.stringify(stats)} ${violations.length}`;
  });
}

if (isMainThread) {
  test(`${SEEDS} seeds give the same trace hash in the main thread and in a worker`, async () => {
    const worker = new Worker(new URL(import.meta.url), { workerData: SEEDS });
    const there = new Promise<string[]>((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
    });
    const here = hashes(SEEDS);
    assert.deepEqual(await there, here);
    assert.ok(new Set(here.map((line) => line.split(' ')[1])).size > SEEDS * 0.99, 'seeds differ');
    console.log(`${SEEDS} seeds run twice: equal trace hashes`);
  });
} else {
  parentPort!.postMessage(hashes(workerData as number));
}
