/**
 * Who owns which slot, and what a stream may say about slots: the part of the stream rules where EBAWA differs. Pure.
 * Everything else about streams is as in MinBFT (EBAWA.STEP.4), and so are bases but for owners and runs: one proposal for
 * each slot, cut at the first missing one (EBAWA.VC.3).
 */
import type { Batch } from '../../core/request.ts';
import type { ReplicaId, SequenceNumber, View } from '../../core/types.ts';
import { buildBatch } from '../../smr/batcher.ts';
import type { Registry } from '../../smr/registry.ts';
import { currentEntry } from '../../smr/registry.ts';
import type { StreamContext } from '../../smr/usig-stream/context.ts';
import type {
  CommitVector,
  NewViewReference,
  Owner,
  OwnerProgress,
  Prepare,
  ViewChange,
} from '../../smr/usig-stream/messages.ts';
import type { SlotRules } from '../../smr/usig-stream/slots.ts';
import { lastSlotOf } from '../../smr/usig-stream/slots.ts';
import type { StepResult, StreamLookup, StreamState } from '../../smr/usig-stream/stream.ts';
import { invalid, need } from '../../smr/usig-stream/validity.ts';

const NO_OWNERS: readonly Owner[] = [];

/** Slots that one SKIP may fill, at most. */
export const RUN_MAX = 4096;

/** Owners of a view, in the order of their slots. */
export function ownersOf({ owners }: NewViewReference): readonly Owner[] {
  return owners ?? NO_OWNERS;
}

/** Place of an owner in its view; -1 if it owns nothing there. */
export function ownerIndex(newView: NewViewReference, replica: ReplicaId, incarnation: number): number {
  return ownersOf(newView).findIndex(
    (owner) => owner.replica === replica && owner.incarnation === incarnation,
  );
}

/** Place of the owner of a slot above the base. */
export function indexAt(newView: NewViewReference, slot: SequenceNumber): number {
  return (slot - newView.end - 1) % ownersOf(newView).length;
}

/** The first slot of an owner above `after`. */
export function nextSlot(newView: NewViewReference, index: number, after: SequenceNumber): SequenceNumber {
  const first = newView.end + 1 + index;
  if (after < first) return first;
  const step = ownersOf(newView).length;
  return first + (Math.floor((after - first) / step) + 1) * step;
}

/** The last slot of the round (one slot for each owner) that a slot is in. */
export function roundEnd(newView: NewViewReference, slot: SequenceNumber): SequenceNumber {
  const step = ownersOf(newView).length;
  return newView.end + Math.ceil((slot - newView.end) / step) * step;
}

/** What a SKIP of a view stands for: a batch with nothing in it, which everybody can make. By context and view. */
const SKIPS = new WeakMap<StreamContext, Map<View, Batch>>();
const SKIPS_MAX = 64;

/** The batch of every SKIP of a view. */
export function skipBatch(context: StreamContext, view: View): Batch {
  let known = SKIPS.get(context);
  if (known === undefined) SKIPS.set(context, (known = new Map()));
  const held = known.get(view);
  if (held !== undefined) return held;
  const content = { proposedInView: view, time: 0, recovers: [], bundles: [] };
  const made = buildBatch(context.hash, context.domain, content);
  if (known.size >= SKIPS_MAX) known.clear();
  known.set(view, made);
  return made;
}

/** Whether a proposal skips its slots. */
export function isSkip(context: StreamContext, { view, batchDigest }: Prepare): boolean {
  return batchDigest === skipBatch(context, view).digest;
}

/** What STEP.1 and STEP.2 both ask of a proposal; a sentence if it does not hold. */
function proposalFault(context: StreamContext, state: StreamState, prepare: Prepare): string | undefined {
  const { newView } = state;
  if (prepare.view !== newView.view) return `view ${prepare.view} in view ${newView.view}`;
  if (prepare.newViewCounter !== newView.counter) return `NEW-VIEW counter ${prepare.newViewCounter}`;
  if (prepare.configurationVersion !== context.domain.configurationVersion)
    return `configuration ${prepare.configurationVersion}`;
  if ((prepare.run ?? 1) > 1 && !isSkip(context, prepare)) return 'a run that is no SKIP';
  const last = lastSlotOf(newView, prepare);
  if (last > state.checkpointSequence + context.window)
    return `slot ${last}, checkpoint ${state.checkpointSequence}`;
  return undefined;
}

/** EBAWA.STEP.1: the author's next own slot, no gap ever, the last slot of a run inside the window. */
function stepPrepare(
  context: StreamContext,
  state: StreamState,
  author: ReplicaId,
  message: Prepare,
): StepResult {
  if (state.mode !== 'active') return invalid('EBAWA.STEP.1', 'proposes while changing the view');
  const index = ownerIndex(state.newView, author, state.incarnation);
  const last = state.last?.[index];
  if (last === undefined) return invalid('EBAWA.STEP.1', 'owns no slots in this view');
  if (message.sequence !== nextSlot(state.newView, index, last.sequence))
    return invalid('EBAWA.STEP.1', `slot ${message.sequence} after ${last.sequence}`);
  const fault = proposalFault(context, state, message);
  if (fault !== undefined) return invalid('EBAWA.STEP.1', fault);
  return {
    kind: 'accepted',
    rule: 'EBAWA.STEP.1',
    state: advanced(state, message.ui.counter, [[index, message]]),
  };
}

