/**
 * The accountant of the fault model: at most f replicas may be Byzantine or amnesiac (disk wiped, rotten or lying, trusted
 * component lost, clock far off) in one run. Crashes and restarts are free. A replica that was charged once stays
 * charged: nobody watches from outside when it is as good as new.
 */
import type { ReplicaId } from '../core/types.ts';
import type { Scenario } from './scenario.ts';

/**
 * How far a clock may be off, milliseconds, before its replica counts as faulty: two clocks at the ends differ by less
 * than the five seconds of decision D4, with the drift of a run.
 */
export const CLOCK_TOLERANCE_MS = 2_400;

/** See the top of this file. */
export class FaultBudget {
  readonly #f: number;
  readonly #isBound: boolean;
  readonly #faulty = new Set<ReplicaId>();
  /** Faults that were refused. */
  refused = 0;

  /** `isBound`: false for a run that is meant to break the fault model. */
  constructor(f: number, byzantine: readonly ReplicaId[], isBound = true) {
    this.#f = f;
    this.#isBound = isBound;
    for (const replica of byzantine) this.#faulty.add(replica);
  }

  /** Replicas that count as faulty. */
  get faulty(): ReadonlySet<ReplicaId> {
    return this.#faulty;
  }

  /** Charges a replica; false, and nothing is charged, if that would be one too many. */
  charge(replica: ReplicaId): boolean {
    if (this.#faulty.has(replica)) return true;
    if (this.#isBound && this.#faulty.size >= this.#f) {
      this.refused += 1;
      return false;
    }
    this.#faulty.add(replica);
    return true;
  }
}

/** Replicas of a scenario that lie: nobody judges what they say about themselves. */
export function liarsOf({ byzantine, forker, family }: Scenario): ReplicaId[] {
  const liars = byzantine.map((entry) => entry.replica);
  if (forker !== undefined) liars.push(forker.replica);
  for (const { replica } of [...(family?.liars ?? []), ...(family?.twins ?? [])]) liars.push(replica);
  return [...new Set(liars)];
}

/** The budget of a scenario with its liars charged. */
export function budgetOf(scenario: Scenario): FaultBudget {
  return new FaultBudget(scenario.f, liarsOf(scenario), scenario.overBudget !== true);
}
