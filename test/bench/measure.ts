/** What the sections of the benchmark page are made of: sittings, and rows that are kept of them. */
import { Sitting } from '../../src/cli/bench/sitting.ts';
import type { Beside, Point, PointReport, RunFigures } from '../../src/cli/bench/sitting.ts';
import type { ClusterChoice } from '../../src/cli/bench/cluster.ts';
import { Latencies } from '../../src/cli/bench/latency.ts';
import type { Pace } from '../../src/cli/bench/measured.ts';
import { summaryOf } from '../../src/cli/bench/statistics.ts';
import type { Summary } from '../../src/cli/bench/statistics.ts';
import { componentsFor, readComponentSpec } from '../../src/cli/component-choice.ts';
import { requireProtocol } from '../../src/cli/protocol-choice.ts';

/** How thoroughly it is measured. */
export interface Effort {
  readonly quick: boolean;
  /** Alternations of each point. */
  readonly runs: number;
  readonly seconds: number;
  readonly note: (text: string) => void;
}

/** One row of a table. */
export interface Row {
  readonly name: string;
  readonly replicas: number;
  readonly payload: number;
  /** On the way at once, or operations a second of an open loop. */
  readonly load: number;
  readonly throughput: Summary;
  readonly p50Ms: Summary;
  readonly p99Ms: Summary;
  readonly p999Ms: number;
  readonly maxMs: number;
  readonly floor: { readonly throughput: Summary; readonly p50Ms: Summary } | null;
  readonly ofFloor: Summary | null;
  readonly p50OfFloor: Summary | null;
  readonly floorOfRaw: Summary | null;
  /** Cores that all replicas with their components, and all clients, used. */
  readonly replicaCores: number;
  readonly clientCores: number;
  /** Processor time of all replicas for one operation, in microseconds. */
  readonly replicaMicroseconds: number;
  /** The most memory that one replica had. */
  readonly replicaMiB: number;
  readonly errors: number;
  readonly problem: string | null;
}

const MIB = 2 ** 20;

/** Adds up what the processes used whose name begins like this. */
function coresOf({ processes }: Pick<PointReport, 'processes'>, names: readonly string[]): number {
  const own = processes.filter(({ name }) => names.some((begin) => name.startsWith(begin)));
  return own.reduce((sum, { cores }) => sum + cores, 0);
}

/** The most memory of a replica, without its component. */
export function replicaMiB({ processes }: Pick<RunFigures, 'processes'>): number {
  const bytes = processes.filter(({ name }) => name.startsWith('replica')).map((one) => one.residentBytesMax);
  return Math.round(Math.max(0, ...bytes) / MIB);
}

/** Keeps what tables show. */
export function rowOf(name: string, replicas: number, report: PointReport): Row {
  const { pace, payload, throughput, p50Ms, p99Ms, all, floor, ofFloor, p50OfFloor, floorOfRaw, errors } =
    report;
  const replicaCores = coresOf(report, ['replica', 'trusted']);
  return {
    ...{ name, replicas, payload, throughput, p50Ms, p99Ms, p999Ms: all.p999Ms, maxMs: all.maxMs },
    ...{ floor, ofFloor, p50OfFloor, floorOfRaw, errors, problem: report.problem ?? null },
    load: pace.kind === 'closed' ? pace.inFlight : pace.ratePerSecond,
    replicaCores: Number(replicaCores.toFixed(2)),
    clientCores: Number(coresOf(report, ['client']).toFixed(2)),
    replicaMicroseconds:
      throughput.median > 0 ? Number(((replicaCores / throughput.median) * 1e6).toFixed(1)) : 0,
    replicaMiB: replicaMiB(report),
  };
}

/** A cluster as `moiety bench` would choose it. */
export function cluster(
  wanted: Partial<Omit<ClusterChoice, 'protocol' | 'components'>> & {
    readonly protocol?: string;
    readonly f?: number;
    readonly tc?: string;
  } = {},
): ClusterChoice {
  const { protocol: name = 'minbft', f = 1, tc, ...rest } = wanted;
  const protocol = requireProtocol(name);
  const all = tc === undefined ? undefined : { all: readComponentSpec(tc), single: new Map() };
  return {
    ...{ durability: 'memory', clients: 1, window: 1_024, auth: 'bundle', workload: 'put' },
    ...rest,
    protocol,
    components: componentsFor(all, protocol.replicasFor(f), protocol),
  };
}

