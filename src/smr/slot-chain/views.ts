/**
 * The view change of protocols on chains of slots: asked for by f+1, the barrier first, then VIEW-CHANGE with the whole
 * chain, NEW-VIEW that everybody recomputes, and NV-ACKs of f+1 without which nobody votes in the new view.
 */
import type { ReplicaContext, StoreEntry } from '../../core/protocol.ts';
import type { Digest, ReplicaId, SequenceNumber, View } from '../../core/types.ts';
import type { Intake } from '../attested/hooks.ts';
import { changeLack } from '../attested/lack.ts';
import { AttestedReplica } from '../attested/replica.ts';
import type { Sealed, SealedCodecOptions } from '../attested/sealed.ts';
import { isOf, SealedCodec } from '../attested/sealed.ts';
import { ViewVotes } from '../attested/view-votes.ts';
import type { Lacking } from '../lack.ts';
import type {
  ChainContent,
  ChainEntry,
  NewView,
  NewViewAck,
  OrderContent,
  RequestViewChange,
  SharedContent,
  Terms,
  ViewChange,
} from './messages.ts';
import { isShared, isSharedMessage, viewChangesOf } from './messages.ts';
import { slotOf, VIEW_END } from './slots.ts';
import type { ChainRules, ViewChangeFacts } from './view-change.ts';
import { computeTerms, digestOfTerms, fitsAttestor, judgeNewView, judgeViewChange } from './view-change.ts';

/** What a protocol on chains of slots says about itself. */
export type ChainScheme<P extends OrderContent> = Pick<
  ChainRules<P>,
  'attestorOf' | 'voteOf' | 'genesis' | 'carry'
>;

/** Under what name it is remembered that a kind was said. */
const SAID = {
  CHECKPOINT: undefined,
  'REQ-VIEW-CHANGE': 'request',
  BARRIER: 'barrier',
  'VIEW-CHANGE': 'viewChange',
  'NEW-VIEW': 'newView',
  'NV-ACK': 'ack',
} as const satisfies Readonly<Record<SharedContent<OrderContent>['kind'], string | undefined>>;

/** Key of the durable map: the NEW-VIEW of the view that was entered last, and the NV-ACKs for it. */
const ENTERED_KEY = 'entered';

interface Left<P extends OrderContent> {
  readonly message: Sealed<ViewChange<P>>;
  readonly view: View;
  readonly facts: ViewChangeFacts;
}

interface Accepted<P extends OrderContent> {
  readonly message: Sealed<NewView<P>>;
  readonly terms: Terms;
  readonly digest: Digest;
}

/** See the top of this file. */
export abstract class ChainViews<P extends OrderContent> extends AttestedReplica<ChainContent<P>> {
  /** f+1 of 2f+1. */
  readonly quorum: number;
  readonly chainRules: ChainRules<P>;
  /** What the view that this replica takes part in, or left last, started with; its view is ell. */
  terms: Terms;
  /** Own slots, ascending; `chain` are those that still matter. */
  #chain: Sealed<ChainContent<P>>[] = [];
  /** NEW-VIEW and NV-ACKs of ell; empty for view 0. */
  #entered: readonly Sealed<ChainContent<P>>[] = [];
  readonly #votes: ViewVotes;
  /** Latest REQ-VIEW-CHANGE, VIEW-CHANGE and NV-ACK of each replica. */
  readonly #wishes: (Sealed<RequestViewChange> | undefined)[];
  readonly #left: (Left<P> | undefined)[];
  readonly #acks: (Sealed<NewViewAck> | undefined)[];
  /** The valid NEW-VIEW of the view that is being changed to. */
  #accepted: Accepted<P> | undefined;
  /** Highest views for which these were said here. */
  readonly #said = { request: 0, barrier: 0, viewChange: 0, newView: 0, ack: 0 };

