/** The real executor, with a judge looking over its shoulder. Behaves alike. */
import type { CheckpointState } from '../core/protocol.ts';
import type { Batch, Bundle } from '../core/request.ts';
import type { Digest, Height, Milliseconds, ReplicaId, SequenceNumber } from '../core/types.ts';
import type { Admission, ExecuteOptions, ExecutionOutcome, LedgerExecutor } from '../ledger/contract.ts';
import type { Judge } from './judge.ts';

/** See the top of this file. */
export class JudgedExecutor implements LedgerExecutor {
  readonly #inner: LedgerExecutor;
  readonly #judge: Judge;
  readonly #replica: ReplicaId;
  readonly #onExecuted: (sequence: SequenceNumber, digest: Digest) => void;
  /** What may still be undone is judged once it is final. */
  readonly #open: { readonly sequence: SequenceNumber; readonly tell: () => void }[] = [];

  /** `onExecuted`: told what is final, like the judge. */
  constructor(
    inner: LedgerExecutor,
    judge: Judge,
    replica: ReplicaId,
    onExecuted: (sequence: SequenceNumber, digest: Digest) => void,
  ) {
    this.#inner = inner;
    this.#judge = judge;
    this.#replica = replica;
    this.#onExecuted = onExecuted;
  }

  get chunkCount(): number {
    return this.#inner.chunkCount;
  }

  get executed(): SequenceNumber {
    return this.#inner.executed;
  }

  get confirmed(): SequenceNumber {
    return this.#inner.confirmed;
  }

  get undoSteps(): number {
    return this.#inner.undoSteps;
  }

  get height(): Height {
    return this.#inner.height;
  }

  get headerHash(): Digest {
    return this.#inner.headerHash;
  }

  get time(): Milliseconds {
    return this.#inner.time;
  }

  get checkpoint(): CheckpointState {
    return this.#inner.checkpoint;
  }

  get protocolState(): Uint8Array {
    return this.#inner.protocolState;
  }

  admit(bundle: Bundle): Admission {
    return this.#inner.admit(bundle);
  }

  isClient(clientKey: Uint8Array): boolean {
    return this.#inner.isClient(clientKey);
  }

  keyVersionOf(clientKey: Uint8Array): number {
    return this.#inner.keyVersionOf(clientKey);
  }

  execute(
    sequence: SequenceNumber,
    batch: Batch,
    protocolState: Uint8Array,
    options?: ExecuteOptions,
  ): ExecutionOutcome {
    const outcome = this.#inner.execute(sequence, batch, protocolState, options);
    const tell = (): void => {
      this.#onExecuted(sequence, batch.digest);
      this.#judge.onExecuted(this.#replica, sequence, batch, outcome);
    };
    if (options?.speculative === true) this.#judge.onTentative(outcome);
    this.#open.push({ sequence, tell });
    this.#settle();
    return outcome;
  }

  #settle(): void {
    const { confirmed } = this.#inner;
    while (this.#open[0] !== undefined && this.#open[0].sequence <= confirmed) this.#open.shift()!.tell();
  }

  confirm(through: SequenceNumber): void {
    this.#inner.confirm(through);
    this.#settle();
  }

  rollback(to: SequenceNumber): void {
    this.#inner.rollback(to);
    while ((this.#open.at(-1)?.sequence ?? 0) > to) this.#open.pop();
  }

  applyUpdate(
    sequence: SequenceNumber,
    update: Uint8Array,
    protocolState: Uint8Array,
  ): ExecutionOutcome | undefined {
    return this.#inner.applyUpdate(sequence, update, protocolState);
  }

  query(operation: Uint8Array): ReturnType<LedgerExecutor['query']> {
    return this.#inner.query(operation);
  }

  frozen(sequence: SequenceNumber): ReturnType<LedgerExecutor['frozen']> {
    return this.#inner.frozen(sequence);
  }

  releaseBelow(sequence: SequenceNumber): void {
    this.#inner.releaseBelow(sequence);
  }

  install(checkpoint: CheckpointState, chunk: (index: number) => Uint8Array): boolean {
    this.#open.length = 0;
    const installed = this.#inner.install(checkpoint, chunk);
    if (installed) this.#judge.onInstalled(this.#replica, checkpoint);
    return installed;
  }
}
