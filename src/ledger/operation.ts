/**
 * What is inside `Request.operation`, and what comes back as a result. Everything that a client can have ordered is one
 * of these kinds; the service's own operation is opaque bytes inside `app` and `read`.
 */
import { decodeWhole, Writer } from '../core/codec.ts';
import { OPERATION_BYTES_MAX } from '../core/request.ts';
import type { Digest, Milliseconds, SessionId } from '../core/types.ts';
import { isOrganisationName, ORGANISATION_LENGTH_MAX } from './transaction.ts';

/** Bytes of an idempotency key, at most (decision C5); at least one. */
export const IDEMPOTENCY_KEY_BYTES_MAX = 64;
/** Bytes of a service's own operation, at most: what is left of `OPERATION_BYTES_MAX` beside the envelope. */
export const APPLICATION_OPERATION_BYTES_MAX = OPERATION_BYTES_MAX - 128;
/** Bytes of a result's payload, at most. */
export const RESULT_PAYLOAD_BYTES_MAX = OPERATION_BYTES_MAX - 16;
/** Bytes of the nonce of an OPEN. */
const OPEN_NONCE_BYTES = 16;
/** How far ahead of block time the `validUntil` of an OPEN may lie, in milliseconds. */
export const OPEN_VALIDITY_MAX_MS = 10 * 60 * 1000;

/** One ordered operation. */
export type Operation =
  /** Runs an operation of the service; a leaf. `idempotencyKey`: decision C5. */
  | {
      readonly kind: 'app';
      readonly idempotencyKey: Uint8Array | undefined;
      readonly operation: Uint8Array;
    }
  /** Opens a session (decision C4); alone in a bundle of session 0. `window` 0 asks for the default. */
  | {
      readonly kind: 'open';
      readonly nonce: Uint8Array;
      /** Block time after which it must not take effect any more. */
      readonly validUntil: Milliseconds;
      readonly window: number;
    }
  /** Takes a sequence number and does nothing (decision C10); no leaf. */
  | { readonly kind: 'noop' }
  /** Ordered read (decision C6): no leaf, no cached result, no block. The same bytes serve a fast read. */
  | { readonly kind: 'read'; readonly operation: Uint8Array }
  /** Admits a client (decision C9); administrators only; a leaf. */
  | {
      readonly kind: 'register';
      readonly clientKey: Uint8Array;
      readonly organisation: string;
      readonly role: 'client' | 'admin';
    }
  /** Refuses a client for ever (decision C9); administrators only; a leaf. */
  | { readonly kind: 'revoke'; readonly clientId: Digest }
  /** The next version of a client's key for MACs counts from here on; by itself or an administrator; a leaf. */
  | { readonly kind: 'renewKey'; readonly clientId: Digest };

const APP = 1;
const OPEN = 2;
const NOOP = 3;
const READ = 4;
const REGISTER = 5;
const REVOKE = 6;
const RENEW_KEY = 7;

/** Canonical bytes of an operation. */
export function encodeOperation(operation: Operation): Uint8Array {
  return writeOperation(new Writer(128), operation).finish();
}

/** Writes what `encodeOperation` gives. */
function writeOperation(writer: Writer, operation: Operation): Writer {
  switch (operation.kind) {
    case 'app':
      return writeAppOperation(writer, operation.idempotencyKey, operation.operation, writeRaw);
    case 'open':
      return writer.u8(OPEN).raw(operation.nonce).u64(operation.validUntil).u32(operation.window);
    case 'noop':
      return writer.u8(NOOP);
    case 'read':
      return writer.u8(READ).bytes(operation.operation);
    case 'register':
      return writer
        .u8(REGISTER)
        .raw(operation.clientKey)
        .ascii(operation.organisation)
        .bool(operation.role === 'admin');
    case 'revoke':
      return writer.u8(REVOKE).digest(operation.clientId);
    case 'renewKey':
      return writer.u8(RENEW_KEY).digest(operation.clientId);
  }
}

const writeBytes = (writer: Writer, bytes: Uint8Array): void => void writer.bytes(bytes);

/** What `writeAppOperation` takes for a service's operation that is encoded already. */
export const writeRaw = (writer: Writer, bytes: Uint8Array): void => void writer.raw(bytes);

/** Writes an operation of the kind `app`, whose own bytes `write` writes. */
export function writeAppOperation<T>(
  writer: Writer,
  idempotencyKey: Uint8Array | undefined,
  item: T,
  write: (writer: Writer, item: T) => void,
): Writer {
  return writer.u8(APP).option(idempotencyKey, writeBytes).nested(item, write);
}

