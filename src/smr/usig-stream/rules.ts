/**
 * The numbered rules that this folder checks (decision E6). `guard`: the simulator must see it pass and refuse.
 * `defence`: kept in depth, no honest composition of the other rules reaches it; a constructed test does.
 */

/** One numbered rule. */
export interface RuleDescription {
  readonly id: string;
  readonly text: string;
  readonly kind: 'guard' | 'defence';
}

function guards<const I extends string>(id: I, text: string): { id: I; text: string; kind: 'guard' } {
  return { id, text, kind: 'guard' };
}

function defence<const I extends string>(id: I, text: string): { id: I; text: string; kind: 'defence' } {
  return { id, text, kind: 'defence' };
}

/** Every rule of streams, VIEW-CHANGE, NEW-VIEW, base and anchors. */
export const USIG_STREAM_RULES = [
  guards('MinBFT.STEP.PRE.1', 'a dead stream accepts nothing'),
  guards('MinBFT.STEP.PRE.2', 'the message is sealed by the author under the incarnation of the stream'),
  guards('MinBFT.STEP.PRE.3', 'the counter is the next one of the stream'),
  guards('MinBFT.STEP.PREPARE.1', 'PREPARE: the stream is ACTIVE'),
  guards('MinBFT.STEP.PREPARE.2', 'PREPARE: the author is the primary of the view it is active in'),
  guards('MinBFT.STEP.PREPARE.3', 'PREPARE: the view is the one it is active in'),
  guards('MinBFT.STEP.PREPARE.4', 'PREPARE: the NEW-VIEW counter is that of the NEW-VIEW of this view'),
  guards('MinBFT.STEP.PREPARE.5', 'PREPARE: the sequence number is the next one'),
  guards(
    'MinBFT.STEP.PREPARE.6',
    'PREPARE: the sequence number is inside the window of the own last CHECKPOINT',
  ),
  guards('MinBFT.STEP.PREPARE.7', 'PREPARE: the configuration version is the current one'),
  guards('MinBFT.STEP.COMMIT.1', 'COMMIT: the stream is ACTIVE'),
  guards('MinBFT.STEP.COMMIT.2', 'COMMIT: the author is not the primary of the view it is active in'),
  guards('MinBFT.STEP.COMMIT.3', 'COMMIT: the PREPARE is of the view it is active in'),
  guards('MinBFT.STEP.COMMIT.4', 'COMMIT: the PREPARE names the counter of the NEW-VIEW of this view'),
  guards('MinBFT.STEP.COMMIT.5', 'COMMIT: the PREPARE is by the primary of its view'),
  guards('MinBFT.STEP.COMMIT.6', 'COMMIT: the PREPARE is by the incarnation that made the NEW-VIEW'),
  guards(
    'MinBFT.STEP.COMMIT.7',
    'COMMIT: the counter of the PREPARE is above that of the previous commitment',
  ),
  guards('MinBFT.STEP.COMMIT.8', 'COMMIT: the sequence number is above the previous commitment'),
  guards('MinBFT.STEP.COMMIT.9', 'COMMIT: nothing is skipped but what the own CHECKPOINT covers'),
  guards(
    'MinBFT.STEP.COMMIT.10',
    'COMMIT: the sequence number is inside the window of the own last CHECKPOINT',
  ),
  guards('MinBFT.STEP.COMMIT.11', 'COMMIT: the configuration version of the PREPARE is the current one'),
  guards('MinBFT.STEP.CHECKPOINT.1', 'CHECKPOINT: the stream is ACTIVE'),
  guards(
    'MinBFT.STEP.CHECKPOINT.2',
    'CHECKPOINT: the sequence number is a multiple of the checkpoint interval',
  ),
  guards('MinBFT.STEP.CHECKPOINT.3', 'CHECKPOINT: the sequence number is above the previous own CHECKPOINT'),
  guards('MinBFT.STEP.CHECKPOINT.4', 'CHECKPOINT: the summary of the own stream is true'),
  guards('MinBFT.STEP.CHECKPOINT.5', 'CHECKPOINT: the configuration version is the current one'),
  guards('MinBFT.STEP.VIEW-CHANGE.1', 'VIEW-CHANGE: the view is above the one that it was in or asked for'),
  guards('MinBFT.STEP.VIEW-CHANGE.2', 'VIEW-CHANGE, live: V1 to V6 hold'),
  guards('MinBFT.STEP.NEW-VIEW.1', 'NEW-VIEW: the stream is CHANGING'),
  guards('MinBFT.STEP.NEW-VIEW.2', 'NEW-VIEW: the view is the one that the author asked for last'),
  guards('MinBFT.STEP.NEW-VIEW.3', 'NEW-VIEW: the author is the primary of the view'),
  guards('MinBFT.STEP.NEW-VIEW.4', 'NEW-VIEW: N1 to N4 hold'),
  guards('MinBFT.STEP.COMMIT-NEW-VIEW.1', 'COMMIT-NV: the stream is CHANGING'),
  guards('MinBFT.STEP.COMMIT-NEW-VIEW.2', 'COMMIT-NV: the view is the one that the author asked for last'),
  guards('MinBFT.STEP.COMMIT-NEW-VIEW.3', 'COMMIT-NV: the author is not the primary of the view'),
  guards('MinBFT.STEP.COMMIT-NEW-VIEW.4', 'COMMIT-NV: the NEW-VIEW is by the primary of its view'),
  guards('MinBFT.STEP.COMMIT-NEW-VIEW.5', 'COMMIT-NV: N1 to N4 hold for the NEW-VIEW'),
  guards(
    'MinBFT.V1',
    'VIEW-CHANGE is by the incarnation that is current in the registry its checkpoint certifies',
  ),
  guards('MinBFT.V2', 'the stable checkpoint has f+1 agreeing CHECKPOINTs of distinct replicas'),
  guards('MinBFT.V3', 'the log starts at GENESIS or at a vouched own CHECKPOINT that is old enough'),
  guards('MinBFT.V4', 'the log is complete, bounded, and every entry follows the stream rules'),
  guards('MinBFT.V5', 'the view is above the one that the log ends in'),
  guards('MinBFT.V6', 'whoever skipped sequence numbers shows the checkpoint that covers them as stable'),
  guards(
    'MinBFT.N1',
    'NEW-VIEW is by the primary and quotes f+1 valid VIEW-CHANGEs for its view, its own included',
  ),
  guards('MinBFT.N2', 'low, end and base are what follows from the quoted VIEW-CHANGEs'),
  guards(
    'MinBFT.N3',
    'NEW-VIEW directly follows the VIEW-CHANGE of its primary, above the fromView of the incarnation',
  ),
  guards('MinBFT.N4', 'no quoted VIEW-CHANGE is by an incarnation that checkpoint or base has retired'),
  guards('MinBFT.R1', 'an anchor is at least w-1 checkpoints below the stable checkpoint'),
  guards('MinBFT.R2', 'an anchor is vouched for by f others'),
  guards(
    'MinBFT.R3',
    'the base of the NEW-VIEW that an anchor stands in is covered by the stable checkpoint',
  ),
  guards('MinBFT.BASE.1', 'the base starts at the highest certified checkpoint'),
  guards(
    'MinBFT.BASE.2',
    'the highest view that anybody committed to decides, not the highest sequence number',
  ),
  defence(
    'MinBFT.BASE.3',
    'of two NEW-VIEWs of one view the newer incarnation, then the lower counter counts',
  ),
  guards('MinBFT.BASE.4', 'a base starts no lower than the NEW-VIEW it descends from, and keeps its base'),
  guards(
    'MinBFT.BASE.5',
    'of two PREPAREs for one sequence number the one with the lower primary counter counts',
  ),
  defence('MinBFT.BASE.6', 'the base is cut at the first hole'),
  guards('MinBFT.LINK.1', 'a link of the chain of incarnations is certified by incarnations known before it'),
  guards('MinBFT.LINK.2', 'a link only adds incarnations'),
] as const satisfies readonly RuleDescription[];

/** Id of a rule of this folder. */
export type UsigStreamRule = (typeof USIG_STREAM_RULES)[number]['id'];
