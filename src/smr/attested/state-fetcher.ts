/** The decision to fetch a certified state instead of executing up to it. */
import type { CheckpointState } from '../../core/protocol.ts';
import type { Milliseconds, ReplicaId, SequenceNumber } from '../../core/types.ts';
import type { CheckpointCertificate } from './checkpoint-votes.ts';
import type { AttestedReplica } from './replica.ts';
import type { Content } from './sealed.ts';
import type { StableCheckpoints } from './stable-checkpoints.ts';

/** See the top of this file. */
export class StateFetcher<C extends Content> {
  readonly #replica: AttestedReplica<C>;
  readonly #stable: StableCheckpoints<C>;
  #transferring: CheckpointCertificate<C> | undefined;
  #since: Milliseconds = 0;
  #lagSince: Milliseconds | undefined;

  constructor(replica: AttestedReplica<C>, stable: StableCheckpoints<C>) {
    this.#replica = replica;
    this.#stable = stable;
  }

  /** Whether a state is being fetched. */
  get active(): boolean {
    return this.#transferring !== undefined;
  }

  /** The state that is being fetched, and since when. */
  get fetching(): { readonly sequence: SequenceNumber; readonly since: Milliseconds } | undefined {
    return this.#transferring && { sequence: this.#transferring.checkpoint.sequence, since: this.#since };
  }

  /** After a restart: the certificate of a state that was being fetched. */
  restore(stored: ReadonlyMap<string, Uint8Array>): void {
    const { codec } = this.#replica;
    const bytes = stored.get('fetched');
    const messages = bytes === undefined ? undefined : codec.decodeList(bytes);
    if (messages === undefined) return;
    for (const message of messages) this.#replica.noteCheckpoint(message);
  }

  /** Fetches the latest certified state if it is far, or if nothing brings this replica there in time. */
  considerTransfer(): void {
    const replica = this.#replica;
    const { desk, timers } = replica;
    const { ahead } = this.#stable;
    if (ahead === undefined) {
      this.#lagSince = undefined;
      return;
    }
    if (replica.busy || !replica.mayFetch(ahead)) return;
    this.#lagSince ??= desk.now;
    const { checkpoint } = ahead;
    const isFar = checkpoint.sequence - replica.executed >= replica.window;
    const hurry = isFar || this.#stable.isDifferent(checkpoint);
    const due = this.#lagSince + (hurry ? timers.gapMs : 2 * timers.statusMs);
    if (due > desk.now) return desk.wakeAt('lag', due);
    this.#begin(ahead);
  }

  /** Fetches a state that a view starts from, known by the word of `signers` instead of a certificate. */
  fetch(checkpoint: CheckpointState, signers: readonly ReplicaId[]): void {
    if (!this.#replica.busy) this.#begin({ checkpoint, messages: [] }, signers);
  }

  #begin(
    certificate: CheckpointCertificate<C>,
    signers: readonly ReplicaId[] = certificate.messages.map(({ author }) => author),
  ): void {
    const { desk, codec, self, peers, executed, confirmed } = this.#replica;
    // What is speculative goes first: a state that others certified stands in its place.
    if (executed > confirmed) this.#replica.rollBack(confirmed);
    const others = [...peers.keys()].filter((replica) => !signers.includes(replica));
    const sources = [...signers, ...others].filter((replica) => replica !== self);
    this.#transferring = certificate;
    this.#since = desk.now;
    this.#lagSince = undefined;
    const { checkpoint } = certificate;
    if (this.#stable.isDifferent(checkpoint)) desk.note('stateDiverged', { sequence: checkpoint.sequence });
    desk.note('transfer', { sequence: checkpoint.sequence, executed });
    desk.store([{ key: 'fetched', value: codec.encodeList(certificate.messages) }]);
    desk.emit({ kind: 'transfer', checkpoint, sources });
  }

  /** State transfer gave up; it is tried again with the newest certificate. */
  onFailed(): void {
    this.#transferring = undefined;
    this.#lagSince = this.#replica.desk.now;
  }

  /** The state is installed and durable. */
  onInstalled(checkpoint: CheckpointState): void {
    const certificate = this.#transferring;
    this.#transferring = undefined;
    this.#lagSince = undefined;
    if (certificate === undefined || certificate.checkpoint.sequence !== checkpoint.sequence) return;
    this.#replica.takeState(checkpoint);
    if (checkpoint.sequence > this.#replica.stableSequence) this.#replica.makeStable(certificate);
  }
}
