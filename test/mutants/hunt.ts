/**
 * Runs in a process of its own, with or without a mutant applied (`apply.ts`): hunts as its argument says, stops at the
 * first violation, and prints what a judge said as one line of JSON.
 */
import { runSchedule } from '../../src/sim/run-schedule.ts';
import type { Violation } from '../../src/sim/judge.ts';
import { GUIDED } from './guided/all.ts';
import { Stage } from './guided/stage.ts';
import type { Hunt } from './mutants.ts';

/** What a hunt found. */
export interface Catch {
  /** Constructed history, or undefined for drawn schedules. */
  readonly scenario: string | undefined;
  /** Schedules that ran, the one with the violation included. */
  readonly schedules: number;
  /** Seed of the schedule with the violation. */
  readonly seed: number | undefined;
  /** First violation, if there was one. */
  readonly violation: Violation | undefined;
}

function play(scenario: string, seed: number): readonly Violation[] {
  const guided = GUIDED.get(scenario);
  if (guided === undefined) throw new Error(`no constructed history is called ${scenario}`);
  return new Stage(guided, { seed }).play().violations;
}

function goOn(hunt: Hunt): Catch {
  const scenario = hunt.kind === 'guided' ? hunt.scenario : undefined;
  for (let seed = hunt.from; seed < hunt.from + hunt.count; seed += 1) {
    const violations = scenario === undefined ? runSchedule(seed).violations : play(scenario, seed);
    const [violation] = violations;
    if (violation !== undefined) return { scenario, schedules: seed - hunt.from + 1, seed, violation };
  }
  return { scenario, schedules: hunt.count, seed: undefined, violation: undefined };
}

const hunts = JSON.parse(process.argv[2] ?? '[]') as Hunt[];
process.stdout.write(`${JSON.stringify(hunts.map(goOn))}\n`);
