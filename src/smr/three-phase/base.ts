/** What the messages of a view change oblige the new view to. */
import type { Digest, ReplicaId, SequenceNumber } from '../../core/types.ts';

/** What a new view starts with. */
export interface NewViewBase {
  /** min-s: the highest stable checkpoint that the VIEW-CHANGEs prove. */
  readonly low: SequenceNumber;
  /** max-s. */
  readonly end: SequenceNumber;
  /** What must be proposed for each sequence number in (low, end]; undefined: the batch that does nothing. */
  readonly proposals: ReadonlyMap<SequenceNumber, Digest>;
  /** Who prepared those batches and can be asked for them. */
  readonly sources: ReadonlyMap<Digest, readonly ReplicaId[]>;
}

/** A base that obliges to nothing: that of view 0. */
export const EMPTY_BASE: NewViewBase = { low: 0, end: 0, proposals: new Map(), sources: new Map() };
