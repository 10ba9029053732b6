/**
 * The three phases of PBFT in one view (OSDI 1999, 4.3): who proposes, what is prepared, what is committed, and what the
 * view is obliged to by the one before. How views change is for those that extend it: with signatures or without.
 */
import type { Attestor } from '../../core/attestation.ts';
import type { CheckpointState, ReplicaContext, StoreEntry } from '../../core/protocol.ts';
import type { Batch } from '../../core/request.ts';
import type { Digest, Milliseconds, ReplicaId, SequenceNumber, View } from '../../core/types.ts';
import { inFlightMaxOf } from '../batcher.ts';
import type { AttestedOptions, Intake, Turn } from '../attested/hooks.ts';
import { changeLack, proposalLack } from '../attested/lack.ts';
import { AttestedReplica } from '../attested/replica.ts';
import type { Content, Sealed } from '../attested/sealed.ts';
import { isOf } from '../attested/sealed.ts';
import { ViewVotes } from '../attested/view-votes.ts';
import type { Lacking } from '../lack.ts';
import type { NewViewBase } from './base.ts';
import { EMPTY_BASE } from './base.ts';
import type { Commit, OrderContent, Prepare, PrePrepare } from './messages.ts';
import { isOrderContent } from './messages.ts';
import type { ThreePhaseRule } from './rules.ts';
import type { Slot } from './slots.ts';
import { Slots } from './slots.ts';

/** A proposal and PREPAREs that make it prepared. */
export interface Prepared {
  readonly prePrepare: Sealed<PrePrepare>;
  readonly prepares: readonly Sealed<Prepare>[];
}

/** See the top of this file. `C`: contents of the protocol, `OrderContent` and those of its view change. */
export abstract class ThreePhaseAgreement<C extends Content> extends AttestedReplica<C> {
  /** n - f: 2f+1 of 3f+1. With fewer replicas two quorums need not share a correct one (the bound of the paper). */
  readonly quorum: number;
  readonly slots = new Slots();
  readonly votes: ViewVotes;
  /** What the present view started with. */
  base: NewViewBase = EMPTY_BASE;
  /** Highest sequence number proposed in this view; the primary's alone. */
  proposed: SequenceNumber = 0;
  /** Orders that wait for a body or for time to pass. */
  readonly #lookAgain = new Set<SequenceNumber>();

  /** The order that this replica voted for and waits for, and since when. */
  #undecided: { readonly sequence: SequenceNumber; readonly since: Milliseconds } | undefined;

  constructor(context: ReplicaContext, codec: AttestedOptions<C>['codec']) {
    const quorum = context.settings.members.length - context.settings.f;
    super(context, { codec, checkpointQuorum: quorum });
    this.quorum = quorum;
    this.votes = new ViewVotes(this.n);
  }

  /** Who vouches for messages: the host key, or the link alone. */
  protected abstract readonly attestor: Attestor;
  /** Messages of the view change, looped back or of a peer. */
  protected abstract onViewMessage(message: Sealed<C>): Intake;
  protected abstract considerViewChange(): void;
  /** Leaves for a view, and says what the others have to know of the views before. */
  protected abstract startViewChange(view: View): void;
  /** What must be durable before this replica says PRE-PREPARE or PREPARE for a batch. */
  protected abstract beforePrepare(order: PrePrepare): readonly StoreEntry[];
  /** What must be durable before it says COMMIT. */
  protected abstract beforeCommit(order: PrePrepare, prepared: Prepared): readonly StoreEntry[];
  /** What shows a decision to somebody who lacks it; empty if words cannot be passed on. */
  protected abstract proofOf(commits: readonly Sealed<Commit>[]): readonly Sealed<C>[];

  override rule(rule: ThreePhaseRule | (string & {}), passed: boolean, about?: string): boolean {
    return super.rule(rule, passed, about);
  }

  protected override fits(message: Sealed<C>): boolean {
    return message.attestation.kind === this.attestor.kind;
  }

  protected sayOrder(content: OrderContent, entries: readonly StoreEntry[] = []): void {
    this.say(content as Content as C, this.attestor, entries);
  }

  // ---- messages ----------------------------------------------------------------------------------------------------

  protected override onSealed(sealed: Sealed<C>, _from: ReplicaId): Intake {
    if (!isOrderContent(sealed.content)) return this.onViewMessage(sealed);
    const message = sealed as Sealed<Content> as Sealed<OrderContent>;
    if (isOf(message, 'PRE-PREPARE')) return this.#onPrePrepare(message);
    if (isOf(message, 'PREPARE')) return this.#onPrepare(message);
    return isOf(message, 'COMMIT') ? this.#onCommit(message) : 'taken';
  }

