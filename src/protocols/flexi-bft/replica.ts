/**
 * A Flexi-BFT replica: the primary's counter gives each sequence number of a view one proposal, so that PREPAREs of a
 * quorum decide at once. Proposals may be many and come in any order.
 */
import type { Replica, ReplicaContext } from '../../core/protocol.ts';
import type { Digest, Milliseconds, ReplicaId, SequenceNumber } from '../../core/types.ts';
import { CommitVotes } from '../../smr/attested/commit-votes.ts';
import type { Intake, Turn } from '../../smr/attested/hooks.ts';
import { proposalLack } from '../../smr/attested/lack.ts';
import type { AttestedMessage } from '../../smr/attested/sealed.ts';
import { isOf } from '../../smr/attested/sealed.ts';
import type { Lacking } from '../../smr/lack.ts';
import { inFlightMaxOf } from '../../smr/batcher.ts';
import type { FlexiContent, FlexiSealed, PrePrepare, Prepare } from './messages.ts';
import { counterFor, endOf } from './messages.ts';
import { FlexiViews, HOST, KEY } from './views.ts';

/** What vouches for a batch as an order: the primary's proposal, a backup's PREPARE. */
type Word = PrePrepare | Prepare;

class FlexiReplica extends FlexiViews {
  /** PREPREPAREs and PREPAREs of any view. */
  readonly #words = new CommitVotes<FlexiSealed<Word>>();
  /** Proposals of the last view entered. */
  readonly #proposals = new Map<SequenceNumber, FlexiSealed<PrePrepare>>();
  /** When they came. */
  readonly #proposedAt = new Map<SequenceNumber, Milliseconds>();
  /** Sequence numbers that something new is known of. */
  readonly #changed = new Set<SequenceNumber>();
  /** Proposals that wait for a body, for time to pass, or for the view to be entered. */
  readonly #waiting = new Set<SequenceNumber>();
  /** What this replica has vouched for in this view. */
  readonly #said = new Set<SequenceNumber>();
  /** Highest sequence number proposed in this view; the primary's alone. */
  #proposed: SequenceNumber = 0;

  // ---- messages ----------------------------------------------------------------------------------------------------

  protected override onSealed(message: FlexiSealed, from: ReplicaId): Intake {
    if (isOf(message, 'PREPREPARE')) {
      if (from === this.self) this.unattested = Math.max(0, this.unattested - 1);
      return this.#onPrePrepare(message);
    }
    return isOf(message, 'PREPARE') ? this.#onPrepare(message) : this.onViewMessage(message);
  }

