/**
 * What may only grow, and what stands once it stands. Within a life nothing of a replica goes back; over a crash its own
 * stream does not, because every message was durable before it left (`progress`, `durability`). One PREPARE per sequence
 * number is executed (`agreement`), one NEW-VIEW per view is committed, views of entries never fall, and nobody leaves a
 * view unless a correct replica asked for it (`view`, invariants 3, 6 and 11, check S7). A stable checkpoint is what correct replicas have there, and its correct signers said so
 * (`stability`, invariant 9).
 */
import type { Digest, ReplicaId, SequenceNumber, View } from '../../core/types.ts';
import type { ReplicaState } from '../../smr/usig-replica/state.ts';
import type { CheckpointCertificate } from '../../smr/usig-stream/messages.ts';
import type { Bench } from './bench.ts';
import type { OrderJudge } from './order.ts';
import type { StreamJudge } from './streams.ts';

/** Where a replica stands in its present life. */
interface Stand {
  incarnation: number;
  executed: SequenceNumber;
  stable: SequenceNumber;
  view: View;
  counter: number;
  certificate: CheckpointCertificate | undefined;
  executingView: View;
}

/** The own stream of a replica, over all lives. */
interface OwnStream {
  counter: number;
  view: View;
}

/** See the top of this file. */
export class ProgressJudge {
  readonly #bench: Bench;
  readonly #order: OrderJudge;
  readonly #streams: StreamJudge;
  readonly #f: number;
  readonly #isCorrect: (replica: ReplicaId) => boolean;
  readonly #stands = new Map<ReplicaId, Stand>();
  readonly #own = new Map<string, OwnStream>();
  /** Highest view that a correct replica asked for. */
  #requested: View = 0;
  /** The NEW-VIEW that a view was executed under. */
  readonly #committed = new Map<View, { readonly name: string; readonly by: ReplicaId }>();
  /** The PREPARE that was executed. */
  readonly #entries = new Map<SequenceNumber, { readonly digest: Digest; readonly view: View }>();

  constructor(
    bench: Bench,
    order: OrderJudge,
    streams: StreamJudge,
    cluster: { readonly f: number; readonly isCorrect: (replica: ReplicaId) => boolean },
  ) {
    this.#bench = bench;
    this.#order = order;
    this.#streams = streams;
    this.#f = cluster.f;
    this.#isCorrect = cluster.isCorrect;
  }

  onStart(replica: ReplicaId): void {
    this.#stands.delete(replica);
  }

  onStep(s: ReplicaState): void {
    if (!s.started || s.unreplayed !== undefined) return;
    const { state } = s.own;
    this.#requested = Math.max(this.#requested, s.requested);
    const { reference } = s.groups.executing;
    const stand = this.#stands.get(s.self);
    if (stand === undefined) {
      this.#begin(s);
      return;
    }
    if (stand.incarnation !== state.incarnation) {
      stand.incarnation = state.incarnation;
      stand.counter = state.counter;
      stand.view = state.view;
    }
    if (s.executed < stand.executed) this.#back(s, 'executed', stand.executed, s.executed);
    if (s.stableSequence < stand.stable) this.#back(s, 'stable', stand.stable, s.stableSequence);
    if (state.view < stand.view) this.#back(s, 'view', stand.view, state.view);
    if (state.view > stand.view && state.view > this.#requested)
      this.#bench.report(
        'view',
        `replica ${s.self} leaves for view ${state.view}, correct replicas asked for ${this.#requested} at most`,
      );
    if (state.counter < stand.counter) this.#back(s, 'own counter', stand.counter, state.counter);
    if (reference.view < stand.executingView)
      this.#back(s, 'executing view', stand.executingView, reference.view);
    if (reference.view !== stand.executingView) this.#onExecutingView(s);
    if (s.stable !== stand.certificate) this.#onStable(s, s.stable);
    if (state.counter !== stand.counter) this.#remember(s);
    stand.executed = s.executed;
    stand.stable = s.stableSequence;
    stand.view = state.view;
    stand.counter = state.counter;
    stand.certificate = s.stable;
    stand.executingView = reference.view;
    if (s.executing !== undefined) this.#onEntry(s, s.executing);
  }

