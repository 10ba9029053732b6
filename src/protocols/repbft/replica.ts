/**
 * A RePBFT replica (IEEE TC 2016): PBFT as it is, of which only 2f+1 *active* replicas take part while nothing is wrong;
 * the others are *passive* and apply updates. The view change is PBFT's own, and brings everybody back.
 */
import { assert } from '../../core/assert.ts';
import type { Replica, ReplicaContext } from '../../core/protocol.ts';
import type { Batch } from '../../core/request.ts';
import type { Digest, ReplicaId, SequenceNumber, View } from '../../core/types.ts';
import type { Execution, Intake } from '../../smr/attested/hooks.ts';
import type { AttestedMessage, Sealed } from '../../smr/attested/sealed.ts';
import { SealedCodec } from '../../smr/attested/sealed.ts';
import type { Lacking } from '../../smr/lack.ts';
import { UpdateExchange } from '../../smr/passive/exchange.ts';
import { isUpdateContent } from '../../smr/passive/messages.ts';
import { decodeMode } from '../../smr/passive/mode-order.ts';
import type { ViewPlace } from '../../smr/passive/mode-schedule.ts';
import { ModeSchedule } from '../../smr/passive/mode-schedule.ts';
import type { NewViewBase } from '../../smr/three-phase/base.ts';
import type { PrePrepare } from '../../smr/three-phase/messages.ts';
import { ThreePhaseReplica } from '../../smr/three-phase/replica.ts';
import type { RepbftContent } from './messages.ts';
import { REPBFT_MESSAGES } from './messages.ts';
import type { RepbftRule } from './rules.ts';

/** X_min in checkpoint intervals: a checkpoint of the view must become stable meanwhile. */
const PATIENCE_INTERVALS = 2;

/** See the top of this file. */
export class RepbftReplica extends ThreePhaseReplica<RepbftContent> {
  readonly schedule: ModeSchedule;
  readonly updates: UpdateExchange<RepbftContent>;
  /** The view that was entered last: whoever leaves it is still told, and tells, what belongs to it. */
  #entered: View = 0;
  /** Up to here, and for the order after, the mode in the present view is known. */
  #known: SequenceNumber = 0;
  /** Proposals whose vote waits for an earlier one, or for the execution of an earlier one. */
  readonly #waiting = new Set<SequenceNumber>();
  /** What the service does now: what was decided, or undefined for an update. */
  #doing: Digest | undefined;
  #state: Uint8Array = new Uint8Array(0);

  constructor(context: ReplicaContext) {
    super(context, new SealedCodec(context, REPBFT_MESSAGES));
    this.schedule = new ModeSchedule({
      replicas: this.n,
      activeCount: this.quorum,
      patience: PATIENCE_INTERVALS * this.limits.checkpointInterval,
      primaryOf: (view) => this.primaryOf(view),
    });
    this.updates = new UpdateExchange<RepbftContent>(this, this.f + 1);
  }

  override rule(rule: RepbftRule, passed: boolean, about?: string): boolean {
    return super.rule(rule, passed, about);
  }

  // ---- modes -------------------------------------------------------------------------------------------------------

  /** A at a sequence number of the view that was entered last; undefined: everybody. */
  activeAt(sequence: SequenceNumber): readonly ReplicaId[] | undefined {
    return this.schedule.activeAt(this.#entered, sequence);
  }

  /** The view that was entered last. */
  get entered(): View {
    return this.#entered;
  }

  get #place(): ViewPlace {
    return { view: this.view, end: this.base.end };
  }

  override get role(): string {
    const active = this.activeAt(this.executed + 1);
    if (active === undefined) return 'fault-handling mode';
    return `normal-case mode, ${active.includes(this.self) ? 'active' : 'passive'}`;
  }

  /** What is said inside a view goes to those that take part in it. */
  protected override audience(content: RepbftContent): readonly ReplicaId[] | undefined {
    switch (content.kind) {
      case 'PRE-PREPARE':
      case 'PREPARE':
      case 'COMMIT':
        return this.schedule.activeAt(content.view, content.sequence);
      default:
        return undefined;
    }
  }

