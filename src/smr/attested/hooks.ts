/** What a protocol with attested messages says about itself; what it leaves unsaid stands here. */
import type { CheckpointState } from '../../core/protocol.ts';
import type { Batch, Bundle } from '../../core/request.ts';
import type { Digest, ReplicaId, SequenceNumber, View } from '../../core/types.ts';
import { readingOf } from './checkpoint.ts';
import type { Lacking } from '../lack.ts';
import type { CheckpointCertificate } from './checkpoint-votes.ts';
import type { AttestedMessage, Content, Sealed, SealedCodec } from './sealed.ts';

/** What the protocol says about itself once. */
export interface AttestedOptions<C extends Content> {
  readonly codec: SealedCodec<C>;
  /** Equal CHECKPOINTs that make one stable. */
  readonly checkpointQuorum: number;
}

/** `taken`: it need not come again. `later`: it comes too early and is offered again when this replica has moved. */
export type Intake = 'taken' | 'later';

/** When a message about an order has its turn: `now`, or how it is taken in because it is past or comes too early. */
export type Turn = Intake | 'now';

/** What was decided for a sequence number. */
export interface Decision<C extends Content> {
  readonly digest: Digest;
  /** Messages that show it to somebody else; empty where they would convince nobody. */
  readonly proof: readonly Sealed<C>[];
  /** Who can be asked for the body first. */
  readonly sources: readonly ReplicaId[];
}

/** What the service does next. */
export type Execution =
  | { readonly kind: 'execute'; readonly batch: Batch; readonly mode?: 'held' | 'speculative' }
  | { readonly kind: 'apply'; readonly update: Uint8Array };

/** A CHECKPOINT as the protocol reads it. */
export interface CheckpointReading {
  readonly state: CheckpointState;
  /** What must be equal for two to count together. */
  readonly key: string;
}

const NO_BYTES = new Uint8Array(0);

/** See the top of this file. */
export abstract class ProtocolHooks<C extends Content> {
  /** Whether the word given for a message is of the kind, object and value that the paper asks for. */
  protected abstract fits(message: Sealed<C>): boolean;
  /** A message of a peer, or an own one that has looped back; every seal in it holds, and it fits. */
  protected abstract onSealed(message: Sealed<C>, from: ReplicaId): Intake;
  /** Draws conclusions; true if anything moved. */
  protected abstract consider(): boolean;
  /** Whether an own message is needed by nobody any more, given the stable checkpoint and the view. */
  protected abstract isObsolete(message: Sealed<C>): boolean;
  /** Says a CHECKPOINT for a boundary that was executed here. */
  protected abstract sayCheckpoint(state: CheckpointState): void;
  /** A request was not executed in time. */
  protected abstract onOverdue(): void;
  /** The view that was asked for did not come in time. */
  protected abstract onNewViewTimeout(): void;
  /** After a restart, before own messages are replayed: what the protocol stored. */
  protected abstract restore(stored: ReadonlyMap<string, Uint8Array>): void;
  /** Messages that bring a replica of an older view into this one; empty if nothing can. */
  abstract newViewProof(): readonly Sealed<C>[];

  /** The state that a CHECKPOINT names; undefined for other contents. */
  protected readCheckpoint(content: C): CheckpointReading | undefined {
    return readingOf(content);
  }

  /**
   * Messages of others that this replica has voted for and that are not decided. Their authors may have lost their stores;
   * who is shown them can vote, too.
   */
  unfinished(): readonly Sealed<C>[] {
    return [];
  }

  /** Whether the state of a certified checkpoint may take the place of what is here now. */
  mayFetch(_certificate: CheckpointCertificate<C>): boolean {
    return true;
  }

  /** A peer says in which view it takes part, or for which one it has left all before. */
  onPeerView(_peer: ReplicaId, _view: View): void {}

  /** Who gets an own message; undefined: all others. */
  protected audience(_content: C): readonly ReplicaId[] | undefined {
    return undefined;
  }

  /**
   * The trusted component refused its word: it had spent the value before the store was lost. What is never said cannot
   * do harm; this replica is one of the f until a stable checkpoint covers what it has forgotten.
   */
  protected onUnsaid(_content: C): void {}

  /** The service has executed `sequence`. */
  protected onExecuted(_sequence: SequenceNumber, _update: Uint8Array | undefined): void {}

  /** The service refused the update that it was to apply as `sequence`. */
  protected onRefused(_sequence: SequenceNumber): void {}

  /** After a start, before anything is restored, and when a state was fetched: what `protocolState` was at that point. */
  protected takeProtocolState(_state: Uint8Array): void {}

  /** A checkpoint became stable: everything below may go. */
  protected onStable(_sequence: SequenceNumber): void {}

  /** A state was fetched: what was executed before counts no more. */
  protected onInstalled(_sequence: SequenceNumber): void {}

  /** Timers of the protocol's own. */
  protected onTimer(_timer: string): void {}

  /** A commit certificate or the like, made by a client. */
  protected onClientMessage(_message: AttestedMessage<C>): void {}

  /** A client asks again for what was executed but is not final here. */
  protected onAsked(_sequence: SequenceNumber, _bundle: Bundle): void {}

  /** State of the protocol that checkpoints cover. */
  get protocolState(): Uint8Array {
    return NO_BYTES;
  }

  // ---- for people: nothing is decided by what these say

  /** What the view that this replica asks for waits for. */
  viewLack(): Lacking | undefined {
    return undefined;
  }

  /** What an order that is not decided here waits for. `isAsked`: requests wait to be ordered. */
  orderLack(_sequence: SequenceNumber, _isAsked: boolean): Lacking | undefined {
    return undefined;
  }

  /** What answers wait for although their orders are executed; `since` is known. */
  answerLack(): Lacking | undefined {
    return undefined;
  }

  /** What `status` shows of the mode, in the protocol's words. */
  get role(): string | undefined {
    return undefined;
  }
}
