/** The budget of short schedules in the core fidelity: clean, and with everything in it that it is there for. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { joinSummaries, simulateBudget, EMPTY_SUMMARY } from '../run-schedule.ts';
import type { BudgetSummary } from '../run-schedule.ts';

const FACTOR = Number(process.env['MOIETY_CORE_SEEDS'] ?? 5000) / 5000;
const SIZES = [
  { replicas: 3, count: Math.ceil(3800 * FACTOR) },
  { replicas: 5, count: Math.ceil(800 * FACTOR) },
  { replicas: 7, count: Math.ceil(400 * FACTOR) },
];
const FIRST_SEED = Number(process.env['MOIETY_SIM_FROM'] ?? 1);
const FAILURES_SHOWN = 5;

test('no short schedule of the core fidelity violates anything', () => {
  const failures: string[] = [];
  let summary: BudgetSummary = EMPTY_SUMMARY;
  for (const { replicas, count } of SIZES) {
    const options = { fidelity: 'core', short: true, replicas, from: FIRST_SEED, count } as const;
    const part = simulateBudget(options, ({ violations, reproduce }) => {
      for (const { judge, atMs, text } of violations.slice(0, 1))
        failures.push(`${reproduce}\n    ${judge} at ${atMs.toFixed(1)} ms: ${text}`);
      return failures.length < FAILURES_SHOWN;
    });
    summary = joinSummaries(summary, part);
  }
  const { schedules } = summary;
  const share = (part: number): string => `${((100 * part) / schedules).toFixed(1)} %`;
  console.log(
    `simulated ${schedules} short schedules, ${summary.events} events; with a view change ${share(summary.withViewChange)}, ` +
      `state transfer ${share(summary.withStateTransfer)}, restart ${share(summary.withRestart)}, a Byzantine replica ${share(summary.withByzantine)}`,
  );
  assert.equal(failures.length, 0, `violations:\n${failures.join('\n')}`);
  assert.ok(summary.withViewChange >= 0.33 * schedules, 'view changes in a third of the schedules');
  assert.ok(summary.withRestart >= 0.35 * schedules, 'restarts in 35 % of the schedules');
  assert.ok(summary.withStateTransfer >= 0.01 * schedules, 'state transfers in some of the schedules');
  assert.ok(summary.withByzantine >= 0.3 * schedules, 'Byzantine replicas in 30 % of the schedules');
});
