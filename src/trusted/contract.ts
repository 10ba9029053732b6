/**
 * TCS1: one contract for every trusted component (bytes in, bytes out). A trusted component is a *program* (a small
 * deterministic state machine over bytes, in `trusted/programs/`) on a *footprint* (where the bytes are carried to,
 * in `footprints/`). Layout and vectors: docs/trusted-components.md.
 */
import type { Suite } from '../core/config.ts';
import type { CounterValue, Digest, Hash, TcEpoch } from '../core/types.ts';

/** Bytes of a TCS1 statement. */
export const STATEMENT_BYTES = 136;
/** Object id of USIG's only counter: class 1 (counter), purpose 1, lane 0, instance 0. */
export const USIG_OBJECT_ID = '0101000000000000';
/** Statement kinds used so far. */
export const STATEMENT_KIND = { advance: 1, status: 2, advanceNoPrevious: 3, plain: 4, closed: 14 } as const;
/** In memory: the integer 2^64-1 of the wire, "no value" (`previous` of ADVANCE_NOPREV, `value` of CLOSED). */
export const COUNTER_SENTINEL = -1;
/** Depth of `recent`: how many of its last certificates a component keeps (decision A7). */
export const RECENT_DEPTH = 64;
/** Message core that travels with a certify call and is kept in the component's durable record, at most. */
export const CORE_BYTES_MAX = 4 * 1024;

/** Fields of a statement; integers are safe integers here and eight bytes on the wire. */
export interface Statement {
  readonly kind: number;
  readonly suite: Suite;
  readonly flags: number;
  /** 16 bytes, hexadecimal. */
  readonly tcId: string;
  readonly tcEpoch: TcEpoch;
  /** 8 bytes, hexadecimal. */
  readonly objectId: string;
  readonly previous: CounterValue;
  readonly value: CounterValue;
  readonly digest: Digest;
  /** Absent: 32 zero bytes. */
  readonly aux?: Digest;
  /** 16 bytes, hexadecimal. Absent: zero. */
  readonly nonce?: string;
}

/** Who a component is. */
export interface TrustedIdentity {
  readonly program: string;
  /** SHA-256 of the program's bytes. */
  readonly measurement: Digest;
  readonly suite: Suite;
  readonly tcId: string;
  readonly tcEpoch: TcEpoch;
  /** Raw public key, hexadecimal; empty for HMAC. */
  readonly publicKey: string;
  /** Whether counter and key survive a restart of the component. */
  readonly persistent: boolean;
  /** Last counter value handed out under this tcEpoch. */
  readonly counter: CounterValue;
}

/** One certificate that the component has given, as `recent` shows it. */
export interface RecentCertificate {
  readonly counter: CounterValue;
  readonly digest: Digest;
  readonly authenticator: Uint8Array;
  /** The message core that came with the call; empty if none did. */
  readonly core: Uint8Array;
}

/** What a replica asks. */
export type TrustedRequest =
  | { readonly op: 'identify' }
  /** Certify `digest` as the next value of the counter. */
  | { readonly op: 'certify'; readonly objectId: string; readonly digest: Digest; readonly core: Uint8Array }
  /** The last `count` certificates, oldest first. */
  | { readonly op: 'recent'; readonly objectId: string; readonly count: number }
  /** Forget counter and key for ever; start again as a new component: new tcEpoch, new key, counter 0 (decision A3). */
  | { readonly op: 'renew' }
  /** HMAC suite: whether the statement's authenticator is right. */
  | { readonly op: 'verify'; readonly statement: Uint8Array; readonly authenticator: Uint8Array }
  /** Evidence that binds key and code to a challenge. */
  | { readonly op: 'attest'; readonly challenge: Digest };

/** Error codes; an error changes nothing. */
export type TrustedErrorCode =
  | 'NO_OBJECT'
  | 'EXISTS'
  | 'MODE'
  | 'NOT_MONOTONIC'
  | 'CLOSED'
  | 'OVERFLOW'
  | 'QUOTA'
  | 'NOT_READY'
  | 'BAD_AUTH'
  | 'BAD_REQUEST'
  | 'STORAGE';

/** What the component answers. */
export type TrustedResponse =
  | { readonly op: 'identify' | 'renew'; readonly identity: TrustedIdentity }
  | {
      readonly op: 'certify';
      readonly tcEpoch: TcEpoch;
      readonly previous: CounterValue;
      readonly value: CounterValue;
      readonly digest: Digest;
      readonly authenticator: Uint8Array;
    }
  | { readonly op: 'recent'; readonly certificates: readonly RecentCertificate[] }
  | { readonly op: 'verify'; readonly valid: boolean }
  | { readonly op: 'attest'; readonly evidence: Uint8Array }
  | { readonly op: 'error'; readonly code: TrustedErrorCode; readonly message: string };

/**
 * A trusted program. `handle` is the whole of it: no clock, no I/O; key material and chance come through the
 * `ProgramEnvironment` that its footprint gives it at the start.
 */
export interface TrustedProgram {
  /** Answers one request. Never throws on any bytes. */
  handle(request: Uint8Array): Uint8Array;
}

/** A key inside a footprint. The program uses it and never sees it. */
export interface ProgramKey {
  readonly suite: Suite;
  /** 16 bytes, hexadecimal. */
  readonly tcId: string;
  readonly tcEpoch: TcEpoch;
  /** Raw public key, hexadecimal; empty for HMAC. */
  readonly publicKey: string;
  /** Signature or MAC over these bytes. */
  authenticate(bytes: Uint8Array): Uint8Array;
  /** HMAC suite: whether `authenticator` is right, compared in constant time. Absent where anybody can check. */
  verify?(bytes: Uint8Array, authenticator: Uint8Array): boolean;
}

/** What a program lives on; its footprint gives it. */
export interface ProgramEnvironment {
  /** SHA-256 of the program's bytes as the footprint measured them. */
  readonly measurement: Digest;
  readonly persistent: boolean;
  readonly hash: Hash;
  /** The key that is in force when the program starts. */
  readonly key: ProgramKey;
  /** Records persisted under that key, oldest first: at least the last RECENT_DEPTH of them, or all. */
  readonly records: readonly Uint8Array[];
  /**
   * Keeps a record. Either it is durable when this returns, or the footprint releases no answer given from now on
   * before it is (group commit). False: it cannot be kept; nothing changed.
   */
  persist(record: Uint8Array): boolean;
  /**
   * Makes a new key under a tcEpoch never used before, drops the records and destroys the old key; durable when it
   * returns. Undefined: not possible; nothing changed.
   */
  replaceKey(): ProgramKey | undefined;
}
