/**
 * What holds between correct MinZyzzyva replicas at any moment: what all protocols on USIG streams promise, nothing final
 * that was not executed, and one speculative history for each view.
 */
import type { Replica } from '../../core/protocol.ts';
import { checkUsigReplicas, EntryBook } from '../../smr/usig-replica/invariants.ts';
import type { MinzyzzyvaReplica } from './replica.ts';

/** A sentence if something is wrong among these replicas. */
export function checkMinzyzzyva(replicas: readonly Replica<object>[]): string | undefined {
  const own = replicas.filter(
    (replica): replica is MinzyzzyvaReplica & Replica<object> => 'tentative' in replica,
  );
  return checkUsigReplicas(own.map(({ state }) => state)) ?? checkHistories(own);
}

/** Replicas that are active under one NEW-VIEW have executed one history, as far as each of them has. */
function checkHistories(replicas: readonly MinzyzzyvaReplica[]): string | undefined {
  const book = new EntryBook();
  for (const { state, tentative } of replicas) {
    if (state.reached < state.executed) return `replica ${state.self} has executed less than is final there`;
    if (!state.active) continue;
    const { view, counter, digest } = state.own.state.newView;
    for (const { sequence, history } of tentative()) {
      const place = `order ${sequence} of view ${view} under ${counter}/${digest}`;
      const wrong = book.note(place, history, state.self);
      if (wrong !== undefined) return wrong;
    }
  }
  return undefined;
}
