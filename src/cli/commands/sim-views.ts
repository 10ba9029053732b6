/** What can be seen of one simulated run: its event log, a space-time diagram, a chart in the terminal. */
import { writeFileSync } from 'node:fs';
import { Option } from 'commander';
import type { Command } from 'commander';
import type { ScriptOptions, ScriptResult } from '../../sim/script/run.ts';
import type { Script } from '../../sim/script/script.ts';
import type { Diagram, WindowOptions } from '../../sim/trace/diagram.ts';
import type { Trace } from '../../sim/trace/trace.ts';
import { messageOf, usageFailure } from '../failure.ts';
import { wholeNumber } from '../options.ts';
import { printLine, printNote } from '../output.ts';

/** Options that `withViews` adds. */
export interface ViewOptions {
  readonly trace?: string;
  readonly svg?: string;
  readonly chart?: boolean;
  readonly from?: number;
  readonly until?: number;
  readonly arrows?: number;
  readonly allMessages?: boolean;
}

/** Adds the options for looking at one run. */
export function withViews(command: Command): Command {
  return withWindow(
    command
      .option('--trace <file>', 'write the event log as JSON ("moiety trace" shows it)')
      .option('--svg <file>', 'draw a space-time diagram')
      .option('--chart', 'print the diagram, one line for each delivery'),
  );
}

/** Options that choose the part of a run that a diagram shows. */
export function withWindow(command: Command): Command {
  return command
    .addOption(new Option('--from <ms>', 'diagram: begin at this time').argParser(wholeNumber(0, 3_600_000)))
    .addOption(new Option('--until <ms>', 'diagram: end at this time').argParser(wholeNumber(1, 3_600_000)))
    .addOption(
      new Option('--arrows <count>', 'diagram: messages at most (default: 120)').argParser(
        wholeNumber(1, 2_000),
      ),
    )
    .option('--all-messages', 'diagram: gossip, bodies and fetching too');
}

/** Whether any of them was asked for. */
export function wantsViews({ trace, svg, chart }: ViewOptions): boolean {
  return trace !== undefined || svg !== undefined || chart === true;
}

/** Runs a script and shows what was asked for. */
export async function runWithViews(
  script: Script,
  options: ScriptOptions,
  views: ViewOptions,
): Promise<ScriptResult> {
  const { runScript } = await import('../../sim/script/run.ts');
  if (!wantsViews(views)) return runScript(script, options);
  const { Recorder } = await import('../../sim/trace/recorder.ts');
  const { diagramOf } = await import('../../sim/trace/diagram.ts');
  const recorder = new Recorder();
  const outcome = runScript(script, {
    ...options,
    spectator: recorder.spectator,
    trace: (event) => recorder.rule(event),
    onOpen: (run) => recorder.open(run),
  });
  const trace = recorder.trace(script, outcome.result);
  if (views.trace !== undefined) save(views.trace, `${JSON.stringify(trace)}\n`);
  const diagram = diagramOf(trace, windowOf(views));
  if (views.svg !== undefined) {
    const { svgOf } = await import('../../sim/trace/svg.ts');
    save(views.svg, svgOf(trace, diagram));
  }
  if (views.chart === true) await printChart(trace, diagram);
  return outcome;
}

/** The part of a run that was asked for. */
export function windowOf({ from, until, arrows, allMessages }: ViewOptions): WindowOptions {
  if (from !== undefined && until !== undefined && until <= from)
    throw usageFailure(`--until ${until} is not after --from ${from}.`);
  return {
    ...(from === undefined ? {} : { fromMs: from }),
    ...(until === undefined ? {} : { untilMs: until }),
    ...(arrows === undefined ? {} : { arrowsMax: arrows }),
    ...(allMessages === undefined ? {} : { all: allMessages }),
  };
}

/** Prints a diagram, one line for each delivery. */
export async function printChart(trace: Trace, diagram: Diagram): Promise<void> {
  const { chartLines } = await import('../../sim/trace/chart.ts');
  for (const line of chartLines(trace, diagram)) printLine(line);
  if (diagram.hidden > 0) printNote(`${diagram.hidden} messages are not shown (--from, --until, --arrows)`);
}

/** Writes a file; a place that cannot be written to is the caller's mistake. */
export function save(path: string, text: string): void {
  try {
    writeFileSync(path, text);
  } catch (error) {
    throw usageFailure(`${path} cannot be written: ${messageOf(error)}`);
  }
}
