/** A history that can be played: what hunts and tests know of it. */
import { Stage } from './stage.ts';
import type { GuidedScenario } from './stage.ts';

/** What a judge said. */
export interface Objection {
  readonly judge: string;
  readonly text: string;
}

/** A constructed history. */
export interface History {
  readonly name: string;
  /** What happens, in a few sentences. */
  readonly story: string;
  /** Plays it; the seed moves delays a little. */
  readonly play: (seed: number) => readonly Objection[];
}

/** A history on the stage. */
export function onStage(guided: GuidedScenario): History {
  const { name, story } = guided;
  return { name, story, play: (seed) => new Stage(guided, { seed }).play().violations };
}
