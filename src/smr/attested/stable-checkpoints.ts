/** When a certified checkpoint becomes stable here, and which one is certified although its state is not here. */
import type { CheckpointState } from '../../core/protocol.ts';
import type { CheckpointCertificate } from './checkpoint-votes.ts';
import type { AttestedReplica } from './replica.ts';
import type { Content } from './sealed.ts';

/** See the top of this file. */
export class StableCheckpoints<C extends Content> {
  readonly #replica: AttestedReplica<C>;
  /** Latest certificate known, maybe of a state that is not here. */
  #known: CheckpointCertificate<C> | undefined;
  /** CHECKPOINTs that were there when certificates were last looked for: without a new one there is no new certificate. */
  #counted = 0;

  constructor(replica: AttestedReplica<C>) {
    this.#replica = replica;
  }

  /** The latest certificate of a boundary that is not stable here; undefined if there is none. */
  get ahead(): CheckpointCertificate<C> | undefined {
    const known = this.#known;
    return known !== undefined && known.checkpoint.sequence > this.#replica.stableSequence
      ? known
      : undefined;
  }

  /** Makes the latest certified boundary stable that was executed here with the same result. True if one became it. */
  consider(): boolean {
    const replica = this.#replica;
    const { checkpoints } = replica;
    if (this.#counted !== checkpoints.counted) {
      this.#counted = checkpoints.counted;
      const known = this.#known?.checkpoint.sequence ?? 0;
      const found = checkpoints.certificateAbove(Math.max(replica.stableSequence, known));
      if (found !== undefined) this.#known = found;
    }
    const { ahead } = this;
    // Executed past it without its state at hand: it came by a fetched state of a later boundary.
    if (ahead === undefined || !replica.reaches(ahead) || this.isDifferent(ahead.checkpoint)) return false;
    replica.makeStable(ahead);
    return true;
  }

  /** Whether this replica executed a certified boundary with another result. */
  isDifferent({ sequence, stateDigest }: CheckpointState): boolean {
    const own = this.#replica.boundaries.get(sequence);
    return own !== undefined && own.stateDigest !== stateDigest;
  }
}
