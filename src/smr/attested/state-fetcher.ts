/** Stable checkpoints, and the decision to fetch a state instead of executing up to it (common-smr "Catch-up"). */
import type { CheckpointState } from '../../core/protocol.ts';
import type { Milliseconds, ReplicaId, SequenceNumber } from '../../core/types.ts';
import type { CheckpointCertificate } from './checkpoint-votes.ts';
import type { AttestedReplica } from './replica.ts';
import type { Content } from './sealed.ts';

/** See the top of this file. */
export class StateFetcher<C extends Content> {
  readonly #replica: AttestedReplica<C>;
  /** Latest certificate known, maybe of a state that is not here. */
  #known: CheckpointCertificate<C> | undefined;
  #transferring: CheckpointCertificate<C> | undefined;
  #lagSince: Milliseconds | undefined;

  constructor(replica: AttestedReplica<C>) {
    this.#replica = replica;
  }

  /** Whether a state is being fetched. */
  get active(): boolean {
    return this.#transferring !== undefined;
  }

  /** After a restart: the certificate of a state that was being fetched. */
  restore(stored: ReadonlyMap<string, Uint8Array>): void {
    const { codec } = this.#replica;
    const bytes = stored.get('fetched');
    const messages = bytes === undefined ? undefined : codec.decodeList(bytes);
    if (messages === undefined) return;
    for (const message of messages) this.#replica.noteCheckpoint(message);
  }

  /** Makes the latest certified boundary stable that was executed here with the same result. True if one became it. */
  considerStable(): boolean {
    const replica = this.#replica;
    const found = replica.checkpoints.certificateAbove(
      Math.max(replica.stableSequence, this.#known?.checkpoint.sequence ?? 0),
    );
    if (found !== undefined) this.#known = found;
    const known = this.#known;
    if (known === undefined || known.checkpoint.sequence <= replica.stableSequence) return false;
    const { sequence, stateDigest } = known.checkpoint;
    if (!replica.reaches(known)) return false;
    const own = replica.boundaries.get(sequence);
    // Executed past it without its state at hand: it came by a fetched state of a later boundary.
    if (own !== undefined && own.stateDigest !== stateDigest) return false;
    replica.makeStable(known);
    return true;
  }

  /** Fetches the latest certified state if it is far, or if nothing brings this replica there in time. */
  considerTransfer(): void {
    const replica = this.#replica;
    const { desk, timers } = replica;
    const known = this.#known?.checkpoint;
    if (known === undefined || known.sequence <= replica.stableSequence) {
      this.#lagSince = undefined;
      return;
    }
    if (replica.busy || !replica.mayFetch(this.#known!)) return;
    this.#lagSince ??= desk.now;
    const hurry = this.#isDifferent(known) || known.sequence - replica.executed >= replica.window;
    const due = this.#lagSince + (hurry ? timers.gapMs : 2 * timers.statusMs);
    if (due > desk.now) return desk.wakeAt('lag', due);
    this.#begin(this.#known!);
  }

  /** Whether this replica executed the boundary with another result than the certified one. */
  #isDifferent({ sequence, stateDigest }: CheckpointState): boolean {
    const own = this.#replica.boundaries.get(sequence);
    return own !== undefined && own.stateDigest !== stateDigest;
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
    this.#lagSince = undefined;
    const { checkpoint } = certificate;
    if (this.#isDifferent(checkpoint)) desk.note('stateDiverged', { sequence: checkpoint.sequence });
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

  /** Highest sequence number that is known to be certified. */
  get knownSequence(): SequenceNumber {
    return Math.max(this.#replica.stableSequence, this.#known?.checkpoint.sequence ?? 0);
  }
}
