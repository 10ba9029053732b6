/** What holds between correct replicas on USIG streams at any moment, whatever they order (invariants 2, 8 and 9). */
import { agreeOnState } from '../checkpoint-keeper.ts';
import type { StreamState } from '../usig-stream/stream.ts';
import type { ReplicaState } from './state.ts';

/** A sentence if something is wrong among these replicas, all of them correct. */
export function checkUsigReplicas(states: readonly ReplicaState[]): string | undefined {
  return checkStreams(states) ?? checkCertificates(states);
}

/** Equal counters of a stream mean equal states, and nobody holds a correct replica's stream for dead. */
function checkStreams(states: readonly ReplicaState[]): string | undefined {
  const known = new Map<string, { readonly state: StreamState; readonly by: number }>();
  const correct = new Set(states.map(({ self }) => self));
  for (const { slots, self } of states)
    for (const [author, { state }] of slots.entries()) {
      if (state.dead && correct.has(author))
        return `replica ${self} holds the stream of correct ${author} for dead`;
      const key = `${author}/${state.incarnation}/${state.counter}`;
      const other = known.get(key);
      if (other === undefined) known.set(key, { state, by: self });
      else if (!sameStream(other.state, state))
        return `the stream of ${author} after ${state.counter} is another at ${self} than at ${other.by}`;
    }
  return undefined;
}

function sameStream(a: StreamState, b: StreamState): boolean {
  return (
    a.mode === b.mode &&
    a.view === b.view &&
    a.lastSequence === b.lastSequence &&
    a.lastPrimaryCounter === b.lastPrimaryCounter &&
    a.checkpointSequence === b.checkpointSequence &&
    a.newView.view === b.newView.view &&
    a.newView.counter === b.newView.counter &&
    a.newView.digest === b.newView.digest &&
    a.newView.end === b.newView.end
  );
}

/** One state for each checkpoint that is stable anywhere. */
function checkCertificates(states: readonly ReplicaState[]): string | undefined {
  const certified = new Map<
    number,
    { readonly first: Parameters<typeof agreeOnState>[0]; readonly by: number }
  >();
  for (const { stable, self } of states) {
    const first = stable?.checkpoints[0];
    if (first === undefined) continue;
    const other = certified.get(first.sequence);
    if (other === undefined) certified.set(first.sequence, { first, by: self });
    else if (!agreeOnState(first, other.first))
      return `checkpoint ${first.sequence} is another at ${self} than at ${other.by}`;
  }
  return undefined;
}

/** What replicas have at places where all must have the same, as far as they have anything. */
export class EntryBook {
  readonly #entries = new Map<string, { readonly value: string; readonly by: number }>();

  /** Notes what a replica has at a place; a sentence if another one has something else there. */
  note(place: string, value: string, by: number): string | undefined {
    const other = this.#entries.get(place);
    if (other === undefined) this.#entries.set(place, { value, by });
    else if (other.value !== value) return `${place} is another at ${by} than at ${other.by}`;
    return undefined;
  }
}
