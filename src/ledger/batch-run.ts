/** What comes together while one batch is executed: leaves of its block and replies, in order of execution. */
import { bytesToHex } from '../core/bytes.ts';
import type { Digest, Hash, SessionId } from '../core/types.ts';
import type { ReplyGroup, RequestResult, Transaction } from './contract.ts';
import { MerkleLeaves } from './merkle.ts';
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
  readonly #transactionLeaves = new MerkleLeaves();
  readonly #outcomeLeaves = new MerkleLeaves();
  readonly #groups = new Map<string, GrowingGroup>();

  constructor(service: ServiceCalls) {
    this.service = service;
  }

  /** Adds a leaf (decision D2): `outcome` is its outcome digest. */
  addLeaf(transaction: Transaction, outcome: Digest): void {
    this.transactions.push(transaction);
    this.#transactionLeaves.push(transaction.id);
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

  /** Roots of the leaves (decision D1); asked for once, at the end. */
  takeRoots(hash: Hash): { readonly transactionsRoot: Digest; readonly resultsRoot: Digest } {
    return {
      transactionsRoot: this.#transactionLeaves.takeRoot(hash),
      resultsRoot: this.#outcomeLeaves.takeRoot(hash),
    };
  }
}
