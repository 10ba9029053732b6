/**
 * Names of the things that every layer speaks of. See docs/glossary.md; the words are the field's.
 */

/** Position of a replica in the membership, 0..n-1. */
export type ReplicaId = number;
/** Numbered period with one primary; starts at 0. */
export type View = number;
/** Position in the total order (one batch each); dense over all views, first value 1, 0 = "before everything". */
export type SequenceNumber = number;
/** Value of a trusted component's counter; first value 1, 0 is never valid. Not a sequence number. */
export type CounterValue = number;
/** Position in the block chain (ledger only); genesis is 0, first block 1. */
export type Height = number;
/** Number of a membership configuration. */
export type ConfigurationVersion = number;
/** Registry number 0, 1, 2 … of the trusted components that one replica has had; the only one that is compared. */
export type Incarnation = number;
/** Milliseconds. In the core always an input, never read from a clock. */
export type Milliseconds = number;
/** Number that an ordered OPEN gave to a client's session; first value 1. */
export type SessionId = number;
/** A client's own number of a request inside its session; first value 1. */
export type RequestNumber = number;

declare const digestBrand: unique symbol;
/** SHA-256 digest as 64 lower-case hexadecimal digits: the form used in memory and as a map key. */
export type Digest = string & { readonly [digestBrand]: true };

declare const epochBrand: unique symbol;
/** tcEpoch: 8 opaque bytes as 16 lower-case hexadecimal digits, compared for equality only (decision E1). */
export type TcEpoch = string & { readonly [epochBrand]: true };

declare const verifiedBrand: unique symbol;
/**
 * A value whose seals have been checked. Only the verification stage makes one (`markVerified`); handlers accept
 * nothing else, so "authentic before meaningful" is a matter of types.
 */
export type Verified<T> = T & { readonly [verifiedBrand]: true };

/** For the verification stage alone (and for tests): states that every seal inside `value` was checked. */
export function markVerified<T>(value: T): Verified<T> {
  return value as Verified<T>;
}

/** One-shot SHA-256 (or, in the simulator, a modelled collision-free substitute): any bytes -> 32 bytes. */
export interface Hash {
  (bytes: Uint8Array): Uint8Array;
  /** The same 32 bytes as hexadecimal text, where that is cheaper to have: `digestOf` asks for it. */
  readonly hex?: (bytes: Uint8Array) => string;
  /** Writes the same 32 bytes into `out` at `at`, where that is cheaper: `hashInto` asks for it. */
  readonly into?: (bytes: Uint8Array, out: Uint8Array, at: number) => void;
  /** As `hex`, over two byte strings behind each other: spares a copy of what is long (`finishDigestOver`). */
  readonly joined?: (first: Uint8Array, second: Uint8Array) => string;
}

/** The digest of "nothing yet": 32 zero bytes. */
export const ZERO_DIGEST: Digest = '0'.repeat(64) as Digest;
/** Largest integer that the codec accepts is below this (decision E2). */
export const SAFE_INTEGER_END = 2 ** 53;
