/** `moiety bench`: throughput and latency of real processes, beside the floor of any replicated service in Node. */
import { Option } from 'commander';
import type { Command } from 'commander';
import type { ClusterChoice } from '../bench/cluster.ts';
import { AUTHENTICATIONS } from '../bench/load-orders.ts';
import type { Authentication, Workload } from '../bench/load-orders.ts';
import type { Pace } from '../bench/measured.ts';
import { DISTRIBUTIONS } from '../bench/ycsb/generators.ts';
import type { Distribution } from '../bench/ycsb/generators.ts';
import { YCSB_WORKLOADS, ycsbWorkload } from '../bench/ycsb/workloads.ts';
import { addComponentChoice, componentsFor } from '../component-choice.ts';
import type { ComponentChoice } from '../component-choice.ts';
import { usageFailure } from '../failure.ts';
import { wholeNumber, withJson } from '../options.ts';
import { printJson, printNote } from '../output.ts';
import {
  DEFAULT_PROTOCOL,
  faultsOf,
  faultsOption,
  protocolOption,
  replicasOf,
  replicasOption,
  requireProtocol,
} from '../protocol-choice.ts';
import type { Durability } from '../../node/journal.ts';

interface ClusterOptions {
  readonly protocol?: string;
  readonly replicas?: number;
  readonly f?: number;
  readonly tc?: ComponentChoice;
  readonly durability: Durability;
  readonly clients: number;
  readonly auth: Authentication;
  readonly json?: boolean;
}

interface LoadOptions extends ClusterOptions {
  readonly inflight: number;
  readonly open?: number;
  readonly duration: number;
  readonly warmup: number;
  readonly runs: number;
}

interface PlainOptions extends LoadOptions {
  readonly payload: number;
  readonly null?: boolean;
  readonly floor: boolean;
}

interface YcsbOptions extends LoadOptions {
  readonly workload: string;
  readonly records: number;
  readonly recordBytes: number;
  readonly distribution?: Distribution;
}

interface KillOptions extends ClusterOptions {
  readonly inflight: number;
  readonly payload: number;
  readonly warmup: number;
  readonly runs: number;
}

/** Requests that a session may have on the way, at most (a limit of new clusters). */
const WINDOW_MAX = 8_192;
const VALUE_BYTES_MAX = 48_000;

function clusterOptions(command: Command): Command {
  return withJson(
    command
      .addOption(protocolOption('protocol to measure'))
      .addOption(replicasOption())
      .addOption(faultsOption())
      .option(
        '--tc <spec>',
        'trusted component, program@footprint, of all replicas or N=spec of one; may be repeated (default: usig@process)',
        addComponentChoice,
      )
      .addOption(
        new Option('--durability <mode>', 'what an answer waits for')
          .choices(['fsync', 'os', 'memory'])
          .default('fsync'),
      )
      .addOption(
        new Option('--clients <processes>', 'client processes').default(1).argParser(wholeNumber(1, 64)),
      )
      .addOption(
        new Option('--auth <unit>', 'what a client signs: a bundle of requests, or each request')
          .choices(AUTHENTICATIONS)
          .default('bundle'),
      ),
  );
}

function loadOptions(command: Command): Command {
  return clusterOptions(command)
    .addOption(
      new Option('--inflight <operations>', 'closed loop: on the way at once, of all clients together')
        .default(1024)
        .argParser(wholeNumber(1, 65_536)),
    )
    .addOption(
      new Option(
        '--open <rate>',
        'open loop: operations a second, begun at random moments; latencies count from when each was due',
      ).argParser(wholeNumber(1, 10_000_000)),
    )
    .addOption(new Option('--duration <seconds>', 'of a run').default(3).argParser(wholeNumber(1, 36_000)))
    .addOption(
      new Option('--warmup <seconds>', 'before the first run').default(3).argParser(wholeNumber(0, 600)),
    )
    .addOption(
      new Option('--runs <count>', 'alternations with the floor').default(5).argParser(wholeNumber(1, 99)),
    );
}

function choiceOf(
  options: ClusterOptions,
  workload: Workload,
  window: number,
): ClusterChoice & { f: number } {
  const protocol = requireProtocol(options.protocol ?? DEFAULT_PROTOCOL);
  const replicas = replicasOf(protocol, options);
  if (window > WINDOW_MAX)
    throw usageFailure(
      `A client process has at most ${WINDOW_MAX} operations on the way: take more --clients, or less --inflight.`,
    );
  return {
    protocol,
    f: faultsOf(protocol, replicas)!,
    components: componentsFor(options.tc, replicas, protocol),
    durability: options.durability,
    clients: options.clients,
    window,
    auth: options.auth,
    workload,
  };
}

function paceOf({ open, inflight, clients }: LoadOptions): { readonly pace: Pace; readonly window: number } {
  if (open !== undefined) return { pace: { kind: 'open', ratePerSecond: open }, window: WINDOW_MAX };
  if (inflight < clients)
    throw usageFailure(
      `${clients} client processes need at least ${clients} operations on the way (--inflight).`,
    );
  return { pace: { kind: 'closed', inFlight: inflight }, window: Math.floor(inflight / clients) };
}

