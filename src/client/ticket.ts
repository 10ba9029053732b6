/** A call that waits for its result: one promise, and everything that belongs to the call in one object. */
import type { WireResult } from '../core/client-wire.ts';
import type { Digest } from '../core/types.ts';
import type { Waiting } from './deadlines.ts';
import { ClientError } from './errors.ts';
import type { Queued } from './session.ts';

/** Makes of a result what the call gives; throws a `ClientError` where it means failure. The bytes are a view. */
export type ReadResult<T> = (result: WireResult) => T;

/** See the top of this file. Whatever comes after its outcome changes nothing. */
export interface Ticket extends Queued, Waiting {
  /** Once it has a number. */
  txId: Digest | undefined;
  /** The result is believed. */
  complete(result: WireResult): void;
  fail(error: ClientError): void;
}

/** What a call is made of, beside its promise. */
export interface CallOptions<T> {
  readonly operation: Uint8Array;
  readonly mayBeOther: boolean;
  readonly read: ReadResult<T>;
  /** The deadline is over. */
  readonly onDue: (ticket: Ticket) => void;
}

/** A call and its promise. */
export class Call<T> implements Ticket {
  operation: Uint8Array;
  readonly mayBeOther: boolean;
  readonly promise: Promise<T>;
  isQueued = false;
  txId: Digest | undefined = undefined;
  due: number | undefined = undefined;
  place = 0;
  readonly #read: ReadResult<T>;
  readonly #onDue: (ticket: Ticket) => void;
  #resolve!: (value: T) => void;
  #reject!: (error: unknown) => void;

  constructor({ operation, mayBeOther, read, onDue }: CallOptions<T>) {
    this.operation = operation;
    this.mayBeOther = mayBeOther;
    this.#read = read;
    this.#onDue = onDue;
    this.promise = new Promise<T>((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  complete(result: WireResult): void {
    try {
      this.#resolve(this.#read(result));
    } catch (error) {
      this.#reject(error);
    }
  }

  fail(error: ClientError): void {
    this.#reject(error);
  }

  onDue(): void {
    this.#onDue(this);
  }
}
