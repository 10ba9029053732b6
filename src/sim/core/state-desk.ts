/**
 * The service of one machine in one life: execution, replies, checkpoints, snapshots and installed states, in the order
 * in which the real host has them.
 */
import { assert } from '../../core/assert.ts';
import type { CheckpointState, Effect, Input, Standing } from '../../core/protocol.ts';
import type { Batch, Bundle } from '../../core/request.ts';
import type { ReplicaId, SequenceNumber, SessionId, View } from '../../core/types.ts';
import type { ReplyGroup } from '../../ledger/contract.ts';
import type { EventQueue } from '../event-queue.ts';
import type { Judge } from '../judge.ts';
import type { CoreImage, ReplayStep } from './core-image.ts';
import type { CoreDisk } from './disk.ts';
import type { CoreReply } from './frame.ts';
import type { CoreOutcome, FrozenService } from './service.ts';
import { CoreService } from './service.ts';

/** Answer to `execute` and `apply`. */
export type Executed = Extract<Input<never>, { kind: 'executed' }>;
type Execute = Extract<Effect<never>, { kind: 'execute' }>;
type Apply = Extract<Effect<never>, { kind: 'apply' }>;
type Answer = Extract<Effect<never>, { kind: 'answer' }>;
/** Effects that are about the service. */
export type StateEffect = Extract<
  Effect<never>,
  { kind: 'execute' | 'apply' | 'confirm' | 'rollback' | 'answer' | 'stable' }
>;

const NO_PROOF = new Uint8Array(0);

/** A batch that may be rolled back. */
interface Speculation {
  readonly sequence: SequenceNumber;
  readonly batch: Batch;
  readonly protocolState: Uint8Array;
  readonly outcome: CoreOutcome;
}

/** Results that a client asked for again. */
interface AskedAgain {
  readonly client: number;
  readonly sequence: SequenceNumber;
  readonly group: ReplyGroup;
}

/** What came of a client's asking. */
export type Admission =
  /** It has its answer. */
  | { readonly kind: 'answered' }
  /** To be ordered. */
  | { readonly kind: 'new' }
  /** Executed there, but not confirmed: the protocol has to say what that is worth. */
  | { readonly kind: 'unconfirmed'; readonly sequence: SequenceNumber };

/** What the desk is made of. */
export interface CoreStateDeskOptions {
  readonly id: ReplicaId;
  readonly checkpointInterval: number;
  readonly image: CoreImage;
  /** Where undone batches are counted. */
  readonly undone: { count: number };
  /** Whether the protocol has passive replicas. */
  readonly makesUpdates: boolean;
  /** Whether final answers are the protocol's to give, also to those that ask again. */
  readonly provesFinal: boolean;
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
  /** Answers that the protocol gives out, by sequence number. */
  readonly #held = new Map<SequenceNumber, readonly ReplyGroup[]>();
  /** By session: results that its client asked for again and the protocol has to say what they are worth. */
  readonly #asked = new Map<SessionId, AskedAgain>();
  /** Ascending. */
  #speculations: Speculation[] = [];
  #snapshotWanted: FrozenService | undefined;

  constructor(options: CoreStateDeskOptions) {
    this.#options = options;
    this.service = new CoreService(options.checkpointInterval);
  }

  /** The machine lost power. */
  close(): void {
    this.#isClosed = true;
  }

  /** A client asks over a link. What is confirmed is answered at once. */
  admit(client: number, bundle: Bundle): Admission {
    const { service } = this;
    this.#clients.set(bundle.session, client);
    if (!service.isExecuted(bundle)) return { kind: 'new' };
    const group = service.results(bundle);
    const sequence = Math.max(0, ...group.results.map((result) => result.sequence));
    if (sequence > service.confirmed || this.#options.provesFinal) {
      this.#asked.set(bundle.session, { client, sequence, group });
      return { kind: 'unconfirmed', sequence };
    }
    this.#reply(client, group, 0, 'final', NO_PROOF);
    return { kind: 'answered' };
  }

