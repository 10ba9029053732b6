/**
 * The numbered rules of Zyzzyva with the corrected view change. A defence refuses only what no correct replica says and
 * what an altered message hardly ever is, or what other rules let nobody do: constructed tests show it.
 */
import type { RuleDescription } from '../../core/protocol.ts';

/** Every rule of this protocol. */
export const ZYZZYVA_RULES = [
  {
    id: 'Zyzzyva.ORD.1',
    kind: 'guard',
    text: 'the primary orders inside the window, with a bounded number in flight, and each number of a view once',
  },
  {
    id: 'Zyzzyva.ORD.2',
    kind: 'guard',
    text: 'when clients rest, the primary fills the orders up to the next boundary, so that what they believe becomes final',
  },
  {
    id: 'Zyzzyva.ACC.1.PRIMARY',
    kind: 'defence',
    text: 'an ORDER-REQ is signed by the primary of its view',
  },
  {
    id: 'Zyzzyva.ACC.1.VIEW',
    kind: 'guard',
    text: 'an ORDER-REQ is accepted in the view that this replica has entered and not left',
  },
  { id: 'Zyzzyva.ACC.1.WINDOW', kind: 'guard', text: 'sequence numbers lie in (n_s, n_s+L]' },
  {
    id: 'Zyzzyva.ACC.1.CHAIN',
    kind: 'guard',
    text: 'an ORDER-REQ continues the own history: n = maxN+1 and h_n = H(h_maxN, d)',
  },
  { id: 'Zyzzyva.ACC.1.AUTHENTIC', kind: 'defence', text: 'every request of the batch is authentic' },
  {
    id: 'Zyzzyva.ACC.2',
    kind: 'guard',
    text: 'a hole in the orders is filled: by the primary, then by all; if nobody can, the primary is suspected',
  },
  {
    id: 'Zyzzyva.ACC.3',
    kind: 'guard',
    text: 'two ORDER-REQs for one place of a view, or two that do not chain, are a POM',
  },
  {
    id: 'Zyzzyva.ACC.4',
    kind: 'defence',
    text: 'nothing is rolled back but on entering a view or for a contradicting stable certificate, and never what is stable',
  },
  {
    id: 'Zyzzyva.ACC.5',
    kind: 'guard',
    text: 'a request that nobody orders here for half its deadline makes this replica ask all others for orders',
  },
  {
    id: 'Zyzzyva.ACC.6',
    kind: 'guard',
    text: 'a history that rests above the stable checkpoint is compared with those of others from time to time',
  },
  {
    id: 'Zyzzyva.CC.1',
    kind: 'guard',
    text: 'a commit certificate counts where the own history has its hash',
  },
  {
    id: 'Zyzzyva.CC.2',
    kind: 'guard',
    text: 'a commit certificate of another view than that entered and not left changes nothing',
  },
  {
    id: 'Zyzzyva.LC.1',
    kind: 'guard',
    text: 'LOCAL-COMMIT only in the view of the certificate, not left, with the certificate durable',
  },
  { id: 'Zyzzyva.RSP.1', kind: 'guard', text: 'answers are repeated while the view of their cores lasts' },
  { id: 'Zyzzyva.RSP.2', kind: 'defence', text: 'what is stable is answered as final' },
  {
    id: 'Zyzzyva.CKPT.1',
    kind: 'guard',
    text: 'at boundaries replicas show their cores to each other; 2f+1 equal ones are a certificate',
  },
  {
    id: 'Zyzzyva.CKPT.2',
    kind: 'guard',
    text: 'CHECKPOINT only with a certificate of the present view that covers the boundary',
  },
  {
    id: 'Zyzzyva.CKPT.3',
    kind: 'defence',
    text: 'stable: 2f+1 CHECKPOINTs equal in view, number, history and state',
  },
  {
    id: 'Zyzzyva.CKPT.6',
    kind: 'guard',
    text: 'a stable certificate of the own view that the own history contradicts replaces it',
  },
  {
    id: 'Zyzzyva.CKPT.7',
    kind: 'guard',
    text: 'a stable certificate of a higher view waits until that view can be entered',
  },
  {
    id: 'Zyzzyva.CKPT.8',
    kind: 'defence',
    text: 'nothing above the stable checkpoint is confirmed: no block is signed on a commit certificate',
  },
  { id: 'Zyzzyva.VC.1', kind: 'guard', text: 'one I-HATE-THE-PRIMARY for each view, and the work goes on' },
  {
    id: 'Zyzzyva.VC.2.NEAR',
    kind: 'defence',
    text: 'what the primary of a view did is a reason to leave that view, not the views before it',
  },
  {
    id: 'Zyzzyva.VC.2',
    kind: 'guard',
    text: 'a view is left for f+1 I-HATE-THE-PRIMARY of it, a proof against its primary, or a valid VIEW-CHANGE',
  },
  {
    id: 'Zyzzyva.VC.3',
    kind: 'defence',
    text: 'one VIEW-CHANGE for each view, by a replica whose stable checkpoint is not newer than its label',
  },
  {
    id: 'Zyzzyva.VC.4.STABLE',
    kind: 'defence',
    text: 'VIEW-CHANGE: a certified stable checkpoint of a view not above its label, and a label below its view',
  },
  {
    id: 'Zyzzyva.VC.4.LABEL',
    kind: 'defence',
    text: 'VIEW-CHANGE: its certificate is of the view of its label',
  },
  {
    id: 'Zyzzyva.VC.4.CHAIN',
    kind: 'defence',
    text: 'VIEW-CHANGE: its history chains from the stable checkpoint and keeps the window',
  },
  {
    id: 'Zyzzyva.VC.4.REACH',
    kind: 'defence',
    text: 'VIEW-CHANGE: its history contains what its certificate proves',
  },
  {
    id: 'Zyzzyva.VC.4.REASON',
    kind: 'defence',
    text: 'VIEW-CHANGE: f+1 I-HATE-THE-PRIMARY of the view before, or a proof against its primary',
  },
  {
    id: 'Zyzzyva.NV.1',
    kind: 'defence',
    text: 'NEW-VIEW: by its primary, with exactly 2f+1 valid VIEW-CHANGEs of different replicas',
  },
  { id: 'Zyzzyva.NV.2.BASE', kind: 'defence', text: 'NEW-VIEW: its base is newHistory of its VIEW-CHANGEs' },
  { id: 'Zyzzyva.NV.2.ONCE', kind: 'guard', text: 'at most one VIEW-CONFIRM for each view' },
  {
    id: 'Zyzzyva.ENTER.1.QUORUM',
    kind: 'guard',
    text: 'a view is entered with 2f+1 equal VIEW-CONFIRMs and the base that they name',
  },
  {
    id: 'Zyzzyva.ENTER.1.LOWER',
    kind: 'guard',
    text: 'no view is entered below one that this replica has asked for',
  },
  {
    id: 'Zyzzyva.ENTER.2',
    kind: 'defence',
    text: 'a base that contradicts what is stable here stops the replica',
  },
  {
    id: 'Zyzzyva.ENTER.3',
    kind: 'guard',
    text: 'on entering a view all executed orders of its base are answered anew',
  },
  {
    id: 'Zyzzyva.BASE.1',
    kind: 'defence',
    text: 'a new view begins at the highest stable checkpoint that its VIEW-CHANGEs certify',
  },
  {
    id: 'Zyzzyva.BASE.2',
    kind: 'defence',
    text: 'only what VIEW-CHANGEs of the highest label say counts: the newest view takes precedence',
  },
  {
    id: 'Zyzzyva.BASE.3',
    kind: 'defence',
    text: 'the base reaches as far as the longest certificate of that view',
  },
  {
    id: 'Zyzzyva.BASE.4',
    kind: 'defence',
    text: 'it goes on as long as f+1 of those histories do so alike',
  },
  {
    id: 'Zyzzyva.CLI.2',
    kind: 'defence',
    text: 'clients count equal cores of one view and base; 3f+1 complete a request',
  },
  {
    id: 'Zyzzyva.CLI.3',
    kind: 'defence',
    text: 'clients make a commit certificate of 2f+1 and need 2f+1 acknowledgements of it',
  },
  { id: 'Zyzzyva.CLI.6', kind: 'defence', text: 'f+1 equal final answers complete a request' },
] as const satisfies readonly RuleDescription[];

/** Id of a rule of this folder. */
export type ZyzzyvaRule = (typeof ZYZZYVA_RULES)[number]['id'];