  /** Highest sequence number that may be proposed in this view now. */
  get #high(): SequenceNumber {
    return Math.max(this.stableSequence, this.base.start.low) + this.window;
  }

  /** When something that was said of an order, in whatever view, has its turn. */
  #turnOf(sequence: SequenceNumber): Turn {
    if (sequence <= this.stableSequence) return 'taken';
    return this.rule('FlexiBFT.13.window', sequence <= this.#high) ? 'now' : 'later';
  }

  #onPrePrepare(message: FlexiSealed<PrePrepare>): Intake {
    const { view, sequence, batch } = message.content;
    const isOwn = message.author === this.self;
    if (isOwn) this.#onOwnProposal(message);
    const turn = this.#turnOf(sequence);
    if (turn !== 'now') return turn;
    this.#takeWord(message);
    const current = this.base.start.view;
    if (view !== current) return view > current && view >= this.view ? 'later' : 'taken';
    if (this.#proposals.has(sequence)) return 'taken';
    const obliged = this.#obligation(sequence);
    const isOwed = sequence > this.base.start.low && (obliged ?? batch) === batch;
    if (!this.rule('FlexiBFT.13.start', isOwed, 'PREPREPARE')) return 'taken';
    this.#proposals.set(sequence, message);
    this.#proposedAt.set(sequence, this.desk.now);
    if (isOwn) this.#said.add(sequence);
    return 'taken';
  }

  /** The counter's word is the primary's vote: what it has spoken for is told in its next VIEW-CHANGE. */
  #onOwnProposal(message: FlexiSealed<PrePrepare>): void {
    const { view, sequence } = message.content;
    if (view !== this.base.start.view || sequence <= this.stableSequence) return;
    this.#proposed = Math.max(this.#proposed, sequence);
    this.vouched.set(sequence, message);
    this.desk.store([{ key: KEY.proposal + String(sequence), value: this.codec.encodeList([message]) }]);
  }

  /** What the view has to propose for a sequence number, if it starts with one. */
  #obligation(sequence: SequenceNumber): Digest | undefined {
    const { low, batches } = this.base.start;
    return batches[sequence - low - 1];
  }

  /** Words of any view count: what a quorum vouched for in one is decided for ever. */
  #onPrepare(message: FlexiSealed<Prepare>): Intake {
    const { author, content } = message;
    const { view, sequence } = content;
    if (author === this.self && view === this.base.start.view) this.#said.add(sequence);
    const turn = this.#turnOf(sequence);
    if (turn !== 'now') return turn;
    // The primary has spoken by its proposal.
    if (author === this.primaryOf(view)) return 'taken';
    this.#takeWord(message);
    return 'taken';
  }

  #takeWord(message: FlexiSealed<Word>): void {
    const { view, sequence, batch } = message.content;
    this.#words.add(message, sequence, `${view}/${batch}`);
    this.#changed.add(sequence);
  }

  // ---- normal case -------------------------------------------------------------------------------------------------

  protected override consider(): boolean {
    const moved = this.#considerOrders();
    const entered = this.considerViews();
    return this.#propose() || moved || entered;
  }

  #considerOrders(): boolean {
    let moved = false;
    for (const sequence of [...this.#changed]) {
      this.#changed.delete(sequence);
      if (this.#decideCommitted(sequence)) moved = true;
      const proposal = this.#proposals.get(sequence);
      if (proposal !== undefined && !this.#said.has(sequence)) this.#vouch(proposal);
    }
    return moved;
  }

  /** Step 13: with the proposal, a quorum. */
  #decideCommitted(sequence: SequenceNumber): boolean {
    const known = this.decisions.get(sequence)?.digest;
    const isOther = ({ content }: FlexiSealed<Word>): boolean => content.batch !== known;
    const words = this.#words.decided(sequence, this.quorum, isOther);
    if (known !== undefined && words === undefined) return false;
    if (!this.rule('FlexiBFT.13.commit', words !== undefined, 'PREPARE')) return false;
    const proof = words!.slice(0, this.quorum);
    const { batch: digest } = proof[0]!.content;
    this.decide(sequence, { digest, proof, sources: proof.map(({ author }) => author) });
    return true;
  }

  /** Step 13: a backup says PREPARE; no trusted component is asked. */
  #vouch(message: FlexiSealed<PrePrepare>): void {
    const proposal = message.content;
    const { sequence, batch: digest } = proposal;
    if (this.isPrimary && this.mode === 'active') return;
    const mayVouch = this.rule('FlexiBFT.13.left', this.mode === 'active', 'PREPREPARE');
    if (!mayVouch || !this.#isAuthentic(digest, sequence)) {
      this.#waiting.add(sequence);
      return;
    }
    this.#said.add(sequence);
    this.vouched.set(sequence, message);
    const value = this.codec.encodeList([message]);
    this.say({ ...proposal, kind: 'PREPARE' }, HOST, [{ key: KEY.proposal + String(sequence), value }]);
  }

  /** What waits is looked at again whenever anything moved. */
  override noteProgress(): void {
    super.noteProgress();
    for (const sequence of this.#waiting) this.#changed.add(sequence);
    this.#waiting.clear();
  }

  protected override onTimer(): void {
    this.noteProgress();
  }

  /** Whether the batch is here, durable and may be vouched for. */
  #isAuthentic(digest: Digest, sequence: SequenceNumber): boolean {
    // It was judged before, and the store keeps it although memory may not.
    if (this.decisions.get(sequence)?.digest === digest && sequence <= this.executed) return true;
    const batch = this.bodies.need(digest, [this.primary]);
    if (batch === undefined) return false;
    const verdict = this.bodies.judge(batch);
    if (verdict === 'early') return false;
    if (!this.rule('FlexiBFT.13.authentic', verdict === 'good', 'PREPREPARE')) return false;
    this.bodies.makeDurable(batch, sequence);
    for (const bundle of batch.bundles) this.requests.pending.markProposed(bundle.digest, this.view);
    return true;
  }

  /** Step 12: what the view starts with comes first, then what clients wait for. */
  #propose(): boolean {
    if (this.mode !== 'active' || !this.isPrimary) return false;
    const { start } = this.base;
    const sequence = Math.max(this.#proposed, start.low, this.stableSequence) + 1;
    if (!this.rule('FlexiBFT.12', sequence <= this.#high)) return false;
    const obliged = this.#obligation(sequence);
    if (obliged !== undefined) return this.#sayProposal(sequence, obliged);
    // Nothing new before everything old is executed here: the table of clients has to know what was answered.
    if (this.executed < endOf(start)) return false;
    const inFlight = Math.max(0, sequence - 1 - this.executed);
    if (!this.rule('FlexiBFT.12', inFlight < inFlightMaxOf(this.limits))) return false;
    const batch = this.requests.nextBatch(this.view, inFlight);
    if (batch === undefined) return false;
    this.bodies.share(batch);
    this.bodies.makeDurable(batch, sequence);
    return this.#sayProposal(sequence, batch.digest);
  }

  #sayProposal(sequence: SequenceNumber, batch: Digest): boolean {
    const { view, n } = this;
    const counter = counterFor(view, sequence, n);
    if (counter === undefined) return false;
    this.#proposed = sequence;
    this.unattested += 1;
    this.say({ kind: 'PREPREPARE', view, sequence, batch }, counter);
    return true;
  }

  override orderLack(sequence: SequenceNumber, isAsked: boolean): Lacking | undefined {
    const { view, quorum: needs } = this;
    if (!this.#proposals.has(sequence))
      return isAsked ? proposalLack('PREPREPARE', { view, sequence }, this.primary) : undefined;
    const has = this.#words.voters(sequence);
    const since = this.#proposedAt.get(sequence);
    return { what: 'PREPARE', view, sequence, needs, has, among: [...this.peers.keys()], since };
  }

  /** What was vouched for is what its primary said: it counts again, also if that primary is silent by now. */
  protected override restore(stored: ReadonlyMap<string, Uint8Array>): void {
    super.restore(stored);
    for (const [sequence, message] of this.vouched) {
      this.#takeWord(message);
      this.#proposals.set(sequence, message);
    }
  }

  protected override onEntered(): void {
    this.#proposals.clear();
    this.#proposedAt.clear();
    this.#said.clear();
    this.#proposed = 0;
  }

  protected override onStable(sequence: SequenceNumber): void {
    const past = (known: SequenceNumber): boolean => known <= sequence;
    this.#words.dropThrough(sequence);
    for (const set of [this.#changed, this.#waiting, this.#said])
      for (const known of [...set].filter(past)) set.delete(known);
    for (const map of [this.#proposals, this.#proposedAt])
      for (const known of [...map.keys()].filter(past)) map.delete(known);
    const gone = [...this.vouched.keys()].filter(past);
    for (const known of gone) this.vouched.delete(known);
    this.desk.store(gone.map((known) => ({ key: KEY.proposal + String(known), value: undefined })));
  }
}

/** Makes a replica. Its first input must be `start`. */
export function createFlexiReplica(context: ReplicaContext): Replica<AttestedMessage<FlexiContent>> {
  return new FlexiReplica(context);
}
