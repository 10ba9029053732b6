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
/** Statement kinds of TCS1. */
export const STATEMENT_KIND = {
  advance: 1,
  status: 2,
  advanceNoPrevious: 3,
  plain: 4,
  logEntry: 5,
  logGap: 6,
  logUnassigned: 7,
  logForgotten: 8,
  logEnd: 9,
  ordered: 10,
  wait: 11,
  shareSet: 12,
  shareOpen: 13,
  closed: 14,
} as const;
/** Modes of a counter or log: +1 only; any greater value; a log without `advanceLog`. */
export const OBJECT_MODE = { step: 1, jump: 2, strict: 3 } as const;
/** How an object moves. */
export type ObjectMode = keyof typeof OBJECT_MODE;
/** Counters that one `advanceMany` moves, at most. */
export const MOVES_MAX = 16;
/** Certificates of one answer, at most. */
export const CERTIFICATES_MAX = 64;
/** Body of an `extension`, at most: what only one program understands (secret sharing, waiting). */
export const EXTENSION_BYTES_MAX = 4 * 1024;
/** In memory: the integer 2^64-1 of the wire, "no value" (`previous` of ADVANCE_NOPREV, `value` of CLOSED). */
export const COUNTER_SENTINEL = -1;
/** Depth of `recent`: how many of its last certificates a component keeps (decision A7). */
export const RECENT_DEPTH = 64;
/** Claims of one `verifyTags`, at most. */
export const TAG_CLAIMS_MAX = 256;
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
  | { readonly op: 'attest'; readonly challenge: Digest }
  /** Makes a counter or log; once per tcEpoch, also after it was closed. */
  | { readonly op: 'create'; readonly objectId: string; readonly mode: ObjectMode }
  /**
   * Moves a counter to `value` for a digest; COUNTER_SENTINEL: to the next value. `independent`: the certificate does
   * not disclose the value before (ADVANCE_NOPREV). Answered by one certificate.
   */
  | {
      readonly op: 'advance';
      readonly objectId: string;
      readonly value: CounterValue;
      readonly independent: boolean;
      readonly digest: Digest;
    }
  /** Says where an object stands, changing nothing: kind STATUS, with the caller's nonce (16 bytes) and digest. */
  | { readonly op: 'status'; readonly objectId: string; readonly nonce: string; readonly digest: Digest }
  /** Ends an object for ever: kind CLOSED. */
  | { readonly op: 'close'; readonly objectId: string; readonly digest: Digest }
  /** Authenticates a digest without any counter: kind PLAIN. */
  | { readonly op: 'plain'; readonly digest: Digest }
  /** Moves several counters for one digest, all or none; one certificate each, aux = digest of all moves. */
  | { readonly op: 'advanceMany'; readonly moves: readonly CounterMove[]; readonly digest: Digest }
  /** The last `count` certificates of an object, oldest first. */
  | { readonly op: 'replay'; readonly objectId: string; readonly count: number }
  /**
   * The key of a client for MACs of its requests, in an envelope to a one-time X25519 key that the client signed
   * (`crypto/request-mac.ts`): with its cluster, 40 bytes of domain.
   */
  | {
      readonly op: 'exportClientKey';
      /** Ed25519 public key, 32 bytes. */
      readonly clientKey: Uint8Array;
      readonly version: number;
      readonly clusterId: Digest;
      readonly configurationVersion: number;
      readonly agreementKey: Uint8Array;
      readonly signature: Uint8Array;
    }
  /** Whether these tags are right: one verdict each. There is no request that makes a tag. */
  | { readonly op: 'verifyTags'; readonly claims: readonly TagClaim[] }
  /** A2M append: `entry` (a digest) goes to the next slot. */
  | { readonly op: 'append'; readonly objectId: string; readonly entry: Digest }
  /** A2M advance: skips to `slot`, whose history digest continues from `base`. */
  | {
      readonly op: 'advanceLog';
      readonly objectId: string;
      readonly slot: CounterValue;
      readonly base: Digest;
      readonly entry: Digest;
    }
  /** A2M lookup of a slot, fresh by the caller's nonce (16 bytes). */
  | { readonly op: 'lookup'; readonly objectId: string; readonly slot: CounterValue; readonly nonce: string }
  /** A2M end: the last slot, fresh by the caller's nonce (16 bytes). */
  | { readonly op: 'end'; readonly objectId: string; readonly nonce: string }
  /** A2M truncate: forgets slots below `slot`. */
  | { readonly op: 'truncate'; readonly objectId: string; readonly slot: CounterValue }
  /** What only one program understands; `code` and `body` are its own (see its page). */
  | { readonly op: 'extension'; readonly code: number; readonly body: Uint8Array };

/** One move of `advanceMany`. */
export interface CounterMove {
  readonly objectId: string;
  readonly value: CounterValue;
}

/** A tag of a request and what it claims to be over. */
export interface TagClaim {
  readonly clientId: Digest;
  readonly version: number;
  readonly digest: Digest;
  /** 32 bytes. */
  readonly tag: Uint8Array;
}

/** A certificate as it travels: the 136 bytes of its statement and the authenticator over them. */
export interface TrustedCertificate {
  readonly statement: Uint8Array;
  readonly authenticator: Uint8Array;
}

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
  | { readonly op: 'certificates'; readonly certificates: readonly TrustedCertificate[] }
  | { readonly op: 'done' }
  | { readonly op: 'exportClientKey'; readonly envelope: Uint8Array }
  | { readonly op: 'verifyTags'; readonly valid: readonly boolean[] }
  | { readonly op: 'extension'; readonly code: number; readonly body: Uint8Array }
  | { readonly op: 'error'; readonly code: TrustedErrorCode; readonly message: string };

/**
 * A trusted program. `handle` is the whole of it: no clock, no I/O; key material and chance come through the
 * `ProgramEnvironment` that its footprint gives it at the start.
 */
export interface TrustedProgram {
  /** Answers one request. Never throws on any bytes. */
  handle(request: Uint8Array): Uint8Array;
  /**
   * Everything that the records so far amount to, as one record: a footprint may keep it in place of them. Absent
   * where the last RECENT_DEPTH records are enough, undefined where the records are not of this component.
   */
  image?(): Uint8Array | undefined;
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
  /** HMAC suite, for modules that make the MACs themselves: the key of all statements, 32 bytes. */
  readonly statementKey?: Uint8Array;
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
  /** What keys of clients follow from, 32 bytes; only where the component belongs to a group. It never leaves. */
  readonly clientRoot?: Uint8Array;
  /** False: a volatile footprint that drops every record, so a program need not make any. */
  readonly keepsRecords?: boolean;
  /** Records persisted under that key, oldest first: an image and all after it, or at least the last RECENT_DEPTH. */
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
  /** Unpredictable bytes. Programs that draw secrets need it. */
  random?(length: number): Uint8Array;
  /** Milliseconds of a clock that the host cannot set. Programs that wait need it. */
  now?(): number;
  /** Whether `authenticator` is the Ed25519 signature of `publicKey` over the bytes. */
  check?(publicKey: Uint8Array, bytes: Uint8Array, authenticator: Uint8Array): boolean;
}