async function measure(
  options: LoadOptions,
  choice: ClusterChoice & { readonly f: number },
  point: { readonly pace: Pace; readonly payload: number; readonly floor: boolean },
): Promise<void> {
  const { runBench } = await import('../bench/bench.ts');
  const { printBench } = await import('../bench/print.ts');
  const { duration, warmup, runs } = options;
  const report = await runBench(
    choice,
    { ...point, runs, durationMs: duration * 1000, warmupMs: warmup * 1000 },
    // The floor is a closed loop: there is no ratio to a rate that was asked for.
    { f: choice.f, floor: point.floor && point.pace.kind === 'closed', note: printNote },
  );
  if (options.json === true) printJson(report);
  else printBench(report);
}

async function bench(options: PlainOptions): Promise<void> {
  const { pace, window } = paceOf(options);
  const choice = choiceOf(options, options.null === true ? 'null' : 'put', window);
  const payload = options.null === true ? 0 : options.payload;
  await measure(options, choice, { pace, payload, floor: options.floor });
}

async function ycsb(options: YcsbOptions): Promise<void> {
  const workload = ycsbWorkload(options.workload);
  if (workload === undefined)
    throw usageFailure(
      `There is no workload "${options.workload}"; there are ${YCSB_WORKLOADS.map(({ name }) => name).join(', ')}.`,
    );
  const { pace, window } = paceOf(options);
  const { records, recordBytes, distribution = workload.distribution } = options;
  const choice = {
    ...choiceOf(options, workload.name as Workload, window),
    ycsb: { records, recordBytes, distribution },
  };
  await measure(options, choice, { pace, payload: recordBytes, floor: false });
}

async function viewChange(options: KillOptions): Promise<void> {
  const { measureViewChange } = await import('../bench/view-change.ts');
  const { printViewChange } = await import('../bench/print.ts');
  const { inflight, payload, warmup, runs } = options;
  const choice = choiceOf(options, 'put', Math.ceil(inflight / options.clients));
  printNote(`killing the primary of ${runs} new clusters of ${choice.protocol.name} …`);
  const settings = {
    ...{ inFlight: inflight, payload, runs },
    ...{ warmupMs: warmup * 1000, beforeMs: 2_000, afterMs: 8_000 },
  };
  const report = await measureViewChange(choice, settings, printNote);
  if (options.json === true) printJson(report);
  else printViewChange(report);
}

function addYcsb(command: Command): void {
  const list = YCSB_WORKLOADS.map(({ name, what }) => `${name} (${what})`).join(', ');
  loadOptions(
    command
      .command('ycsb')
      .summary('core workloads of YCSB on the key-value service')
      .description(
        `Loads records and runs a core workload of YCSB: ${list}. An update writes the whole record; reads are linearizable; a ` +
          'scan is a list of keys in order.',
      )
      .requiredOption('--workload <letter>', 'A to F')
      .addOption(
        new Option('--records <count>', 'loaded before').default(10_000).argParser(wholeNumber(1, 1_000_000)),
      )
      .addOption(
        new Option('--record-bytes <bytes>', 'bytes of a record')
          .default(1_000)
          .argParser(wholeNumber(1, VALUE_BYTES_MAX)),
      )
      .addOption(
        new Option(
          '--distribution <name>',
          'which records are asked for (default: that of the workload)',
        ).choices(DISTRIBUTIONS),
      ),
  )
    .addHelpText('after', '\nExample:\n  moiety bench ycsb --workload A --inflight 64 --durability memory\n')
    .action(ycsb);
}

function addViewChange(command: Command): void {
  clusterOptions(
    command
      .command('view-change')
      .summary('from kill -9 of the primary to the next commit')
      .description(
        'Kills the primary of a new cluster under load, once in each run, and says after how long the next operation was ' +
          'answered, of which terms that time is made, and when throughput was back to 90 %.',
      )
      .addOption(
        new Option('--inflight <operations>', 'on the way at once')
          .default(64)
          .argParser(wholeNumber(1, WINDOW_MAX)),
      )
      .addOption(
        new Option('--payload <bytes>', 'bytes of a value')
          .default(100)
          .argParser(wholeNumber(0, VALUE_BYTES_MAX)),
      )
      .addOption(new Option('--warmup <seconds>', 'before each').default(2).argParser(wholeNumber(0, 600)))
      .addOption(new Option('--runs <count>', 'kills').default(3).argParser(wholeNumber(1, 99))),
  ).action(viewChange);
}

/** Adds the command. */
export function addBench(program: Command): void {
  const command = program.command('bench');
  loadOptions(
    command
      .summary('measure throughput and latency')
      .description(
        'Starts a cluster of real processes in a temporary folder (TMPDIR), drives it and says what it did: operations a ' +
          'second, latencies, processor time and memory of each process; medians of several runs with 95 % confidence ' +
          'intervals. Runs alternate with the floor: one client and three servers over the same framing, one MAC a batch, two ' +
          'equal answers, no ordering, no execution, no disk.',
      )
      .addOption(
        new Option('--payload <bytes>', 'bytes of a value')
          .default(100)
          .argParser(wholeNumber(0, VALUE_BYTES_MAX)),
      )
      .option('--null', 'operations that do nothing but are ordered and answered; they make no block')
      .option('--no-floor', 'do not measure the floor'),
  )
    .addHelpText(
      'after',
      '\nExamples:\n  moiety bench\n  moiety bench --inflight 64 --durability memory --json\n  moiety bench --null --tc usig@wasm --durability memory\n' +
        '  moiety bench --open 2000 --durability memory\n  moiety bench --protocol pbft --f 1\n',
    )
    .action(bench);
  addYcsb(command);
  addViewChange(command);
}
