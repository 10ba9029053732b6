/**
 * How MinZyzzyva orders, executes and answers: an order is executed as soon as this replica's own PREPARE or SPEC for it
 * is sealed, answered with that message as proof, and final when MinBFT would have executed it. `ReplicaState.executed`
 * is what is final; what is above it can be undone. Views change as in MinBFT
 * (MinZyzzyva.VC.1): certificates of clients play no part in that (MinZyzzyva.VC.4).
 */
import type { CheckpointState } from '../../core/protocol.ts';
import type { Bundle } from '../../core/request.ts';
import type { Digest, ReplicaId, SequenceNumber } from '../../core/types.ts';
import { ZERO_DIGEST } from '../../core/types.ts';
import { Writer } from '../../core/codec.ts';
import { bytesToDigest } from '../../core/bytes.ts';
import { stableSequence } from '../../smr/checkpoint-keeper.ts';
import { encodeRegistry } from '../../smr/registry.ts';
import {
  announceBoundary,
  executeDecided,
  finishOrder,
  nextDecided,
  readyToExecute,
  requestDelay,
} from '../../smr/usig-replica/execution.ts';
import { nextPrepare, nextVote } from '../../smr/usig-replica/ordering.ts';
import type { ProtocolPart } from '../../smr/usig-replica/part.ts';
import type { Executing, ReplicaState, StreamItem } from '../../smr/usig-replica/state.ts';
import { haltReplica } from '../../smr/usig-replica/streams.ts';
import type {
  CommitNewView,
  Draft,
  FullNewView,
  Prepare,
  Spec,
  StreamMessage,
} from '../../smr/usig-stream/messages.ts';
import { sameUi } from '../../smr/usig-stream/validation.ts';
import { LazyStream } from './lazy-stream.ts';
import { authorOf, encodeStatement, extendHistory, statementKey } from './messages.ts';
import type { CommitCertificate, Stand, Statement } from './messages.ts';

const DIGEST_BYTES = 32;

/** An order that is executed and may be undone. */
interface Tentative extends Executing {
  readonly checkpoint: CheckpointState | undefined;
}

/** Whether two entries are the same proposal: of two with equal content the counter tells. */
function sameEntry(a: Prepare, b: Prepare): boolean {
  return a.digest === b.digest && sameUi(a.ui, b.ui);
}

/** See the top of this file. */
export class Speculation implements ProtocolPart {
  readonly #s: ReplicaState;
  readonly #lazy: LazyStream;
  /** Above `executed`, without a hole. */
  readonly #tentative = new Map<SequenceNumber, Tentative>();
  /** h_n from the latest stable checkpoint on. */
  readonly #histories = new Map<SequenceNumber, Digest>();
  /** Entries that are final and above the latest stable checkpoint. */
  readonly #final = new Map<SequenceNumber, Prepare>();
  /** Own commitments in the view of the own stream, by order. */
  readonly #own = new Map<SequenceNumber, Prepare | Spec>();
  /** Own message by which that view was entered. */
  #entered: FullNewView | CommitNewView | undefined;
  /** Bundles of orders that may be undone. */
  readonly #open = new Set<Digest>();
  /** Orders that a client asked for again or showed a certificate of: they are answered when they are final. */
  readonly #wanted = new Set<SequenceNumber>();
  /** Orders that were answered while they were not final. */
  readonly #answered = new Set<SequenceNumber>();
  #reached: SequenceNumber = 0;
  /** The batch that the service executes now may be undone. */
  #trying = false;
  /** The order for which the own SPEC was given a moment. */
  #offered: SequenceNumber = 0;
  /** Order of a certificate that contradicts what was executed here: nothing is tried before its state is here. */
  #blockedThrough: SequenceNumber = 0;

  constructor(s: ReplicaState) {
    this.#s = s;
    this.#lazy = new LazyStream(s);
    this.#histories.set(0, ZERO_DIGEST);
  }

