/**
 * Three-phase agreement with signatures: the normal case and the view change of PBFT (OSDI 1999). Protocols that keep its
 * phases extend it.
 */
import type { ReplicaContext } from '../../core/protocol.ts';
import type { Batch } from '../../core/request.ts';
import type { CheckpointState } from '../../core/protocol.ts';
import type { Digest, ReplicaId, SequenceNumber, View } from '../../core/types.ts';
import { inFlightMaxOf } from '../batcher.ts';
import type { CheckpointReading, Intake } from '../attested/hooks.ts';
import type { AttestedOptions } from '../attested/replica.ts';
import { AttestedReplica } from '../attested/replica.ts';
import type { Content, Sealed } from '../attested/sealed.ts';
import { ViewVotes } from '../attested/view-votes.ts';
import type { Commit, PhaseContent, PreparedProof, PrePrepare, Prepare, ViewChange } from './messages.ts';
import { isPhaseContent } from './messages.ts';
import type { Slot } from './slots.ts';
import { Slots } from './slots.ts';
import type { ThreePhaseRule } from './rules.ts';
import type { NewViewBase, PhaseRules } from './view-change.ts';
import { baseOf, EMPTY_BASE, isValidViewChange, judgeNewView } from './view-change.ts';

const HOST = { kind: 'host' } as const;
/** Keys of the durable map. */
const STORE_KEY = { prepared: 'prepared/', newView: 'new-view' } as const;

/** See the top of this file. `C`: contents of the protocol, `PhaseContent` and maybe more. */
export abstract class ThreePhaseReplica<C extends Content> extends AttestedReplica<C> {
  /** n - f: 2f+1 of 3f+1. With fewer replicas two quorums need not share a correct one (the bound of the paper). */
  readonly quorum: number;
  readonly slots = new Slots();
  readonly phaseRules: PhaseRules;
  readonly #votes: ViewVotes;
  /** Latest VIEW-CHANGE of each replica. */
  readonly #viewChanges: (Sealed<PhaseContent> | undefined)[];
  /** PSet: by order the proof of the highest view in which it was prepared here. */
  readonly preparedHere = new Map<SequenceNumber, PreparedProof>();
  /** What the present view started with. */
  base: NewViewBase = EMPTY_BASE;
  #newView: Sealed<PhaseContent> | undefined;
  /** View whose NEW-VIEW this replica has asked a word for. */
  #newViewSaid: View = 0;
  /** Highest sequence number proposed in this view; the primary's alone. */
  proposed: SequenceNumber = 0;

  constructor(context: ReplicaContext, codec: AttestedOptions<C>['codec']) {
    const quorum = context.settings.members.length - context.settings.f;
    super(context, { codec, checkpointQuorum: quorum });
    this.quorum = quorum;
    this.#votes = new ViewVotes(this.n);
    this.#viewChanges = new Array<Sealed<PhaseContent> | undefined>(this.n).fill(undefined);
    this.phaseRules = {
      quorum,
      window: this.window,
      primaryOf: (view) => this.primaryOf(view),
      rule: (rule, passed, about) => this.rule(rule, passed, about),
      checkpointOf: (content) => {
        const reading = this.readCheckpoint(content as Content as C);
        return reading && { sequence: reading.state.sequence, key: reading.key };
      },
    };
  }

  override rule(rule: ThreePhaseRule | (string & {}), passed: boolean, about?: string): boolean {
    return super.rule(rule, passed, about);
  }

  protected override fits(message: Sealed<C>): boolean {
    return message.attestation.kind === 'host';
  }

  protected sayPhase(
    content: PhaseContent,
    entries: readonly { key: string; value: Uint8Array }[] = [],
  ): void {
    this.say(content as Content as C, HOST, entries);
  }

  // ---- messages ----------------------------------------------------------------------------------------------------

