/**
 * Three-phase agreement with signatures: every message can be shown to others, so a VIEW-CHANGE proves what was prepared
 * (OSDI 1999, 4.4). Protocols that keep PBFT's phases and its view change extend it.
 */
import type { ReplicaContext, StoreEntry } from '../../core/protocol.ts';
import type { SequenceNumber, View } from '../../core/types.ts';
import type { AttestedOptions, Intake } from '../attested/hooks.ts';
import { isSigned } from '../attested/quorums.ts';
import type { Content, Sealed } from '../attested/sealed.ts';
import { isOf } from '../attested/sealed.ts';
import type { Prepared } from './agreement.ts';
import { ThreePhaseAgreement } from './agreement.ts';
import type { NewViewBase } from './base.ts';
import type { Commit, NewView, PhaseContent, PreparedProof, PrePrepare, ViewChange } from './messages.ts';
import { isPhaseContent } from './messages.ts';
import type { PhaseRules } from './view-change.ts';
import { baseOf, isValidViewChange, judgeNewView, viewChangesOf } from './view-change.ts';

/** Keys of the durable map. */
const STORE_KEY = { prepared: 'prepared/', newView: 'new-view' } as const;

/** See the top of this file. `C`: contents of the protocol, `PhaseContent` and maybe more. */
export abstract class ThreePhaseReplica<C extends Content> extends ThreePhaseAgreement<C> {
  protected override readonly attestor = { kind: 'host' } as const;
  readonly phaseRules: PhaseRules;
  /** Latest VIEW-CHANGE of each replica. */
  readonly #viewChanges: (Sealed<ViewChange> | undefined)[];
  /** PSet: by order the proof of the highest view in which it was prepared here. */
  readonly preparedHere = new Map<SequenceNumber, PreparedProof>();
  #newView: Sealed<NewView> | undefined;
  /** View whose NEW-VIEW this replica has asked a word for. */
  #newViewSaid: View = 0;

  constructor(context: ReplicaContext, codec: AttestedOptions<C>['codec']) {
    super(context, codec);
    this.#viewChanges = new Array<Sealed<ViewChange> | undefined>(this.n).fill(undefined);
    this.phaseRules = {
      quorum: this.quorum,
      window: this.window,
      primaryOf: (view) => this.primaryOf(view),
      rule: (rule, passed, about) => this.rule(rule, passed, about),
      checkpointOf: (content) => this.readCheckpoint(content as Content as C),
      isVouched: isSigned,
    };
  }

