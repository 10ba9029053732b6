/**
 * The catalogue: M01 to M40 and rules that proofs lean on, each taken out of the product by exact search and replace. The
 * product has no switch for any of this. A text that is not found exactly once makes the run fail loudly, so a mutant
 * cannot silently become the original when the code moves.
 */
import type { Mutant } from './catalogue/mutant.ts';
import { NORMAL_CASE } from './catalogue/normal-case.ts';
import { PARTS } from './catalogue/parts.ts';
import { PROOF_RULES } from './catalogue/proof-rules.ts';
import { VIEW_CHANGE } from './catalogue/view-change.ts';

/** Every mutant, by id. */
export const MUTANTS: readonly Mutant[] = [...NORMAL_CASE, ...VIEW_CHANGE, ...PARTS, ...PROOF_RULES].toSorted(
  (a, b) => (a.id < b.id ? -1 : 1),
);

/** The mutant of this id. */
export function mutantOf(id: string): Mutant | undefined {
  return MUTANTS.find((mutant) => mutant.id === id);
}