  #back(s: ReplicaState, what: string, from: number, to: number): void {
    this.#bench.report('progress', `replica ${s.self}: ${what} went back from ${from} to ${to}`);
  }

  /** First look in this life. */
  #begin(s: ReplicaState): void {
    const { state } = s.own;
    const before = this.#own.get(`${s.self}/${s.tcEpoch}`);
    const continues = before !== undefined && s.ownRecover === undefined && !s.halted;
    if (continues && state.counter < before.counter)
      this.#bench.report(
        'durability',
        `replica ${s.self} starts at its own counter ${state.counter}, it had sent ${before.counter}`,
      );
    if (continues && state.view < before.view)
      this.#bench.report('durability', `replica ${s.self} starts in view ${state.view} after ${before.view}`);
    this.#stands.set(s.self, {
      incarnation: state.incarnation,
      executed: s.executed,
      stable: s.stableSequence,
      view: state.view,
      counter: state.counter,
      certificate: undefined,
      executingView: s.groups.executing.reference.view,
    });
    this.#onStable(s, s.stable);
    this.#remember(s);
    if (s.executing !== undefined) this.#onEntry(s, s.executing);
  }

  #remember(s: ReplicaState): void {
    const { counter, view } = s.own.state;
    if (!s.maySeal) return;
    this.#own.set(`${s.self}/${s.tcEpoch}`, { counter, view });
  }

  #onExecutingView(s: ReplicaState): void {
    const { view, incarnation, counter, digest } = s.groups.executing.reference;
    const name = `${incarnation}/${counter}/${digest}`;
    const known = this.#committed.get(view);
    if (known === undefined) this.#committed.set(view, { name, by: s.self });
    else if (known.name !== name)
      this.#bench.report(
        'view',
        `view ${view}: replica ${s.self} executes under NEW-VIEW ${name}, replica ${known.by} under ${known.name}`,
      );
  }

  #onEntry(s: ReplicaState, executing: NonNullable<ReplicaState['executing']>): void {
    const { sequence, entry } = executing;
    const known = this.#entries.get(sequence);
    if (known === undefined) this.#entries.set(sequence, { digest: entry.digest, view: entry.view });
    else if (known.digest !== entry.digest)
      this.#bench.report(
        'agreement',
        `replica ${s.self} executes another PREPARE at ${sequence} than others did`,
      );
    const before = this.#entries.get(sequence - 1);
    if (before !== undefined && before.view > entry.view)
      this.#bench.report(
        'view',
        `the entry at ${sequence} is of view ${entry.view}, the one before it of ${before.view}`,
      );
  }

  #onStable(s: ReplicaState, certificate: CheckpointCertificate | undefined): void {
    const first = certificate?.checkpoints[0];
    if (certificate === undefined || first === undefined) return;
    const { sequence, stateDigest } = first;
    if (this.#order.stateAt(sequence) !== stateDigest)
      this.#bench.report(
        'stability',
        `replica ${s.self} takes ${stateDigest.slice(0, 8)} at ${sequence} for stable, which is no state of a correct replica`,
      );
    const signers = new Set(certificate.checkpoints.map(({ ui }) => ui.replica));
    if (signers.size <= this.#f)
      this.#bench.report('stability', `${signers.size} replicas made ${sequence} stable at ${s.self}`);
    for (const { ui, digest } of certificate.checkpoints) {
      const incarnation = s.knowledge.book.incarnationOf(ui.replica, ui.tcEpoch);
      if (!this.#isCorrect(ui.replica) || incarnation === undefined) continue;
      const said = this.#streams.digestAt(ui.replica, incarnation, ui.counter);
      if (said !== undefined && said !== digest)
        this.#bench.report(
          'stability',
          `the CHECKPOINT(${sequence}) of correct replica ${ui.replica} at ${s.self} is not what it said`,
        );
    }
  }
}
