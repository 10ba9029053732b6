/** A replica of PBFT with authenticators: three phases, and a view change without signatures (TOCS 2002, 4.5). */
import { Reader, Writer } from '../../core/codec.ts';
import type { Replica, ReplicaContext, StoreEntry } from '../../core/protocol.ts';
import type { Digest, ReplicaId, SequenceNumber, View } from '../../core/types.ts';
import { ZERO_DIGEST } from '../../core/types.ts';
import type { Intake } from '../../smr/attested/hooks.ts';
import type { AttestedMessage, Sealed } from '../../smr/attested/sealed.ts';
import { SealedCodec } from '../../smr/attested/sealed.ts';
import { ThreePhaseAgreement } from '../../smr/three-phase/agreement.ts';
import { isOrderContent } from '../../smr/three-phase/messages.ts';
import type { PrePrepare } from '../../smr/three-phase/messages.ts';
import { EnteredViews, isSameStart } from './entered.ts';
import { MAC_MESSAGES } from './messages.ts';
import type {
  Decided,
  Entered,
  FetchViewChange,
  MacContent,
  NewView,
  OrderClaim,
  ViewChange,
  ViewChangeAck,
  ViewChangeCopy,
} from './messages.ts';
import { BATCHES_PER_ORDER_MAX, isWellFormed, latestClaims, select } from './selection.ts';
import type { Claimed, SelectionSizes } from './selection.ts';

/** Keys of the durable map: P and Q by order, and what the present view started from. */
const STORE_KEY = { prepared: 'prepared/', proposed: 'proposed/', entered: 'entered' } as const;

/** Somebody's VIEW-CHANGE, as it came from its author. */
interface Held {
  readonly content: ViewChange;
  readonly digest: Digest;
}

class MacReplica extends ThreePhaseAgreement<MacContent> {
  protected override readonly attestor = { kind: 'link' } as const;
  readonly #sizes: SelectionSizes;
  /** P: by order. */
  readonly #prepared = new Map<SequenceNumber, OrderClaim>();
  /** Q: by order, one claim for each batch. */
  readonly #proposed = new Map<SequenceNumber, OrderClaim[]>();
  /** By author: its latest VIEW-CHANGE. */
  readonly #held: (Held | undefined)[];
  /** By author: who says to have got which VIEW-CHANGE of it, for the view that is asked for. */
  readonly #acks: Map<ReplicaId, ViewChangeAck>[];
  /** Copies of VIEW-CHANGEs that a NEW-VIEW names and that did not come from their authors; by digest. */
  readonly #copies = new Map<Digest, ViewChange>();
  /** A NEW-VIEW that is not judged yet, and, at the primary, the own one of the present view. */
  #waiting: Sealed<MacContent> | undefined;
  #ownNewView: Sealed<MacContent> | undefined;
  #newViewSaid: View = 0;
  /** How the present view was entered; undefined: view 0. */
  #entered: Entered | undefined;
  readonly #enteredByOthers: EnteredViews;
  /** By order: who says that what was committed. */
  readonly #decided = new Map<SequenceNumber, Map<ReplicaId, Digest>>();
  #fetchedAtMs = -1;
  /** By author: the VIEW-CHANGE that was acknowledged last. */
  readonly #acked = new Map<ReplicaId, Digest>();
  /** Who said to hold the checkpoint that the view starts from, and when its state may be asked for again. */
  #holders: readonly ReplicaId[] = [];
  #fetchStateAtMs = 0;
  /** Since when f+1 CHECKPOINTs are known of a state that is not here. */
  #lagsSince: number | undefined;

  constructor(context: ReplicaContext) {
    super(context, new SealedCodec(context, MAC_MESSAGES));
    this.#held = new Array<Held | undefined>(this.n).fill(undefined);
    this.#acks = Array.from({ length: this.n }, () => new Map<ReplicaId, ViewChangeAck>());
    const { quorum, f, window } = this;
    this.#enteredByOthers = new EnteredViews(window);
    this.#sizes = { quorum, weak: f + 1, window, nothing: this.bodies.nullBatch.digest };
  }

  // ---- P and Q -----------------------------------------------------------------------------------------------------

