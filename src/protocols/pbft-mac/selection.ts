/**
 * What a new view starts with, worked out from claims that nobody signed (TOCS 2002, 4.5.3). Pure: every replica comes to
 * the same answer from the same VIEW-CHANGEs.
 */
import type { Digest, ReplicaId, SequenceNumber, View } from '../../core/types.ts';
import type { CheckpointClaim, OrderClaim, ViewChange } from './messages.ts';

/** A VIEW-CHANGE and who wrote it. */
export interface Claimed {
  readonly author: ReplicaId;
  readonly content: ViewChange;
}

/** What the answer depends on beside the claims. */
export interface SelectionSizes {
  /** 2f+1 (n - f). */
  readonly quorum: number;
  /** f+1. */
  readonly weak: number;
  /** L. */
  readonly window: number;
  /** Digest of the batch that does nothing. */
  readonly nothing: Digest;
}

/** What the new view starts with. */
export interface Selection {
  readonly checkpoint: CheckpointClaim;
  /** One for each order above the checkpoint up to the last that may have been prepared. */
  readonly proposals: readonly CheckpointClaim[];
}

/** Batches of one order that a replica keeps in Q, at most: older ones give way (README). */
export const BATCHES_PER_ORDER_MAX = 64;

/**
 * Q of an order with one claim more. Beyond the bound the oldest gives way, but never the one that was prepared here: what
 * may have been committed stays vouched for.
 */
export function latestClaims(
  claims: readonly OrderClaim[],
  added: OrderClaim,
  prepared: Digest | undefined,
): OrderClaim[] {
  const all = [...claims.filter(({ digest }) => digest !== added.digest), added];
  if (all.length <= BATCHES_PER_ORDER_MAX) return all;
  const oldest = all.findIndex(({ digest }) => digest !== prepared);
  return all.filter((_, index) => index !== oldest);
}

/** Whether a VIEW-CHANGE is well-formed: claims of lower views, orders inside its window, in order, bounded. */
export function isWellFormed({ window }: SelectionSizes, content: ViewChange): boolean {
  const { low, view, checkpoints, prepared, proposed } = content;
  const fits = ({ sequence, view: claimed }: OrderClaim): boolean =>
    claimed < view && sequence > low && sequence <= low + window;
  const ascends = (claims: readonly CheckpointClaim[], atMost: number): boolean => {
    let [last, count] = [-1, 0];
    for (const { sequence } of claims) {
      if (sequence < last) return false;
      count = sequence === last ? count + 1 : 1;
      if (count > atMost) return false;
      last = sequence;
    }
    return true;
  };
  return (
    view > 0 &&
    ascends(checkpoints, 1) &&
    checkpoints[0]?.sequence === low &&
    checkpoints.every(({ sequence }) => sequence <= low + window) &&
    ascends(prepared, 1) &&
    prepared.every(fits) &&
    ascends(proposed, BATCHES_PER_ORDER_MAX) &&
    proposed.every(fits)
  );
}

/** The answer, or undefined if these VIEW-CHANGEs leave something open: then more are needed. */
export function select(sizes: SelectionSizes, changes: readonly Claimed[]): Selection | undefined {
  const checkpoint = selectCheckpoint(sizes, changes);
  if (checkpoint === undefined) return undefined;
  let end = checkpoint.sequence;
  for (const { content } of changes)
    for (const { sequence } of content.prepared) end = Math.max(end, sequence);
  end = Math.min(end, checkpoint.sequence + sizes.window);
  const about = claimsAbout(changes);
  const proposals: CheckpointClaim[] = [];
  for (let sequence = checkpoint.sequence + 1; sequence <= end; sequence += 1) {
    const digest = selectBatch(sizes, about(sequence), sequence);
    if (digest === undefined) return undefined;
    proposals.push({ sequence, digest });
  }
  return { checkpoint, proposals };
}

/** For each order the VIEW-CHANGEs with what they claim of it, and nothing else: they are long, and orders are many. */
function claimsAbout(changes: readonly Claimed[]): (sequence: SequenceNumber) => readonly Claimed[] {
  const bySequence = (claims: readonly OrderClaim[]): Map<SequenceNumber, OrderClaim[]> => {
    const map = new Map<SequenceNumber, OrderClaim[]>();
    for (const claim of claims) {
      const known = map.get(claim.sequence);
      if (known === undefined) map.set(claim.sequence, [claim]);
      else known.push(claim);
    }
    return map;
  };
  const sorted = changes.map(({ author, content }) => {
    const [prepared, proposed] = [bySequence(content.prepared), bySequence(content.proposed)];
    return { author, content, prepared, proposed };
  });
  return (sequence) =>
    sorted.map(({ author, content, prepared, proposed }) => {
      const own = { prepared: prepared.get(sequence) ?? [], proposed: proposed.get(sequence) ?? [] };
      return { author, content: { ...content, ...own } };
    });
}

/** The highest checkpoint that f+1 hold and 2f+1 have not left behind. */
export function selectCheckpoint(
  { quorum, weak }: SelectionSizes,
  changes: readonly Claimed[],
): CheckpointClaim | undefined {
  const claims = changes.flatMap(({ content }) => content.checkpoints);
  claims.sort((a, b) => b.sequence - a.sequence || (a.digest < b.digest ? -1 : 1));
  return claims.find(({ sequence, digest }) => {
    const reached = changes.filter(({ content }) => content.low <= sequence).length;
    const held = changes.filter(({ content }) =>
      content.checkpoints.some((other) => other.sequence === sequence && other.digest === digest),
    ).length;
    return reached >= quorum && held >= weak;
  });
}

/** What must be proposed for an order; undefined: open. */
function selectBatch(
  sizes: SelectionSizes,
  changes: readonly Claimed[],
  sequence: SequenceNumber,
): Digest | undefined {
  const candidates = changes.flatMap(({ content }) =>
    content.prepared.filter((claim) => claim.sequence === sequence),
  );
  candidates.sort((a, b) => b.view - a.view || (a.digest < b.digest ? -1 : 1));
  for (const { digest, view } of candidates)
    if (isLatest(sizes, changes, sequence, digest, view) && isGenuine(sizes, changes, sequence, digest, view))
      return digest;
  return isFree(sizes, changes, sequence) ? sizes.nothing : undefined;
}

/** A1: nothing else can have been committed later. */
export function isLatest(
  { quorum }: SelectionSizes,
  changes: readonly Claimed[],
  sequence: SequenceNumber,
  digest: Digest,
  view: View,
): boolean {
  const agreeing = changes.filter(
    ({ content }) =>
      content.low < sequence &&
      content.prepared.every(
        (other) =>
          other.sequence !== sequence ||
          other.view < view ||
          (other.view === view && other.digest === digest),
      ),
  );
  return agreeing.length >= quorum;
}

/** A2: a correct replica has said PRE-PREPARE or PREPARE for it, so it is genuine and can be fetched. */
export function isGenuine(
  { weak }: SelectionSizes,
  changes: readonly Claimed[],
  sequence: SequenceNumber,
  digest: Digest,
  view: View,
): boolean {
  const vouching = changes.filter(({ content }) =>
    content.proposed.some(
      (other) => other.sequence === sequence && other.digest === digest && other.view >= view,
    ),
  );
  return vouching.length >= weak;
}

/** B: nothing can have been committed. */
export function isFree(
  { quorum }: SelectionSizes,
  changes: readonly Claimed[],
  sequence: SequenceNumber,
): boolean {
  const without = changes.filter(
    ({ content }) => content.low < sequence && content.prepared.every((claim) => claim.sequence !== sequence),
  );
  return without.length >= quorum;
}
