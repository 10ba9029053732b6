/**
 * The numbered rules of EBAWA (decision E6): those of USIG streams and of conduct on them that hold here too, under the
 * names that MinBFT gave them, and its own.
 */
import type { RuleDescription } from '../../core/protocol.ts';
import { USIG_REPLICA_RULES } from '../../smr/usig-replica/rules.ts';
import { USIG_STREAM_RULES } from '../../smr/usig-stream/rules.ts';

function guard(id: string, text: string): RuleDescription {
  return { id, text, kind: 'guard' };
}

function defence(id: string, text: string): RuleDescription {
  return { id, text, kind: 'defence' };
}

/** Rules that EBAWA alone has. */
const EBAWA_OWN_RULES: readonly RuleDescription[] = [
  guard('EBAWA.STEP.1', 'PREPARE: the next own slot, no gap ever, the last slot of a run inside the window'),
  guard('EBAWA.STEP.2', 'COMMIT-VEC: every proposal is one that may be voted for, or none counts'),
  defence('EBAWA.STEP.3', 'whoever skipped slots shows the checkpoint that covers them as stable'),
  defence('EBAWA.STEP.4', 'everything else about streams is as in MinBFT'),
  guard('EBAWA.ORD.1', 'an owner proposes in its next slot, inside the window'),
  guard('EBAWA.ORD.2', 'an idle owner skips its slots where others have proposed, never beyond the window'),
  guard('EBAWA.ORD.3', 'a vote stands for proposals of many owners, for each owner in slot order'),
  defence('EBAWA.EXEC.1', 'slots are executed in order, each on f+1 votes for one proposal of its owner'),
  defence('EBAWA.EXEC.2', 'a SKIP needs f+1 votes like any other proposal'),
  defence('EBAWA.EXEC.3', 'nothing is executed in a view below that of an installed checkpoint'),
  defence('EBAWA.EXEC.4', 'every replica answers; f+1 equal answers complete a request'),
  defence('EBAWA.CKPT.1', 'boundaries are slots, also in the middle of a run'),
  guard('EBAWA.VC.1', 'the owner of a slot that stays undecided while others go on is suspected'),
  defence('EBAWA.VC.2', 'suspects are part of what a VIEW-CHANGE seals'),
  defence('EBAWA.VC.3', 'the base holds one proposal for each slot and is cut at the first missing one'),
  defence('EBAWA.VC.4', 'the owners of a view follow from the VIEW-CHANGEs that it starts from'),
  defence('EBAWA.VC.5', 'owners go on above the base once their own COMMIT-NV is sealed; suspicion ends'),
  defence('EBAWA.VC.6', 'a faulty coordinator costs one view more'),
  guard('EBAWA.VC.7', 'slots of an owner whose incarnation was retired are void, and its view ends'),
];

/** Rules of one primary, which have no place in views with several owners. */
const OF_ONE_PRIMARY = /^MinBFT\.(STEP\.(PREPARE|COMMIT)\.|LEADER\.[12]|BACKUP\.[1-4]$)/;

/** Every rule of this protocol. */
export const EBAWA_RULES: readonly RuleDescription[] = [
  ...[...USIG_STREAM_RULES, ...USIG_REPLICA_RULES].filter(({ id }) => !OF_ONE_PRIMARY.test(id)),
  ...EBAWA_OWN_RULES,
];
