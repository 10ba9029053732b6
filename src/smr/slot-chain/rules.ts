/** Rules of protocols whose votes stand in chains of slots (A2M-PBFT-EA, ReMinBFT). */
import type { RuleDescription } from '../../core/protocol.ts';

/** See the top of this file. */
export const CHAIN_RULES = [
  {
    id: 'Chain.N1',
    kind: 'guard',
    text: 'the primary proposes inside the window, with a bounded number in flight',
  },
  { id: 'Chain.N2.primary', kind: 'defence', text: 'a proposal is by the primary of its view' },
  { id: 'Chain.N2.window', kind: 'guard', text: 'sequence numbers lie in (h, h+L]' },
  { id: 'Chain.N2.order', kind: 'guard', text: 'proposals are taken one after the other: n = lastPrep + 1' },
  { id: 'Chain.N2.obliged', kind: 'defence', text: 'a new view proposes what its NEW-VIEW obliges it to' },
  { id: 'Chain.N2.authentic', kind: 'defence', text: 'every request of the batch is authentic' },
  { id: 'Chain.CM', kind: 'guard', text: 'committed: equal votes of a quorum (f+1), whatever their view' },
  {
    id: 'Chain.VC.left',
    kind: 'guard',
    text: 'nothing is voted for between leaving a view and entering the next',
  },
  { id: 'Chain.VC.join', kind: 'guard', text: 'a view is left when f+1 replicas ask for it or a higher one' },
  {
    id: 'Chain.VC.barrier',
    kind: 'guard',
    text: 'the barrier of the new view is in the chain before the VIEW-CHANGE is said',
  },
  {
    id: 'Chain.VC.timer',
    kind: 'guard',
    text: 'the new-view timer runs once f+1 replicas have left for the view',
  },
  { id: 'Chain.VC.checkpoint', kind: 'defence', text: 'VIEW-CHANGE: f+1 equal CHECKPOINTs prove its h' },
  {
    id: 'Chain.VC.entered',
    kind: 'defence',
    text: 'VIEW-CHANGE: f+1 NV-ACKs prove its ell, and h is not below hNV',
  },
  {
    id: 'Chain.VC.whole',
    kind: 'guard',
    text: 'VIEW-CHANGE: its chain has no hole from slot(ell, h) to the barrier',
  },
  { id: 'Chain.VC.proof', kind: 'defence', text: 'VIEW-CHANGE: each vote of the chain has its proof' },
  { id: 'Chain.VC.view', kind: 'defence', text: 'VIEW-CHANGE: votes are of view ell and of no other' },
  { id: 'Chain.VC.range', kind: 'defence', text: 'VIEW-CHANGE: votes lie in (h, h+L]' },
  {
    id: 'Chain.VC.obliged',
    kind: 'defence',
    text: 'VIEW-CHANGE: votes follow what the NEW-VIEW of ell obliged to',
  },
  {
    id: 'Chain.NV.bodies',
    kind: 'guard',
    text: 'a NEW-VIEW rests on batches that are at hand and authentic',
  },
  { id: 'Chain.NV.primary', kind: 'defence', text: 'NEW-VIEW: by the primary of the view' },
  {
    id: 'Chain.NV.quorum',
    kind: 'defence',
    text: 'NEW-VIEW: valid VIEW-CHANGEs of f+1 replicas, the primary among them, for this view',
  },
  {
    id: 'Chain.NV.terms',
    kind: 'defence',
    text: 'NEW-VIEW: hNV and O are what everybody computes from them',
  },
  {
    id: 'Chain.NV.ack',
    kind: 'guard',
    text: 'NV-ACK only for a valid NEW-VIEW whose batches are all at hand',
  },
  {
    id: 'Chain.NV.enter',
    kind: 'guard',
    text: 'a view is entered with f+1 NV-ACKs for the accepted NEW-VIEW',
  },
] as const satisfies readonly RuleDescription[];

/** Id of a rule of this folder. */
export type ChainRule = (typeof CHAIN_RULES)[number]['id'];