  constructor(context: ReplicaContext, options: SealedCodecOptions<ChainContent<P>>, scheme: ChainScheme<P>) {
    const quorum = context.settings.f + 1;
    super(context, { codec: new SealedCodec(context, options), checkpointQuorum: quorum });
    this.quorum = quorum;
    this.terms = scheme.genesis;
    this.#votes = new ViewVotes(this.n);
    const nobody = (): undefined[] => new Array<undefined>(this.n).fill(undefined);
    [this.#wishes, this.#left, this.#acks] = [nobody(), nobody(), nobody()];
    this.chainRules = {
      ...scheme,
      protocol: options.protocol,
      hash: context.hash,
      domain: context.domain,
      quorum,
      window: this.window,
      nothing: this.bodies.nullBatch.digest,
      primaryOf: (view) => this.primaryOf(view),
      rule: (rule, passed, about) => this.rule(rule, passed, about),
    };
  }

  /** A message about an order. */
  protected abstract onOrder(message: Sealed<ChainContent<P>>, content: P, from: ReplicaId): Intake;
  /** What shows that an own slot was deserved; empty if the message shows it by itself. */
  protected abstract proofOf(own: Sealed<ChainContent<P>>): readonly Sealed<ChainContent<P>>[];
  /** A view was entered; `terms` are its. */
  protected abstract onEntered(): void;

  protected override fits(message: Sealed<ChainContent<P>>): boolean {
    return fitsAttestor(this.chainRules, message);
  }

  /** Barriers are seen in VIEW-CHANGEs. */
  protected override audience(content: ChainContent<P>): readonly ReplicaId[] | undefined {
    return content.kind === 'BARRIER' ? [] : undefined;
  }

  /** Says a content, vouched for by whoever has to. */
  protected speak(content: ChainContent<P>, entries: readonly StoreEntry[] = []): void {
    this.say(content, this.chainRules.attestorOf(content), entries);
  }

  /** Own slots that a VIEW-CHANGE has to show, ascending. */
  get chain(): readonly Sealed<ChainContent<P>>[] {
    const from = slotOf(this.terms.view, Math.max(this.stableSequence, this.terms.base));
    return this.#chain.filter((message) => slotIn(message) > from);
  }

  /** An own slot has looped back. */
  protected extendChain(message: Sealed<ChainContent<P>>): void {
    this.#chain.push(message);
  }

  /** Whether the body of a batch is here and every seal in it holds; if not, it is asked for. */
  protected holds(digest: Digest, sources: readonly ReplicaId[]): boolean {
    if (this.bodies.isDurable(digest)) return true;
    const batch = this.bodies.need(digest, sources);
    return batch !== undefined && this.bodies.judge(batch) !== 'bad';
  }

  // ---- messages ----------------------------------------------------------------------------------------------------

  protected override onSealed(message: Sealed<ChainContent<P>>, from: ReplicaId): Intake {
    if (!isSharedMessage(message)) return this.onOrder(message, message.content as P, from);
    if (from === this.self) this.#onOwn(message);
    if (isOf(message, 'REQ-VIEW-CHANGE')) return this.#onRequest(message);
    if (isOf(message, 'VIEW-CHANGE')) return this.#onViewChange(message);
    if (isOf(message, 'NEW-VIEW')) return this.#onNewView(message);
    // Barriers of others are seen in their VIEW-CHANGEs.
    return isOf(message, 'NV-ACK') ? this.#onAck(message) : 'taken';
  }

  #onRequest(message: Sealed<RequestViewChange>): Intake {
    const { author } = message;
    const { view } = message.content;
    if (view > (this.#wishes[author]?.content.view ?? 0)) this.#wishes[author] = message;
    this.#votes.note(author, view);
    if (author !== this.self) this.onWish(author, view);
    return 'taken';
  }

  /** Another replica asks for a view. */
  protected onWish(_replica: ReplicaId, _view: View): void {}

  /** An own message has looped back, or is found in the log after a restart: it is not said again. */
  #onOwn(message: Sealed<SharedContent<P>>): void {
    const { content } = message;
    const said = SAID[content.kind];
    if (content.kind === 'CHECKPOINT' || said === undefined) return;
    const { view } = content;
    this.#said[said] = Math.max(this.#said[said], view);
    if (content.kind !== 'BARRIER') return;
    this.extendChain(message);
    if (view > this.view) this.leaveFor(view);
  }

  #onViewChange(message: Sealed<ViewChange<P>>): Intake {
    const { author } = message;
    const { view } = message.content;
    const known = this.#left[author];
    if (view <= this.terms.view || view < this.view || view <= (known?.view ?? 0)) return 'taken';
    const facts = judgeViewChange(this.chainRules, message);
    if (facts === undefined) return 'taken';
    this.#left[author] = { message, view, facts };
    this.#votes.note(author, view);
    this.#noteCheckpoints(message.content);
    return 'taken';
  }

