/** The sections of docs/benchmarks.md: what each measures. Results are plain data, from which tables and plots are drawn. */
import { measureViewChange } from '../../src/cli/bench/view-change.ts';
import type { ViewChangeReport } from '../../src/cli/bench/view-change.ts';
import type { Latencies } from '../../src/cli/bench/latency.ts';
import type { Workload } from '../../src/cli/bench/load-orders.ts';
import type { Summary } from '../../src/cli/bench/statistics.ts';
import { messageOf } from '../../src/cli/failure.ts';
import { YCSB_WORKLOADS } from '../../src/cli/bench/ycsb/workloads.ts';
import type { Durability } from '../../src/node/journal.ts';
import { PROTOCOLS } from '../../src/protocols/catalogue.ts';
import { closed, cluster, inTurns, measured, point, replicaMiB, sit } from './measure.ts';
import type { Effort, Row } from './measure.ts';
import { measureSimulator } from './simulator.ts';
import type { SimulatorFigures } from './simulator.ts';
import { measureViewers } from './viewers.ts';
import type { ViewersFigures } from './viewers.ts';
import { withProfiles } from './profile.ts';
import type { ProfileOfProcess } from './profile.ts';

/** Shares of operations with their latency, for curves. */
export type Quantiles = readonly (readonly [share: number, ms: number])[];

/** What each section gives. */
export interface Results {
  readonly throughput: { readonly rows: readonly Row[] };
  readonly bare: { readonly rows: readonly Row[] };
  readonly durability: {
    readonly rows: readonly { readonly row: Row; readonly ofFirst: Summary; readonly quantiles: Quantiles }[];
  };
  readonly authentication: { readonly rows: readonly { readonly row: Row; readonly ofFirst: Summary }[] };
  readonly rate: { readonly rows: readonly Row[] };
  readonly sizes: { readonly rows: readonly Row[] };
  readonly protocols: {
    readonly rows: readonly Row[];
    /** Protocols that could not be measured, and why. */
    readonly failures: readonly (readonly [name: string, problem: string])[];
  };
  readonly ycsb: {
    readonly records: number;
    readonly rows: readonly {
      readonly row: Row;
      readonly kinds: readonly (readonly [string, number | null, number | null])[];
    }[];
  };
  readonly viewChange: {
    readonly reports: readonly (ViewChangeReport & { readonly durability: Durability })[];
  };
  readonly profile: { readonly cases: readonly ProfileCase[] };
  readonly viewers: ViewersFigures;
  readonly simulator: SimulatorFigures;
  readonly soak: {
    readonly minutes: number;
    readonly rows: readonly {
      readonly minute: number;
      readonly throughput: number;
      readonly replicaMiB: number;
    }[];
  };
}

/** Where time went under one load. */
export interface ProfileCase {
  readonly durability: Durability;
  readonly inFlight: number;
  readonly throughput: number;
  readonly processes: readonly (ProfileOfProcess & { readonly name: string })[];
}

/** Names of sections, in the order of the page. */
export const SECTIONS = [
  'throughput',
  'bare',
  'durability',
  'authentication',
  'rate',
  'sizes',
  'protocols',
  'ycsb',
  'viewChange',
  'profile',
  'viewers',
  'simulator',
  'soak',
] as const satisfies readonly (keyof Results)[];

/** Those that take longer than all others together, measured only where they are named. */
export const LONG_SECTIONS: readonly (keyof Results)[] = ['soak'];

/** What a section does. */
export type Measures = { readonly [K in keyof Results]: (effort: Effort) => Promise<Results[K]> };

const BOTH = { floor: true, raw: true } as const;
const FLOOR = { floor: true, raw: false } as const;
const NOTHING = { floor: false, raw: false } as const;
const SHARES = [0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 0.9995, 0.9999];
/** Shares of the closed loop's throughput that the open loop asks for. */
const RATES = [0.1, 0.3, 0.5, 0.7, 0.9];
const YCSB_RECORDS = 5_000;
const SOAK_MINUTES = 10;

function quantilesOf(all: Latencies): Quantiles {
  return SHARES.map((share) => [share, all.quantile(share)]);
}

async function throughput(effort: Effort): Promise<Results['throughput']> {
  return sit(cluster(), BOTH, effort, async (sitting) => {
    const rows: Row[] = [];
    const inFlight = effort.quick ? [1, 64, 1_024] : [1, 4, 16, 64, 256, 1_024];
    for (const count of inFlight)
      rows.push((await measured(sitting, 'puts', effort, point(effort, closed(count)))).row);
    for (const payload of [0, 1_024])
      for (const count of [1, 64, 1_024])
        rows.push((await measured(sitting, 'puts', effort, point(effort, closed(count), payload))).row);
    return { rows };
  });
}

async function bare(effort: Effort): Promise<Results['bare']> {
  const rows: Row[] = [];
  for (const workload of ['null', 'put'] as const)
    await sit(cluster({ tc: 'usig@wasm', workload }), FLOOR, effort, async (sitting) => {
      const name = workload === 'null' ? 'null operations, usig@wasm' : 'puts, usig@wasm';
      for (const count of [1, 64, 1_024])
        rows.push(
          (await measured(sitting, name, effort, point(effort, closed(count), workload === 'null' ? 0 : 100)))
            .row,
        );
    });
  return { rows };
}

async function durability(effort: Effort): Promise<Results['durability']> {
  const modes = ['memory', 'os', 'fsync'] as const;
  const choices = modes.map((mode) => [mode, cluster({ durability: mode })] as const);
  const turns = await inTurns(choices, effort, point(effort, closed(256)));
  return { rows: turns.map(({ all, ...rest }) => ({ ...rest, quantiles: quantilesOf(all) })) };
}

