/**
 * The normal case of protocols on chains of slots, as far as they share it: the primary proposes in order, what its
 * NEW-VIEW obliges to first; proposals are taken one after the other, once their batch is here and authentic; equal
 * commitments of a quorum decide, whatever their view.
 */
import type { CheckpointState, ReplicaContext } from '../../core/protocol.ts';
import type { Digest, Milliseconds, ReplicaId, SequenceNumber } from '../../core/types.ts';
import type { Decision, Intake, Turn } from '../attested/hooks.ts';
import { CommitVotes } from '../attested/commit-votes.ts';
import type { Sealed, SealedCodecOptions } from '../attested/sealed.ts';
import { inFlightMaxOf } from '../batcher.ts';
import { proposalLack } from '../attested/lack.ts';
import type { Lacking } from '../lack.ts';
import type { ChainContent, OrderContent } from './messages.ts';
import { isShared } from './messages.ts';
import type { Vote } from './view-change.ts';
import { obligation, orderIn } from './view-change.ts';
import type { ChainScheme } from './views.ts';
import { ChainViews } from './views.ts';

/** A proposal that was taken or waits for its turn. */
export interface Proposal<P extends OrderContent> {
  readonly message: Sealed<ChainContent<P>>;
  readonly order: Vote;
  /** When it came. */
  readonly at: Milliseconds;
}

/** See the top of this file. */
export abstract class ChainReplica<P extends OrderContent> extends ChainViews<P> {
  /** Proposals of the present view above the stable checkpoint. */
  readonly proposals = new Map<SequenceNumber, Proposal<P>>();
  /** lastPrep: up to here proposals of this view were taken. */
  accepted: SequenceNumber = 0;
  /** Highest sequence number that this replica has proposed in this view. */
  #proposed: SequenceNumber = 0;
  readonly commits = new CommitVotes<Sealed<ChainContent<P>>>();
  /** Orders with a vote that nobody has looked at. */
  readonly #voted = new Set<SequenceNumber>();
  /** Votes of so many replicas, each with the word of its own, decide. */
  readonly commitQuorum: number;

  constructor(
    context: ReplicaContext,
    options: SealedCodecOptions<ChainContent<P>>,
    scheme: ChainScheme<P>,
    commitQuorum: number,
  ) {
    super(context, options, scheme);
    this.commitQuorum = commitQuorum;
  }

  /** What the primary says to propose a batch. */
  protected abstract proposalOf(sequence: SequenceNumber, digest: Digest): P;
  /** A proposal of another replica was taken; its body is durable. */
  protected abstract onAccepted(proposal: Proposal<P>): void;
  /** Votes as far as this protocol can; true if anything moved. */
  protected abstract considerVotes(): boolean;
  /** What votes of a quorum decide. */
  protected abstract decisionOf(votes: readonly Sealed<ChainContent<P>>[]): Decision<ChainContent<P>>;

  /** When something that was said of an order in a view has its turn. */
  protected turnOf({ view, sequence }: Omit<Vote, 'digest'>): Turn {
    if (sequence <= this.stableSequence || view < this.view) return 'taken';
    if (view > this.view || !this.rule('Chain.VC.left', this.mode === 'active')) return 'later';
    return this.rule('Chain.N2.window', this.inWindow(sequence)) ? 'now' : 'later';
  }

  /** The highest sequence number that is done with, or taken, in this view. */
  protected get frontier(): SequenceNumber {
    return Math.max(this.accepted, this.stableSequence);
  }

  /** A proposal arrived, or the own one has looped back. */
  protected takeProposal(message: Sealed<ChainContent<P>>, order: Vote, from: ReplicaId): Intake {
    const { kind, author } = message;
    const { view, sequence, digest } = order;
    if (!this.rule('Chain.N2.primary', author === this.primaryOf(view), kind)) return 'taken';
    const turn = this.turnOf(order);
    if (turn !== 'now') return turn;
    const obliged = obligation(this.terms, sequence) ?? digest;
    if (!this.rule('Chain.N2.obliged', obliged === digest, kind)) return 'taken';
    this.proposals.set(sequence, { message, order, at: this.desk.now });
    if (from === this.self) {
      this.accepted = Math.max(this.accepted, sequence);
      this.#proposed = Math.max(this.#proposed, sequence);
    }
    return 'taken';
  }

