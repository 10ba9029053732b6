/**
 * What a schedule got to: outcomes of rules, each with the mode of the replica and the kind of message, and abstract
 * states of the cluster. What was never met before makes a schedule worth keeping.
 */
import type { RuleTrace } from '../../../core/protocol.ts';
import type { MachineLook } from '../../machine.ts';
import type { ExplorerWorld } from '../explorer.ts';

/** Frames between two looks at the cluster. */
const LOOK_EVERY = 8;

/** Place of each value among the distinct ones, lowest first. */
function ranksOf(values: readonly number[]): readonly number[] {
  const distinct = [...new Set(values)].sort((a, b) => a - b);
  return values.map((value) => distinct.indexOf(value));
}

/** The cluster without names and numbers: who is ahead of whom, and in which mode. Which replica is which does not count. */
export function abstractState(looks: readonly (MachineLook | undefined)[]): string {
  const up = looks.filter((look) => look !== undefined);
  const views = ranksOf(up.map(({ view }) => view));
  const executed = ranksOf(up.map(({ sequence }) => sequence));
  const stable = ranksOf(up.map((look) => look.stable));
  const replicas = up.map(
    ({ mode, phase, waitsFor }, index) =>
      `${phase === 'running' ? mode : phase}${views[index]}${executed[index]}${stable[index]}${waitsFor == null ? '' : 'w'}`,
  );
  return `${looks.length}/${looks.length - up.length}:${replicas.sort().join(',')}`;
}

/** Gathers what one schedule gets to. */
export class Reached {
  readonly cells = new Set<string>();
  readonly states = new Set<string>();
  #frames = 0;

  /** Listener for rules. */
  readonly trace = ({ rule, passed, about, state }: RuleTrace): void => {
    this.cells.add(`${state ?? '-'}|${about ?? '-'}|${rule}|${passed ? 'passed' : 'refused'}`);
  };

  /** To be told every frame. */
  onFrame(world: ExplorerWorld): void {
    this.#frames += 1;
    if (this.#frames % LOOK_EVERY === 0)
      this.states.add(abstractState(world.correct.map((machine) => machine.look())));
  }
}

/** Everything that was ever met. */
export class Met {
  readonly cells = new Set<string>();
  readonly states = new Set<string>();

  /** Adds what a schedule got to; how much of it is new. */
  add(reached: Reached): number {
    const before = this.cells.size + this.states.size;
    for (const cell of reached.cells) this.cells.add(cell);
    for (const state of reached.states) this.states.add(state);
    return this.cells.size + this.states.size - before;
  }
}
