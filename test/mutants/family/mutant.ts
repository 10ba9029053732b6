/** A rule of one protocol of the family, taken out of the product by exact search and replace. */
import type { Patch } from '../catalogue/mutant.ts';

export interface FamilyMutant {
  /** Name of the protocol and a number. */
  readonly id: string;
  /** As in the catalogue of protocols. */
  readonly protocol: string;
  /** What is removed. */
  readonly removes: string;
  /** Rule numbers. */
  readonly rules: readonly string[];
  readonly patches: readonly Patch[];
}

/** Numbers the mutants of a protocol. */
export function mutantsOf(
  protocol: string,
  mutants: readonly Omit<FamilyMutant, 'id' | 'protocol'>[],
): FamilyMutant[] {
  return mutants.map((mutant, index) => ({ id: `${protocol}/${index + 1}`, protocol, ...mutant }));
}
