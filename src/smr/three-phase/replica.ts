/**
 * Three-phase agreement with signatures: every message can be shown to others, so a VIEW-CHANGE proves what was prepared
 * (OSDI 1999, 4.4). Protocols that keep PBFT's phases and its view change extend it.
 */
import type { ReplicaContext, StoreEntry } from '../../core/protocol.ts';
import type { SequenceNumber, View } from '../../core/types.ts';
import type { AttestedOptions, Intake } from '../attested/hooks.ts';
import { isSigned } from '../attested/quorums.ts';
import type { Content, Sealed } from '../attested/sealed.ts';
import type { Prepared } from './agreement.ts';
import { ThreePhaseAgreement } from './agreement.ts';
import type { NewViewBase } from './base.ts';
import type { OrderContent, PhaseContent, PreparedProof, PrePrepare, ViewChange } from './messages.ts';
import { isPhaseContent } from './messages.ts';
import type { PhaseRules } from './view-change.ts';
import { baseOf, isValidViewChange, judgeNewView } from './view-change.ts';

/** Keys of the durable map. */
const STORE_KEY = { prepared: 'prepared/', newView: 'new-view' } as const;

/** See the top of this file. `C`: contents of the protocol, `PhaseContent` and maybe more. */
export abstract class ThreePhaseReplica<C extends Content> extends ThreePhaseAgreement<C> {
  protected override readonly attestor = { kind: 'host' } as const;
  readonly phaseRules: PhaseRules;
  /** Latest VIEW-CHANGE of each replica. */
  readonly #viewChanges: (Sealed<PhaseContent> | undefined)[];
  /** PSet: by order the proof of the highest view in which it was prepared here. */
  readonly preparedHere = new Map<SequenceNumber, PreparedProof>();
  #newView: Sealed<PhaseContent> | undefined;
  /** View whose NEW-VIEW this replica has asked a word for. */
  #newViewSaid: View = 0;

  constructor(context: ReplicaContext, codec: AttestedOptions<C>['codec']) {
    super(context, codec);
    this.#viewChanges = new Array<Sealed<PhaseContent> | undefined>(this.n).fill(undefined);
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

  #foreign(messages: readonly Sealed<PhaseContent>[]): readonly Sealed<C>[] {
    return messages as readonly Sealed<Content>[] as readonly Sealed<C>[];
  }

  protected override beforePrepare(): readonly StoreEntry[] {
    return [];
  }

  /** Step 3: the proof is durable before the COMMIT leaves. */
  protected override beforeCommit({ sequence }: PrePrepare, proof: Prepared): readonly StoreEntry[] {
    this.preparedHere.set(sequence, proof as PreparedProof);
    const messages = [proof.prePrepare, ...proof.prepares] as readonly Sealed<Content>[];
    const value = this.codec.encodeList(messages as readonly Sealed<C>[]);
    return [{ key: STORE_KEY.prepared + String(sequence), value }];
  }

  protected override proofOf(commits: readonly Sealed<OrderContent>[]): readonly Sealed<C>[] {
    return commits as readonly Sealed<Content>[] as readonly Sealed<C>[];
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
    const { content } = message;
    if (content.kind === 'VIEW-CHANGE') return this.#onViewChange(message, content);
    return content.kind === 'NEW-VIEW' ? this.#onNewView(message, content.view) : 'taken';
  }

  // ---- view change -------------------------------------------------------------------------------------------------

  protected override startViewChange(view: View): void {
    this.leaveFor(view);
    const prepared = [...this.preparedHere.entries()]
      .filter(([sequence]) => sequence > this.stableSequence)
      .sort(([a], [b]) => a - b)
      .map(([, proof]) => proof);
    const checkpoints = (this.stable?.messages ?? []) as readonly Sealed<Content>[];
    this.#sayView({
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
    this.votes.note(author, content.view);
    for (const checkpoint of this.#foreign(content.checkpoints)) this.noteCheckpoint(checkpoint);
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
      (one): one is Sealed<PhaseContent> => (one?.content as ViewChange | undefined)?.view === view,
    );
    if (viewChanges.length < this.quorum) return;
    // The own one may still be on its way to its word: others may have been quicker.
    this.#newViewSaid = view;
    this.#sayView({ kind: 'NEW-VIEW', view, viewChanges: viewChanges.slice(0, this.quorum) });
  }

  #onNewView(message: Sealed<PhaseContent>, view: View): Intake {
    if (this.isPastView(view)) return 'taken';
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
    this.takeBase(view, base);
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
