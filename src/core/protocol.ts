/**
 * The contract of every protocol: a replica is an object with state and one synchronous method. What it learns arrives
 * as an *input*, what it wants done leaves as *effects*, in order. The only definition of both (decision E3).
 *
 * What the host (`host/`) owes:
 * - H1 Effects are performed in the order in which they are listed.
 * - H2 Everything in an earlier `store` is durable before the trusted component is asked for a later `seal` (W1), and
 *   the sealed message is durable before it comes back as `sealed` (W2, W3). Own messages are sent only afterwards:
 *   the replica broadcasts them when they loop back.
 * - H3 One `seal` is outstanding at a time; the next one is emitted only after `sealed`.
 * - H4 Only verified messages and bundles enter; `from` is the link they came over, not their author.
 * - H5 `execute` is answered by `executed` before any other input.
 */
import type { ClusterSettings } from './config.ts';
import type { Batch, Bundle, RecoverRequest } from './request.ts';
import type {
  CounterValue,
  Digest,
  Hash,
  Milliseconds,
  ReplicaId,
  SequenceNumber,
  TcEpoch,
  Verified,
  View,
} from './types.ts';
import type { Domain } from './domain.ts';

/** UI: the identifier that a trusted counter gave to one statement, with the proof (USIG `createUI`). */
export interface UniqueIdentifier {
  readonly replica: ReplicaId;
  readonly tcEpoch: TcEpoch;
  readonly counter: CounterValue;
  /** Signature (64 bytes) or MAC (32 bytes) over the TCS1 statement. */
  readonly authenticator: Uint8Array;
}

/** One thing to verify: bytes of a seal and what it must cover. */
export type Seal =
  | { readonly kind: 'counter'; readonly ui: UniqueIdentifier; readonly digest: Digest }
  | {
      readonly kind: 'host';
      readonly replica: ReplicaId;
      readonly digest: Digest;
      readonly signature: Uint8Array;
    }
  | {
      readonly kind: 'client';
      readonly key: Uint8Array;
      readonly digest: Digest;
      readonly signature: Uint8Array;
    }
  /** The evidence of a RECOVER: its component sealed the challenge of exactly this replica, and its code is allowed. */
  | { readonly kind: 'evidence'; readonly request: RecoverRequest };

/** Answer of verification (decision B4). `unknownKey`: fetch the registry first, never a fault. */
export type SealVerdict = 'valid' | 'invalid' | 'unknownKey';

/** A key that a registry binds to (replica, tcEpoch); bindings never change once made. */
export interface TrustedKey {
  readonly replica: ReplicaId;
  readonly tcEpoch: TcEpoch;
  readonly tcId: string;
  readonly publicKey: string;
}

/** A checkpoint of the service after executing `sequence`. */
export interface CheckpointState {
  readonly sequence: SequenceNumber;
  readonly stateDigest: Digest;
}

/** What a replica learns. */
export type Input<M> =
  /** A client's bundle with a valid client seal, not yet executed; from the client or forwarded by a replica. */
  | { readonly kind: 'bundle'; readonly bundle: Verified<Bundle>; readonly forwardedBy?: ReplicaId }
  /** A peer's message; all its seals hold. */
  | { readonly kind: 'message'; readonly from: ReplicaId; readonly message: Verified<M> }
  /** A batch body arrived (asked for or not); `batch.digest` was computed from its bytes. */
  | { readonly kind: 'body'; readonly batch: Batch }
  /** The outstanding seal was given and is durable. */
  | { readonly kind: 'sealed'; readonly ui: UniqueIdentifier }
  | { readonly kind: 'timeout'; readonly timer: TimerName }
  /** Answer to `execute`. `checkpoint` is present at multiples of the checkpoint interval. */
  | { readonly kind: 'executed'; readonly sequence: SequenceNumber; readonly checkpoint?: CheckpointState }
  /** State transfer finished: state at `sequence` is installed and durable. */
  | { readonly kind: 'installed'; readonly checkpoint: CheckpointState; readonly protocolState: Uint8Array }
  /** State transfer to `sequence` could not be finished (sources gone); the replica may ask again. */
  | { readonly kind: 'transferFailed'; readonly sequence: SequenceNumber }
  /** A link to a peer came up (again): what that peer may have missed is worth re-sending at once. */
  | { readonly kind: 'linkUp'; readonly peer: ReplicaId }
  /** First input after a start; exactly once. */
  | { readonly kind: 'start'; readonly recovery: Recovery };