  protected override beforePrepare({ sequence, digest, view }: PrePrepare): readonly StoreEntry[] {
    const prepared = this.#prepared.get(sequence)?.digest;
    const claims = latestClaims(this.#proposed.get(sequence) ?? [], { sequence, digest, view }, prepared);
    this.#proposed.set(sequence, claims);
    return [{ key: STORE_KEY.proposed + String(sequence), value: encodeClaims(claims) }];
  }

  protected override beforeCommit({ sequence, digest, view }: PrePrepare): readonly StoreEntry[] {
    const claim = { sequence, digest, view };
    this.#prepared.set(sequence, claim);
    return [{ key: STORE_KEY.prepared + String(sequence), value: encodeClaims([claim]) }];
  }

  /** Nobody can be shown what somebody else said. */
  protected override proofOf(): readonly Sealed<MacContent>[] {
    return [];
  }

  override decisionProof(sequence: SequenceNumber): readonly Sealed<MacContent>[] {
    const decision = this.decisions.get(sequence);
    return decision === undefined
      ? []
      : [this.unvouched({ kind: 'DECIDED', sequence, digest: decision.digest })];
  }

  /** Who lacks COMMITs of replicas that do not help it believes f+1 that had a quorum of them: one is correct. */
  #onDecided(from: ReplicaId, { sequence, digest }: Decided): void {
    if (!this.inWindow(sequence) || this.decisions.get(sequence)?.digest === digest) return;
    let claims = this.#decided.get(sequence);
    if (claims === undefined) this.#decided.set(sequence, (claims = new Map()));
    claims.set(from, digest);
    const alike = [...claims].filter(([, claimed]) => claimed === digest).map(([replica]) => replica);
    if (!this.rule('PBFT-MAC.DECIDED', alike.length > this.f)) return;
    this.decide(sequence, { digest, proof: [], sources: alike });
  }

