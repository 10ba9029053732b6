/** Rules of three-phase agreement, shared by the protocols that keep PBFT's phases. */
import type { RuleDescription } from '../../core/protocol.ts';

/** See the top of this file. */
export const THREE_PHASE_RULES = [
  {
    id: 'PBFT.N1',
    kind: 'guard',
    text: 'the primary proposes inside the window, with a bounded number in flight',
  },
  { id: 'PBFT.N2.primary', kind: 'guard', text: 'a PRE-PREPARE is by the primary of its view' },
  { id: 'PBFT.N2.once', kind: 'guard', text: 'one batch for each sequence number of a view' },
  { id: 'PBFT.N2.window', kind: 'guard', text: 'sequence numbers lie in (h, h+L]' },
  { id: 'PBFT.N2.authentic', kind: 'guard', text: 'every request of the batch is authentic' },
  {
    id: 'PBFT.N2.base',
    kind: 'guard',
    text: 'up to max-s a new view proposes what its NEW-VIEW obliges it to',
  },
  {
    id: 'PBFT.N3',
    kind: 'guard',
    text: 'prepared: the PRE-PREPARE and equal PREPAREs of a quorum without the primary',
  },
  { id: 'PBFT.N3.backup', kind: 'guard', text: 'a PREPARE of the primary does not count' },
  { id: 'PBFT.N4', kind: 'guard', text: 'committed: equal COMMITs of a quorum' },
  {
    id: 'PBFT.N5',
    kind: 'guard',
    text: 'a vote without a decision ends the view in time, though no request waits any more',
  },
  {
    id: 'PBFT.VC.left',
    kind: 'guard',
    text: 'nothing of an older view is prepared or committed to after leaving it',
  },
  { id: 'PBFT.VC.join', kind: 'guard', text: 'f+1 wishes for higher views are joined without waiting' },
  {
    id: 'PBFT.VC.timer',
    kind: 'guard',
    text: 'the new-view timer runs once a quorum asks for the view',
  },
  {
    id: 'PBFT.VC.checkpoint',
    kind: 'guard',
    text: 'VIEW-CHANGE: a quorum of equal CHECKPOINTs proves its h',
  },
  {
    id: 'PBFT.VC.proof',
    kind: 'guard',
    text: 'VIEW-CHANGE: each prepared batch is proven by its primary and a quorum of backups',
  },
  {
    id: 'PBFT.VC.range',
    kind: 'guard',
    text: 'VIEW-CHANGE: one proof per sequence number in (h, h+L], of views below the new one',
  },
  { id: 'PBFT.NV.primary', kind: 'guard', text: 'NEW-VIEW: by the primary of the view' },
  {
    id: 'PBFT.NV.quorum',
    kind: 'guard',
    text: 'NEW-VIEW: valid VIEW-CHANGEs of a quorum of different replicas for this view',
  },
] as const satisfies readonly RuleDescription[];

/** Id of a rule of this folder. */
export type ThreePhaseRule = (typeof THREE_PHASE_RULES)[number]['id'];
