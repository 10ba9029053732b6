/** The numbered rules of Flexi-BFT (decision E6): 12 and 13 are steps of the paper's protocol, the others are ours. */
import type { RuleDescription } from '../../core/protocol.ts';

/** See the top of this file. */
export const FLEXI_RULES = [
  {
    id: 'FlexiBFT.12',
    kind: 'guard',
    text: 'the primary proposes inside the window, with a bounded number in flight',
  },
  {
    id: 'FlexiBFT.12.counter',
    kind: 'guard',
    text: 'a PREPREPARE has the word of the counter of its view, at the value of its sequence number, by the primary',
  },
  { id: 'FlexiBFT.13.window', kind: 'guard', text: 'sequence numbers lie in (h, h+L]' },
  {
    id: 'FlexiBFT.13.start',
    kind: 'guard',
    text: 'up to its end, a view proposes what it starts with',
  },
  { id: 'FlexiBFT.13.authentic', kind: 'guard', text: 'every request of the batch is authentic' },
  {
    id: 'FlexiBFT.13.commit',
    kind: 'guard',
    text: 'committed: the PREPREPARE and equal PREPAREs of 2f backups',
  },
  {
    id: 'FlexiBFT.13.left',
    kind: 'guard',
    text: 'whoever asked for another view vouches for nothing in this one any more',
  },
  { id: 'FlexiBFT.VC.join', kind: 'guard', text: 'f+1 wishes for higher views are joined without waiting' },
  { id: 'FlexiBFT.VC.timer', kind: 'guard', text: 'the new-view timer runs once a quorum asks for the view' },
  {
    id: 'FlexiBFT.VC.drained',
    kind: 'guard',
    text: 'a VIEW-CHANGE is said once every own proposal has got its word or never will: it tells of all of them',
  },
  {
    id: 'FlexiBFT.VC.checkpoint',
    kind: 'defence',
    text: 'VIEW-CHANGE: 2f+1 equal CHECKPOINTs prove its h, not below the start of its last view',
  },
  {
    id: 'FlexiBFT.VC.base',
    kind: 'defence',
    text: 'VIEW-CHANGE: the start of its last view is certified by ENTERs of 2f+1 replicas',
  },
  {
    id: 'FlexiBFT.VC.proposals',
    kind: 'defence',
    text: 'VIEW-CHANGE: proposals are of its last view, beyond its start, ascending in (h, h+L]',
  },
  { id: 'FlexiBFT.NV.primary', kind: 'defence', text: 'NEW-VIEW: by the primary of the view' },
  {
    id: 'FlexiBFT.NV.quorum',
    kind: 'defence',
    text: 'NEW-VIEW: valid VIEW-CHANGEs of 2f+1 different replicas for this view',
  },
  {
    id: 'FlexiBFT.NV.bodies',
    kind: 'guard',
    text: 'only VIEW-CHANGEs whose batches are here count for a NEW-VIEW, and nobody enters a view before it has all of them',
  },
  { id: 'FlexiBFT.NV.once', kind: 'defence', text: 'one ENTER for each view' },
  {
    id: 'FlexiBFT.NV.certified',
    kind: 'guard',
    text: 'a view is entered when 2f+1 replicas said ENTER for the same start: nothing is vouched for in it before',
  },
] as const satisfies readonly RuleDescription[];

/** Id of a rule of this protocol. */
export type FlexiRule = (typeof FLEXI_RULES)[number]['id'];
