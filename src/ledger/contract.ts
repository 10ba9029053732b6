/**
 * What the host asks of the ledger: execute batches in order, make blocks, answer clients from the client table,
 * freeze and serve checkpoints. `ledger/executor.ts` implements it; it is pure and synchronous.
 */
import type { CheckpointState } from '../core/protocol.ts';
import type { Batch, Bundle } from '../core/request.ts';
import type {
  Digest,
  Height,
  Milliseconds,
  RequestNumber,
  SequenceNumber,
  SessionId,
  View,
} from '../core/types.ts';

/** Block header (decision D1): the same bytes at every replica. */
export interface BlockHeader {
  readonly clusterId: Digest;
  readonly configurationVersion: number;
  /** Digest of the membership, trusted measurements and incarnations included, that executed this block. */
  readonly configurationDigest: Digest;
  readonly height: Height;
  readonly sequence: SequenceNumber;
  /** Header hash of the previous block; ZERO_DIGEST for height 1. */
  readonly previous: Digest;
  readonly proposedInView: View;
  readonly time: Milliseconds;
  readonly transactionsRoot: Digest;
  readonly resultsRoot: Digest;
  /**
   * Latest checkpoint below this sequence (the one *at* it covers this very header); height 0 and ZERO_DIGEST before
   * the first.
   */
  readonly checkpoint: { readonly height: Height; readonly stateDigest: Digest };
  /** Absent: its requests were signed by their clients. `mac`: what proves them to replicas proves nothing to others. */
  readonly authenticatedBy?: 'mac';
}

/** One executed request: a leaf of a block. */
export interface Transaction {
  /** txId: binds cluster, client, session, number and operation. */
  readonly id: Digest;
  readonly clientId: Digest;
  readonly organisation: string;
  readonly session: SessionId;
  readonly number: RequestNumber;
  readonly operation: Uint8Array;
  readonly result: Uint8Array;
}

/** A block with its header hash and canonical encoding (header and transactions with results). */
export interface Block {
  readonly header: BlockHeader;
  readonly headerHash: Digest;
  readonly transactions: readonly Transaction[];
  readonly bytes: Uint8Array;
}

/** Result of one request, for the client. */
export interface RequestResult {
  readonly number: RequestNumber;
  readonly txId: Digest;
  /** Sequence number at which it was executed (the first time). */
  readonly sequence: SequenceNumber;
  /** Height of its block; 0 if it made none (reads, no-ops, sessions). */
  readonly height: Height;
  readonly result: Uint8Array;
}

/** Results for one client's session out of one batch (or out of the client table). */
export interface ReplyGroup {
  readonly clientKey: Uint8Array;
  readonly session: SessionId;
  readonly results: readonly RequestResult[];
}

/** How a batch is executed. */
export interface ExecuteOptions {
  /** It may be rolled back until it is confirmed. Absent: it is final, and so must be everything before it. */
  readonly speculative?: boolean;
  /** The outcome shall have an `update`. */
  readonly wantsUpdate?: boolean;
}

/** What executing one batch gave. */
export interface ExecutionOutcome {
  /** Of a speculative batch it must not be signed or stored before its sequence is confirmed (decision D5). */
  readonly block: Block | undefined;
  readonly replies: readonly ReplyGroup[];
  /** Present at multiples of the checkpoint interval. */
  readonly checkpoint: CheckpointState | undefined;
  /** If it was wanted: all that `applyUpdate` needs elsewhere; equal bytes at every replica that executed the batch. */
  readonly update: Uint8Array | undefined;
}

/** Answer to "may this bundle be ordered?". */
export type Admission =
  /** At least one request is new. */
  | { readonly kind: 'new' }
  /**
   * Everything was executed; cached results (those that are still kept). `sequence` is the highest at which one of them
   * was executed: above `confirmed`, the answer may still be rolled back and is not for the host to give.
   */
  | { readonly kind: 'executed'; readonly reply: ReplyGroup; readonly sequence: SequenceNumber }
  /**
   * Never to be ordered; the reason is for the client. It is judged by the latest state: while that is speculative
   * (`executed > confirmed`), a reason that is final otherwise may go away again with a rollback.
   */
  | { readonly kind: 'refused'; readonly reason: RefusalReason };

