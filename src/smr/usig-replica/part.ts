/**
 * What a protocol on USIG streams decides for itself: what it proposes and votes for, how it executes, and whom it tells
 * about its own messages. Streams, views, checkpoints, gossip and re-admission are the same for all of them.
 */
import type { CheckpointState, TimerName } from '../../core/protocol.ts';
import type { Bundle } from '../../core/request.ts';
import type { ReplicaId, SequenceNumber } from '../../core/types.ts';
import type { VoteKind } from '../usig-stream/context.ts';
import type { Draft, StreamMessage } from '../usig-stream/messages.ts';
import type { ReplicaState, StreamItem } from './state.ts';

/** One replica's own part of its protocol, made with the replica's state. Absent methods: nothing is to be done. */
export interface ProtocolPart {
  /** The proposal or vote to seal next, if one is due; the own stream is active. */
  nextOrder(): Draft | undefined;
  /** Decides and executes what can be. True if something moved. */
  advance(): boolean;
  /** The service has executed a batch. */
  onExecuted(sequence: SequenceNumber, checkpoint: CheckpointState | undefined): void;
  /** An own message looped back and has taken its place: it may leave. */
  publish(message: StreamMessage): void;

  // ---- Executions that can be undone
  /** Highest order executed, final or not. */
  reached?(): SequenceNumber;
  /** Whether a bundle that the service has executed may be undone: it still waits. */
  isOpen?(bundle: Bundle): boolean;
  /** A client asks again for what was executed and is not final. */
  onAsked?(sequence: SequenceNumber, bundle: Bundle): void;

  // ---- Protocol state, where it is more than the registry
  /** The part of a protocol state that is the registry. */
  registryIn?(protocolState: Uint8Array): Uint8Array;
  /** The state of the service is that of order `executed`: found at the start or installed. */
  onState?(protocolState: Uint8Array): void;

  // ---- What happened
  /** A message took its place in a stream; at the start those of the own log, too. */
  onAccepted?(author: ReplicaId, item: StreamItem): void;
  /** The own stream became active in a view. */
  onViewEntered?(): void;
  onStable?(sequence: SequenceNumber): void;
  /** A state is going to be fetched. */
  onTransfer?(): void;
  /** Requests are half-way to their deadline. */
  onWaiting?(): void;
  onTimeout?(timer: TimerName): void;
}

/** A protocol on USIG streams. */
export interface UsigProtocol {
  /** Name in settings and digests. */
  readonly name: string;
  readonly vote: VoteKind;
  readonly part: (state: ReplicaState) => ProtocolPart;
}
