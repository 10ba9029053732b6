/** Bodies of the `extension` requests of the wait program, and what a wait certificate says (docs/trusted/wait.md). */
import { asciiBytes, bytesToDigest, digestToBytes } from '../../../core/bytes.ts';
import { Writer } from '../../../core/codec.ts';
import type { CounterValue, Digest, Hash } from '../../../core/types.ts';
import { STATEMENT_KIND } from '../../contract.ts';
import type { TrustedIdentity, TrustedRequest } from '../../contract.ts';
import { decodeStatement } from '../../statement.ts';

/** The program's only object: class 5 (timer), purpose 1. */
export const WAIT_OBJECT_ID = '0501000000000000';
/** Milliseconds that everybody waits, whatever is drawn. */
export const MINIMUM_WAIT_MS = 1000;
/** Milliseconds after which a timer that is due is lost. */
export const WAIT_GRACE_MS = 30_000;
/** Means of the drawn part, in milliseconds, are below. */
export const MEAN_WAIT_END_MS = 2 ** 32;
/** Bytes of a token: opaque to everybody but the component that gave it. */
export const WAIT_TOKEN_BYTES = 96;

const CODE = { start: 1, finish: 2 } as const;

/** Starts the timer that follows the certificate `previous`; it takes the place of the one that runs. */
export function waitStartRequest(previous: Digest, meanMs: number): TrustedRequest {
  const body = new Writer(40).digest(previous).u64(meanMs).finish();
  return { op: 'extension', code: CODE.start, body };
}

/** Asks for the certificate of a timer that is due, over the digest of a block. */
export function waitFinishRequest(token: Uint8Array, digest: Digest): TrustedRequest {
  const body = new Writer(128).raw(token).raw(digestToBytes(digest)).finish();
  return { op: 'extension', code: CODE.finish, body };
}

/** What a validator learns from its token: how long to wait before it asks. Undefined: not a token. */
export function waitTokenDuration(token: Uint8Array): number | undefined {
  if (token.length !== WAIT_TOKEN_BYTES) return undefined;
  return token.subarray(16, 24).reduce((value, byte) => value * 256 + byte, 0);
}

/** `aux` of a wait certificate: the mean and the certificate before, for which the time was drawn. */
function waitAuxOf(hash: Hash, previous: Digest, meanMs: number): Digest {
  const bytes = new Writer(64).raw(asciiBytes('tc-wait-v1')).u64(meanMs).raw(digestToBytes(previous));
  return bytesToDigest(hash(bytes.finish()));
}

/** What a wait certificate must be about. */
export interface ExpectedWait {
  /** Of the component, as membership says. */
  readonly identity: Pick<TrustedIdentity, 'tcId' | 'suite' | 'tcEpoch'>;
  readonly previous: Digest;
  /** The mean that everybody uses for this block. */
  readonly meanMs: number;
  /** Digest of the block. */
  readonly digest: Digest;
}

/** A wait as it was certified. */
export interface CertifiedWait {
  readonly durationMs: number;
  /** Starts and finishes of the component up to this one: goes up by one with each. */
  readonly sequence: CounterValue;
}

/** The wait that a statement is about; undefined if it is not the expected one. The authenticator is checked apart. */
export function certifiedWaitOf(
  hash: Hash,
  expected: ExpectedWait,
  bytes: Uint8Array,
): CertifiedWait | undefined {
  const { identity, previous, meanMs, digest } = expected;
  const statement = decodeStatement(bytes);
  const isExpected =
    statement?.kind === STATEMENT_KIND.wait &&
    statement.objectId === WAIT_OBJECT_ID &&
    statement.tcId === identity.tcId &&
    statement.suite === identity.suite &&
    statement.tcEpoch === identity.tcEpoch &&
    statement.digest === digest &&
    statement.aux === waitAuxOf(hash, previous, meanMs) &&
    statement.value >= MINIMUM_WAIT_MS;
  return isExpected ? { durationMs: statement.value, sequence: statement.previous } : undefined;
}
