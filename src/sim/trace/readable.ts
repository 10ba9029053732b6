/** What clients ask, as a person reads it. */
import { decodeKvOperation } from '../../apps/kv/operations.ts';
import type { KvOperation } from '../../apps/kv/operations.ts';
import { bytesToHex } from '../../core/bytes.ts';
import type { Bundle, UncheckedBatch } from '../../core/request.ts';
import { decodeOperation } from '../../ledger/operation.ts';
import { OPERATION } from '../core/operations.ts';

/** A bundle without its bytes: operations in words. */
export function readableBundle(bundle: Bundle, wordsOf: OperationWords): object {
  const { digest, clientKey, session, requests, signature } = bundle;
  const operations = requests.map(({ number, operation }) => ({ number, operation: wordsOf(operation) }));
  return { digest, clientKey, session, requests: operations, signature };
}

/** A batch without its bytes. */
export function readableBatch(batch: UncheckedBatch, wordsOf: OperationWords): object {
  const { digest, proposedInView, time, recovers, bundles } = batch;
  return {
    digest,
    proposedInView,
    time,
    recovers,
    bundles: bundles.map((one) => readableBundle(one, wordsOf)),
  };
}

/** An operation for people. */
type OperationWords = (operation: Uint8Array) => string;

/** Of the ledger and its key-value store. */
export const ledgerWords: OperationWords = (bytes) => {
  const operation = decodeOperation(bytes);
  if (operation === undefined) return `garbage ${bytesToHex(bytes)}`;
  if (operation.kind !== 'app' && operation.kind !== 'read') return operation.kind;
  const decoding = decodeKvOperation(operation.operation);
  return decoding.ok ? kvWords(decoding.operation) : `${operation.kind} ${bytesToHex(operation.operation)}`;
};

function kvWords(operation: KvOperation): string {
  switch (operation.kind) {
    case 'put':
      return `put ${bytesToHex(operation.key)} ${bytesToHex(operation.value)}`;
    case 'compareAndSwap': {
      const { key, expected, value } = operation;
      const before = expected === undefined ? 'nothing' : bytesToHex(expected);
      return `put ${bytesToHex(key)} ${bytesToHex(value)} if it is ${before}`;
    }
    case 'list':
      return `list ${bytesToHex(operation.prefix)}`;
    default:
      return `${operation.kind} ${bytesToHex(operation.key)}`;
  }
}

/** Of the registers of the core fidelity. */
export const registerWords: OperationWords = (bytes) => {
  const [kind = 0, register = 0, low = 0, high = 0] = bytes;
  const name = Object.entries(OPERATION).find(([, value]) => value === kind)?.[0];
  if (name === undefined || bytes.length !== 4) return `garbage ${bytesToHex(bytes)}`;
  return name === 'read' ? `read register ${register}` : `${name} register ${register}, ${low + 256 * high}`;
};
