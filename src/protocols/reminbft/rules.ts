/** The numbered rules of ReMinBFT (decision E6): those of chains of slots, and those of modes and passive replicas. */
import type { RuleDescription } from '../../core/protocol.ts';
import { CHAIN_RULES } from '../../smr/slot-chain/rules.ts';

const OWN_RULES = [
  { id: 'ReMinBFT.N3.prepare', kind: 'defence', text: "a COMMIT agrees to a PREPARE of its view's primary" },
  { id: 'ReMinBFT.N3.backup', kind: 'defence', text: 'a COMMIT of the primary does not count' },
  { id: 'ReMinBFT.M.agreed', kind: 'defence', text: 'a proposal names the mode that its view is in' },
  { id: 'ReMinBFT.M.early', kind: 'guard', text: 'MODE is ordered after X orders in fault-handling mode' },
  {
    id: 'ReMinBFT.M.signed',
    kind: 'guard',
    text: 'the primary orders MODE when all of A have signed a checkpoint that was made in this view',
  },
  { id: 'ReMinBFT.M.active', kind: 'guard', text: 'in normal-case mode active replicas vote, and no others' },
  { id: 'ReMinBFT.U.equal', kind: 'guard', text: 'an update is applied when f+1 replicas told the same' },
  {
    id: 'ReMinBFT.U.conflict',
    kind: 'guard',
    text: 'a passive replica that two active ones tell different updates complains at once',
  },
  {
    id: 'ReMinBFT.P.silent',
    kind: 'guard',
    text: 'in normal-case mode whoever does not get on complains, a passive replica too',
  },
  { id: 'ReMinBFT.P.join', kind: 'guard', text: 'in normal-case mode a complaint of anybody is joined' },
] as const satisfies readonly RuleDescription[];

/** See the top of this file. */
export const REMINBFT_RULES = [...CHAIN_RULES, ...OWN_RULES] as const;

/** Id of a rule of this protocol. */
export type ReRule = (typeof REMINBFT_RULES)[number]['id'];
