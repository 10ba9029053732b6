/** What can go wrong between a program and the cluster. Every error says what to do about it. */
import type { Digest, Milliseconds } from '../core/types.ts';

/** Closed list of error codes. */
export type ClientErrorCode =
  /** Too few equal answers in time (f+1, or what the protocol asks for). The operation may still be executed: ask for its `txId`. */
  | 'timeout'
  /** The cluster (f+1 replicas) or the own queue is full. Wait `retryAfterMs`. With a `txId` it may still be executed. */
  | 'overloaded'
  /** f+1 replicas say that they will never order it: the reason is in the message. */
  | 'refused'
  /** Too few replicas can be reached. Nothing was sent. */
  | 'unavailable'
  /** The request was executed, its result is no longer kept: look into the block of its `txId`. */
  | 'resultForgotten'
  /** The arguments break a bound; nothing was sent. */
  | 'invalid'
  /** The ledger has nothing under this name (transaction, block). */
  | 'notFound'
  /** `close` was called. */
  | 'closed';

/** The error of every method of the client. */
export class ClientError extends Error {
  override readonly name = 'ClientError';
  readonly code: ClientErrorCode;
  /** Transaction that the error is about, once it has a number. */
  readonly txId: Digest | undefined;
  /** When to try again, if that helps. */
  readonly retryAfterMs: Milliseconds | undefined;
  /** Name of the refusal or of the service's error, if the cluster gave one. */
  readonly reason: string | undefined;

  constructor(
    code: ClientErrorCode,
    message: string,
    about: {
      readonly txId?: Digest | undefined;
      readonly retryAfterMs?: Milliseconds | undefined;
      readonly reason?: string | undefined;
    } = {},
  ) {
    super(message);
    this.code = code;
    this.txId = about.txId;
    this.retryAfterMs = about.retryAfterMs;
    this.reason = about.reason;
  }
}

/** Nothing is known of the operation. */
export function timeoutError(txId: Digest): ClientError {
  const message = 'too few equal answers in time; the operation may still be executed: ask for its txId';
  return new ClientError('timeout', message, { txId });
}

/** f+1 replicas refuse an operation. */
export function refusedError(reason: string, txId: Digest): ClientError {
  const advice: Readonly<Record<string, string>> = {
    unknownClient: 'the client key is not registered: an administrator runs "moiety client register"',
    clientRevoked: 'the client key was revoked',
    unknownSession: 'the session was evicted; a new one is opened, ask for the txId before you repeat',
    windowExceeded: 'the request is outside the window of its session',
    malformedOperation: 'the replicas cannot read the operation: use one version everywhere',
    keyVersionRetired: 'its MACs were made under a key that was renewed since: send it again',
    requestForgotten: 'it is too old for its session: ask for the txId',
  };
  const message = `f+1 replicas refuse it (${reason}): ${advice[reason] ?? 'it was not executed'}`;
  return new ClientError('refused', message, { txId, reason });
}

/** An OPEN was ordered and is void. */
export function openError(reason: string): ClientError {
  if (reason === 'sessionsExhausted')
    return new ClientError('overloaded', 'the cluster has too many sessions: try again later', {
      retryAfterMs: 2_000,
      reason,
    });
  const advice = reason.startsWith('open') ? ': check the clock of this machine' : '';
  return new ClientError('refused', `no session was opened (${reason})${advice}`, { reason });
}
