/**
 * Checkers that stand outside of the replicas. They see what correct replicas execute, install, accuse and reject, what
 * clients sent and what clients came to believe, and compare: agreement, validity, exactly-once, checkpoint equality,
 * truth and permanence of replies, no accusation of a correct replica, bounds.
 */
import { bytesToHex } from '../core/bytes.ts';
import type { WireResult } from '../core/client-wire.ts';
import type { CheckpointState } from '../core/protocol.ts';
import type { Batch } from '../core/request.ts';
import type { Digest, ReplicaId, SequenceNumber, SessionId } from '../core/types.ts';
import { isContradiction } from '../ledger/reply-evidence.ts';
import type { Believed } from './client.ts';
import { sameResult } from './client.ts';

/** Names of the checkers. */
export type JudgeName =
  | 'agreement'
  | 'validity'
  | 'exactly-once'
  | 'checkpoint'
  | 'reply'
  | 'durability'
  | 'accusation'
  | 'self-acceptance'
  | 'start'
  | 'bounds'
  | 'liveness'
  | 'client'
  | 'crash';

/** One thing that must not happen. */
export interface Violation {
  readonly judge: JudgeName;
  readonly atMs: number;
  readonly text: string;
}

/** Violations kept of one run: the first ones tell the story. */
const VIOLATIONS_MAX = 20;

/** What the judge looks at of an executed batch; `ExecutionOutcome` of the ledger has it all. */
export interface JudgedOutcome {
  readonly block:
    | { readonly headerHash: Digest; readonly transactions: readonly { readonly id: Digest }[] }
    | undefined;
  readonly replies: readonly { readonly results: readonly WireResult[] }[];
  readonly checkpoint: CheckpointState | undefined;
}

interface AgreedBatch {
  readonly digest: Digest;
  readonly headerHash: Digest | undefined;
  readonly by: ReplicaId;
}