  /** Performs an effect; the answer, for those that have one. */
  perform(effect: StateEffect): Executed | undefined {
    switch (effect.kind) {
      case 'execute':
        return this.#execute(effect);
      case 'apply':
        return this.#apply(effect);
      case 'confirm':
        this.#confirm(effect.through);
        return undefined;
      case 'rollback':
        this.#rollback(effect.to);
        return undefined;
      case 'answer':
        this.#giveAnswer(effect);
        return undefined;
      case 'stable':
        this.#onStable(effect.checkpoint);
        return undefined;
    }
  }

  /** Executes a batch or applies an update again after a start; false if that is not possible. */
  replay({ sequence, update, protocolState }: ReplayStep, batch: Batch | undefined): boolean {
    const { service } = this;
    const state = protocolState ?? service.protocolState;
    if (update !== undefined) return this.#applyNow(sequence, update, state);
    if (batch === undefined) return false;
    this.#options.onExecuted?.(this.#options.id, sequence, batch.digest);
    this.#judgeExecuted(sequence, batch, service.execute(sequence, batch, state));
    return true;
  }

  /** Executes what was decided, or what may yet be undone. */
  #execute({ sequence, batch, protocolState, mode }: Execute): Executed {
    const { service } = this;
    // A newer state is installed already; `installed` will move the protocol past this.
    if (this.#installing !== undefined && sequence <= service.executed) return { kind: 'executed', sequence };
    const isSpeculative = mode === 'speculative';
    assert(
      isSpeculative || this.#speculations.length === 0,
      'nothing final is executed on top of what may be undone',
    );
    const { lanes } = service;
    const outcome = service.execute(sequence, batch, protocolState, isSpeculative);
    this.#options.onExecuted?.(this.#options.id, sequence, batch.digest);
    if (isSpeculative) {
      this.#speculations.push({ sequence, batch, protocolState, outcome });
      if (this.#options.isCorrect) this.#options.judge.onTentative(outcome);
    } else {
      this.#judgeExecuted(sequence, batch, outcome);
      this.#record(sequence, batch, protocolState);
    }
    if (mode !== undefined) this.#held.set(sequence, outcome.replies);
    else
      for (const group of outcome.replies) this.#toClientOf(group, batch.proposedInView, 'final', NO_PROOF);
    const update = this.#options.makesUpdates ? service.updateSince(lanes, outcome.replies) : undefined;
    return this.#executedNow(sequence, update);
  }

  #executedNow(sequence: SequenceNumber, update: Uint8Array | undefined): Executed {
    const { checkpoint } = this.service;
    return {
      kind: 'executed',
      sequence,
      ...(checkpoint.sequence === sequence ? { checkpoint } : {}),
      ...(update === undefined ? {} : { update }),
    };
  }

