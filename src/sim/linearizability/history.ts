/**
 * A history of operations as clients saw it, and what a sequential object would have done: the two things that
 * linearizability compares. Nothing here knows the simulator; tests with real processes use it as well.
 */

/** One operation of a history. Times are numbers of one clock (or of one counter) that all processes share. */
export interface HistoryOperation<Op, Result> {
  /** Who asked; only for messages. A process may have several operations open at once. */
  readonly process: number;
  /** The object that it is about; objects are checked apart from each other. */
  readonly key: string;
  readonly invokedAt: number;
  /** Infinity: no answer is known, so that it may have taken effect at any time after `invokedAt`, or never. */
  readonly returnedAt: number;
  readonly operation: Op;
  /** Undefined exactly if no answer is known. */
  readonly result: Result | undefined;
}

/** A history; in any order. */
export type History<Op, Result> = readonly HistoryOperation<Op, Result>[];

/** A sequential, deterministic object. */
export interface Model<State, Op, Result> {
  /** State of an object that nothing has happened to. */
  init(key: string): State;
  /** What the operation gives and leaves behind. Never changes `state`. */
  step(state: State, operation: Op): { readonly state: State; readonly result: Result };
  /** Whether what the model gives is what a client saw. */
  sameResult(expected: Result, seen: Result): boolean;
  /** Equal exactly for equal states. */
  stateKey(state: State): string;
}
