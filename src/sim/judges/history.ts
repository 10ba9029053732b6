/**
 * Strict serializability of what clients saw. The order of the log is the witness: an independent key-value store
 * executes it again (`execution`), and no operation stands before one that had its answer when it was asked for
 * (`real-time`). Beside that the answers alone are judged, with no look at any log (`linearizability`).
 */
import { bytesToHex } from '../../core/bytes.ts';
import type { Digest, SequenceNumber } from '../../core/types.ts';
import { decodeKvOperation } from '../../apps/kv/operations.ts';
import type { KvOperation } from '../../apps/kv/operations.ts';
import { decodeKvResult } from '../../apps/kv/results.ts';
import type { KvResult } from '../../apps/kv/results.ts';
import { decodeOperation, decodeResult } from '../../ledger/operation.ts';
import { checkLinearizability } from '../linearizability/checker.ts';
import type { HistoryOperation } from '../linearizability/history.ts';
import { keyModel, sameKeyResult } from '../linearizability/kv-model.ts';
import type { KeyOperation, KeyResult, KeyState } from '../linearizability/kv-model.ts';
import type { Bench } from './bench.ts';
import type { JudgedTransaction } from './order.ts';

/** Steps of the search over the history of one run. */
const STEPS_MAX = 200_000;

/** What a client is about to ask for. */
export interface IssuedRequest {
  readonly client: number;
  /** Bytes of the operation, as in the bundle; absent: only its place in real time is judged. */
  readonly operation?: Uint8Array;
}

interface Request extends IssuedRequest {
  /** Places in the order of everything that clients did. */
  readonly invokedAt: number;
  returnedAt: number;
  result: Uint8Array | undefined;
}

/** See the top of this file. */
export class HistoryJudge {
  readonly #bench: Bench;
  readonly #requests = new Map<Digest, Request>();
  /** Executed transactions, in the agreed order. */
  readonly #order: Digest[] = [];
  readonly #state = new Map<string, string>();
  #moment = 0;
  /** Something was executed that this judge does not understand: what follows cannot be compared. */
  #blind = false;

  constructor(bench: Bench) {
    this.#bench = bench;
  }