  /** Counts a vote of whatever view; `key`: what must be equal for two to count together. */
  protected takeVote(message: Sealed<ChainContent<P>>, sequence: SequenceNumber, key: string): void {
    if (this.commits.add(message, sequence, key)) this.#voted.add(sequence);
  }

  /** What a protocol asks of a proposal beside that, when its turn has come. */
  protected mayTake(_proposal: Proposal<P>): boolean {
    return true;
  }

  // ---- conclusions -------------------------------------------------------------------------------------------------

  protected override consider(): boolean {
    const decided = this.#considerCommits();
    const viewed = this.considerViews();
    if (this.mode !== 'active') return decided || viewed;
    const accepts = this.#considerProposals();
    const votes = this.considerVotes();
    return this.#propose() || accepts || votes || decided || viewed;
  }

  #considerCommits(): boolean {
    if (this.#voted.size === 0) return false;
    let moved = false;
    for (const sequence of [...this.#voted].sort((a, b) => a - b)) {
      this.#voted.delete(sequence);
      const known = this.decisions.get(sequence)?.digest;
      const isOther = (vote: Sealed<ChainContent<P>>): boolean => this.decisionOf([vote]).digest !== known;
      const votes = this.commits.decided(sequence, this.commitQuorum, isOther);
      if (known !== undefined && votes === undefined) continue;
      if (!this.rule('Chain.CM', votes !== undefined)) continue;
      this.decide(sequence, this.decisionOf(votes!));
      moved = true;
    }
    return moved;
  }

  /** Proposals are taken in order: slots of a chain only rise. */
  #considerProposals(): boolean {
    let moved = false;
    while (this.proposals.size > 0) {
      const next = this.frontier + 1;
      const proposal = this.proposals.get(next);
      if (!this.rule('Chain.N2.order', proposal !== undefined)) break;
      if (!this.mayTake(proposal!) || !this.#hasBody(proposal!)) break;
      this.accepted = next;
      this.onAccepted(proposal!);
      moved = true;
    }
    return moved;
  }

  /** What a NEW-VIEW obliges to was judged before; of everything else the batch must be here and good. */
  #hasBody({ message, order }: Proposal<P>): boolean {
    const { sequence, digest } = order;
    if (obligation(this.terms, sequence) !== undefined) {
      if (!this.holds(digest, [message.author])) return false;
      const known = this.bodies.get(digest);
      if (known !== undefined) this.bodies.makeDurable(known, sequence);
      return true;
    }
    const batch = this.bodies.need(digest, [message.author]);
    if (batch === undefined) return false;
    const verdict = this.bodies.judge(batch);
    if (verdict === 'early' || !this.rule('Chain.N2.authentic', verdict === 'good', message.kind))
      return false;
    this.bodies.makeDurable(batch, sequence);
    return true;
  }

  #propose(): boolean {
    if (!this.isPrimary || this.terms.base > this.stableSequence) return false;
    const sequence = Math.max(this.#proposed, this.terms.base, this.stableSequence) + 1;
    const inFlight = Math.max(0, sequence - 1 - this.executed);
    const obliged = obligation(this.terms, sequence);
    const hasRoom =
      this.inWindow(sequence) && (obliged !== undefined || inFlight < inFlightMaxOf(this.limits));
    if (!this.rule('Chain.N1', hasRoom)) return false;
    if (obliged !== undefined)
      return this.holds(obliged, this.#knowers()) && this.#sayProposal(sequence, obliged);
    const batch = this.requests.nextBatch(this.view, inFlight);
    if (batch === undefined) return false;
    this.bodies.makeDurable(batch, sequence);
    this.#sayProposal(sequence, batch.digest);
    this.bodies.share(batch, this.bodyAudience(sequence));
    return true;
  }

  /** Who needs the body of a proposal; undefined: everybody. */
  protected bodyAudience(_sequence: SequenceNumber): readonly ReplicaId[] | undefined {
    return undefined;
  }

  #knowers(): readonly ReplicaId[] {
    return this.newView?.viewChanges.map(({ author }) => author) ?? [];
  }

