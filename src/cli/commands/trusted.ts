/** `moiety trusted`: programs and footprints of trusted components, what a folder holds, what each pair costs. */
import { writeFileSync } from 'node:fs';
import { Option } from 'commander';
import type { Command } from 'commander';
import { cellOf, FOOTPRINTS, matrix } from '../../footprints/catalogue.ts';
import { moduleProblem } from '../../footprints/release.ts';
import { moduleOf, PROGRAMS } from '../../trusted/programs/catalogue.ts';
import { addAttestCommands } from './trusted-attest.ts';
import { addCreateCommand } from './trusted-create.ts';
import { addGroupCommands } from './trusted-group.ts';
import { addServeCommand } from './trusted-serve.ts';
import { CommandFailure, usageFailure } from '../failure.ts';
import { wholeNumber, withJson } from '../options.ts';
import { printJson, printLine, printNote, tableLines } from '../output.ts';
import type { BenchRow } from '../trusted/bench.ts';

interface ListOptions {
  readonly json?: boolean;
}

async function list(options: ListOptions): Promise<void> {
  const { readMeasurements } = await import('../trusted/artifacts.ts');
  const { missingFor } = await import('../trusted/missing.ts');
  const measurements = readMeasurements();
  const missing = new Map<string, readonly string[]>();
  for (const { name } of FOOTPRINTS) {
    missing.set(name, await missingFor(name));
  }
  const programs = PROGRAMS.map((program) => ({ ...program, ...measurements.get(moduleOf(program)) }));
  const footprints = FOOTPRINTS.map((entry) => ({ ...entry, missing: missing.get(entry.name) ?? [] }));
  if (options.json === true) {
    const cells = matrix().map(({ program, footprint, cell }) => ({
      program: program.name,
      footprint: footprint.name,
      ...cell,
    }));
    printJson({ programs, footprints, matrix: cells });
    return;
  }
  printLine('Programs (what is certified)');
  for (const line of tableLines(
    ['name', 'title', 'kind', 'bytes', 'measurement', 'operations'],
    programs.map((program) => [
      program.name,
      program.title,
      program.abstraction,
      program.bytes ?? '-',
      program.sha256?.slice(0, 16) ?? '-',
      program.operations.join(' '),
    ]),
  ))
    printLine(`  ${line}`);
  printLine();
  printLine('Footprints (where it runs)');
  for (const line of tableLines(
    ['name', 'Fig. 3', 'title', 'after a restart', 'here'],
    footprints.map((entry) => [
      entry.name,
      entry.scenario,
      entry.title,
      entry.afterRestart,
      entry.missing.length === 0 ? 'can be used' : `lacks ${entry.missing.join('; ')}`,
    ]),
  ))
    printLine(`  ${line}`);
  for (const program of new Set(PROGRAMS.map(moduleOf))) {
    const problem = moduleProblem(program);
    if (problem !== undefined) printNote(`moiety: ${problem}.`);
  }
  const empty = matrix().filter(({ cell }) => !cell.runs);
  printLine();
  printLine(
    empty.length === 0
      ? 'Every program runs on every footprint.'
      : `Every program runs on every footprint, but for ${empty.length} pairs:`,
  );
  const reasons = new Map<string, string[]>();
  for (const { program, footprint, cell } of empty) {
    if (cell.runs) continue;
    reasons.set(cell.reason, [...(reasons.get(cell.reason) ?? []), `${program.name}@${footprint.name}`]);
  }
  for (const [reason, pairs] of reasons) printLine(`  ${pairs.join(', ')}: ${reason}`);
}

interface InspectOptions {
  readonly json?: boolean;
}

async function inspect(folder: string, options: InspectOptions): Promise<void> {
  const { inspectFolder } = await import('../trusted/inspect.ts');
  const found = inspectFolder(folder);
  if (options.json === true) {
    printJson(found);
    return;
  }
  for (const [name, value] of Object.entries(found)) printLine(`${name.padEnd(16)} ${String(value)}`);
}

interface BenchOptions {
  readonly all?: boolean;
  readonly program?: readonly string[];
  readonly footprint?: readonly string[];
  readonly seconds: number;
  readonly depth: number;
  readonly durability: 'fsync' | 'os' | 'memory';
  readonly svg?: string;
  readonly json?: boolean;
}

