/**
 * How a replica leaves views and enters them: suspicion, VIEW-CHANGE, NEW-VIEW, VIEW-CONFIRM; what it holds of a history
 * while it does so. The normal case extends this.
 */
import type { ReplicaContext } from '../../core/protocol.ts';
import type { SequenceNumber, View } from '../../core/types.ts';
import type { Intake } from '../../smr/attested/hooks.ts';
import { changeLack } from '../../smr/attested/lack.ts';
import type { Sealed } from '../../smr/attested/sealed.ts';
import { isOf } from '../../smr/attested/sealed.ts';
import type { Lacking } from '../../smr/lack.ts';
import { ViewVotes } from '../../smr/attested/view-votes.ts';
import { newHistory } from './base.ts';
import type { Report } from './base.ts';
import { isReason } from './certificates.ts';
import type { Durable } from './durable.ts';
import { confirmEntry, viewEntry } from './durable.ts';
import { ByView } from './gathered.ts';
import { ZyzzyvaHistories } from './histories.ts';
import type { History, Position } from './history.ts';
import type { Hate, Message, NewView, ViewChange, ViewConfirm, ZyzzyvaContent } from './messages.ts';
import type { HistoryRule } from './view-change.ts';
import { judgeNewView, judgeViewChange } from './view-change.ts';

export const HOST = { kind: 'host' } as const;
/** Views for which a NEW-VIEW is kept, and NEW-VIEWs of one view, at most: its primary may have made several. */
const NEW_VIEWS_MAX = 8;

/** A valid NEW-VIEW and the base that it leads to. */
interface Proposed {
  readonly message: Message<NewView>;
  readonly base: History;
}

/** What tests may replace, to show what weaker rules lead to. */
export interface ZyzzyvaSwitches {
  readonly historyRule?: HistoryRule;
  readonly checkpointQuorum?: number;
}

/** See the top of this file. */
export abstract class ZyzzyvaViews extends ZyzzyvaHistories {
  readonly #historyRule: HistoryRule;
  readonly #hates: ByView<Hate>;
  readonly #confirms: ByView<ViewConfirm>;
  readonly #wishes: ViewVotes;
  /** Latest valid VIEW-CHANGE of each replica. */
  readonly #changes: ({ readonly message: Message<ViewChange>; readonly report: Report } | undefined)[];
  /** Valid NEW-VIEWs of views above `label`. */
  #proposed: Proposed[] = [];
  /** Why `view - 1` was left. */
  #reason: readonly Sealed<ZyzzyvaContent>[] | undefined;
  /** Highest views for which these were said. */
  #saidHate: View = -1;
  #saidChange: View = 0;
  #saidNewView: View = 0;
  #saidConfirm: View = 0;

  constructor(context: ReplicaContext, switches: ZyzzyvaSwitches = {}) {
    super(context, switches.checkpointQuorum);
    this.#historyRule = switches.historyRule ?? newHistory;
    this.#hates = new ByView(this.n);
    this.#confirms = new ByView(this.n);
    this.#wishes = new ViewVotes(this.n);
    this.#changes = new Array<undefined>(this.n).fill(undefined);
  }

  /** A view was entered. */
  protected abstract onEntered(): void;

  // ---- messages ----------------------------------------------------------------------------------------------------

  protected override fits(message: Sealed<ZyzzyvaContent>): boolean {
    const { kind } = message;
    if (kind === 'FILL-HOLE' || kind === 'POM') return true;
    if (message.attestation.kind !== 'host') return false;
    if (!isOf(message, 'ORDER-REQ')) return true;
    const isPrimary = message.author === this.primaryOf(message.content.view);
    return this.rule('Zyzzyva.ACC.1.PRIMARY', isPrimary, 'ORDER-REQ');
  }

  /** Messages of view changes. */
  protected onViewMessage(message: Sealed<ZyzzyvaContent>): Intake {
    if (isOf(message, 'I-HATE-THE-PRIMARY')) return this.#onHate(message);
    if (isOf(message, 'POM')) return this.#onPom(message.content.view, message.content.proof);
    if (isOf(message, 'VIEW-CHANGE')) return this.#onViewChange(message);
    if (isOf(message, 'NEW-VIEW')) return this.#onNewView(message);
    if (isOf(message, 'VIEW-CONFIRM')) return this.#onConfirm(message);
    return 'taken';
  }

