/** When a primary proposes, and what a batch is made of. */
import type { ClusterLimits } from '../core/config.ts';
import { windowOf } from '../core/config.ts';
import type { Domain } from '../core/domain.ts';
import type { Batch, Bundle, RecoverRequest } from '../core/request.ts';
import { batchDigest, encodeBatch } from '../core/request.ts';
import type { Hash, Milliseconds, View } from '../core/types.ts';

/** Proposals without execution, at most, whatever the window would allow. */
const IN_FLIGHT_MAX = 32;

/** How far ahead of the own clock the time of a batch may be (decision D4). */
export const TIME_AHEAD_MAX_MS = 5_000;

/** Bytes of a batch that are not bundles: version, view, time, counts. */
export const BATCH_FRAME_BYTES = 32;

/** maxInFlight = min(32, L). */
export function inFlightMaxOf(limits: ClusterLimits): number {
  return Math.min(IN_FLIGHT_MAX, windowOf(limits));
}

/** What the decision depends on. */
export interface BatchingSituation {
  readonly now: Milliseconds;
  readonly inFlight: number;
  readonly unproposedRequests: number;
  readonly unproposedBytes: number;
  /** Arrival of the oldest unproposed bundle; undefined: nothing waits. */
  readonly oldestSince: Milliseconds | undefined;
}

/** Propose now, or look again at a time, or wait for something to happen. */
export type BatchingDecision =
  | { readonly kind: 'propose' }
  | { readonly kind: 'waitUntil'; readonly at: Milliseconds }
  | { readonly kind: 'wait' };

/**
 * Propose at once when nothing is in flight; otherwise when a full batch waits or the oldest bundle has waited
 * `batchDelayMs`.
 */
export function decideBatch(
  limits: ClusterLimits,
  batchDelayMs: Milliseconds,
  situation: BatchingSituation,
): BatchingDecision {
  const { now, inFlight, oldestSince } = situation;
  if (oldestSince === undefined || inFlight >= inFlightMaxOf(limits)) return { kind: 'wait' };
  if (inFlight === 0) return { kind: 'propose' };
  if (situation.unproposedRequests >= limits.batchRequestsMax) return { kind: 'propose' };
  if (situation.unproposedBytes >= limits.batchBytesMax - BATCH_FRAME_BYTES) return { kind: 'propose' };
  const at = oldestSince + batchDelayMs;
  return at <= now ? { kind: 'propose' } : { kind: 'waitUntil', at };
}

/** A batch of authentic parts, as a primary makes it. */
export function buildBatch(
  hash: Hash,
  domain: Domain,
  content: {
    readonly proposedInView: View;
    readonly time: Milliseconds;
    readonly recovers: readonly RecoverRequest[];
    readonly bundles: readonly Bundle[];
  },
): Batch {
  const { proposedInView, recovers, bundles } = content;
  const time = Math.max(0, Math.floor(content.time));
  const bytes = encodeBatch({
    proposedInView,
    time,
    recovers,
    bundles: bundles.map((bundle) => bundle.bytes),
  });
  return {
    digest: batchDigest(hash, domain, bytes),
    bytes,
    proposedInView,
    time,
    recovers,
    bundles,
    bundleAuthentic: bundles.map(() => true),
    recoverAuthentic: recovers.map(() => true),
  };
}
