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
 * - H5 `execute` and `apply` are answered by `executed` before any other input.
 * - H6 Everything in an earlier `store` is durable before a later `attest` is answered; `attest`s are answered in order.
 *   Any number may be outstanding. What was attested is found again in `Recovery.attested` after a crash.
 *
 * A protocol uses either `seal` (one USIG stream) or `attest` (signatures, counters, logs), never both.
 */
import type { Attestation, AttestedDraft, Attestor, ObjectAttestation } from './attestation.ts';
import type { ClusterSettings } from './config.ts';
import type { Lack } from './live.ts';
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
  /** A counter value or log entry that a trusted component gave to a digest. */
  | { readonly kind: 'object'; readonly attestation: ObjectAttestation; readonly digest: Digest }
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
  /** An own message is durable and vouched for; in the order of the `attest`s. */
  | { readonly kind: 'attested'; readonly id: number; readonly attestation: Attestation }
  /**
   * The object gave this value, or a later one, to something that an earlier, lost store of this replica knew: the
   * message is not said, now or ever. Comes in the place of `attested`.
   */
  | { readonly kind: 'refused'; readonly id: number }
  /** A message that a client made of replicas' answers (a commit certificate); all its seals hold. */
  | { readonly kind: 'clientMessage'; readonly message: Verified<M> }
  /**
   * A client asks again for requests that were executed as `sequence` but not confirmed: the host holds the answer
   * (`answer` gives it out). Confirmed ones are answered by the host alone, unless `ClientRules.provesFinal`.
   */
  | { readonly kind: 'asked'; readonly sequence: SequenceNumber; readonly bundle: Verified<Bundle> }
  | { readonly kind: 'timeout'; readonly timer: TimerName }
  /**
   * Answer to `execute` and `apply`. `checkpoint` is present at multiples of the checkpoint interval. `update`: what
   * the batch changed, for protocols with passive replicas. `refused`: the update of an `apply` does not fit; nothing changed.
   */
  | {
      readonly kind: 'executed';
      readonly sequence: SequenceNumber;
      readonly checkpoint?: CheckpointState;
      readonly update?: Uint8Array;
      readonly refused?: true;
    }
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
  /** Own attested messages that were not trimmed, ascending; the last ones may have been attested at this very start. */
  readonly attested?: readonly AttestedDraft[];
  /** Highest number that an own message ever had, also one that was refused; absent: that of the last in `attested`. */
  readonly attestedThrough?: number;
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
  /**
   * Make an own message durable and have it vouched for. `id` is one more than that of the `attest` before, over
   * restarts, too. Answered by `attested`; `draft` comes back in `Recovery.attested`.
   */
  | {
      readonly kind: 'attest';
      readonly id: number;
      readonly digest: Digest;
      readonly draft: Uint8Array;
      readonly by: Attestor;
    }
  /** Own attested messages with a number below this are not needed any more. */
  | { readonly kind: 'trimAttested'; readonly below: number }
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
      /**
       * Absent: the batch is final; the host answers its clients and signs its block. `held`: final, but the protocol
       * gives the answers out by `answer`. `speculative`: it may be rolled back: no block is signed and no answer given
       * before `answer` or `confirm`.
       */
      readonly mode?: 'held' | 'speculative';
    }
  /** Applies what a batch changed instead of executing it (passive replicas); answered by `executed`. Final. */
  | {
      readonly kind: 'apply';
      readonly sequence: SequenceNumber;
      readonly update: Uint8Array;
      readonly protocolState: Uint8Array;
    }
  /** Speculative executions up to here are final: blocks are signed. Gives no answers by itself. */
  | { readonly kind: 'confirm'; readonly through: SequenceNumber }
  /** Undoes speculative executions above `to`, answers held for them included. */
  | { readonly kind: 'rollback'; readonly to: SequenceNumber }
  /**
   * Gives the answers of an executed batch to its clients, with what the protocol says about them. May be repeated, with
   * another standing, while the batch is above the latest stable checkpoint.
   */
  | {
      readonly kind: 'answer';
      readonly sequence: SequenceNumber;
      readonly view: View;
      readonly standing: Standing;
      readonly proof: Uint8Array;
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

/**
 * What an answer is worth. `speculative`: enough equal ones of one history make it final. `committed`: its replica holds
 * a commit certificate. `final`: it can never be undone there.
 */
export type Standing = 'speculative' | 'committed' | 'final';

/** When a client of a protocol believes an answer. */
export interface ClientRules {
  /** Equal answers of different replicas that complete a request; undefined: answers of this standing never do. */
  needed(standing: Standing, n: number, f: number): number | undefined;
  /**
   * What must be equal in proofs that count together, and what must hold in each; absent: proofs are empty. Undefined:
   * the answer does not count. A retry of something confirmed is answered by the host: `final`, with an empty proof
   * (unless `provesFinal`).
   * Clients know the components that genesis registered, no later ones: an answer whose seals need another key does
   * not count, so list none that the client can do without (the host key signs each answer as a whole anyway).
   */
  readonly readProof?: (
    proof: Uint8Array,
    replica: ReplicaId,
    context: DecodeContext,
    standing: Standing,
  ) => { readonly key: string; readonly seals: readonly Seal[] } | undefined;
  /**
   * Final answers carry a proof, too: replicas give none by themselves, also to a client that asks again for what was
   * executed long ago (`asked`, and `answer` for that sequence number).
   */
  readonly provesFinal?: true;
  /** Speculative answers are too few to complete: so many equal ones make a message to all replicas. */
  readonly certificate?: {
    needed(n: number, f: number): number;
    /** Bytes as of `ProtocolDefinition.encode`. */
    make(proofs: readonly { readonly replica: ReplicaId; readonly proof: Uint8Array }[]): Uint8Array;
  };
}

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
  /** What can never be undone, where that may be less than what was executed. */
  readonly confirmed?: SequenceNumber;
  /** What the replica does in a protocol of several modes, in its words, for example `CheapTiny, passive`. */
  readonly role?: string;
  readonly stable: SequenceNumber;
  readonly ownCounter: CounterValue;
  readonly pendingBundles: number;
  readonly ownLogEntries: number;
  /** One per replica, self included. */
  readonly peers: readonly PeerInspection[];
  /** What the replica waits for, also for the moments of normal work. */
  readonly lack?: Lack;
  /** The same in a sentence, if it is worth one: why nothing is ordered. */
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
  /**
   * What `status` and judges may look at. `brief`: of peers only those whose streams were stopped, and nothing of what it
   * waits for: judges look at all replicas again and again.
   */
  inspect(now: Milliseconds, brief?: boolean): ReplicaInspection;
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
  /** Told of each rule that is judged; may come and go while the replica runs. */
  readonly trace?: ((event: RuleTrace) => void) | undefined;
}

