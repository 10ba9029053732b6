/** What the liars of one run share, as its scenario says. */
import { partsOf } from '../adversary/behaviours.ts';
import { Conspiracy } from '../adversary/conspiracy.ts';
import type { LieListener } from '../adversary/conspiracy.ts';
import type { Scenario } from './scenario.ts';

/** The plan and the memories of a run's liars; a new one for every run. */
export function conspiracyFor(scenario: Scenario, onLie?: LieListener): Conspiracy {
  const { seed, n, byzantine } = scenario;
  const members = byzantine.filter(({ behaviour }) => partsOf(behaviour).includes('coalition'));
  const ids = members.map(({ replica }) => replica);
  return new Conspiracy(seed, n, ids, onLie);
}
