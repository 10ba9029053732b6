/** Reports of the benchmark for people. */
import { AUTHENTICATOR_WORDS } from '../auth-choice.ts';
import { plural, printLine, tableLines } from '../output.ts';
import type { BenchReport, BenchSettings } from './bench.ts';
import { machineText } from './machine.ts';
import type { Pace } from './measured.ts';
import type { PointReport } from './sitting.ts';
import type { Summary } from './statistics.ts';
import type { ViewChangeDocument, ViewChangeReport } from './view-change.ts';

const MIB = 2 ** 20;

function amount(value: number): string {
  return String(value >= 100 ? Math.round(value) : Number(value.toPrecision(3)));
}

function latency(ms: number | null): string {
  return ms === null ? '–' : `${amount(ms)} ms`;
}

/** `123 (95 %: 110 to 140)`. */
export function summaryText({ median, interval }: Summary, scale = 1): string {
  const words = amount(median * scale);
  if (interval === null) return words;
  return `${words} (95 %: ${amount(interval[0] * scale)} to ${amount(interval[1] * scale)})`;
}

/** `64 in flight`, or a rate. */
export function paceText(pace: Pace): string {
  return pace.kind === 'closed' ? `${pace.inFlight} in flight` : `${pace.ratePerSecond} a second, open loop`;
}

function settingsText(settings: BenchSettings): string {
  const { protocol, replicas, f, components, durability, clients, auth, workload, records, distribution } =
    settings;
  const work =
    records === null
      ? workload === 'null'
        ? 'null operations'
        : 'puts'
      : `YCSB ${workload}, ${records} records, ${distribution}`;
  return [
    `${protocol}, ${replicas} replicas (f = ${f}), ${[...new Set(components)].join(' and ')}`,
    `durability ${durability}, ${AUTHENTICATOR_WORDS[auth]}`,
    `${plural(clients, 'client process', 'client processes')}, ${work}`,
  ].join('; ');
}

function printFloor({ floor, ofFloor, p50OfFloor, floorOfRaw, raw }: PointReport): void {
  if (floor === null) return;
  printLine(`floor       ${summaryText(floor.throughput)} operations/s, p50 ${summaryText(floor.p50Ms)} ms`);
  if (ofFloor !== null) printLine(`  of floor  ${summaryText(ofFloor, 100)} % of its throughput`);
  if (p50OfFloor !== null) printLine(`            ${summaryText(p50OfFloor)} times its p50`);
  if (raw !== null && floorOfRaw !== null)
    printLine(
      `  itself    ${summaryText(floorOfRaw, 100)} % of raw sockets (${amount(raw.throughput.median)} operations/s)`,
    );
}

/** What `moiety bench` and `moiety bench ycsb` print. */
export function printBench(report: BenchReport): void {
  const { throughput, p50Ms, p99Ms, all, pace, payload, runs, seconds, settings } = report;
  printLine(`throughput  ${summaryText(throughput)} operations/s`);
  if (report.duePerSecond !== null)
    printLine(
      `            of ${amount(report.duePerSecond)} operations/s that were due; latencies are those of what was due`,
    );
  printLine(`latency     p50 ${summaryText(p50Ms)} ms`);
  printLine(`            p99 ${summaryText(p99Ms)} ms`);
  printLine(`            p99.9 ${all.p999Ms} ms, max ${all.maxMs} ms (all runs together)`);
  for (const [kind, figures] of Object.entries(report.kinds))
    printLine(
      `  ${kind.padEnd(10)}${amount(figures.throughput)} operations/s, p50 ${latency(figures.p50Ms)}, p99 ${latency(figures.p99Ms)}`,
    );
  printFloor(report);
  if (report.errors > 0) printLine(`errors      ${report.errors}; the first: ${report.problem}`);
  if (report.unfinished > 0) printLine(`unfinished  ${report.unfinished} operations had no answer in time`);
  printLine(`load        ${paceText(pace)}, ${payload} bytes, ${plural(runs.length, 'run')} of ${seconds} s`);
  printLine(`settings    ${settingsText(settings)}`);
  printLine(`machine     ${machineText(report.machine)}`);
  if (report.processes.length === 0) return void printLine('processes   unknown on this system');
  const rows = report.processes.map(({ name, cores, residentBytes, residentBytesMax }) => [
    name,
    cores.toFixed(2),
    String(Math.round(residentBytes / MIB)),
    String(Math.round(residentBytesMax / MIB)),
  ]);
  for (const line of tableLines(['process', 'cores', 'MiB', 'MiB most'], rows)) printLine(line);
}

/** What `moiety bench view-change` prints. */
export function printViewChange(report: ViewChangeDocument): void {
  for (const line of viewChangeLines(report)) printLine(line);
  const { settings, machine } = report;
  printLine(`load        ${settings.inFlight} in flight, ${settings.payload} bytes`);
  printLine(`settings    ${settingsText(settings)}`);
  printLine(`machine     ${machineText(machine)}`);
}

/** Terms, kills, and what the columns mean. */
export function viewChangeLines(report: ViewChangeReport): readonly string[] {
  const { runs, beforeMs, afterMs, recoveredMs } = report;
  const head = [
    'killed',
    'last of old view',
    'new view seen',
    'next commit',
    'first 0.5 s at 90 %',
    'ops/s before',
    'ops/s after',
    'errors',
  ];
  const of = (ms: number | null): string => (ms === null ? 'not seen' : `${ms} ms`);
  const kills = runs.map((run) => [
    `replica ${run.killed}`,
    of(run.lastOfOldViewMs),
    of(run.newViewMs),
    run.nextCommitMs === null ? `no commit in ${afterMs / 1000} s` : of(run.nextCommitMs),
    of(run.recoveredMs),
    String(Math.round(run.throughputBefore)),
    run.nextCommitMs === null ? '0' : String(Math.round(run.throughputAfter)),
    String(run.errors),
  ]);
  return [
    ...tableLines(['term', 'ms'], termRows(report)),
    '',
    ...tableLines(head, kills),
    '',
    'last of old view, new view seen, next commit: from the kill.',
    'first 0.5 s at 90 %: from the next commit to the first half second with 90 % of the operations/s before; later ones may have fewer.',
    `ops/s before: in the ${beforeMs / 1000} s before the kill; after: from the next commit to ${afterMs / 1000} s after the kill, all of it.`,
    recoveredMs === null
      ? 'Not in every run was there a half second with 90 % of the throughput of before.'
      : `The first half second with 90 % of the throughput of before begins ${recoveredMs} ms (median) after the next commit.`,
  ];
}

function termRows({ terms, nextCommitMs }: ViewChangeReport): readonly (readonly string[])[] {
  const rows: (readonly [string, number])[] = [
    ['client retransmission', terms.retransmissionMs],
    ['request timer', terms.requestTimerMs],
    [
      `${terms.messageDelays} message delays of ${terms.messageDelayMs} ms`,
      terms.messageDelays * terms.messageDelayMs,
    ],
    [`${terms.syncs} syncs of ${terms.syncMs} ms`, terms.syncs * terms.syncMs],
    ['sum', terms.sumMs],
  ];
  if (nextCommitMs !== null) {
    rows.push(['next commit, median', nextCommitMs]);
    const beyond = nextCommitMs - terms.sumMs;
    rows.push([beyond > 0 ? 'beyond the sum' : 'left of the sum', Math.abs(beyond)]);
  }
  const words = rows.map(([name, ms]) => [name, ms.toFixed(1)]);
  return nextCommitMs === null ? [...words, ['next commit', 'not after every kill']] : words;
}
