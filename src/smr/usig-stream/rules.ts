/**
 * The numbered rules that this folder checks (decision E6). `guard`: the simulator must see it pass and refuse.
 * `defence`: kept in depth, no honest composition of the other rules reaches it; a constructed test does.
 */
import type { RuleDescription } from '../../core/protocol.ts';

/** Every rule of streams, VIEW-CHANGE, NEW-VIEW, base and anchors. */
export const USIG_STREAM_RULES = [
  // Replicas take nothing in for a dead stream, and a log is replayed from a start that is alive.
  { id: 'MinBFT.STEP.PRE.1', kind: 'defence', text: 'a dead stream accepts nothing' },
  {
    id: 'MinBFT.STEP.PRE.2',
    kind: 'guard',
    text: 'the message is sealed by the author under the incarnation of the stream',
  },
  { id: 'MinBFT.STEP.PRE.3', kind: 'guard', text: 'the counter is the next one of the stream' },
  { id: 'MinBFT.STEP.PREPARE.1', kind: 'guard', text: 'PREPARE: the stream is ACTIVE' },
  {
    id: 'MinBFT.STEP.PREPARE.2',
    kind: 'guard',
    text: 'PREPARE: the author is the primary of the view it is active in',
  },
  { id: 'MinBFT.STEP.PREPARE.3', kind: 'guard', text: 'PREPARE: the view is the one it is active in' },
  {
    id: 'MinBFT.STEP.PREPARE.4',
    kind: 'guard',
    text: 'PREPARE: the NEW-VIEW counter is that of the NEW-VIEW of this view',
  },
  { id: 'MinBFT.STEP.PREPARE.5', kind: 'guard', text: 'PREPARE: the sequence number is the next one' },
  {
    id: 'MinBFT.STEP.PREPARE.6',
    kind: 'guard',
    text: 'PREPARE: the sequence number is inside the window of the own last CHECKPOINT',
  },
  {
    id: 'MinBFT.STEP.PREPARE.7',
    kind: 'guard',
    text: 'PREPARE: the configuration version is the current one',
  },
  { id: 'MinBFT.STEP.COMMIT.1', kind: 'guard', text: 'COMMIT: the stream is ACTIVE' },
  {
    id: 'MinBFT.STEP.COMMIT.2',
    kind: 'guard',
    text: 'COMMIT: the author is not the primary of the view it is active in',
  },
  { id: 'MinBFT.STEP.COMMIT.3', kind: 'guard', text: 'COMMIT: the PREPARE is of the view it is active in' },
  {
    id: 'MinBFT.STEP.COMMIT.4',
    kind: 'guard',
    text: 'COMMIT: the PREPARE names the counter of the NEW-VIEW of this view',
  },
  { id: 'MinBFT.STEP.COMMIT.5', kind: 'guard', text: 'COMMIT: the PREPARE is by the primary of its view' },
  {
    id: 'MinBFT.STEP.COMMIT.6',
    kind: 'guard',
    text: 'COMMIT: the PREPARE is by the incarnation that made the NEW-VIEW',
  },
  {
    id: 'MinBFT.STEP.COMMIT.7',
    kind: 'guard',
    text: 'COMMIT: the counter of the PREPARE is above that of the previous commitment',
  },
  {
    id: 'MinBFT.STEP.COMMIT.8',
    kind: 'guard',
    text: 'COMMIT: the sequence number is above the previous commitment',
  },
  {
    id: 'MinBFT.STEP.COMMIT.9',
    kind: 'guard',
    text: 'COMMIT: nothing is skipped but what the own CHECKPOINT covers',
  },
  {
    id: 'MinBFT.STEP.COMMIT.10',
    kind: 'guard',
    text: 'COMMIT: the sequence number is inside the window of the own last CHECKPOINT',
  },
  {
    id: 'MinBFT.STEP.COMMIT.11',
    kind: 'guard',
    text: 'COMMIT: the configuration version of the PREPARE is the current one',
  },
  { id: 'MinBFT.STEP.CHECKPOINT.1', kind: 'guard', text: 'CHECKPOINT: the stream is ACTIVE' },
  {
    id: 'MinBFT.STEP.CHECKPOINT.2',
    kind: 'guard',
    text: 'CHECKPOINT: the sequence number is a multiple of the checkpoint interval',
  },
  {
    id: 'MinBFT.STEP.CHECKPOINT.3',
    kind: 'guard',
    text: 'CHECKPOINT: the sequence number is above the previous own CHECKPOINT',
  },
  {
    id: 'MinBFT.STEP.CHECKPOINT.4',
    kind: 'guard',
    text: 'CHECKPOINT: the summary of the own stream is true',
  },
  {
    id: 'MinBFT.STEP.CHECKPOINT.5',
    kind: 'guard',
    text: 'CHECKPOINT: the configuration version is the current one',
  },
  {
    id: 'MinBFT.STEP.VIEW-CHANGE.1',
    kind: 'guard',
    text: 'VIEW-CHANGE: the view is above the one that it was in or asked for',
  },
  { id: 'MinBFT.STEP.VIEW-CHANGE.2', kind: 'guard', text: 'VIEW-CHANGE, live: V1 to V6 hold' },
  { id: 'MinBFT.STEP.NEW-VIEW.1', kind: 'guard', text: 'NEW-VIEW: the stream is CHANGING' },
  {
    id: 'MinBFT.STEP.NEW-VIEW.2',
    kind: 'guard',
    text: 'NEW-VIEW: the view is the one that the author asked for last',
  },
  { id: 'MinBFT.STEP.NEW-VIEW.3', kind: 'guard', text: 'NEW-VIEW: the author is the primary of the view' },
  { id: 'MinBFT.STEP.NEW-VIEW.4', kind: 'guard', text: 'NEW-VIEW: N1 to N4 hold' },
  { id: 'MinBFT.STEP.COMMIT-NEW-VIEW.1', kind: 'guard', text: 'COMMIT-NV: the stream is CHANGING' },
  {
    id: 'MinBFT.STEP.COMMIT-NEW-VIEW.2',
    kind: 'guard',
    text: 'COMMIT-NV: the view is the one that the author asked for last',
  },
  {
    id: 'MinBFT.STEP.COMMIT-NEW-VIEW.3',
    kind: 'guard',
    text: 'COMMIT-NV: the author is not the primary of the view',
  },
  {
    id: 'MinBFT.STEP.COMMIT-NEW-VIEW.4',
    kind: 'guard',
    text: 'COMMIT-NV: the NEW-VIEW is by the primary of its view',
  },
  { id: 'MinBFT.STEP.COMMIT-NEW-VIEW.5', kind: 'guard', text: 'COMMIT-NV: N1 to N4 hold for the NEW-VIEW' },
  {
    id: 'MinBFT.V1',
    kind: 'guard',
    text: 'VIEW-CHANGE is by the incarnation that is current in the registry its checkpoint certifies',
  },
  {
    id: 'MinBFT.V2',
    kind: 'guard',
    text: 'the stable checkpoint has f+1 agreeing CHECKPOINTs of distinct replicas',
  },
  {
    id: 'MinBFT.V3',
    kind: 'guard',
    text: 'the log starts at GENESIS or at a vouched own CHECKPOINT that is old enough',
  },
  {
    id: 'MinBFT.V4',
    kind: 'guard',
    text: 'the log is complete, bounded, and every entry follows the stream rules',
  },
  { id: 'MinBFT.V5', kind: 'guard', text: 'the view is above the one that the log ends in' },
  {
    id: 'MinBFT.V6',
    kind: 'guard',
    text: 'whoever skipped sequence numbers shows the checkpoint that covers them as stable',
  },
  {
    id: 'MinBFT.N1',
    kind: 'guard',
    text: 'NEW-VIEW is by the primary and quotes f+1 valid VIEW-CHANGEs for its view, its own included',
  },
  { id: 'MinBFT.N2', kind: 'guard', text: 'low, end and base are what follows from the quoted VIEW-CHANGEs' },
  {
    id: 'MinBFT.N3',
    kind: 'guard',
    text: 'NEW-VIEW directly follows the VIEW-CHANGE of its primary, above the fromView of the incarnation',
  },
  {
    id: 'MinBFT.N4',
    kind: 'guard',
    text: 'no quoted VIEW-CHANGE is by an incarnation that checkpoint or base has retired',
  },
  {
    id: 'MinBFT.R1',
    kind: 'guard',
    text: 'an anchor is at least w-1 checkpoints below the stable checkpoint',
  },
  { id: 'MinBFT.R2', kind: 'guard', text: 'an anchor is vouched for by f others' },
  {
    id: 'MinBFT.R3',
    kind: 'guard',
    text: 'the base of the NEW-VIEW that an anchor stands in is covered by the stable checkpoint',
  },
  { id: 'MinBFT.BASE.1', kind: 'guard', text: 'the base starts at the highest certified checkpoint' },
  {
    id: 'MinBFT.BASE.2',
    kind: 'guard',
    text: 'the highest view that anybody committed to decides, not the highest sequence number',
  },
  {
    id: 'MinBFT.BASE.3',
    kind: 'defence',
    text: 'of two NEW-VIEWs of one view the newer incarnation, then the lower counter counts',
  },
  {
    id: 'MinBFT.BASE.4',
    kind: 'guard',
    text: 'a base starts no lower than the NEW-VIEW it descends from, and keeps its base',
  },
  {
    id: 'MinBFT.BASE.5',
    kind: 'guard',
    text: 'of two PREPAREs for one sequence number the one with the lower primary counter counts',
  },
  { id: 'MinBFT.BASE.6', kind: 'defence', text: 'the base is cut at the first hole' },
  {
    id: 'MinBFT.LINK.1',
    kind: 'guard',
    text: 'a link of the chain of incarnations is certified by incarnations known before it',
  },
  { id: 'MinBFT.LINK.2', kind: 'guard', text: 'a link only adds incarnations' },
] as const satisfies readonly RuleDescription[];

/** Id of a rule that one protocol on USIG streams alone has. */
export type OwnRule = `MinZyzzyva.${string}` | `EBAWA.${string}`;

/** Id of a rule of this folder. */
export type UsigStreamRule = (typeof USIG_STREAM_RULES)[number]['id'];