  /** Orders that may be undone, with their histories. */
  tentative(): { readonly sequence: SequenceNumber; readonly history: Digest }[] {
    return [...this.#tentative.keys()].map((sequence) => ({
      sequence,
      history: this.#histories.get(sequence) ?? ZERO_DIGEST,
    }));
  }

  // ---- Ordering

  /** MinZyzzyva.ORD.1: the primary proposes as in MinBFT; MinZyzzyva.ORD.2: a backup answers the proposal with a SPEC. */
  nextOrder(): Draft | undefined {
    const s = this.#s;
    if (s.primaryOf(s.own.state.newView.view) === s.self) return nextPrepare(s);
    const prepare = nextVote(s);
    if (prepare === undefined) return undefined;
    return { kind: 'SPEC', prepare, history: this.#historyOf(prepare) };
  }

  /** h_n of a proposal; all zero where what it follows from is gone (MinZyzzyva.STEP.1: no rule asks for it). */
  #historyOf(prepare: Prepare): Digest {
    const { sequence } = prepare;
    const known = sequence <= this.#reached ? this.#histories.get(sequence) : undefined;
    const before = known ?? this.#historyThrough(sequence - 1);
    const found = known ?? (before === undefined ? undefined : this.#extend(before, prepare));
    this.#s.rule('MinZyzzyva.STEP.1', found !== undefined, 'SPEC');
    return found ?? ZERO_DIGEST;
  }

  #extend(before: Digest, { batchDigest }: Prepare): Digest {
    return extendHistory(this.#s.streamContext, before, batchDigest);
  }

  #historyThrough(n: SequenceNumber): Digest | undefined {
    if (n <= this.#reached) return this.#histories.get(n);
    let history = this.#histories.get(this.#reached);
    for (let m = this.#reached + 1; m <= n && history !== undefined; m += 1) {
      const entry = this.#chosen(m);
      history = entry === undefined ? undefined : this.#extend(history, entry);
    }
    return history;
  }

  /** What the own stream says about an order: the base that it committed to, or its own commitment. */
  #chosen(n: SequenceNumber): Prepare | undefined {
    const s = this.#s;
    const { newView } = s.own.state;
    if (n <= newView.end) {
      const content = s.knowledge.contentOf(newView);
      return content?.base?.[n - content.header.low - 1];
    }
    const own = this.#own.get(n);
    return own?.kind === 'SPEC' ? own.prepare : own;
  }

  publish(message: StreamMessage): void {
    if (message.kind === 'SPEC') {
      this.#lazy.add(message);
      return;
    }
    this.#lazy.flush();
    this.#s.broadcast(message);
  }

  onAccepted(author: ReplicaId, item: StreamItem): void {
    if (author !== this.#s.self) return;
    if (item.kind === 'PREPARE') this.#own.set(item.sequence, item);
    if (item.kind === 'SPEC') this.#own.set(item.prepare.sequence, item);
    if (item.kind !== 'NEW-VIEW' && item.kind !== 'COMMIT-NEW-VIEW') return;
    this.#entered = item;
    this.#own.clear();
  }

  // ---- Execution

  reached(): SequenceNumber {
    return this.#reached;
  }

  isOpen(bundle: Bundle): boolean {
    return this.#open.has(bundle.digest);
  }

  advance(): boolean {
    const s = this.#s;
    if (s.executing !== undefined || s.transferring !== undefined) return false;
    return this.#decide() || this.#adopt() || this.#speculate();
  }

  /**
   * MinZyzzyva.DUR.1: what is final is what MinBFT would execute, on votes of streams in order. MinZyzzyva.DUR.2: where
   * this replica has executed something else, or nothing yet, it follows.
   */
  #decide(): boolean {
    const s = this.#s;
    const entry = nextDecided(s);
    if (entry === undefined) return false;
    const n = s.executed + 1;
    const known = this.#tentative.get(n);
    s.rule('MinZyzzyva.DUR.1', true);
    if (s.rule('MinZyzzyva.DUR.2', known !== undefined && sameEntry(known.entry, entry))) {
      this.#makeFinal(known!);
      return true;
    }
    // What the own stream stands for is answered as such, however many votes there are already.
    if (known === undefined && this.#speculate()) return true;
    if (known === undefined && this.#mayStandSoon(n)) return false;
    if (this.#reached > s.executed) this.#rollback(s.executed);
    const ready = readyToExecute(s, n, entry, s.registry);
    if (ready === undefined) return false;
    const history = this.#historyAfter(ready);
    executeDecided(s, ready, { mode: 'held', protocolState: protocolStateOf(history, ready) });
    return true;
  }

  /**
   * Whether the own SPEC for an order that others have decided is under way or has not been tried: it is worth a moment,
   * since a replica that stands for an order gives the answer that clients wait for.
   */
  #mayStandSoon(n: SequenceNumber): boolean {
    const s = this.#s;
    const { newView, lastSequence } = s.own.state;
    if (!s.active || n <= lastSequence || newView.view !== s.groups.executing.reference.view) return false;
    if (s.sealing !== undefined) return true;
    if (this.#offered === n) return false;
    this.#offered = n;
    return true;
  }

  /** h_n of the order that is executed next. */
  #historyAfter({ entry }: Executing): Digest {
    const history = this.#extend(this.#histories.get(this.#reached) ?? ZERO_DIGEST, entry);
    this.#histories.set(this.#reached + 1, history);
    return history;
  }

  /** MinZyzzyva.CKPT.3: a certified state that is the own one makes everything up to it final. */
  #adopt(): boolean {
    const s = this.#s;
    const n = stableSequence(s.knownStable);
    if (n <= s.executed || n > this.#reached || n <= this.#blockedThrough) return false;
    const certified = s.knownStable!.checkpoints[0]!;
    const own = this.#tentative.get(n)?.checkpoint;
    if (!s.rule('MinZyzzyva.CKPT.3', own?.stateDigest === certified.stateDigest)) {
      this.#blockedThrough = n;
      this.#rollback(s.executed);
      return true;
    }
    for (let m = s.executed + 1; m <= n; m += 1) this.#makeFinal(this.#tentative.get(m)!);
    return true;
  }

  /** Executes what the own stream stands for, in order, as far as it can be undone (MinZyzzyva.CKPT.2). */
  #speculate(): boolean {
    const s = this.#s;
    const n = this.#reached + 1;
    const { view } = s.own.state.newView;
    if (!s.active || view < s.executionFloor || view < s.groups.executing.reference.view) return false;
    if (n > s.executed + s.window || s.executed < this.#blockedThrough) return false;
    const entry = this.#chosen(n);
    if (entry === undefined) return false;
    const ready = readyToExecute(s, n, entry, this.#tentative.get(n - 1)?.registry ?? s.registry);
    if (ready === undefined) return false;
    const history = this.#historyAfter(ready);
    this.#trying = true;
    s.executing = ready;
    for (const { digest } of ready.batch.bundles) this.#open.add(digest);
    const { batch } = ready;
    const protocolState = protocolStateOf(history, ready);
    s.emit({ kind: 'execute', sequence: n, batch, protocolState, mode: 'speculative' });
    return true;
  }

  onExecuted(sequence: SequenceNumber, checkpoint: CheckpointState | undefined): void {
    const s = this.#s;
    const done = s.executing;
    s.executing = undefined;
    const trying = this.#trying;
    this.#trying = false;
    if (done === undefined || done.sequence !== sequence) return;
    this.#reached = sequence;
    if (trying) {
      this.#tentative.set(sequence, { ...done, checkpoint });
      this.#answer(sequence);
      if (sequence - s.executed > s.window / 2) this.#lazy.pull();
      return;
    }
    finishOrder(s, done, checkpoint);
    this.#afterFinal(done);
  }

  /** MinZyzzyva.DUR.3: only now blocks are signed; MinZyzzyva.CKPT.1: and only now a CHECKPOINT of it may be made. */
  #makeFinal(order: Tentative): void {
    const s = this.#s;
    const { sequence, checkpoint } = order;
    if (checkpoint !== undefined) announceBoundary(s, order);
    s.emit({ kind: 'confirm', through: sequence });
    this.#tentative.delete(sequence);
    finishOrder(s, order, checkpoint);
    this.#afterFinal(order);
  }

  /**
   * MinZyzzyva.CC.2: the final answer, where somebody waits for it: asked for by a client, or never given before. It
   * depends on no view.
   */
  #afterFinal({ sequence, entry, batch }: Executing): void {
    this.#final.set(sequence, entry);
    for (const { digest } of batch.bundles) this.#open.delete(digest);
    const answered = this.#answered.delete(sequence);
    if (this.#wanted.delete(sequence) || !answered) this.#answerFinally(sequence);
  }

  #answerFinally(sequence: SequenceNumber): void {
    const { view } = this.#s.groups.executing.reference;
    this.#s.emit({ kind: 'answer', sequence, view, standing: 'final', proof: NO_PROOF });
  }

  #rollback(to: SequenceNumber): void {
    for (let n = to + 1; n <= this.#reached; n += 1) {
      for (const { digest } of this.#tentative.get(n)?.batch.bundles ?? []) this.#open.delete(digest);
      this.#tentative.delete(n);
      this.#histories.delete(n);
      this.#answered.delete(n);
    }
    this.#s.note('rollback', { from: this.#reached, to });
    this.#reached = to;
    this.#s.emit({ kind: 'rollback', to });
  }

  // ---- Answers

  /** MinZyzzyva.ORD.3: no speculative answer without an own sealed message for the order in the current view. */
  #answer(sequence: SequenceNumber): void {
    const s = this.#s;
    const statement = this.#statementOf(sequence);
    if (!s.rule('MinZyzzyva.ORD.3', statement !== undefined)) return;
    this.#answered.add(sequence);
    const proof = encodeStatement(statement!);
    s.emit({ kind: 'answer', sequence, view: statement!.view, standing: 'speculative', proof });
  }

  #statementOf(sequence: SequenceNumber): Statement | undefined {
    const s = this.#s;
    const entry = this.#tentative.get(sequence)?.entry;
    const history = this.#histories.get(sequence);
    const { newView } = s.own.state;
    const stand = this.#standFor(sequence);
    if (entry === undefined || history === undefined || stand === undefined || !s.active) return undefined;
    const { digest, ui } = entry;
    const { view, counter: newViewCounter } = newView;
    return { view, newViewCounter, sequence, history, entry: { digest, ui }, stand };
  }

  /** MinZyzzyva.VC.3: orders of a base are answered by the message that entered the view. */
  #standFor(sequence: SequenceNumber): Stand | undefined {
    const own = this.#own.get(sequence);
    if (own?.kind === 'PREPARE') return { kind: 'prepare' };
    if (own?.kind === 'SPEC') return { kind: 'spec', ui: own.ui };
    const entered = this.#entered;
    if (entered === undefined || sequence > this.#s.own.state.newView.end) return undefined;
    const { header } = entered;
    if (header === undefined) return undefined;
    const newView = { digest: header.digest, ui: header.ui };
    return entered.kind === 'NEW-VIEW'
      ? { kind: 'newView', newView }
      : { kind: 'commitNewView', newView, ui: entered.ui };
  }

  /**
   * A client asks again. MinZyzzyva.DUR.4: what is not final still waits here, with a deadline, and the streams are
   * pulled before anybody complains.
   */
  onAsked(sequence: SequenceNumber, bundle: Bundle): void {
    const s = this.#s;
    if (sequence <= s.executed) {
      this.#answerFinally(sequence);
      return;
    }
    if (sequence > this.#reached) return;
    this.#wanted.add(sequence);
    this.#answer(sequence);
    this.#lazy.pull();
    if (s.pending.add(bundle, s.now, requestDelay(s)))
      s.pending.markProposed(bundle.digest, s.own.state.newView.view);
  }

  /**
   * MinZyzzyva.CC.1: a certificate is a hint whose streams to bring up, no more. Seals alone would not do: one of its
   * members may have left the view before it made its statement. Who cannot follow it says whose stream is to blame.
   */
  onCertificate({ statements }: CommitCertificate): void {
    const s = this.#s;
    const first = statements[0];
    const authors = new Set(statements.map((statement) => authorOf(statement).replica));
    const agree =
      first !== undefined &&
      authors.size >= s.quorum &&
      statements.every((statement) => statementKey(statement) === statementKey(first));
    if (!s.rule('MinZyzzyva.CC.1', agree, 'COMMIT-CERTIFICATE')) return;
    const { sequence } = first!;
    if (sequence <= s.stableSequence || sequence > s.executed + 2 * s.window) return;
    if (sequence <= s.executed) {
      this.#answerFinally(sequence);
      return;
    }
    this.#wanted.add(sequence);
    for (const statement of statements) this.#bringUp(statement);
  }

  #bringUp(statement: Statement): void {
    const s = this.#s;
    const { replica, counter } = authorOf(statement);
    const { state } = s.slots[replica]!;
    if (replica === s.self || state.counter >= counter) return;
    if (state.dead) s.note('nack', { member: replica, sequence: statement.sequence });
    else this.#lazy.pullFrom(replica);
  }

  // ---- Views, checkpoints, state

  /**
   * MinZyzzyva.VC.2: keeps what the base confirms, undoes the rest, and answers for the new view. MinZyzzyva.VC.5: below
   * the start of the base there is nothing to go by but state transfer.
   */
  onViewEntered(): void {
    const s = this.#s;
    const { newView } = s.own.state;
    for (const [n, entry] of this.#final) {
      const chosen = n <= newView.end ? this.#chosen(n) : undefined;
      if (chosen === undefined || sameEntry(chosen, entry)) continue;
      haltReplica(s, `the base of view ${newView.view} replaces order ${n}, which is final here`);
      return;
    }
    let kept = s.executed;
    while (kept < this.#reached) {
      const chosen = kept + 1 <= newView.end ? this.#chosen(kept + 1) : undefined;
      if (chosen === undefined || !sameEntry(chosen, this.#tentative.get(kept + 1)!.entry)) break;
      kept += 1;
    }
    if (!s.rule('MinZyzzyva.VC.2', kept === this.#reached)) this.#rollback(kept);
    for (let n = s.executed + 1; n <= kept; n += 1) this.#answer(n);
  }

  onStable(sequence: SequenceNumber): void {
    for (const map of [this.#histories, this.#final])
      for (const n of [...map.keys()]) if (n < sequence) map.delete(n);
    for (const n of [...this.#own.keys()]) if (n <= sequence) this.#own.delete(n);
    for (const n of [...this.#wanted]) if (n <= sequence) this.#wanted.delete(n);
  }

  onTransfer(): void {
    if (this.#reached > this.#s.executed) this.#rollback(this.#s.executed);
  }

  onState(protocolState: Uint8Array): void {
    const n = this.#s.executed;
    const held = protocolState.length >= DIGEST_BYTES ? protocolState.subarray(-DIGEST_BYTES) : undefined;
    this.#tentative.clear();
    this.#histories.clear();
    this.#final.clear();
    this.#open.clear();
    this.#answered.clear();
    this.#histories.set(n, held === undefined ? ZERO_DIGEST : bytesToDigest(held));
    this.#reached = n;
  }

  onWaiting(): void {
    this.#lazy.pull();
  }

  onTimeout(timer: string): void {
    if (timer === 'lazy') this.#lazy.flush();
  }
}

const NO_PROOF = new Uint8Array(0);

/** What checkpoints cover beside the service: the registry and h_n. */
function protocolStateOf(history: Digest, { registry }: Executing): Uint8Array {
  return new Writer(1024).raw(encodeRegistry(registry)).digest(history).finish();
}
