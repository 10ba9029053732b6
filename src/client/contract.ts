/** What a program sees of the cluster. `connect` gives the real one; the gateway and the command line use only this. */
import type { KvEntry } from '../apps/kv/results.ts';
import type { ReplicaStatus } from '../core/client-queries.ts';
import type { Lack, LiveAnswer } from '../core/live.ts';
import type { ClusterSettings } from '../core/config.ts';
import type { Digest, Height, Milliseconds, ReplicaId, SequenceNumber } from '../core/types.ts';
import type { Block, HeaderSignature, Transaction } from '../ledger/contract.ts';

/** Options of a call that is ordered. */
export interface SubmitOptions {
  /** 1 to 64 bytes; the same key of the same organisation is executed once (decision C5). */
  readonly idempotencyKey?: Uint8Array | undefined;
  /** How long to wait for f+1 equal answers; default 10 s. The operation may be executed even later. */
  readonly timeoutMs?: Milliseconds | undefined;
}

/** Options of a read. */
export interface ReadOptions {
  /** `linearizable` (default) reflects every completed write; `replica` is one replica's word (decision C6). */
  readonly consistency?: 'linearizable' | 'replica' | undefined;
  readonly timeoutMs?: Milliseconds | undefined;
}

/** Something was executed. */
export interface Committed {
  readonly txId: Digest;
  /** Sequence number of its execution. */
  readonly sequence: SequenceNumber;
  /** Height of its block; 0 if it made none. */
  readonly height: Height;
}

/** What a service answered. */
export interface Executed extends Committed {
  readonly result: Uint8Array;
}

/** What a read gave. */
export interface ReadResult {
  readonly result: Uint8Array;
  /** State that was read: as of this sequence number, or later. */
  readonly sequence: SequenceNumber;
  readonly height: Height;
  /** `fast`: N equal answers; `ordered`: took a sequence number; `replica`: one replica's word. */
  readonly path: 'fast' | 'ordered' | 'replica';
}

/** Where a transaction stands. `rejected`: f+1 replicas refused it while this client was asking. */
export type TransactionState =
  | { readonly state: 'pending' }
  | {
      readonly state: 'committed';
      readonly height: Height;
      readonly sequence: SequenceNumber;
      readonly index: number;
      readonly transaction: Transaction;
    }
  | { readonly state: 'rejected'; readonly reason: string }
  | { readonly state: 'unknown' };

/** A block with f+1 valid header signatures, ascending by replica: its own proof. */
export interface ProvenBlock {
  readonly block: Block;
  readonly signatures: readonly HeaderSignature[];
}

/** One transaction of the ledger, in order. */
export interface LedgerEvent {
  /** Dense, from 1. */
  readonly number: number;
  readonly block: Block;
  readonly index: number;
  readonly transaction: Transaction;
}

/** A replica as the client sees it. */
export type SeenStatus =
  | (ReplicaStatus & { readonly reachable: true })
  | { readonly id: ReplicaId; readonly reachable: false; readonly reason: string };

/** Evidence that a replica says it keeps: its word, until the file was fetched and verified (`client/evidence.ts`). */
export interface EvidenceClaim {
  readonly name: string;
  /** Who is accused. */
  readonly replica: ReplicaId;
  readonly rule: string;
  readonly atMs: Milliseconds;
}

/** A page of a list. `next` continues it; undefined: it was the last one. */
export interface ListPage {
  readonly entries: readonly KvEntry[];
  readonly next: Uint8Array | undefined;
  readonly sequence: SequenceNumber;
}

/** What a list asks for. */
export interface ListQuery {
  readonly prefix: Uint8Array;
  readonly startAfter?: Uint8Array | undefined;
  /** 1 to 1000. */
  readonly limit: number;
}

/** A connected client. Every method fails with a `ClientError` and nothing else. */
export interface MoietyClient {
  readonly settings: ClusterSettings;
  readonly clientId: Digest;
  /** Orders an operation of the service; many calls may be in flight. */
  submit(operation: Uint8Array, options?: SubmitOptions): Promise<Executed>;
  /** Orders a bundle that another client signed (decision C8); answers its requests in order. */
  submitBundle(bundle: Uint8Array, options?: SubmitOptions): Promise<readonly Executed[]>;
  /** Orders nothing: proves that a quorum commits. */
  noop(options?: SubmitOptions): Promise<Committed>;
  /** Reads of the service. */
  read(operation: Uint8Array, options?: ReadOptions): Promise<ReadResult>;
  put(key: Uint8Array, value: Uint8Array, options?: SubmitOptions): Promise<Committed & { existed: boolean }>;
  delete(key: Uint8Array, options?: SubmitOptions): Promise<Committed & { existed: boolean }>;
  /** `expected` undefined: only if there is no such key. */
  compareAndSwap(
    change: { key: Uint8Array; expected: Uint8Array | undefined; value: Uint8Array },
    options?: SubmitOptions,
  ): Promise<Committed & { swapped: boolean; current: Uint8Array | undefined }>;
  /** The value, or undefined if there is none. */
  get(key: Uint8Array, options?: ReadOptions): Promise<ReadResult & { value: Uint8Array | undefined }>;
  list(query: ListQuery, options?: ReadOptions): Promise<ListPage>;
  /** Administrators only (decision C9). */
  registerClient(
    client: { key: Uint8Array; organisation: string; role: 'client' | 'admin' },
    options?: SubmitOptions,
  ): Promise<Committed>;
  /** Administrators only; for ever. */
  revokeClient(clientId: Digest, options?: SubmitOptions): Promise<Committed>;
  /**
   * Where requests have MACs: the next version of a client's key counts from now on, and the older one no more. Of
   * the own key (default), or by an administrator.
   */
  renewKey(clientId?: Digest, options?: SubmitOptions): Promise<Committed>;
  transaction(txId: Digest): Promise<TransactionState>;
  /** Canonical JSON of a receipt (decision D5), verified before it is given. */
  receipt(txId: Digest): Promise<Uint8Array>;
  /** undefined if there is no such block yet. */
  block(height: Height): Promise<ProvenBlock | undefined>;
  /** Whose answers the oldest request of this client lacks; undefined if none waits. */
  waiting(): Lack | undefined;
  /** Each replica's own word; those that take longer than `waitMs` (default 2 s) count as unreachable. */
  status(waitMs?: Milliseconds): Promise<readonly SeenStatus[]>;
  /**
   * What one replica says that it did since `cursor` (of its last answer; empty: since it remembers); it tells on for five
   * seconds. Undefined if it does not answer, or with what makes no sense.
   */
  live(source: ReplicaId, cursor: string): Promise<LiveAnswer | undefined>;
  /** What evidence one replica says it keeps; at most 256. Empty if it does not answer. */
  evidenceAt(source: ReplicaId): Promise<readonly EvidenceClaim[]>;
  /** Text of an evidence file that one replica keeps, not verified yet; undefined if it gives none. */
  evidenceFile(source: ReplicaId, name: string): Promise<string | undefined>;
  /** Transactions from number `from` (default 1; `latest`: only new ones), without a gap, for ever. */
  events(from: number | 'latest', signal?: AbortSignal): AsyncIterable<LedgerEvent>;
  /** Sends nothing more; outstanding calls fail with `closed`, a later life of the client finishes them. */
  close(): Promise<void>;
}