  protected override onStable(sequence: SequenceNumber): void {
    super.onStable(sequence);
    for (const known of [...this.#decided.keys()]) if (known <= sequence) this.#decided.delete(known);
    const gone: StoreEntry[] = [];
    for (const [map, key] of [
      [this.#prepared, STORE_KEY.prepared],
      [this.#proposed, STORE_KEY.proposed],
    ] as const)
      for (const known of [...map.keys()]) {
        if (known > sequence) continue;
        map.delete(known);
        gone.push({ key: key + String(known), value: undefined });
      }
    this.desk.store(gone);
  }

  protected override isObsolete(message: Sealed<MacContent>): boolean {
    const { content } = message;
    // Nobody else can show it: the latest one stays for those that lag.
    if (content.kind === 'CHECKPOINT') return content.sequence < this.stableSequence;
    if (isOrderContent(content)) return super.isObsolete(message);
    return !('view' in content) || this.isPastView(content.view);
  }

  // ---- view change -------------------------------------------------------------------------------------------------

  protected override onViewMessage(message: Sealed<MacContent>): Intake {
    const { content, author } = message;
    switch (content.kind) {
      case 'VIEW-CHANGE':
        this.#onViewChange(message, content);
        break;
      case 'VIEW-CHANGE-ACK':
        if (content.view >= this.view && content.of < this.n && content.of !== author)
          this.#noteAck(author, content);
        break;
      case 'NEW-VIEW':
        return this.#onNewView(message, content);
      case 'FETCH-VIEW-CHANGE':
        this.#onFetch(author, content);
        break;
      case 'VIEW-CHANGE-COPY':
        this.#onCopy(content);
        break;
      case 'DECIDED':
        this.#onDecided(author, content);
        break;
      case 'ENTERED':
        this.#onEntered(author, content);
        break;
      default:
        break;
    }
    return 'taken';
  }

  protected override startViewChange(view: View): void {
    this.leaveFor(view);
    const above = (claim: OrderClaim): boolean => claim.sequence > this.stableSequence;
    const inOrder = (a: { sequence: SequenceNumber }, b: { sequence: SequenceNumber }): number =>
      a.sequence - b.sequence;
    const stable = {
      sequence: this.stableSequence,
      digest: this.stable?.checkpoint.stateDigest ?? ZERO_DIGEST,
    };
    const later = [...this.boundaries.values()]
      .filter(({ sequence }) => sequence > stable.sequence)
      .map(({ sequence, stateDigest: digest }) => ({ sequence, digest }));
    const content: ViewChange = {
      kind: 'VIEW-CHANGE',
      view,
      low: stable.sequence,
      checkpoints: [stable, ...later].sort(inOrder),
      prepared: [...this.#prepared.values()].filter(above).sort(inOrder),
      proposed: [...this.#proposed.values()].flat().filter(above).sort(inOrder),
    };
    this.say(content, this.attestor);
  }

  #onViewChange(message: Sealed<MacContent>, content: ViewChange): void {
    const { author, digest } = message;
    const known = this.#held[author];
    if ((known !== undefined && known.content.view >= content.view) || content.view < this.view) return;
    if (!this.rule('PBFT-MAC.VC2', isWellFormed(this.#sizes, content), 'VIEW-CHANGE')) return;
    this.#held[author] = { content, digest };
    this.votes.note(author, content.view);
    if (author === this.self) {
      // After a restart the own wish is found in the log.
      if (content.view > this.view) this.leaveFor(content.view);
      return;
    }
  }

  #noteAck(from: ReplicaId, ack: ViewChangeAck): void {
    const acks = this.#acks[ack.of]!;
    if ((acks.get(from)?.view ?? 0) < ack.view) acks.set(from, ack);
  }

  /** Replicas other than its author that are known to have had this VIEW-CHANGE from it. */
  #witnesses(of: ReplicaId, digest: Digest): ReplicaId[] {
    const witnesses: ReplicaId[] = [];
    for (const [replica, ack] of this.#acks[of]!) if (ack.digest === digest) witnesses.push(replica);
    return witnesses;
  }

  /** Who fetched a state has no certificate to show: its own word counts with those of the others. */
  protected override onInstalled(sequence: SequenceNumber): void {
    const state = this.boundaries.get(sequence);
    if (state !== undefined) this.sayCheckpoint(state);
  }

  /** Says which VIEW-CHANGEs for the view that is asked for have come from their authors. */
  #acknowledge(): void {
    if (this.mode !== 'changing') return;
    for (const [of, held] of this.#held.entries()) {
      if (of === this.self || held?.content.view !== this.view || this.#acked.get(of) === held.digest)
        continue;
      this.#acked.set(of, held.digest);
      this.say({ kind: 'VIEW-CHANGE-ACK', view: this.view, of, digest: held.digest }, this.attestor);
    }
  }

  protected override considerViewChange(): void {
    this.#acknowledge();
    this.#startFromBase();
    this.#catchUp();
    if (this.#waiting !== undefined) this.#judge(this.#waiting);
    if (!this.joinAndWait()) return;
    if (this.isPrimary && this.#newViewSaid < this.view) this.#sayNewView();
  }

  /** Step 3: S, the VIEW-CHANGEs that 2f+1 replicas are known to have alike (author, witnesses, this one). */
  #certain(): (Claimed & { readonly digest: Digest })[] {
    const certain: (Claimed & { readonly digest: Digest })[] = [];
    for (const [author, held] of this.#held.entries()) {
      if (held === undefined || held.content.view !== this.view) continue;
      const others = this.#witnesses(author, held.digest).filter((replica) => replica !== this.self);
      const known = author === this.self ? this.quorum : others.length + 2;
      if (this.rule('PBFT-MAC.VC3', known >= this.quorum)) certain.push({ author, ...held });
    }
    return certain;
  }

  #sayNewView(): void {
    const certain = this.#certain();
    const selection = select(this.#sizes, certain);
    const missing = selection?.proposals.filter(
      ({ digest }) => this.bodies.need(digest, this.#vouching(certain, digest)) === undefined,
    );
    if (!this.rule('PBFT-MAC.VC4', missing?.length === 0)) return;
    this.#newViewSaid = this.view;
    const from = certain.map(({ author: replica, digest }) => ({ replica, digest }));
    this.say({ kind: 'NEW-VIEW', view: this.view, from, ...selection! }, this.attestor);
  }

  #vouching(changes: readonly Claimed[], digest: Digest): ReplicaId[] {
    return changes
      .filter(({ content }) => content.proposed.some((claim) => claim.digest === digest))
      .map(({ author }) => author);
  }

  #onNewView(message: Sealed<MacContent>, { view, from }: NewView): Intake {
    if (this.isPastView(view)) return 'taken';
    const isPrimary = message.author === this.primaryOf(view);
    const names = from.map(({ replica }) => replica);
    const isOrdered = names.every((replica, index) => replica < this.n && replica > (names[index - 1] ?? -1));
    if (!this.rule('PBFT-MAC.VC5.primary', isPrimary && isOrdered, 'NEW-VIEW')) return 'taken';
    // A view that nobody has asked for yet holds no other up.
    if (view > this.view) return 'later';
    this.#waiting = message;
    return 'taken';
  }

  /** Step 5: the same VIEW-CHANGEs, the same answer. */
  #judge(message: Sealed<MacContent>): void {
    const content = message.content as NewView;
    if (this.isPastView(content.view)) {
      this.#waiting = undefined;
      return;
    }
    const claimed = this.#collect(content);
    if (claimed === undefined) return;
    this.#waiting = undefined;
    const selection = select(this.#sizes, claimed);
    if (this.rule('PBFT-MAC.VC5.same', isSameStart(selection, content), 'NEW-VIEW'))
      this.#enter(message, content, claimed);
    else if (content.view === this.view && this.mode === 'changing') this.startViewChange(content.view + 1);
  }

  /** The VIEW-CHANGEs that a NEW-VIEW names; undefined: some are lacking, and asked for. */
  #collect({ from, view }: NewView): Claimed[] | undefined {
    const claimed = new Map<ReplicaId, ViewChange>();
    let lacking = false;
    for (const { replica: author, digest } of from) {
      const held = this.#held[author];
      const copy = this.#copies.get(digest);
      const direct = held?.digest === digest ? held.content : undefined;
      const vouched =
        copy !== undefined &&
        this.rule('PBFT-MAC.VC5.copy', this.#witnesses(author, digest).length >= this.f + 1);
      const content = direct ?? (vouched ? copy : undefined);
      if (content?.view === view) claimed.set(author, content);
      else lacking = true;
    }
    if (!lacking) return [...claimed].map(([author, content]) => ({ author, content }));
    this.#fetch(from);
    return undefined;
  }

  #fetch(from: NewView['from']): void {
    if (this.desk.now < this.#fetchedAtMs + this.timers.gapMs) return;
    this.#fetchedAtMs = this.desk.now;
    this.desk.wakeAt('views', this.desk.now + this.timers.gapMs);
    for (const { replica: of, digest } of from) {
      if (this.#held[of]?.digest === digest || this.#copies.has(digest)) continue;
      for (const peer of this.peers.keys())
        if (peer !== this.self) this.tell(peer, { kind: 'FETCH-VIEW-CHANGE', of, digest });
    }
  }

  #onFetch(from: ReplicaId, { of, digest }: FetchViewChange): void {
    const held = this.#held[of];
    if (held?.digest !== digest) return;
    const size = 48 * (held.content.prepared.length + held.content.proposed.length);
    if (this.peers[from]!.spend(size)) this.tell(from, { kind: 'VIEW-CHANGE-COPY', of, copy: held.content });
  }

  #onCopy({ of, copy }: ViewChangeCopy): void {
    if (of >= this.n || !isWellFormed(this.#sizes, copy)) return;
    const { digest } = this.codec.encodeContent(of, copy);
    const named = (this.#waiting?.content as NewView | undefined)?.from ?? [];
    if (named.some((one) => one.replica === of && one.digest === digest)) this.#copies.set(digest, copy);
  }

  #enter(
    message: Sealed<MacContent>,
    { view, checkpoint, proposals }: NewView,
    claimed: readonly Claimed[],
  ): void {
    const { sequence, digest } = checkpoint;
    const holds = ({ content }: Claimed): boolean =>
      content.checkpoints.some((claim) => claim.sequence === sequence && claim.digest === digest);
    this.#holders = claimed.filter(holds).map(({ author }) => author);
    this.#ownNewView = message.author === this.self ? message : undefined;
    const entered = { kind: 'ENTERED', view, checkpoint, proposals } as const;
    this.#startFrom(entered, (batch) => this.#vouching(claimed, batch));
  }

  /** Whoever comes too late for the VIEW-CHANGEs follows f+1 that have entered the view alike: one of them is correct. */
  #onEntered(from: ReplicaId, claim: Entered): void {
    if (this.isPastView(claim.view) || !this.#enteredByOthers.note(from, claim)) return;
    const alike = this.#enteredByOthers.alike(claim);
    if (!this.rule('PBFT-MAC.ENTERED', alike.length > this.f)) return;
    this.#holders = alike;
    this.#ownNewView = undefined;
    this.#startFrom(claim, () => alike);
  }

  #startFrom(entered: Entered, sourcesOf: (digest: Digest) => readonly ReplicaId[]): void {
    this.desk.store([{ key: STORE_KEY.entered, value: this.codec.encodeList([this.unvouched(entered)]) }]);
    this.#copies.clear();
    this.#waiting = undefined;
    this.#take(entered, sourcesOf);
    this.#enteredByOthers.dropThrough(entered.view);
    this.enterView(entered.view);
  }

  #take(entered: Entered, sourcesOf: (digest: Digest) => readonly ReplicaId[]): void {
    this.#entered = entered;
    const { view, checkpoint, proposals } = entered;
    this.takeBase(view, {
      low: checkpoint.sequence,
      end: proposals.at(-1)?.sequence ?? checkpoint.sequence,
      proposals: new Map(proposals.map(({ sequence, digest }) => [sequence, digest])),
      sources: new Map(proposals.map(({ digest }) => [digest, sourcesOf(digest)])),
    });
  }

  /** Nothing at or below the checkpoint is proposed again: it is here, or it is fetched from those that hold it. */
  #startFromBase(): void {
    const { low } = this.base;
    if (low <= this.stableSequence || this.busy || this.#entered === undefined) return;
    const checkpoint = { sequence: low, stateDigest: this.#entered.checkpoint.digest };
    if (this.boundaries.get(low)?.stateDigest === checkpoint.stateDigest) {
      this.makeStable({ checkpoint, messages: [] });
      return;
    }
    if (this.desk.now < this.#fetchStateAtMs) return this.desk.wakeAt('views', this.#fetchStateAtMs);
    this.#fetchStateAtMs = this.desk.now + this.timers.statusMs;
    this.fetchState(checkpoint, this.#holders);
  }

  /**
   * f+1 equal CHECKPOINTs name a state that a correct replica has: who cannot get there by itself fetches it (the rest of
   * a quorum may be faulty, and what was stable once cannot be shown).
   */
  #catchUp(): void {
    const known = this.checkpoints.certificateAbove(this.executed, this.f + 1);
    if (!this.rule('PBFT-MAC.CKPT', known !== undefined) || this.busy) {
      if (known === undefined) this.#lagsSince = undefined;
      return;
    }
    this.#lagsSince ??= this.desk.now;
    const due = this.#lagsSince + 4 * this.timers.statusMs;
    if (due > this.desk.now) return this.desk.wakeAt('views', due);
    this.#lagsSince = undefined;
    this.fetchState(
      known!.checkpoint,
      known!.messages.map(({ author }) => author),
    );
  }

  /** Own words only: the primary says the NEW-VIEW again, everybody how it entered. */
  override newViewProof(): readonly Sealed<MacContent>[] {
    const entered = this.#entered === undefined ? [] : [this.unvouched(this.#entered)];
    return this.#ownNewView === undefined ? entered : [this.#ownNewView, ...entered];
  }

  // ---- restart -----------------------------------------------------------------------------------------------------

  protected override restore(stored: ReadonlyMap<string, Uint8Array>): void {
    for (const [key, value] of stored) {
      const claims =
        key.startsWith(STORE_KEY.prepared) || key.startsWith(STORE_KEY.proposed) ? decodeClaims(value) : [];
      const first = claims[0];
      if (first === undefined) continue;
      if (key.startsWith(STORE_KEY.prepared)) this.#prepared.set(first.sequence, first);
      else this.#proposed.set(first.sequence, claims);
    }
    const bytes = stored.get(STORE_KEY.entered);
    const content = bytes === undefined ? undefined : this.codec.decodeList(bytes)?.[0]?.content;
    if (content?.kind !== 'ENTERED') return;
    this.#take(content, () => []);
    const { sequence, digest } = content.checkpoint;
    // It was made stable without messages that could be shown.
    if (sequence > this.stableSequence && sequence <= this.executed)
      this.stable = { checkpoint: { sequence, stateDigest: digest }, messages: [] };
  }
}

function encodeClaims(claims: readonly OrderClaim[]): Uint8Array {
  return new Writer(64)
    .list(claims, (w, { sequence, digest, view }) => w.u64(sequence).digest(digest).u64(view))
    .finish();
}

function decodeClaims(bytes: Uint8Array): OrderClaim[] {
  const reader = new Reader(bytes);
  const read = (r: Reader): OrderClaim => ({ sequence: r.u64(), digest: r.digest(), view: r.u64() });
  const claims = reader.list(BATCHES_PER_ORDER_MAX + 1, read);
  return reader.done() ? claims : [];
}

/** Makes a replica. Its first input must be `start`. */
export function createMacReplica(context: ReplicaContext): Replica<AttestedMessage<MacContent>> {
  return new MacReplica(context);
}