/** Reads an operation; undefined unless canonical and bounded. Byte fields are views into `bytes`. */
export function decodeOperation(bytes: Uint8Array): Operation | undefined {
  return decodeWhole(bytes, (reader): Operation | undefined => {
    switch (reader.u8()) {
      case APP: {
        const idempotencyKey = reader.option((r) => r.bytes(IDEMPOTENCY_KEY_BYTES_MAX));
        if (idempotencyKey?.length === 0) reader.fail();
        return { kind: 'app', idempotencyKey, operation: reader.bytes(APPLICATION_OPERATION_BYTES_MAX) };
      }
      case OPEN:
        return {
          kind: 'open',
          nonce: reader.raw(OPEN_NONCE_BYTES),
          validUntil: reader.u64(),
          window: reader.u32(),
        };
      case NOOP:
        return { kind: 'noop' };
      case READ:
        return { kind: 'read', operation: reader.bytes(APPLICATION_OPERATION_BYTES_MAX) };
      case REGISTER: {
        const clientKey = reader.raw(32);
        const organisation = reader.ascii(ORGANISATION_LENGTH_MAX);
        if (!isOrganisationName(organisation)) reader.fail();
        return { kind: 'register', clientKey, organisation, role: reader.bool() ? 'admin' : 'client' };
      }
      case REVOKE:
        return { kind: 'revoke', clientId: reader.digest() };
      case RENEW_KEY:
        return { kind: 'renewKey', clientId: reader.digest() };
      default:
        reader.fail();
        return undefined;
    }
  });
}

/** Why an ordered operation did not do what it asked for. Closed list; the order is the encoding. */
export const RESULT_ERRORS = [
  /** The operation is not one that may be asked here. */
  'malformedOperation',
  /** OPEN: block time is past its `validUntil`. */
  'openExpired',
  /** OPEN: its `validUntil` is more than `OPEN_VALIDITY_MAX_MS` ahead of block time. */
  'openTooFarAhead',
  /** OPEN: this client, or all clients, have too many sessions; try again after the next checkpoint. */
  'sessionsExhausted',
  /** REGISTER or REVOKE by a client that is no administrator. */
  'notAdministrator',
  /** REGISTER: the key is registered with another organisation or role. */
  'alreadyRegistered',
  /** REGISTER or REVOKE: the client was revoked, which is for ever. */
  'clientRevoked',
  /** REGISTER: the key is not an acceptable public key. */
  'unacceptableKey',
  /** REGISTER: the registry is full. */
  'clientsExhausted',
  /** REVOKE: no such client. */
  'unknownClient',
  /** REVOKE: nobody could administer the cluster afterwards. */
  'lastAdministrator',
  /** The idempotency key was used for another operation. */
  'idempotencyKeyReused',
  /** Too many idempotency keys are remembered; nothing was executed under this request number. */
  'idempotencyExhausted',
  /** It was executed, at the stated sequence number and height, but its result is no longer (or never was) kept. */
  'resultForgotten',
  /** The request number is below the session's window: whether it was executed is not known any more. */
  'requestForgotten',
  /** It was executed, but its result is larger than `RESULT_PAYLOAD_BYTES_MAX`. */
  'resultTooLarge',
] as const;
export type ResultError = (typeof RESULT_ERRORS)[number];

/** A decoded result. */
export type Result =
  { readonly ok: true; readonly payload: Uint8Array } | { readonly ok: false; readonly error: ResultError };

/** Result bytes of success. `payload` longer than the bound becomes the error `resultTooLarge`. */
export function okResult(payload: Uint8Array): Uint8Array {
  if (payload.length > RESULT_PAYLOAD_BYTES_MAX) return errorResult('resultTooLarge');
  const bytes = new Uint8Array(1 + payload.length);
  bytes.set(payload, 1);
  return bytes;
}

/** Result bytes of an error. */
export function errorResult(error: ResultError): Uint8Array {
  return new Uint8Array([1, RESULT_ERRORS.indexOf(error)]);
}

/** Canonical bytes of a result: 0 and the payload, or 1 and the error's place in `RESULT_ERRORS`. */
export function encodeResult(result: Result): Uint8Array {
  return result.ok ? okResult(result.payload) : errorResult(result.error);
}

/** Reads a result; undefined unless canonical. The payload is a view. */
export function decodeResult(bytes: Uint8Array): Result | undefined {
  if (bytes[0] === 0 && bytes.length <= RESULT_PAYLOAD_BYTES_MAX + 1)
    return { ok: true, payload: bytes.subarray(1) };
  const error = errorOfResult(bytes);
  return error === undefined ? undefined : { ok: false, error };
}

/** The error that a result names; undefined if it names none. */
export function errorOfResult(bytes: Uint8Array): ResultError | undefined {
  return bytes[0] === 1 && bytes.length === 2 ? RESULT_ERRORS[bytes[1]!] : undefined;
}

/** What a successful OPEN gives. */
export interface OpenedSession {
  readonly session: SessionId;
  /** Window W that was granted: request numbers t with t - oldestUnfinished < W may be sent. */
  readonly window: number;
}

/** Result bytes of a successful OPEN. */
export function openedResult(opened: OpenedSession): Uint8Array {
  return okResult(new Writer(12).u64(opened.session).u32(opened.window).finish());
}

/** Reads the payload of a successful OPEN; undefined unless canonical. */
export function decodeOpened(payload: Uint8Array): OpenedSession | undefined {
  return decodeWhole(payload, (reader) => ({ session: reader.u64(), window: reader.u32() }));
}
