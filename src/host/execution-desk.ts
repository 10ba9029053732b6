/**
 * Between protocol and ledger: executes, holds back what may still be undone, keeps checkpoints and snapshots. What is
 * final is in the journal, in the block store and signed; what is speculative is in memory alone, so a restart comes
 * back to what was final.
 */
import { equalBytes } from '../core/bytes.ts';
import type { CheckpointState, Effect, Input } from '../core/protocol.ts';
import type { Batch } from '../core/request.ts';
import type { Digest, Height, SequenceNumber } from '../core/types.ts';
import type { Block, ExecutionOutcome, LedgerExecutor, ReplyGroup } from '../ledger/contract.ts';
import type { ClientDesk } from './client-desk.ts';
import type { HeaderDesk } from './header-desk.ts';
import { encodeStep } from './image.ts';
import type { AppliedRecord, ExecutedRecord, JournalImage } from './image.ts';
import type { JournalDesk } from './journal-desk.ts';
import type { SnapshotPort } from './ports.ts';
import { encodeSnapshotMeta } from './snapshot-meta.ts';

/** Answer to `execute` and `apply`. */
export type Executed = Extract<Input<never>, { readonly kind: 'executed' }>;
type EffectOf<K extends Effect<never>['kind']> = Extract<Effect<never>, { readonly kind: K }>;

/** How many times as much of the journal a large state waits for, at most. */
const WORTH_FACTOR_MAX = 8;

/** What the desk is made of. */
export interface ExecutionDeskOptions {
  readonly executor: LedgerExecutor;
  readonly image: JournalImage;
  readonly journal: JournalDesk;
  readonly snapshots: SnapshotPort;
  readonly headers: HeaderDesk;
  readonly clients: Pick<ClientDesk<never>, 'answer' | 'takeAsked' | 'settle' | 'settleAll'>;
  /** Whether each execution shall tell what it changed. */
  readonly wantsUpdate: boolean;
  /** Whether the protocol gives answers out by itself, also of what was executed before a restart. */
  readonly holdsAnswers: boolean;
  /** Batches whose answers are held, at most. */
  readonly heldMax: number;
  /** Bytes of the journal that are worth a snapshot of a small state; 0: each stable checkpoint is. */
  readonly snapshotAfterBytes: number;
  readonly answer: (executed: Executed) => void;
  /** Told of each execution and each applied update (then without batch); not of those that are done again at a start. */
  readonly onExecuted?: (sequence: SequenceNumber, outcome: ExecutionOutcome, batch?: Digest) => void;
  /** A state that was fetched is durable. */
  readonly onInstalled: (checkpoint: CheckpointState) => void;
  readonly halt: (reason: string) => void;
}

/** An execution that may be undone. */
interface Speculation {
  readonly sequence: SequenceNumber;
  readonly batch: Batch;
  readonly protocolState: Uint8Array;
  readonly block: Block | undefined;
  /** Height before it. */
  readonly below: Height;
}

/** See the top of this file. */
export class ExecutionDesk {
  readonly #options: ExecutionDeskOptions;
  /** Ascending, without a hole, up to what was executed last. */
  #speculations: Speculation[] = [];
  /** Answers that the protocol gives out, by sequence number. */
  readonly #held = new Map<SequenceNumber, readonly ReplyGroup[]>();
  /** Protocol state of the last record; undefined: the next one writes it. */
  #lastProtocolState: Uint8Array | undefined;
  #stableSequence: SequenceNumber = 0;
  #snapshotSequence: SequenceNumber = 0;
  #snapshotPending: SequenceNumber = 0;
  #snapshotWanted: CheckpointState | undefined;
  /** What the journal had taken when the last snapshot was ordered. */
  #snapshotAtBytes = 0;
  #installing: CheckpointState | undefined;
  #undone = 0;

  constructor(options: ExecutionDeskOptions) {
    this.#options = options;
  }

  /** Height of the newest block that can not be undone. */
  get finalHeight(): Height {
    return this.#speculations[0]?.below ?? this.#options.executor.height;
  }

  /** Executions that were undone since the start. */
  get undone(): number {
    return this.#undone;
  }

  // ---- executing --------------------------------------------------------------------------------------------------

