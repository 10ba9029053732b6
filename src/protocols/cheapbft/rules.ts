/** The numbered rules of CheapBFT (decision E6): T for CheapTiny, S for CheapSwitch, F for the seam to the fallback. */
import type { RuleDescription } from '../../core/protocol.ts';

/** See the top of this file. */
export const CHEAPBFT_RULES = [
  {
    id: 'CheapBFT.T1',
    kind: 'guard',
    text: 'the leader proposes inside the window, with a bounded number in flight',
  },
  {
    id: 'CheapBFT.T2.counter',
    kind: 'guard',
    text: 'a PREPARE or COMMIT for offset o has the value o of the agreement counter of its instance, by an active replica',
  },
  { id: 'CheapBFT.T2.authentic', kind: 'guard', text: 'every request of the batch is authentic' },
  { id: 'CheapBFT.T2.running', kind: 'guard', text: 'nothing is agreed to after a PANIC' },
  { id: 'CheapBFT.T3', kind: 'defence', text: 'a COMMIT shows the leader’s PREPARE of its offset' },
  {
    id: 'CheapBFT.T4',
    kind: 'guard',
    text: 'committed: the PREPARE and COMMITs of all other active replicas, after all before it, before a history is chosen',
  },
  {
    id: 'CheapBFT.T5.equal',
    kind: 'guard',
    text: 'an update is applied when all active replicas told the same',
  },
  {
    id: 'CheapBFT.T5.conflict',
    kind: 'guard',
    text: 'two different updates for one sequence number are a reason for PANIC',
  },
  { id: 'CheapBFT.S1', kind: 'guard', text: 'a PANIC of anybody stops the CheapTiny instance that it names' },
  {
    id: 'CheapBFT.S1.behind',
    kind: 'guard',
    text: 'who agreed to more than it executes, or is told that others executed more, panics in the end',
  },
  {
    id: 'CheapBFT.S2',
    kind: 'guard',
    text: 'a HISTORY is made when every own PREPARE or COMMIT has got its word: it closes the counter',
  },
  {
    id: 'CheapBFT.S3',
    kind: 'defence',
    text: 'a HISTORY is by an active replica, starts at a proven checkpoint and shows every value up to its own',
  },
  {
    id: 'CheapBFT.S4',
    kind: 'guard',
    text: 'only a history whose batches are all here and authentic is proposed or agreed to',
  },
  { id: 'CheapBFT.S5', kind: 'guard', text: 'the first history that the fallback orders is the one' },
  {
    id: 'CheapBFT.S8',
    kind: 'guard',
    text: 'the next instance begins with f+1 equal CHECKPOINTs for the end of the last one',
  },
  {
    id: 'CheapBFT.F1',
    kind: 'guard',
    text: 'nothing that the fallback orders beyond the end of its instance is executed',
  },
  { id: 'CheapBFT.F2', kind: 'defence', text: 'the fallback re-admits no components: RECOVERs are refused' },
] as const satisfies readonly RuleDescription[];

/** Id of a rule of this protocol. */
export type CheapRule = (typeof CHEAPBFT_RULES)[number]['id'];
