/**
 * A Zyzzyva replica in the normal case: orders as primary, accepts and executes speculatively, answers with signed cores,
 * acknowledges certificates that clients bring, makes checkpoints.
 */
import type { CheckpointState, Replica, ReplicaContext } from '../../core/protocol.ts';
import type { Batch, Bundle } from '../../core/request.ts';
import type { Milliseconds, ReplicaId, SequenceNumber } from '../../core/types.ts';
import type { Intake } from '../../smr/attested/hooks.ts';
import { proposalLack } from '../../smr/attested/lack.ts';
import type { AttestedMessage, Proof, Sealed } from '../../smr/attested/sealed.ts';
import { isOf, isSealed } from '../../smr/attested/sealed.ts';
import type { Lacking } from '../../smr/lack.ts';
import { inFlightMaxOf } from '../../smr/batcher.ts';
import { AnswerBook } from './answer-book.ts';
import type { CommitCertificate } from './certificates.ts';
import { commitCertificateOf } from './certificates.ts';
import { certificateEntry, orderEntry } from './durable.ts';
import type { Durable } from './durable.ts';
import { CoreVotes, OrderBook } from './gathered.ts';
import type { Position } from './history.ts';
import { GENESIS } from './history.ts';
import type { Core, FillHole, Message, OrderReq, SpecResponse, ZyzzyvaContent } from './messages.ts';
import { encodeCommitProof, encodeSpecProof } from './messages.ts';
import { HOST, ZyzzyvaViews } from './views.ts';

/** ORDER-REQs passed on for one FILL-HOLE, at most. */
const FILL_MAX = 64;
/** Idle intervals without a request after which the orders up to the next boundary are filled. */
const RESTS = 40;
const NO_PROOF = new Uint8Array(0);

/** A hole in the orders, and who was asked about it. */
interface Hole {
  readonly after: SequenceNumber;
  readonly since: Milliseconds;
  asked: number;
}

/** See the top of this file. */
export class ZyzzyvaReplica extends ZyzzyvaViews {
  readonly #orders = new OrderBook();
  readonly #cores = new CoreVotes();
  readonly #answers = new AnswerBook();
  /** Certificates of orders that are not here yet; whether a client waits for them. */
  readonly #early = new Map<SequenceNumber, { certificate: CommitCertificate; isAsked: boolean }>();
  /** When something that a client asked for was ordered here last. */
  #orderedAtMs: Milliseconds = 0;
  /** End of what this replica has ordered as primary of the present view. */
  #head: Position = GENESIS;
  /** Up to here cores were looked at. */
  #respondedTo: SequenceNumber = 0;
  readonly #saidCheckpoints = new Set<SequenceNumber>();
  #hole: Hole | undefined;
  #askedForRequest: Milliseconds = 0;
  /** A history that rests above the stable checkpoint, and when it is compared with those of others again. */
  #rest: { readonly end: Position; dueMs: Milliseconds; waitMs: Milliseconds } | undefined;

  // ---- messages ----------------------------------------------------------------------------------------------------

  protected override audience(content: ZyzzyvaContent): readonly ReplicaId[] | undefined {
    if (content.kind === 'LOCAL-COMMIT') return [];
    if (content.kind === 'SPEC-RESPONSE') return this.#isBoundary(content.sequence) ? undefined : [];
    return undefined;
  }

