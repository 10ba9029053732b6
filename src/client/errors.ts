/** What can go wrong between a program and the cluster. Every error says what to do about it. */
import type { Digest, Milliseconds } from '../core/types.ts';

/** Closed list of error codes. */
export type ClientErrorCode =
  /** No f+1 equal answers in time. The operation may still be executed: ask for its `txId`. */
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
