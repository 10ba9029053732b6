/** The numbered rules of A2M-PBFT-E: those of three-phase agreement, and its own about the execution log. */
import type { RuleDescription } from '../../core/protocol.ts';
import { THREE_PHASE_RULES } from '../../smr/three-phase/rules.ts';

/** See the top of this file. */
export const A2M_PBFT_E_RULES: readonly RuleDescription[] = [
  ...THREE_PHASE_RULES,
  {
    id: 'A2M-PBFT-E.E3.order',
    kind: 'guard',
    text: 'entries of the execution log are made in the order of execution, without a gap',
  },
  {
    id: 'A2M-PBFT-E.E3.history',
    kind: 'guard',
    text: 'the log says the history that this replica has executed; otherwise it halts',
  },
  {
    id: 'A2M-PBFT-E.E4',
    kind: 'guard',
    text: 'an answer carries the entry of the execution log of its batch',
  },
  {
    id: 'A2M-PBFT-E.CKPT',
    kind: 'guard',
    text: 'CHECKPOINTs count together when state and history are equal',
  },
  {
    id: 'A2M-PBFT-E.HIST',
    kind: 'guard',
    text: 'digests from others enter the own log only if they lead to a history that a quorum certified',
  },
];