function chosen<T extends { readonly name: string }>(
  what: string,
  names: readonly string[] | undefined,
  all: readonly T[],
  otherwise: readonly string[],
): readonly T[] {
  return (names ?? otherwise).map((name) => {
    const found = all.find((entry) => entry.name === name);
    if (found !== undefined) return found;
    throw usageFailure(`There is no ${what} "${name}": ${all.map((entry) => entry.name).join(', ')}.`);
  });
}

async function bench(options: BenchOptions): Promise<void> {
  const everything = options.all === true;
  if (everything && (options.program !== undefined || options.footprint !== undefined))
    throw usageFailure('--all takes every program and footprint: leave out --program and --footprint.');
  const names = (entries: readonly { readonly name: string }[]): string[] => entries.map(({ name }) => name);
  const programs = chosen('program', options.program, PROGRAMS, everything ? names(PROGRAMS) : ['usig']);
  const footprints = chosen('footprint', options.footprint, FOOTPRINTS, names(FOOTPRINTS));
  const { runTrustedBench, benchLines, benchSvg } = await import('../trusted/bench.ts');
  const report = await runTrustedBench(
    {
      pairs: footprints.flatMap((footprint) =>
        programs.map((program) => ({ program, footprint, cell: cellOf(program, footprint) })),
      ),
      durationMs: options.seconds * 500,
      depth: options.depth,
      durability: options.durability,
    },
    printNote,
  );
  if (options.svg !== undefined) writeFileSync(options.svg, benchSvg(report));
  if (options.json === true) printJson(report);
  else for (const line of benchLines(report)) printLine(line);
  const failed = report.rows.filter((row: BenchRow) => row.failure !== undefined);
  if (failed.length > 0) throw new CommandFailure(`${failed.length} pairs could not be measured; see above.`);
}

function collect(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}

function addBench(parent: Command): void {
  withJson(parent.command('bench'))
    .summary('latency and throughput of each program on each footprint')
    .description(
      'Makes components in folders of their own, asks them one at a time and many under way, and prints the times. ' +
        'Figures hold for this machine and this run.',
    )
    .option('--all', 'every program on every footprint that this machine can hold')
    .option('--program <name>', 'only this program; repeat it (default: usig)', collect)
    .option('--footprint <name>', 'only this footprint; repeat it (default: all)', collect)
    .addOption(
      new Option('--seconds <number>', 'how long each pair is measured')
        .argParser(wholeNumber(1, 600))
        .default(1),
    )
    .addOption(
      new Option('--depth <number>', 'calls under way in the second half')
        .argParser(wholeNumber(1, 512))
        .default(64),
    )
    .addOption(
      new Option('--durability <mode>', 'how records are kept before a certificate leaves')
        .choices(['fsync', 'os', 'memory'])
        .default('fsync'),
    )
    .option('--svg <file>', 'write a plot')
    .addHelpText(
      'after',
      '\nExamples:\n  moiety trusted bench --all\n  moiety trusted bench --footprint process --durability memory\n',
    )
    .exitOverride()
    .action(bench);
}

/** Adds the commands. */
export function addTrusted(program: Command): void {
  const trusted = program
    .command('trusted')
    .summary('trusted components: list, inspect, attest, measure')
    .description(
      'A trusted component is a program (what is certified) on a footprint (where it runs): ' +
        '"usig@process" is the default. docs/trusted-components.md compares them.',
    );
  withJson(trusted.command('list'))
    .summary('programs, footprints, and which runs on which')
    .description(
      'Lists programs and footprints, what this machine lacks for them, and the pairs that do not exist.',
    )
    .addHelpText('after', '\nExample:\n  moiety trusted list --json\n')
    .exitOverride()
    .action(list);
  withJson(trusted.command('inspect'))
    .argument('<folder>', 'folder of a trusted component, for example .moiety/tc-0')
    .summary('what a component folder holds')
    .description(
      'Shows program, footprint, measurement and state of a component folder from its files; never disturbs a ' +
        'running component, and never shows a secret.',
    )
    .addHelpText('after', '\nExample:\n  moiety trusted inspect .moiety/tc-0\n')
    .exitOverride()
    .action(inspect);
  addCreateCommand(trusted);
  addAttestCommands(trusted);
  addServeCommand(trusted);
  addGroupCommands(trusted);
  addBench(trusted);
}