  #onHate(message: Message<Hate>): Intake {
    const { view } = message.content;
    // Those of the view before may be the reason of a VIEW-CHANGE that a crash has kept back.
    if (view >= this.view - 1) this.#hates.add(message);
    if (message.author === this.self) this.#saidHate = Math.max(this.#saidHate, view);
    return 'taken';
  }

  #onPom(view: View, proof: readonly Sealed<ZyzzyvaContent>[]): Intake {
    if (view > this.view) return 'later';
    if (view === this.view && this.rule('Zyzzyva.VC.2', isReason(this.judging, view, proof), 'POM'))
      this.#leave(view + 1, proof);
    return 'taken';
  }

  #onViewChange(message: Message<ViewChange>): Intake {
    const { author, content } = message;
    const { view } = content;
    if (author === this.self) this.#saidChange = Math.max(this.#saidChange, view);
    const known = this.#changes[author]?.message.content.view ?? 0;
    if (view <= this.label || view < this.view || view <= known) return 'taken';
    const report = judgeViewChange(this.judging, message);
    if (report === undefined) return 'taken';
    this.#changes[author] = { message, report };
    this.#wishes.note(author, view);
    for (const checkpoint of content.checkpoints) this.noteCheckpoint(checkpoint);
    if (view === this.view) this.#reason = content.reason;
    else this.#follow(message);
    return 'taken';
  }

  /**
   * VC.2: a VIEW-CHANGE carries its reason, so one is enough. But whoever is to lead many views can be shown to have lied
   * in each of them before it leads: such a reason moves a replica out of its present view only, and farther with f+1.
   */
  #follow({ content: { view, reason } }: Message<ViewChange>): void {
    const isNear = view === this.view + 1 || isOf(reason[0], 'I-HATE-THE-PRIMARY');
    if (this.rule('Zyzzyva.VC.2.NEAR', isNear, 'VIEW-CHANGE')) return this.#leave(view, reason);
    const together = this.#wishes.joinAbove(this.view, this.f + 1);
    const joined = this.#changes.find((one) => one?.message.content.view === together);
    if (together !== undefined && joined !== undefined) this.#leave(together, joined.message.content.reason);
  }

  #onNewView(message: Message<NewView>): Intake {
    const { view, viewChanges } = message.content;
    if (message.author === this.self) this.#saidNewView = Math.max(this.#saidNewView, view);
    if (view <= this.label || view < this.view) return 'taken';
    if (this.#proposed.some((one) => one.message.digest === message.digest)) return 'taken';
    const base = judgeNewView(this.judging, this.#historyRule, message);
    if (base === undefined) {
      if (view === this.view && this.mode === 'changing' && message.author === this.primary) this.hate(view);
      return 'taken';
    }
    for (const one of viewChanges) {
      this.#wishes.note(one.author, view);
      if (isOf(one, 'VIEW-CHANGE'))
        for (const checkpoint of one.content.checkpoints) this.noteCheckpoint(checkpoint);
    }
    this.#keepProposed({ message, base });
    this.#confirmNewView(view, base.end);
    return 'taken';
  }

  /** The first NEW-VIEW of a view is kept, and whichever the view certificate names. */
  #keepProposed(proposed: Proposed): void {
    const { view } = proposed.message.content;
    const same = this.#proposed.filter((one) => one.message.content.view === view);
    if (same.length > 0 && this.#confirming(proposed).length < this.f + 1) return;
    this.#proposed.push(proposed);
    this.#proposed.sort((a, b) => b.message.content.view - a.message.content.view);
    this.#proposed.length = Math.min(this.#proposed.length, NEW_VIEWS_MAX);
  }

  /** NV.2: one promise for each view, durable before it is given. */
  #confirmNewView(view: View, base: Position): void {
    const isOpen = view > this.view || this.mode === 'changing';
    if (!this.rule('Zyzzyva.NV.2.ONCE', isOpen && view > this.#saidConfirm, 'NEW-VIEW')) return;
    this.#saidConfirm = view;
    if (view > this.view) this.leaveFor(view);
    this.say({ kind: 'VIEW-CONFIRM', view, base }, HOST, [viewEntry(this.codec, view), confirmEntry(view)]);
  }

  #onConfirm(message: Message<ViewConfirm>): Intake {
    const { view } = message.content;
    if (message.author === this.self) this.#saidConfirm = Math.max(this.#saidConfirm, view);
    if (view > this.label) this.#confirms.add(message);
    return 'taken';
  }

  protected override onStable(_sequence: SequenceNumber): void {
    // The primary does its work after all; if it stops again it is suspected again.
    if (this.isIn) this.#saidHate = Math.min(this.#saidHate, this.label - 1);
  }

  // ---- leaving -----------------------------------------------------------------------------------------------------

  /** VC.1: suspects the primary of a view, once; the work goes on until f+1 do. */
  protected hate(view: View): void {
    if (!this.rule('Zyzzyva.VC.1', view > this.#saidHate)) return;
    this.#saidHate = view;
    this.say({ kind: 'I-HATE-THE-PRIMARY', view }, HOST);
  }

  protected override onOverdue(): void {
    this.hate(this.view);
  }

  protected override onNewViewTimeout(): void {
    this.hate(this.view);
  }

  /** Shows to all that the primary of the present view is faulty, and leaves the view. */
  protected accusePrimary(proof: readonly Sealed<ZyzzyvaContent>[]): void {
    const { view } = this;
    if (!isReason(this.judging, view, proof)) return this.hate(view);
    this.desk.note('misbehaviour', { view, primary: this.primary });
    this.say({ kind: 'POM', view, proof }, { kind: 'link' });
    this.#leave(view + 1, proof);
  }

  /** A client shows two ORDER-REQs that exclude each other. */
  protected onClientPom(proof: readonly Sealed<ZyzzyvaContent>[]): void {
    if (this.rule('Zyzzyva.VC.2', isReason(this.judging, this.view, proof), 'POM')) this.accusePrimary(proof);
  }

  #leave(view: View, reason: readonly Sealed<ZyzzyvaContent>[]): void {
    this.#reason = reason;
    this.leaveFor(view);
    this.desk.store([viewEntry(this.codec, view, reason)]);
  }

  /** What follows from what was said about views; true if this replica moved. */
  protected considerViews(): boolean {
    const left = this.#considerLeaving();
    if (this.mode === 'changing') {
      this.#sayViewChange();
      const isAsked = this.#wishes.countFrom(this.view) >= this.quorum;
      if (isAsked && this.#saidHate < this.view) this.awaitNewView();
      if (this.isPrimary) this.#sayNewView();
    }
    return this.#considerEntering() || left;
  }

  #considerLeaving(): boolean {
    for (const view of this.#hates.viewsFrom(this.view)) {
      const hates = this.#hates.of(view);
      if (!this.rule('Zyzzyva.VC.2', hates.length > this.f, 'I-HATE-THE-PRIMARY')) continue;
      this.#leave(view + 1, hates.slice(0, this.f + 1));
      return true;
    }
    return false;
  }

  #sayViewChange(): void {
    const { view, label, stableProof, history } = this;
    if (this.#saidChange >= view || this.#saidConfirm >= view) return;
    const hates = this.#hates.of(view - 1).slice(0, this.f + 1);
    const reason = [this.#reason ?? [], hates].find((one) => isReason(this.judging, view - 1, one));
    if (reason === undefined) return;
    if (!this.rule('Zyzzyva.VC.3', stableProof.view <= label)) return;
    this.#saidChange = view;
    this.say(
      {
        kind: 'VIEW-CHANGE',
        view,
        checkpoints: this.stable?.messages ?? [],
        label,
        certificate: this.certificate?.messages ?? [],
        digests: history.digests,
        history: history.end.history,
        reason,
      },
      HOST,
    );
  }

  #sayNewView(): void {
    const { view } = this;
    if (this.#saidNewView >= view || this.#saidConfirm >= view) return;
    const changes = this.#changes.flatMap((one) => (one?.message.content.view === view ? [one] : []));
    if (changes.length < this.quorum) return;
    const chosen = changes.slice(0, this.quorum);
    const base = this.#historyRule(
      this.f,
      chosen.map(({ report }) => report),
    );
    if (base === undefined) return;
    this.#saidNewView = view;
    const viewChanges = chosen.map(({ message }) => message);
    this.say({ kind: 'NEW-VIEW', view, viewChanges, base: base.end }, HOST);
  }

  // ---- entering ----------------------------------------------------------------------------------------------------

  /** VIEW-CONFIRMs for what a NEW-VIEW proposes. */
  #confirming({ message }: Proposed): Message<ViewConfirm>[] {
    const { view, base } = message.content;
    return this.#confirms
      .of(view)
      .filter(({ content }) => content.base.length === base.length && content.base.history === base.history);
  }

  #considerEntering(): boolean {
    if (this.busy) return false;
    this.lacksStateFor = undefined;
    for (const proposed of this.#proposed) {
      const { view } = proposed.message.content;
      const confirms = this.#confirming(proposed);
      if (!this.rule('Zyzzyva.ENTER.1.QUORUM', confirms.length >= this.quorum, 'VIEW-CONFIRM')) continue;
      if (!this.rule('Zyzzyva.ENTER.1.LOWER', view >= this.view && view > this.label, 'VIEW-CONFIRM'))
        continue;
      const next = this.#rebase(proposed.base);
      if (next === 'lacks state') {
        this.lacksStateFor = view;
        continue;
      }
      const proof = { view, newView: proposed.message, confirms: confirms.slice(0, this.quorum) };
      if (next === 'contradiction' || !this.takeOver(next, proof)) {
        this.halt(
          `the base of view ${view} contradicts what is stable here: more replicas are faulty than the cluster was made for`,
        );
        return true;
      }
      this.#forgetBelow(view);
      this.enterView(view);
      this.onEntered();
      return true;
    }
    return false;
  }

  /** ENTER.2: the own history after entering, from the own stable checkpoint on. */
  #rebase(base: History): History | 'lacks state' | 'contradiction' {
    const { length: stable, history: stableHash } = this.history.upTo(this.history.start).end;
    if (stable > base.length) return this.history.upTo(stable);
    if (stable >= base.start) {
      const fits = this.rule('Zyzzyva.ENTER.2', base.hashAt(stable) === stableHash);
      return fits ? base.from(stable) : 'contradiction';
    }
    if (!this.history.has(base.upTo(base.start).end)) return 'lacks state';
    return this.history.upTo(base.start).join(base);
  }

  #forgetBelow(view: View): void {
    this.#hates.dropBelow(view);
    this.#confirms.dropBelow(view + 1);
    this.#proposed = this.#proposed.filter((one) => one.message.content.view > view);
    for (const [author, one] of this.#changes.entries())
      if (one !== undefined && one.message.content.view <= view) this.#changes[author] = undefined;
  }

  // ---- what it waits for, for people ------------------------------------------------------------------------------

  /** This replica suspects the primary, and too few with it. */
  protected hateLack(): Lacking | undefined {
    const { view } = this;
    const has = this.#hates.of(view).map(({ author }) => author);
    if (this.#saidHate < view || has.length > this.f) return undefined;
    return { what: 'I-HATE-THE-PRIMARY', view, needs: this.f + 1, has, among: [...this.peers.keys()] };
  }

  override viewLack(): Lacking | undefined {
    const { view, quorum: needs } = this;
    const proposed = this.#proposed.find((one) => one.message.content.view === view);
    if (proposed === undefined) return changeLack(this, this.#wishes.from(view), needs);
    const has = this.#confirming(proposed).map(({ author }) => author);
    return { what: 'VIEW-CONFIRM', view, needs, has, among: [...this.peers.keys()] };
  }

  // ---- restart -----------------------------------------------------------------------------------------------------

  protected override onRestored({ confirmed, reason }: Durable): void {
    this.#reason = reason;
    this.#saidConfirm = confirmed;
  }
}