  protected override onSealed(sealed: Sealed<C>, _from: ReplicaId): Intake {
    if (!isPhaseContent(sealed.content)) return 'taken';
    const message = sealed as Sealed<Content> as Sealed<PhaseContent>;
    const { content } = message;
    switch (content.kind) {
      case 'PRE-PREPARE':
        return this.#onPrePrepare(message, content);
      case 'PREPARE':
        return this.#onPrepare(message, content);
      case 'COMMIT':
        return this.#onCommit(message, content);
      case 'VIEW-CHANGE':
        return this.#onViewChange(message, content);
      case 'NEW-VIEW':
        return this.#onNewView(message, content.view);
      case 'CHECKPOINT':
        return 'taken';
    }
  }

  /** Where an order of a view stands: past, to be looked at now, or too early. */
  #placeOf(view: View, sequence: SequenceNumber): 'past' | 'now' | 'early' {
    if (sequence <= this.stableSequence || view < this.view) return 'past';
    if (view > this.view || this.mode === 'changing') return 'early';
    return this.rule('PBFT.N2.window', this.inWindow(sequence)) ? 'now' : 'early';
  }

  #onPrePrepare(message: Sealed<PhaseContent>, content: PrePrepare): Intake {
    const { view, sequence, digest } = content;
    if (!this.rule('PBFT.N2.primary', message.author === this.primaryOf(view), 'PRE-PREPARE')) return 'taken';
    const place = this.#placeOf(view, sequence);
    if (place !== 'now') return place === 'past' ? 'taken' : 'later';
    const slot = this.slots.of(sequence);
    const known = slot.prePrepare?.content as PrePrepare | undefined;
    const once = (known?.digest ?? digest) === digest && (slot.chosen ?? digest) === digest;
    if (!this.rule('PBFT.N2.once', once, 'PRE-PREPARE')) {
      this.desk.note('conflictingProposal', { view, sequence, primary: message.author });
      return 'taken';
    }
    const obliged = sequence > this.base.end || this.obligation(sequence) === digest;
    if (!this.rule('PBFT.N2.base', obliged, 'PRE-PREPARE')) return 'taken';
    slot.prePrepare = message;
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

  #onPrepare(message: Sealed<PhaseContent>, content: Prepare): Intake {
    const { view, sequence, digest } = content;
    if (!this.rule('PBFT.N3.backup', message.author !== this.primaryOf(view), 'PREPARE')) return 'taken';
    const place = this.#placeOf(view, sequence);
    if (place !== 'now') return place === 'past' ? 'taken' : 'later';
    if (message.author === this.self) this.slots.of(sequence).chosen = digest;
    this.slots.addPrepare(message, sequence, digest);
    return 'taken';
  }

  #onCommit(message: Sealed<PhaseContent>, content: Commit): Intake {
    const { view, sequence } = content;
    if (sequence <= this.stableSequence) return 'taken';
    if (!this.inWindow(sequence)) return 'later';
    if (message.author === this.self && view === this.view) this.slots.of(sequence).saidCommit = true;
    this.slots.addCommit(message, content);
    return 'taken';
  }

  // ---- normal case -------------------------------------------------------------------------------------------------

  protected override consider(): boolean {
    const moved = this.#considerSlots();
    this.#considerViewChange();
    return this.#propose() || moved;
  }

  #considerSlots(): boolean {
    let moved = false;
    for (const sequence of [...this.slots.changed].sort((a, b) => a - b)) {
      this.slots.changed.delete(sequence);
      if (this.#decideCommitted(sequence)) moved = true;
      const slot = this.slots.find(sequence);
      // PBFT.VC.left: whoever asked for another view takes no part in this one any more.
      if (slot === undefined || !this.rule('PBFT.VC.left', this.mode === 'active')) continue;
      this.#prepare(sequence, slot);
      this.#commit(sequence, slot);
    }
    return moved;
  }

  /** Step 2: a backup says PREPARE for the first proposal that it can vouch for. */
  #prepare(sequence: SequenceNumber, slot: Slot): void {
    const proposal = slot.prePrepare?.content as PrePrepare | undefined;
    if (proposal === undefined || slot.chosen !== undefined || this.isPrimary) return;
    const batch = this.bodies.need(proposal.digest, this.#sourcesOf(proposal.digest));
    const verdict = batch === undefined ? 'early' : this.judgeBatch(batch, sequence);
    if (verdict === 'early') this.#lookAgain.add(sequence);
    else this.rule('PBFT.N2.authentic', verdict === 'good', 'PRE-PREPARE');
    if (batch === undefined || verdict !== 'good') return;
    this.bodies.makeDurable(batch, sequence);
    slot.chosen = proposal.digest;
    this.sayPhase({ ...proposal, kind: 'PREPARE' });
  }

  /** Orders that wait for a body or for time to pass. */
  readonly #lookAgain = new Set<SequenceNumber>();

  /** Whether this replica may vote for a batch; a re-proposal of what was prepared was judged then. */
  protected judgeBatch(batch: Batch, _sequence: SequenceNumber): 'good' | 'early' | 'bad' {
    return this.bodies.judge(batch);
  }

  #sourcesOf(digest: Digest): readonly ReplicaId[] {
    return this.base.sources.get(digest) ?? [this.primary];
  }

  /** Step 3: prepared, and known to be; the proof is durable before the COMMIT leaves. */
  #commit(sequence: SequenceNumber, slot: Slot): void {
    const { prePrepare } = slot;
    if (prePrepare === undefined || slot.saidCommit) return;
    const proposal = prePrepare.content as PrePrepare;
    // Own votes count when they have looped back: an own PREPARE is among these, or this is the primary.
    const prepares = [...(slot.prepares.get(proposal.digest)?.values() ?? [])];
    if (slot.chosen !== proposal.digest) return;
    const enough = prepares.length >= this.quorum - 1;
    if (!this.rule('PBFT.N3', enough)) return;
    const proof = { prePrepare, prepares: prepares.slice(0, this.quorum - 1) };
    slot.prepared = proof;
    slot.saidCommit = true;
    this.preparedHere.set(sequence, proof);
    const value = this.codec.encodeList(this.#foreign([prePrepare, ...proof.prepares]));
    this.sayPhase({ ...proposal, kind: 'COMMIT' }, [{ key: STORE_KEY.prepared + String(sequence), value }]);
  }

  #foreign(messages: readonly Sealed<PhaseContent>[]): readonly Sealed<C>[] {
    return messages as readonly Sealed<Content>[] as readonly Sealed<C>[];
  }

  /** Step 4: committed. */
  #decideCommitted(sequence: SequenceNumber): boolean {
    if (this.decisions.has(sequence)) return false;
    const commits = this.slots.committed(sequence, this.quorum);
    if (!this.rule('PBFT.N4', commits !== undefined)) return false;
    const { digest } = commits![0]!.content as Commit;
    const sources = commits!.map(({ author }) => author);
    this.decide(sequence, { digest, proof: this.#foreign(commits!), sources });
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
    const batch = this.requests.nextBatch(this.view, inFlight);
    if (batch === undefined) return false;
    this.bodies.share(batch);
    return this.#sayProposal(sequence, batch);
  }

  #proposeAgain(sequence: SequenceNumber): boolean {
    const digest = this.obligation(sequence);
    const batch = this.bodies.need(digest, this.#sourcesOf(digest));
    return batch !== undefined && this.#sayProposal(sequence, batch);
  }

  /** Nothing of an executed order is known in this view: it was decided before, so its batch is proposed again. */
  #proposePast(sequence: SequenceNumber): boolean {
    const decision = this.decisions.get(sequence);
    if (decision === undefined) {
      this.proposed = sequence;
      return true;
    }
    const batch = this.bodies.need(decision.digest, decision.sources);
    return batch !== undefined && this.#sayProposal(sequence, batch);
  }

  #sayProposal(sequence: SequenceNumber, batch: Batch): boolean {
    this.proposed = sequence;
    this.bodies.makeDurable(batch, sequence);
    const { view } = this;
    this.slots.of(sequence).chosen = batch.digest;
    this.sayPhase({ kind: 'PRE-PREPARE', view, sequence, digest: batch.digest });
    return true;
  }

  protected override onExecuted(): void {
    for (const sequence of this.#lookAgain) this.slots.changed.add(sequence);
    this.#lookAgain.clear();
  }

  override noteProgress(): void {
    super.noteProgress();
    for (const sequence of this.#lookAgain) this.slots.changed.add(sequence);
    this.#lookAgain.clear();
  }

  protected override onTimer(): void {
    this.noteProgress();
  }

  // ---- checkpoints -------------------------------------------------------------------------------------------------

  protected override readCheckpoint(content: C): CheckpointReading | undefined {
    if (!isPhaseContent(content) || content.kind !== 'CHECKPOINT') return undefined;
    const { sequence, stateDigest } = content;
    return { state: { sequence, stateDigest }, key: `${sequence}/${stateDigest}` };
  }

  protected override sayCheckpoint({ sequence, stateDigest }: CheckpointState): void {
    this.sayPhase({ kind: 'CHECKPOINT', sequence, stateDigest });
  }

  protected override onStable(sequence: SequenceNumber): void {
    this.slots.dropThrough(sequence);
    const past = [...this.preparedHere.keys()].filter((known) => known <= sequence);
    for (const known of past) this.preparedHere.delete(known);
    this.desk.store(past.map((known) => ({ key: STORE_KEY.prepared + String(known), value: undefined })));
    for (const known of this.slots.sequences()) this.slots.changed.add(known);
  }

  protected override isObsolete(sealed: Sealed<C>): boolean {
    const { content } = sealed;
    if (!isPhaseContent(content)) return false;
    const isPast = (view: View): boolean =>
      view < this.view || (view === this.view && this.mode === 'active');
    switch (content.kind) {
      case 'PRE-PREPARE':
      case 'PREPARE':
      case 'COMMIT':
        return (
          content.sequence <= this.stableSequence || (content.view < this.view && this.mode === 'active')
        );
      case 'CHECKPOINT':
        return content.sequence <= this.stableSequence;
      case 'VIEW-CHANGE':
      case 'NEW-VIEW':
        return isPast(content.view);
    }
  }

  // ---- view change -------------------------------------------------------------------------------------------------

  protected override onOverdue(): void {
    if (this.mode === 'active') this.startViewChange(this.view + 1);
  }

  protected override onNewViewTimeout(): void {
    this.startViewChange(this.view + 1);
  }

  /** Leaves for a view and says why it must be as it will be. */
  protected startViewChange(view: View): void {
    this.leaveFor(view);
    const prepared = [...this.preparedHere.entries()]
      .filter(([sequence]) => sequence > this.stableSequence)
      .sort(([a], [b]) => a - b)
      .map(([, proof]) => proof);
    const checkpoints = (this.stable?.messages ?? []) as readonly Sealed<Content>[];
    this.sayPhase({
      kind: 'VIEW-CHANGE',
      view,
      checkpoints: checkpoints as readonly Sealed<PhaseContent>[],
      prepared,
    });
  }

  #onViewChange(message: Sealed<PhaseContent>, content: ViewChange): Intake {
    const { author } = message;
    const known = this.#viewChanges[author]?.content as ViewChange | undefined;
    if (known !== undefined && known.view >= content.view) return 'taken';
    if (content.view < this.view) return 'taken';
    if (author !== this.self && !isValidViewChange(this.phaseRules, message)) return 'taken';
    this.#viewChanges[author] = message;
    this.#votes.note(author, content.view);
    for (const checkpoint of this.#foreign(content.checkpoints)) this.noteCheckpoint(checkpoint);
    // After a restart the own wish is found in the log.
    if (author === this.self && content.view > this.view) this.leaveFor(content.view);
    return 'taken';
  }

  #considerViewChange(): void {
    const join = this.#votes.joinAbove(this.view, this.f + 1);
    if (this.rule('PBFT.VC.join', join !== undefined)) this.startViewChange(join!);
    if (this.mode !== 'changing') return;
    if (!this.rule('PBFT.VC.timer', this.#votes.countFrom(this.view) >= this.quorum)) return;
    this.awaitNewView();
    if (this.isPrimary && this.#newViewSaid < this.view) this.#sayNewView();
  }

  #sayNewView(): void {
    const { view } = this;
    const viewChanges = this.#viewChanges.filter(
      (one): one is Sealed<PhaseContent> => (one?.content as ViewChange | undefined)?.view === view,
    );
    if (viewChanges.length < this.quorum) return;
    // The own one may still be on its way to its word: others may have been quicker.
    this.#newViewSaid = view;
    this.sayPhase({ kind: 'NEW-VIEW', view, viewChanges: viewChanges.slice(0, this.quorum) });
  }

  #onNewView(message: Sealed<PhaseContent>, view: View): Intake {
    const isPast = view < this.view || (view === this.view && this.mode === 'active');
    if (isPast || view === 0) return 'taken';
    const base = judgeNewView(this.phaseRules, message);
    if (base === undefined) {
      if (view === this.view && message.author === this.primary && this.mode === 'changing')
        this.startViewChange(view + 1);
      return 'taken';
    }
    this.#enter(message, view, base);
    return 'taken';
  }

  #enter(message: Sealed<PhaseContent>, view: View, base: NewViewBase): void {
    const value = this.codec.encodeList(this.#foreign([message]));
    this.desk.store([{ key: STORE_KEY.newView, value }]);
    this.#take(message, view, base);
    const { viewChanges } = message.content as { viewChanges: readonly Sealed<PhaseContent>[] };
    for (const one of viewChanges)
      for (const checkpoint of this.#foreign((one.content as ViewChange).checkpoints))
        this.noteCheckpoint(checkpoint);
    this.enterView(view);
    this.onViewEntered();
  }

  #take(message: Sealed<PhaseContent>, view: View, base: NewViewBase): void {
    this.#newView = message;
    this.base = base;
    this.slots.clearView();
    this.#lookAgain.clear();
    this.proposed = base.low;
    this.view = view;
  }

  /** A view was entered. */
  protected onViewEntered(): void {}

  override newViewProof(): readonly Sealed<C>[] {
    return this.#newView === undefined ? [] : this.#foreign([this.#newView]);
  }

  // ---- restart -----------------------------------------------------------------------------------------------------

  protected override restore(stored: ReadonlyMap<string, Uint8Array>): void {
    const newView = this.#decodeOne(stored.get(STORE_KEY.newView));
    if (newView?.content.kind === 'NEW-VIEW') {
      const { view, viewChanges } = newView.content;
      this.#take(
        newView,
        view,
        baseOf(
          this.phaseRules,
          viewChanges.map((one) => one.content as ViewChange),
        ),
      );
    }
    for (const [key, value] of stored) {
      if (!key.startsWith(STORE_KEY.prepared)) continue;
      const [prePrepare, ...prepares] = this.#decodeAll(value);
      if (prePrepare === undefined || prePrepare.content.kind !== 'PRE-PREPARE') continue;
      this.preparedHere.set(prePrepare.content.sequence, { prePrepare, prepares });
    }
  }

  #decodeAll(bytes: Uint8Array | undefined): readonly Sealed<PhaseContent>[] {
    const messages = bytes === undefined ? undefined : this.codec.decodeList(bytes);
    return (messages ?? []) as readonly Sealed<Content>[] as readonly Sealed<PhaseContent>[];
  }

  #decodeOne(bytes: Uint8Array | undefined): Sealed<PhaseContent> | undefined {
    return this.#decodeAll(bytes)[0];
  }
}