  #judgeExecuted(sequence: SequenceNumber, batch: Batch, outcome: CoreOutcome): void {
    const { judge, isCorrect, id } = this.#options;
    if (isCorrect) judge.onExecuted(id, sequence, batch, outcome);
  }

  /** Applies what a batch changed elsewhere. */
  #apply({ sequence, update, protocolState }: Apply): Executed {
    const { service } = this;
    if (this.#installing !== undefined && sequence <= service.executed) return { kind: 'executed', sequence };
    assert(this.#speculations.length === 0, 'no update is applied on top of what may be undone');
    if (!this.#applyNow(sequence, update, protocolState))
      return { kind: 'executed', sequence, refused: true };
    const record = { kind: 'core-applied', sequence, update, protocolState } as const;
    this.#options.image.take(record);
    this.#options.disk.append(record);
    return this.#executedNow(sequence, undefined);
  }

  #applyNow(sequence: SequenceNumber, update: Uint8Array, protocolState: Uint8Array): boolean {
    const { judge, isCorrect, id } = this.#options;
    const applied = this.service.apply(sequence, update, protocolState);
    if (applied === undefined) return false;
    this.#held.set(sequence, applied.replies);
    if (isCorrect) judge.onApplied(id, sequence, this.service.history, applied.checkpoint);
    return true;
  }

  /** What was executed up to here is final. */
  #confirm(through: SequenceNumber): void {
    const final = this.#speculations.filter(({ sequence }) => sequence <= through);
    this.#speculations = this.#speculations.filter(({ sequence }) => sequence > through);
    for (const { sequence, batch, protocolState, outcome } of final) {
      this.#judgeExecuted(sequence, batch, outcome);
      this.#record(sequence, batch, protocolState);
    }
    this.service.confirm(through);
  }

  /** Undoes what may be undone above `to`, answers included. */
  #rollback(to: SequenceNumber): void {
    assert(to >= this.service.confirmed, 'what is confirmed is never rolled back');
    this.#options.undone.count += this.#speculations.filter(({ sequence }) => sequence > to).length;
    this.#speculations = this.#speculations.filter(({ sequence }) => sequence <= to);
    this.service.rollback(to);
    for (const sequence of this.#held.keys()) if (sequence > to) this.#held.delete(sequence);
    for (const [session, { sequence }] of this.#asked) if (sequence > to) this.#asked.delete(session);
  }

  /** Batches that may yet be undone, with what they came to. */
  get speculations(): readonly Speculation[] {
    return this.#speculations;
  }

  /** Gives the answers of a batch to its clients. */
  #giveAnswer({ sequence, view, standing, proof }: Answer): void {
    for (const group of this.#held.get(sequence) ?? []) this.#toClientOf(group, view, standing, proof);
    for (const [session, asked] of this.#asked) {
      if (asked.sequence !== sequence) continue;
      this.#asked.delete(session);
      const results = asked.group.results.filter((result) => result.sequence === sequence);
      this.#reply(asked.client, { ...asked.group, results }, view, standing, proof);
    }
  }

  #record(sequence: SequenceNumber, batch: Batch, state: Uint8Array): void {
    const { image, disk } = this.#options;
    const protocolState = this.#lastProtocolState === state ? undefined : state;
    this.#lastProtocolState = state;
    image.journal.executed.push({ sequence, batch: batch.digest, protocolState });
    disk.append({ kind: 'executed', sequence, batch: batch.digest, protocolState });
  }

  #toClientOf(group: ReplyGroup, view: View, standing: Standing, proof: Uint8Array): void {
    const client = this.#clients.get(group.session);
    if (client !== undefined) this.#reply(client, group, view, standing, proof);
  }

  #reply(client: number, group: ReplyGroup, view: View, standing: Standing, proof: Uint8Array): void {
    const { id, toClient } = this.#options;
    const { session, results } = group;
    toClient(client, { replica: id, session, view, standing, proof, results });
  }

  /** A checkpoint is stable. Two stable states are kept: somebody may be fetching the older one. */
  #onStable(checkpoint: CheckpointState): void {
    const { image, disk } = this.#options;
    const { service } = this;
    const state = service.frozen(checkpoint.sequence);
    if (state === undefined) return;
    // What a quorum has made stable can never be undone, whatever was confirmed before.
    this.#confirm(checkpoint.sequence);
    for (const sequence of this.#held.keys()) if (sequence <= this.#stable) this.#held.delete(sequence);
    service.releaseBelow(this.#stable);
    this.#stable = checkpoint.sequence;
    image.coverThrough(disk.snapshotSequence());
    if (this.#installing === undefined) this.#snapshotWanted = state;
  }

  /** After a step, as in the host: a snapshot must not outlive the certificate that the same step stored. */
  orderSnapshot(): void {
    const wanted = this.#snapshotWanted;
    this.#snapshotWanted = undefined;
    if (wanted !== undefined) this.#options.disk.storeSnapshot(wanted);
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
    image.forgetSteps();
    this.#speculations = [];
    this.#held.clear();
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
