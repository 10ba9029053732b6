/**
 * How a Flexi-BFT replica leaves a view and enters the next: VIEW-CHANGE, NEW-VIEW, ENTER. A view is entered when a
 * quorum holds everything that it starts with and has said so; what a replica vouches for, it vouches for in there.
 */
import type { CheckpointState, ReplicaContext } from '../../core/protocol.ts';
import type { Digest, ReplicaId, SequenceNumber, View } from '../../core/types.ts';
import type { Intake } from '../../smr/attested/hooks.ts';
import { changeLack } from '../../smr/attested/lack.ts';
import { AttestedReplica } from '../../smr/attested/replica.ts';
import { isOf, SealedCodec } from '../../smr/attested/sealed.ts';
import type { Lacking } from '../../smr/lack.ts';
import { ViewVotes } from '../../smr/attested/view-votes.ts';
import type {
  Enter,
  FlexiContent,
  FlexiSealed,
  NewView,
  PrePrepare,
  ViewBase,
  ViewChange,
  ViewStart,
} from './messages.ts';
import { endOf, FLEXI_MESSAGES, GENESIS_BASE, startDigest } from './messages.ts';
import type { FlexiRule } from './rules.ts';
import type { FlexiJudge, JudgedNewView } from './view-change.ts';
import { fitsKind, isValidViewChange, judgeNewView } from './view-change.ts';

export const HOST = { kind: 'host' } as const;
/** Keys of the durable map. */
export const KEY = { base: 'base', entering: 'entering', proposal: 'proposal/' } as const;

/** A view that this replica is about to enter. */
interface Entering extends JudgedNewView {
  /** Whether the own ENTER was asked for. */
  said: boolean;
}

/** See the top of this file. */
export abstract class FlexiViews extends AttestedReplica<FlexiContent> {
  /** 2f+1 of 3f+1. */
  readonly quorum: number;
  readonly judge: FlexiJudge;
  /** The last view that this replica took part in, and what shows that a quorum did. */
  base: ViewBase = GENESIS_BASE;
  /** PREPREPAREs of that view beyond its start that this replica vouched for. Durable before its word. */
  readonly vouched = new Map<SequenceNumber, FlexiSealed<PrePrepare>>();
  /** Own proposals that wait for the counter's word. */
  unattested = 0;
  #baseCheckpoints: readonly FlexiSealed[] = [];
  /** NEW-VIEW and ENTERs of that view. */
  #baseProof: readonly FlexiSealed[] = [];
  #entering: Entering | undefined;
  readonly #votes: ViewVotes;
  /** By replica: its VIEW-CHANGE and its ENTER for the highest view. */
  readonly #changes: (FlexiSealed<ViewChange> | undefined)[];
  readonly #enters: (FlexiSealed<Enter> | undefined)[];
  #owesChange = false;
  #leaving = false;
  /** View whose NEW-VIEW this replica has asked a word for. */
  #newViewSaid: View = 0;

  constructor(context: ReplicaContext) {
    const quorum = context.settings.members.length - context.settings.f;
    super(context, { codec: new SealedCodec(context, FLEXI_MESSAGES), checkpointQuorum: quorum });
    this.quorum = quorum;
    this.#votes = new ViewVotes(this.n);
    this.#changes = new Array<FlexiSealed<ViewChange> | undefined>(this.n).fill(undefined);
    this.#enters = new Array<FlexiSealed<Enter> | undefined>(this.n).fill(undefined);
    this.judge = {
      n: this.n,
      quorum,
      window: this.window,
      nothing: this.bodies.nullBatch.digest,
      digestOf: (start) => startDigest(context.hash, context.domain, start),
      primaryOf: (view) => this.primaryOf(view),
      rule: (rule, passed, about) => this.rule(rule, passed, about),
    };
  }

  override rule(rule: FlexiRule, passed: boolean, about?: string): boolean {
    return super.rule(rule, passed, about);
  }

  protected override fits(message: FlexiSealed): boolean {
    return fitsKind(this.judge, message);
  }

  /** A message about views, or one that says nothing here. */
  protected onViewMessage(message: FlexiSealed): Intake {
    if (isOf(message, 'VIEW-CHANGE')) return this.#onViewChange(message);
    if (isOf(message, 'NEW-VIEW')) return this.#onNewView(message);
    if (isOf(message, 'ENTER')) return this.#onEnter(message);
    return isOf(message, 'LEAVE') ? this.#onLeave(message.content.view) : 'taken';
  }

  /** A view was entered: nothing was said in it yet. */
  protected abstract onEntered(): void;

  // ---- leaving -----------------------------------------------------------------------------------------------------

  protected override onOverdue(): void {
    this.#leave(this.view + 1);
  }

  protected override onNewViewTimeout(): void {
    this.#leave(this.view + 1);
  }

