/**
 * Runs in a process of its own, with or without a mutant applied (`apply.ts`): hunts as its argument says, each time up
 * to the first violation, and prints what a judge said as one line of JSON for each hunt.
 */
import type { Fidelity } from './catalogue/mutant.ts';
import { GUIDED } from './guided/all.ts';
import type { Objection } from './guided/history.ts';
import { playTheme, THEMES } from './themes.ts';

/** What finds a mutant: a constructed history under several seeds, or drawn schedules, with a theme or without. */
export type Hunt =
  | { readonly kind: 'guided'; readonly history: string; readonly from: number; readonly count: number }
  | { readonly kind: 'drawn'; readonly fidelity: Fidelity; readonly from: number; readonly count: number }
  | {
      readonly kind: 'themed';
      readonly theme: string;
      readonly from: number;
      readonly count: number;
    };

/** What a hunt found. */
export interface Catch {
  readonly hunt: Hunt;
  /** Schedules that ran, the one with the violation included. */
  readonly schedules: number;
  /** Seed of the schedule with the violation. */
  readonly seed?: number;
  readonly judge?: string;
  readonly text?: string;
  readonly cpuSeconds: number;
}

async function playerOf(hunt: Hunt): Promise<(seed: number) => readonly Objection[]> {
  if (hunt.kind === 'guided') {
    const history = GUIDED.get(hunt.history);
    if (history === undefined) throw new Error(`no constructed history is called ${hunt.history}`);
    return history.play;
  }
  if (hunt.kind === 'themed') {
    const theme = THEMES.get(hunt.theme);
    if (theme === undefined) throw new Error(`no theme is called ${hunt.theme}`);
    return (seed) => playTheme(theme, seed);
  }
  const { runSchedule } = await import('../../src/sim/run-schedule.ts');
  return (seed) => runSchedule(seed, { fidelity: hunt.fidelity, short: true }).violations;
}

async function goOn(hunt: Hunt): Promise<Catch> {
  const play = await playerOf(hunt);
  const before = process.cpuUsage();
  const spent = (): number => {
    const { user, system } = process.cpuUsage(before);
    return Math.round((user + system) / 1e4) / 100;
  };
  for (let seed = hunt.from; seed < hunt.from + hunt.count; seed += 1) {
    const [first] = play(seed);
    if (first === undefined) continue;
    const { judge, text } = first;
    return { hunt, schedules: seed - hunt.from + 1, seed, judge, text, cpuSeconds: spent() };
  }
  return { hunt, schedules: hunt.count, cpuSeconds: spent() };
}

const hunts = JSON.parse(process.argv[2] ?? '[]') as Hunt[];
for (const hunt of hunts) process.stdout.write(`${JSON.stringify(await goOn(hunt))}\n`);
