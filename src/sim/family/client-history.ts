/**
 * The history as clients saw it: what they asked for and what they came to believe, compared with eight registers in
 * some order. It is the one judge that holds even where correct replicas may differ (more faults than a protocol is
 * live with, but not more than its clients are safe with).
 */
import { bytesToHex } from '../../core/bytes.ts';
import type { Believed } from '../client.ts';
import { applyOperation, REGISTERS } from '../core/operations.ts';
import { checkLinearizability } from '../linearizability/checker.ts';
import type { HistoryOperation, Model } from '../linearizability/history.ts';

/** Steps of the search, at most. */
const STEPS_MAX = 200_000;

/** One register; operations and results as bytes. */
const registerModel: Model<number, Uint8Array, Uint8Array> = {
  init: () => 0,
  step: (state, operation) => {
    const registers = new Uint32Array(REGISTERS);
    const register = operation[1]!;
    registers[register] = state;
    const result = applyOperation(registers, operation);
    return { state: registers[register]!, result };
  },
  sameResult: (expected, seen) => bytesToHex(expected) === bytesToHex(seen),
  stateKey: (state) => String(state),
};

interface Asked {
  readonly client: number;
  readonly operation: Uint8Array;
  readonly invokedAt: number;
  returnedAt: number;
  result: Uint8Array | undefined;
}

/** See the top of this file. */
export class ClientHistory {
  readonly #now: () => number;
  readonly #asked = new Map<string, Asked>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** A client is about to send an operation. */
  onIssued(client: number, txId: string, operation: Uint8Array): void {
    this.#asked.set(txId, {
      client,
      operation,
      invokedAt: this.#now(),
      returnedAt: Infinity,
      result: undefined,
    });
  }

  /** A correct client believes a result. */
  onBelieved({ result }: Believed): void {
    const asked = this.#asked.get(result.txId);
    if (asked === undefined) return;
    asked.returnedAt = this.#now();
    asked.result = result.result;
  }

  /** Why no order of operations explains what was believed; undefined if one does. */
  problem(): string | undefined {
    const history = [...this.#asked.values()].map(
      ({ client, operation, ...times }): HistoryOperation<Uint8Array, Uint8Array> => ({
        process: client,
        key: String(operation[1]),
        operation,
        ...times,
      }),
    );
    const outcome = checkLinearizability(registerModel, history, STEPS_MAX);
    if (outcome.verdict === 'linearizable') return undefined;
    if (outcome.verdict === 'unknown') return `register ${outcome.key}: no verdict`;
    const { operation, result } = outcome.stuck;
    return `register ${outcome.key}: ${bytesToHex(operation)} cannot have given ${result === undefined ? 'nothing' : bytesToHex(result)}`;
  }
}