/** Why a bundle is not admitted. Closed list: counted in metrics and told to the client. */
export type RefusalReason =
  | 'unknownClient'
  | 'clientRevoked'
  | 'unknownSession'
  /** An id above the highest that this replica has seen given: it may lag behind (see `isFinalRefusal`). */
  | 'sessionNotYetKnown'
  | 'sessionOfOtherClient'
  | 'windowExceeded'
  | 'malformedOperation'
  | 'requestForgotten'
  /** MACs under an older version of the client's key than the one in force. */
  | 'keyVersionRetired'
  /** MACs under a newer one than this replica has seen: it may lag behind. */
  | 'keyVersionNotYetKnown';

/** A frozen checkpoint that can be served to a replica that lags, and written as a snapshot. */
export interface FrozenCheckpoint {
  readonly checkpoint: CheckpointState;
  readonly height: Height;
  readonly chunkCount: number;
  /** Digests of all chunks, the leaves of the hash tree: they tell what changed since any other checkpoint. */
  readonly leaves: readonly Digest[];
  /** Canonical bytes of a chunk. */
  chunk(index: number): Uint8Array;
  /** Digests of the children of an inner node of the hash tree; level 0 is the root's children. */
  node(level: number, index: number): readonly Digest[];
}

/** The replicated state machine with its ledger. */
export interface LedgerExecutor {
  /** Chunks of the whole state: ledger and application; constant. */
  readonly chunkCount: number;
  readonly executed: SequenceNumber;
  /** Everything up to here is final; `executed` unless something was executed speculatively. */
  readonly confirmed: SequenceNumber;
  /** Inverse steps that the ledger keeps for a rollback; 0 if everything is confirmed. */
  readonly undoSteps: number;
  readonly height: Height;
  /** ZERO_DIGEST at height 0. */
  readonly headerHash: Digest;
  /** Agreed, monotonic time of the state (decision D4), milliseconds. */
  readonly time: Milliseconds;
  /** Latest checkpoint at or below `executed`. */
  readonly checkpoint: CheckpointState;
  /** `protocolState` of the last execution or install. */
  readonly protocolState: Uint8Array;
  /** Judges a bundle against client registry and client table. Changes nothing. */
  admit(bundle: Bundle): Admission;
  /** Whether a client with this public key is registered and not revoked. */
  isClient(clientKey: Uint8Array): boolean;
  /** Version of that client's key for MACs that counts; 0 for whom is no client. */
  keyVersionOf(clientKey: Uint8Array): number;
  /**
   * Executes the next batch (`sequence` must be `executed + 1`). A final one needs everything before it confirmed;
   * speculative ones may run a window (`windowOf`) ahead of `confirmed`. Asserts both.
   */
  execute(
    sequence: SequenceNumber,
    batch: Batch,
    protocolState: Uint8Array,
    options?: ExecuteOptions,
  ): ExecutionOutcome;
  /** Speculative executions up to `through` (at most `executed`) are final; how to undo them is forgotten. */
  confirm(through: SequenceNumber): void;
  /**
   * Undoes the executions above `to` (`confirmed` to `executed`). Afterwards everything is as it was after executing
   * `to`; checkpoints that were frozen above it are gone.
   */
  rollback(to: SequenceNumber): void;
  /**
   * Does to the state what executing the batch of this update would do (`sequence` must be `executed + 1`, everything
   * before it confirmed), without the batch and without asking the service to execute anything. Final. Undefined, and
   * nothing changed, for bytes that are not an update of this very state.
   */
  applyUpdate(
    sequence: SequenceNumber,
    update: Uint8Array,
    protocolState: Uint8Array,
  ): ExecutionOutcome | undefined;
  /** Answers a read-only operation from the latest executed state (fast reads, decision C6). */
  query(operation: Uint8Array): {
    readonly sequence: SequenceNumber;
    readonly height: Height;
    readonly result: Uint8Array;
  };
  /** A frozen checkpoint, as long as it is kept (the two latest stable ones at least). */
  frozen(sequence: SequenceNumber): FrozenCheckpoint | undefined;
  /** Frozen checkpoints below this one may go. */
  releaseBelow(sequence: SequenceNumber): void;
  /**
   * Replaces everything by a checkpoint's chunks. False (and unusable until the next install) unless the recomputed
   * state digest equals `checkpoint.stateDigest`.
   */
  install(checkpoint: CheckpointState, chunk: (index: number) => Uint8Array): boolean;
}

/** A replica's signature over a block header hash: made only when committed, never when speculative (decision D5). */
export interface HeaderSignature {
  readonly replica: number;
  readonly signature: Uint8Array;
}