/** See the top of this file. */
export class Judge {
  readonly #now: () => number;
  readonly #batches = new Map<SequenceNumber, AgreedBatch>();
  readonly #checkpoints = new Map<SequenceNumber, Digest>();
  readonly #issued = new Set<Digest>();
  /** Where each transaction was executed, and with which result. */
  readonly #executedAt = new Map<Digest, SequenceNumber>();
  readonly #results = new Map<Digest, WireResult>();
  /** What correct replicas signed about a request of a session. */
  readonly #signed = new Map<string, WireResult[]>();
  readonly #unconfirmed = new Map<Digest, Believed>();
  readonly violations: Violation[] = [];
  /** Highest sequence number that any correct replica executed. */
  highest: SequenceNumber = 0;
  /** Highest sequence number of a result that a client believes. */
  believedThrough: SequenceNumber = 0;
  /** Results that clients believe. */
  believed = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  report(judge: JudgeName, text: string): void {
    if (this.violations.length < VIOLATIONS_MAX) this.violations.push({ judge, atMs: this.#now(), text });
  }

  /** A correct replica signed a reply: no two of them may ever make a proof of each other (`ledger/reply-evidence.ts`). */
  onSigned(replica: ReplicaId, session: SessionId, results: readonly WireResult[]): void {
    for (const result of results) {
      const name = `${session}/${result.number}`;
      const signed = this.#signed.get(name) ?? [];
      if (signed.some((known) => sameResult(known, result))) continue;
      if (signed.some((known) => isContradiction(session, known, result)))
        this.report(
          'accusation',
          `replica ${replica} signed ${show(result)}, a correct one ${show(signed[0]!)}`,
        );
      // Few differ: "forgotten" stands beside what was forgotten.
      this.#signed.set(name, [...signed, { ...result, result: result.result.slice() }]);
    }
  }

  /** A client is about to send this request. */
  onIssued(txId: Digest): void {
    this.#issued.add(txId);
  }

  /** A correct replica executed a batch (live or when it replayed its journal). */
  onExecuted(replica: ReplicaId, sequence: SequenceNumber, batch: Batch, outcome: JudgedOutcome): void {
    const headerHash = outcome.block?.headerHash;
    const agreed = this.#batches.get(sequence);
    if (agreed === undefined) {
      this.#batches.set(sequence, { digest: batch.digest, headerHash, by: replica });
      this.highest = Math.max(this.highest, sequence);
      this.#checkFirst(sequence, outcome);
    } else if (agreed.digest !== batch.digest) {
      this.report(
        'agreement',
        `sequence ${sequence}: replica ${replica} executed batch ${batch.digest.slice(0, 8)}, replica ${agreed.by} executed ${agreed.digest.slice(0, 8)}`,
      );
    } else if (agreed.headerHash !== headerHash) {
      this.report(
        'agreement',
        `sequence ${sequence}: block of replica ${replica} differs from that of replica ${agreed.by}`,
      );
    }
    for (const group of outcome.replies)
      for (const result of group.results) this.#checkResult(replica, result);
    if (outcome.checkpoint !== undefined) this.onCheckpoint(replica, outcome.checkpoint);
  }

  #checkFirst(sequence: SequenceNumber, outcome: JudgedOutcome): void {
    for (const transaction of outcome.block?.transactions ?? []) {
      if (!this.#issued.has(transaction.id))
        this.report('validity', `sequence ${sequence}: transaction ${transaction.id} was never sent`);
      const before = this.#executedAt.get(transaction.id);
      if (before !== undefined && before !== sequence)
        this.report('exactly-once', `transaction ${transaction.id} executed at ${before} and ${sequence}`);
      this.#executedAt.set(transaction.id, sequence);
    }
  }

  #checkResult(replica: ReplicaId, result: WireResult): void {
    const known = this.#results.get(result.txId);
    if (known === undefined) {
      this.#results.set(result.txId, { ...result, result: result.result.slice() });
      const believed = this.#unconfirmed.get(result.txId);
      if (believed !== undefined) this.#confirm(believed);
      return;
    }
    if (!sameResult(known, result))
      this.report(
        'reply',
        `replica ${replica} computed ${show(result)} for ${result.txId.slice(0, 8)}, another ${show(known)}`,
      );
  }

  /** A correct replica has this checkpoint of the service. */
  onCheckpoint(replica: ReplicaId, checkpoint: CheckpointState): void {
    const known = this.#checkpoints.get(checkpoint.sequence);
    if (known === undefined) this.#checkpoints.set(checkpoint.sequence, checkpoint.stateDigest);
    else if (known !== checkpoint.stateDigest)
      this.report(
        'checkpoint',
        `replica ${replica} has another state at ${checkpoint.sequence} than the first one`,
      );
  }

  /** A correct replica installed a state; nobody correct may ever have had another one there. */
  onInstalled(replica: ReplicaId, checkpoint: CheckpointState): void {
    if (checkpoint.sequence > this.highest)
      this.report(
        'agreement',
        `replica ${replica} installed a state at ${checkpoint.sequence} that nobody correct executed`,
      );
    this.onCheckpoint(replica, checkpoint);
  }

  /** A client believes a result. It must be what correct replicas compute, now or soon. */
  onBelieved(believed: Believed): void {
    this.believed += 1;
    this.believedThrough = Math.max(this.believedThrough, believed.result.sequence);
    if (this.#results.has(believed.result.txId)) this.#confirm(believed);
    else this.#unconfirmed.set(believed.result.txId, believed);
  }

  #confirm(believed: Believed): void {
    this.#unconfirmed.delete(believed.result.txId);
    const known = this.#results.get(believed.result.txId)!;
    if (!sameResult(known, believed.result))
      this.report(
        'reply',
        `client ${believed.client} believes ${show(believed.result)}, correct replicas computed ${show(known)}`,
      );
  }

  /** At the end: everything that a client believes was executed by somebody correct. */
  finish(): void {
    for (const believed of this.#unconfirmed.values())
      this.report(
        'reply',
        `client ${believed.client} believes ${show(believed.result)}, which no correct replica computed`,
      );
  }
}

function show(result: WireResult): string {
  return `[${result.number} at ${result.sequence}/${result.height} = ${bytesToHex(result.result.subarray(0, 12))}]`;
}
