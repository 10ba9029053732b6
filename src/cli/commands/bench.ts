/** `moiety bench`: throughput and latency of real processes, beside the floor of any replicated service in Node. */
import { Option } from 'commander';
import type { Command } from 'commander';
import type { ClusterChoice } from '../bench/cluster.ts';
import type { Authenticator } from '../../core/config.ts';
import { authOption, requireAuthenticator } from '../auth-choice.ts';
import type { Workload } from '../bench/load-orders.ts';
import type { Pace } from '../bench/measured.ts';
import { DISTRIBUTIONS } from '../bench/ycsb/generators.ts';
import type { Distribution } from '../bench/ycsb/generators.ts';
import { YCSB_WORKLOADS, ycsbWorkload } from '../bench/ycsb/workloads.ts';
import { addComponentChoice, componentsFor } from '../component-choice.ts';
import type { ComponentChoice } from '../component-choice.ts';
import { CommandFailure, usageFailure } from '../failure.ts';
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
  readonly auth: Authenticator;
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

/** A session remembers so many bytes of results: of more scans at once some are forgotten before they are told. */
const YCSB_IN_FLIGHT = 64;
/** Requests that a session may have on the way, at most (a limit of new clusters). */
const WINDOW_MAX = 8_192;
const VALUE_BYTES_MAX = 48_000;
/** How long it is measured around a kill. */
const BEFORE_KILL_MS = 2_000;
const AFTER_KILL_MS = 8_000;

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
      .addOption(authOption().default('bundle')),
  );
}

/** What differs between commands that make load. */
interface LoadDefaults {
  readonly inFlight: number;
  /** What a run is, in words. */
  readonly runs: string;
}

function loadOptions(command: Command, { inFlight, runs }: LoadDefaults): Command {
  return clusterOptions(command)
    .addOption(
      new Option('--inflight <operations>', 'closed loop: on the way at once, of all clients together')
        .default(inFlight)
        .argParser(wholeNumber(1, 65_536)),
    )
    .addOption(
      new Option(
        '--open <rate>',
        'open loop, instead of --inflight: operations a second, begun at random moments; latencies count from when each was due',
      )
        .argParser(wholeNumber(1, 10_000_000))
        .conflicts('inflight'),
    )
    .addOption(new Option('--duration <seconds>', 'of a run').default(3).argParser(wholeNumber(1, 36_000)))
    .addOption(
      new Option('--warmup <seconds>', 'before the first run').default(3).argParser(wholeNumber(0, 600)),
    )
    .addOption(new Option('--runs <count>', runs).default(5).argParser(wholeNumber(1, 99)));
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
  const components = componentsFor(options.tc, replicas, protocol);
  requireAuthenticator(options.auth, protocol, components, false);
  return {
    protocol,
    f: faultsOf(protocol, replicas)!,
    components,
    durability: options.durability,
    clients: options.clients,
    window,
    auth: options.auth,
    workload,
  };
}

/** Operations that each client process has on the way. */
function windowOf({ inflight, clients }: { readonly inflight: number; readonly clients: number }): number {
  if (inflight < clients)
    throw usageFailure(
      `${clients} client processes need at least ${clients} operations on the way (--inflight).`,
    );
  return Math.floor(inflight / clients);
}

function paceOf(options: LoadOptions): { readonly pace: Pace; readonly window: number } {
  const { open, inflight } = options;
  if (open !== undefined) return { pace: { kind: 'open', ratePerSecond: open }, window: WINDOW_MAX };
  return { pace: { kind: 'closed', inFlight: inflight }, window: windowOf(options) };
}

async function measure(
  options: LoadOptions,
  choice: ClusterChoice & { readonly f: number },
  point: { readonly pace: Pace; readonly payload: number; readonly floor: boolean },
): Promise<void> {
  const { runBench } = await import('../bench/bench.ts');
  const { printBench } = await import('../bench/print.ts');
  const { duration, warmup, runs } = options;
  const { tooManyErrors } = await import('../bench/load-figures.ts');
  const report = await runBench(
    choice,
    { ...point, runs, durationMs: duration * 1000, warmupMs: warmup * 1000 },
    // The floor is a closed loop: there is no ratio to a rate that was asked for.
    { f: choice.f, floor: point.floor && point.pace.kind === 'closed', note: printNote },
  );
  if (options.json === true) printJson(report);
  else printBench(report);
  failFor(tooManyErrors(report));
}