async function authentication(effort: Effort): Promise<Results['authentication']> {
  const choices = [
    ['signed bundles', cluster()],
    ['a signature for each request', cluster({ auth: 'request' })],
    ['a trusted MAC for each request', cluster({ auth: 'mac' })],
  ] as const;
  const turns = await inTurns(choices, effort, point(effort, closed(64)));
  return { rows: turns.map(({ row, ofFirst }) => ({ row, ofFirst })) };
}

async function rate(effort: Effort): Promise<Results['rate']> {
  return sit(cluster({ window: 8_192 }), NOTHING, effort, async (sitting) => {
    const most = (await measured(sitting, 'closed loop', effort, point(effort, closed(1_024)))).row;
    const rows: Row[] = [];
    for (const share of RATES) {
      const ratePerSecond = Math.max(1, Math.round((share * most.throughput.median) / 10) * 10);
      const name = `${Math.round(share * 100)} % of the closed loop`;
      rows.push((await measured(sitting, name, effort, point(effort, { kind: 'open', ratePerSecond }))).row);
    }
    return { rows };
  });
}

async function sizes(effort: Effort): Promise<Results['sizes']> {
  const rows: Row[] = [];
  for (const f of effort.quick ? [1, 2, 3] : [1, 2, 3, 4, 6])
    await sit(cluster({ f }), FLOOR, effort, async (sitting) => {
      for (const count of [64, 1_024])
        rows.push((await measured(sitting, `f = ${f}`, effort, point(effort, closed(count)))).row);
    });
  return { rows };
}

async function protocols(effort: Effort): Promise<Results['protocols']> {
  const rows: Row[] = [];
  const short = { ...effort, runs: Math.min(3, effort.runs) };
  const failures: (readonly [string, string])[] = [];
  for (const { name } of PROTOCOLS)
    try {
      await sit(cluster({ protocol: name }), NOTHING, effort, async (sitting) => {
        rows.push((await measured(sitting, name, short, point(short, closed(256)))).row);
      });
    } catch (error) {
      effort.note(`  ${name}: ${messageOf(error)}`);
      failures.push([name, messageOf(error).split('\n')[0]!.slice(0, 200)]);
    }
  return { rows, failures };
}

async function ycsb(effort: Effort): Promise<Results['ycsb']> {
  const records = effort.quick ? 1_000 : YCSB_RECORDS;
  const short = { ...effort, runs: Math.min(3, effort.runs) };
  const rows: Results['ycsb']['rows'][number][] = [];
  for (const { name, distribution } of YCSB_WORKLOADS) {
    const choice = cluster({
      workload: name as Workload,
      ycsb: { records, recordBytes: 1_000, distribution },
    });
    await sit(choice, NOTHING, short, async (sitting) => {
      const { row, report } = await measured(sitting, name, short, point(short, closed(64), 1_000));
      const kinds = Object.entries(report.kinds).map(
        ([kind, { p50Ms, p99Ms }]) => [kind, p50Ms, p99Ms] as const,
      );
      rows.push({ row, kinds });
    });
  }
  return { records, rows };
}

async function viewChange(effort: Effort): Promise<Results['viewChange']> {
  const reports: Results['viewChange']['reports'][number][] = [];
  const settings = {
    ...{ inFlight: 64, payload: 100, runs: effort.quick ? 1 : 3 },
    ...{ warmupMs: 1_500, beforeMs: 2_000, afterMs: 6_000 },
  };
  for (const mode of ['memory', 'fsync'] as const)
    reports.push({
      durability: mode,
      ...(await measureViewChange(cluster({ durability: mode, window: 64 }), settings, effort.note)),
    });
  return { reports };
}

async function profile(effort: Effort): Promise<Results['profile']> {
  const cases: ProfileCase[] = [];
  const seconds = effort.quick ? 3 : 8;
  for (const mode of ['memory', 'fsync'] as const)
    await withProfiles(async (profileOf) => {
      let names: readonly (readonly [string, number])[] = [];
      const { row } = await sit(cluster({ durability: mode }), NOTHING, effort, (sitting) => {
        names = sitting.cluster.processes();
        const what = { ...point(effort, closed(1_024)), runs: 1, durationMs: seconds * 1000 };
        return measured(sitting, `profiled, ${mode}`, effort, what);
      });
      const processes = names
        .filter(([name]) => ['replica 0', 'replica 1', 'client 0'].includes(name))
        .map(([name, pid]) => ({ name, ...profileOf(pid, seconds) }));
      cases.push({ durability: mode, inFlight: row.load, throughput: row.throughput.median, processes });
    });
  return { cases };
}

function simulator(effort: Effort): Promise<Results['simulator']> {
  return Promise.resolve(measureSimulator(effort));
}

async function soak(effort: Effort): Promise<Results['soak']> {
  return sit(cluster(), NOTHING, effort, async (sitting) => {
    const runs = SOAK_MINUTES;
    const what = { ...point(effort, closed(1_024)), runs, durationMs: 59_500, warmupMs: 500 };
    const { runs: all } = await sitting.measure(what, ({ throughput: each }, minute) =>
      effort.note(`  minute ${minute}: ${Math.round(each)} operations/s`),
    );
    const rows = all.map((run, index) => ({
      ...{ minute: index + 1, throughput: run.throughput, replicaMiB: replicaMiB(run) },
    }));
    return { minutes: runs, rows };
  });
}

/** See the top of this file. */
export const MEASURES: Measures = {
  throughput,
  bare,
  durability,
  authentication,
  rate,
  sizes,
  protocols,
  ycsb,
  viewChange,
  profile,
  viewers: measureViewers,
  simulator,
  soak,
};
