/**
 * Checkers that stand outside of the replicas. They see what correct replicas execute, install, seal, accuse and reject,
 * what clients sent and what clients came to believe, and compare. One class per family (`judges/`); this one passes on
 * what happens and holds the verdicts. It works on objects alone, so that every fidelity of the simulator can call it.
 */
import type { WireResult } from '../core/client-wire.ts';
import type { CheckpointState, Replica } from '../core/protocol.ts';
import type { Batch } from '../core/request.ts';
import type { Digest, Height, ReplicaId, SequenceNumber, SessionId } from '../core/types.ts';
import type { HeaderSignature } from '../ledger/contract.ts';
import { ReplicaState } from '../smr/usig-replica/state.ts';
import type { Believed } from './client.ts';
import { Bench } from './judges/bench.ts';
import type { JudgeName, Violation } from './judges/bench.ts';
import { BoundsJudge } from './judges/bounds.ts';
import { ChainJudge } from './judges/chain.ts';
import type { ReceiptVerifier, StoredChain } from './judges/chain.ts';
import { HistoryJudge } from './judges/history.ts';
import type { IssuedRequest } from './judges/history.ts';
import { OrderJudge } from './judges/order.ts';
import type { JudgedOutcome } from './judges/order.ts';
import { ProgressJudge } from './judges/progress.ts';
import { ReplyJudge } from './judges/replies.ts';
import { StreamJudge } from './judges/streams.ts';
import { ViewChangeJudge } from './judges/view-change.ts';

export type { JudgeName, Violation } from './judges/bench.ts';
export type { JudgedOutcome } from './judges/order.ts';

/** What a judge may know of a cluster beyond what it is told. Without it, only what is executed and believed is judged. */
export interface JudgeOptions {
  /** Judges that nobody listens to. */
  readonly muted?: readonly JudgeName[];
  /** Present: the insides of correct replicas are judged as well (`watch`). */
  readonly cluster?: { readonly f: number; readonly isCorrect: (replica: ReplicaId) => boolean };
  /** Present: receipts are made and verified. */
  readonly receipts?: ReceiptVerifier;
  /** False: no hypothetical view changes, the most expensive judge. Default: true. */
  readonly viewChanges?: boolean;
}

/** Looks between two measurements of the insides. */
const MEASURE_EVERY = 4;

/** See the top of this file. */
export class Judge {
  readonly #bench: Bench;
  readonly #order: OrderJudge;
  readonly #replies: ReplyJudge;
  readonly #history: HistoryJudge;
  readonly #chain: ChainJudge;
  readonly #streams: StreamJudge;
  readonly #progress: ProgressJudge | undefined;
  readonly #viewChanges: ViewChangeJudge | undefined;
  readonly #bounds: BoundsJudge;
  #looks = 0;
  /** Insides of the correct replicas that run. */
  readonly #running = new Map<ReplicaId, ReplicaState>();

