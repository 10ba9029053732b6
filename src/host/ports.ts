/**
 * The ports of the host (decision B2). `node/` gives real ones (files, sockets, clock, a trusted process), `sim/`
 * gives virtual ones that delay, lose and tear. All calls return at once; what takes time comes back later through
 * the methods of `ReplicaHost` named beside each port.
 */
import type { TimerName } from '../core/protocol.ts';
import type { Milliseconds, ReplicaId } from '../core/types.ts';
import type { Block, FrozenCheckpoint, HeaderSignature } from '../ledger/contract.ts';
import type { Digest, Height } from '../core/types.ts';
import type { Endorsement } from '../trusted/attestation/bundle.ts';

/** A client's connection at this replica: a number that the world chose, unique while the connection lives. */
export type ClientLink = number;

export interface NetworkPort {
  /**
   * Sends one frame to a peer; may be lost if the link is down. What `mayWait` may go with a later frame, or some
   * milliseconds later if none follows: no request waits for it (header signatures: a receipt made at once may).
   */
  toPeer(to: ReplicaId, frame: Uint8Array, mayWait?: boolean): void;
  /** Sends one frame to a client; dropped if its connection is gone. */
  toClient(link: ClientLink, frame: Uint8Array): void;
}

/**
 * The journal: an append-only, checksummed, chained sequence of records. After a crash a prefix of what was appended
 * is found that contains at least everything that was synced.
 */
export interface JournalPort {
  /** Appends one record to the buffer. */
  append(record: Uint8Array): void;
  /** Asks that everything appended so far becomes durable; `ReplicaHost.onJournalSynced(token)` answers. */
  sync(token: number): void;
  /**
   * Starts a new journal that holds exactly these records, then drops the old one: atomic and durable when
   * `onJournalSynced(token)` answers. Records appended after this call go to the new journal. Until the answer each
   * source may be asked at any time.
   */
  rewrite(records: readonly RecordSource[], token: number): void;
}

/** Record of a new journal: its bytes, or how to make them when they are to be written. */
export type RecordSource = Uint8Array | (() => Uint8Array);

/**
 * Where batch bodies lie until no restart and no peer can ask for them. It need not survive the process: they are in the
 * journal, too.
 */
export interface BodyPort {
  /** Keeps the bytes of a body; digests name one content each. */
  put(digest: Digest, bytes: Uint8Array): void;
  /** The bytes as they were put; undefined if they are not there. */
  get(digest: Digest): Uint8Array | undefined;
  drop(digest: Digest): void;
}

/** Durable snapshots of checkpoints. */
export interface SnapshotPort {
  /** Bytes of the state in the latest durable snapshot; 0: there is none. */
  readonly stateBytes: number;
  /**
   * Makes the changed chunks of this checkpoint durable, atomically with its description; `onSnapshotStored(sequence)`
   * answers. `meta` is opaque.
   */
  store(frozen: FrozenCheckpoint, meta: Uint8Array): void;
}

/** The chain of blocks on disk. Blocks arrive in order; after a restart blocks that were written may be given again. */
export interface BlockPort {
  append(block: Block): void;
  /** Keeps a header signature that was learnt (not verified yet) beside its block; one per replica and height. */
  sign(height: Height, headerHash: Digest, signature: HeaderSignature): void;
  /** Drops every block above `height`: blocks of a source that turned out to lie, or newer than the recovered state. */
  truncateAbove(height: Height): void;
  /** Bytes of a block for a peer that fetches blocks; undefined if not there. */
  read(height: Height): Uint8Array | undefined;
}

export interface TrustedPort {
  /** Passes a TCS1 request on; `ReplicaHost.onTrustedResponse(id, response)` answers, in order. */
  call(id: number, request: Uint8Array): void;
  /** Where the component runs, if that is another footprint than the registered one. */
  readonly footprint?: string;
  /** What others say about the component's code, for this bind digest (docs/attestation.md). Absent: nothing. */
  endorsements?(bind: Digest): readonly Endorsement[];
}

export interface TimerPort {
  /** Sets or replaces a timer; `ReplicaHost.onTimer(name)` answers. */
  set(timer: TimerName, delayMs: Milliseconds): void;
  cancel(timer: TimerName): void;
}

/** What an operator or a judge wants to know; never needed for correctness. */
export interface ObserverPort {
  note(name: string, detail: Readonly<Record<string, string | number | boolean>>): void;
  /** Evidence against a replica, to be kept; verifies offline. */
  evidence(replica: ReplicaId, rule: string, bytes: Uint8Array): void;
  /** Counted: why something from a peer or a client was ignored. */
  ignored(reason: string, from: ReplicaId | 'client'): void;
  /** The replica must stop: its trusted component or disk is not what it must be. The sentence says what to do. */
  fatal(reason: string): void;
}

/** All ports of one replica. */
export interface HostPorts {
  readonly network: NetworkPort;
  readonly journal: JournalPort;
  /** Default: memory. */
  readonly bodies?: BodyPort;
  readonly snapshots: SnapshotPort;
  readonly blocks: BlockPort;
  readonly trusted: TrustedPort;
  readonly timers: TimerPort;
  readonly observer: ObserverPort;
}

/** What the store of a replica holds at its start. */
export interface StoredImage {
  /** Journal records, in order; a prefix of what was appended. */
  readonly journal: readonly Uint8Array[];
  /** Latest durable snapshot. */
  readonly snapshot: { readonly meta: Uint8Array; readonly chunk: (index: number) => Uint8Array } | undefined;
}
