/**
 * One order for all: agreement on batches, blocks and checkpoints; validity; exactly once; the chain of blocks; each
 * replica executes without a hole.
 */
import type { CheckpointState } from '../../core/protocol.ts';
import type { Batch } from '../../core/request.ts';
import { ZERO_DIGEST } from '../../core/types.ts';
import type {
  Digest,
  Height,
  ReplicaId,
  RequestNumber,
  SequenceNumber,
  SessionId,
} from '../../core/types.ts';
import type { WireResult } from '../../core/client-wire.ts';
import type { Block } from '../../ledger/contract.ts';
import type { Bench } from './bench.ts';

/** One executed request. */
export interface JudgedTransaction {
  readonly id: Digest;
  /** Absent if the service has no sessions. */
  readonly session?: SessionId;
  readonly number?: RequestNumber;
  /** Absent if the service is not the ledger with its key-value store: then nothing is executed again. */
  readonly operation?: Uint8Array;
  readonly result?: Uint8Array;
}

/** What judges look at of an executed batch; `ExecutionOutcome` of the ledger has it all. */
export interface JudgedOutcome {
  readonly block:
    | {
        /** Equal for replicas that executed the same up to here. */
        readonly headerHash: Digest;
        readonly transactions: readonly JudgedTransaction[];
        /** Absent if the service makes no chain of blocks. */
        readonly header?: Block['header'];
        readonly bytes?: Uint8Array;
      }
    | undefined;
  readonly replies: readonly { readonly session?: SessionId; readonly results: readonly WireResult[] }[];
  readonly checkpoint: CheckpointState | undefined;
}

interface AgreedBatch {
  readonly digest: Digest;
  readonly headerHash: Digest | undefined;
  readonly by: ReplicaId;
}

/** See the top of this file. */
export class OrderJudge {
  readonly #bench: Bench;
  readonly #batches = new Map<SequenceNumber, AgreedBatch>();
  readonly #blocks: Block[] = [];
  readonly #checkpoints = new Map<SequenceNumber, Digest>();
  /** States at boundaries that a correct replica reached on trial. */
  readonly #tentative = new Set<string>();
  readonly #issued = new Set<Digest>();
  /** What was executed as each number of each session. */
  readonly #executedAs = new Map<string, Digest>();
  /** Where each transaction was executed. */
  readonly #executedAt = new Map<Digest, SequenceNumber>();
  /** Where each replica stands in its present life. */
  readonly #standsAt = new Map<ReplicaId, SequenceNumber>();
  /** Highest sequence number that any correct replica executed. */
  highest: SequenceNumber = 0;

  constructor(bench: Bench) {
    this.#bench = bench;
  }

  onIssued(txId: Digest): void {
    this.#issued.add(txId);
  }

  /** A replica starts: it may stand anywhere at first. */
  onStart(replica: ReplicaId): void {
    this.#standsAt.delete(replica);
  }