/** What survived the last stop. A first start has an empty one with `incarnation` "keeper". */
export interface Recovery {
  /**
   * `keeper`: trusted state and log are intact, go on. `recovering`: a new trusted component was made, `recover` must
   * be ordered before anything of this replica counts.
   */
  readonly standing: 'keeper' | 'recovering';
  /** Encoded RECOVER request (`writeRecover`), if recovering. */
  readonly recover?: Uint8Array;
  /** tcEpoch of the trusted component that runs now. */
  readonly tcEpoch: TcEpoch;
  /** Durable map written by `store`. */
  readonly stored: ReadonlyMap<string, Uint8Array>;
  /** Own sealed messages that were not trimmed, ascending and without a hole; empty if recovering. */
  readonly ownLog: readonly { readonly draft: Uint8Array; readonly ui: UniqueIdentifier }[];
  /** What the service has executed (snapshot and replay). */
  readonly executed: SequenceNumber;
  /** Latest checkpoint of the service at or below `executed`; sequence 0 for genesis. */
  readonly checkpoint: CheckpointState;
  /** `protocolState` of the latest `execute` or installed state; empty at genesis. */
  readonly protocolState: Uint8Array;
}

/** Name of a timer of a protocol. Setting a timer that runs replaces it. */
export type TimerName = string;

/** One change of the durable map. */
export interface StoreEntry {
  readonly key: string;
  /** undefined deletes. */
  readonly value: Uint8Array | undefined;
}

/** What a replica wants done. */
export type Effect<M> =
  | { readonly kind: 'send'; readonly to: ReplicaId; readonly message: M }
  /** To all other replicas. */
  | { readonly kind: 'broadcast'; readonly message: M }
  /**
   * Have the trusted component certify `digest` as the next counter value, which must be `counter` under `tcEpoch`.
   * `draft` is the encoded message without its UI; it is stored with the intent and comes back in `Recovery.ownLog`.
   */
  | {
      readonly kind: 'seal';
      readonly tcEpoch: TcEpoch;
      readonly counter: CounterValue;
      readonly digest: Digest;
      readonly draft: Uint8Array;
    }
  /** Changes the durable map, atomically. Bodies live under `body/<digest>` and are answered from there. */
  | { readonly kind: 'store'; readonly entries: readonly StoreEntry[] }
  /** Own sealed messages with a counter below this are not needed any more (the anchor itself stays). */
  | { readonly kind: 'trimLog'; readonly below: CounterValue }
  /** Send a batch body to one replica, or to all others. */
  | { readonly kind: 'shareBody'; readonly batch: Batch; readonly to?: ReplicaId }
  /** Ask one replica for a batch body; the answer is a `body` input. */
  | { readonly kind: 'fetchBody'; readonly digest: Digest; readonly from: ReplicaId }
  /** Pass a client's bundle on to one replica, or to all others. */
  | { readonly kind: 'forward'; readonly bundle: Bundle; readonly to?: ReplicaId }
  /**
   * Execute the batch as `sequence`. `protocolState` is what the protocol wants covered by checkpoints (registry);
   * it is the state *after* this batch.
   */
  | {
      readonly kind: 'execute';
      readonly sequence: SequenceNumber;
      readonly batch: Batch;
      readonly protocolState: Uint8Array;
    }
  /** The checkpoint is stable: older frozen states may go, a snapshot of this one should become durable. */
  | { readonly kind: 'stable'; readonly checkpoint: CheckpointState }
  /** Fetch the state of this certified checkpoint from the sources; answered by `installed` or `transferFailed`. */
  | {
      readonly kind: 'transfer';
      readonly checkpoint: CheckpointState;
      readonly sources: readonly ReplicaId[];
    }
  | { readonly kind: 'setTimer'; readonly timer: TimerName; readonly delayMs: Milliseconds }
  | { readonly kind: 'cancelTimer'; readonly timer: TimerName }
  /** Verification must know this key from now on. */
  | { readonly kind: 'trustKey'; readonly key: TrustedKey }
  /** A peer did what no correct replica does; `evidence` proves it offline (`EvidenceRecord` of the protocol). */
  | {
      readonly kind: 'accuse';
      readonly replica: ReplicaId;
      readonly rule: string;
      readonly evidence: Uint8Array;
    }
  /**
   * This replica must stop: proof that its trusted component was rolled back, or that the cluster knows a newer
   * incarnation of it (decision A3). The sentence says what is wrong and what to do.
   */
  | { readonly kind: 'halt'; readonly reason: string }
  /** Something an operator or a trace reader wants to know. `name` is from a closed list of the protocol. */
  | {
      readonly kind: 'note';
      readonly name: string;
      readonly detail: Readonly<Record<string, string | number | boolean>>;
    };