  #sayProposal(sequence: SequenceNumber, digest: Digest): boolean {
    this.#proposed = sequence;
    this.speak(this.proposalOf(sequence, digest));
    return true;
  }

  // ---- what it waits for, for people ------------------------------------------------------------------------------

  /** Who takes part in an order. */
  protected participants(_sequence: SequenceNumber): readonly ReplicaId[] {
    return [...this.peers.keys()];
  }

  /** What the primary's proposals are called. */
  protected abstract readonly proposalKind: string;

  override orderLack(sequence: SequenceNumber, isAsked: boolean): Lacking | undefined {
    const { view, primary, commitQuorum } = this;
    const proposal = this.proposals.get(sequence);
    if (proposal === undefined)
      return isAsked
        ? (this.wishLack() ?? proposalLack(this.proposalKind, { view, sequence }, primary))
        : undefined;
    // Where votes of f decide, the primary has spoken by its proposal, which every vote shows.
    const spoken = commitQuorum < this.quorum ? [primary] : [];
    return {
      what: 'COMMIT',
      view,
      sequence,
      needs: commitQuorum + spoken.length,
      has: [...spoken, ...this.commits.voters(sequence)],
      among: this.participants(sequence),
      since: proposal.at,
    };
  }

  // ---- what is shown -----------------------------------------------------------------------------------------------

  /**
   * With quorums of f+1 a single correct replica may know what a client relies on. Votes follow one another without a hole,
   * so proposals before the undecided ones are shown, too.
   */
  override unfinished(): readonly Sealed<ChainContent<P>>[] {
    const shown: Sealed<ChainContent<P>>[] = [];
    if (this.accepted <= this.executed || this.decisions.has(this.executed + 1)) return shown;
    for (let sequence = this.stableSequence + 1; sequence <= this.accepted; sequence += 1) {
      const proposal = this.acceptedProposal(sequence);
      if (proposal !== undefined && proposal.author !== this.self) shown.push(proposal);
    }
    return shown;
  }

  /** The proposal that was accepted for an order; undefined if it is not here any more. */
  protected acceptedProposal(sequence: SequenceNumber): Sealed<ChainContent<P>> | undefined {
    return this.proposals.get(sequence)?.message;
  }

  // ---- what passes -------------------------------------------------------------------------------------------------

  protected override onEntered(): void {
    this.proposals.clear();
    this.accepted = this.terms.base;
    this.#proposed = this.terms.base;
    // What the view is obliged to anyway need not be proposed a second time.
    for (const digest of this.terms.orders)
      for (const bundle of this.bodies.get(digest)?.bundles ?? [])
        this.requests.pending.markProposed(bundle.digest, this.view);
  }

  protected override restore(stored: ReadonlyMap<string, Uint8Array>): void {
    super.restore(stored);
    this.accepted = this.terms.base;
    this.#proposed = this.terms.base;
  }

  protected override onStable(sequence: SequenceNumber): void {
    super.onStable(sequence);
    for (const known of [...this.proposals.keys()]) if (known <= sequence) this.proposals.delete(known);
    this.commits.dropThrough(sequence);
    for (const known of [...this.#voted]) if (known <= sequence) this.#voted.delete(known);
  }

  protected override onTimer(): void {
    // What the timers `batch` and `bodies` are for is found by `consider`.
    this.noteProgress();
  }

  protected override sayCheckpoint({ sequence, stateDigest }: CheckpointState): void {
    this.speak({ kind: 'CHECKPOINT', sequence, stateDigest });
  }

  protected override isObsolete({ content }: Sealed<ChainContent<P>>): boolean {
    if (!isShared(content)) {
      const order = orderIn(content);
      return content.sequence <= this.stableSequence || (order?.view ?? 0) < this.terms.view;
    }
    if (content.kind === 'CHECKPOINT') return content.sequence <= this.stableSequence;
    return this.isPastView(content);
  }
}
