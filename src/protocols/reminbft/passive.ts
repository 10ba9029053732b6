/** Updates that active replicas told: f+1 equal ones are as good as executing. */
import { bytesToHex } from '../../core/bytes.ts';
import type { Hash, Milliseconds, ReplicaId, SequenceNumber } from '../../core/types.ts';
import type { Sealed } from '../../smr/attested/sealed.ts';
import { CommitVotes } from '../../smr/slot-chain/commit-votes.ts';
import type { ReContent, Update } from './messages.ts';

/** See the top of this file. */
export class Updates {
  readonly #votes = new CommitVotes<Update>();
  readonly #hash: Hash;
  /** f+1: of so many replicas one is correct. */
  readonly #quorum: number;

  constructor(hash: Hash, quorum: number) {
    this.#hash = hash;
    this.#quorum = quorum;
  }

  /** Counts what a replica told. The canonical bytes of its content are what must be equal. */
  add({ author, bytes }: Sealed<ReContent>, update: Update): void {
    this.#votes.add(update.sequence, bytesToHex(this.#hash(bytes)), author, update);
  }

  /** What enough replicas told about a sequence number. */
  agreed(sequence: SequenceNumber): Update | undefined {
    const votes = this.#votes.decided(sequence, this.#quorum);
    return votes === undefined ? undefined : [...votes.values()][0];
  }

  /** Forgets what was executed. */
  dropThrough(sequence: SequenceNumber): void {
    this.#votes.dropThrough(sequence);
  }
}

/** Looks for how long this replica has been behind others without moving. */
export class Patience {
  #executed: SequenceNumber = 0;
  #since: Milliseconds | undefined;

  /**
   * Since when this replica stands where it stands although `reported` say that they have executed more; undefined: it
   * is not behind.
   */
  behindSince(
    executed: SequenceNumber,
    reported: readonly (SequenceNumber | undefined)[],
    now: Milliseconds,
  ): Milliseconds | undefined {
    const isBehind = reported.some((one) => one !== undefined && one > executed);
    if (!isBehind || executed !== this.#executed) this.#since = undefined;
    this.#executed = executed;
    if (isBehind) this.#since ??= now;
    return this.#since;
  }
}

/** The others of a set. */
export function without(replicas: readonly ReplicaId[], self: ReplicaId): readonly ReplicaId[] {
  return replicas.filter((replica) => replica !== self);
}
