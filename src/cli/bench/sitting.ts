/**
 * One sitting: a cluster, the floor and raw sockets stay up, and runs of them alternate (A B A B …), since what a machine
 * gives drifts by the minute. What counts is the ratio of runs that follow each other.
 */
import { Baseline } from './baselines.ts';
import { BenchCluster } from './cluster.ts';
import type { ClusterChoice, ClusterRun } from './cluster.ts';
import { Latencies } from './latency.ts';
import type { Figures, LoadSettings, Pace } from './measured.ts';
import { rounded } from './measured.ts';
import type { ProcessUse } from './process-meter.ts';
import { median, summaryOf } from './statistics.ts';
import type { Summary } from './statistics.ts';

/** One point of a curve: what is asked of the cluster, and how often. */
export interface Point {
  readonly pace: Pace;
  /** Bytes of a value. */
  readonly payload: number;
  readonly warmupMs: number;
  readonly durationMs: number;
  /** Alternations. */
  readonly runs: number;
}

/** One run: figures without the histogram, and what each process used. */
export interface RunFigures extends Omit<Figures, 'histogram'> {
  readonly processes: readonly ProcessUse[];
}

/** A baseline beside it. */
export interface BesideReport {
  readonly throughput: Summary;
  readonly p50Ms: Summary;
}

/** Operations of one kind, medians over the runs. */
export interface KindFigures {
  readonly throughput: number;
  /** Null if none of them was done. */
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
}

/** What a point gave. Medians and intervals are over the runs. */
export interface PointReport {
  readonly pace: Pace;
  readonly payload: number;
  readonly seconds: number;
  /** Operations that ended each second while it was measured. */
  readonly throughput: Summary;
  readonly p50Ms: Summary;
  readonly p99Ms: Summary;
  /** Quantiles of all runs together. */
  readonly all: { readonly p999Ms: number; readonly maxMs: number; readonly histogram: string };
  readonly errors: number;
  /** Operations of an open loop that were to begin each second, median; null of a closed loop. */
  readonly duePerSecond: number | null;
  readonly unfinished: number;
  readonly problem: string | undefined;
  /** Medians over the runs. */
  readonly processes: readonly ProcessUse[];
  readonly kinds: Readonly<Record<string, KindFigures>>;
  readonly floor: BesideReport | null;
  /** Throughput in shares of the floor's, pair by pair. */
  readonly ofFloor: Summary | null;
  /** Median latency in multiples of the floor's, pair by pair. */
  readonly p50OfFloor: Summary | null;
  readonly raw: BesideReport | null;
  /** The floor's throughput in shares of that of raw sockets. */
  readonly floorOfRaw: Summary | null;
  readonly runs: readonly RunFigures[];
}

/** Warm-up of runs behind the first: everything is compiled by then. */
const WARM_AGAIN_MS = 500;
const BESIDE_AGAIN_MS = 200;
/** Raw sockets are only there to judge the floor. */
const RAW_MS = 500;

/** What runs beside the cluster. */
export interface Beside {
  readonly floor: boolean;
  readonly raw: boolean;
}

interface Alternation {
  readonly own: ClusterRun;
  readonly floor: Figures | undefined;
  readonly raw: Figures | undefined;
}

/** See the top of this file. */
export class Sitting {
  readonly cluster: BenchCluster;
  readonly #floor: Baseline | undefined;
  readonly #raw: Baseline | undefined;

  private constructor(cluster: BenchCluster, floor: Baseline | undefined, raw: Baseline | undefined) {
    this.cluster = cluster;
    this.#floor = floor;
    this.#raw = raw;
  }

  /** Starts everything. Fails with a CommandFailure. */
  static async begin(choice: ClusterChoice, beside: Beside): Promise<Sitting> {
    const floor = beside.floor ? await Baseline.start('main-floor') : undefined;
    let raw: Baseline | undefined;
    try {
      raw = beside.raw ? await Baseline.start('main-raw') : undefined;
      return new Sitting(await BenchCluster.start(choice), floor, raw);
    } catch (error) {
      floor?.stop();
      raw?.stop();
      throw error;
    }
  }

  /** Measures one point. */
  async measure(point: Point, onRun: (run: RunFigures, number: number) => void): Promise<PointReport> {
    const alternations: Alternation[] = [];
    for (let number = 1; number <= point.runs; number += 1) {
      const warmupMs = number === 1 ? point.warmupMs : Math.min(point.warmupMs, WARM_AGAIN_MS);
      const settings: LoadSettings = { ...point, warmupMs };
      const own = await this.cluster.run(settings);
      const beside = { ...settings, warmupMs: Math.min(warmupMs, number === 1 ? 1_000 : BESIDE_AGAIN_MS) };
      const floor = await this.#floor?.run(beside);
      const raw = await this.#raw?.run({ ...beside, durationMs: Math.min(RAW_MS, beside.durationMs) });
      alternations.push({ own, floor, raw });
      onRun(runOf(own), number);
    }
    return reportOf(point, alternations);
  }

