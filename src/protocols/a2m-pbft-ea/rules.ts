/** The numbered rules of A2M-PBFT-EA (decision E6): those of chains of slots, and how three phases prepare. */
import type { RuleDescription } from '../../core/protocol.ts';
import { CHAIN_RULES } from '../../smr/slot-chain/rules.ts';

const OWN_RULES = [
  {
    id: 'A2M-PBFT-EA.N3',
    kind: 'guard',
    text: 'prepared: the PRE-PREPARE and equal PREPAREs, f+1 replicas together',
  },
  { id: 'A2M-PBFT-EA.N3.backup', kind: 'defence', text: 'a PREPARE of the primary does not count' },
  { id: 'A2M-PBFT-EA.N4.order', kind: 'guard', text: 'COMMITs are logged in the order of sequence numbers' },
] as const satisfies readonly RuleDescription[];

/** See the top of this file. */
export const A2M_PBFT_EA_RULES = [...CHAIN_RULES, ...OWN_RULES] as const;

/** Id of a rule of this protocol. */
export type EaRule = (typeof A2M_PBFT_EA_RULES)[number]['id'];
