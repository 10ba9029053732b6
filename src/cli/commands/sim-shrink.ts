/** `moiety sim shrink`: makes a failing schedule small and writes it as a scenario script. */
import { Option } from 'commander';
import type { Command } from 'commander';
import type { Fidelity } from '../../sim/run-schedule.ts';
import type { ScenarioOverrides } from '../../sim/scenario.ts';
import type { ScriptWords } from '../../sim/script/of-scenario.ts';
import type { Shrunk, ShrinkProgress } from '../../sim/shrink/shrink.ts';
import { CommandFailure } from '../failure.ts';
import { wholeNumber, withJson } from '../options.ts';
import { plural, printJson, printLine, printNote } from '../output.ts';
import { judgesOf } from './sim-schedule.ts';
import { save } from './sim-views.ts';

/** Options beside those of a schedule. */
interface Options {
  readonly seed: number;
  readonly fidelity: Fidelity;
  readonly out?: string;
  readonly runs: number;
  readonly name?: string;
  readonly judge?: ScriptWords['judges'];
  readonly json?: boolean;
}

/** Options of a schedule, as `moiety sim` understands them. */
export interface ScheduleFlags<O> {
  readonly add: (command: Command) => Command;
  readonly overridesOf: (options: O) => Promise<ScenarioOverrides>;
}

function progressTo(json: boolean): (progress: ShrinkProgress) => void {
  let told = '';
  return ({ pass, runs, budget, parts }) => {
    if (json || pass === told) return;
    told = pass;
    printNote(`${String(runs).padStart(6)} of ${budget} runs  ${plural(parts, 'part')} left  now: ${pass}`);
  };
}

function wordsOf({ name, seed, fidelity, judge }: Options): Omit<ScriptWords, 'story' | 'expect'> {
  return { name: name ?? `shrunk-seed-${seed}`, fidelity, judges: judge ?? judgesOf(fidelity) };
}

async function scriptOfShrunk(shrunk: Shrunk, options: Options, command: string): Promise<string> {
  const { printScript, storyLines } = await import('../../sim/script/print.ts');
  const { scriptOf } = await import('../../sim/script/of-scenario.ts');
  const { violation, scenario, runs, before, after } = shrunk;
  const story = storyLines(
    `Made smaller from \`${command}\` in ${runs} runs: of ${before} parts (faults, lies, clients, decisions of chance) ` +
      `${after} are left. What remains is enough for ${violation.judge} to object: ${violation.text.split('\n')[0]!}.`,
  );
  const expect = [{ kind: 'violation', judge: violation.judge } as const];
  return printScript(scriptOf(scenario, { ...wordsOf(options), story, expect }));
}

async function shrinkSeed(options: Options, overrides: ScenarioOverrides): Promise<void> {
  const { drawScenario } = await import('../../sim/scenario.ts');
  const { reproduction } = await import('../../sim/run-schedule.ts');
  const { runScript } = await import('../../sim/script/run.ts');
  const { scriptOf } = await import('../../sim/script/of-scenario.ts');
  const { shrink } = await import('../../sim/shrink/shrink.ts');
  const { seed, fidelity, runs: budget, out } = options;
  const shrunk = shrink(drawScenario(seed, overrides), {
    run: (scenario, onFired) => {
      const script = scriptOf(scenario, { ...wordsOf(options), story: [], expect: [] });
      return runScript(script, onFired === undefined ? {} : { onFired }).result.violations;
    },
    budget,
    onProgress: progressTo(options.json === true),
  });
  const command = reproduction(seed, { ...overrides, fidelity });
  if (shrunk === undefined)
    throw new CommandFailure(`Seed ${seed} is clean: there is nothing to make smaller (${command}).`);
  const text = await scriptOfShrunk(shrunk, options, command);
  if (out !== undefined) save(out, text);
  if (options.json === true) {
    printJson({ seed, ...shrunk, script: text, ...(out === undefined ? {} : { file: out }) });
    return;
  }
  if (out === undefined) printLine(text.trimEnd());
  const { before, after, runs, violation } = shrunk;
  printNote(`${violation.judge} still objects: ${violation.text.split('\n')[0]!}`);
  printNote(`${before} parts became ${after} in ${plural(runs, 'run')}`);
  if (out !== undefined) {
    printNote(`written to ${out}; play it: moiety sim run ${out}`);
    printNote(`look at it: moiety sim run ${out} --chart, or --svg FILE`);
  }
}

/** Adds the command. */
export function addSimShrink<O>(sim: Command, flags: ScheduleFlags<O>): void {
  withJson(
    flags
      .add(
        sim
          .command('shrink')
          .summary('make a failing schedule small')
          .description(
            'Runs a failing schedule again and again with less and less in it, as long as the same judge objects, and ' +
              'prints what is left as a scenario script. Exit code 1 if the schedule does not fail.',
          ),
      )
      .addOption(new Option('--out <file>', 'write the script to this file'))
      .addOption(
        new Option('--runs <count>', 'schedules to run at most')
          .default(1_500)
          .argParser(wholeNumber(1, 1_000_000)),
      )
      .addOption(
        new Option(
          '--judge <what>',
          'outcomes (default in the core fidelity): only what is executed, signed and believed',
        ).choices(['everything', 'outcomes']),
      )
      .option('--name <name>', 'name of the script (default: shrunk-seed-SEED)'),
  )
    .addHelpText(
      'after',
      '\nExamples:\n  moiety sim shrink --seed 48 --out failure.txt\n  moiety sim shrink --seed 7 --replicas 5 --fidelity core --runs 500\n',
    )
    .action(async (options: O & Options) => shrinkSeed(options, await flags.overridesOf(options)));
}