  #isBoundary(sequence: SequenceNumber): boolean {
    return sequence % this.limits.checkpointInterval === 0;
  }

  protected override onSealed(message: Sealed<ZyzzyvaContent>, from: ReplicaId): Intake {
    if (isOf(message, 'ORDER-REQ')) return this.#onOrder(message);
    if (isOf(message, 'SPEC-RESPONSE')) return this.#onCore(message);
    if (isOf(message, 'LOCAL-COMMIT')) return this.#onCommitDurable(message);
    if (isOf(message, 'FILL-HOLE')) return this.#onFillHole(from, message.content);
    if (isOf(message, 'CHECKPOINT')) {
      const { view, sequence } = message.content;
      if (message.author === this.self && view === this.label) this.#saidCheckpoints.add(sequence);
      return 'taken';
    }
    return this.onViewMessage(message);
  }

  #onOrder(message: Message<OrderReq>): Intake {
    const { view, sequence, history } = message.content;
    if (!this.rule('Zyzzyva.ACC.1.VIEW', view === this.label && this.isIn, 'ORDER-REQ'))
      return view > this.label && view >= this.view ? 'later' : 'taken';
    if (sequence <= Math.max(this.stableSequence, this.base.length)) return 'taken';
    if (!this.rule('Zyzzyva.ACC.1.WINDOW', this.inWindow(sequence), 'ORDER-REQ')) return 'later';
    if (message.author === this.self && sequence > this.#head.length)
      this.#head = { length: sequence, history };
    const known = this.#orders.put(message);
    if (!this.rule('Zyzzyva.ACC.3', known === undefined, 'ORDER-REQ')) this.accusePrimary([known!, message]);
    return 'taken';
  }

  /** CKPT.1: cores that replicas show each other at boundaries; own ones are answers. */
  #onCore(message: Message<SpecResponse>): Intake {
    const { view, sequence } = message.content;
    if (view > this.label) return this.#isBoundary(sequence) ? 'later' : 'taken';
    if (view < this.label || sequence <= this.stableSequence) return 'taken';
    if (!this.inWindow(sequence)) return 'later';
    if (message.author === this.self) {
      this.#answers.put(message);
      this.#answer(sequence);
    }
    if (!this.#isBoundary(sequence)) return 'taken';
    const equal = this.#cores.add(message).slice(0, this.quorum);
    if (this.rule('Zyzzyva.CKPT.1', equal.length === this.quorum, 'SPEC-RESPONSE'))
      this.#judge(commitCertificateOf(this.quorum, equal), false);
    return 'taken';
  }

  // ---- normal case -------------------------------------------------------------------------------------------------

  protected override consider(): boolean {
    const moved = this.considerViews();
    if (!this.isIn || this.halted) return moved;
    const accepted = this.#accept();
    this.#judgeEarly();
    this.#respond();
    this.#sayCheckpoints();
    this.#fillHoles();
    this.#compare();
    return this.#order() || accepted || moved;
  }

  /** ORD.1: the primary gives the next batch its place. */
  #order(): boolean {
    if (!this.isPrimary || this.executed < this.base.length) return false;
    if (this.#head.length < this.history.length) this.#head = this.history.end;
    const sequence = this.#head.length + 1;
    const inFlight = Math.max(0, this.#head.length - this.executed);
    const hasRoom = this.inWindow(sequence) && inFlight < inFlightMaxOf(this.limits);
    if (!this.rule('Zyzzyva.ORD.1', hasRoom)) return false;
    const { view, desk } = this;
    const requested = this.requests.nextBatch(view, inFlight);
    if (requested !== undefined) this.#orderedAtMs = desk.now;
    const batch = requested ?? this.#padding(sequence);
    if (batch === undefined) return false;
    const { digest } = batch;
    if (requested !== undefined) this.bodies.share(batch);
    this.bodies.makeDurable(batch, sequence);
    const history = this.link(this.#head.history, digest);
    this.#head = { length: sequence, history };
    this.say({ kind: 'ORDER-REQ', view, sequence, history, digest }, HOST);
    return true;
  }

  /**
   * ORD.2: only a stable checkpoint makes orders final, and nobody may ask for anything for a long time. When clients have
   * rested for a while, the orders up to the next boundary are filled with nothing.
   */
  #padding(sequence: SequenceNumber): Batch | undefined {
    const { desk, timers } = this;
    const isOpen = sequence - 1 > this.stableSequence && !this.#isBoundary(sequence - 1);
    const due = this.#orderedAtMs + RESTS * timers.idleBatchMs;
    if (isOpen && due > desk.now) desk.wakeAt('idle', due);
    return this.rule('Zyzzyva.ORD.2', isOpen && due <= desk.now) ? this.bodies.nullBatch : undefined;
  }

  /** ACC.1: what continues the own history becomes part of it, durable before anything is said on it. */
  #accept(): boolean {
    let moved = false;
    for (let order = this.#next(); order !== undefined; order = this.#next()) {
      const { sequence, digest, history } = order.content;
      const isChained = this.link(this.history.end.history, digest) === history;
      if (!this.rule('Zyzzyva.ACC.1.CHAIN', isChained, 'ORDER-REQ')) {
        const previous = this.#orders.get(sequence - 1);
        this.accusePrimary(previous === undefined ? [] : [previous, order]);
        return moved || !this.isIn;
      }
      const batch = this.bodies.need(digest, [this.primary]);
      const verdict = batch === undefined ? 'early' : this.bodies.judge(batch);
      if (batch === undefined || verdict === 'early') return moved;
      if (!this.rule('Zyzzyva.ACC.1.AUTHENTIC', verdict === 'good', 'ORDER-REQ')) {
        this.hate(this.view);
        return moved;
      }
      this.bodies.makeDurable(batch, sequence);
      this.desk.store([orderEntry(this.codec, order)]);
      this.history = this.history.with(digest, history);
      this.decisions.set(sequence, { digest, proof: [order], sources: [this.primary] });
      for (const bundle of batch.bundles) this.requests.pending.markProposed(bundle.digest, this.view);
      moved = true;
    }
    return moved;
  }

  #next(): Message<OrderReq> | undefined {
    return this.isIn ? this.#orders.get(this.history.length + 1) : undefined;
  }

  /** ENTER.3 and the normal case: a core for everything that was executed of the present history. */
  #respond(): void {
    const last = Math.min(this.executed, this.history.length);
    const first = Math.max(this.#respondedTo, this.stableSequence) + 1;
    this.#respondedTo = Math.max(this.#respondedTo, last);
    const { label: view, base } = this;
    for (let sequence = first; sequence <= last; sequence += 1) {
      const history = this.history.hashAt(sequence)!;
      if (!this.#answers.say(sequence, history)) continue;
      this.rule('Zyzzyva.ENTER.3', sequence <= base.length);
      this.say({ kind: 'SPEC-RESPONSE', view, base, sequence, history }, HOST);
    }
  }

  /** RSP.1: gives the answers of an order with the own core, as long as that is of the present view. */
  #answer(sequence: SequenceNumber): void {
    if (sequence > this.executed || sequence <= this.confirmed) return;
    const core = this.#answers.core(sequence);
    const isCurrent =
      core?.content.view === this.label && this.history.hashAt(sequence) === core.content.history;
    if (!this.rule('Zyzzyva.RSP.1', isCurrent)) return;
    const proof = encodeSpecProof(core!);
    this.desk.emit({ kind: 'answer', sequence, view: this.label, standing: 'speculative', proof });
  }

  protected override onExecuted(sequence: SequenceNumber): void {
    this.#answer(sequence);
    this.#giveCommits();
  }

  protected override onAsked(sequence: SequenceNumber, _bundle: Bundle): void {
    if (!this.#answers.mayGive(`asked/${sequence}`, this.desk.now, this.timers.gapMs)) return;
    if (!this.rule('Zyzzyva.RSP.2', sequence <= this.confirmed)) {
      // The client may have got answers of several histories.
      if (this.#rest !== undefined) this.#rest.dueMs = Math.min(this.#rest.dueMs, this.desk.now);
      return this.#answer(sequence);
    }
    this.desk.emit({ kind: 'answer', sequence, view: this.label, standing: 'final', proof: NO_PROOF });
  }

  // ---- certificates ------------------------------------------------------------------------------------------------

  protected override onClientMessage(message: AttestedMessage<ZyzzyvaContent>): void {
    if (isSealed(message) || message.kind !== 'PROOF') return;
    const { messages } = message as Proof<ZyzzyvaContent>;
    if (messages.length > this.n) return;
    if (isOf(messages[0], 'ORDER-REQ')) this.onClientPom(messages);
    else this.#judge(commitCertificateOf(this.quorum, messages), true);
  }

  /** CC.1, CC.2: what a commit certificate means here. */
  #judge(certificate: CommitCertificate | undefined, isAsked: boolean): void {
    if (certificate === undefined) return;
    const { core, base } = certificate;
    if (!this.rule('Zyzzyva.CC.2', core.view === this.label && this.isIn, 'COMMIT')) return;
    const { sequence } = core;
    if (!this.inWindow(sequence)) return;
    if (sequence > this.history.length) {
      const known = this.#early.get(sequence);
      this.#early.set(sequence, { certificate, isAsked: isAsked || known?.isAsked === true });
      return;
    }
    const isSame = this.history.hashAt(sequence) === core.history && base.history === this.base.history;
    if (!this.rule('Zyzzyva.CC.1', isSame, 'COMMIT')) {
      const order = this.#orders.get(sequence);
      return this.accusePrimary(order === undefined ? [] : [order, ...certificate.messages]);
    }
    if (certificate.proven.length > (this.certificate?.proven.length ?? 0)) {
      this.certificate = certificate;
      this.desk.store([certificateEntry(this.codec, certificate.messages)]);
    }
    if (isAsked) this.#acknowledge(core);
  }

  #judgeEarly(): void {
    for (const [sequence, { certificate, isAsked }] of [...this.#early]) {
      if (sequence > this.history.length || !this.isIn) continue;
      this.#early.delete(sequence);
      this.#judge(certificate, isAsked);
    }
  }

  /** A client waits for a LOCAL-COMMIT: it is given once the certificate is durable. */
  #acknowledge({ view, base, sequence, history }: Core): void {
    this.#answers.want(sequence);
    if (this.#answers.committing < sequence) {
      this.#answers.committing = sequence;
      this.say({ kind: 'LOCAL-COMMIT', view, base, sequence, history }, { kind: 'link' });
    }
    this.#giveCommits();
  }

  #onCommitDurable({ author, content }: Message): Intake {
    const { view, sequence } = content as Core;
    if (author !== this.self || view !== this.label) return 'taken';
    const answers = this.#answers;
    answers.committing = Math.max(answers.committing, sequence);
    answers.committed = Math.max(answers.committed, sequence);
    this.#giveCommits();
    return 'taken';
  }

  #giveCommits(): void {
    const { label: view, base } = this;
    const through = Math.min(this.#answers.committed, this.executed);
    for (const sequence of this.#answers.takeWanted(through)) {
      const history = this.history.hashAt(sequence);
      // LC.1: after the own VIEW-CHANGE, which may not show the certificate, nothing is acknowledged any more.
      const isHeld = this.certificate?.view === view && this.certificate.proven.length >= sequence;
      if (!this.rule('Zyzzyva.LC.1', this.isIn && isHeld && history !== undefined)) continue;
      if (!this.#answers.mayGive(`commit/${sequence}`, this.desk.now, this.timers.gapMs)) continue;
      const proof = encodeCommitProof({ view, base, sequence, history: history! });
      this.desk.emit({ kind: 'answer', sequence, view, standing: 'committed', proof });
    }
  }

  // ---- checkpoints -------------------------------------------------------------------------------------------------

  /** CKPT.2 says when; a boundary that was executed is one of several things that it takes. */
  protected override sayCheckpoint(_state: CheckpointState): void {}

  #sayCheckpoints(): void {
    const { label: view, certificate } = this;
    for (const [sequence, { stateDigest }] of this.boundaries) {
      const history = this.history.hashAt(sequence);
      if (sequence <= this.stableSequence || history === undefined) continue;
      if (this.#saidCheckpoints.has(sequence)) continue;
      const isCovered = certificate?.view === view && certificate.proven.length >= sequence;
      if (!this.rule('Zyzzyva.CKPT.2', isCovered)) continue;
      this.#saidCheckpoints.add(sequence);
      this.say({ kind: 'CHECKPOINT', view, sequence, history, stateDigest }, HOST);
    }
  }

  protected override onStable(sequence: SequenceNumber): void {
    super.onStable(sequence);
    this.#orders.dropThrough(sequence);
    this.#cores.dropThrough(sequence);
    this.#answers.dropThrough(sequence);
    for (const known of this.#early.keys()) if (known <= sequence) this.#early.delete(known);
    for (const known of this.#saidCheckpoints) if (known <= sequence) this.#saidCheckpoints.delete(known);
  }

  override orderLack(sequence: SequenceNumber, isAsked: boolean): Lacking | undefined {
    const hole = this.#hole?.after === sequence - 1 ? this.#hole : undefined;
    if (hole === undefined && !isAsked) return undefined;
    const { view, primary } = this;
    return (
      this.hateLack() ?? { ...proposalLack('ORDER-REQ', { view, sequence }, primary), since: hole?.since }
    );
  }

  // ---- holes -------------------------------------------------------------------------------------------------------

  /** ACC.2 and ACC.5: asks for orders that others may have. */
  #fillHoles(): void {
    if (this.isPrimary) return;
    const { desk, timers, requestDelay } = this;
    const after = this.history.length;
    const lacks = this.#orders.get(after + 1) === undefined && this.#orders.hasAbove(after);
    if (lacks || this.#early.size > 0) this.#fill(after);
    else this.#hole = undefined;
    const oldest = this.requests.pending.oldestUnproposedSince();
    if (oldest === undefined) return;
    const due = Math.max(oldest, this.#askedForRequest) + Math.max(timers.gapMs, requestDelay / 2);
    if (!this.rule('Zyzzyva.ACC.5', due <= desk.now)) return desk.wakeAt('fill', due);
    this.#askedForRequest = desk.now;
    this.#askForOrders(undefined);
  }

  #fill(after: SequenceNumber): void {
    const { desk, timers } = this;
    if (this.#hole?.after !== after) this.#hole = { after, since: desk.now, asked: 0 };
    const hole = this.#hole;
    const isLate = desk.now >= hole.since + this.requestDelay;
    if (!this.rule('Zyzzyva.ACC.2', !isLate)) return this.hate(this.view);
    const due = hole.since + timers.gapMs * (1 + 2 * hole.asked);
    if (due > desk.now) return desk.wakeAt('fill', due);
    this.#askForOrders(hole.asked === 0 ? this.primary : undefined);
    hole.asked += 1;
    desk.wakeAt('fill', Math.max(desk.now + 1, hole.since + timers.gapMs * (1 + 2 * hole.asked)));
  }

  /**
   * ACC.6: a primary may have told two stories and fallen silent. Nobody would notice before the next boundary, and
   * clients would wait for equal answers in vain: so a history that rests is shown to others from time to time.
   */
  #compare(): void {
    const { desk, timers } = this;
    const { end } = this.history;
    if (end.length === this.stableSequence) return;
    if (this.#rest?.end.history !== end.history) {
      const waitMs = 2 * timers.statusMs;
      this.#rest = { end, dueMs: desk.now + waitMs, waitMs };
    }
    const rest = this.#rest;
    if (!this.rule('Zyzzyva.ACC.6', rest.dueMs <= desk.now)) return desk.wakeAt('fill', rest.dueMs);
    rest.waitMs = Math.min(2 * rest.waitMs, Math.max(timers.backoffCapMs, rest.waitMs));
    rest.dueMs = desk.now + rest.waitMs;
    this.#askForOrders(undefined);
    desk.wakeAt('fill', rest.dueMs);
  }

  #askForOrders(of: ReplicaId | undefined): void {
    const content: FillHole = { kind: 'FILL-HOLE', view: this.label, after: this.history.end };
    for (const replica of this.peers.keys())
      if (of === undefined || of === replica) this.tell(replica, content);
  }

  /** Whoever has accepted more passes on the primary's own words; and its other word where the histories differ. */
  #onFillHole(from: ReplicaId, { view, after }: FillHole): Intake {
    if (view !== this.label || !this.isIn) return 'taken';
    const own = this.history.hashAt(after.length);
    const differs = own !== undefined && own !== after.history;
    const messages: Message<OrderReq>[] = [];
    const last = Math.min(this.history.length, after.length + FILL_MAX);
    for (let sequence = after.length + (differs ? 0 : 1); sequence <= last; sequence += 1) {
      const order = this.#orders.get(sequence);
      if (order !== undefined && this.peers[from]!.spend(order.bytes.length)) messages.push(order);
    }
    if (messages.length > 0) this.desk.send(from, { kind: 'PROOF', messages });
    return 'taken';
  }

  // ---- views and restarts ------------------------------------------------------------------------------------------

  protected override onHistoryReplaced(): void {
    this.#answers.clear();
    this.#cores.clear();
    this.#saidCheckpoints.clear();
    this.#early.clear();
    this.#respondedTo = this.stableSequence;
    this.#head = this.history.end;
  }

  protected override onEntered(): void {
    this.#orders.clear();
    this.#hole = undefined;
  }

  protected override onRestored(durable: Durable): void {
    super.onRestored(durable);
    this.#head = this.history.end;
    for (const order of durable.orders) {
      const { view, sequence, digest } = order.content;
      if (view !== this.label || this.history.digestAt(sequence) !== digest) continue;
      this.#orders.put(order);
      this.decisions.set(sequence, { digest, proof: [order], sources: [this.primary] });
    }
  }
}

/** Makes a replica. Its first input must be `start`. */
export function createZyzzyvaReplica(context: ReplicaContext): Replica<AttestedMessage<ZyzzyvaContent>> {
  return new ZyzzyvaReplica(context);
}