  #turnOf(view: View, sequence: SequenceNumber): Turn {
    if (sequence <= this.stableSequence || view < this.view) return 'taken';
    if (view > this.view || this.mode === 'changing') return 'later';
    return this.rule('PBFT.N2.window', this.inWindow(sequence)) ? 'now' : 'later';
  }

  #onPrePrepare(message: Sealed<PrePrepare>): Intake {
    const { view, sequence, digest } = message.content;
    if (!this.rule('PBFT.N2.primary', message.author === this.primaryOf(view), 'PRE-PREPARE')) return 'taken';
    const turn = this.#turnOf(view, sequence);
    if (turn !== 'now') return turn;
    const slot = this.slots.of(sequence);
    const decided = this.decisions.get(sequence)?.digest;
    const known = slot.prePrepare?.content.digest;
    const once = [known, slot.chosen, decided].every((other) => (other ?? digest) === digest);
    if (!this.rule('PBFT.N2.once', once, 'PRE-PREPARE')) {
      this.desk.note('conflictingProposal', { view, sequence, primary: message.author });
      return 'taken';
    }
    // Nothing at or below the checkpoint that the view starts from is proposed again.
    const isFree = sequence > this.base.end;
    const obliged = sequence > this.base.low && (isFree || this.obligation(sequence) === digest);
    if (!this.rule('PBFT.N2.base', obliged, 'PRE-PREPARE')) return 'taken';
    slot.prePrepare = message;
    slot.since = this.desk.now;
    if (message.author === this.self) {
      slot.chosen = digest;
      this.proposed = Math.max(this.proposed, sequence);
    }
    this.slots.changed.add(sequence);
    return 'taken';
  }

  /** What the NEW-VIEW obliges the primary to propose. */
  protected obligation(sequence: SequenceNumber): Digest {
    return this.base.proposals.get(sequence) ?? this.bodies.nullBatch.digest;
  }

  #onPrepare(message: Sealed<Prepare>): Intake {
    const { view, sequence, digest } = message.content;
    if (!this.rule('PBFT.N3.backup', message.author !== this.primaryOf(view), 'PREPARE')) return 'taken';
    const turn = this.#turnOf(view, sequence);
    if (turn !== 'now') return turn;
    if (message.author === this.self) this.slots.of(sequence).chosen = digest;
    this.slots.addPrepare(message);
    return 'taken';
  }

  #onCommit(message: Sealed<Commit>): Intake {
    const { view, sequence, digest } = message.content;
    if (sequence <= this.stableSequence) return 'taken';
    if (!this.inWindow(sequence)) return 'later';
    if (message.author === this.self && view === this.view) this.slots.of(sequence).saidCommit = digest;
    this.slots.addCommit(message);
    return 'taken';
  }

  // ---- normal case -------------------------------------------------------------------------------------------------

  protected override consider(): boolean {
    const moved = this.#considerSlots();
    this.#watchVotes();
    this.considerViewChange();
    return this.#propose() || moved;
  }

  /** Step 5: whoever voted waits for a decision; who is needed for it may be silent, and nobody may ask any more. */
  #watchVotes(): void {
    const sequence = this.executed + 1;
    const voted = this.slots.find(sequence)?.chosen !== undefined && !this.decisions.has(sequence);
    if (!voted || this.mode !== 'active') {
      this.#undecided = undefined;
      return;
    }
    if (this.#undecided?.sequence !== sequence) this.#undecided = { sequence, since: this.desk.now };
    const due = this.#undecided.since + this.requestDelay;
    if (this.rule('PBFT.N5', due <= this.desk.now)) this.onOverdue();
    else this.desk.wakeAt('orders', due);
  }

  #considerSlots(): boolean {
    const { changed } = this.slots;
    if (changed.size === 0) return false;
    let moved = false;
    for (const sequence of changed.list()) {
      changed.delete(sequence);
      if (this.#decideCommitted(sequence)) moved = true;
      const slot = this.slots.find(sequence);
      // PBFT.VC.left: whoever asked for another view takes no part in this one any more.
      if (slot === undefined || !this.rule('PBFT.VC.left', this.mode === 'active')) continue;
      if (!this.takesPartIn(sequence)) continue;
      this.#prepare(sequence, slot);
      this.#commit(slot);
    }
    return moved;
  }

  /** Step 2: a backup says PREPARE for the first proposal that it can vouch for. */
  #prepare(sequence: SequenceNumber, slot: Slot): void {
    const proposal = slot.prePrepare?.content;
    if (proposal === undefined || slot.chosen !== undefined || this.isPrimary) return;
    if (!this.mayVoteFor(proposal)) return;
    const batch = this.bodyOf(proposal.digest, this.#sourcesOf(proposal.digest));
    const verdict = batch === undefined ? 'early' : this.judgeBatch(batch, sequence);
    if (verdict === 'early') this.#lookAgain.add(sequence);
    else this.rule('PBFT.N2.authentic', verdict === 'good', 'PRE-PREPARE');
    if (batch === undefined || verdict !== 'good') return;
    this.bodies.makeDurable(batch, sequence);
    slot.chosen = proposal.digest;
    this.sayOrder({ ...proposal, kind: 'PREPARE' }, this.beforePrepare(proposal));
  }

  /** Whether anything but the batch itself speaks against a vote. */
  protected mayVoteFor(_order: PrePrepare): boolean {
    return true;
  }

  /** The body of what is ordered, or undefined: then it is asked for. */
  protected bodyOf(digest: Digest, first: readonly ReplicaId[]): Batch | undefined {
    return this.bodies.need(digest, first);
  }

  /** Whether this replica takes part in an order at all. */
  protected takesPartIn(_sequence: SequenceNumber): boolean {
    return true;
  }

  /** What the primary orders next beside what clients wait for: a digest, or nothing at all for now (`wait`). */
  protected ownOrder(_sequence: SequenceNumber): Digest | 'wait' | undefined {
    return undefined;
  }

  /** Whether this replica may vote for a batch; a re-proposal of what was prepared was judged then. */
  protected judgeBatch(batch: Batch, _sequence: SequenceNumber): 'good' | 'early' | 'bad' {
    return this.bodies.judge(batch);
  }

  #sourcesOf(digest: Digest): readonly ReplicaId[] {
    return this.base.sources.get(digest) ?? [this.primary];
  }

  /** Step 3: prepared, and known to be; the proof is durable before the COMMIT leaves. */
  #commit(slot: Slot): void {
    const { prePrepare } = slot;
    if (prePrepare === undefined || slot.saidCommit !== undefined) return;
    const proposal = prePrepare.content;
    // Own votes count when they have looped back: an own PREPARE is among these, or this is the primary.
    const prepares = slot.prepares.get(proposal.digest);
    if (slot.chosen !== proposal.digest) return;
    const enough = (prepares?.size ?? 0) >= this.quorum - 1;
    if (!this.rule('PBFT.N3', enough)) return;
    slot.saidCommit = proposal.digest;
    const proof = { prePrepare, prepares: prepares?.take(this.quorum - 1) ?? [] };
    this.sayOrder({ ...proposal, kind: 'COMMIT' }, this.beforeCommit(proposal, proof));
  }

  /** Step 4: committed. */
  #decideCommitted(sequence: SequenceNumber): boolean {
    const known = this.decisions.get(sequence)?.digest;
    const commits = this.slots.committed(sequence, this.quorum, known);
    if (known !== undefined && commits === undefined) return false;
    if (!this.rule('PBFT.N4', commits !== undefined)) return false;
    const { digest } = commits![0]!.content;
    const sources = commits!.map(({ author }) => author);
    this.decide(sequence, { digest, proof: this.proofOf(commits!), sources });
    return true;
  }

  /** Step 1: what the NEW-VIEW obliges to comes first, then what clients wait for. */
  #propose(): boolean {
    if (this.mode !== 'active' || !this.isPrimary) return false;
    if (this.base.low > this.stableSequence) return false;
    const sequence = Math.max(this.proposed, this.base.low, this.stableSequence) + 1;
    if (!this.rule('PBFT.N1', this.inWindow(sequence))) return false;
    if (sequence <= this.base.end) return this.#proposeAgain(sequence);
    const inFlight = Math.max(0, sequence - 1 - this.executed);
    if (!this.rule('PBFT.N1', inFlight < inFlightMaxOf(this.limits))) return false;
    if (sequence <= this.executed) return this.#proposePast(sequence);
    const own = this.ownOrder(sequence);
    if (own !== undefined) return own !== 'wait' && this.#proposeKnown(sequence, own, []);
    const batch = this.requests.nextBatch(this.view, inFlight);
    if (batch === undefined) return false;
    this.bodies.share(batch, this.bodyAudience(sequence));
    return this.#sayProposal(sequence, batch.digest, batch);
  }

  /** Who is sent the bodies of new batches; undefined: all others. */
  protected bodyAudience(_sequence: SequenceNumber): readonly ReplicaId[] | undefined {
    return undefined;
  }

  #proposeAgain(sequence: SequenceNumber): boolean {
    const digest = this.obligation(sequence);
    return this.#proposeKnown(sequence, digest, this.#sourcesOf(digest));
  }

  #proposeKnown(sequence: SequenceNumber, digest: Digest, sources: readonly ReplicaId[]): boolean {
    const batch = this.bodyOf(digest, sources);
    return batch !== undefined && this.#sayProposal(sequence, digest, batch);
  }

  /** Nothing of an executed order is known in this view: it was decided before, so its batch is proposed again. */
  #proposePast(sequence: SequenceNumber): boolean {
    const decision = this.decisions.get(sequence);
    if (decision === undefined) {
      this.proposed = sequence;
      return true;
    }
    return this.#proposeKnown(sequence, decision.digest, decision.sources);
  }

  #sayProposal(sequence: SequenceNumber, digest: Digest, batch: Batch): boolean {
    this.proposed = sequence;
    this.bodies.makeDurable(batch, sequence);
    const { view } = this;
    this.slots.of(sequence).chosen = digest;
    const proposal = { kind: 'PRE-PREPARE', view, sequence, digest } as const;
    this.sayOrder(proposal, this.beforePrepare(proposal));
    return true;
  }

  override noteProgress(): void {
    super.noteProgress();
    for (const sequence of this.#lookAgain) this.slots.changed.add(sequence);
    this.#lookAgain.clear();
  }

  protected override onTimer(): void {
    this.noteProgress();
  }

  // ---- what it waits for, for people ------------------------------------------------------------------------------

  /** Who takes part in an order. */
  protected participants(_sequence: SequenceNumber): readonly ReplicaId[] {
    return [...this.peers.keys()];
  }

  override viewLack(): Lacking | undefined {
    return changeLack(this, this.votes.from(this.view), this.quorum);
  }

  override orderLack(sequence: SequenceNumber, isAsked: boolean): Lacking | undefined {
    const { view, quorum: needs } = this;
    const slot = this.slots.find(sequence);
    const proposal = slot?.prePrepare;
    if (slot === undefined || proposal === undefined)
      return isAsked ? proposalLack('PRE-PREPARE', { view, sequence }, this.primary) : undefined;
    const where = { view, sequence, needs, among: this.participants(sequence), since: slot.since };
    if (slot.saidCommit !== undefined)
      return { what: 'COMMIT', ...where, has: this.slots.committers(sequence) };
    const prepares = slot.prepares.get(proposal.content.digest)?.take() ?? [];
    return { what: 'PREPARE', ...where, has: [proposal, ...prepares].map(({ author }) => author) };
  }

  // ---- checkpoints -------------------------------------------------------------------------------------------------

  protected override sayCheckpoint({ sequence, stateDigest }: CheckpointState): void {
    this.sayOrder({ kind: 'CHECKPOINT', sequence, stateDigest });
  }

  protected override onStable(sequence: SequenceNumber): void {
    this.slots.dropThrough(sequence);
    for (const known of this.slots.sequences()) this.slots.changed.add(known);
  }

  protected override isObsolete(sealed: Sealed<C>): boolean {
    const { content } = sealed;
    if (!isOrderContent(content)) return true;
    switch (content.kind) {
      case 'PRE-PREPARE':
      case 'PREPARE':
      case 'COMMIT':
        return (
          content.sequence <= this.stableSequence || (content.view < this.view && this.mode === 'active')
        );
      case 'CHECKPOINT':
        return content.sequence <= this.stableSequence;
    }
  }

  // ---- views -------------------------------------------------------------------------------------------------------

  protected override onOverdue(): void {
    if (this.mode === 'active') this.startViewChange(this.view + 1);
  }

  protected override onNewViewTimeout(): void {
    this.startViewChange(this.view + 1);
  }

  /** Whoever is in a view has left those before, also where its VIEW-CHANGE is not kept any more. */
  override onPeerView(peer: ReplicaId, view: View): void {
    this.votes.note(peer, view);
  }

  /** Joins f+1 others; true while enough replicas ask for the view that this one waits for. */
  protected joinAndWait(): boolean {
    const join = this.votes.joinAbove(this.view, this.f + 1);
    if (this.rule('PBFT.VC.join', join !== undefined)) this.startViewChange(join!);
    if (this.mode !== 'changing') return false;
    if (!this.rule('PBFT.VC.timer', this.votes.countFrom(this.view) >= this.quorum)) return false;
    this.awaitNewView();
    return true;
  }

  /** Whether a NEW-VIEW for a view comes too late. */
  protected isPastView(view: View): boolean {
    return view === 0 || view < this.view || (view === this.view && this.mode === 'active');
  }

  /** Starts a view on what its NEW-VIEW obliges to. */
  protected takeBase(view: View, base: NewViewBase): void {
    this.base = base;
    this.slots.clearView();
    this.#lookAgain.clear();
    this.proposed = base.low;
    this.view = view;
  }
}
