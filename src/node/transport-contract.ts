/** What the network of a replica process is told and what it tells: bounds, events, counters. */
import type { KeyObject } from 'node:crypto';
import { QUERY_ANSWER_BYTES_MAX } from '../core/client-wire.ts';
import type { ClusterSettings } from '../core/config.ts';
import { BUNDLE_BYTES_MAX } from '../core/request.ts';
import type { Milliseconds, ReplicaId } from '../core/types.ts';
import type { ClientLink } from '../host/ports.ts';
import type { CloseReason } from './frame-socket.ts';

/** Bounds of the network of one process; none of them is part of the cluster's settings. */
export interface TransportLimits {
  readonly peerFrameBytesMax: number;
  readonly peerQueueBytesMax: number;
  readonly clientFrameBytesMax: number;
  readonly clientQueueBytesMax: number;
  /** Clients connected at once. */
  readonly clientsMax: number;
  /** Connections from one address at once, whatever they are. */
  readonly perAddressMax: number;
  readonly handshakeMs: Milliseconds;
  readonly keepAliveMs: Milliseconds;
  readonly silentMs: Milliseconds;
  /** How often links are looked after. */
  readonly tickMs: Milliseconds;
  readonly redialMs: Milliseconds;
  readonly redialCapMs: Milliseconds;
}

/** Defaults for a replica. */
export const DEFAULT_TRANSPORT_LIMITS: TransportLimits = {
  peerFrameBytesMax: 1024 * 1024,
  peerQueueBytesMax: 64 * 1024 * 1024,
  clientFrameBytesMax: BUNDLE_BYTES_MAX + 4096,
  clientQueueBytesMax: 2 * QUERY_ANSWER_BYTES_MAX + 1024 * 1024,
  clientsMax: 512,
  perAddressMax: 544,
  handshakeMs: 5_000,
  keepAliveMs: 2_000,
  silentMs: 10_000,
  tickMs: 1_000,
  redialMs: 50,
  redialCapMs: 3_000,
};

/** Where the network reports. Bytes are views into what was received; nothing else writes to them. */
export interface TransportEvents {
  onPeerUp(peer: ReplicaId): void;
  onPeerDown(peer: ReplicaId): void;
  onPeerFrame(from: ReplicaId, bytes: Uint8Array): void;
  onClientFrame(link: ClientLink, clientKey: Uint8Array, bytes: Uint8Array): void;
  onClientGone(link: ClientLink): void;
  log(level: 'info' | 'warn', message: string, detail: Readonly<Record<string, string | number>>): void;
}

/** Counters since the start. */
export interface TransportCounters {
  peerConnections: number;
  clientConnections: number;
  /** Connections that never said who they are in the right way. */
  refusedConnections: number;
  droppedFrames: number;
  framesIn: number;
  framesOut: number;
  readonly closed: Partial<Record<CloseReason, number>>;
}

/** What a transport is made of. */
export interface TransportOptions {
  readonly self: ReplicaId;
  readonly settings: ClusterSettings;
  readonly linkKey: KeyObject;
  /** "host:port" to listen on; port 0 lets the system choose. */
  readonly listen: string;
  readonly events: TransportEvents;
  readonly limits?: Partial<TransportLimits>;
}