  #noteCheckpoints({ checkpoints }: ViewChange<P>): void {
    for (const checkpoint of checkpoints) this.noteCheckpoint(checkpoint);
  }

  #onNewView(message: Sealed<NewView<P>>): Intake {
    const { view } = message.content;
    if (view <= this.terms.view || view < this.view) return 'taken';
    if (this.#accepted?.terms.view === view) return 'taken';
    const terms = judgeNewView(this.chainRules, message);
    if (terms === undefined) {
      if (view === this.view && message.author === this.primary) this.askFor(view + 1);
      return 'taken';
    }
    if (view > this.view) this.#leave(view);
    this.#accepted = { message, terms, digest: digestOfTerms(this.chainRules, terms) };
    return 'taken';
  }

  #onAck(message: Sealed<NewViewAck>): Intake {
    const { author } = message;
    if (message.content.view >= (this.#acks[author]?.content.view ?? 0)) this.#acks[author] = message;
    return 'taken';
  }

  // ---- conclusions -------------------------------------------------------------------------------------------------

  /** Asks for a view, once; goes on working. True if it was not asked for before. */
  protected askFor(view: View): boolean {
    if (view <= this.#said.request || view >= VIEW_END) return false;
    this.#said.request = view;
    this.speak({ kind: 'REQ-VIEW-CHANGE', view });
    return true;
  }

  protected override onOverdue(): void {
    this.askFor(this.view + 1);
  }

  protected override onNewViewTimeout(): void {
    this.askFor(this.view + 1);
  }

  /** Draws the conclusions about views; true if one was left or entered. */
  protected considerViews(): boolean {
    const wished = this.#votes.highestBy(this.quorum);
    const joins = this.rule('Chain.VC.join', wished > this.view);
    if (joins) this.#leave(wished);
    if (this.mode !== 'changing') return joins;
    this.#sayViewChange();
    const left = this.#left.filter((one) => one !== undefined && one.view >= this.view).length;
    const runs = this.rule('Chain.VC.timer', left >= this.quorum);
    if (runs && this.#said.request <= this.view) this.awaitNewView();
    if (this.isPrimary) this.#sayNewView();
    this.#sayAck();
    return this.#enter() || joins;
  }

  /** Stops taking part. The REQ-VIEW-CHANGEs that led here go to all, so that nobody is left behind. */
  #leave(view: View): void {
    this.leaveFor(view);
    const messages = this.#wishes.filter(
      (one): one is Sealed<RequestViewChange> => one !== undefined && one.content.view >= view,
    );
    if (messages.length > 0) this.desk.broadcast({ kind: 'PROOF', messages });
    if (this.#said.barrier >= view) return;
    this.#said.barrier = view;
    this.speak({ kind: 'BARRIER', view });
  }

  /** CHECKPOINTs that prove the highest boundary that this replica may start from. */
  #checkpointProof(): readonly Sealed<ChainContent<P>>[] {
    if (this.stableSequence >= this.terms.base) return this.stable?.messages ?? [];
    // The state at hNV is still being fetched: what the NEW-VIEW rests on proves it.
    const lists = viewChangesOf(this.newView!).map(({ checkpoints }) => checkpoints);
    return lists.find(([first]) => this.#boundaryOf(first) === this.terms.base)!;
  }

  #boundaryOf(checkpoint: Sealed<ChainContent<P>> | undefined): SequenceNumber {
    return checkpoint === undefined ? 0 : (this.readCheckpoint(checkpoint.content)?.state.sequence ?? 0);
  }

  #sayViewChange(): void {
    const { view } = this;
    if (this.#said.viewChange >= view) return;
    const barrier = this.#chain.at(-1)?.content;
    if (!this.rule('Chain.VC.barrier', barrier?.kind === 'BARRIER' && barrier.view === view)) return;
    this.#said.viewChange = view;
    const checkpoints = this.#checkpointProof();
    const chain = this.chain.map((message): ChainEntry<P> => ({ message, proof: this.proofOf(message) }));
    const [, ...acks] = this.#entered;
    const entered = this.terms.view === 0 ? undefined : { terms: this.terms, acks };
    this.speak({ kind: 'VIEW-CHANGE', view, checkpoints, entered, chain });
  }

  #sayNewView(): void {
    const { view } = this;
    if (this.#said.newView >= view) return;
    const left = this.#left.filter((one): one is Left<P> => one?.view === view);
    // The highest checkpoints first: what lies below may be had nowhere any more.
    left.sort((one, other) => other.facts.stable - one.facts.stable);
    const usable = left.filter(({ facts }) => this.#holdsVotes(facts));
    const own = usable.find(({ facts }) => facts.author === this.self);
    const others = usable.filter((one) => one !== own).slice(0, this.quorum - 1);
    if (!this.rule('Chain.NV.bodies', own !== undefined && others.length === this.quorum - 1)) return;
    const chosen = [own!, ...others];
    const facts = chosen.map((one) => one.facts);
    const terms = computeTerms(this.chainRules, view, facts);
    const sources = facts.map(({ author }) => author);
    if (!this.#holdsOrders(terms, sources)) return;
    this.#said.newView = view;
    this.bodies.makeAllDurable(terms.orders, terms.base);
    this.speak({ kind: 'NEW-VIEW', view, viewChanges: chosen.map(({ message }) => message), terms });
  }

  /** A faulty replica may show votes for what nobody else has seen: its VIEW-CHANGE is left aside until that is here. */
  #holdsVotes({ author, votes }: ViewChangeFacts): boolean {
    const { covered } = this;
    let all = true;
    for (const [sequence, digest] of votes)
      if (sequence > covered && !this.holds(digest, [author])) all = false;
    return all;
  }

  /** Up to here a checkpoint is known to be stable somewhere: batches may be gone, and nobody needs them. */
  get covered(): SequenceNumber {
    const { stableSequence } = this;
    return this.checkpoints.certificateAbove(stableSequence)?.checkpoint.sequence ?? stableSequence;
  }

  #holdsOrders({ base, orders }: Terms, sources: readonly ReplicaId[]): boolean {
    const open = orders.slice(Math.max(0, this.covered - base));
    return open.map((digest) => this.holds(digest, sources)).every((held) => held);
  }

  #sayAck(): void {
    const accepted = this.#accepted;
    if (accepted === undefined || accepted.terms.view !== this.view || this.#said.ack >= this.view) return;
    const { terms, digest, message } = accepted;
    const sources = message.content.viewChanges.map(({ author }) => author);
    if (!this.rule('Chain.NV.ack', this.#holdsOrders(terms, sources))) return;
    this.#said.ack = this.view;
    this.bodies.makeAllDurable(terms.orders, terms.base);
    this.speak({ kind: 'NV-ACK', view: this.view, digest });
  }

  #enter(): boolean {
    const accepted = this.#accepted;
    if (accepted === undefined || accepted.terms.view !== this.view) return false;
    const { terms, message } = accepted;
    const acks = this.#acksFor(accepted);
    if (!this.rule('Chain.NV.enter', acks.length >= this.quorum)) return false;
    const entered = [message, ...acks.slice(0, this.quorum)];
    this.desk.store([{ key: ENTERED_KEY, value: this.codec.encodeList(entered) }]);
    this.#accepted = undefined;
    this.#begin(entered, terms);
    for (const content of viewChangesOf(message.content)) this.#noteCheckpoints(content);
    this.enterView(terms.view);
    this.onEntered();
    return true;
  }

  #begin(entered: readonly Sealed<ChainContent<P>>[], terms: Terms): void {
    this.#entered = entered;
    this.terms = terms;
    this.#trimChain();
  }

  #trimChain(): void {
    this.#chain = [...this.chain];
  }

  protected override onStable(_sequence: SequenceNumber): void {
    this.#trimChain();
  }

  /** The NEW-VIEW of ell; undefined for view 0. */
  protected get newView(): NewView<P> | undefined {
    return this.#entered[0]?.content as NewView<P> | undefined;
  }

  override newViewProof(): readonly Sealed<ChainContent<P>>[] {
    return this.#entered;
  }

  /** This replica has asked for another view, and too few with it. */
  protected wishLack(): Lacking | undefined {
    const { request: view } = this.#said;
    const has = this.#votes.from(view);
    if (view <= this.view || has.length >= this.quorum) return undefined;
    return { what: 'REQ-VIEW-CHANGE', view, needs: this.quorum, has, among: [...this.peers.keys()] };
  }

  #acksFor({ terms, digest }: Accepted<P>): readonly Sealed<NewViewAck>[] {
    return this.#acks.filter(
      (one): one is Sealed<NewViewAck> => one?.content.view === terms.view && one.content.digest === digest,
    );
  }

  override viewLack(): Lacking | undefined {
    const { view, quorum: needs } = this;
    const left = this.#left.flatMap((one, replica) =>
      one !== undefined && one.view >= view ? [replica] : [],
    );
    const accepted = this.#accepted;
    if (accepted?.terms.view !== view) return changeLack(this, left, needs);
    const has = this.#acksFor(accepted).map(({ author }) => author);
    return { what: 'NV-ACK', view, needs, has, among: [...this.peers.keys()] };
  }

  /** Whether a shared message is past: of a view that was entered, or that is not asked for any more. */
  protected isPastView(content: ChainContent<P>): boolean {
    if (!isShared(content) || content.kind === 'CHECKPOINT') return false;
    const { kind, view } = content;
    const isLive = kind === 'BARRIER' || kind === 'REQ-VIEW-CHANGE';
    return view <= this.terms.view || (!isLive && view < this.view);
  }

  protected override restore(stored: ReadonlyMap<string, Uint8Array>): void {
    const bytes = stored.get(ENTERED_KEY);
    const entered = bytes === undefined ? undefined : this.codec.decodeList(bytes);
    const newView = entered?.[0]?.content;
    if (newView?.kind !== 'NEW-VIEW') return;
    this.#begin(entered!, newView.terms);
    this.view = newView.terms.view;
  }
}

function slotIn<P extends OrderContent>({ attestation }: Sealed<ChainContent<P>>): number {
  return attestation.kind === 'object' ? attestation.value : 0;
}
