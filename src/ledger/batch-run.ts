/** What comes together while one batch is executed: leaves of its block and replies, in order of execution. */
import { bytesToHex } from '../core/bytes.ts';
import type { Digest, Hash, SessionId } from '../core/types.ts';
import type { ReplyGroup, RequestResult, Transaction } from './contract.ts';
import { merkleRoot } from './merkle.ts';
import type { ServiceCalls } from './update.ts';

interface GrowingGroup {
  readonly clientKey: Uint8Array;
  readonly session: SessionId;
  readonly results: RequestResult[];
}

/** Collects one batch's outcome. */
export class BatchRun {
  /** Who answers for the service. */
  readonly service: ServiceCalls;
  readonly transactions: Transaction[] = [];
  readonly #transactionLeaves: Uint8Array[] = [];
  readonly #outcomeLeaves: Uint8Array[] = [];
  readonly #groups = new Map<string, GrowingGroup>();

  constructor(service: ServiceCalls) {
    this.service = service;
  }

  /** Adds a leaf (decision D2): `idBytes` is its txId, `outcome` its outcome digest. */
  addLeaf(transaction: Transaction, idBytes: Uint8Array, outcome: Uint8Array): void {
    this.transactions.push(transaction);
    this.#transactionLeaves.push(idBytes);
    this.#outcomeLeaves.push(outcome);
  }

  /** The list that results of this client's session go to; one group even if several bundles of it are in the batch. */
  resultsFor(clientKey: Uint8Array, session: SessionId): RequestResult[] {
    // Session ids are unique, but every OPEN comes under session 0.
    const name = session === 0 ? bytesToHex(clientKey) : `${session}`;
    let group = this.#groups.get(name);
    if (group === undefined) {
      group = { clientKey, session, results: [] };
      this.#groups.set(name, group);
    }
    return group.results;
  }

  /** Replies, in the order in which their sessions came first. */
  replies(): ReplyGroup[] {
    return [...this.#groups.values()].filter((group) => group.results.length > 0);
  }

  /** Roots of the leaves (decision D1). */
  roots(hash: Hash): { readonly transactionsRoot: Digest; readonly resultsRoot: Digest } {
    return {
      transactionsRoot: merkleRoot(hash, this.#transactionLeaves),
      resultsRoot: merkleRoot(hash, this.#outcomeLeaves),
    };
  }
}