  #sayView(content: PhaseContent): void {
    this.say(content as Content as C, this.attestor);
  }

  /** Messages of this folder as those of the protocol: that `C` has their kinds no type can say. */
  #wide(messages: readonly Sealed<Content>[]): readonly Sealed<C>[] {
    return messages as readonly Sealed<C>[];
  }

  /** Messages of the protocol of which it is known that they are of this folder. */
  #narrow(messages: readonly Sealed<Content>[]): readonly Sealed<PhaseContent>[] {
    return messages as readonly Sealed<PhaseContent>[];
  }

  protected override beforePrepare(): readonly StoreEntry[] {
    return [];
  }

  /** Step 3: the proof is durable before the COMMIT leaves. */
  protected override beforeCommit({ sequence }: PrePrepare, proof: Prepared): readonly StoreEntry[] {
    this.preparedHere.set(sequence, proof);
    const value = this.codec.encodeList(this.#wide([proof.prePrepare, ...proof.prepares]));
    return [{ key: STORE_KEY.prepared + String(sequence), value }];
  }

  protected override proofOf(commits: readonly Sealed<Commit>[]): readonly Sealed<C>[] {
    return this.#wide(commits);
  }

  protected override onStable(sequence: SequenceNumber): void {
    super.onStable(sequence);
    const past = [...this.preparedHere.keys()].filter((known) => known <= sequence);
    for (const known of past) this.preparedHere.delete(known);
    this.desk.store(past.map((known) => ({ key: STORE_KEY.prepared + String(known), value: undefined })));
  }

  protected override isObsolete(sealed: Sealed<C>): boolean {
    const { content } = sealed;
    if (!isPhaseContent(content)) return false;
    if (content.kind === 'VIEW-CHANGE' || content.kind === 'NEW-VIEW') return this.isPastView(content.view);
    return super.isObsolete(sealed);
  }

  protected override onViewMessage(sealed: Sealed<C>): Intake {
    if (!isPhaseContent(sealed.content)) return 'taken';
    const message = sealed as Sealed<Content> as Sealed<PhaseContent>;
    if (isOf(message, 'VIEW-CHANGE')) return this.#onViewChange(message);
    return isOf(message, 'NEW-VIEW') ? this.#onNewView(message) : 'taken';
  }

  // ---- view change -------------------------------------------------------------------------------------------------

  protected override startViewChange(view: View): void {
    this.leaveFor(view);
    const prepared = [...this.preparedHere.entries()]
      .filter(([sequence]) => sequence > this.stableSequence)
      .sort(([a], [b]) => a - b)
      .map(([, proof]) => proof);
    const checkpoints = this.#narrow(this.stable?.messages ?? []);
    this.#sayView({ kind: 'VIEW-CHANGE', view, checkpoints, prepared });
  }

  #onViewChange(message: Sealed<ViewChange>): Intake {
    const { author, content } = message;
    const known = this.#viewChanges[author]?.content;
    if (known !== undefined && known.view >= content.view) return 'taken';
    if (content.view < this.view) return 'taken';
    if (author !== this.self && !isValidViewChange(this.phaseRules, message)) return 'taken';
    this.#viewChanges[author] = message;
    this.votes.note(author, content.view);
    for (const checkpoint of this.#wide(content.checkpoints)) this.noteCheckpoint(checkpoint);
    // After a restart the own wish is found in the log.
    if (author === this.self && content.view > this.view) this.leaveFor(content.view);
    return 'taken';
  }

  protected override considerViewChange(): void {
    if (!this.joinAndWait()) return;
    if (this.isPrimary && this.#newViewSaid < this.view) this.#sayNewView();
  }

  #sayNewView(): void {
    const { view } = this;
    const viewChanges = this.#viewChanges.filter(
      (one): one is Sealed<ViewChange> => one?.content.view === view,
    );
    if (viewChanges.length < this.quorum) return;
    // The own one may still be on its way to its word: others may have been quicker.
    this.#newViewSaid = view;
    this.#sayView({ kind: 'NEW-VIEW', view, viewChanges: viewChanges.slice(0, this.quorum) });
  }

  #onNewView(message: Sealed<NewView>): Intake {
    const { view } = message.content;
    if (this.isPastView(view)) return 'taken';
    const base = judgeNewView(this.phaseRules, message);
    if (base === undefined) {
      if (view === this.view && message.author === this.primary && this.mode === 'changing')
        this.startViewChange(view + 1);
      return 'taken';
    }
    this.#enter(message, base);
    return 'taken';
  }

  #enter(message: Sealed<NewView>, base: NewViewBase): void {
    const value = this.codec.encodeList(this.#wide([message]));
    this.desk.store([{ key: STORE_KEY.newView, value }]);
    this.#take(message, base);
    for (const { checkpoints } of viewChangesOf(message))
      for (const checkpoint of this.#wide(checkpoints)) this.noteCheckpoint(checkpoint);
    this.enterView(message.content.view);
    this.onViewEntered();
  }

  #take(message: Sealed<NewView>, base: NewViewBase): void {
    this.#newView = message;
    this.takeBase(message.content.view, base);
  }

  /** A view was entered. */
  protected onViewEntered(): void {}

  override newViewProof(): readonly Sealed<C>[] {
    return this.#newView === undefined ? [] : this.#wide([this.#newView]);
  }

  // ---- restart -----------------------------------------------------------------------------------------------------

  protected override restore(stored: ReadonlyMap<string, Uint8Array>): void {
    const [newView] = this.#decode(stored.get(STORE_KEY.newView));
    if (isOf(newView, 'NEW-VIEW')) this.#take(newView, baseOf(this.phaseRules, viewChangesOf(newView)));
    for (const [key, value] of stored) {
      if (!key.startsWith(STORE_KEY.prepared)) continue;
      const [prePrepare, ...prepares] = this.#decode(value);
      if (isOf(prePrepare, 'PRE-PREPARE'))
        this.preparedHere.set(prePrepare.content.sequence, { prePrepare, prepares });
    }
  }

  #decode(bytes: Uint8Array | undefined): readonly Sealed<PhaseContent>[] {
    return this.#narrow((bytes && this.codec.decodeList(bytes)) ?? []);
  }
}
