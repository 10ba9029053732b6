/** A ReMinBFT replica: two phases on the counter `ord`, among f+1 active replicas while nothing is wrong. */
import { decodeWhole, Writer } from '../../core/codec.ts';
import type { Replica, ReplicaContext } from '../../core/protocol.ts';
import type { Digest, Milliseconds, ReplicaId, SequenceNumber, View } from '../../core/types.ts';
import type { Decision, Execution, Intake } from '../../smr/attested/hooks.ts';
import type { AttestedMessage, Sealed } from '../../smr/attested/sealed.ts';
import type { Lacking } from '../../smr/lack.ts';
import { UpdateExchange } from '../../smr/passive/exchange.ts';
import type { UpdateContent } from '../../smr/passive/messages.ts';
import type { Proposal } from '../../smr/slot-chain/replica.ts';
import { ChainReplica } from '../../smr/slot-chain/replica.ts';
import { topOf } from '../../smr/slot-chain/view-change.ts';
import type { Commit, Prepare, ReContent, ReOrder } from './messages.ts';
import { attestorOf, prepareOf, RE_MESSAGES, voteOf } from './messages.ts';
import { activeSet, isNormal, mayReturn, nextPatience } from './modes.ts';
import type { ReRule } from './rules.ts';

/** Key of the durable map: the latest view that came to normal-case mode, and since when. */
const MODE_KEY = 'mode';

/** See the top of this file. */
export class ReMinbftReplica extends ChainReplica<ReOrder> {
  protected override readonly proposalKind = 'PREPARE';
  #since: SequenceNumber | undefined = 0;
  readonly updates: UpdateExchange<ReContent>;
  /** Where this replica stands although there is more to execute, and since when. */
  #stuck: { readonly at: SequenceNumber; readonly from: Milliseconds } | undefined;

  constructor(context: ReplicaContext) {
    const { settings } = context;
    const first = settings.limits.checkpointInterval;
    const primaryOf = (view: View): ReplicaId => view % settings.members.length;
    super(
      context,
      RE_MESSAGES,
      {
        attestorOf,
        voteOf: (entry) => voteOf(primaryOf, entry),
        genesis: { view: 0, base: 0, orders: [], carried: first },
        carry: (previous, top) => nextPatience(previous, top, first),
      },
      // With the primary, whose PREPARE every COMMIT shows, these are f+1: in both modes.
      settings.f,
    );
    this.updates = new UpdateExchange<ReContent>(this, this.quorum);
  }

  override rule(rule: ReRule, passed: boolean, about?: string): boolean {
    return super.rule(rule, passed, about);
  }

  // ---- modes -------------------------------------------------------------------------------------------------------

  /** A of the present view. */
  get active(): readonly ReplicaId[] {
    return activeSet(this.newView, this.f);
  }

  /** Whether this replica is left out of an order of the present view. */
  #isPassive(sequence: SequenceNumber): boolean {
    return isNormal(this.#since, sequence) && !this.active.includes(this.self);
  }

  /** Since when the present view is in normal-case mode; undefined: it is in fault-handling mode. */
  get since(): SequenceNumber | undefined {
    return this.#since;
  }

  override get role(): string {
    if (this.mode !== 'active' || this.#since === undefined) return 'fault handling';
    return this.active.includes(this.self) ? 'normal case, active' : 'normal case, passive';
  }

  /** The present view came to normal-case mode. */
  #switch(since: SequenceNumber): void {
    this.#since = since;
    const value = new Writer(16).u64(this.terms.view).u64(since).finish();
    this.desk.store([{ key: MODE_KEY, value }]);
    this.desk.note('normalCase', { view: this.terms.view, since });
  }

  /** In normal-case mode votes go to active replicas. */
  protected override audience(content: ReContent): readonly ReplicaId[] | undefined {
    if (content.kind !== 'PREPARE' && content.kind !== 'COMMIT') return super.audience(content);
    if (content.view !== this.terms.view || !isNormal(sinceOf(content), content.sequence)) return undefined;
    return this.active;
  }

