/** What holds between correct replicas of three-phase agreement at any moment. */
import type { Replica } from '../../core/protocol.ts';
import type { Digest, SequenceNumber, View } from '../../core/types.ts';
import type { Content } from '../attested/sealed.ts';
import { ThreePhaseAgreement } from './agreement.ts';

/** A sentence if something is wrong among these replicas. */
export function checkThreePhase(replicas: readonly Replica<object>[]): string | undefined {
  const found = replicas.filter((replica) => replica instanceof ThreePhaseAgreement);
  return checkPrepared(found) ?? checkDecided(found) ?? checkWindow(found);
}

type Agreement = ThreePhaseAgreement<Content>;

/** 1: one batch is prepared for an order of a view. */
function checkPrepared(replicas: readonly Agreement[]): string | undefined {
  /** By order, then by view: while it changes a replica still holds what it knew of the view before. */
  const prepared = new Map<SequenceNumber, Map<View, Digest>>();
  for (const { slots, self, quorum } of replicas)
    for (const [sequence, { prePrepare, prepares }] of slots) {
      if (prePrepare === undefined) continue;
      const { view, digest } = prePrepare.content;
      if ((prepares.get(digest)?.size ?? 0) < quorum - 1) continue;
      let ofOrder = prepared.get(sequence);
      if (ofOrder === undefined) prepared.set(sequence, (ofOrder = new Map()));
      if ((ofOrder.get(view) ?? digest) !== digest)
        return `replica ${self} prepared another batch for order ${sequence} of view ${view}`;
      ofOrder.set(view, digest);
    }
  return undefined;
}

/** 2: what is decided is decided alike, and what a view is obliged to is never another batch. */
function checkDecided(replicas: readonly Agreement[]): string | undefined {
  const decided = new Map<number, Digest>();
  for (const { decisions, self } of replicas)
    for (const [sequence, { digest }] of decisions) {
      if ((decided.get(sequence) ?? digest) !== digest)
        return `replica ${self} decided another batch for order ${sequence}`;
      decided.set(sequence, digest);
    }
  return undefined;
}

/** 7: nobody executes beyond its window. */
function checkWindow(replicas: readonly Agreement[]): string | undefined {
  for (const { executed, stableSequence, window, self } of replicas)
    if (executed < stableSequence || executed > stableSequence + window)
      return `replica ${self} has executed ${executed} with ${stableSequence} stable`;
  return undefined;
}
