/** The numbered rules of RePBFT (decision E6): those of three-phase agreement, and those of modes and passive replicas. */
import type { RuleDescription } from '../../core/protocol.ts';
import { THREE_PHASE_RULES } from '../../smr/three-phase/rules.ts';

const OWN_RULES = [
  {
    id: 'RePBFT.R3',
    kind: 'guard',
    text: 'in normal-case mode active replicas vote, and no others',
  },
  {
    id: 'RePBFT.M.known',
    kind: 'guard',
    text: 'a replica votes for an order when it knows the mode of it',
  },
  {
    id: 'RePBFT.M.count',
    kind: 'guard',
    text: 'a MODE is judged when everything before it was executed',
  },
  {
    id: 'RePBFT.M.due',
    kind: 'guard',
    text: 'MODE is ordered after X orders in fault-handling mode, and once in a view',
  },
  {
    id: 'RePBFT.M.fit',
    kind: 'defence',
    text: 'MODE names its view, the X that it waited for, and 2f+1 replicas with the primary among them',
  },
  {
    id: 'RePBFT.M.signed',
    kind: 'guard',
    text: 'the primary orders MODE(A) when all of A have signed a stable checkpoint of this view and work in it',
  },
  {
    id: 'RePBFT.U.equal',
    kind: 'guard',
    text: 'an update is applied when f+1 replicas told the same, next in order and inside the window',
  },
  {
    id: 'RePBFT.U.silent',
    kind: 'guard',
    text: 'a passive replica complains when updates stop although others go on',
  },
] as const satisfies readonly RuleDescription[];

/** See the top of this file. */
export const REPBFT_RULES = [...THREE_PHASE_RULES, ...OWN_RULES] as const;

/** Id of a rule of this protocol. */
export type RepbftRule = (typeof REPBFT_RULES)[number]['id'];