  onIssued(txId: Digest, { client, operation }: IssuedRequest): void {
    this.#moment += 1;
    this.#requests.set(txId, {
      client,
      ...(operation === undefined ? {} : { operation }),
      invokedAt: this.#moment,
      returnedAt: Infinity,
      result: undefined,
    });
  }

  onBelieved(txId: Digest, result: Uint8Array): void {
    this.#moment += 1;
    const request = this.#requests.get(txId);
    if (request === undefined || request.result !== undefined) return;
    request.returnedAt = this.#moment;
    request.result = result;
  }

  /** A sequence number was executed for the first time; call in the order of sequence numbers. */
  onFirstExecuted(sequence: SequenceNumber, transactions: readonly JudgedTransaction[]): void {
    for (const { id, operation, result } of transactions) {
      this.#order.push(id);
      if (operation !== undefined && result !== undefined) this.#executeAgain(sequence, operation, result);
    }
  }

  #executeAgain(sequence: SequenceNumber, bytes: Uint8Array, resultBytes: Uint8Array): void {
    if (this.#blind) return;
    const outer = decodeOperation(bytes);
    if (outer?.kind !== 'app') return;
    const result = kvResultOf(resultBytes);
    const inner = decodeKvOperation(outer.operation);
    // A repeated operation under an idempotency key has the result of the first one and no effect.
    this.#blind = outer.idempotencyKey !== undefined;
    if (this.#blind || !inner.ok || result === undefined || result.kind === 'error') return;
    const wrong =
      inner.operation.kind === 'list'
        ? this.#list(inner.operation, result)
        : this.#step(inner.operation, result);
    if (wrong === undefined) return;
    this.#bench.report('execution', `sequence ${sequence}: ${inner.operation.kind} gave ${wrong}`);
    this.#blind = true;
  }

  #step(operation: Exclude<KvOperation, { kind: 'list' }>, seen: KvResult): string | undefined {
    const key = bytesToHex(operation.key);
    const { state, result } = keyModel.step(this.#state.get(key), keyOperationOf(operation));
    if (state === undefined) this.#state.delete(key);
    else this.#state.set(key, state);
    const told = keyResultOf(seen);
    if (told !== undefined && sameKeyResult(result, told)) return undefined;
    return `${JSON.stringify(told ?? seen.kind)} instead of ${JSON.stringify(result)} for ${key}`;
  }

  #list(operation: Extract<KvOperation, { kind: 'list' }>, seen: KvResult): string | undefined {
    if (seen.kind !== 'page') return seen.kind;
    const prefix = bytesToHex(operation.prefix);
    const after = operation.startAfter === undefined ? '' : bytesToHex(operation.startAfter);
    const expected = [...this.#state]
      .filter(([key]) => key.startsWith(prefix) && (after === '' || key > after))
      .sort(([a], [b]) => (a < b ? -1 : 1))
      // A page may end early, but not have holes.
      .slice(0, Math.min(operation.limit, seen.entries.length));
    const isWhole = seen.next !== undefined || this.#countBehind(prefix, after) === seen.entries.length;
    const text = expected.map(([key, value]) => `${key}=${value}`).join(' ');
    const told = seen.entries.map((entry) => `${bytesToHex(entry.key)}=${bytesToHex(entry.value)}`).join(' ');
    return isWhole && text === told ? undefined : `page "${told}" instead of "${text}"`;
  }

  #countBehind(prefix: string, after: string): number {
    let count = 0;
    for (const key of this.#state.keys())
      if (key.startsWith(prefix) && (after === '' || key > after)) count += 1;
    return count;
  }

  /** At the end: real time against the order of the log, then the answers by themselves. */
  finish(): void {
    let latest = 0;
    for (const id of this.#order) {
      const request = this.#requests.get(id);
      if (request === undefined) continue;
      if (request.returnedAt < latest)
        this.#bench.report(
          'real-time',
          `${id.slice(0, 8)} of client ${request.client} was answered before something was asked for that stands before it in the log`,
        );
      latest = Math.max(latest, request.invokedAt);
    }
    const outcome = checkLinearizability(keyModel, this.history(), STEPS_MAX);
    if (outcome.verdict === 'violation') {
      const { operation, result } = outcome.stuck;
      this.#bench.report(
        'linearizability',
        `key ${outcome.key}: ${JSON.stringify(operation)} cannot have given ${JSON.stringify(result)}`,
      );
    } else if (outcome.verdict === 'unknown')
      this.#bench.report('linearizability', `key ${outcome.key}: no verdict after ${outcome.steps} steps`);
  }

  /** What clients asked for one key at a time, and what they believe. */
  history(): HistoryOperation<KeyOperation, KeyResult>[] {
    const history: HistoryOperation<KeyOperation, KeyResult>[] = [];
    for (const { client, operation, invokedAt, returnedAt, result } of this.#requests.values()) {
      const outer = operation === undefined ? undefined : decodeOperation(operation);
      const inner = outer?.kind === 'app' ? decodeKvOperation(outer.operation) : undefined;
      if (inner?.ok !== true || inner.operation.kind === 'list') continue;
      const told = result === undefined ? undefined : kvResultOf(result);
      const keyResult = told === undefined ? undefined : keyResultOf(told);
      // Refused, or executed with a result that nobody kept: it may or may not have changed something.
      const isKnown = keyResult !== undefined;
      if (told?.kind === 'error') continue;
      history.push({
        process: client,
        key: bytesToHex(inner.operation.key),
        invokedAt,
        returnedAt: isKnown ? returnedAt : Infinity,
        operation: keyOperationOf(inner.operation),
        result: keyResult,
      });
    }
    return history;
  }
}

function kvResultOf(bytes: Uint8Array): KvResult | undefined {
  const result = decodeResult(bytes);
  return result?.ok === true ? decodeKvResult(result.payload) : undefined;
}

function keyOperationOf(operation: Exclude<KvOperation, { kind: 'list' }>): KeyOperation {
  switch (operation.kind) {
    case 'put':
      return { kind: 'put', value: bytesToHex(operation.value) };
    case 'compareAndSwap':
      return {
        kind: 'compareAndSwap',
        expected: hexOf(operation.expected),
        value: bytesToHex(operation.value),
      };
    default:
      return { kind: operation.kind };
  }
}

/** Undefined for results of other operations. */
function keyResultOf(result: KvResult): KeyResult | undefined {
  switch (result.kind) {
    case 'value':
      return { kind: 'value', value: bytesToHex(result.value) };
    case 'mismatch':
      return { kind: 'mismatch', current: hexOf(result.current) };
    case 'page':
    case 'error':
      return undefined;
    default:
      return result;
  }
}

function hexOf(bytes: Uint8Array | undefined): KeyState {
  return bytes === undefined ? undefined : bytesToHex(bytes);
}