  /** True if nobody correct had executed this sequence number before. */
  onExecuted(replica: ReplicaId, sequence: SequenceNumber, batch: Batch, outcome: JudgedOutcome): boolean {
    const stood = this.#standsAt.get(replica);
    if (stood !== undefined && sequence !== stood + 1)
      this.#bench.report('agreement', `replica ${replica} executed ${sequence} after ${stood}`);
    this.#standsAt.set(replica, sequence);
    const headerHash = outcome.block?.headerHash;
    const agreed = this.#batches.get(sequence);
    if (outcome.checkpoint !== undefined) this.onCheckpoint(replica, outcome.checkpoint);
    if (agreed === undefined) {
      this.#batches.set(sequence, { digest: batch.digest, headerHash, by: replica });
      this.highest = Math.max(this.highest, sequence);
      this.#checkFirst(sequence, outcome.block);
      return true;
    }
    if (agreed.digest !== batch.digest) {
      this.#bench.report(
        'agreement',
        `sequence ${sequence}: replica ${replica} executed batch ${batch.digest.slice(0, 8)}, replica ${agreed.by} executed ${agreed.digest.slice(0, 8)}`,
      );
    } else if (agreed.headerHash !== headerHash) {
      this.#bench.report(
        'agreement',
        `sequence ${sequence}: block of replica ${replica} differs from that of replica ${agreed.by}`,
      );
    }
    return false;
  }

  /** A replica took over what a batch changed elsewhere: it stands where those who executed it stood. */
  onApplied(
    replica: ReplicaId,
    sequence: SequenceNumber,
    history: Digest,
    checkpoint: CheckpointState | undefined,
  ): void {
    const stood = this.#standsAt.get(replica);
    if (stood !== undefined && sequence !== stood + 1)
      this.#bench.report('agreement', `replica ${replica} applied ${sequence} after ${stood}`);
    this.#standsAt.set(replica, sequence);
    if (this.#batches.get(sequence)?.headerHash !== history)
      this.#bench.report(
        'agreement',
        `replica ${replica} applied at ${sequence} what nobody correct executed`,
      );
    if (checkpoint !== undefined) this.onCheckpoint(replica, checkpoint);
  }

  #checkFirst(sequence: SequenceNumber, block: JudgedOutcome['block']): void {
    if (block === undefined) return;
    for (const { id, session, number } of block.transactions) {
      if (session !== undefined) this.#checkNumber(id, `${session}/${number}`);
      if (!this.#issued.has(id))
        this.#bench.report('validity', `sequence ${sequence}: transaction ${id} was never sent`);
      const before = this.#executedAt.get(id);
      if (before !== undefined && before !== sequence)
        this.#bench.report('exactly-once', `transaction ${id} executed at ${before} and ${sequence}`);
      this.#executedAt.set(id, sequence);
    }
    if (isBlock(block)) this.#checkLink(sequence, block);
  }

  /** A client may sign two requests with one number; one of them is executed, and the same one everywhere. */
  #checkNumber(id: Digest, name: string): void {
    const known = this.#executedAs.get(name);
    if (known !== undefined && known !== id)
      this.#bench.report('exactly-once', `request ${name} executed as ${known} and as ${id}`);
    this.#executedAs.set(name, id);
  }

  #checkLink(sequence: SequenceNumber, block: Block): void {
    const { height, previous } = block.header;
    const last = this.#blocks.at(-1);
    if (height !== this.#blocks.length + 1 || previous !== (last?.headerHash ?? ZERO_DIGEST))
      this.#bench.report(
        'chain',
        `the block of sequence ${sequence} does not continue the chain at ${height}`,
      );
    this.#blocks[height - 1] = block;
  }

  /** A correct replica reached a boundary by what it may undo. */
  onTentative({ sequence, stateDigest }: CheckpointState): void {
    this.#tentative.add(`${sequence}/${stateDigest}`);
  }

  /** A correct replica has this checkpoint of the service. */
  onCheckpoint(replica: ReplicaId, checkpoint: CheckpointState): void {
    const known = this.#checkpoints.get(checkpoint.sequence);
    if (known === undefined) this.#checkpoints.set(checkpoint.sequence, checkpoint.stateDigest);
    else if (known !== checkpoint.stateDigest)
      this.#bench.report(
        'checkpoint',
        `replica ${replica} has another state at ${checkpoint.sequence} than the first one`,
      );
  }

  /**
   * A correct replica installed a state; nobody correct may ever have had another one there. Where replicas speculate, the
   * certificate may be whole here first: then a correct one reached this very state on trial.
   */
  onInstalled(replica: ReplicaId, checkpoint: CheckpointState): void {
    const { sequence, stateDigest } = checkpoint;
    if (sequence > this.highest && !this.#tentative.has(`${sequence}/${stateDigest}`))
      this.#bench.report(
        'agreement',
        `replica ${replica} installed a state at ${checkpoint.sequence} that nobody correct executed`,
      );
    const stood = this.#standsAt.get(replica);
    if (stood !== undefined && checkpoint.sequence < stood)
      this.#bench.report('progress', `replica ${replica} installed ${checkpoint.sequence} over ${stood}`);
    this.#standsAt.set(replica, checkpoint.sequence);
    this.onCheckpoint(replica, checkpoint);
  }

  /** Digest of the agreed batch; undefined if nobody correct executed that far. */
  batchAt(sequence: SequenceNumber): Digest | undefined {
    return this.#batches.get(sequence)?.digest;
  }

  /** Digest of the state that correct replicas have there; undefined if none had one yet. */
  stateAt(sequence: SequenceNumber): Digest | undefined {
    return this.#checkpoints.get(sequence);
  }

  /** The agreed block; undefined if there is none of that height yet. */
  blockAt(height: Height): Block | undefined {
    return this.#blocks[height - 1];
  }

  /** Height of the agreed chain. */
  get height(): Height {
    return this.#blocks.length;
  }

  /** Where a transaction was executed first. */
  sequenceOf(txId: Digest): SequenceNumber | undefined {
    return this.#executedAt.get(txId);
  }
}

function isBlock(block: NonNullable<JudgedOutcome['block']>): block is Block {
  return block.header !== undefined && block.bytes !== undefined;
}
