/**
 * View change with signatures (OSDI 1999, 4.4): when a VIEW-CHANGE and a NEW-VIEW are valid, and what a new view starts
 * with. Pure: every replica comes to the same answers from the same bytes.
 */
import type { Digest, ReplicaId, SequenceNumber, View } from '../../core/types.ts';
import type { CheckpointProofRules } from '../attested/checkpoint.ts';
import { provenCheckpoint } from '../attested/checkpoint.ts';
import { areDistinct, isSigned } from '../attested/quorums.ts';
import type { Sealed } from '../attested/sealed.ts';
import { isOf } from '../attested/sealed.ts';
import type { NewView, PhaseContent, PreparedProof, ViewChange } from './messages.ts';
import type { NewViewBase } from './base.ts';
import type { ThreePhaseRule } from './rules.ts';

/** What the judgement depends on beside the bytes. */
export interface PhaseRules extends CheckpointProofRules<PhaseContent> {
  /** L. */
  readonly window: number;
  readonly primaryOf: (view: View) => ReplicaId;
  /** Records the outcome of a rule; gives it back. */
  readonly rule: (rule: ThreePhaseRule, passed: boolean, about?: string) => boolean;
}

/** Whether a proof shows that its batch was prepared in its view. */
export function isPreparedProof(rules: PhaseRules, proof: PreparedProof): boolean {
  const { prePrepare, prepares } = proof;
  const { content: proposal, author: primary } = prePrepare;
  if (proposal.kind !== 'PRE-PREPARE' || primary !== rules.primaryOf(proposal.view)) return false;
  const messages = [prePrepare, ...prepares];
  if (!messages.every(isSigned) || !areDistinct(messages)) return false;
  // With the primary's own word these are a quorum.
  if (prepares.length < rules.quorum - 1) return false;
  return prepares.every(
    ({ content }) =>
      content.kind === 'PREPARE' &&
      content.view === proposal.view &&
      content.sequence === proposal.sequence &&
      content.digest === proposal.digest,
  );
}

/** Whether a VIEW-CHANGE is valid; every seal in it holds already. */
export function isValidViewChange(rules: PhaseRules, message: Sealed<PhaseContent>): boolean {
  const { content } = message;
  if (content.kind !== 'VIEW-CHANGE') return false;
  const low = provenCheckpoint(rules, content.checkpoints);
  if (!rules.rule('PBFT.VC.checkpoint', low !== undefined, 'VIEW-CHANGE')) return false;
  let previous = low!;
  for (const proof of content.prepared) {
    if (!rules.rule('PBFT.VC.proof', isPreparedProof(rules, proof), 'VIEW-CHANGE')) return false;
    const proposal = proof.prePrepare.content;
    if (proposal.kind !== 'PRE-PREPARE') return false;
    const { sequence, view } = proposal;
    const inRange = sequence > previous && sequence <= low! + rules.window && view < content.view;
    if (!rules.rule('PBFT.VC.range', inRange, 'VIEW-CHANGE')) return false;
    previous = sequence;
  }
  return true;
}

/** What a view that starts with these VIEW-CHANGEs has to propose: of proofs for one order that of the highest view. */
export function baseOf(rules: PhaseRules, viewChanges: readonly ViewChange[]): NewViewBase {
  let low = 0;
  let end = 0;
  const best = new Map<SequenceNumber, PreparedProof & { readonly view: View; readonly digest: Digest }>();
  for (const { checkpoints, prepared } of viewChanges) {
    low = Math.max(low, provenCheckpoint(rules, checkpoints) ?? 0);
    for (const proof of prepared) {
      const proposal = proof.prePrepare.content;
      if (proposal.kind !== 'PRE-PREPARE') continue;
      const { sequence, view, digest } = proposal;
      end = Math.max(end, sequence);
      const known = best.get(sequence);
      if (known === undefined || known.view < view) best.set(sequence, { ...proof, view, digest });
    }
  }
  const proposals = new Map<SequenceNumber, Digest>();
  const sources = new Map<Digest, readonly ReplicaId[]>();
  for (const [sequence, { digest, prePrepare, prepares }] of best) {
    if (sequence <= low) continue;
    proposals.set(sequence, digest);
    sources.set(digest, [prePrepare.author, ...prepares.map(({ author }) => author)]);
  }
  return { low, end: Math.max(low, end), proposals, sources };
}

/** The base of a NEW-VIEW, or undefined if it is not valid. */
export function judgeNewView(rules: PhaseRules, message: Sealed<NewView>): NewViewBase | undefined {
  const { content } = message;
  if (!rules.rule('PBFT.NV.primary', message.author === rules.primaryOf(content.view), 'NEW-VIEW'))
    return undefined;
  const { viewChanges, view } = content;
  const isQuorum =
    viewChanges.length === rules.quorum &&
    areDistinct(viewChanges) &&
    viewChanges.every(isSigned) &&
    viewChanges.every(
      (one) =>
        one.content.kind === 'VIEW-CHANGE' && one.content.view === view && isValidViewChange(rules, one),
    );
  if (!rules.rule('PBFT.NV.quorum', isQuorum, 'NEW-VIEW')) return undefined;
  return baseOf(rules, viewChangesOf(message));
}

/** What the VIEW-CHANGEs of a valid NEW-VIEW say. */
export function viewChangesOf({ content }: Sealed<NewView>): readonly ViewChange[] {
  return content.viewChanges.flatMap((one) => (isOf(one, 'VIEW-CHANGE') ? [one.content] : []));
}