/** What was measured is printed all the same. */
function failFor(problem: string | undefined): void {
  if (problem !== undefined) throw new CommandFailure(problem);
}

async function bench(options: PlainOptions, command: Command): Promise<void> {
  const unknown = command.args[0];
  if (unknown !== undefined)
    throw usageFailure(
      `There is no "bench ${unknown}"; there are ${command.commands.map((one) => `"bench ${one.name()}"`).join(' and ')}, and "bench" alone.`,
    );
  if (options.open !== undefined && options.floor)
    printNote('note: the floor is a closed loop; it is not measured beside an open one');
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
  const { runViewChange, silentKills } = await import('../bench/view-change.ts');
  const { printViewChange } = await import('../bench/print.ts');
  const { inflight, payload, warmup, runs } = options;
  const choice = choiceOf(options, 'put', windowOf(options));
  const what = runs === 1 ? 'a new cluster' : `each of ${runs} new clusters`;
  printNote(`killing the primary of ${what} of ${choice.protocol.name} …`);
  const settings = {
    ...{ inFlight: inflight, payload, runs },
    ...{ warmupMs: warmup * 1000, beforeMs: BEFORE_KILL_MS, afterMs: AFTER_KILL_MS },
  };
  const report = await runViewChange(choice, settings, printNote);
  if (options.json === true) printJson(report);
  else printViewChange(report);
  failFor(silentKills(report));
}

function addYcsb(command: Command): void {
  const list = YCSB_WORKLOADS.map(({ name, what }) => `${name} (${what})`).join(', ');
  loadOptions(
    command
      .command('ycsb')
      .summary('core workloads of YCSB on the key-value service')
      .description(
        `Loads records and runs a core workload of YCSB: ${list}. An update writes the whole record; reads are linearizable; a ` +
          'scan is a list of keys in order. There is no floor beside it.',
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
    { inFlight: YCSB_IN_FLIGHT, runs: 'runs on the same cluster, one after the other' },
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
          'answered, of which terms that time is made, and when throughput was back to 90 %. Each takes --warmup and ' +
          `${(BEFORE_KILL_MS + AFTER_KILL_MS) / 1000} s (the kill comes after the first ${BEFORE_KILL_MS / 1000}), and a few seconds to start and stop the cluster. ` +
          'Ends with 1 if nothing was committed after a kill.',
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
  )
    .addHelpText(
      'after',
      '\nExamples:\n  moiety bench view-change\n  moiety bench view-change --runs 1 --durability memory --json\n' +
        '  moiety bench view-change --protocol pbft --inflight 256\n',
    )
    .action(viewChange);
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
          'equal answers, no ordering, no execution, no disk. The floor is a closed loop: with --open it is left out. Ends ' +
          'with 1 if more than 1 % of the operations failed.',
      )
      .addOption(
        new Option('--payload <bytes>', 'bytes of a value')
          .default(100)
          .argParser(wholeNumber(0, VALUE_BYTES_MAX)),
      )
      .addOption(
        new Option(
          '--null',
          'operations that do nothing but are ordered and answered; they have no --payload and make no block',
        ).conflicts('payload'),
      )
      .option('--no-floor', 'do not measure the floor')
      // A word behind it is meant as a subcommand: the action says which there are.
      .allowExcessArguments(),
    { inFlight: 1_024, runs: 'runs, each followed by one of the floor' },
  )
    .addHelpText(
      'after',
      '\nExamples:\n  moiety bench\n  moiety bench --inflight 64 --durability memory --json\n  moiety bench --null --tc usig@wasm --durability memory\n' +
        '  moiety bench --open 2000 --durability memory\n  moiety bench --protocol pbft --f 1\n',
    )
    .hook('preSubcommand', (_, subcommand) => {
      const before = command.options.find(
        (option) => command.getOptionValueSource(option.attributeName()) === 'cli',
      );
      if (before !== undefined)
        throw usageFailure(
          `${before.long} before "${subcommand.name()}" would be ignored: write "bench ${subcommand.name()} ${before.long} …".`,
        );
    })
    .action(bench);
  addYcsb(command);
  addViewChange(command);
}