function advanced(
  state: StreamState,
  counter: number,
  accepted: readonly (readonly [number, Prepare])[],
): StreamState {
  const last = [...(state.last ?? [])];
  let { lastSequence } = state;
  for (const [index, prepare] of accepted) {
    const sequence = lastSlotOf(state.newView, prepare);
    last[index] = { sequence, counter: prepare.ui.counter };
    lastSequence = Math.max(lastSequence, sequence);
  }
  return { ...state, counter, last, lastSequence };
}

/** EBAWA.STEP.2: header by header, all or nothing. */
function stepVector(
  context: StreamContext,
  state: StreamState,
  author: ReplicaId,
  message: CommitVector,
  lookup: StreamLookup,
): StepResult {
  if (state.mode !== 'active') return invalid('EBAWA.STEP.2', 'commits while changing the view');
  if (message.prepares.length === 0) return invalid('EBAWA.STEP.2', 'commits to nothing');
  const last = [...(state.last ?? [])];
  const accepted: [number, Prepare][] = [];
  for (const prepare of message.prepares) {
    const { replica, tcEpoch } = prepare.ui;
    const incarnation = lookup.incarnationOf(replica, tcEpoch);
    if (incarnation === undefined) return need({ kind: 'incarnation', replica, tcEpoch });
    const index = ownerIndex(state.newView, replica, incarnation);
    const fault =
      replica === author || index < 0
        ? `PREPARE of ${replica}`
        : (proposalFault(context, state, prepare) ?? orderFault(state, index, last[index]!, prepare));
    if (fault !== undefined) return invalid('EBAWA.STEP.2', fault);
    last[index] = { sequence: lastSlotOf(state.newView, prepare), counter: prepare.ui.counter };
    accepted.push([index, prepare]);
  }
  return { kind: 'accepted', rule: 'EBAWA.STEP.2', state: advanced(state, message.ui.counter, accepted) };
}

/** The owner's next slot, or later if the own checkpoint covers all that is skipped. */
function orderFault(
  state: StreamState,
  index: number,
  last: OwnerProgress,
  { sequence, ui }: Prepare,
): string | undefined {
  const { newView, checkpointSequence } = state;
  if (sequence <= newView.end || indexAt(newView, sequence) !== index)
    return `slot ${sequence} of another owner`;
  if (ui.counter <= last.counter) return `owner's counter ${ui.counter} after ${last.counter}`;
  const next = nextSlot(newView, index, last.sequence);
  if (sequence < next) return `slot ${sequence} after ${last.sequence}`;
  if (sequence > next && sequence - ownersOf(newView).length > checkpointSequence)
    return `slot ${sequence} after ${last.sequence}, checkpoint ${checkpointSequence}`;
  return undefined;
}

/** EBAWA.STEP.3: the highest slot of any owner that is skipped because a checkpoint covers it (V6). */
function skippedBy(state: StreamState, message: CommitVector): SequenceNumber {
  const { newView } = state;
  const last = (state.last ?? []).map(({ sequence }) => sequence);
  let highest = 0;
  for (const prepare of message.prepares) {
    const index = indexAt(newView, prepare.sequence);
    if (prepare.sequence > nextSlot(newView, index, last[index]!))
      highest = Math.max(highest, prepare.sequence - ownersOf(newView).length);
    last[index] = lastSlotOf(newView, prepare);
  }
  return highest;
}

/**
 * EBAWA.VC.4: the coordinator, then all others ascending from it whom no quoted VIEW-CHANGE suspects and no RECOVER of the
 * base replaces.
 */
function ownersAfter(
  context: StreamContext,
  view: number,
  viewChanges: readonly ViewChange[],
  base: readonly Prepare[],
  registry: Registry,
): readonly Owner[] {
  const excluded = new Set(viewChanges.flatMap(({ suspects }) => suspects ?? []));
  for (const { recovers } of base) for (const { replica } of recovers) excluded.add(replica);
  const coordinator = context.primaryOf(view);
  const owners: Owner[] = [];
  for (let step = 0; step < context.n; step += 1) {
    const replica = (coordinator + step) % context.n;
    if (step > 0 && excluded.has(replica)) continue;
    owners.push({ replica, incarnation: currentEntry(registry, replica).incarnation });
  }
  return owners;
}

/** See the top of this file. */
export const EBAWA_SLOTS: SlotRules = {
  runMax: RUN_MAX,
  stepPrepare,
  stepVector,
  skippedBy,
  ownersOf: ownersAfter,
};
