/**
 * The service of one machine in one life: execution, replies, checkpoints, snapshots and installed states, in the order
 * in which the real host has them.
 */
import type { CheckpointState, Input } from '../../core/protocol.ts';
import type { Batch, Bundle } from '../../core/request.ts';
import type { ReplicaId, SequenceNumber, SessionId, View } from '../../core/types.ts';
import type { JournalImage } from '../../host/image.ts';
import type { ReplyGroup } from '../../ledger/contract.ts';
import type { EventQueue } from '../event-queue.ts';
import type { Judge } from '../judge.ts';
import type { CoreDisk } from './disk.ts';
import type { CoreReply } from './frame.ts';
import type { FrozenService } from './service.ts';
import { CoreService } from './service.ts';

/** Answer to `execute`. */
export type Executed = Extract<Input<never>, { kind: 'executed' }>;

/** What the desk is made of. */
export interface CoreStateDeskOptions {
  readonly id: ReplicaId;
  readonly checkpointInterval: number;
  readonly image: JournalImage;
  readonly disk: CoreDisk;
  readonly queue: EventQueue;
  readonly judge: Judge;
  readonly isCorrect: boolean;
  readonly toClient: (client: number, reply: CoreReply) => void;
  readonly onExecuted: ((replica: ReplicaId, sequence: SequenceNumber, digest: string) => void) | undefined;
  /** An installed state is durable; the machine calls `finishInstall` when it gets to it. */
  readonly onDurable: (checkpoint: CheckpointState) => void;
}

/** See the top of this file. */
export class CoreStateDesk {
  readonly #options: CoreStateDeskOptions;
  readonly service: CoreService;
  /** By session: over which link its client asked. */
  readonly #clients = new Map<SessionId, number>();
  #installing: CheckpointState | undefined;
  #lastProtocolState: Uint8Array | undefined;
  #stable: SequenceNumber = 0;
  #isClosed = false;

  constructor(options: CoreStateDeskOptions) {
    this.#options = options;
    this.service = new CoreService(options.checkpointInterval);
  }

  /** The machine lost power. */
  close(): void {
    this.#isClosed = true;
  }

  /** A client asks over a link; false if it has its answer already. */
  admit(client: number, bundle: Bundle): boolean {
    const { service } = this;
    this.#clients.set(bundle.session, client);
    if (!service.isExecuted(bundle)) return true;
    this.#reply(client, service.results(bundle), 0);
    return false;
  }

  /** Executes a batch again after a start. */
  replay(sequence: SequenceNumber, batch: Batch, protocolState: Uint8Array | undefined): void {
    this.#apply(sequence, batch, protocolState ?? this.service.protocolState);
  }

  /** Executes what was decided. */
  execute(sequence: SequenceNumber, batch: Batch, protocolState: Uint8Array): Executed {
    const { service } = this;
    // A newer state is installed already; `installed` will move the protocol past this.
    if (this.#installing !== undefined && sequence <= service.executed) return { kind: 'executed', sequence };
    const replies = this.#apply(sequence, batch, protocolState);
    this.#record(sequence, batch, protocolState);
    for (const group of replies) {
      const client = this.#clients.get(group.session);
      if (client !== undefined) this.#reply(client, group, batch.proposedInView);
    }
    const { checkpoint } = service;
    return checkpoint.sequence === sequence
      ? { kind: 'executed', sequence, checkpoint }
      : { kind: 'executed', sequence };
  }

  #apply(sequence: SequenceNumber, batch: Batch, protocolState: Uint8Array): readonly ReplyGroup[] {
    const { judge, isCorrect, id, onExecuted } = this.#options;
    const outcome = this.service.execute(sequence, batch, protocolState);
    onExecuted?.(id, sequence, batch.digest);
    if (isCorrect) judge.onExecuted(id, sequence, batch, outcome);
    return outcome.replies;
  }

  #record(sequence: SequenceNumber, batch: Batch, state: Uint8Array): void {
    const { image, disk } = this.#options;
    const protocolState = this.#lastProtocolState === state ? undefined : state;
    this.#lastProtocolState = state;
    image.executed.push({ sequence, batch: batch.digest, protocolState });
    disk.append({ kind: 'executed', sequence, batch: batch.digest, protocolState });
  }

  #reply(client: number, { session, results }: ReplyGroup, view: View): void {
    const { id, toClient } = this.#options;
    toClient(client, { replica: id, session, view, results });
  }

  /** A checkpoint is stable. Two stable states are kept: somebody may be fetching the older one. */
  stable(checkpoint: CheckpointState): void {
    const { image, disk } = this.#options;
    const { service } = this;
    const state = service.frozen(checkpoint.sequence);
    if (state === undefined) return;
    service.releaseBelow(this.#stable);
    this.#stable = checkpoint.sequence;
    image.coverThrough(disk.snapshotSequence());
    if (this.#installing === undefined) disk.storeSnapshot(state);
  }

  /** The state at a certified checkpoint, if it is kept. */
  stateAt(checkpoint: CheckpointState): FrozenService | undefined {
    const state = this.service.frozen(checkpoint.sequence);
    return state?.stateDigest === checkpoint.stateDigest ? state : undefined;
  }

  /** Replaces everything by a transferred state, and makes it durable. */
  install(state: FrozenService): void {
    const { image, disk, queue, judge, isCorrect, id, onDurable } = this.#options;
    const { sequence, stateDigest } = state;
    const checkpoint = { sequence, stateDigest };
    this.service.install(state);
    if (isCorrect) judge.onInstalled(id, checkpoint);
    this.#lastProtocolState = undefined;
    image.executed = [];
    this.#installing = checkpoint;
    queue.after(disk.storeSnapshot(state) - queue.now, () => {
      if (!this.#isClosed) onDurable(checkpoint);
    });
  }

  /** The installed state is durable: the protocol may build on it (W1). */
  finishInstall(checkpoint: CheckpointState): void {
    this.#installing = undefined;
    this.#options.image.coverThrough(checkpoint.sequence);
  }
}
