/** What calls give, made of results that are believed. The bytes of such a result are a view: what is given is a copy. */
import { decodeKvResult } from '../apps/kv/results.ts';
import type { KvResult } from '../apps/kv/results.ts';
import { equalBytes } from '../core/bytes.ts';
import type { WireResult } from '../core/client-wire.ts';
import type { Digest } from '../core/types.ts';
import { decodeResult } from '../ledger/operation.ts';
import type { Committed, Executed } from './contract.ts';
import { ClientError } from './errors.ts';

/** Of an operation that takes effect and says nothing. */
export function readDone({ txId, sequence, height, result }: WireResult): Committed {
  payloadOf(result, txId);
  return { txId, sequence, height };
}

/** Of an operation of any service. */
export function readExecuted(result: WireResult): Executed {
  const { txId, sequence, height } = result;
  return { txId, sequence, height, result: payloadOf(result.result, txId).slice() };
}

/** Of a request that another client signed: its result as it is, an error included. */
export function readForeign({ txId, sequence, height, result }: WireResult): Executed {
  return { txId, sequence, height, result: result.slice() };
}

/** Of a put. */
export function readPut(result: WireResult): Committed & { existed: boolean } {
  const { txId, sequence, height } = result;
  const said = kvResultIn(result);
  if (said.kind !== 'put') throw unexpected(said.kind, txId);
  return { txId, sequence, height, existed: said.existed };
}

/** Of a delete. */
export function readDeleted(result: WireResult): Committed & { existed: boolean } {
  const { txId, sequence, height } = result;
  const said = kvResultIn(result);
  if (said.kind !== 'deleted') throw unexpected(said.kind, txId);
  return { txId, sequence, height, existed: said.existed };
}

/** Of a compare-and-swap. */
export function readSwap(
  result: WireResult,
): Committed & { swapped: boolean; current: Uint8Array | undefined } {
  const { txId, sequence, height } = result;
  const said = kvResultIn(result);
  const at = { txId, sequence, height };
  if (said.kind === 'swapped') return { ...at, swapped: true, current: undefined };
  if (said.kind === 'mismatch') return { ...at, swapped: false, current: said.current?.slice() };
  throw unexpected(said.kind, txId);
}

/** Results up to this length, which mostly say no more than yes or no, are remembered: the last one, as a copy. */
const SHORT_RESULT_BYTES = 16;
let last: { readonly bytes: Uint8Array; readonly said: KvResult } | undefined;

/** What the key-value store said; it depends on nothing but the bytes. */
function kvResultIn({ result, txId }: WireResult): KvResult {
  if (last !== undefined && equalBytes(result, last.bytes)) return last.said;
  if (result.length > SHORT_RESULT_BYTES) return kvResultOf(payloadOf(result, txId));
  // Not a view: it would keep the whole reply alive.
  const bytes = new Uint8Array(result);
  const said = kvResultOf(payloadOf(bytes, txId));
  last = { bytes, said };
  return said;
}

/** Payload of a result envelope; its errors become a `ClientError`. */
export function payloadOf(bytes: Uint8Array, txId?: Digest): Uint8Array {
  const result = decodeResult(bytes);
  if (result?.ok === true) return result.payload;
  const reason = result?.error ?? 'malformed';
  if (reason === 'resultForgotten' || reason === 'requestForgotten' || reason === 'resultTooLarge') {
    const message = `no result is kept for this request (${reason}): look at its transaction`;
    throw new ClientError('resultForgotten', message, { txId, reason });
  }
  throw new ClientError('refused', `the cluster did not do it: ${reason}`, { txId, reason });
}

/** A result of the key-value store; its errors become a `ClientError`. Fields are views. */
export function kvResultOf(payload: Uint8Array): KvResult {
  const result = decodeKvResult(payload);
  if (result === undefined) throw unexpected('unreadable');
  if (result.kind === 'error')
    throw new ClientError('refused', `the key-value store refused it: ${result.code}`, {
      reason: result.code,
    });
  return result;
}

/** A result of a kind that the operation does not have. */
export function unexpected(kind: string, txId?: Digest): ClientError {
  const message = `the service answered "${kind}": client and replicas are of different versions`;
  return new ClientError('refused', message, { txId, reason: 'unexpectedAnswer' });
}
