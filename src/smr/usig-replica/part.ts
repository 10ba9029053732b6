/**
 * What a protocol on USIG streams decides for itself: what it proposes and votes for, how it executes, and whom it tells
 * about its own messages. Streams, views, checkpoints, gossip and re-admission are the same for all of them.
 */
import type { CheckpointState, TimerName } from '../../core/protocol.ts';
import type { Batch, Bundle } from '../../core/request.ts';
import type { ReplicaId, SequenceNumber } from '../../core/types.ts';
import type { VoteKind } from '../usig-stream/context.ts';
import type { Draft, Prepare, StreamMessage } from '../usig-stream/messages.ts';
import type { SlotRules } from '../usig-stream/slots.ts';
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

  // ---- Protocol state, where more follows on the registry
  /** The state of the service is that of order `executed`: found at the start or installed. */
  onState?(protocolState: Uint8Array): void;

  // ---- Views with several owners
  /** Replicas that should own nothing in the next view; part of the own VIEW-CHANGE. */
  suspects?(): readonly ReplicaId[];
  /** Who proposes an order of the own view; undefined, or absent: its primary. */
  ownerOf?(n: SequenceNumber): ReplicaId | undefined;
  /** Whether a proposal is not to be decided any more. */
  isVoid?(proposal: Prepare): boolean;
  /** The body of an entry that nobody need send. */
  impliedBody?(entry: Prepare): Batch | undefined;
  /** Whether the streams of others are shown less far than what own messages quote; absent: as with one primary. */
  lacksStreams?(): boolean;
  /** A proposal whose batch is not what it should be. */
  onBadBatch?(proposal: Prepare): void;

  // ---- What happened
  /** The replica starts; what is durable and its own is in `stored`. */
  onRestore?(stored: ReadonlyMap<string, Uint8Array>): void;
  /** A client's bundle waits to be ordered. */
  onBundle?(bundle: Bundle): void;
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

/** What a protocol's messages look like. */
export interface UsigForm {
  readonly vote: VoteKind;
  /** Present: its views have several owners. */
  readonly slots?: SlotRules;
}

/** A protocol on USIG streams. */
export interface UsigProtocol extends UsigForm {
  /** Name in settings and digests. */
  readonly name: string;
  readonly part: (state: ReplicaState) => ProtocolPart;
}
