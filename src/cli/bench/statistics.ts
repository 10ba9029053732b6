/** Medians, and 95 % confidence intervals of few runs by Student's t. */

/** Two-sided 95 % quantiles of Student's t by degrees of freedom, from 1. */
const T95 = [
  12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145, 2.131,
  2.12, 2.11, 2.101, 2.093, 2.086, 2.08, 2.074, 2.069, 2.064, 2.06, 2.056, 2.052, 2.048, 2.045,
];
/** That of the normal distribution, for more. */
const T95_LIMIT = 1.96;

/** Of two runs the quantile is 12.7: an interval from a tenth to the tenfold of what was seen. */
const RUNS_MIN = 3;

/** What several runs gave. */
export interface Summary {
  readonly median: number;
  /** 95 % confidence interval of the geometric mean; `null` of fewer than three runs: of two it says nothing. */
  readonly interval: readonly [low: number, high: number] | null;
}

/** The middle value, or the mean of the two middle ones; NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

function intervalOf(values: readonly number[]): readonly [number, number] | null {
  const { length } = values;
  if (length < RUNS_MIN) return null;
  const mean = values.reduce((sum, value) => sum + value, 0) / length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const half = (T95[length - 2] ?? T95_LIMIT) * Math.sqrt(squares / (length - 1) / length);
  return [mean - half, mean + half];
}

function digits(value: number): number {
  return Number(value.toPrecision(6));
}

/**
 * Of throughputs, latencies or ratios: their logarithms are averaged, since half and double are equally far off. Where
 * one is 0 there is no interval.
 */
export function summaryOf(values: readonly number[]): Summary {
  const interval = values.every((value) => value > 0) ? intervalOf(values.map(Math.log)) : null;
  return {
    median: digits(median(values)),
    interval: interval && [digits(Math.exp(interval[0])), digits(Math.exp(interval[1]))],
  };
}
