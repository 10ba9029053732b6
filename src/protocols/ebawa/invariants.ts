/**
 * What holds between correct EBAWA replicas at any moment: what all protocols on USIG streams promise, one list of owners
 * for each NEW-VIEW, and proposals in slots of their owners only.
 */
import type { Replica } from '../../core/protocol.ts';
import { checkUsigReplicas, EntryBook } from '../../smr/usig-replica/invariants.ts';
import type { UsigReplica } from '../../smr/usig-replica/replica.ts';
import type { ReplicaState } from '../../smr/usig-replica/state.ts';
import { indexAt, ownersOf } from './slots.ts';

/** A sentence if something is wrong among these replicas. */
export function checkEbawa(replicas: readonly Replica<object>[]): string | undefined {
  const states = replicas
    .filter((replica): replica is UsigReplica & Replica<object> => 'state' in replica)
    .map(({ state }) => state);
  return checkUsigReplicas(states) ?? checkOwners(states) ?? checkSlots(states);
}

function checkOwners(states: readonly ReplicaState[]): string | undefined {
  const book = new EntryBook();
  for (const { groups, self } of states)
    for (const { reference } of groups.all()) {
      const names = ownersOf(reference).map(({ replica, incarnation }) => `${replica}.${incarnation}`);
      const place = `the list of owners of view ${reference.view} under ${reference.digest}`;
      const wrong = book.note(place, names.join(), self);
      if (wrong !== undefined) return wrong;
    }
  return undefined;
}

function checkSlots(states: readonly ReplicaState[]): string | undefined {
  for (const { groups, self } of states)
    for (const { reference, proposals } of groups.all())
      for (const [slot, { ui }] of proposals.entries()) {
        const owner = ownersOf(reference)[indexAt(reference, slot)];
        if (owner?.replica !== ui.replica)
          return `replica ${self} took a proposal of ${ui.replica} for slot ${slot} of view ${reference.view}`;
      }
  return undefined;
}