/** So many on the way. */
export function closed(inFlight: number): Pace {
  return { kind: 'closed', inFlight };
}

/** Settings of a point. */
export function point(effort: Effort, pace: Pace, payload = 100): Point {
  return { pace, payload, runs: effort.runs, durationMs: effort.seconds * 1000, warmupMs: 1_500 };
}

/** V8 has compiled what a cluster runs all the time after so long under load. */
const HEAT_MS = 8_000;

/** A cluster runs for days: figures of its first seconds would say how fast V8 compiles. */
async function heat(sitting: Sitting, effort: Effort): Promise<void> {
  const durationMs = effort.quick ? 1_000 : HEAT_MS;
  await sitting.measure({ ...point(effort, closed(1_024)), runs: 1, durationMs }, () => undefined);
}

/** Begins a sitting and ends it, whatever happens. */
export async function sit<T>(
  choice: ClusterChoice,
  beside: Beside,
  effort: Effort,
  body: (sitting: Sitting) => Promise<T>,
): Promise<T> {
  const sitting = await Sitting.begin(choice, beside);
  try {
    await heat(sitting, effort);
    return await body(sitting);
  } finally {
    await sitting.end();
  }
}

/** Measures one point and says so. */
export async function measured(
  sitting: Sitting,
  name: string,
  effort: Effort,
  what: Point,
): Promise<{ readonly row: Row; readonly report: PointReport }> {
  const report = await sitting.measure(what, () => undefined);
  const row = rowOf(name, sitting.cluster.choice.components.length, report);
  const share = row.ofFloor === null ? '' : `, ${(row.ofFloor.median * 100).toFixed(2)} % of the floor`;
  effort.note(
    `  ${name}, ${row.load}: ${Math.round(row.throughput.median)} operations/s, p50 ${row.p50Ms.median} ms${share}`,
  );
  return { row, report };
}

/** Several sittings at once, measured in turns; for each, ratios of its throughput to the first one's, turn by turn. */
export async function inTurns(
  choices: readonly (readonly [name: string, choice: ClusterChoice])[],
  effort: Effort,
  what: Point,
): Promise<readonly { readonly row: Row; readonly ofFirst: Summary; readonly all: Latencies }[]> {
  const sittings: Sitting[] = [];
  try {
    for (const [, choice] of choices)
      sittings.push(await Sitting.begin(choice, { floor: false, raw: false }));
    for (const sitting of sittings) await heat(sitting, effort);
    const reports: PointReport[][] = choices.map(() => []);
    for (let run = 0; run < what.runs; run += 1)
      for (const [index, sitting] of sittings.entries())
        reports[index]!.push(
          await sitting.measure(
            { ...what, runs: 1, warmupMs: run === 0 ? what.warmupMs : 500 },
            () => undefined,
          ),
        );
    return choices.map(([name], index) => {
      const own = reports[index]!;
      const all = new Latencies();
      for (const report of own) all.merge(report.all.histogram);
      const over = (of: (report: PointReport) => number): Summary => summaryOf(own.map(of));
      const first = reports[0]!;
      const row: Row = {
        ...rowOf(name, sittings[index]!.cluster.choice.components.length, own.at(-1)!),
        throughput: over(({ throughput }) => throughput.median),
        p50Ms: over(({ p50Ms }) => p50Ms.median),
        p99Ms: over(({ p99Ms }) => p99Ms.median),
        p999Ms: all.quantile(0.999),
        maxMs: all.maxMs,
        errors: own.reduce((sum, { errors }) => sum + errors, 0),
      };
      effort.note(`  ${name}: ${Math.round(row.throughput.median)} operations/s, p50 ${row.p50Ms.median} ms`);
      const ofFirst = summaryOf(
        own.map((report, run) => report.throughput.median / first[run]!.throughput.median),
      );
      return { row, ofFirst, all };
    });
  } finally {
    for (const sitting of sittings) await sitting.end();
  }
}
