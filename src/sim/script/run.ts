/** Runs a scenario script and says whether it showed what it is expected to show. */
import { resultOf } from '../run-schedule.ts';
import type { ScheduleResult } from '../run-schedule.ts';
import type { Violation } from '../judge.ts';
import type { Facts } from './facts.ts';
import { Performance, withPuppets } from './performance.ts';
import type { PerformanceOptions } from './performance.ts';
import type { RecordedRun } from '../trace/recorder.ts';
import { ScriptError } from './script.ts';
import type { Expectation, Script } from './script.ts';
import { conditionText } from './print-steps.ts';

/** What came of a script. */
export interface ScriptResult {
  readonly name: string;
  readonly result: ScheduleResult;
  /** Whether all steps were taken before the faults stopped. */
  readonly finished: boolean;
  /** Whether the spectator ended the run before its time. */
  readonly isCut: boolean;
  /** What is not as expected, in sentences; empty if all is well. */
  readonly unmet: readonly string[];
}

/** How a script is run. */
export interface ScriptOptions extends PerformanceOptions {
  /** Judge by what is expected when the product has this mistake (an id of `test/mutants`). */
  readonly mistake?: string;
  /** Told how to ask for time and replicas of the run, before it begins. */
  readonly onOpen?: (run: RecordedRun) => void;
  /** Another seed than the one of the script. */
  readonly seed?: number;
}

/** See the top of this file. Throws `ScriptError` if a step cannot be taken. */
export function runScript(script: Script, options: ScriptOptions = {}): ScriptResult {
  const { mistake, seed, onOpen, ...rest } = options;
  const played = seed === undefined ? script : { ...script, scenario: { ...script.scenario, seed } };
  const performance = new Performance(played, rest);
  onOpen?.({ now: () => performance.theatre.queue.now, look: (id) => performance.theatre.look(id) });
  performance.play();
  if (performance.error !== undefined) throw performance.error;
  const { finished, facts } = performance;
  const { world } = performance.theatre;
  const result = resultOf(world, withPuppets(played));
  const expected = expectationsOf(script, mistake);
  const unmet = expected.flatMap((one) => check(one, result.violations, facts, world.queue.now));
  if (!finished && expected.every(({ kind }) => kind !== 'violation'))
    unmet.push(`the script was still waiting at line ${performance.line} when the faults stopped`);
  return { name: script.name, result, finished, isCut: world.isCut, unmet };
}

/** What must be seen: with a mistake in the product, what the script says about that mistake. */
function expectationsOf(script: Script, mistake: string | undefined): readonly Expectation[] {
  if (mistake === undefined) return script.expect;
  const found = script.mistakes.filter(({ mutant }) => mutant === mistake).map(({ expect }) => expect);
  if (found.length === 0)
    throw new ScriptError(0, `${script.name} says nothing about the mistake ${mistake}`);
  return found;
}

function check(
  expected: Expectation,
  violations: readonly Violation[],
  facts: Facts,
  nowMs: number,
): string[] {
  switch (expected.kind) {
    case 'clean':
      return violations.map(({ judge, text }) => `expected no violation, but ${judge} says: ${text}`);
    case 'violation':
      if (violations.some(({ judge }) => judge === expected.judge)) return [];
      return [
        `expected a violation of ${expected.judge}, found ${violations.map(({ judge }) => judge).join(', ') || 'none'}`,
      ];
    case 'event':
      return facts.holds(expected.condition, nowMs)
        ? []
        : [`never happened: ${conditionText(expected.condition)}`];
    case 'refusal':
      return facts.hasRefused(expected.rule) ? [] : [`nothing was refused by ${expected.rule}`];
  }
}
