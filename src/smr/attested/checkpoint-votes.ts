/** CHECKPOINTs of all replicas, by sequence number: enough equal ones make a certificate. */
import { decodeWhole, Writer } from '../../core/codec.ts';
import type { CheckpointState, StoreEntry } from '../../core/protocol.ts';
import type { ReplicaId, SequenceNumber } from '../../core/types.ts';
import { writeCheckpoint } from './checkpoint.ts';
import type { Content, Sealed, SealedCodec } from './sealed.ts';

/** Sequence numbers for which CHECKPOINTs of one replica are kept; newer ones displace its oldest. */
const KEPT_PER_REPLICA = 16;

/** Equal CHECKPOINTs of a quorum. */
export interface CheckpointCertificate<C extends Content> {
  readonly checkpoint: CheckpointState;
  readonly messages: readonly Sealed<C>[];
}

interface Vote<C extends Content> {
  readonly state: CheckpointState;
  /** What must be equal for two votes to count together: the state, and whatever the protocol adds. */
  readonly key: string;
  readonly message: Sealed<C>;
}

/** See the top of this file. */
export class CheckpointVotes<C extends Content> {
  /** Equal ones that make a certificate. */
  readonly quorum: number;
  readonly #votes: Vote<C>[][];
  /** CHECKPOINTs that were taken in so far. */
  counted = 0;

  constructor(replicas: number, quorum: number) {
    this.quorum = quorum;
    this.#votes = Array.from({ length: replicas }, () => []);
  }

  /** Takes in a CHECKPOINT; a second one of the same replica for the same sequence and key changes nothing. */
  add(message: Sealed<C>, state: CheckpointState, key: string): void {
    const votes = this.#votes[message.author];
    if (votes === undefined || votes.some((vote) => vote.key === key)) return;
    this.counted += 1;
    votes.push({ state, key, message });
    votes.sort((a, b) => b.state.sequence - a.state.sequence);
    votes.length = Math.min(votes.length, KEPT_PER_REPLICA);
  }

  /** The highest certificate above a sequence number; `quorum`: how many equal ones make it, if not the usual. */
  certificateAbove(sequence: SequenceNumber, quorum = this.quorum): CheckpointCertificate<C> | undefined {
    let best: CheckpointCertificate<C> | undefined;
    const looked = new Set<string>();
    for (const votes of this.#votes)
      for (const vote of votes) {
        if (vote.state.sequence <= (best?.checkpoint.sequence ?? sequence) || looked.has(vote.key)) continue;
        looked.add(vote.key);
        const messages = this.#agreeing(vote.key);
        if (messages.length >= quorum) best = { checkpoint: vote.state, messages: messages.slice(0, quorum) };
      }
    return best;
  }

  #agreeing(key: string): Sealed<C>[] {
    return this.#votes.flatMap((votes) =>
      votes.filter((vote) => vote.key === key).map((vote) => vote.message),
    );
  }

  /** Who has sent a CHECKPOINT with this key. */
  signers(key: string): ReplicaId[] {
    return this.#agreeing(key).map(({ author }) => author);
  }

  /** Who has sent a CHECKPOINT for this sequence number. */
  voters(sequence: SequenceNumber): ReplicaId[] {
    return [...this.#votes.keys()].filter((replica) =>
      this.#votes[replica]!.some((vote) => vote.state.sequence === sequence),
    );
  }

  /**
   * Of the CHECKPOINTs for this sequence number or a higher one those that are equal count together: who said the same as
   * `self`, or, where that has said nothing yet, as the most.
   */
  votersFrom(sequence: SequenceNumber, self: ReplicaId): ReplicaId[] {
    const keys = this.#votes.flatMap((votes) =>
      votes.filter(({ state }) => state.sequence >= sequence).map(({ key }) => key),
    );
    const all = [...new Set(keys)].map((key) => this.signers(key));
    const own = all.filter((group) => group.includes(self));
    const groups = own.length > 0 ? own : all;
    return groups.reduce((most, group) => (group.length > most.length ? group : most), []);
  }

  /** Forgets what is below a stable checkpoint. */
  dropBelow(sequence: SequenceNumber): void {
    for (const [replica, votes] of this.#votes.entries())
      this.#votes[replica] = votes.filter((vote) => vote.state.sequence >= sequence);
  }
}

/** The stable checkpoint for the durable map. Its state by itself, too: a view may start from one without a certificate. */
export function stableEntries<C extends Content>(
  { checkpoint, messages }: CheckpointCertificate<C>,
  codec: SealedCodec<C>,
): StoreEntry[] {
  return [
    { key: 'stable', value: codec.encodeList(messages) },
    { key: 'stable-state', value: encodeState(checkpoint) },
  ];
}

/** What `stableEntries` made, after a restart; undefined: genesis. */
export function restoreStable<C extends Content>(
  stored: ReadonlyMap<string, Uint8Array>,
  codec: SealedCodec<C>,
): CheckpointCertificate<C> | undefined {
  const checkpoint = decodeState(stored.get('stable-state'));
  const bytes = stored.get('stable');
  const messages = (bytes && codec.decodeList(bytes)) ?? [];
  return checkpoint && { checkpoint, messages };
}

/** Bytes of a state, for the durable map. */
export function encodeState(state: CheckpointState): Uint8Array {
  return writeCheckpoint(new Writer(40), state).finish();
}

/** What `encodeState` wrote; undefined if there is none or it is damaged. */
function decodeState(bytes: Uint8Array | undefined): CheckpointState | undefined {
  if (bytes === undefined) return undefined;
  return decodeWhole(bytes, (reader) => ({ sequence: reader.u64(), stateDigest: reader.digest() }));
}