/** Outcome of one numbered rule, for traces and coverage. */
export interface RuleTrace {
  readonly rule: string;
  /** Whether the guard let the message pass. */
  readonly passed: boolean;
  /** Kind of the message that it was about. */
  readonly about?: string;
  /** Mode of the replica at that moment, as in `ReplicaInspection`. */
  readonly state?: ReplicaInspection['mode'];
}

/** What `status` and judges may look at. Plain data, made on request. */
export interface ReplicaInspection {
  readonly view: View;
  /** `active` takes part; `changing` left a view; `recovering` waits for its RECOVER to be covered. */
  readonly mode: 'active' | 'changing' | 'recovering';
  readonly primary: ReplicaId;
  readonly executed: SequenceNumber;
  readonly stable: SequenceNumber;
  readonly ownCounter: CounterValue;
  readonly pendingBundles: number;
  readonly ownLogEntries: number;
  /** One per replica, self included. */
  readonly peers: readonly PeerInspection[];
  /** Why nothing is ordered, if so: a sentence with the replicas whose messages are lacking. */
  readonly waitsFor?: string;
}

/** What this replica knows about another. */
export interface PeerInspection {
  readonly replica: ReplicaId;
  readonly incarnation: number;
  /** SHA-256 of the program of the component in force; as good as the evidence that was asked for. */
  readonly measurement?: Digest;
  /** Where that component runs, as registered. */
  readonly footprint?: string;
  readonly counter: CounterValue;
  /** Stream stopped by a proven fault. */
  readonly dead: boolean;
  /** Messages that it sent again after they were processed: retransmissions and replays. */
  readonly repeated?: number;
  /** By how much its votes come later than those of a quorum, on average. */
  readonly lateMs?: Milliseconds;
  /** How often it was asked in vain, lately, for what it should have sent by itself. */
  readonly lacks?: number;
  /** When a message of it was last processed; undefined if never. */
  readonly lastHeardMs?: Milliseconds;
  /** Highest sequence number that it reported as executed. */
  readonly executed: SequenceNumber;
}

/** A running replica of a protocol. */
export interface Replica<M> {
  /** Processes one input to completion. `now` is the host's clock in milliseconds. Never throws on remote data. */
  step(input: Input<M>, now: Milliseconds): readonly Effect<M>[];
  inspect(now: Milliseconds): ReplicaInspection;
}

/** What a replica is made of. */
export interface ReplicaContext {
  readonly self: ReplicaId;
  readonly settings: ClusterSettings;
  readonly domain: Domain;
  readonly hash: Hash;
  /** Whether every request of the bundle has been executed already (asked of the client table). */
  readonly isExecuted: (bundle: Bundle) => boolean;
  /** Signs a digest with the host key (REQ-VIEW-CHANGE). */
  readonly signAsHost: (digest: Digest) => Uint8Array;
  /** Seed of the replica's own jitter. */
  readonly seed: number;
  readonly trace?: (event: RuleTrace) => void;
}

/** What decoding needs to know. */
export interface DecodeContext {
  readonly settings: ClusterSettings;
  readonly domain: Domain;
  readonly hash: Hash;
}

/** A protocol: a point of the design space, with everything needed to run it. */
export interface ProtocolDefinition<M> {
  /** Lower-case name, as in settings and on the command line. */
  readonly name: string;
  readonly title: string;
  /** Code of the survey, for example `CA`. */
  readonly designCode: string;
  /** Trusted program needed by each replica; undefined for protocols without one. */
  readonly trustedProgram: string | undefined;
  replicasFor(f: number): number;
  createReplica(context: ReplicaContext): Replica<M>;
  /** Bytes of a message for a link. */
  encode(message: M): Uint8Array;
  /** The message, or undefined if the bytes are not exactly one canonical, bounded message. */
  decode(bytes: Uint8Array, context: DecodeContext): M | undefined;
  /** All seals inside a message, nested ones included: collected for one `verifyMany` (decision B4). */
  seals(message: M): readonly Seal[];
}