/** What decoding needs to know. */
export interface DecodeContext {
  readonly settings: ClusterSettings;
  readonly domain: Domain;
  readonly hash: Hash;
}

/** What is known of a protocol before it runs: the row that `moiety protocols` prints. Formulas are those of its paper. */
export interface ProtocolFacts {
  /** Authors, venue, year. */
  readonly paper: string;
  /** N as a formula of f, for example `2f+1`. */
  readonly replicas: string;
  /** Replicas that order and execute in the fault-free case, as a formula; absent: all. */
  readonly active?: string;
  /** Quorums in words and formulas, for example `commit f+1 · view change f+1 · checkpoint f+1`. */
  readonly quorums: string;
  /** Phases between replicas in the fault-free case. */
  readonly phases: number;
  /** Message delays from request to accepted answer, fault-free, in a cluster for f faults. */
  delays(f: number): number;
  /** Messages between replicas and to the client per batch, fault-free, by kind, without those to oneself. */
  messages(n: number, f: number): Readonly<Record<string, number>>;
  /** Calls of trusted components per batch, all replicas together. */
  trustedCalls(n: number, f: number): number;
  /** Faulty replicas (and faulty clients, any number) up to which it is safe, and up to which it is live. */
  faultsSafe(n: number): number;
  faultsLive(n: number): number;
}

/** A numbered rule of a protocol (decision E6). */
export interface RuleDescription {
  readonly id: string;
  readonly text: string;
  /** `guard`: the simulator must see it pass and refuse. `defence`: kept in depth, seen by a constructed test. */
  readonly kind: 'guard' | 'defence';
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
  /** Row of the table of protocols. */
  readonly facts: ProtocolFacts;
  /** Every rule that its code cites. */
  readonly rules: readonly RuleDescription[];
  /** When its clients believe an answer; absent: f+1 equal final ones. */
  readonly client?: ClientRules;
  /** Whether `executed` must bring an `update` (protocols with passive replicas). */
  readonly makesUpdates?: true;
  replicasFor(f: number): number;
  createReplica(context: ReplicaContext): Replica<M>;
  /** Bytes of a message for a link. */
  encode(message: M): Uint8Array;
  /** The message, or undefined if the bytes are not exactly one canonical, bounded message. */
  decode(bytes: Uint8Array, context: DecodeContext): M | undefined;
  /** All seals inside a message, nested ones included: collected for one `verifyMany` (decision B4). */
  seals(message: M): readonly Seal[];
}
