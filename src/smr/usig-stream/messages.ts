/**
 * Messages of the protocols on USIG streams. Every sealed message carries `ui`, and `digest`, what the UI certifies (computed when it is
 * made or decoded, so it always fits the content). `bytes` is the canonical encoding including the UI; nested
 * messages are quoted by it.
 */
import type { UniqueIdentifier } from '../../core/protocol.ts';
import type { RecoverRequest } from '../../core/request.ts';
import type {
  ConfigurationVersion,
  CounterValue,
  Digest,
  Incarnation,
  ReplicaId,
  SequenceNumber,
  View,
} from '../../core/types.ts';

/** What every message sealed by a USIG has. */
export interface SealedParts {
  readonly ui: UniqueIdentifier;
  /** What the UI certifies. */
  readonly digest: Digest;
  /** Canonical encoding, UI included. */
  readonly bytes: Uint8Array;
}

/** PREPARE header; the body travels apart, named by `batchDigest`. */
export interface PrepareContent {
  readonly kind: 'PREPARE';
  readonly view: View;
  readonly configurationVersion: ConfigurationVersion;
  /** Counter of the NEW-VIEW that this view started with; 0 in view 0. */
  readonly newViewCounter: CounterValue;
  readonly sequence: SequenceNumber;
  readonly batchDigest: Digest;
  /** RECOVER requests of the batch, in clear. */
  readonly recovers: readonly RecoverRequest[];
  /** Where a view has several owners: how many of its own slots the owner fills with this batch. Absent: one. */
  readonly run?: number;
}
export type Prepare = PrepareContent &
  SealedParts & {
    /** What the host seals of `recovers` cover, in their order. */
    readonly recoverDigests: readonly Digest[];
  };

/** COMMIT: quotes the whole PREPARE header with the primary's UI. */
export interface CommitContent {
  readonly kind: 'COMMIT';
  readonly prepare: Prepare;
}
export type Commit = CommitContent & SealedParts;

/** SPEC: the vote of a speculative protocol. `history` is for clients and is judged by no rule of the streams. */
export interface SpecContent {
  readonly kind: 'SPEC';
  readonly prepare: Prepare;
  /** h_n: digest of all batches up to this one; all zero where its author does not have it any more. */
  readonly history: Digest;
}
export type Spec = SpecContent & SealedParts;

/** COMMIT-VEC: one vote for proposals of several owners, each quoted whole. */
export interface CommitVectorContent {
  readonly kind: 'COMMIT-VECTOR';
  readonly prepares: readonly Prepare[];
}
export type CommitVector = CommitVectorContent & SealedParts;

/** What a replica other than the proposer says for a proposal: each protocol has one of these kinds. */
export type VoteContent = CommitContent | SpecContent | CommitVectorContent;
export type Vote = Commit | Spec | CommitVector;

/** An owner of slots: a replica under an incarnation. */
export interface Owner {
  readonly replica: ReplicaId;
  readonly incarnation: Incarnation;
}

/** How far a stream stands for the slots of one owner: the last of them, and the owner's counter there. */
export interface OwnerProgress {
  readonly sequence: SequenceNumber;
  readonly counter: CounterValue;
}

/** The NEW-VIEW that a stream has committed to. `view` -1: none yet (new incarnation). */
export interface NewViewReference {
  readonly view: number;
  /** Incarnation of the primary that made it. */
  readonly incarnation: Incarnation;
  readonly counter: CounterValue;
  /** Digest of the NEW-VIEW; of the fixed genesis NEW-VIEW in view 0. */
  readonly digest: Digest;
  /** nEnd: last order of its base. */
  readonly end: SequenceNumber;
  /** Where a view has several owners: who they are, in the order of their slots after `end`. */
  readonly owners?: readonly Owner[];
}

/** Summary of the sender's own stream just before a CHECKPOINT (`self`); the mode is always ACTIVE. */
export interface StreamSummary {
  readonly newView: NewViewReference;
  readonly lastSequence: SequenceNumber;
  readonly lastPrimaryCounter: CounterValue;
  /** Sequence number of the previous own CHECKPOINT. */
  readonly checkpointSequence: SequenceNumber;
  /** One for each of `newView.owners`. */
  readonly last?: readonly OwnerProgress[];
}

/** How far the sender has processed a stream without finding a violation (`seen[j]`). */
export interface StreamPosition {
  readonly incarnation: Incarnation;
  readonly counter: CounterValue;
}

