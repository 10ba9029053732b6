/** What calls ask for, as bytes: bounds are checked before anything is sent. */
import { checkKvOperation, encodeKvOperation, writeKvOperation } from '../apps/kv/operations.ts';
import type { KvOperation } from '../apps/kv/operations.ts';
import { Writer } from '../core/codec.ts';
import {
  APPLICATION_OPERATION_BYTES_MAX,
  IDEMPOTENCY_KEY_BYTES_MAX,
  writeAppOperation,
  writeRaw,
} from '../ledger/operation.ts';
import { ClientError } from './errors.ts';

/** Bytes of the pieces that operations are cut from. */
const PIECE_BYTES = 64 * 1024;
/** A longer operation has memory of its own. */
const CUT_BYTES_MAX = 4 * 1024;
/** What surrounds the fields of an operation, at most. */
const FRAME_BYTES_MAX = 128;

/**
 * Encodes operations one behind the other into larger pieces of memory: memory for each costs more than to encode it. They
 * leave in the order in which they came, so that a piece does not outlive them for long.
 */
export class OperationEncoder {
  /** Writes to the latest piece. */
  #piece = Writer.over(new Uint8Array(PIECE_BYTES));

  /** Canonical bytes of an operation of the service. */
  encodeApp(operation: Uint8Array, idempotencyKey: Uint8Array | undefined): Uint8Array {
    checkOperationLength(operation);
    return this.#write(operation.length, operation, writeRaw, idempotencyKey);
  }

  /** The same for an operation of the key-value store. */
  encodeKv(operation: KvOperation, idempotencyKey: Uint8Array | undefined): Uint8Array {
    checkKv(operation);
    return this.#write(fieldBytesOf(operation), operation, writeKvOperation, idempotencyKey);
  }

  /** `fieldBytes`: what the fields of the item take. */
  #write<T>(
    fieldBytes: number,
    item: T,
    write: (writer: Writer, item: T) => void,
    idempotencyKey: Uint8Array | undefined,
  ): Uint8Array {
    const keyLength = idempotencyKey?.length ?? 1;
    if (keyLength < 1 || keyLength > IDEMPOTENCY_KEY_BYTES_MAX)
      throw new ClientError('invalid', `an idempotency key has 1 to ${IDEMPOTENCY_KEY_BYTES_MAX} bytes`, {
        reason: 'idempotencyKey',
      });
    const length = fieldBytes + keyLength + FRAME_BYTES_MAX;
    if (length > CUT_BYTES_MAX)
      return writeAppOperation(new Writer(length), idempotencyKey, item, write).finish();
    if (this.#piece.length + length > PIECE_BYTES) this.#piece = Writer.over(new Uint8Array(PIECE_BYTES));
    const start = this.#piece.length;
    return writeAppOperation(this.#piece, idempotencyKey, item, write).since(start);
  }
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
  checkKv(operation);
  return encodeKvOperation(operation);
}

/** No operation that keeps these bounds is longer than one may be. */
function checkKv(operation: KvOperation): void {
  const problem = checkKvOperation(operation);
  if (problem !== undefined)
    throw new ClientError('invalid', `the operation breaks a bound: ${problem}`, { reason: problem });
}

function fieldBytesOf(operation: KvOperation): number {
  switch (operation.kind) {
    case 'put':
      return operation.key.length + operation.value.length;
    case 'compareAndSwap':
      return operation.key.length + operation.value.length + (operation.expected?.length ?? 0);
    case 'list':
      return operation.prefix.length + (operation.startAfter?.length ?? 0);
    default:
      return operation.key.length;
  }
}

/** Runs what begins a call. What it throws becomes a rejection: no method of the client throws. */
export function promised<T>(begin: () => Promise<T>): Promise<T> {
  try {
    return begin();
  } catch (error) {
    return Promise.reject(error as Error);
  }
}
