/** A call that waits for its result: one promise, and everything that belongs to the call in one object. */
import type { WireResult } from '../core/client-wire.ts';
import type { Digest, RequestNumber } from '../core/types.ts';
import { ZERO_DIGEST } from '../core/types.ts';
import type { TrackedRequest } from './bundle-tracker.ts';
import type { Waiting } from './deadlines.ts';
import type { ClientError } from './errors.ts';
import type { Queued } from './session.ts';

/** Makes of a result what the call gives; throws a `ClientError` where it means failure. The bytes are a view. */
export type ReadResult<T> = (result: WireResult) => T;

/** See the top of this file. Whatever comes after its outcome changes nothing. */
export interface Ticket extends Queued, Waiting {
  /** The result is believed. */
  complete(result: WireResult): void;
  fail(error: ClientError): void;
}

const NOTHING = new Uint8Array(0);

/** A call and its promise. */
export class Call<T> implements Ticket {
  operation: Uint8Array;
  readonly mayBeOther: boolean;
  readonly promise: Promise<T>;
  isQueued = false;
  number: RequestNumber = 0;
  txId: Digest = ZERO_DIGEST;
  due: number | undefined = undefined;
  place = 0;
  readonly #read: ReadResult<T>;
  readonly #onDue: (ticket: Ticket) => void;
  #resolve!: (value: T) => void;
  #reject!: (error: unknown) => void;

  /** `onDue`: the deadline is over. */
  constructor(
    operation: Uint8Array,
    mayBeOther: boolean,
    read: ReadResult<T>,
    onDue: (ticket: Ticket) => void,
  ) {
    this.operation = operation;
    this.mayBeOther = mayBeOther;
    this.#read = read;
    this.#onDue = onDue;
    this.promise = new Promise<T>((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** The call for a request that is signed already. */
  static of<T>(request: TrackedRequest, read: ReadResult<T>, onDue: (ticket: Ticket) => void): Call<T> {
    const call = new Call<T>(NOTHING, request.mayBeOther, read, onDue);
    call.number = request.number;
    call.txId = request.txId;
    return call;
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

/** A request that an earlier life of this client sent: nobody waits for its result any more. */
export function orphanOf({ number, txId, mayBeOther }: TrackedRequest): Ticket {
  return {
    ...{ operation: NOTHING, mayBeOther, isQueued: false, number, txId, due: undefined, place: 0 },
    complete: () => undefined,
    fail: () => undefined,
    onDue: () => undefined,
  };
}
