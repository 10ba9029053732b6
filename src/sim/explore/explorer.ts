/**
 * What explorers have in common. An explorer turns a number into one schedule of a small scope and judges it: equal
 * numbers give equal schedules, so that a search can be stopped, gone on with, and split between machines by number.
 */
import { resultOf } from '../run-schedule.ts';
import type { ScheduleResult } from '../run-schedule.ts';
import { minbft } from '../../protocols/minbft/definition.ts';
import type { MinbftMessage } from '../../smr/usig-stream/messages.ts';
import type { CoreFrame } from '../core/frame.ts';
import { CoreWorld } from '../core/world.ts';
import type { CoreWorldOptions } from '../core/world.ts';
import type { Scenario } from '../scenario.ts';

/** One schedule of an explorer. */
export interface Exploration {
  readonly index: number;
  /** What was done, in words. */
  readonly text: string;
  readonly result: ScheduleResult;
}

/** An explorer whose schedules have numbers. */
export interface IndexedExplorer {
  /** How many schedules there are; undefined: any number. */
  readonly size: number | undefined;
  /** Runs the schedule of a number; `text` is made only for those who ask. */
  explore(index: number): Exploration;
}

/** A frame between replicas. */
export type Frame = CoreFrame<MinbftMessage>;

/** A world to play in. */
export type ExplorerWorld = CoreWorld<MinbftMessage>;

/** What a run differs in from a drawn one. */
export type PlayOptions = Pick<
  CoreWorldOptions<MinbftMessage>,
  'corrupt' | 'listener' | 'trace' | 'onFired' | 'judging'
>;

/** A world with the options of an explorer, before its first event. */
export function worldOf(scenario: Scenario, options: PlayOptions): ExplorerWorld {
  return new CoreWorld<MinbftMessage>({ scenario, definition: minbft, ...options });
}

/** Runs a world to its end. `reproduce`: the command that repeats it. */
export function playWorld(world: ExplorerWorld, reproduce: string): ScheduleResult {
  world.run();
  return { ...resultOf(world, world.scenario), reproduce };
}