  /** Ends everything. */
  async end(): Promise<void> {
    this.#floor?.stop();
    this.#raw?.stop();
    await this.cluster.stop();
  }
}

function besideOf(runs: readonly Figures[]): BesideReport | null {
  if (runs.length === 0) return null;
  return {
    throughput: summaryOf(runs.map(({ throughput }) => throughput)),
    p50Ms: summaryOf(runs.map(({ p50Ms }) => p50Ms)),
  };
}

/** Ratios of pairs of which both did something. */
function ratios(pairs: readonly (readonly [number, number | undefined])[]): Summary | null {
  const values = pairs.flatMap(([own, other]) =>
    own > 0 && other !== undefined && other > 0 ? [own / other] : [],
  );
  return values.length === 0 ? null : summaryOf(values);
}

function processesOf(runs: readonly ClusterRun[]): readonly ProcessUse[] {
  const names = runs[0]!.processes.map(({ name }) => name);
  return names.map((name) => {
    const uses = runs.flatMap(({ processes }) => processes.filter((use) => use.name === name));
    return {
      name,
      cores: rounded(median(uses.map(({ cores }) => cores)), 3),
      residentBytes: uses.at(-1)!.residentBytes,
      residentBytesMax: Math.max(...uses.map(({ residentBytesMax }) => residentBytesMax)),
    };
  });
}

/** Sums up what was done of each kind. */
export function kindsOf(runs: readonly Pick<ClusterRun, 'kinds'>[]): PointReport['kinds'] {
  const names = [...new Set(runs.flatMap(({ kinds }) => Object.keys(kinds)))].sort();
  const entries = names.map((name) => {
    const figures = runs.flatMap(({ kinds }) => kinds[name] ?? []);
    const done = figures.filter(({ operations }) => operations > 0);
    const of = (what: 'p50Ms' | 'p99Ms'): number | null =>
      done.length === 0 ? null : median(done.map((one) => one[what]));
    const throughput = median(runs.map(({ kinds }) => kinds[name]?.throughput ?? 0));
    return [name, { throughput, p50Ms: of('p50Ms'), p99Ms: of('p99Ms') }] as const;
  });
  return Object.fromEntries(entries);
}

function runOf({ figures: { histogram: _, ...figures }, processes }: ClusterRun): RunFigures {
  return { ...figures, processes };
}

function reportOf(point: Point, alternations: readonly Alternation[]): PointReport {
  const own = alternations.map((one) => one.own);
  const figures = own.map((one) => one.figures);
  const floor = alternations.flatMap((one) => one.floor ?? []);
  const raw = alternations.flatMap((one) => one.raw ?? []);
  const all = new Latencies();
  for (const { histogram } of figures) all.merge(histogram);
  const sum = (of: (one: Figures) => number): number => figures.reduce((total, one) => total + of(one), 0);
  return {
    pace: point.pace,
    payload: point.payload,
    seconds: point.durationMs / 1000,
    duePerSecond:
      point.pace.kind === 'open' ? median(own.map(({ due }) => (due * 1000) / point.durationMs)) : null,
    throughput: summaryOf(figures.map(({ throughput }) => throughput)),
    p50Ms: summaryOf(figures.map(({ p50Ms }) => p50Ms)),
    p99Ms: summaryOf(figures.map(({ p99Ms }) => p99Ms)),
    all: {
      p999Ms: rounded(all.quantile(0.999), 3),
      maxMs: rounded(all.maxMs, 3),
      histogram: all.toJSON(),
    },
    errors: sum(({ errors }) => errors),
    unfinished: sum(({ unfinished }) => unfinished),
    problem: figures.find(({ problem }) => problem !== undefined)?.problem,
    processes: processesOf(own),
    kinds: kindsOf(own),
    floor: besideOf(floor),
    ofFloor: ratios(alternations.map((one) => [one.own.figures.throughput, one.floor?.throughput])),
    p50OfFloor: ratios(alternations.map((one) => [one.own.figures.p50Ms, one.floor?.p50Ms])),
    raw: besideOf(raw),
    floorOfRaw: ratios(alternations.map((one) => [one.floor?.throughput ?? 0, one.raw?.throughput])),
    runs: own.map(runOf),
  };
}
