/** Rules of every protocol but MinBFT (whose catalogue is larger, and apart), each taken out once. */
import { CHEAPBFT_MUTANTS } from './catalogue/cheapbft.ts';
import { PASSIVE_MUTANTS } from './catalogue/passive.ts';
import { THREE_PHASE_MUTANTS } from './catalogue/three-phase.ts';
import { TRUSTED_OBJECT_MUTANTS } from './catalogue/trusted-objects.ts';
import { EBAWA_MUTANTS, MINZYZZYVA_MUTANTS } from './catalogue/usig.ts';
import { ZYZZYVA_MUTANTS } from './catalogue/zyzzyva.ts';
import type { FamilyMutant } from './mutant.ts';

/** See the top of this file. */
export const FAMILY_MUTANTS: readonly FamilyMutant[] = [
  ...THREE_PHASE_MUTANTS,
  ...ZYZZYVA_MUTANTS,
  ...TRUSTED_OBJECT_MUTANTS,
  ...PASSIVE_MUTANTS,
  ...CHEAPBFT_MUTANTS,
  ...MINZYZZYVA_MUTANTS,
  ...EBAWA_MUTANTS,
];
