/** JSON that the gateway answers; stable, scripts rely on it. Bytes are base64, and text too where they are UTF-8. */
import { decodeKvOperation } from '../apps/kv/operations.ts';
import type { KvOperation } from '../apps/kv/operations.ts';
import { decodeKvResult } from '../apps/kv/results.ts';
import { bytesToHex } from '../core/bytes.ts';
import type { Committed, Executed, LedgerEvent, ProvenBlock } from '../client/contract.ts';
import { decodeOperation, decodeResult } from '../ledger/operation.ts';
import type { Block, Transaction } from '../ledger/contract.ts';
import { percentEncode } from './http-values.ts';

type Json = Readonly<Record<string, unknown>>;

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

/** Bytes for people and programs: `text` only if they are UTF-8 without control characters but line breaks and tabs. */
export function bytesToJson(bytes: Uint8Array): Json {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    if (!/[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/.test(text)) return { text, base64: base64(bytes) };
  } catch {
    // Not UTF-8.
  }
  return { base64: base64(bytes) };
}

/** What every write answers. */
export function committedToJson(committed: Committed): Json {
  const { txId, height, sequence } = committed;
  return { txId, height, sequence };
}

/** Result of an operation of the key-value store; others as bytes. */
function resultToJson(result: Uint8Array): Json {
  const kv = decodeKvResult(result);
  switch (kv?.kind) {
    case 'put':
    case 'deleted':
      return { ok: true, existed: kv.existed };
    case 'swapped':
      return { ok: true, swapped: true };
    case 'mismatch':
      return { ok: true, swapped: false, current: kv.current === undefined ? null : bytesToJson(kv.current) };
    case 'error':
      return { ok: false, error: kv.code };
    default:
      return { ok: true, result: base64(result) };
  }
}

/** A write and its result. */
export function executedToJson(executed: Executed): Json {
  return { ...committedToJson(executed), ...resultToJson(executed.result) };
}

function kvToJson(operation: KvOperation): Json {
  switch (operation.kind) {
    case 'put':
      return { op: 'put', key: percentEncode(operation.key), value: bytesToJson(operation.value) };
    case 'delete':
      return { op: 'delete', key: percentEncode(operation.key) };
    case 'compareAndSwap':
      return {
        op: 'cas',
        key: percentEncode(operation.key),
        expected: operation.expected === undefined ? null : bytesToJson(operation.expected),
        value: bytesToJson(operation.value),
      };
    default:
      return { op: operation.kind };
  }
}

function operationToJson(bytes: Uint8Array): Json {
  const operation = decodeOperation(bytes);
  if (operation?.kind === 'app') {
    const kv = decodeKvOperation(operation.operation);
    return kv.ok ? kvToJson(kv.operation) : { op: 'app', bytes: base64(operation.operation) };
  }
  if (operation?.kind === 'register')
    return {
      op: 'register',
      clientKey: bytesToHex(operation.clientKey),
      organisation: operation.organisation,
      role: operation.role,
    };
  if (operation?.kind === 'revoke' || operation?.kind === 'renewKey')
    return { op: operation.kind, clientId: operation.clientId };
  return { op: operation?.kind ?? 'unknown', bytes: base64(bytes) };
}

function envelopeToJson(bytes: Uint8Array): Json {
  const result = decodeResult(bytes);
  if (result === undefined) return { ok: false, error: 'unreadable' };
  return result.ok ? resultToJson(result.payload) : { ok: false, error: result.error };
}

/** A transaction of a block. */
export function transactionToJson(transaction: Transaction, index: number): Json {
  return {
    txId: transaction.id,
    index,
    client: transaction.clientId,
    organisation: transaction.organisation,
    session: transaction.session,
    number: transaction.number,
    operation: operationToJson(transaction.operation),
    result: envelopeToJson(transaction.result),
  };
}

/** A block with its proof. */
export function blockToJson({ block, signatures }: ProvenBlock): Json {
  return {
    height: block.header.height,
    sequence: block.header.sequence,
    headerHash: block.headerHash,
    header: block.header,
    signatures: signatures.map(({ replica, signature }) => ({ replica, signature: bytesToHex(signature) })),
    transactions: block.transactions.map(transactionToJson),
  };
}

/** One server-sent event's data. */
export function eventToJson(event: LedgerEvent): Json {
  const { height, sequence, time } = (event.block satisfies Block).header;
  // A transaction's own `number` is that of the request in its session; here `number` is the event's.
  const { number: request, ...transaction } = transactionToJson(event.transaction, event.index);
  return { number: event.number, height, sequence, time, ...transaction, request };
}
