/** `moiety trace`: event logs of the simulator, drawn, charted, or played in the browser. */
import { readFileSync, statSync } from 'node:fs';
import { Option } from 'commander';
import type { Command } from 'commander';
import type { Trace } from '../../sim/trace/trace.ts';
import { CommandFailure, messageOf, usageFailure } from '../failure.ts';
import { HELP, wholeNumber } from '../options.ts';
import { printLine, printNote } from '../output.ts';
import { freshPage, onePage, withData } from '../page-server.ts';
import { showPage } from './playground.ts';
import type { ShowOptions } from './playground.ts';
import { printChart, save, windowOf, withWindow } from './sim-views.ts';
import type { ViewOptions } from './sim-views.ts';

const MIB = 1024 * 1024;

interface OutputOptions {
  readonly output?: string;
}

function sizeOf(path: string): number {
  try {
    return statSync(path).size;
  } catch (error) {
    throw usageFailure(`${path} cannot be read: ${messageOf(error)}`);
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw usageFailure(`${path} cannot be read: ${messageOf(error)}`);
  }
}

/** Reads an event log, and gives its text, too; anybody may have written it. `isForPage`: a browser has to hold it. */
async function readLog(
  path: string,
  isForPage = false,
): Promise<{ readonly trace: Trace; readonly text: string }> {
  const { PAGE_BYTES_MAX, readTrace, TRACE_BYTES_MAX } = await import('../../sim/trace/read-trace.ts');
  const bytes = sizeOf(path);
  const most = isForPage ? PAGE_BYTES_MAX : TRACE_BYTES_MAX;
  if (bytes > most) {
    const isDrawn = bytes <= TRACE_BYTES_MAX;
    const way = isDrawn
      ? '"moiety trace svg" and "moiety trace show" draw a part of it'
      : 'make a shorter run';
    const bound = `${isForPage ? 'a page shows' : 'it is read up to'} ${most / MIB} MiB`;
    throw new CommandFailure(
      `${path} cannot be shown: it has ${Math.ceil(bytes / MIB)} MiB, and ${bound}: ${way}.`,
    );
  }
  const text = readText(path);
  const trace = readTrace(text);
  if (typeof trace === 'string') throw new CommandFailure(`${path} cannot be shown: ${trace}.`);
  return { trace, text };
}

async function svg(path: string, options: ViewOptions & OutputOptions): Promise<void> {
  const { trace } = await readLog(path);
  const { diagramOf } = await import('../../sim/trace/diagram.ts');
  const { svgOf } = await import('../../sim/trace/svg.ts');
  const text = svgOf(trace, diagramOf(trace, windowOf(options)));
  if (options.output === undefined) return printLine(text.trimEnd());
  save(options.output, text);
  printNote(`Written to ${options.output}.`);
}

async function show(path: string, options: ViewOptions): Promise<void> {
  const { trace } = await readLog(path);
  const { diagramOf } = await import('../../sim/trace/diagram.ts');
  await printChart(trace, diagramOf(trace, windowOf(options)));
}

async function view(path: string, options: ShowOptions & OutputOptions): Promise<void> {
  // The page reads it as anew: its text goes there as it is.
  const { text } = await readLog(path, true);
  const files = freshPage('playground');
  const data = { 'moiety-trace': text };
  if (options.output === undefined) return showPage(withData(files, data), options);
  if (options.port !== undefined || options.open === true)
    throw usageFailure('A page in a file is not served: leave --port and --open out, or -o.');
  save(options.output, onePage(files, data));
  printNote(`Written to ${options.output}: open it in a browser, it needs nothing else.`);
}

/** Adds the commands. */
export function addTrace(program: Command): void {
  const trace = program
    .command('trace')
    .summary('look at the event log of a simulated run')
    .description('Shows event logs that "moiety sim --trace FILE" and "moiety sim run --trace FILE" wrote.')
    .configureHelp(HELP);
  const file = 'event log, as --trace of "moiety sim" writes it';
  trace
    .command('view')
    .summary('play it in the browser')
    .description(
      'Serves the playground with this run in it on 127.0.0.1, until Ctrl-C. With -o it writes one page that needs no server.',
    )
    .argument('<file>', file)
    .addOption(
      new Option('--port <number>', 'port of 127.0.0.1 (default: a free one)').argParser(
        wholeNumber(1, 65_535),
      ),
    )
    .option('--open', 'also open it in the browser')
    .option('-o, --output <file>', 'write the whole page to a file instead')
    .addHelpText(
      'after',
      '\nExamples:\n  moiety sim --seed 7 --trace run.json && moiety trace view run.json\n  moiety trace view run.json -o run.html\n',
    )
    .action(view);
  withWindow(
    trace
      .command('svg')
      .summary('draw it as a space-time diagram')
      .description('Draws clients and replicas as lines and messages as arrows; time runs downwards.')
      .argument('<file>', file)
      .option('-o, --output <file>', 'write it to a file instead of standard output'),
  )
    .addHelpText(
      'after',
      '\nExamples:\n  moiety trace svg run.json -o run.svg\n  moiety trace svg run.json --from 10 --until 40 > part.svg\n',
    )
    .action(svg);
  withWindow(trace.command('show').summary('print it, one line for each delivery').argument('<file>', file))
    .addHelpText('after', '\nExample:\n  moiety trace show run.json --until 60\n')
    .action(show);
}
