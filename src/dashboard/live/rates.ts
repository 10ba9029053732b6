/** Throughput and latency over time, as charts want them: one row a second, with gaps where nothing is known. */
import type { Rate } from './status-shape.ts';

/** Seconds that are shown. */
export const CHART_SECONDS = 300;
/** Rates that are further apart have a gap between them. */
const GAP_MS = 2_500;

/** Columns of equal length; `seconds` ascending, Unix time. */
export interface ChartData {
  readonly seconds: readonly number[];
  readonly perSecond: readonly (number | null)[];
  readonly p50Ms: readonly (number | null)[];
  readonly p99Ms: readonly (number | null)[];
}

/** The rates that were known, with newer ones behind them; the last `CHART_SECONDS`, each second once. */
export function mergedRates(known: readonly Rate[], more: readonly Rate[]): readonly Rate[] {
  if (more.length === 0) return known;
  const bySecond = new Map<number, Rate>();
  for (const rate of [...known, ...more]) bySecond.set(Math.round(rate.atMs / 1_000), rate);
  const all = [...bySecond.values()].sort((a, b) => a.atMs - b.atMs);
  const fromMs = all.at(-1)!.atMs - CHART_SECONDS * 1_000;
  return all.filter(({ atMs }) => atMs > fromMs).slice(-CHART_SECONDS);
}

/** See the top of this file. */
export function chartData(rates: readonly Rate[]): ChartData {
  const seconds: number[] = [];
  const [perSecond, p50Ms, p99Ms]: (number | null)[][] = [[], [], []];
  for (const [index, rate] of rates.entries()) {
    const before = rates[index - 1];
    if (before !== undefined && rate.atMs - before.atMs > GAP_MS) {
      seconds.push((before.atMs + 1_000) / 1_000);
      for (const column of [perSecond!, p50Ms!, p99Ms!]) column.push(null);
    }
    seconds.push(rate.atMs / 1_000);
    perSecond!.push(rate.transactionsPerSecond);
    p50Ms!.push(rate.p50Ms);
    p99Ms!.push(rate.p99Ms);
  }
  return { seconds, perSecond: perSecond!, p50Ms: p50Ms!, p99Ms: p99Ms! };
}

/** The last few seconds in one: what flows now. */
export interface Flow {
  readonly perSecond: number;
  /** Nothing in the newest of these seconds. */
  readonly isStopped: boolean;
  readonly p50Ms: number | null;
}

/** Seconds that count as now. */
const NOW_SECONDS = 3;

/** See `Flow`. */
export function flowOf(rates: readonly Rate[], nowMs: number): Flow {
  const latest = rates.filter(({ atMs }) => nowMs - atMs < (NOW_SECONDS + 1) * 1_000).slice(-NOW_SECONDS);
  if (latest.length === 0) return { perSecond: 0, isStopped: true, p50Ms: null };
  const sum = latest.reduce((total, { transactionsPerSecond }) => total + transactionsPerSecond, 0);
  const p50Ms = latest.findLast((rate) => rate.p50Ms !== null)?.p50Ms ?? null;
  const isStopped = latest.at(-1)!.transactionsPerSecond === 0;
  return { perSecond: sum / latest.length, isStopped, p50Ms };
}

/** A number of at most three digits of interest: `0.4`, `12`, `1,240`. */
export function shortNumber(value: number): string {
  if (value === 0 || value >= 10) return wholeText(Math.round(value));
  return value >= 0.1 ? value.toFixed(1).replace(/\.0$/, '') : 'fewer than 0.1';
}

/** A whole number with commas. */
export function wholeText(value: number): string {
  return value.toLocaleString('en-US', { maximumFractionDigits: 0 });
}

/** What the charts show, in a sentence each. */
export function chartSentences(rates: readonly Rate[], nowMs: number): { rate: string; latency: string } {
  const flow = flowOf(rates, nowMs);
  const most = Math.max(0, ...rates.map(({ transactionsPerSecond }) => transactionsPerSecond));
  const slowest = Math.max(0, ...rates.map(({ p99Ms }) => p99Ms ?? 0));
  const minutes = rates.length === 0 ? 0 : (rates.at(-1)!.atMs - rates[0]!.atMs) / 60_000;
  const span = minutes < 1.5 ? 'the last minute' : `the last ${Math.round(minutes)} minutes`;
  if (rates.length === 0) return { rate: 'No rates yet.', latency: 'No latencies yet.' };
  const slowestWords = slowest === 0 ? '' : ` p99 at most ${shortNumber(slowest)} ms in ${span}.`;
  return {
    rate: `Now ${shortNumber(flow.perSecond)} a second; at most ${shortNumber(most)} in ${span}.`,
    latency:
      flow.p50Ms === null
        ? `Nothing answered now.${slowestWords}`
        : `Now p50 ${shortNumber(flow.p50Ms)} ms.${slowestWords}`,
  };
}