  #leave(view: View): void {
    this.leaveFor(view);
    this.#entering = undefined;
    this.#owesChange = true;
    this.own.trim((message) => this.isObsolete(message));
  }

  /** The VIEW-CHANGE that is owed, once it can tell of everything that was proposed. */
  #considerChange(): void {
    if (!this.#owesChange || this.#leaving) return;
    if (!this.rule('FlexiBFT.VC.drained', this.unattested === 0)) {
      this.#leaving = true;
      return this.say({ kind: 'LEAVE', view: this.view }, HOST);
    }
    this.#owesChange = false;
    const { base, stable, stableSequence, view } = this;
    const isStableAhead = stableSequence >= base.start.low;
    const low = isStableAhead ? stableSequence : base.start.low;
    const from = Math.max(low, endOf(base.start));
    const proposals = [...this.vouched.entries()]
      .filter(([sequence]) => sequence > from)
      .sort(([a], [b]) => a - b)
      .map(([, message]) => message);
    const checkpoints = isStableAhead ? (stable?.messages ?? []) : this.#baseCheckpoints;
    this.say({ kind: 'VIEW-CHANGE', view, checkpoints, base, proposals }, HOST);
  }

  /** Nobody but its author hears a LEAVE. */
  protected override audience(content: FlexiContent): readonly ReplicaId[] | undefined {
    return content.kind === 'LEAVE' ? [] : undefined;
  }

  /** The own LEAVE is durable: proposals before it that have no word will not get one (their component refused). */
  #onLeave(view: View): Intake {
    this.unattested = 0;
    this.#leaving = false;
    if (view > this.view) this.#leave(view);
    return 'taken';
  }

  #onViewChange(message: FlexiSealed<ViewChange>): Intake {
    const { author, content } = message;
    const { view } = content;
    const known = this.#changes[author]?.content.view ?? 0;
    if (view < this.view || view <= known) return 'taken';
    const isOwn = author === this.self;
    if (!isOwn && !isValidViewChange(this.judge, content)) return 'taken';
    this.#changes[author] = message;
    this.#votes.note(author, view);
    for (const checkpoint of content.checkpoints) this.noteCheckpoint(checkpoint);
    if (isOwn) {
      // After a restart the own wish is found in the log.
      if (view > this.view) this.#leave(view);
      this.#owesChange = false;
    }
    return 'taken';
  }

  // ---- the new primary ---------------------------------------------------------------------------------------------

  /** Rounds of view changes: true if a view was left or entered. */
  protected considerViews(): boolean {
    const join = this.#votes.joinAbove(this.view, this.f + 1);
    if (this.rule('FlexiBFT.VC.join', join !== undefined)) this.#leave(join!);
    if (this.mode === 'active') return false;
    this.#considerChange();
    if (this.rule('FlexiBFT.VC.timer', this.#votes.countFrom(this.view) >= this.quorum)) {
      this.awaitNewView();
      if (this.isPrimary && this.#newViewSaid < this.view) this.#considerNewView();
    }
    return this.#considerEntering() || join !== undefined;
  }

  #considerNewView(): void {
    const { view } = this;
    const ready = this.#changes.filter((message): message is FlexiSealed<ViewChange> => {
      if (message?.content.view !== view) return false;
      const { start } = message.content.base;
      const proposals = message.content.proposals.map((one) => one.content as PrePrepare);
      const batches = proposals.filter(({ sequence }) => sequence > this.stableSequence);
      const sources = [message.author, this.primaryOf(start.view)];
      return this.#hasAll([...this.#openBatches(start), ...batches.map(({ batch }) => batch)], sources);
    });
    if (!this.rule('FlexiBFT.NV.bodies', ready.length >= this.quorum, 'VIEW-CHANGE')) return;
    this.#newViewSaid = view;
    this.say({ kind: 'NEW-VIEW', view, changes: ready.slice(0, this.quorum) }, HOST);
  }

  /** What a view starts with, above the stable checkpoint: the bodies below it are gone everywhere. */
  #openBatches({ low, batches }: ViewStart): readonly Digest[] {
    return batches.filter((_, index) => low + index + 1 > this.stableSequence);
  }

  /** Whether all these batches are here and may be vouched for; those that are lacking are asked for. */
  #hasAll(batches: readonly Digest[], sources: readonly ReplicaId[]): boolean {
    let all = true;
    for (const digest of batches) {
      if (this.bodies.isDurable(digest)) continue;
      const batch = this.bodies.need(digest, sources);
      if (batch === undefined || this.bodies.judge(batch) !== 'good') all = false;
    }
    return all;
  }

  // ---- entering ----------------------------------------------------------------------------------------------------

  #onNewView(message: FlexiSealed<NewView>): Intake {
    const { view, changes } = message.content;
    if (view <= this.base.start.view || view < this.view) return 'taken';
    const entering = this.#entering?.start.view === view ? this.#entering : undefined;
    if (entering?.message.digest === message.digest) return 'taken';
    const judged = judgeNewView(this.judge, message);
    if (judged === undefined) {
      // Only its primary can show that it is faulty: anybody else may send what it likes.
      const isPrimary = message.author === this.primary;
      if (view === this.view && this.mode === 'changing' && isPrimary) this.#leave(view + 1);
      return 'taken';
    }
    // A faulty primary may have made several; the one that a quorum entered is the one that counts.
    if (entering !== undefined && this.#entersFor(judged).length < this.quorum) return 'taken';
    if (view > this.view) this.leaveFor(view);
    this.#owesChange = false;
    this.#entering = { ...judged, said: entering?.said ?? false };
    for (const { content, author } of changes) {
      this.#votes.note(author, view);
      for (const checkpoint of (content as ViewChange).checkpoints) this.noteCheckpoint(checkpoint);
    }
    return 'taken';
  }

  #onEnter(message: FlexiSealed<Enter>): Intake {
    const { author } = message;
    const { view } = message.content;
    const known = this.#enters[author]?.content.view ?? 0;
    if (view <= this.base.start.view || view <= known) return 'taken';
    this.#enters[author] = message;
    if (author === this.self && view > this.view) this.leaveFor(view);
    if (author === this.self && this.#entering?.start.view === view) this.#entering.said = true;
    return 'taken';
  }

  #entersFor({ start, digest }: JudgedNewView): FlexiSealed<Enter>[] {
    return this.#enters.filter(
      (message): message is FlexiSealed<Enter> =>
        message?.content.view === start.view && message.content.start === digest,
    );
  }

  #considerEntering(): boolean {
    const entering = this.#entering;
    if (entering === undefined) return false;
    const enters = this.#entersFor(entering);
    if (this.rule('FlexiBFT.NV.certified', enters.length >= this.quorum, 'ENTER')) {
      this.#enter(entering, enters.slice(0, this.quorum));
      return true;
    }
    if (!this.rule('FlexiBFT.NV.once', !entering.said, 'ENTER')) return false;
    const { start, digest, message } = entering;
    const isReady = this.#hasAll(this.#openBatches(start), [message.author]);
    if (!this.rule('FlexiBFT.NV.bodies', isReady, 'NEW-VIEW')) return false;
    this.bodies.makeAllDurable(start.batches, start.low);
    entering.said = true;
    const value = this.codec.encodeList([message]);
    this.say({ kind: 'ENTER', view: start.view, start: digest }, HOST, [{ key: KEY.entering, value }]);
    return false;
  }

  #enter(entering: JudgedNewView, enters: readonly FlexiSealed[]): void {
    const gone = [...this.vouched.keys()].map((sequence) => ({
      key: KEY.proposal + String(sequence),
      value: undefined,
    }));
    const value = this.codec.encodeList([entering.message, ...enters]);
    this.desk.store([{ key: KEY.base, value }, { key: KEY.entering, value: undefined }, ...gone]);
    this.#takeBase(entering, enters);
    this.vouched.clear();
    this.enterView(entering.start.view);
    this.onEntered();
  }

  #takeBase({ message, start, checkpoints }: JudgedNewView, enters: readonly FlexiSealed[]): void {
    this.base = { start, enters };
    this.#baseProof = [message, ...enters];
    this.#baseCheckpoints = checkpoints;
    this.#entering = undefined;
    this.#owesChange = false;
  }

  override viewLack(): Lacking | undefined {
    const { view, quorum: needs } = this;
    const entering = this.#entering;
    if (entering?.start.view !== view) return changeLack(this, this.#votes.from(view), needs);
    const has = this.#entersFor(entering).map(({ author }) => author);
    return { what: 'ENTER', view, needs, has, among: [...this.peers.keys()] };
  }

  override newViewProof(): readonly FlexiSealed[] {
    return this.#baseProof;
  }

  // ---- what is kept ------------------------------------------------------------------------------------------------

  protected override restore(stored: ReadonlyMap<string, Uint8Array>): void {
    const list = (key: string): readonly FlexiSealed[] => {
      const bytes = stored.get(key);
      return (bytes && this.codec.decodeList(bytes)) ?? [];
    };
    const judged = (message: FlexiSealed | undefined): JudgedNewView | undefined =>
      isOf(message, 'NEW-VIEW') ? judgeNewView(this.judge, message) : undefined;
    const [newView, ...enters] = list(KEY.base);
    const base = judged(newView);
    if (base !== undefined) {
      this.#takeBase(base, enters);
      this.view = base.start.view;
    }
    const entering = judged(list(KEY.entering)[0]);
    if (entering !== undefined) this.#entering = { ...entering, said: false };
    for (const key of stored.keys()) {
      const [message] = key.startsWith(KEY.proposal) ? list(key) : [];
      if (isOf(message, 'PREPREPARE') && message.content.view === this.view)
        this.vouched.set(message.content.sequence, message);
    }
  }

  protected override isObsolete({ content }: FlexiSealed): boolean {
    const { view: current } = this.base.start;
    switch (content.kind) {
      case 'PREPREPARE':
      case 'PREPARE':
        // One view back they may still complete what others wait for.
        return content.sequence <= this.stableSequence || content.view < Math.max(current, this.view - 1);
      case 'CHECKPOINT':
        return content.sequence <= this.stableSequence;
      default:
        return content.view <= current || content.view < this.view;
    }
  }

  protected override sayCheckpoint({ sequence, stateDigest }: CheckpointState): void {
    this.say({ kind: 'CHECKPOINT', sequence, stateDigest }, HOST);
  }
}
