/** `moiety bench`: throughput and latency of real processes, beside the floor of any replicated service in Node. */
import { Option } from 'commander';
import type { Command } from 'commander';
import type { BenchReport } from '../bench/bench.ts';
import type { Durability } from '../../node/journal.ts';
import { wholeNumber, withJson } from '../options.ts';
import {
  DEFAULT_PROTOCOL,
  faultsOption,
  protocolOption,
  replicasOf,
  replicasOption,
  requireProtocol,
} from '../protocol-choice.ts';
import { plural, printJson, printLine, printNote } from '../output.ts';

interface Options {
  readonly duration: number;
  readonly warmup: number;
  readonly inflight: number;
  readonly payload: number;
  readonly clients: number;
  readonly protocol?: string;
  readonly replicas?: number;
  readonly f?: number;
  readonly durability: Durability;
  readonly floor: boolean;
  readonly json?: boolean;
}

function printReport(report: BenchReport): void {
  const { floor } = report;
  printLine(`throughput  ${Math.round(report.throughput)} operations/s`);
  printLine(`latency     p50 ${report.p50Ms} ms, p99 ${report.p99Ms} ms, max ${report.maxMs} ms`);
  printLine(
    `settings    ${report.protocol}, ${report.replicas} replicas, ${plural(report.clients, 'client process', 'client processes')}, ${report.inFlight} in flight, ${report.payload} bytes, durability ${report.durability}`,
  );
  printLine(`machine     ${report.cores} cores, Node ${report.node}`);
  if (report.errors > 0) printLine(`errors      ${report.errors}`);
  printLine(
    `processors  ${report.cpu.map(({ name, share }) => `${name} ${share}`).join(', ') || 'unknown on this system'}`,
  );
  if (floor !== null)
    printLine(
      `floor       ${Math.round(floor.throughput)} operations/s, p50 ${floor.p50Ms} ms (this run: ${((report.ofFloor ?? 0) * 100).toFixed(1)} % of it)`,
    );
}

async function bench(options: Options): Promise<void> {
  const { runBench } = await import('../bench/bench.ts');
  const protocol = requireProtocol(options.protocol ?? DEFAULT_PROTOCOL);
  const report = await runBench(
    {
      protocol,
      replicas: replicasOf(protocol, options),
      clients: options.clients,
      inFlight: options.inflight,
      payload: options.payload,
      durability: options.durability,
      warmupMs: options.warmup * 1000,
      durationMs: options.duration * 1000,
      floor: options.floor,
    },
    printNote,
  );
  if (options.json === true) printJson(report);
  else printReport(report);
}

/** Adds the command. */
export function addBench(program: Command): void {
  withJson(
    program
      .command('bench')
      .summary('measure throughput and latency')
      .description(
        'Starts a cluster of real processes in a temporary folder (TMPDIR), drives it with closed-loop clients and says ' +
          'what it did: operations a second, latencies, processor time of each process. Beside it the floor: one client ' +
          'and three servers over the same framing, one MAC a batch, two equal answers, no ordering.',
      )
      .addOption(
        new Option('--duration <seconds>', 'how long to measure').default(10).argParser(wholeNumber(1, 3600)),
      )
      .addOption(new Option('--warmup <seconds>', 'before it').default(3).argParser(wholeNumber(0, 600)))
      .addOption(
        new Option('--inflight <operations>', 'of all clients together')
          .default(1024)
          .argParser(wholeNumber(1, 65_536)),
      )
      .addOption(
        new Option('--payload <bytes>', 'bytes of a value').default(100).argParser(wholeNumber(0, 48_000)),
      )
      .addOption(
        new Option('--clients <processes>', 'client processes').default(1).argParser(wholeNumber(1, 64)),
      )
      .addOption(protocolOption('protocol to measure'))
      .addOption(replicasOption())
      .addOption(faultsOption())
      .addOption(new Option('--durability <mode>').choices(['fsync', 'os', 'memory']).default('fsync'))
      .option('--no-floor', 'do not measure the floor'),
  )
    .addHelpText(
      'after',
      '\nExamples:\n  moiety bench\n  moiety bench --duration 5 --inflight 64 --durability memory --json\n  moiety bench --protocol pbft --f 1\n',
    )
    .action(bench);
}
