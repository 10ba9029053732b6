/** `moiety sim`: runs schedules of the deterministic simulator. */
import { Option } from 'commander';
import type { Command } from 'commander';
import type { ScheduleResult } from '../../sim/run-schedule.ts';
import type { ScriptOptions } from '../../sim/script/run.ts';
import { addSimCampaign } from './sim-campaign.ts';
import { runFamilySchedule } from './sim-family.ts';
import { addSimExplore } from './sim-explore.ts';
import { addSimRun } from './sim-run.ts';
import { judgesOf, overridesOf, withDraw } from './sim-schedule.ts';
import type { DrawOptions } from './sim-schedule.ts';
import { addSimShrink } from './sim-shrink.ts';
import { runWithViews, wantsViews, withViews } from './sim-views.ts';
import type { ViewOptions } from './sim-views.ts';
import { EXIT, usageFailure } from '../failure.ts';
import { wholeNumber, withJson } from '../options.ts';
import { plural, printJson, printLine } from '../output.ts';

interface Options extends DrawOptions, ViewOptions {
  readonly seeds: number;
  readonly verbose?: boolean;
  readonly json?: boolean;
  readonly protocol?: string;
  readonly f?: number;
}

/** Options of the swarm of MinBFT that schedules of the conformance suite do not have. */
const OF_SWARM = [
  'replicas',
  'faults',
  'byzantine',
  'liarClient',
  'fork',
  'fence',
  'duration',
  'short',
  'fidelity',
  'seeds',
];

function refuseOfSwarm(command: Command): void {
  const given = OF_SWARM.filter((name) => command.getOptionValueSource(name) === 'cli');
  const flags = command.options.filter((option) => given.includes(option.attributeName()));
  if (flags.length === 0) return;
  throw usageFailure(
    `--protocol plays the schedule of one seed as the conformance suite draws it: leave ${flags.map(({ long }) => long).join(', ')} out.`,
  );
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
  if (violations.length === 0) return;
  printLine(`  repeat it: ${result.reproduce}`);
  printLine(
    `  make it small: ${result.reproduce.replace('moiety sim ', 'moiety sim shrink ')} --out failure.txt`,
  );
}

/** One seed as a script without steps, for those who want to look at it. */
async function seenSchedule(options: Options, narrate: ScriptOptions): Promise<ScheduleResult> {
  const overrides = await overridesOf(options);
  const { drawScenario } = await import('../../sim/scenario.ts');
  const { reproduction } = await import('../../sim/run-schedule.ts');
  const { scriptOf } = await import('../../sim/script/of-scenario.ts');
  const { seed, fidelity } = options;
  const words = {
    name: `seed ${seed}`,
    story: [],
    fidelity,
    judges: judgesOf(fidelity),
    expect: [],
  } as const;
  const script = scriptOf(drawScenario(seed, overrides), words);
  const { result } = await runWithViews(script, narrate, options);
  return { ...result, reproduce: reproduction(seed, { ...overrides, fidelity }) };
}

async function sim(options: Options, command: Command): Promise<void> {
  if (options.protocol !== undefined) {
    refuseOfSwarm(command);
    return runFamilySchedule(options);
  }
  if (options.f !== undefined) throw usageFailure('--f is for --protocol; the swarm takes --replicas.');
  const overrides = await overridesOf(options);
  const { addToSummary, EMPTY_SUMMARY, runSchedule } = await import('../../sim/run-schedule.ts');
  const narrate =
    options.verbose === true && options.json !== true
      ? { narrate: (atMs: number, text: string) => printLine(`${atMs.toFixed(1).padStart(8)} ms  ${text}`) }
      : {};
  if (wantsViews(options)) {
    if (options.seeds > 1) throw usageFailure('--trace, --svg and --chart take one seed at a time.');
    const result = await seenSchedule(options, narrate);
    printResult(result, options);
    if (result.violations.length > 0) process.exitCode = EXIT.failed;
    return;
  }
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
  addSimExplore(command);
  addSimRun(command);
  addSimShrink(command, { add: withDraw, overridesOf });
  command
    .summary('run schedules of the simulator')
    .description(
      'Runs the protocol in virtual time under faults that a seed decides, and judges agreement, validity, ' +
        'exactly-once, checkpoints and liveness. Exit code 1 if a judge found a violation.',
    );
  withJson(
    withViews(
      withDraw(command).addOption(
        new Option('--seeds <count>', 'how many seeds, one after the other')
          .default(1)
          .argParser(wholeNumber(1, 10_000_000)),
      ),
    )
      .option(
        '--protocol <name>',
        'the schedule that the conformance suite draws for this protocol ("moiety protocols" lists them)',
      )
      .addOption(
        new Option(
          '--f <number>',
          'with --protocol: faults that its cluster is made for (default: the seed decides)',
        ).argParser(wholeNumber(1, 20)),
      )
      .option('--verbose', 'tell what happens'),
  )
    .addHelpText(
      'after',
      '\nExamples:\n  moiety sim --seed 42\n  moiety sim --seed 1 --seeds 200 --replicas 5\n  moiety sim --seed 7 --faults crash,partition --verbose\n  moiety sim --seed 7 --svg run.svg --trace run.json\n  moiety sim --protocol pbft --seed 58 --trace run.json && moiety trace view run.json\n',
    )
    .action(sim);
}
