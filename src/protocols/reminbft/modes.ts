/**
 * Modes of a view. In *normal-case mode* f+1 active replicas order and execute, the others are passive and apply updates;
 * in *fault-handling mode* everybody takes part. Quorums are the same in both. The mode is agreed: view 0 begins in
 * normal-case mode, every other view in fault-handling mode until its command MODE.
 */
import type { ReplicaId, SequenceNumber } from '../../core/types.ts';
import type { Terms } from '../../smr/slot-chain/messages.ts';
import { topOf } from '../../smr/slot-chain/view-change.ts';

/** X grows to so many times its first value, at most. */
const PATIENCE_FACTOR_MAX = 64;

/** What of a NEW-VIEW the active set depends on. */
interface Leavers {
  readonly viewChanges: readonly { readonly author: ReplicaId }[];
}

/** A: in view 0 the first f+1 replicas; later those whose VIEW-CHANGEs the view rests on, so nobody that is silent. */
export function activeSet(newView: Leavers | undefined, f: number): readonly ReplicaId[] {
  if (newView === undefined) return Array.from({ length: f + 1 }, (_, replica) => replica);
  return newView.viewChanges.map(({ author }) => author).sort((a, b) => a - b);
}

/** Whether so many orders have passed in fault-handling mode that the primary may order MODE as `sequence`. */
export function mayReturn(terms: Terms, sequence: SequenceNumber): boolean {
  return sequence - topOf(terms) >= terms.carried;
}

/**
 * X of the view after `previous`, which covers orders through `top`. It doubles if the view came to normal-case mode and
 * faults came soon after (within two X, for MODE may wait for a checkpoint); after a long calm it is as at first; a view
 * that never returned leaves it as it is.
 */
export function nextPatience(previous: Terms, top: SequenceNumber, first: number): number {
  const passed = top - topOf(previous);
  if (previous.view === 0 || passed >= 3 * previous.carried) return first;
  if (passed < previous.carried) return previous.carried;
  return Math.min(2 * previous.carried, PATIENCE_FACTOR_MAX * first);
}

/** Whether an order of a view is in normal-case mode, given since when its view is. */
export function isNormal(since: SequenceNumber | undefined, sequence: SequenceNumber): boolean {
  return since !== undefined && sequence > since;
}
