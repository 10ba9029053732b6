/**
 * Views that others have entered. A NEW-VIEW convinces whoever has the VIEW-CHANGEs that it names, and those are gone once
 * their authors take part in the view: a replica that comes too late believes f+1 that entered alike, since one of them is
 * correct and has worked it out.
 */
import type { ReplicaId, View } from '../../core/types.ts';
import type { CheckpointClaim, Entered, ViewStart } from './messages.ts';

/** Whether two starts are the same. */
export function isSameStart(a: ViewStart | undefined, b: ViewStart): boolean {
  if (a === undefined || a.proposals.length !== b.proposals.length) return false;
  const equal = (one: CheckpointClaim, other: CheckpointClaim | undefined): boolean =>
    one.sequence === other?.sequence && one.digest === other.digest;
  return (
    equal(a.checkpoint, b.checkpoint) && a.proposals.every((one, index) => equal(one, b.proposals[index]))
  );
}

/** See the top of this file. */
export class EnteredViews {
  readonly #window: number;
  /** By replica: the latest view that it says to have entered. */
  readonly #claims = new Map<ReplicaId, Entered>();

  constructor(window: number) {
    this.#window = window;
  }

  /** Takes down what a replica says; false if no view can start so. */
  note(from: ReplicaId, claim: Entered): boolean {
    const { checkpoint, proposals } = claim;
    if (proposals.length > this.#window) return false;
    if (!proposals.every(({ sequence }, index) => sequence === checkpoint.sequence + 1 + index)) return false;
    if ((this.#claims.get(from)?.view ?? 0) <= claim.view) this.#claims.set(from, claim);
    return true;
  }

  /** Who says to have entered the view of a replica from the same start as that one. */
  alike(claim: Entered): ReplicaId[] {
    return [...this.#claims]
      .filter(([, other]) => other.view === claim.view && isSameStart(other, claim))
      .map(([replica]) => replica);
  }

  /** Forgets what leads into views up to this one. */
  dropThrough(view: View): void {
    for (const [replica, claim] of this.#claims) if (claim.view <= view) this.#claims.delete(replica);
  }
}
