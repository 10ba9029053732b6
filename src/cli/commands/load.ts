/** `moiety load`: writes every row of a table into the key-value store, exactly once, however often things break. */
import { statSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { extname } from 'node:path';
import { Option } from 'commander';
import type { Command } from 'commander';
import { readClusterFile } from '../cluster-file.ts';
import { DataFolder } from '../data-folder.ts';
import { CommandFailure, EXIT, messageOf, usageFailure } from '../failure.ts';
import { Load } from '../load/load.ts';
import { Progress } from '../load/progress.ts';
import { readLoadState, removeLoadState, sampleDigest, writeLoadState } from '../load/resume-state.ts';
import { openRows, ROW_FORMATS } from '../load/rows.ts';
import type { RowFormat } from '../load/rows.ts';
import { clientSink, gatewaySink } from '../load/sinks.ts';
import type { RowSink } from '../load/sinks.ts';
import { wholeNumber, withGateway, withJson } from '../options.ts';
import type { ClusterOptions } from '../options.ts';
import { durationText, printJson, printLine, printNote } from '../output.ts';

interface Options extends ClusterOptions {
  readonly key: string;
  readonly prefix: string;
  readonly format?: RowFormat;
  readonly inflight?: number;
  readonly resume?: boolean;
  readonly json?: boolean;
}

const IN_FLIGHT = 4_096;
const IN_FLIGHT_HTTP = 64;
const STATE_MS = 500;
/** Malformed rows that are told one by one; all are counted. */
const MALFORMED_SHOWN = 20;

function formatOf(file: string, options: Options): RowFormat {
  const named = extname(file).slice(1).toLowerCase();
  const format =
    options.format ?? ROW_FORMATS.find((known) => known === (named === 'jsonl' ? 'ndjson' : named));
  if (format !== undefined) return format;
  throw new CommandFailure(
    `The name of ${file} does not tell its format: say --format ${ROW_FORMATS.join('|')}.`,
    EXIT.usage,
  );
}

interface Plan {
  readonly file: string;
  readonly format: RowFormat;
  readonly bytes: number;
  readonly identity: string;
  readonly statePath: string;
  readonly folder: DataFolder;
}

function planOf(file: string, options: Options): Plan {
  const format = formatOf(file, options);
  if (options.key === '' && format !== 'seed')
    throw usageFailure('Say which column gives the key: --key COLUMN.');
  if (statSync(file, { throwIfNoEntry: false })?.isFile() !== true)
    throw new CommandFailure(`There is no file ${file}.`);
  const { digest, bytes } = sampleDigest(file);
  const folder = new DataFolder(options.data);
  const target = options.url ?? folder.requireMarker().clusterId;
  const identity = createHash('sha256')
    .update(JSON.stringify([digest, format, options.key, options.prefix, target]))
    .digest('hex');
  return {
    file,
    format,
    bytes,
    identity,
    statePath: folder.at('load', `${identity.slice(0, 24)}.json`),
    folder,
  };
}

async function openSink(
  plan: Plan,
  options: Options,
  inFlight: number,
  onRetry: () => void,
): Promise<RowSink> {
  if (options.url !== undefined) return gatewaySink(options, plan.identity, onRetry);
  const { connect } = await import('../../client/client.ts');
  const { readKeyFile } = await import('../../client/keys.ts');
  const cluster = readClusterFile(plan.folder.cluster);
  const client = await connect({
    cluster,
    key: readKeyFile(plan.folder.clientKey('local')),
    stateFile: `${plan.statePath}.session`,
    window: inFlight,
    connectTimeoutMs: 30_000,
  });
  // Bundles of a run that was killed: after this each of its rows is either executed or was never sent.
  await client.whenResumed();
  return clientSink(client, onRetry);
}

function report(options: Options, load: Load, progress: Progress, finished: boolean): void {
  const { written, malformed, retried, found } = load;
  const seconds = progress.seconds;
  const rate = Math.round(progress.rate);
  if (options.json === true)
    return printJson({ finished, written, malformed, retried, found, seconds, rowsPerSecond: rate });
  const parts = [`${written} written`, `${malformed} malformed`, `${retried} retried`];
  if (found > 0) parts.push(`${found} found written by the run before`);
  printLine(`${parts.join(', ')} in ${durationText(seconds)} (${rate} rows/s)`);
}

async function load(file: string, options: Options): Promise<void> {
  const plan = planOf(file, options);
  const { mkdirSync } = await import('node:fs');
  mkdirSync(plan.folder.at('load'), { recursive: true, mode: 0o700 });
  const earlier = readLoadState(plan.statePath, plan.identity);
  if (earlier !== undefined && options.resume !== true)
    throw new CommandFailure(
      `An earlier load of this file stopped at row ${earlier.row}: go on with --resume (or delete ${plan.statePath} to write all rows again).`,
    );
  const inFlight = options.inflight ?? (options.url === undefined ? IN_FLIGHT : IN_FLIGHT_HTTP);
  const stop = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => stop.abort());
  let retries = (): void => undefined;
  const sink = await openSink(plan, options, inFlight, () => retries());
  const reader = openRows({ file, format: plan.format, key: options.key, prefix: options.prefix });
  const work = new Load({
    rows: reader.rows,
    sink,
    inFlight,
    identity: plan.identity,
    resumed: earlier,
    stop: stop.signal,
    onReserve: (state) => writeLoadState(plan.statePath, state),
    onMalformed: ({ line, why }) => {
      if (work.malformed <= MALFORMED_SHOWN) printNote(`line ${line} is malformed: ${why}`);
      if (work.malformed === MALFORMED_SHOWN) printNote('further malformed rows are only counted');
    },
  });
  retries = () => (work.retried += 1);
  const share = (): number => (plan.bytes === 0 ? 1 : reader.bytesRead() / plan.bytes);
  const progress = new Progress(() => ({
    share: share(),
    written: work.written,
    malformed: work.malformed,
    retried: work.retried,
  }));
  const save = (): void => writeLoadState(plan.statePath, work.state);
  const saving = setInterval(save, STATE_MS);
  let finished = false;
  try {
    finished = await work.run();
  } catch (error) {
    throw new CommandFailure(
      `${messageOf(error).replace(/\.$/, '')}. Go on with --resume when the reason is gone.`,
    );
  } finally {
    clearInterval(saving);
    progress.end();
    await sink.close();
    if (finished) removeLoadState(plan.statePath);
    else writeLoadState(plan.statePath, work.state);
    report(options, work, progress, finished);
  }
  if (!finished) throw new CommandFailure(`Stopped after row ${work.state.row}. Go on with --resume.`);
}

/** Adds the command. */
export function addLoad(program: Command): void {
  withJson(withGateway(program.command('load')))
    .summary('write the rows of a CSV, TSV or NDJSON file')
    .description(
      'Writes every row of a table: the key is a column, the value the row as JSON. It streams (memory does not grow ' +
        'with the file), goes on through crashes of replicas, and can be resumed. Malformed rows are told with their ' +
        'lines, counted and left out; the exit code is 0 all the same, so look at the number.',
    )
    .argument('<file>')
    .option('--key <column>', 'column that gives the key (needed but for --format seed)', '')
    .option('--prefix <text>', 'put before every key', '')
    .addOption(new Option('--format <format>', 'default: by the name of the file').choices([...ROW_FORMATS]))
    .addOption(new Option('--inflight <rows>', 'rows on the way at once').argParser(wholeNumber(1, 8_192)))
    .option('--resume', 'go on where an earlier load of this file stopped')
    .addHelpText(
      'after',
      '\nExamples:\n  moiety load airports.csv --key code --prefix airport/\n  moiety load airports.csv --key code --prefix airport/ --resume\n',
    )
    .action(load);
}
