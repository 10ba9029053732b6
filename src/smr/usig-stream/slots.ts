/**
 * Views with several owners: slot n belongs to one of them by round robin, each proposes in its own slots only, and one
 * vote may stand for proposals of many. What streams and bases ask a protocol of that shape; the protocols with one
 * primary have none of it.
 */
import type { ReplicaId, SequenceNumber } from '../../core/types.ts';
import type { Registry } from '../registry.ts';
import type { StreamContext } from './context.ts';
import type { CommitVector, LogEntry, NewViewReference, Owner, Prepare, ViewChange } from './messages.ts';
import type { StepResult, StreamLookup, StreamState } from './stream.ts';

/** See the top of this file. All of it is pure. */
export interface SlotRules {
  /** Slots that one PREPARE may fill, at most. */
  readonly runMax: number;
  /** PREPARE: the own slot is the next one, inside the window. */
  stepPrepare(context: StreamContext, state: StreamState, author: ReplicaId, message: Prepare): StepResult;
  /** COMMIT-VEC: every proposal in it, or none. */
  stepVector(
    context: StreamContext,
    state: StreamState,
    author: ReplicaId,
    message: CommitVector,
    lookup: StreamLookup,
  ): StepResult;
  /** The highest slot that a vote skips because a checkpoint covers it; 0: none. */
  skippedBy(state: StreamState, message: CommitVector): SequenceNumber;
  /** Owners of a view that these VIEW-CHANGEs start. `registry`: the one certified at the start of the base. */
  ownersOf(
    context: StreamContext,
    view: number,
    viewChanges: readonly ViewChange[],
    base: readonly Prepare[],
    registry: Registry,
  ): readonly Owner[];
}

/** Slots that a proposal fills under a NEW-VIEW: one, or a run of its owner's. */
export function slotsOf({ owners }: NewViewReference, { sequence, run }: Prepare): readonly SequenceNumber[] {
  if (run === undefined || run <= 1) return [sequence];
  const step = owners?.length ?? 1;
  return Array.from({ length: run }, (_, index) => sequence + index * step);
}

/** The last slot that a proposal fills. */
export function lastSlotOf({ owners }: NewViewReference, { sequence, run }: Prepare): SequenceNumber {
  return sequence + ((run ?? 1) - 1) * (owners?.length ?? 1);
}

const NONE: readonly Prepare[] = [];

/** The proposals that an entry of a stream stands for. */
export function proposalsIn(entry: { readonly kind: string }): readonly Prepare[] {
  const item = entry as LogEntry;
  switch (item.kind) {
    case 'PREPARE':
      return [item];
    case 'COMMIT':
    case 'SPEC':
      return [item.prepare];
    case 'COMMIT-VECTOR':
      return item.prepares;
    default:
      return NONE;
  }
}
