/** Assertions are always on and always mean a bug of ours: data from a peer or a client never reaches one. */

/** Raised by a failed assertion; the process that hosts the replica stops on it. */
export class AssertionFailure extends Error {
  override readonly name = 'AssertionFailure';
}

/** Stops the replica if `condition` does not hold. `claim` says what should have been true. */
export function assert(condition: unknown, claim: string): asserts condition {
  if (!condition) throw new AssertionFailure(claim);
}
