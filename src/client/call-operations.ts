/** What calls ask for, as bytes: bounds are checked before anything is sent. */
import { checkKvOperation, KV_OPERATION_BYTES_MAX, writeKvOperation } from '../apps/kv/operations.ts';
import type { KvOperation } from '../apps/kv/operations.ts';
import { Writer } from '../core/codec.ts';
import {
  APPLICATION_OPERATION_BYTES_MAX,
  IDEMPOTENCY_KEY_BYTES_MAX,
  writeOperation,
} from '../ledger/operation.ts';
import type { Operation } from '../ledger/operation.ts';
import { ClientError } from './errors.ts';

/** Bytes of the pieces that operations are cut from. */
const PIECE_BYTES = 64 * 1024;
/** A longer operation has memory of its own. */
const CUT_BYTES_MAX = 4 * 1024;

/**
 * Encodes operations one behind the other into larger pieces of memory: memory for each costs more than to encode it. They
 * leave in the order in which they came, so that a piece does not outlive them for long.
 */
export class OperationEncoder {
  #piece = new Uint8Array(0);
  #used = 0;

  /** Canonical bytes of an operation. */
  encode(operation: Operation): Uint8Array {
    return writeOperation(new Writer(256), operation).finishInto(this.#keep);
  }

  /** The same for an operation of the service. */
  encodeApp(operation: Uint8Array, idempotencyKey: Uint8Array | undefined): Uint8Array {
    checkOperationLength(operation);
    const keyLength = idempotencyKey?.length ?? 1;
    if (keyLength < 1 || keyLength > IDEMPOTENCY_KEY_BYTES_MAX)
      throw new ClientError('invalid', `an idempotency key has 1 to ${IDEMPOTENCY_KEY_BYTES_MAX} bytes`, {
        reason: 'idempotencyKey',
      });
    return this.encode({ kind: 'app', idempotencyKey, operation });
  }

  /** The same for an operation of the key-value store. */
  encodeKv(operation: KvOperation, idempotencyKey: Uint8Array | undefined): Uint8Array {
    return writeCheckedKv(operation).finishInto((bytes) => this.encodeApp(bytes, idempotencyKey));
  }

  readonly #keep = (bytes: Uint8Array): Uint8Array => {
    const { length } = bytes;
    if (length > CUT_BYTES_MAX) return bytes.slice();
    if (this.#used + length > this.#piece.length) {
      this.#piece = new Uint8Array(PIECE_BYTES);
      this.#used = 0;
    }
    const kept = this.#piece.subarray(this.#used, this.#used + length);
    kept.set(bytes);
    this.#used += length;
    return kept;
  };
}

/** An operation of a service has its bound; otherwise a `ClientError`. */
export function checkOperationLength(operation: Uint8Array): void {
  if (operation.length > APPLICATION_OPERATION_BYTES_MAX)
    throw new ClientError('invalid', `an operation has at most ${APPLICATION_OPERATION_BYTES_MAX} bytes`, {
      reason: 'operationTooLong',
    });
}

/** Bytes of a key-value operation that keeps its bounds; otherwise a `ClientError` that names the bound. */
export function encodeKv(operation: KvOperation): Uint8Array {
  return writeCheckedKv(operation).finish();
}

function writeCheckedKv(operation: KvOperation): Writer {
  let problem = checkKvOperation(operation);
  if (problem === undefined) {
    const writer = writeKvOperation(new Writer(256), operation);
    if (writer.length <= KV_OPERATION_BYTES_MAX) return writer;
    problem = 'operationTooLong';
  }
  throw new ClientError('invalid', `the operation breaks a bound: ${problem}`, { reason: problem });
}

/** Runs what begins a call. What it throws becomes a rejection: no method of the client throws. */
export function promised<T>(begin: () => Promise<T>): Promise<T> {
  try {
    return begin();
  } catch (error) {
    return Promise.reject(error as Error);
  }
}
