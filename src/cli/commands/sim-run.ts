/** `moiety sim run`: plays scenario scripts. */
import { readFileSync } from 'node:fs';
import { Option } from 'commander';
import type { Command } from 'commander';
import type { ScriptResult } from '../../sim/script/run.ts';
import type { Script } from '../../sim/script/script.ts';
import { CommandFailure, EXIT, messageOf, usageFailure } from '../failure.ts';
import { wholeNumber, withJson } from '../options.ts';
import { plural, printJson, printLine } from '../output.ts';
import { runFamilySchedule } from './sim-family.ts';
import type { FamilyRunOptions } from './sim-family.ts';
import { runWithViews, wantsViews, withViews } from './sim-views.ts';

/** Faults that a schedule can be asked for. */
const FAULTS_MAX = 20;

interface Options extends FamilyRunOptions {
  readonly mistake?: string;
}

/** Reads a script; what is wrong with it is said with the name of the file. */
async function readScript(file: string): Promise<Script> {
  const { parseScript } = await import('../../sim/script/parse.ts');
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw usageFailure(`${file} cannot be read: ${messageOf(error)}`);
  }
  try {
    return parseScript(text);
  } catch (error) {
    throw usageFailure(`${file}: ${messageOf(error)}`);
  }
}

function printOutcome(file: string, { name, result, unmet }: ScriptResult): void {
  const { stats, violations } = result;
  printLine(
    `${name}  ${unmet.length === 0 ? 'as expected' : 'NOT AS EXPECTED'}  ${stats.replicas} replicas, ` +
      `${plural(stats.byzantine, 'liar')}, view ${stats.viewChanges}, ${stats.committed} committed, ` +
      `${stats.believed} believed, ${(stats.virtualMs / 1000).toFixed(2)} s, trace ${result.traceHash}`,
  );
  for (const { judge, atMs, text } of violations) printLine(`  ${judge} at ${atMs.toFixed(1)} ms: ${text}`);
  for (const text of unmet) printLine(`  ${text}`);
  if (unmet.length > 0) printLine(`  look at it: moiety sim run ${file} --chart`);
}

async function run(files: readonly string[], options: Options): Promise<void> {
  if (files.length === 0) {
    if (options.protocol === undefined)
      throw usageFailure('Name a script, or a protocol with --protocol ("moiety protocols" lists them).');
    return runFamilySchedule(options);
  }
  if (options.protocol !== undefined)
    throw usageFailure('A script names its own protocol: leave --protocol out, or the scripts.');
  if (files.length > 1 && wantsViews(options))
    throw usageFailure('--trace, --svg and --chart take one script at a time.');
  let failed = 0;
  for (const file of files) {
    const script = await readScript(file);
    const tell = (atMs: number, text: string): void =>
      printLine(`${atMs.toFixed(1).padStart(8)} ms  ${text}`);
    let outcome: ScriptResult;
    try {
      outcome = await runWithViews(
        script,
        {
          ...(options.mistake === undefined ? {} : { mistake: options.mistake }),
          ...(options.verbose === true && options.json !== true ? { narrate: tell } : {}),
        },
        options,
      );
    } catch (error) {
      if ((error as Error).name !== 'ScriptError') throw error;
      throw new CommandFailure(`${file}: ${messageOf(error)}`);
    }
    if (options.json === true) printJson({ file, ...outcome });
    else printOutcome(file, outcome);
    if (outcome.unmet.length > 0) failed += 1;
  }
  if (failed > 0) process.exitCode = EXIT.failed;
}

/** Adds the command. */
export function addSimRun(sim: Command): void {
  withJson(
    withViews(
      sim
        .command('run [files...]')
        .summary('play scenario scripts, or one schedule of a protocol')
        .description(
          'Plays scenario scripts (docs/testing.md has their verbs) and compares what happened with what they expect. ' +
            'With --protocol instead of files: plays the schedule of a seed of the conformance suite. ' +
            'Exit code 1 if something is not as expected, 2 if a script cannot be read.',
        )
        .option(
          '--protocol <name>',
          'the protocol of the conformance suite (without files); "moiety protocols" lists them',
        )
        .addOption(
          new Option('--seed <number>', 'seed of its schedule').argParser(
            wholeNumber(0, Number.MAX_SAFE_INTEGER),
          ),
        )
        .addOption(
          new Option(
            '--f <number>',
            `faults that its cluster is made for, 1 to ${FAULTS_MAX} (default: the seed decides)`,
          ).argParser(wholeNumber(1, FAULTS_MAX)),
        )
        .option('--mistake <mutant>', 'judge by what the script expects with this mistake in the product')
        .option('--verbose', 'tell what happens'),
    ),
  )
    .addHelpText(
      'after',
      '\nExamples:\n  moiety sim run scenarios/*.txt\n  moiety sim run scenarios/mistake-base-on-arrival.txt --chart\n  moiety sim run shrunk.txt --svg shrunk.svg --trace shrunk.json\n  moiety sim run --protocol pbft --seed 58 --verbose --chart\n',
    )
    .action(run);
}
