/**
 * What a protocol on USIG streams decides for itself: what it proposes and votes for, how it executes, and whom it tells
 * about its own messages. Streams, views, checkpoints, gossip and re-admission are the same for all of them.
 */
import type { CheckpointState } from '../../core/protocol.ts';
import type { SequenceNumber } from '../../core/types.ts';
import type { Draft, StreamMessage } from '../usig-stream/messages.ts';
import type { ReplicaState } from './state.ts';

/** One replica's own part of its protocol, made with the replica's state. */
export interface ProtocolPart {
  /** The proposal or vote to seal next, if one is due; the own stream is active. */
  nextOrder(): Draft | undefined;
  /** Decides and executes what can be. True if something moved. */
  advance(): boolean;
  /** The service has executed a batch. */
  onExecuted(sequence: SequenceNumber, checkpoint: CheckpointState | undefined): void;
  /** An own message looped back and has taken its place: it may leave. */
  publish(message: StreamMessage): void;
}

/** A protocol on USIG streams. */
export interface UsigProtocol {
  /** Name in settings and digests. */
  readonly name: string;
  readonly part: (state: ReplicaState) => ProtocolPart;
}