  protected override bodyAudience(sequence: SequenceNumber): readonly ReplicaId[] | undefined {
    return isNormal(this.#since, sequence) ? this.active : undefined;
  }

  protected override participants(sequence: SequenceNumber): readonly ReplicaId[] {
    return isNormal(this.#since, sequence) ? this.active : super.participants(sequence);
  }

  /** A passive replica waits for the updates of those that execute. */
  override orderLack(sequence: SequenceNumber, isAsked: boolean): Lacking | undefined {
    if (!this.#isPassive(sequence)) return super.orderLack(sequence, isAsked);
    return this.wishLack() ?? this.updates.lack(sequence, this.active, isAsked);
  }

  // ---- messages ----------------------------------------------------------------------------------------------------

  protected override onOrder(message: Sealed<ReContent>, content: ReOrder, from: ReplicaId): Intake {
    if (content.kind === 'PREPARE') return this.#onPrepare(message, content, from);
    if (content.kind === 'COMMIT') return this.#onCommit(message, content, from);
    this.#onUpdate(content, from);
    return 'taken';
  }

  /** All of A have to tell the same: of two that do not one lies, and no time brings them together. */
  #onUpdate(content: UpdateContent, from: ReplicaId): void {
    this.updates.take(from, content);
    if (this.mode !== 'active' || this.#since === undefined) return;
    const isSame = !this.updates.isContradicted(content, this.active);
    if (this.rule('ReMinBFT.U.conflict', isSame, 'UPDATE')) return;
    if (this.askFor(this.view + 1)) this.desk.note('conflictingUpdates', { sequence: content.sequence });
  }

  #onPrepare(message: Sealed<ReContent>, content: Prepare, from: ReplicaId): Intake {
    if (from === this.self) this.extendChain(message);
    return this.takeProposal(message, content, from);
  }

  #onCommit(message: Sealed<ReContent>, content: Commit, from: ReplicaId): Intake {
    const { author } = message;
    const { view, sequence, prepare } = content;
    if (from === this.self) {
      this.extendChain(message);
      if (view === this.terms.view) this.accepted = Math.max(this.accepted, sequence);
    }
    if (sequence <= this.stableSequence) return 'taken';
    if (!this.inWindow(sequence)) return 'later';
    const proposal = prepareOf((one) => this.primaryOf(one), content);
    if (!this.rule('ReMinBFT.N3.prepare', proposal !== undefined, 'COMMIT')) return 'taken';
    if (!this.rule('ReMinBFT.N3.backup', author !== this.primaryOf(view), 'COMMIT')) return 'taken';
    this.takeVote(message, sequence, prepare.digest);
    return 'taken';
  }

  /** In normal-case mode everybody is needed: whoever lacks something need not be many. */
  protected override onWish(_replica: ReplicaId, view: View): void {
    const joins = this.mode === 'active' && this.#since !== undefined && view > this.view;
    if (this.rule('ReMinBFT.P.join', joins, 'REQ-VIEW-CHANGE')) this.askFor(this.view + 1);
  }

  // ---- normal case -------------------------------------------------------------------------------------------------

  protected override proposalOf(sequence: SequenceNumber, digest: Digest): Prepare {
    if (this.#since === undefined && this.#returnsAt(sequence)) this.#switch(sequence);
    return { kind: 'PREPARE', view: this.view, sequence, digest, since: this.#since };
  }

  /** Whether the primary orders MODE with this order. */
  #returnsAt(sequence: SequenceNumber): boolean {
    if (!this.rule('ReMinBFT.M.early', mayReturn(this.terms, sequence), 'PREPARE')) return false;
    const checkpoint = this.stable?.messages[0]?.content;
    const reading = checkpoint && this.readCheckpoint(checkpoint);
    const signers = reading === undefined ? [] : this.checkpoints.signers(reading.key);
    const signed =
      this.stableSequence > topOf(this.terms) && this.active.every((replica) => signers.includes(replica));
    return this.rule('ReMinBFT.M.signed', signed, 'PREPARE');
  }

  /** The mode of a proposal is the one that all proposals before it led to, or it is a MODE that may be ordered now. */
  protected override mayTake({ message }: Proposal<ReOrder>): boolean {
    const { sequence, since } = message.content as Prepare;
    if (!this.rule('ReMinBFT.M.active', !this.#isPassive(sequence), 'PREPARE')) return false;
    if (since === this.#since) return true;
    // What came before a fetched state was not seen here.
    const isNews = this.#since === undefined && since !== undefined && since <= sequence;
    const mayBe = isNews && (since === sequence || since <= this.stableSequence);
    if (!this.rule('ReMinBFT.M.agreed', mayBe, 'PREPARE')) return false;
    return this.rule('ReMinBFT.M.early', mayReturn(this.terms, since!), 'PREPARE');
  }

  protected override onAccepted({ message }: Proposal<ReOrder>): void {
    const { view, sequence, digest, since } = message.content as Prepare;
    if (since !== undefined && since !== this.#since) this.#switch(since);
    // A member of the group that a fetched state left behind may learn only here that it is not in it.
    if (this.#isPassive(sequence)) return;
    this.speak({ kind: 'COMMIT', view, sequence, digest, prepare: message });
  }

  /** A backup's one vote is said when it takes the proposal. */
  protected override considerVotes(): boolean {
    return false;
  }

  protected override consider(): boolean {
    const moved = super.consider();
    this.#watchProgress();
    return moved;
  }

  protected override decisionOf(commits: readonly Sealed<ReContent>[]): Decision<ReContent> {
    const { view, digest, prepare } = commits[0]!.content as Commit;
    const { since } = prepare.content as Prepare;
    if (view === this.terms.view && since !== undefined && this.#since === undefined) this.#switch(since);
    const backups = commits.map(({ author }) => author);
    return { digest, proof: commits.slice(0, this.f), sources: [prepare.author, ...backups] };
  }

  // ---- updates -----------------------------------------------------------------------------------------------------

  /** What f+1 replicas tell was executed by a correct one, whatever view and mode this replica is in. */
  protected override nextExecution(sequence: SequenceNumber): Execution | undefined {
    const update = this.inWindow(sequence) ? this.updates.next(sequence) : undefined;
    if (!this.rule('ReMinBFT.U.equal', update !== undefined)) return super.nextExecution(sequence);
    return { kind: 'apply', update: update! };
  }

  protected override onExecuted(sequence: SequenceNumber, update: Uint8Array | undefined): void {
    this.updates.onMoved();
    const digest = this.decisions.get(sequence)?.digest;
    const tells = isNormal(this.#since, sequence) && !this.#isPassive(sequence);
    if (!tells || update === undefined || digest === undefined) return;
    this.updates.publish(sequence, { digest, bytes: update }, this.active);
  }

  protected override onRefused(sequence: SequenceNumber): void {
    this.updates.onRefused(sequence);
  }

  /** While an update is kept here, passive replicas are not made to execute. */
  override decisionProof(sequence: SequenceNumber, to: ReplicaId): readonly Sealed<ReContent>[] {
    const isTold = !this.active.includes(to) && this.updates.store.get(sequence) !== undefined;
    return isTold ? [] : super.decisionProof(sequence, to);
  }

  /**
   * Passive replicas ask for what they lack. In normal-case mode everybody is needed, so whoever does not get on although
   * there is something to do complains: clients may see nothing wrong.
   */
  #watchProgress(): void {
    // Whoever a fetched state left behind does not know that its view came to normal-case mode; asking does no harm.
    this.updates.consider(this.active);
    const { executed, desk } = this;
    const isBehind = this.peers.some(({ status }) => (status?.executed ?? 0) > executed);
    const lacks = this.frontier > executed || isBehind;
    if (!lacks || this.mode !== 'active' || this.#since === undefined) {
      this.#stuck = undefined;
      return;
    }
    if (this.#stuck?.at !== executed) this.#stuck = { at: executed, from: desk.now };
    const due = this.#stuck.from + this.requestDelay;
    if (!this.rule('ReMinBFT.P.silent', due <= desk.now)) return desk.wakeAt('stuck', due);
    if (this.askFor(this.view + 1)) desk.note('stuck', { executed });
  }

  protected override onInstalled(): void {
    this.updates.onMoved();
  }

  // ---- what passes -------------------------------------------------------------------------------------------------

  protected override proofOf(): readonly Sealed<ReContent>[] {
    return [];
  }

  protected override onEntered(): void {
    super.onEntered();
    this.#since = undefined;
  }

  protected override restore(stored: ReadonlyMap<string, Uint8Array>): void {
    super.restore(stored);
    const bytes = stored.get(MODE_KEY);
    const mode = bytes && decodeWhole(bytes, (reader) => ({ view: reader.u64(), since: reader.u64() }));
    if (mode?.view === this.terms.view) this.#since = mode.since;
    else this.#since = this.terms.view === 0 ? 0 : undefined;
  }
}

function sinceOf(content: Prepare | Commit): SequenceNumber | undefined {
  if (content.kind === 'PREPARE') return content.since;
  return content.prepare.content.kind === 'PREPARE' ? content.prepare.content.since : undefined;
}

/** Makes a replica. Its first input must be `start`. */
export function createReminbftReplica(context: ReplicaContext): Replica<AttestedMessage<ReContent>> {
  return new ReMinbftReplica(context);
}
