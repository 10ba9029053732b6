/** The numbered rules of PBFT (decision E6): all are those of three-phase agreement. */
import { THREE_PHASE_RULES } from '../../smr/three-phase/rules.ts';

/** See the top of this file. */
export const PBFT_RULES = THREE_PHASE_RULES;
