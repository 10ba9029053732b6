/**
 * The budget of seeds: thousands of drawn schedules over f = 1, 2, 3, split over worker threads. Prints what was
 * simulated, and fails on any violation or if the draw did not reach what it is there to reach.
 */
import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { test } from 'node:test';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { EMPTY_SUMMARY, joinSummaries, runSchedule, simulateBudget } from './run-schedule.ts';
import type { BudgetSummary } from './run-schedule.ts';

/** Schedules in all; larger clusters cost more and find less for each second, so they get fewer. */
const BUDGET = Number(process.env['MOIETY_SIM_SEEDS'] ?? 2100);
const SIZES = [
  { replicas: 3, count: Math.ceil(BUDGET * 0.5) },
  { replicas: 5, count: Math.ceil(BUDGET * 0.3) },
  { replicas: 7, count: Math.ceil(BUDGET * 0.2) },
];
const FIRST_SEED = Number(process.env['MOIETY_SIM_FROM'] ?? 1);
const FAILURES_SHOWN = 5;

interface Task {
  readonly replicas: number;
  readonly from: number;
  readonly count: number;
}

interface Report {
  readonly summary: BudgetSummary;
  readonly failures: readonly string[];
}

function runTask(task: Task): Report {
  const failures: string[] = [];
  const summary = simulateBudget(task, (result) => {
    for (const violation of result.violations.slice(0, 1))
      failures.push(
        `${result.reproduce}\n    ${violation.judge} at ${violation.atMs.toFixed(1)} ms: ${violation.text}`,
      );
    return failures.length < FAILURES_SHOWN;
  });
  return { summary, failures };
}

function inWorker(tasks: readonly Task[]): Promise<Report[]> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: tasks });
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

/** The part of a size's seeds that one worker runs. */
function shareOf(size: (typeof SIZES)[number], worker: number, workers: number): Task {
  const share = Math.ceil(size.count / workers);
  const start = Math.min(size.count, worker * share);
  const end = Math.min(size.count, start + share);
  return { replicas: size.replicas, from: FIRST_SEED + start, count: end - start };
}

function percent(part: number, whole: number): string {
  return `${((100 * part) / Math.max(1, whole)).toFixed(1)} %`;
}

if (isMainThread) {
  test('the same seed gives the same run', () => {
    for (const seed of [3, 17, 256]) {
      const first = runSchedule(seed);
      const second = runSchedule(seed);
      assert.equal(first.traceHash, second.traceHash, `seed ${seed}`);
      assert.deepEqual(first.stats, second.stats);
    }
    assert.notEqual(runSchedule(3).traceHash, runSchedule(4).traceHash);
  });

  test('no schedule of the budget violates anything', async () => {
    const workers = Math.min(8, availableParallelism());
    const reports = await Promise.all(
      Array.from({ length: workers }, (_, worker) =>
        inWorker(SIZES.map((size) => shareOf(size, worker, workers))),
      ),
    );
    const all = reports.flat();
    const summary = all.map((report) => report.summary).reduce(joinSummaries, EMPTY_SUMMARY);
    const failures = all.flatMap((report) => report.failures);
    const { schedules } = summary;
    console.log(
      `simulated ${schedules} schedules (${SIZES.map(({ replicas }) => `n=${replicas}: ${summary.byReplicas[replicas] ?? 0}`).join(', ')}), ` +
        `${summary.events} events, ${summary.committed} sequence numbers; with a view change ${percent(summary.withViewChange, schedules)}, ` +
        `state transfer ${percent(summary.withStateTransfer, schedules)}, restart ${percent(summary.withRestart, schedules)}, ` +
        `a Byzantine replica ${percent(summary.withByzantine, schedules)}`,
    );
    assert.equal(failures.length, 0, `violations:\n${failures.slice(0, FAILURES_SHOWN).join('\n')}`);
    assert.ok(schedules >= BUDGET, 'the whole budget was simulated');
    assert.ok(summary.withViewChange >= 0.4 * schedules, 'view changes in 40 % of the schedules');
    assert.ok(summary.withStateTransfer >= 0.15 * schedules, 'state transfers in 15 % of the schedules');
    assert.ok(summary.withRestart >= 0.15 * schedules, 'restarts in 15 % of the schedules');
    assert.ok(summary.withByzantine >= 0.3 * schedules, 'Byzantine replicas in 30 % of the schedules');
  });
} else {
  parentPort!.postMessage((workerData as readonly Task[]).map(runTask));
}
