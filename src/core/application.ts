/**
 * The replicated service: a deterministic state machine over bytes with an authenticated, chunked state. Equal
 * operations in equal order give equal results and equal chunk digests at every replica.
 */
import type { Digest, Milliseconds, SequenceNumber } from './types.ts';

/** Who asks and when, equal at every replica. */
export interface ExecutionContext {
  readonly clientId: Digest;
  readonly organisation: string;
  /** Agreed, monotonic block time. */
  readonly time: Milliseconds;
  readonly sequence: SequenceNumber;
  /** Whether the policy lets this organisation write this key (decision C9). */
  readonly mayWrite: (key: Uint8Array) => boolean;
}

/** An immutable view of the state as it was at a checkpoint. */
export interface FrozenState {
  /** Canonical bytes of a chunk. */
  chunk(index: number): Uint8Array;
  /** Chunks that changed since the previous `freeze`, ascending. */
  readonly changed: readonly number[];
}

/**
 * A service. `execute` and `query` never throw on any operation bytes: they answer with an error result.
 *
 * Undo and updates: changes are recorded from `mark(s)` on, as those of sequence number s, until the next mark. While
 * there is no mark that was neither undone nor forgotten, nothing is recorded.
 */
export interface Application {
  /** Number of chunks; constant. */
  readonly chunkCount: number;
  execute(operation: Uint8Array, context: ExecutionContext): Uint8Array;
  /** Answers without changing anything. */
  query(operation: Uint8Array): Uint8Array;
  /** Cheap (copy on write); called at checkpoints. */
  freeze(): FrozenState;
  /** Replaces the whole state. False if a chunk is not canonical; the state is then unspecified and must be replaced again. */
  install(chunk: (index: number) => Uint8Array): boolean;
  /** What changes from now on belongs to `sequence`, which is above that of every mark before. */
  mark(sequence: SequenceNumber): void;
  /**
   * Takes back all changes that belong to sequence numbers above `to`, and their marks. Chunks frozen in between count
   * as changed again.
   */
  undoTo(to: SequenceNumber): void;
  /** Changes up to `through` need not be undone any more; an install forgets all. */
  forgetThrough(through: SequenceNumber): void;
  /** Canonical bytes of what changed since the latest mark: the same at all replicas, whatever led to it. */
  updateSinceMark(): Uint8Array;
  /**
   * Makes the changes that `updateSinceMark` told elsewhere, as changes since the latest mark. False for bytes that it
   * would not have given: the state is then unspecified until the changes since that mark are undone.
   */
  applyUpdate(update: Uint8Array): boolean;
}
