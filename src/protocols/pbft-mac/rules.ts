/** The numbered rules of PBFT with authenticators: three-phase agreement inside a view, its own between views. */
import type { RuleDescription } from '../../core/protocol.ts';
import { THREE_PHASE_RULES } from '../../smr/three-phase/rules.ts';

/** Rules of the view change with signatures: not this one's. */
const SIGNED = /^PBFT\.(VC\.(checkpoint|proof|range)|NV\.)/;

/** See the top of this file. */
export const PBFT_MAC_RULES: readonly RuleDescription[] = [
  ...THREE_PHASE_RULES.filter(({ id }) => !SIGNED.test(id)),
  {
    id: 'PBFT-MAC.VC2',
    kind: 'guard',
    text: 'VIEW-CHANGE: claims of lower views, inside its window, in order',
  },
  {
    id: 'PBFT-MAC.VC3',
    kind: 'guard',
    text: 'a VIEW-CHANGE counts once 2f+1 replicas are known to have the same one',
  },
  {
    id: 'PBFT-MAC.VC4',
    kind: 'guard',
    text: 'the new primary waits until nothing is left open, and has every batch',
  },
  { id: 'PBFT-MAC.VC5.primary', kind: 'guard', text: 'NEW-VIEW: by the primary of the view' },
  {
    id: 'PBFT-MAC.VC5.copy',
    kind: 'guard',
    text: 'a copy of a VIEW-CHANGE counts if f+1 replicas have had it from its author',
  },
  {
    id: 'PBFT-MAC.VC5.same',
    kind: 'guard',
    text: 'NEW-VIEW: everybody comes to what it says from the same VIEW-CHANGEs',
  },
  {
    id: 'PBFT-MAC.CKPT',
    kind: 'guard',
    text: 'a replica that lags fetches a state that f+1 CHECKPOINTs name',
  },
  {
    id: 'PBFT-MAC.DECIDED',
    kind: 'guard',
    text: 'what f+1 replicas say to be committed is, and needs no COMMITs of a quorum',
  },
  {
    id: 'PBFT-MAC.ENTERED',
    kind: 'guard',
    text: 'a replica that comes too late for the VIEW-CHANGEs enters a view as f+1 say to have entered it',
  },
];