  /** Executes a batch, for good or on trial. */
  execute({ sequence, batch, protocolState, mode }: EffectOf<'execute'>): void {
    const { executor, clients, wantsUpdate, answer } = this.#options;
    if (this.#isOvertaken(sequence)) return answer({ kind: 'executed', sequence });
    const below = executor.height;
    const isFinal = mode !== 'speculative';
    const outcome = executor.execute(sequence, batch, protocolState, { speculative: !isFinal, wantsUpdate });
    if (isFinal) {
      this.#keep({ sequence, batch: batch.digest, protocolState });
      if (outcome.block !== undefined) this.#options.headers.onBlock(outcome.block, true);
    } else {
      this.#speculations.push({ sequence, batch, protocolState, block: outcome.block, below });
    }
    clients.settle(batch.bundles);
    if (mode !== undefined) this.#hold(sequence, outcome.replies);
    else if (outcome.replies.length > 0) clients.answer(outcome.replies, batch.proposedInView);
    this.#tell(sequence, outcome, batch.digest);
  }

  /** Applies what a batch changed elsewhere. */
  apply({ sequence, update, protocolState }: EffectOf<'apply'>): void {
    const { executor, headers, answer } = this.#options;
    if (this.#isOvertaken(sequence)) return answer({ kind: 'executed', sequence });
    const outcome = executor.applyUpdate(sequence, update, protocolState);
    if (outcome === undefined) return answer({ kind: 'executed', sequence, refused: true });
    this.#keep({ sequence, update, protocolState });
    if (outcome.block !== undefined) headers.onBlock(outcome.block, true);
    this.#hold(sequence, outcome.replies);
    this.#tell(sequence, outcome);
  }

  /** Does again at a start what the journal says; false if it does not fit. */
  replay(step: ExecutedRecord | AppliedRecord, batch: Batch | undefined): boolean {
    const { executor, headers, holdsAnswers } = this.#options;
    const { sequence } = step;
    const protocolState = step.protocolState ?? executor.protocolState;
    const outcome =
      'update' in step
        ? executor.applyUpdate(sequence, step.update, protocolState)
        : batch && executor.execute(sequence, batch, protocolState);
    if (outcome === undefined) return false;
    if (outcome.block !== undefined) headers.onBlock(outcome.block, false);
    if (holdsAnswers) this.#hold(sequence, outcome.replies);
    return true;
  }

  /** Everything up to here is final: journal, blocks, signatures. */
  confirm(through: SequenceNumber): void {
    const { executor, headers } = this.#options;
    const last = Math.min(through, executor.executed);
    if (last <= executor.confirmed) return;
    executor.confirm(last);
    for (
      let next = this.#speculations[0];
      next !== undefined && next.sequence <= last;
      next = this.#speculations[0]
    ) {
      this.#speculations.shift();
      const { sequence, batch, protocolState, block } = next;
      this.#keep({ sequence, batch: batch.digest, protocolState });
      if (block !== undefined) headers.onBlock(block, true);
    }
  }

  /** Takes executions above `to` back, and the answers held for them. */
  rollback(to: SequenceNumber): void {
    const { executor } = this.#options;
    if (to >= executor.executed) return;
    this.#undone += executor.executed - to;
    executor.rollback(to);
    this.#speculations = this.#speculations.filter(({ sequence }) => sequence <= to);
    for (const sequence of this.#held.keys()) if (sequence > to) this.#held.delete(sequence);
  }

  /** Gives answers out that were held. */
  giveOut({ sequence, view, standing, proof }: EffectOf<'answer'>): void {
    const { clients } = this.#options;
    const asked = clients.takeAsked(sequence);
    const groups = this.#held.get(sequence) ?? asked;
    if (groups.length > 0) clients.answer(groups, view, standing, proof);
  }

  /** Whether a newer state is installed already: `installed` will move the protocol past this sequence number. */
  #isOvertaken(sequence: SequenceNumber): boolean {
    return this.#installing !== undefined && sequence <= this.#options.executor.executed;
  }

  #tell(sequence: SequenceNumber, outcome: ExecutionOutcome, batch?: Digest): void {
    const { checkpoint } = this.#options.executor;
    const { update } = outcome;
    this.#options.onExecuted?.(sequence, outcome, batch);
    this.#options.answer({
      kind: 'executed',
      sequence,
      ...(checkpoint.sequence === sequence ? { checkpoint } : {}),
      ...(update === undefined ? {} : { update }),
    });
  }

  #keep(step: (ExecutedRecord | AppliedRecord) & { readonly protocolState: Uint8Array }): void {
    const { image, journal } = this.#options;
    const { protocolState } = step;
    const known = this.#lastProtocolState;
    const changed = known === undefined || (known !== protocolState && !equalBytes(known, protocolState));
    this.#lastProtocolState = protocolState;
    const kept = changed ? step : { ...step, protocolState: undefined };
    if ('update' in kept) image.applied.push(kept);
    else image.executed.push(kept);
    journal.append(encodeStep(kept));
  }

  #hold(sequence: SequenceNumber, groups: readonly ReplyGroup[]): void {
    this.#held.set(sequence, groups);
    for (const oldest of this.#held.keys()) {
      if (this.#held.size <= this.#options.heldMax) break;
      this.#held.delete(oldest);
    }
  }

  // ---- checkpoints and snapshots ----------------------------------------------------------------------------------

  /** A checkpoint is stable: what it covers is final, and its answers have been given. */
  stable(checkpoint: CheckpointState): void {
    const { executor } = this.#options;
    if (executor.frozen(checkpoint.sequence) === undefined) return;
    this.confirm(checkpoint.sequence);
    for (const sequence of this.#held.keys())
      if (sequence <= checkpoint.sequence) this.#held.delete(sequence);
    // Two stable states are kept: somebody may be fetching the older one.
    executor.releaseBelow(this.#stableSequence);
    this.#stableSequence = checkpoint.sequence;
    // One snapshot at a time; a newer stable checkpoint comes soon enough.
    if (this.#snapshotPending > this.#snapshotSequence || checkpoint.sequence <= this.#snapshotSequence)
      return;
    // Until then a restart executes again what the journal holds.
    const { journal, snapshots } = this.#options;
    if (journal.appended - this.#snapshotAtBytes < this.#worthBytes(snapshots.stateBytes)) return;
    this.#snapshotAtBytes = journal.appended;
    this.#snapshotWanted = checkpoint;
    this.#snapshotPending = checkpoint.sequence;
  }

  /**
   * Bytes of the journal that are worth a snapshot of a state of this size: operations go to all parts of a state alike, so
   * a large one is nearly written anew each time. A restart does not wait for more than a bounded part of the journal.
   */
  #worthBytes(stateBytes: number): number {
    const { snapshotAfterBytes } = this.#options;
    return Math.max(snapshotAfterBytes, Math.min(stateBytes / 4, WORTH_FACTOR_MAX * snapshotAfterBytes));
  }

  /** A snapshot must not outlive the certificate that lets others fetch it: what the step stored is durable first. */
  orderSnapshot(): void {
    const wanted = this.#snapshotWanted;
    this.#snapshotWanted = undefined;
    if (wanted !== undefined) this.#options.journal.whenSynced(() => this.#storeSnapshot(wanted));
  }

  #storeSnapshot(checkpoint: CheckpointState): void {
    const frozen = this.#options.executor.frozen(checkpoint.sequence);
    this.#snapshotPending = frozen === undefined ? this.#snapshotSequence : checkpoint.sequence;
    if (frozen === undefined) return;
    this.#options.snapshots.store(frozen, encodeSnapshotMeta(checkpoint));
  }

  /** The snapshot of this checkpoint is durable. */
  onSnapshotStored(sequence: SequenceNumber): void {
    const { image, journal, onInstalled } = this.#options;
    this.#snapshotSequence = Math.max(this.#snapshotSequence, sequence);
    image.coverThrough(this.#snapshotSequence);
    if (this.#installing?.sequence === sequence) {
      // The state must be durable before the protocol builds on it (W1), and the journal must not replay older batches.
      const checkpoint = this.#installing;
      this.#installing = undefined;
      this.#rewriteJournal(() => onInstalled(checkpoint));
    } else if (journal.isLarge) this.#rewriteJournal(() => undefined);
  }

  #rewriteJournal(then: () => void): void {
    const { image, journal } = this.#options;
    journal.rewrite(image.beginRewrite(), () => {
      image.endRewrite();
      then();
    });
  }

  /** Takes over the state of a certified checkpoint; false if it is not what was certified. */
  install(checkpoint: CheckpointState, chunk: (index: number) => Uint8Array): boolean {
    const { executor, image, clients } = this.#options;
    if (!executor.install(checkpoint, chunk)) return false;
    this.#lastProtocolState = undefined;
    this.#speculations = [];
    this.#held.clear();
    image.executed = [];
    image.applied = [];
    clients.settleAll();
    this.#installing = checkpoint;
    return true;
  }

  /** State is installed and its blocks are here: make it durable, then tell the protocol. */
  onTransferred(checkpoint: CheckpointState): void {
    const { executor, journal, halt } = this.#options;
    if (executor.frozen(checkpoint.sequence) === undefined)
      return halt('the installed checkpoint is not kept by the ledger');
    journal.whenSynced(() => this.#storeSnapshot(checkpoint));
  }

  /** The store was read; it held a snapshot of this sequence number, or none (0). */
  onRestored(snapshot: SequenceNumber): void {
    this.#snapshotSequence = snapshot;
    this.#snapshotPending = snapshot;
    this.#lastProtocolState = this.#options.executor.protocolState;
  }

  /** Sizes that must stay bounded: for judges. */
  get sizes(): { readonly held: number; readonly speculations: number } {
    return { held: this.#held.size, speculations: this.#speculations.length };
  }
}
