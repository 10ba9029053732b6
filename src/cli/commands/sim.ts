/** `moiety sim`: runs schedules of the deterministic simulator. */
import { Option } from 'commander';
import type { Command } from 'commander';
import type { Fidelity, ScheduleResult } from '../../sim/run-schedule.ts';
import type { FaultKind, ScenarioOverrides } from '../../sim/scenario.ts';
import { addSimCampaign } from './sim-campaign.ts';
import { EXIT, usageFailure } from '../failure.ts';
import { wholeNumber, withJson } from '../options.ts';
import { plural, printJson, printLine } from '../output.ts';

interface Options {
  readonly seed: number;
  readonly seeds: number;
  readonly replicas?: string;
  readonly faults?: string;
  readonly byzantine?: readonly string[];
  readonly duration?: number;
  readonly fidelity: Fidelity;
  readonly verbose?: boolean;
  readonly json?: boolean;
}

/** What is fixed from outside; names are judged against the simulator's own tables. */
async function overridesOf(options: Options): Promise<ScenarioOverrides> {
  const { FAULT_KINDS } = await import('../../sim/scenario.ts');
  const { behaviourOf } = await import('../../adversary/behaviours.ts');
  const faults = options.faults === 'none' ? [] : options.faults?.split(',');
  const stranger = faults?.find((name) => !(FAULT_KINDS as readonly string[]).includes(name));
  if (stranger !== undefined)
    throw usageFailure(
      `"${stranger}" is not a family of faults; there are ${FAULT_KINDS.join(', ')}, or none.`,
    );
  const byzantine = options.byzantine?.map((text) => {
    const match = /^(\d)=([a-z-]+)$/.exec(text);
    const behaviour = behaviourOf(match?.[2] ?? '');
    if (match === null || behaviour === undefined)
      throw usageFailure('--byzantine takes REPLICA=BEHAVIOUR, for example 0=equivocate.');
    return { replica: Number(match[1]), behaviour };
  });
  return {
    ...(options.replicas === undefined ? {} : { replicas: Number(options.replicas) }),
    ...(faults === undefined ? {} : { faults: faults as FaultKind[] }),
    ...(byzantine === undefined ? {} : { byzantine }),
    ...(options.duration === undefined ? {} : { durationMs: options.duration }),
  };
}

function printResult(result: ScheduleResult, options: Options): void {
  if (options.json === true) return printJson(result);
  const { stats, violations } = result;
  const verdict = violations.length === 0 ? 'ok' : 'VIOLATION';
  printLine(
    `seed ${result.seed}  ${verdict}  ${stats.replicas} replicas, ${plural(stats.byzantine, 'liar')}, view ${stats.viewChanges}, ` +
      `${plural(stats.restarts, 'restart')}, ${plural(stats.stateTransfers, 'state transfer')}, ` +
      `${stats.committed} committed, ${stats.believed} believed, ${(stats.virtualMs / 1000).toFixed(1)} s, trace ${result.traceHash.slice(0, 16)}`,
  );
  for (const { replica, rules } of result.accused)
    printLine(`  accused: replica ${replica} (${rules.join(', ')})`);
  for (const violation of violations)
    printLine(`  ${violation.judge} at ${violation.atMs} ms: ${violation.text}`);
  if (violations.length > 0) printLine(`  repeat it: ${result.reproduce}`);
}

async function sim(options: Options): Promise<void> {
  const overrides = await overridesOf(options);
  const { addToSummary, EMPTY_SUMMARY, runSchedule } = await import('../../sim/run-schedule.ts');
  const narrate =
    options.verbose === true && options.json !== true
      ? { narrate: (atMs: number, text: string) => printLine(`${atMs.toFixed(1).padStart(8)} ms  ${text}`) }
      : {};
  let summary = EMPTY_SUMMARY;
  for (let seed = options.seed; seed < options.seed + options.seeds; seed += 1) {
    const result = runSchedule(seed, { ...overrides, ...narrate, fidelity: options.fidelity });
    summary = addToSummary(summary, result);
    if (options.seeds === 1 || options.json === true || result.violations.length > 0)
      printResult(result, options);
  }
  if (options.seeds > 1 && options.json === true) printJson({ summary });
  else if (options.seeds > 1)
    printLine(
      `${plural(summary.schedules, 'schedule')}: ${plural(summary.violating, 'violation')}; with a view change ${summary.withViewChange}, ` +
        `state transfer ${summary.withStateTransfer}, restart ${summary.withRestart}, liars ${summary.withByzantine}`,
    );
  if (summary.violating > 0) process.exitCode = EXIT.failed;
}

/** Adds the command. */
export function addSim(program: Command): void {
  // Its subcommands have options of the same names: what stands after their name is theirs (main.ts says so too).
  const command = program.command('sim').enablePositionalOptions();
  addSimCampaign(command);
  withJson(
    command
      .summary('run schedules of the simulator')
      .description(
        'Runs the protocol in virtual time under faults that a seed decides, and judges agreement, validity, ' +
          'exactly-once, checkpoints and liveness. Exit code 1 if a judge found a violation.',
      )
      .addOption(
        new Option('--seed <number>', 'seed (the first one)').default(1).argParser(wholeNumber(0, 2 ** 48)),
      )
      .addOption(
        new Option('--seeds <count>', 'how many seeds, one after the other')
          .default(1)
          .argParser(wholeNumber(1, 10_000_000)),
      )
      .addOption(new Option('--replicas <count>', 'fixed number of replicas').choices(['3', '5', '7']))
      .option('--faults <list>', 'only these families of faults, with commas between them; or none')
      .addOption(
        new Option('--byzantine <replica=behaviour>', 'exactly these lies; may be repeated').argParser(
          (text: string, before: readonly string[] | undefined) => [...(before ?? []), text],
        ),
      )
      .addOption(
        new Option('--duration <ms>', 'length of the phase with faults').argParser(wholeNumber(1, 3_600_000)),
      )
      .addOption(
        new Option('--fidelity <name>', 'the whole host on bytes, or the bare protocol core, many times as fast')
          .choices(['whole', 'core'])
          .default('whole'),
      )
      .option('--verbose', 'tell what happens'),
  )
    .addHelpText(
      'after',
      '\nExamples:\n  moiety sim --seed 42\n  moiety sim --seed 1 --seeds 200 --replicas 5\n  moiety sim --seed 7 --faults crash,partition --verbose\n',
    )
    .action(sim);
}
