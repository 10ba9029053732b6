/**
 * When a VIEW-CHANGE and a NEW-VIEW are valid, and what a new view starts with. Pure: every replica comes to the same
 * answers from the same bytes. Why it is safe stands in the README.
 */
import type { Digest, ReplicaId, SequenceNumber, View } from '../../core/types.ts';
import { provenCheckpoint, readingOf } from '../../smr/attested/checkpoint.ts';
import { areDistinct, isQuorum, isSigned } from '../../smr/attested/quorums.ts';
import type {
  FlexiContent,
  FlexiSealed,
  NewView,
  PrePrepare,
  ViewBase,
  ViewChange,
  ViewStart,
} from './messages.ts';
import { counterFor, endOf } from './messages.ts';
import type { FlexiRule } from './rules.ts';

/** What the judgement depends on beside the bytes. */
export interface FlexiJudge {
  readonly n: number;
  /** 2f+1 of 3f+1. */
  readonly quorum: number;
  /** L. */
  readonly window: number;
  /** The batch that does nothing. */
  readonly nothing: Digest;
  readonly digestOf: (start: ViewStart) => Digest;
  readonly primaryOf: (view: View) => ReplicaId;
  /** Records the outcome of a rule; gives it back. */
  readonly rule: (rule: FlexiRule, passed: boolean, about?: string) => boolean;
}

/** A NEW-VIEW that holds: what its view starts with, and the CHECKPOINTs that prove where. */
export interface JudgedNewView {
  readonly message: FlexiSealed;
  readonly start: ViewStart;
  readonly digest: Digest;
  readonly checkpoints: readonly FlexiSealed[];
}

/** Rule 12: whether the word for a message is the one that its kind asks for. */
export function fitsKind(judge: FlexiJudge, message: FlexiSealed): boolean {
  const { content, author, attestation } = message;
  if (content.kind !== 'PREPREPARE') return attestation.kind === 'host' && content.kind !== 'LEAVE';
  const { view, sequence } = content;
  const wanted = counterFor(view, sequence, judge.n);
  const fits =
    wanted !== undefined &&
    author === judge.primaryOf(view) &&
    attestation.kind === 'object' &&
    attestation.form === wanted.form &&
    attestation.object === wanted.object &&
    attestation.value === wanted.value;
  return judge.rule('FlexiBFT.12.counter', fits, 'PREPREPARE');
}

/** The stable checkpoint that a VIEW-CHANGE proves; undefined if it proves none. */
function stableIn({ quorum }: FlexiJudge, { checkpoints }: ViewChange): SequenceNumber | undefined {
  return provenCheckpoint({ quorum, checkpointOf: readingOf, isVouched: isSigned }, checkpoints);
}

/** Whether a quorum entered the view with this start: then no other start of the view can have been entered. */
function isCertified(judge: FlexiJudge, { start, enters }: ViewBase): boolean {
  if (start.view === 0) return start.low === 0 && start.batches.length === 0 && enters.length === 0;
  const digest = judge.digestOf(start);
  const isEnter = ({ content }: FlexiSealed): boolean =>
    content.kind === 'ENTER' && content.view === start.view && content.start === digest;
  return isQuorum(judge.quorum, enters) && enters.every(isSigned) && enters.every(isEnter);
}

/** Whether a VIEW-CHANGE is valid; every seal in it holds already. */
export function isValidViewChange(judge: FlexiJudge, content: FlexiContent): boolean {
  if (content.kind !== 'VIEW-CHANGE') return false;
  const { view, base, proposals } = content;
  const low = stableIn(judge, content) ?? -1;
  if (!judge.rule('FlexiBFT.VC.checkpoint', low >= base.start.low, content.kind)) return false;
  if (!judge.rule('FlexiBFT.VC.base', base.start.view < view && isCertified(judge, base), content.kind))
    return false;
  let previous = Math.max(low, endOf(base.start));
  for (const proposal of proposals) {
    const { content: one } = proposal;
    const holds =
      one.kind === 'PREPREPARE' &&
      fitsKind(judge, proposal) &&
      one.view === base.start.view &&
      one.sequence > previous &&
      one.sequence <= low + judge.window;
    if (!judge.rule('FlexiBFT.VC.proposals', holds, content.kind)) return false;
    previous = (one as PrePrepare).sequence;
  }
  return true;
}

/** What a view that begins with these VIEW-CHANGEs starts with: the latest certified start, and proposals of its view. */
function startFrom(
  judge: FlexiJudge,
  view: View,
  changes: readonly FlexiSealed[],
): Omit<JudgedNewView, 'message'> {
  let low = 0;
  let checkpoints: readonly FlexiSealed[] = [];
  let latest: ViewStart | undefined;
  for (const { content } of changes) {
    if (content.kind !== 'VIEW-CHANGE') continue;
    const proven = stableIn(judge, content) ?? 0;
    if (proven > low) [low, checkpoints] = [proven, content.checkpoints];
    if (latest === undefined || content.base.start.view > latest.view) latest = content.base.start;
  }
  const batches = new Map<SequenceNumber, Digest>();
  for (const [index, batch] of (latest?.batches ?? []).entries()) batches.set(latest!.low + index + 1, batch);
  for (const { content } of changes) {
    // Proposals of older views were vouched for by nobody who took part in the latest, or are in its start.
    if (content.kind !== 'VIEW-CHANGE' || content.base.start.view !== latest?.view) continue;
    for (const { content: one } of content.proposals)
      if (one.kind === 'PREPREPARE') batches.set(one.sequence, one.batch);
  }
  const end = Math.max(low, ...batches.keys());
  const ordered: Digest[] = [];
  for (let sequence = low + 1; sequence <= end; sequence += 1)
    ordered.push(batches.get(sequence) ?? judge.nothing);
  const start = { view, low, batches: ordered };
  return { start, digest: judge.digestOf(start), checkpoints };
}

/** What a NEW-VIEW amounts to, or undefined if it is not valid. */
export function judgeNewView(judge: FlexiJudge, message: FlexiSealed<NewView>): JudgedNewView | undefined {
  const { view, changes } = message.content;
  const isPrimary = view > 0 && message.author === judge.primaryOf(view);
  if (!judge.rule('FlexiBFT.NV.primary', isPrimary, 'NEW-VIEW')) return undefined;
  const holds =
    changes.length === judge.quorum &&
    areDistinct(changes) &&
    changes.every(isSigned) &&
    changes.every(
      ({ content }) =>
        content.kind === 'VIEW-CHANGE' && content.view === view && isValidViewChange(judge, content),
    );
  if (!judge.rule('FlexiBFT.NV.quorum', holds, 'NEW-VIEW')) return undefined;
  return { message, ...startFrom(judge, view, changes) };
}