export interface CheckpointContent {
  readonly kind: 'CHECKPOINT';
  readonly sequence: SequenceNumber;
  readonly stateDigest: Digest;
  /** View and primary counter of the entry at `sequence`. */
  readonly last: { readonly view: View; readonly primaryCounter: CounterValue };
  readonly configurationVersion: ConfigurationVersion;
  /** Digest of the registry after `sequence`. */
  readonly registryDigest: Digest;
  readonly self: StreamSummary;
  /** One per replica, by id. */
  readonly seen: readonly StreamPosition[];
}
export type Checkpoint = CheckpointContent & SealedParts;

/** f+1 CHECKPOINTs that agree; transferable. */
export interface CheckpointCertificate {
  readonly checkpoints: readonly Checkpoint[];
}

/** An older VIEW-CHANGE inside a log: its content is in the log already. */
export interface ViewChangeStub {
  readonly kind: 'VIEW-CHANGE-STUB';
  readonly view: View;
  readonly bodyDigest: Digest;
  readonly ui: UniqueIdentifier;
  readonly digest: Digest;
}

/** Entry of an own log, ascending by counter. A NEW-VIEW or COMMIT-NV entry refers to the NEW-VIEW by header. */
export type LogEntry = Prepare | Vote | Checkpoint | ViewChangeStub | NewViewHeader | CommitNewView;

/** Names one VIEW-CHANGE that a NEW-VIEW was computed from. */
export interface ViewChangeReference {
  readonly replica: ReplicaId;
  readonly ui: UniqueIdentifier;
  readonly digest: Digest;
}

export interface NewViewHeaderContent {
  readonly kind: 'NEW-VIEW-HEADER';
  readonly view: View;
  readonly configurationVersion: ConfigurationVersion;
  /** vvc: f+1 references, ascending by replica. Authenticators are not part of the digest. */
  readonly references: readonly ViewChangeReference[];
  /** nLow. */
  readonly low: SequenceNumber;
  readonly lowDigest: Digest;
  /** Digest of the registry certified at nLow: rules N3 and N4 are judged against it. */
  readonly lowRegistryDigest: Digest;
  /** nEnd. */
  readonly end: SequenceNumber;
  readonly baseDigest: Digest;
  /** Where a view has several owners: those of this one. */
  readonly owners?: readonly Owner[];
}
/** NEW-VIEW without its attachments. */
export type NewViewHeader = NewViewHeaderContent & SealedParts;

export interface CommitNewViewContent {
  readonly kind: 'COMMIT-NEW-VIEW';
  /** undefined: the fixed genesis NEW-VIEW of view 0 (GENESIS-NV). */
  readonly header: NewViewHeader | undefined;
}
export type CommitNewView = CommitNewViewContent & SealedParts;

/** NEW-VIEW with the VIEW-CHANGEs that justify it. */
export interface FullNewView {
  readonly kind: 'NEW-VIEW';
  readonly header: NewViewHeader;
  /** In the order of `header.references`. */
  readonly viewChanges: readonly ViewChange[];
  readonly bytes: Uint8Array;
}

/** Compact form: header, base and COMMIT-NV of f others. At least one of the f+1 checked the recomputation. */
export interface NewViewCertificate {
  readonly kind: 'NEW-VIEW-CERTIFICATE';
  readonly header: NewViewHeader;
  /** Base entries low+1..end; may be left out (undefined) where the receiver does not need them. */
  readonly base: readonly Prepare[] | undefined;
  readonly commits: readonly CommitNewView[];
  readonly bytes: Uint8Array;
}
export type NewViewProof = FullNewView | NewViewCertificate;

/** Signed wish to leave a view; by host key, no UI. */
export interface RequestViewChange {
  readonly kind: 'REQUEST-VIEW-CHANGE';
  readonly replica: ReplicaId;
  /** Highest view that it wants. */
  readonly target: View;
  readonly signature: Uint8Array;
  readonly digest: Digest;
  readonly bytes: Uint8Array;
}