  constructor(now: () => number, options: JudgeOptions = {}) {
    const bench = new Bench(now, options.muted);
    const { cluster } = options;
    const running = (): readonly ReplicaState[] => [...this.#running.values()];
    this.#bench = bench;
    this.#order = new OrderJudge(bench);
    this.#replies = new ReplyJudge(bench, this.#order);
    this.#history = new HistoryJudge(bench);
    this.#chain = new ChainJudge(bench, this.#order, options.receipts);
    this.#streams = new StreamJudge(bench, running);
    this.#bounds = new BoundsJudge(bench);
    this.#progress =
      cluster === undefined ? undefined : new ProgressJudge(bench, this.#order, this.#streams, cluster);
    this.#viewChanges =
      cluster === undefined || options.viewChanges === false
        ? undefined
        : new ViewChangeJudge(bench, this.#order, running);
  }

  /** What was objected to so far, the first objections only. */
  get violations(): readonly Violation[] {
    return this.#bench.violations;
  }

  /** Highest sequence number that any correct replica executed. */
  get highest(): SequenceNumber {
    return this.#order.highest;
  }

  /** Highest sequence number of a result that a client believes. */
  get believedThrough(): SequenceNumber {
    return this.#replies.believedThrough;
  }

  /** Results that clients believe. */
  get believed(): number {
    return this.#replies.believed.length;
  }

  /** How much was judged by the judges that look inside. */
  get effort(): Readonly<Record<string, number>> {
    return {
      sealed: this.#streams.judged,
      undecided: this.#streams.undecided,
      moments: this.#viewChanges?.moments ?? 0,
      bases: this.#viewChanges?.bases ?? 0,
      receipts: this.#chain.receipts,
    };
  }

  report(judge: JudgeName, text: string): void {
    this.#bench.report(judge, text);
  }

  /** A correct replica signed a reply. */
  onSigned(replica: ReplicaId, session: SessionId, results: readonly WireResult[]): void {
    this.#replies.onSigned(replica, session, results);
  }

  /** A client is about to send this request; with `request` its history is judged. */
  onIssued(txId: Digest, request?: IssuedRequest): void {
    this.#order.onIssued(txId);
    if (request !== undefined) this.#history.onIssued(txId, request);
  }

  /** A correct replica executed a batch (live or when it replayed its journal). */
  onExecuted(replica: ReplicaId, sequence: SequenceNumber, batch: Batch, outcome: JudgedOutcome): void {
    const isFirst = this.#order.onExecuted(replica, sequence, batch, outcome);
    if (isFirst && outcome.block !== undefined)
      this.#history.onFirstExecuted(sequence, outcome.block.transactions);
    this.#replies.onExecuted(replica, outcome);
  }

  /** A correct replica executed a batch that may yet be undone. */
  onTentative(outcome: Pick<JudgedOutcome, 'replies' | 'checkpoint'>): void {
    this.#replies.onTentative(outcome);
    if (outcome.checkpoint !== undefined) this.#order.onTentative(outcome.checkpoint);
  }

  /** A correct replica applied what a batch changed elsewhere; `history` names what was executed up to there. */
  onApplied(
    replica: ReplicaId,
    sequence: SequenceNumber,
    history: Digest,
    checkpoint: CheckpointState | undefined,
  ): void {
    this.#order.onApplied(replica, sequence, history, checkpoint);
  }

  /** A correct replica has this checkpoint of the service. */
  onCheckpoint(replica: ReplicaId, checkpoint: CheckpointState): void {
    this.#order.onCheckpoint(replica, checkpoint);
  }

  /** A correct replica installed a state. */
  onInstalled(replica: ReplicaId, checkpoint: CheckpointState): void {
    this.#order.onInstalled(replica, checkpoint);
  }

  /** A client believes a result. */
  onBelieved(believed: Believed): void {
    this.#history.onBelieved(believed.result.txId, believed.result.result);
    this.#replies.onBelieved(believed);
  }

  /** A correct replica keeps a header signature, its own or one that it was told. */
  onHeaderSigned(keeper: ReplicaId, height: Height, headerHash: Digest, signature: HeaderSignature): void {
    this.#chain.onHeaderSigned(keeper, height, headerHash, signature);
  }

  /** A correct replica starts, before it executes anything. */
  onStarting(replica: ReplicaId): void {
    this.#running.delete(replica);
    this.#order.onStart(replica);
    this.#streams.onStart(replica);
    this.#progress?.onStart(replica);
  }

  /** A correct replica is gone: its inside says nothing any more. */
  onStopped(replica: ReplicaId): void {
    this.#running.delete(replica);
  }

  /** The replica, with judges looking over its shoulder after every step. Behaves alike. */
  watch<M>(replica: ReplicaId, inner: Replica<M>): Replica<M> {
    const progress = this.#progress;
    const state: unknown = 'state' in inner ? inner.state : undefined;
    if (progress === undefined || !(state instanceof ReplicaState)) return inner;
    return {
      step: (input, now) => {
        const effects = inner.step(input, now);
        this.#running.set(replica, state);
        this.#streams.onStep(state);
        progress.onStep(state);
        return effects;
      },
      inspect: (now, brief) => inner.inspect(now, brief),
    };
  }

  /** A moment for the judges that look now and then; the insides are measured at every fourth. */
  onLook(): void {
    this.#looks += 1;
    if (this.#looks % MEASURE_EVERY === 0)
      for (const state of this.#running.values()) this.#bounds.onLook(state);
    this.#viewChanges?.sample();
  }

  /** At the end. `chains`: what correct replicas store. `isCut`: nobody waited until all was final. */
  finish(chains: readonly StoredChain[] = [], isCut = false): void {
    this.#viewChanges?.check();
    this.#replies.finish(isCut);
    this.#chain.checkStored(chains);
    this.#chain.checkReceipts();
    this.#history.finish();
  }
}
