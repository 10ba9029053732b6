/** Throughput and latencies of client processes together, and whether so much failed that the figures say nothing. */
import { ERRORS_MAX } from './load-loops.ts';
import type { LoadMeasured } from './load-orders.ts';
import { figuresOf, rounded } from './measured.ts';
import type { Figures } from './measured.ts';

/**
 * Sums up. Throughput is what ended in the time that was measured, also of an open loop, whose latencies are those of
 * what was due in it: beyond saturation the one stays behind the other.
 */
export function loadFiguresOf(parts: readonly LoadMeasured[]): Figures {
  const seconds = Math.max(...parts.map((part) => part.seconds));
  const ended = parts.reduce((sum, part) => sum + part.ended, 0);
  return { ...figuresOf(parts), throughput: rounded(ended / seconds, 1) };
}

/** Share of operations that may fail. */
const FAILED_MAX = 0.01;

/** A sentence about too many failures; undefined if there are few. */
export function tooManyErrors(report: {
  readonly runs: readonly { readonly operations: number; readonly errors: number }[];
  readonly problem: string | undefined;
}): string | undefined {
  const sum = (of: 'operations' | 'errors'): number => report.runs.reduce((total, run) => total + run[of], 0);
  const share = sum('errors') / Math.max(1, sum('errors') + sum('operations'));
  const gaveUp = report.runs.some(({ errors }) => errors >= ERRORS_MAX);
  if (share <= FAILED_MAX && !gaveUp) return undefined;
  const percent = `${(share * 100).toPrecision(3)} % of the operations failed`;
  return (
    `${percent}${gaveUp ? `, and clients gave up after ${ERRORS_MAX} errors` : ''} (the first: ${report.problem}). ` +
    'The figures say little: have fewer operations on the way (--inflight), or begin fewer a second (--open).'
  );
}