export interface ViewChangeContent {
  readonly kind: 'VIEW-CHANGE';
  readonly view: View;
  /** Cl: certificate of the latest stable checkpoint; undefined at genesis. */
  readonly stable: CheckpointCertificate | undefined;
  /** Own CHECKPOINT where the log starts; undefined = GENESIS of this incarnation. */
  readonly anchor: Checkpoint | undefined;
  /** f CHECKPOINTs of others that vouch for the anchor; empty with GENESIS. */
  readonly vouchers: readonly Checkpoint[];
  /** Everything sealed after the anchor. */
  readonly log: readonly LogEntry[];
  /** Where a view has several owners: replicas that should own nothing in the next one, ascending. */
  readonly suspects?: readonly ReplicaId[];
  /** Digest of stable, anchor, vouchers, log, suspects: what the UI binds. */
  readonly bodyDigest: Digest;
}
/** VIEW-CHANGE. Attachments are outside the UI; they authenticate themselves. */
export type ViewChange = ViewChangeContent &
  SealedParts & {
    /** Contents of the NEW-VIEWs that the log refers to, as far as needed. */
    readonly newViews: readonly NewViewProof[];
    /** rvcProof: f+1 signed wishes for this view or higher; empty if a NEW-VIEW was joined. */
    readonly justification: readonly RequestViewChange[];
  };

/** RECOVER as a message of its own, until it is ordered. */
export interface Recover {
  readonly kind: 'RECOVER';
  readonly request: RecoverRequest;
  readonly digest: Digest;
  readonly bytes: Uint8Array;
}

/** Periodic gossip; authentic by its link alone, a hint. */
export interface Status {
  readonly kind: 'STATUS';
  readonly view: View;
  readonly changing: boolean;
  readonly executed: SequenceNumber;
  readonly stable: SequenceNumber;
  /** Per replica: how far its stream was processed here; for the sender itself its own counter. */
  readonly streams: readonly StreamPosition[];
  /** Highest view for which the sender knows f+1 NEW-VIEW votes. */
  readonly committedView: View;
}

/** Asks for the stream of `author` from `counter` on. */
export interface ResendRequest {
  readonly kind: 'RESEND-REQUEST';
  readonly author: ReplicaId;
  readonly incarnation: Incarnation;
  readonly counter: CounterValue;
}

/** Stream of `author` from a vouched anchor on; the messages follow as ordinary ones. */
export interface StreamSync {
  readonly kind: 'STREAM-SYNC';
  readonly author: ReplicaId;
  readonly anchor: Checkpoint;
  readonly vouchers: readonly Checkpoint[];
}

/** A stable checkpoint's certificate, for a replica that lags, with the registry it certifies. */
export interface CheckpointProof {
  readonly kind: 'CHECKPOINT-PROOF';
  readonly certificate: CheckpointCertificate;
  /** Links of the chain of incarnations that the receiver may lack, oldest first. */
  readonly links: readonly RegistryLink[];
}

/** First stable checkpoint that covers one or more RECOVERs, with the registry that it certifies. */
export interface RegistryLink {
  readonly certificate: CheckpointCertificate;
  readonly registry: Uint8Array;
}

/** Asks for links of the chain of incarnations above `sequence`. */
export interface FetchLinks {
  readonly kind: 'FETCH-LINKS';
  readonly above: SequenceNumber;
}

/** Asks for the content of a NEW-VIEW. */
export interface FetchNewView {
  readonly kind: 'FETCH-NEW-VIEW';
  readonly view: View;
  /** Digest of the header, or ZERO_DIGEST for "whatever started this view". */
  readonly digest: Digest;
}

/** Votes that were not sent one by one: consecutive ones of a stream, ascending. */
export interface StreamBatch {
  readonly kind: 'STREAM-BATCH';
  readonly votes: readonly Vote[];
}

/** Messages that take a place in a stream. */
export type StreamMessage = Prepare | Vote | Checkpoint | ViewChange | FullNewView | CommitNewView;

/** Everything that travels between replicas of a protocol on USIG streams. */
export type UsigMessage =
  | Prepare
  | Vote
  | StreamBatch
  | Checkpoint
  | ViewChange
  | FullNewView
  | NewViewCertificate
  | CommitNewView
  | RequestViewChange
  | Recover
  | Status
  | ResendRequest
  | StreamSync
  | CheckpointProof
  | FetchLinks
  | FetchNewView;

/** What replicas of MinBFT send each other. */
export type MinbftMessage = UsigMessage;

/** Content of a sealed message before it has its UI. */
export type Draft =
  | PrepareContent
  | VoteContent
  | CheckpointContent
  | NewViewHeaderContent
  | CommitNewViewContent
  | ViewChangeContent;
