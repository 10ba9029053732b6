/** R1 to R3: where an own log may start, and stream sync. */
import type { Incarnation, ReplicaId, SequenceNumber } from '../../core/types.ts';
import type { StreamContext } from './context.ts';
import type { Checkpoint } from './messages.ts';

/** Whether a CHECKPOINT of another replica vouches for the stream of `author` up to `anchor` (rule R2). */
function vouchesFor(
  context: StreamContext,
  voucher: Checkpoint,
  anchor: Checkpoint,
  incarnation: Incarnation,
): boolean {
  const seen = voucher.seen[anchor.ui.replica];
  return (
    voucher.ui.replica !== anchor.ui.replica &&
    voucher.ui.replica < context.n &&
    seen !== undefined &&
    seen.incarnation === incarnation &&
    seen.counter >= anchor.ui.counter
  );
}

/** How many distinct replicas vouch for `anchor`. */
export function voucherCount(
  context: StreamContext,
  anchor: Checkpoint,
  vouchers: readonly Checkpoint[],
  incarnation: Incarnation,
): number {
  const replicas = new Set<ReplicaId>();
  for (const voucher of vouchers)
    if (vouchesFor(context, voucher, anchor, incarnation)) replicas.add(voucher.ui.replica);
  return replicas.size;
}

/** The first of R1, R2, R3 that forbids the log of `anchor`'s author to start there; undefined: it may. */
export function anchorObstacle(
  context: StreamContext,
  anchor: Checkpoint,
  vouchers: readonly Checkpoint[],
  incarnation: Incarnation,
  stable: SequenceNumber,
): 'MinBFT.R1' | 'MinBFT.R2' | 'MinBFT.R3' | undefined {
  if (anchor.sequence > stable - (context.pipelineFactor - 1) * context.checkpointInterval)
    return 'MinBFT.R1';
  if (voucherCount(context, anchor, vouchers, incarnation) < context.f) return 'MinBFT.R2';
  if (anchor.self.newView.end > stable) return 'MinBFT.R3';
  return undefined;
}

/** Whether the log may start at `anchor`: R1 to R3. */
export function mayAnchor(
  context: StreamContext,
  anchor: Checkpoint,
  vouchers: readonly Checkpoint[],
  incarnation: Incarnation,
  stable: SequenceNumber,
): boolean {
  return anchorObstacle(context, anchor, vouchers, incarnation, stable) === undefined;
}
