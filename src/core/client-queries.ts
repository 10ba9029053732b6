/**
 * Answers to the queries of `client-wire.ts`, as JSON. One replica's word each, unless the answer carries its own
 * proof (a block with header signatures does). A replica makes them, a client reads them; every reader bounds and
 * checks what it uses, since a Byzantine replica may answer anything.
 *
 * Arguments:
 * - `status`: ignored. Answer: `ReplicaStatus`.
 * - `block`: height in decimal digits. Answer: `BlockAnswer`; `found` false if the replica has no such block (yet).
 * - `transaction`: txId. Answer: `TransactionAnswer`; `found` false if the replica knows nothing of it.
 * - `events`: `height:<H>` or `number:<N>` in decimal digits. Answer: `EventPosition` of the block at height H, or of the
 *   block that holds event N; `found` false if there is no such block yet.
 * - `live`: a cursor of an earlier answer, or empty. Answer: `LiveAnswer` (`live.ts`); asking keeps the replica telling.
 */
import type { Lack, WaitCounts } from './live.ts';
import type { Digest, Height, Milliseconds, ReplicaId, SequenceNumber, View } from './types.ts';

/**
 * Answer to `status`: stable shape, scripts rely on it (`status --json`, `/v1/status`). `host/status.ts` makes a superset;
 * a client passes on what it does not know.
 */
export interface ReplicaStatus {
  readonly id: ReplicaId;
  readonly view: View;
  readonly role: 'primary' | 'backup' | 'recovering' | 'starting' | 'halted';
  readonly mode: string;
  readonly sequence: SequenceNumber;
  readonly height: Height;
  readonly headerHash: Digest;
  /** Agreed time of the state (decision D4), milliseconds. */
  readonly time: Milliseconds;
  /** State digest of the latest checkpoint at or below `sequence`. */
  readonly stateDigest: Digest;
  readonly tc: {
    readonly program: string;
    readonly footprint: string;
    readonly tcEpoch: string;
    readonly counter: number;
    readonly persistent: boolean;
  };
  /** Why nothing is ordered, if so. */
  readonly waitsFor: string | null;
  /** The same as data; absent where the protocol does not say it. */
  readonly lack?: Lack | null;
  /** Transactions in its ledger. */
  readonly transactions?: number;
  /** How long requests waited here until they were executed. */
  readonly waits?: WaitCounts;
  /** Replicas whose fault is proved by evidence that verifies offline. */
  readonly proven: readonly { readonly replica: ReplicaId; readonly rule: string }[];
  /** Replicas that have not been heard for long. */
  readonly suspected: readonly {
    readonly replica: ReplicaId;
    readonly lastHeardMs: Milliseconds | null;
    readonly why: string;
  }[];
}

/** Answer to `block`. */
export interface BlockAnswer {
  /** Canonical bytes of the block, base64. */
  readonly block: string;
  /** Header signatures that this replica holds, ascending by replica; hexadecimal. */
  readonly signatures: readonly { readonly replica: ReplicaId; readonly signature: string }[];
}

/** Answer to `transaction`. */
export type TransactionAnswer =
  /** Waits to be ordered at this replica. */
  | { readonly state: 'pending' }
  | {
      readonly state: 'committed';
      readonly height: Height;
      readonly sequence: SequenceNumber;
      /** Position in its block, from 0. */
      readonly index: number;
    };

/** Answer to `events`. Every transaction of the ledger has a dense number, from 1, in order of height and position. */
export interface EventPosition {
  readonly height: Height;
  /** Number of the block's first transaction: 1 + transactions in all lower blocks. */
  readonly firstNumber: number;
}
