/** Sums over many schedules of one protocol. */
import type { FamilyResult } from './run.ts';

/** Failures that are kept word by word, at most. */
const FAILURES_KEPT = 5;

/** See the top of this file. */
export interface FamilyTally {
  readonly schedules: number;
  readonly events: number;
  readonly withViewChange: number;
  readonly withRollback: number;
  readonly withRestart: number;
  readonly withTransfer: number;
  readonly withByzantine: number;
  readonly violating: number;
  /** The first ones, with the commands that repeat them. */
  readonly failures: readonly string[];
}

/** Nothing yet. */
export const EMPTY_TALLY: FamilyTally = {
  schedules: 0,
  events: 0,
  withViewChange: 0,
  withRollback: 0,
  withRestart: 0,
  withTransfer: 0,
  withByzantine: 0,
  violating: 0,
  failures: [],
};

/** The tally with one more schedule. */
export function addToTally(tally: FamilyTally, result: FamilyResult): FamilyTally {
  const one = (is: boolean): number => (is ? 1 : 0);
  const { violations, reproduce } = result;
  return joinTallies(tally, {
    schedules: 1,
    events: result.events,
    withViewChange: one(result.views > 0),
    withRollback: one(result.rolledBack > 0),
    withRestart: one(result.restarts > 0),
    withTransfer: one(result.stateTransfers > 0),
    withByzantine: one(result.byzantine > 0),
    violating: one(violations.length > 0),
    failures: violations
      .slice(0, 1)
      .map(({ judge, atMs, text }) => `${reproduce}: ${judge} at ${atMs.toFixed(1)} ms: ${text}`),
  });
}

/** Two tallies together. */
export function joinTallies(a: FamilyTally, b: FamilyTally): FamilyTally {
  return {
    schedules: a.schedules + b.schedules,
    events: a.events + b.events,
    withViewChange: a.withViewChange + b.withViewChange,
    withRollback: a.withRollback + b.withRollback,
    withRestart: a.withRestart + b.withRestart,
    withTransfer: a.withTransfer + b.withTransfer,
    withByzantine: a.withByzantine + b.withByzantine,
    violating: a.violating + b.violating,
    failures: [...a.failures, ...b.failures].slice(0, FAILURES_KEPT),
  };
}

/** One line for people. */
export function tallyLine(protocol: string, tally: FamilyTally): string {
  const { schedules, events, violating } = tally;
  const share = (part: number): string => `${((100 * part) / Math.max(1, schedules)).toFixed(0)} %`;
  return (
    `${protocol}: ${schedules} schedules, ${events} events; view changes ${share(tally.withViewChange)}, ` +
    `rollbacks ${share(tally.withRollback)}, restarts ${share(tally.withRestart)}, ` +
    `transfers ${share(tally.withTransfer)}, Byzantine ${share(tally.withByzantine)}; violations ${violating}`
  );
}