  protected override bodyAudience(sequence: SequenceNumber): readonly ReplicaId[] | undefined {
    return this.activeAt(sequence);
  }

  protected override takesPartIn(sequence: SequenceNumber): boolean {
    const active = this.activeAt(sequence);
    return this.rule('RePBFT.R3', active === undefined || active.includes(this.self));
  }

  protected override participants(sequence: SequenceNumber): readonly ReplicaId[] {
    return this.activeAt(sequence) ?? super.participants(sequence);
  }

  /** A passive replica waits for the updates of those that execute. */
  override orderLack(sequence: SequenceNumber, isAsked: boolean): Lacking | undefined {
    const active = this.activeAt(sequence);
    if (active === undefined || active.includes(this.self)) return super.orderLack(sequence, isAsked);
    return this.updates.lack(sequence, active, isAsked);
  }

  /** The MODE that the primary orders when it is time for it; nothing else is on its way then. */
  protected override ownOrder(sequence: SequenceNumber): Digest | 'wait' | undefined {
    if (this.activeAt(sequence) !== undefined || this.executed < this.base.end) return undefined;
    const last = this.proposed > this.executed ? this.slots.find(this.proposed)?.chosen : undefined;
    if (last !== undefined && decodeMode(last) !== undefined) return 'wait';
    if (!this.rule('RePBFT.M.due', this.schedule.isDue(this.#place, sequence))) return undefined;
    const digest = this.schedule.order(this.#place, this.#eligible());
    if (!this.rule('RePBFT.M.signed', digest !== undefined)) return undefined;
    return this.executed === sequence - 1 ? digest : 'wait';
  }

  /** Who may be active: whoever signed the stable checkpoint of this view, and seems to be at work in it. */
  #eligible(): (replica: ReplicaId) => boolean {
    const checkpoint = this.stable?.messages[0]?.content;
    const reading = checkpoint && this.readCheckpoint(checkpoint);
    if (reading === undefined || reading.state.sequence <= this.base.end) return () => false;
    const signers = this.checkpoints.signers(reading.key);
    return (replica) => {
      const status = this.peers[replica]?.status;
      return signers.includes(replica) && status?.view === this.view && !status.changing;
    };
  }

  /** A MODE is no batch: the service does nothing for it. */
  protected override bodyOf(digest: Digest, first: readonly ReplicaId[]): Batch | undefined {
    return decodeMode(digest) === undefined ? super.bodyOf(digest, first) : this.bodies.nullBatch;
  }

  protected override mayVoteFor({ sequence, digest }: PrePrepare): boolean {
    if (sequence <= this.base.end) return true;
    if (!this.rule('RePBFT.M.known', this.#isModeKnown(sequence))) {
      this.#waiting.add(sequence);
      return false;
    }
    const order = decodeMode(digest);
    if (order === undefined) return true;
    if (!this.rule('RePBFT.M.count', this.executed === sequence - 1, 'PRE-PREPARE')) {
      this.#waiting.add(sequence);
      return false;
    }
    if (!this.rule('RePBFT.M.due', this.schedule.isDue(this.#place, sequence), 'PRE-PREPARE')) return false;
    return this.rule('RePBFT.M.fit', this.schedule.isFit(order, this.#place), 'PRE-PREPARE');
  }

  /** Between what was executed and this order there may be a MODE that was not seen yet. */
  #isModeKnown(sequence: SequenceNumber): boolean {
    return this.activeAt(sequence) !== undefined || sequence <= this.#known + 1;
  }

  /** Looks how far the mode is known, and again at proposals that waited for it. */
  #lookAtModes(): void {
    this.#known = Math.max(this.#known, this.executed, this.base.end);
    for (;;) {
      const proposal = this.slots.find(this.#known + 1)?.prePrepare?.content;
      if (proposal === undefined || decodeMode(proposal.digest) !== undefined) break;
      this.#known += 1;
    }
    for (const sequence of this.#waiting) this.slots.changed.add(sequence);
    this.#waiting.clear();
  }

  // ---- execution and updates ---------------------------------------------------------------------------------------

  protected override fits(message: Sealed<RepbftContent>): boolean {
    return isUpdateContent(message.content) ? message.attestation.kind === 'link' : super.fits(message);
  }

  protected override onSealed(message: Sealed<RepbftContent>, from: ReplicaId): Intake {
    if (!isUpdateContent(message.content)) return super.onSealed(message, from);
    this.updates.take(from, message.content);
    return 'taken';
  }

  /** What f+1 replicas tell was executed by a correct one, whatever view and mode this replica is in. */
  protected override nextExecution(sequence: SequenceNumber): Execution | undefined {
    const update = this.inWindow(sequence) ? this.updates.next(sequence) : undefined;
    const told = this.rule('RePBFT.U.equal', update !== undefined);
    const next: Execution | undefined = told ? { kind: 'apply', update: update! } : this.#decided(sequence);
    if (next === undefined) return undefined;
    const decision = told ? undefined : this.decisions.get(sequence);
    this.#doing = decision?.digest;
    if (decision !== undefined) this.decisions.keep(sequence);
    this.#state = this.schedule.stateAfter(sequence, this.#doing);
    return next;
  }

  #decided(sequence: SequenceNumber): Execution | undefined {
    const decision = this.decisions.get(sequence);
    if (decision === undefined) return undefined;
    const batch = this.bodyOf(decision.digest, decision.sources);
    return batch === undefined ? undefined : { kind: 'execute', batch };
  }

  override get protocolState(): Uint8Array {
    return this.#state;
  }

  protected override onExecuted(sequence: SequenceNumber, update: Uint8Array | undefined): void {
    const digest = this.#doing;
    this.updates.onMoved();
    if (digest === undefined) return;
    if (this.schedule.onExecuted(sequence, digest)) return this.#onMode(sequence);
    const active = this.activeAt(sequence);
    if (update === undefined || active?.includes(this.self) !== true) return;
    this.updates.publish(sequence, { digest, bytes: update }, active);
  }

  #onMode(sequence: SequenceNumber): void {
    const active = this.activeAt(sequence + 1);
    if (active === undefined) return;
    // R2: a mode only says who takes part.
    assert(this.quorum === this.n - this.f, 'quorum sizes do not depend on the mode');
    this.desk.note('normalCase', { view: this.view, since: sequence, active: active.join() });
  }

  protected override onRefused(sequence: SequenceNumber): void {
    this.updates.onRefused(sequence);
  }

  /** While an update is kept here, passive replicas are not made to execute, unless they complain. */
  override decisionProof(sequence: SequenceNumber, to: ReplicaId): readonly Sealed<RepbftContent>[] {
    const isTold = this.activeAt(sequence)?.includes(to) === false && !this.peers[to]!.status?.changing;
    const isKept = this.updates.store.get(sequence) !== undefined;
    return isTold && isKept ? [] : super.decisionProof(sequence, to);
  }

  protected override consider(): boolean {
    this.#lookAtModes();
    const moved = super.consider();
    this.#watchUpdates();
    return moved;
  }

  /** Clients see nothing wrong when updates stop: passive replicas must complain. */
  #watchUpdates(): void {
    const active = this.activeAt(this.executed + 1) ?? [...this.peers.keys()];
    this.updates.consider(active);
    if (this.mode !== 'active' || active.includes(this.self)) return;
    if (!this.rule('RePBFT.U.silent', this.updates.isStalled(this.requestDelay))) return;
    this.desk.note('updatesStopped', { executed: this.executed });
    this.startViewChange(this.view + 1);
  }

  // ---- views, checkpoints, restart ---------------------------------------------------------------------------------

  protected override takeBase(view: View, base: NewViewBase): void {
    super.takeBase(view, base);
    this.#entered = view;
    this.#known = 0;
    this.#waiting.clear();
  }

  protected override takeProtocolState(state: Uint8Array): void {
    this.schedule.restore(state);
  }

  protected override onInstalled(): void {
    this.updates.onMoved();
  }
}

/** Makes a replica. Its first input must be `start`. */
export function createRepbftReplica(context: ReplicaContext): Replica<AttestedMessage<RepbftContent>> {
  return new RepbftReplica(context);
}
