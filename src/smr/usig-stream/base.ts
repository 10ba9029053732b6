/** computeBase: what a new view starts from, given VIEW-CHANGEs that are known to be valid. */
import { finishDigest } from '../../core/domain.ts';
import type { Digest, ReplicaId, SequenceNumber, TcEpoch } from '../../core/types.ts';
import { digestWriter } from './context.ts';
import type { StreamContext } from './context.ts';
import type { NewViewReference, Prepare, ViewChange } from './messages.ts';
import { proposalsIn, slotsOf } from './slots.ts';
import type { ComputedBase, ValidNewView, ValidViewChange } from './validation.ts';
import { writeUiName } from './wire.ts';

/** A VIEW-CHANGE and what V1 to V6 found in it. */
export interface CheckedViewChange {
  readonly message: ViewChange;
  readonly checked: ValidViewChange;
}

/** Digest of a base: sequence number, PREPARE and place in its primary's stream of every entry. */
export function baseDigestOf(context: StreamContext, base: readonly Prepare[]): Digest {
  const writer = digestWriter(context, 'BASE').list(base, (w, prepare) => {
    writeUiName(w.u64(prepare.sequence).digest(prepare.digest), prepare.ui);
  });
  return finishDigest(context.hash, writer);
}

/** NV*: highest view, then newest incarnation, then lowest counter (MinBFT.BASE.2, MinBFT.BASE.3). */
function highestNewView(viewChanges: readonly CheckedViewChange[]): NewViewReference {
  let best = viewChanges[0]!.checked.end.newView;
  for (const { checked } of viewChanges) {
    const { newView } = checked.end;
    const newer =
      newView.view - best.view || newView.incarnation - best.incarnation || best.counter - newView.counter;
    if (newer > 0) best = newView;
  }
  return best;
}

function standsIn(newView: NewViewReference): (viewChange: CheckedViewChange) => boolean {
  return ({ checked: { end } }) =>
    end.newView.view === newView.view &&
    end.newView.incarnation === newView.incarnation &&
    end.newView.counter === newView.counter;
}

/** The highest certified checkpoint (MinBFT.BASE.1), or the start of NV* if that is higher (MinBFT.BASE.4). */
function lowOf(
  viewChanges: readonly CheckedViewChange[],
  parent: ValidNewView | undefined,
): Pick<ComputedBase, 'low' | 'lowDigest' | 'lowRegistryDigest' | 'certificate'> {
  let stable = viewChanges[0]!.checked.stable;
  for (const { checked } of viewChanges)
    if (checked.stable.sequence > stable.sequence) stable = checked.stable;
  if (parent !== undefined && parent.header.low > stable.sequence) {
    const { low, lowDigest, lowRegistryDigest } = parent.header;
    return { low, lowDigest, lowRegistryDigest, certificate: undefined };
  }
  const { sequence, stateDigest, registryDigest, certificate } = stable;
  return { low: sequence, lowDigest: stateDigest, lowRegistryDigest: registryDigest, certificate };
}

/** The proposals of NV* above `floor` in the logs; of two for one sequence number the earlier one (MinBFT.BASE.5). */
function candidatesAbove(
  context: StreamContext,
  viewChanges: readonly CheckedViewChange[],
  newView: NewViewReference,
  floor: SequenceNumber,
  isMadeBy: (replica: ReplicaId, tcEpoch: TcEpoch) => boolean,
): ReadonlyMap<SequenceNumber, Prepare> {
  const candidates = new Map<SequenceNumber, Prepare>();
  if (newView.view < 0) return candidates;
  const primary = context.primaryOf(newView.view);
  for (const { message } of viewChanges)
    for (const entry of message.log)
      for (const prepare of proposalsIn(entry)) {
        if (prepare.view !== newView.view || prepare.newViewCounter !== newView.counter) continue;
        const made =
          context.slots !== undefined ||
          (prepare.ui.replica === primary && isMadeBy(primary, prepare.ui.tcEpoch));
        if (!made) continue;
        for (const slot of slotsOf(newView, prepare)) {
          if (slot <= floor) continue;
          const other = candidates.get(slot);
          if (other === undefined || prepare.ui.counter < other.ui.counter) candidates.set(slot, prepare);
        }
      }
  return candidates;
}

/**
 * Steps 1 to 6 of computeBase. Pure in the valid VIEW-CHANGEs (at least one); `incarnationOf` knows every incarnation
 * that they quote.
 */
export function foldBase(
  context: StreamContext,
  viewChanges: readonly CheckedViewChange[],
  incarnationOf: (replica: ReplicaId, tcEpoch: TcEpoch) => number | undefined,
): ComputedBase {
  const newView = highestNewView(viewChanges);
  const inNewView = viewChanges.filter(standsIn(newView));
  const parent = inNewView.find(({ checked }) => checked.newView?.base !== undefined)?.checked.newView;
  const start = lowOf(
    viewChanges,
    parent ?? inNewView.find(({ checked }) => checked.newView)?.checked.newView,
  );
  const kept = newView.view < 0 ? start.low : Math.max(start.low, newView.end);
  const candidates = candidatesAbove(
    context,
    inNewView,
    newView,
    kept,
    (replica, tcEpoch) => incarnationOf(replica, tcEpoch) === newView.incarnation,
  );
  // Rule V4 with R3: an end above the checkpoint means that the log shows the NEW-VIEW with its base.
  const base = parent === undefined ? [] : parent.base!.slice(Math.max(0, start.low - parent.header.low));
  // MinBFT.BASE.6: what lies beyond a hole was not decided and is left out.
  for (let n = kept + 1; candidates.has(n); n += 1) base.push(candidates.get(n)!);
  return {
    ...start,
    end: start.low + base.length,
    base,
    baseDigest: baseDigestOf(context, base),
    parent: newView,
  };
}
