/** Tables and plots of docs/benchmarks.md out of results. Text between the marks of the page is replaced, all else stays. */
import { machineText } from '../../src/cli/bench/machine.ts';
import type { Machine } from '../../src/cli/bench/machine.ts';
import type { Summary } from '../../src/cli/bench/statistics.ts';
import { YCSB_WORKLOADS } from '../../src/cli/bench/ycsb/workloads.ts';
import type { Row } from './measure.ts';
import { barPlot, linePlot, numberText } from './plot.ts';
import { SECTIONS } from './sections.ts';
import type { Results } from './sections.ts';

/** Results of one section, and on what they were measured. */
export interface Kept<R> {
  readonly machine: Machine;
  /** How much of the processor others used just before, percent. */
  readonly usedBefore?: number;
  readonly quick: boolean;
  readonly runs: number;
  readonly seconds: number;
  readonly result: R;
}

/** The file of results. */
export type KeptResults = { readonly [K in keyof Results]?: Kept<Results[K]> };

/** What becomes of results: text for the marks, and files of plots by name. */
export interface Rendered {
  readonly blocks: ReadonlyMap<string, string>;
  readonly plots: ReadonlyMap<string, string>;
}

type Cells = readonly (string | number)[];

function table(head: Cells, rows: readonly Cells[]): string {
  const line = (cells: Cells): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

function range(summary: Summary | null, scale = 1): string {
  if (summary === null) return '–';
  const middle = numberText(summary.median * scale);
  if (summary.interval === null) return middle;
  return `${middle} [${numberText(summary.interval[0] * scale)} – ${numberText(summary.interval[1] * scale)}]`;
}

function number(value: number): string {
  return numberText(value);
}

/** Null: nothing was done. */
function latency(ms: number | null): string {
  return ms === null ? '–' : numberText(ms);
}

const image = (name: string, what: string): string => `![${what}](benchmarks/${name}.svg)`;

const FLOOR_HEAD = [
  'operations/s',
  'p50, ms',
  'p99, ms',
  'floor, operations/s',
  '% of the floor',
  "p50 by the floor's",
];

function floorCells({ throughput, p50Ms, p99Ms, floor, ofFloor, p50OfFloor }: Row): Cells {
  return [
    range(throughput),
    range(p50Ms),
    range(p99Ms),
    range(floor?.throughput ?? null),
    range(ofFloor, 100),
    `${range(p50OfFloor)} ×`,
  ];
}

function curve(rows: readonly Row[], y: (row: Row) => number | undefined): (readonly [number, number])[] {
  return rows.flatMap((row) => {
    const value = y(row);
    return value === undefined ? [] : [[row.load, value] as const];
  });
}

type Draw<K extends keyof Results> = (result: Results[K], plots: Map<string, string>) => string;

const inFlightAxis = { label: 'requests in flight', scale: 'log' } as const;

const throughput: Draw<'throughput'> = ({ rows }, plots) => {
  const sweep = rows.filter(({ payload }) => payload === 100);
  plots.set(
    'throughput',
    linePlot({
      title: 'Throughput of puts of 100 B, N = 3, durability memory',
      x: inFlightAxis,
      y: { label: 'operations/s', scale: 'log' },
      lines: [
        { name: 'minbft', points: curve(sweep, (row) => row.throughput.median) },
        { name: 'floor', points: curve(sweep, (row) => row.floor?.throughput.median) },
      ],
    }),
  );
  plots.set(
    'processor',
    linePlot({
      title: 'Processor time of all replicas for one operation, N = 3',
      x: inFlightAxis,
      y: { label: 'microseconds', scale: 'log' },
      lines: [{ name: 'minbft', points: curve(sweep, (row) => row.replicaMicroseconds) }],
    }),
  );
  const head = [
    'value',
    'in flight',
    ...FLOOR_HEAD,
    'floor, % of raw sockets',
    'replicas, µs/operation',
    'replica, MiB',
  ];
  const body = rows.map((row) => [
    `${row.payload} B`,
    row.load,
    ...floorCells(row),
    range(row.floorOfRaw, 100),
    number(row.replicaMicroseconds),
    row.replicaMiB,
  ]);
  const plot1 = image('throughput', 'Throughput by requests in flight, beside the floor');
  return [table(head, body), plot1, image('processor', 'Processor time by requests in flight')].join('\n\n');
};

const bare: Draw<'bare'> = ({ rows }) =>
  table(
    ['what', 'in flight', ...FLOOR_HEAD],
    rows.map((row) => [row.name, row.load, ...floorCells(row)]),
  );

const durability: Draw<'durability'> = ({ rows }, plots) => {
  plots.set(
    'durability',
    linePlot({
      title: 'Latencies with 256 requests in flight, by durability',
      x: {
        label: 'share of operations that are no slower',
        scale: 'log',
        ticks: [0, 0.5, 0.9, 0.99, 0.999, 0.9999].map((share) => [1 / (1 - share), `${share * 100} %`]),
      },
      y: { label: 'ms', scale: 'log' },
      lines: rows.map(({ row, quantiles }) => ({
        name: row.name,
        points: quantiles.map(([share, ms]) => [1 / (1 - share), ms] as const),
      })),
    }),
  );
  const body = rows.map(({ row, ofFirst }) => [
    row.name,
    range(row.throughput),
    `${range(ofFirst, 100)} %`,
    range(row.p50Ms),
    range(row.p99Ms),
    number(row.p999Ms),
  ]);
  const head = ['durability', 'operations/s', 'of memory', 'p50, ms', 'p99, ms', 'p99.9, ms'];
  return [table(head, body), image('durability', 'Latencies by durability')].join('\n\n');
};

const authentication: Draw<'authentication'> = ({ rows }) =>
  table(
    [
      'how requests are authentic',
      'operations/s',
      'of bundles',
      'p50, ms',
      'p99, ms',
      'replicas, µs/operation',
    ],
    rows.map(({ row, ofFirst }) => [
      row.name,
      range(row.throughput),
      `${range(ofFirst, 100)} %`,
      range(row.p50Ms),
      range(row.p99Ms),
      number(row.replicaMicroseconds),
    ]),
  );

const rate: Draw<'rate'> = ({ rows }, plots) => {
  plots.set(
    'rate',
    linePlot({
      title: 'Latency of an open loop, counted from when an operation was due',
      x: { label: 'operations begun a second', scale: 'linear' },
      y: { label: 'ms', scale: 'log' },
      lines: [
        { name: 'p50', points: curve(rows, (row) => row.p50Ms.median) },
        { name: 'p99', points: curve(rows, (row) => row.p99Ms.median) },
        { name: 'p99.9', points: curve(rows, (row) => row.p999Ms) },
      ],
    }),
  );
  const body = rows.map((row) => [
    row.name,
    row.load,
    range(row.throughput),
    range(row.p50Ms),
    range(row.p99Ms),
    number(row.p999Ms),
  ]);
  const head = ['rate', 'begun a second', 'ended a second', 'p50, ms', 'p99, ms', 'p99.9, ms'];
  return [table(head, body), image('rate', 'Latency by rate')].join('\n\n');
};

const sizes: Draw<'sizes'> = ({ rows }, plots) => {
  const loads = [...new Set(rows.map(({ load }) => load))];
  plots.set(
    'sizes',
    linePlot({
      title: 'Processor time of all replicas for one operation, by N',
      x: { label: 'replicas', scale: 'linear' },
      y: { label: 'microseconds', scale: 'linear' },
      lines: loads.map((load) => ({
        name: `${load} in flight`,
        points: rows.filter((row) => row.load === load).map((row) => [row.replicas, row.replicaMicroseconds]),
      })),
    }),
  );
  const head = ['N', 'in flight', ...FLOOR_HEAD, 'replicas, µs/operation', 'of one, µs'];
  const body = rows.map((row) => [
    row.replicas,
    row.load,
    ...floorCells(row),
    number(row.replicaMicroseconds),
    number(row.replicaMicroseconds / row.replicas),
  ]);
  return [table(head, body), image('sizes', 'Processor time by number of replicas')].join('\n\n');
};

const protocols: Draw<'protocols'> = ({ rows, failures }, plots) => {
  const load = rows[0]?.load ?? 0;
  plots.set(
    'protocols',
    barPlot({
      title: `Protocols, f = 1, ${load} requests in flight, durability memory`,
      label: 'operations/s',
      bars: rows.map((row) => [row.name, row.throughput.median]),
    }),
  );
  const head = ['protocol', 'N', 'operations/s', 'p50, ms', 'p99, ms', 'replicas, µs/operation', 'errors'];
  const body = rows.map((row) => [
    row.name,
    row.replicas,
    range(row.throughput),
    range(row.p50Ms),
    range(row.p99Ms),
    number(row.replicaMicroseconds),
    row.errors,
  ]);
  const missing = failures.map(([name, problem]) => `${name} could not be measured: ${problem}`);
  return [table(head, body), ...missing, image('protocols', 'Throughput by protocol')].join('\n\n');
};

const ycsb: Draw<'ycsb'> = ({ records, rows }) => {
  const words = rows.map(({ row, kinds }) => [
    `${row.name}: ${YCSB_WORKLOADS.find(({ name }) => name === row.name)?.what ?? ''}`,
    range(row.throughput),
    kinds.map(([kind, p50, p99]) => `${kind} ${latency(p50)} / ${latency(p99)}`).join(', '),
    row.errors,
  ]);
  const head = ['workload', 'operations/s', 'p50 / p99 of each kind, ms', 'errors'];
  return `${numberText(records)} records of 1,000 B.\n\n${table(head, words)}`;
};

const viewChange: Draw<'viewChange'> = ({ reports }, plots) => {
  const fromMs = -2_000;
  plots.set(
    'view-change',
    linePlot({
      title: 'Throughput around kill -9 of the primary (first kill of each)',
      x: { label: 'ms after the kill', scale: 'linear' },
      y: { label: 'operations/s', scale: 'linear' },
      lines: reports.map(({ durability: name, runs }) => ({
        name,
        points: (runs[0]?.timeline ?? []).map((value, index) => [fromMs + index * 100, value] as const),
      })),
      marks: [[0, 'kill -9']],
    }),
  );
  const head = ['', ...reports.map((report) => report.durability)];
  const of = (name: string, value: (report: (typeof reports)[number]) => string): Cells => [
    name,
    ...reports.map(value),
  ];
  const ms = (value: number | null): string => (value === null ? 'not in time' : numberText(value));
  const body = [
    of('client retransmission, ms', ({ terms }) => ms(terms.retransmissionMs)),
    of('request timer, ms', ({ terms }) => ms(terms.requestTimerMs)),
    of('message delays, ms', ({ terms }) => `${terms.messageDelays} × ${terms.messageDelayMs}`),
    of('syncs, ms', ({ terms }) => `${terms.syncs} × ${terms.syncMs}`),
    of('sum of these, ms', ({ terms }) => ms(terms.sumMs)),
    of('new view seen by f+1, ms after the kill', ({ runs }) =>
      runs.map((run) => ms(run.newViewMs)).join(', '),
    ),
    of('next commit, ms after the kill', ({ runs }) => runs.map((run) => ms(run.nextCommitMs)).join(', ')),
    of('median of these beyond the sum, ms', ({ terms, nextCommitMs }) =>
      ms(nextCommitMs === null ? null : nextCommitMs - terms.sumMs),
    ),
    of('throughput back to 90 %, ms after the next commit', ({ runs }) =>
      runs.map((run) => ms(run.recoveredMs)).join(', '),
    ),
  ];
  return [table(head, body), image('view-change', 'Throughput around a view change')].join('\n\n');
};

const profile: Draw<'profile'> = ({ cases }) =>
  cases
    .map(({ durability: mode, inFlight, throughput: rate, processes }) => {
      const intro = `Durability ${mode}, ${inFlight} in flight, ${numberText(rate)} operations/s while profiled:`;
      const names = processes.map(
        ({ name, busy }) => `${name} (busy ${numberText(busy * 100)} % of the time)`,
      );
      const ranks = Math.max(0, ...processes.map(({ costs }) => costs.length));
      const body = Array.from({ length: ranks }, (_, rank) => [
        rank + 1,
        ...processes.map(({ costs }) => {
          const cost = costs[rank];
          return cost === undefined
            ? ''
            : `${(cost.share * 100).toFixed(1)} % \`${cost.name}\` ${cost.place}`;
        }),
      ]);
      return `${intro}\n\n${table(['', ...names], body)}`;
    })
    .join('\n\n');

const viewers: Draw<'viewers'> = (figures) => {
  const { ratio, without, watched, bytesPerSecond } = figures;
  const cost = (part: number): string => `${numberText((1 - part) * 100)} %`;
  // The lower the share that is left, the higher the cost.
  const bound = ratio.interval === null ? '–' : cost(ratio.interval[0]);
  const body = [
    ['viewers', figures.viewers],
    ['operations/s, nobody watches', range(without)],
    ['operations/s, all of them watch', range(watched)],
    ['of that without, pair by pair', `${range(ratio, 100)} %`],
    ['cost', cost(ratio.median)],
    ['upper bound of the cost, 95 %', bound],
    ['events for each viewer and second', numberText(figures.eventsPerSecond)],
    ['KiB for each viewer and second', numberText(bytesPerSecond / 1024)],
  ];
  const head = [`${figures.inFlight} in flight, ${figures.pairs} pairs of runs of ${figures.seconds} s`, ''];
  return table(head, body);
};

const simulator: Draw<'simulator'> = ({ schedules, decisions }) => {
  const row = (name: string, of: (one: (typeof schedules)[number]) => string): string[] => [
    name,
    ...schedules.map(of),
  ];
  const figures = [
    row('schedules for each CPU-second', ({ perSecond }) => numberText(perSecond)),
    row('events of the queue in each', ({ events }) => numberText(events)),
    row('CPU-microseconds for each event', ({ perSecond, events }) => numberText(1e6 / perSecond / events)),
    row('messages between replicas in each', ({ frames }) => numberText(frames)),
    row('share with a view change', ({ viewChanges }) => `${numberText(viewChanges * 100)} %`),
  ];
  const loads = schedules.map(({ load }) => (load === 1 ? 'short' : `with ${load} times the bundles`));
  const body = decisions.map(({ replicas, firstMs, eachMs, eventsEach, peakMiB }) => [
    replicas,
    numberText(eachMs),
    numberText(eventsEach),
    numberText(firstMs),
    numberText(peakMiB),
  ]);
  const head = [
    'PBFT, N',
    'CPU-milliseconds for each decision',
    'events in it',
    'start and first decision',
    'peak memory of the process, MiB',
  ];
  return [
    table(['schedules of MinBFT, N = 3, modelled surroundings', ...loads], figures),
    table(head, body),
  ].join('\n\n');
};

const soak: Draw<'soak'> = ({ rows }, plots) => {
  plots.set(
    'soak',
    linePlot({
      title: 'Memory of a replica under load',
      x: { label: 'minutes', scale: 'linear' },
      y: { label: 'MiB resident', scale: 'linear' },
      lines: [{ name: 'the largest', points: rows.map((row) => [row.minute, row.replicaMiB] as const) }],
    }),
  );
  const head = ['minute', 'operations/s', 'largest replica, MiB'];
  const body = rows.map((row) => [row.minute, numberText(row.throughput), row.replicaMiB]);
  return [table(head, body), image('soak', 'Memory over time')].join('\n\n');
};

const DRAWS: { readonly [K in keyof Results]: Draw<K> } = {
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
  viewers,
  simulator,
  soak,
};

/** Use of the processor by others, percent, above which figures are of a busy machine. */
const BUSY_PERCENT = 20;

function headOf({ machine, usedBefore, quick, runs, seconds }: Kept<unknown>): string {
  const busy =
    (usedBefore ?? 0) > BUSY_PERCENT
      ? '**Of a busy machine: other work wanted the same cores. Figures are too low and spread widely; measure again.** '
      : '';
  const short = quick ? 'A short measurement (`--quick`). ' : '';
  const others = usedBefore === undefined ? '' : `; others used ${usedBefore} % of it`;
  return `${busy}${short}Machine: ${machineText(machine)}${others}. Up to ${runs} runs of ${seconds} s a row; in brackets 95 % confidence.`;
}

function draw<K extends keyof Results>(name: K, kept: KeptResults, plots: Map<string, string>): string {
  const own = kept[name] as Kept<Results[K]> | undefined;
  if (own === undefined) return `Not measured yet: \`npm run bench -- --only ${name}\`.`;
  return `${headOf(own)}\n\n${DRAWS[name](own.result, plots)}`;
}

/** Draws everything. */
export function render(kept: KeptResults): Rendered {
  const plots = new Map<string, string>();
  const blocks = new Map<string, string>(SECTIONS.map((name) => [name, draw(name, kept, plots)]));
  return { blocks, plots };
}

const MARK = /<!-- measured: (\w+) -->[\s\S]*?<!-- end of \1 -->/g;

/** Puts blocks between their marks. Throws if the page lacks one. */
export function fill(page: string, blocks: ReadonlyMap<string, string>): string {
  const left = new Set(blocks.keys());
  const filled = page.replace(MARK, (whole, name: string) => {
    const block = blocks.get(name);
    left.delete(name);
    return block === undefined ? whole : `<!-- measured: ${name} -->\n\n${block}\n\n<!-- end of ${name} -->`;
  });
  if (left.size > 0) throw new Error(`The page has no marks for ${[...left].join(', ')}.`);
  return filled;
}
