/**
 * What a replica holds of a history: the view it has entered with its base, the orders since the stable checkpoint, the
 * certificate that it shows when it leaves; how checkpoints become stable under speculation, and what a restart finds.
 */
import type { ReplicaContext } from '../../core/protocol.ts';
import type { SequenceNumber, View } from '../../core/types.ts';
import { encodeState } from '../../smr/attested/checkpoint-votes.ts';
import type { CheckpointCertificate } from '../../smr/attested/checkpoint-votes.ts';
import type { CheckpointReading, Execution } from '../../smr/attested/hooks.ts';
import { AttestedReplica } from '../../smr/attested/replica.ts';
import type { Sealed } from '../../smr/attested/sealed.ts';
import { SealedCodec } from '../../smr/attested/sealed.ts';
import type { Certificate, Judging, StableProof } from './certificates.ts';
import { certificateOf, GENESIS_STABLE, stableProofOf } from './certificates.ts';
import type { Durable, Entered } from './durable.ts';
import { certificateEntry, dropOrders, enteredEntry, readDurable, viewEntry } from './durable.ts';
import type { Link, Position } from './history.ts';
import { GENESIS, History, linkOf } from './history.ts';
import type { Message, OrderReq, ZyzzyvaContent } from './messages.ts';
import { ZYZZYVA_MESSAGES } from './messages.ts';
import type { ZyzzyvaRule } from './rules.ts';

/** See the top of this file. `checkpointQuorum`: equal CHECKPOINTs that make one stable; 2f+1 but in tests. */
export abstract class ZyzzyvaHistories extends AttestedReplica<ZyzzyvaContent> {
  /** 2f+1. */
  readonly quorum: number;
  readonly link: Link;
  readonly judging: Judging;
  /** Last view that was entered; equal to `view` while this replica is active. */
  label: View = 0;
  /** g: what that view began with. */
  base: Position = GENESIS;
  /** From the stable checkpoint on. */
  history: History;
  /** maxCC: of view `label`, of the highest position. */
  certificate: Certificate | undefined;
  stableProof: StableProof = GENESIS_STABLE;
  /** A view that can be entered as soon as the state at its stable checkpoint is here. */
  protected lacksStateFor: View | undefined;
  /** Executed up to here for good. */
  #confirmed: SequenceNumber = 0;
  #entered: Entered | undefined;

  constructor(context: ReplicaContext, checkpointQuorum?: number) {
    const { settings, hash, domain } = context;
    const quorum = settings.members.length - settings.f;
    const enough = checkpointQuorum ?? quorum;
    super(context, { codec: new SealedCodec(context, ZYZZYVA_MESSAGES), checkpointQuorum: enough });
    this.quorum = quorum;
    this.link = linkOf(hash, domain);
    this.history = History.after(this.link, GENESIS);
    this.judging = {
      f: this.f,
      quorum,
      checkpointQuorum: enough,
      window: this.window,
      link: this.link,
      primaryOf: (view) => this.primaryOf(view),
      rule: (rule, passed, about) => this.rule(rule, passed, about),
    };
  }

  override rule(rule: ZyzzyvaRule, passed: boolean, about?: string): boolean {
    return super.rule(rule, passed, about);
  }

  /** The history is another one: what was said and gathered on the old one goes. */
  protected abstract onHistoryReplaced(): void;
  /** After a restart: what the parts above need of the durable map. */
  protected abstract onRestored(durable: Durable): void;

  override get confirmed(): SequenceNumber {
    return this.#confirmed;
  }

  /** Whether this replica takes part in the view that it has entered. */
  get isIn(): boolean {
    return this.mode === 'active';
  }

  protected override nextExecution(sequence: SequenceNumber): Execution | undefined {
    const decision = this.decisions.get(sequence);
    const batch = decision && this.bodies.need(decision.digest, decision.sources);
    return batch && { kind: 'execute', batch, mode: 'speculative' };
  }

  /** What the service executes: the history. Who ordered what in an older view is not known any more. */
  #rebuildDecisions(): void {
    const { history } = this;
    this.decisions.clear();
    for (const [index, digest] of history.digests.entries())
      this.decisions.set(history.start + index + 1, { digest, proof: [], sources: [] });
  }

  // ---- entering a view ---------------------------------------------------------------------------------------------

  /** ENTER.2: takes over a base and undoes what it does not contain; false if that would undo what is final. */
  protected takeOver(next: History, entered: Omit<Entered, 'start' | 'digests'>): boolean {
    const { start, length } = this.history;
    const common = this.history.common(next, this.executed);
    if (!this.rule('Zyzzyva.ACC.4', common >= this.#confirmed)) return false;
    if (common < this.executed) this.rollBack(common);
    this.history = next;
    this.#entered = { ...entered, start: next.upTo(next.start).end, digests: next.digests };
    this.#takeLabel(this.#entered);
    this.desk.store([
      viewEntry(this.codec, this.label),
      enteredEntry(this.codec, this.#entered),
      certificateEntry(this.codec, undefined),
      ...dropOrders(start, length),
    ]);
    this.#rebuildDecisions();
    this.onHistoryReplaced();
    return true;
  }

  #takeLabel({ view, newView, confirms }: Entered): void {
    this.label = view;
    this.base = newView.content.base;
    this.certificate = certificateOf(this.quorum, confirms);
  }

  override newViewProof(): readonly Sealed<ZyzzyvaContent>[] {
    const entered = this.#entered;
    // The certificate comes first: it says which of several NEW-VIEWs is the one.
    return entered === undefined ? [] : [...entered.confirms, entered.newView];
  }

  // ---- stable checkpoints ------------------------------------------------------------------------------------------

  protected override readCheckpoint(content: ZyzzyvaContent): CheckpointReading | undefined {
    if (content.kind !== 'CHECKPOINT') return undefined;
    const { view, sequence, history, stateDigest } = content;
    return { state: { sequence, stateDigest }, key: `${view}/${sequence}/${history}/${stateDigest}` };
  }

  #proofOf({ messages }: CheckpointCertificate<ZyzzyvaContent>): StableProof {
    const proof = stableProofOf(this.judging.checkpointQuorum, messages);
    return this.rule('Zyzzyva.CKPT.3', proof !== undefined, 'CHECKPOINT') ? proof! : GENESIS_STABLE;
  }

  override reaches(certificate: CheckpointCertificate<ZyzzyvaContent>): boolean {
    const proof = this.#proofOf(certificate);
    if (!this.rule('Zyzzyva.CKPT.7', proof.view <= this.label, 'CHECKPOINT')) return false;
    if (proof.length > this.executed || proof.length > this.history.length) return false;
    return this.rule('Zyzzyva.CKPT.6', this.history.has(proof), 'CHECKPOINT');
  }

  override mayFetch(certificate: CheckpointCertificate<ZyzzyvaContent>): boolean {
    const { view } = this.#proofOf(certificate);
    return view <= this.label || view <= (this.lacksStateFor ?? -1);
  }

  protected override onInstalled(sequence: SequenceNumber): void {
    this.#confirmed = sequence;
  }

  /** CKPT.8: only now, and only up to here, is anything final. */
  override makeStable(certificate: CheckpointCertificate<ZyzzyvaContent>): void {
    const proof = this.#proofOf(certificate);
    const { length: sequence } = proof;
    this.stableProof = proof;
    if (this.rule('Zyzzyva.CKPT.8', sequence > this.#confirmed)) {
      this.#confirmed = sequence;
      this.desk.emit({ kind: 'confirm', through: sequence });
    }
    const { start, length } = this.history;
    const isKept = this.history.has(proof);
    // CKPT.6: what does not chain on it can have completed nowhere.
    this.history = isKept ? this.history.from(sequence) : History.after(this.link, proof);
    super.makeStable(certificate);
    this.desk.store(dropOrders(start, isKept ? sequence : length));
    if (isKept) return;
    this.#rebuildDecisions();
    this.onHistoryReplaced();
  }

  // ---- restart -----------------------------------------------------------------------------------------------------

  protected override restore(stored: ReadonlyMap<string, Uint8Array>): void {
    const durable = readDurable(this.codec, stored);
    const { view, entered, certificate, orders } = durable;
    this.stableProof = this.stable === undefined ? GENESIS_STABLE : this.#proofOf(this.stable);
    this.#confirmed = Math.max(this.executed, this.stableProof.length);
    if (entered !== undefined) {
      this.#entered = entered;
      this.#takeLabel(entered);
      this.history = History.after(this.link, entered.start, entered.digests);
    }
    const own = certificateOf(this.quorum, certificate);
    if (own?.view === this.label) this.certificate = own;
    this.view = Math.max(view, this.label);
    this.setMode(this.view === this.label ? 'active' : 'changing');
    for (const order of orders) this.#append(order);
    if (this.history.has(this.stableProof)) this.history = this.history.from(this.stableProof.length);
    else {
      // What came before a fetched state is not on record, and not needed.
      this.history = History.after(this.link, this.stableProof);
      for (const order of orders) this.#append(order);
    }
    this.#takeFetched(stored.get('fetched'));
    // CKPT.7: a state of a later view is of no use before that view is entered.
    if (this.stableProof.view > this.label) {
      this.view = Math.max(this.view, this.stableProof.view);
      this.setMode('changing');
    }
    this.#rebuildDecisions();
    this.onRestored(durable);
  }

  /** A crash may have come between the installation of a state and its becoming the stable checkpoint. */
  #takeFetched(bytes: Uint8Array | undefined): void {
    const messages = (bytes && this.codec.decodeList(bytes)) ?? [];
    const reading = messages[0] && this.readCheckpoint(messages[0].content);
    const proof = stableProofOf(this.judging.checkpointQuorum, messages);
    if (reading === undefined || proof === undefined || this.history.has(proof)) return;
    if (proof.length !== this.executed || proof.length <= this.stableProof.length) return;
    this.stable = { checkpoint: reading.state, messages };
    this.stableProof = proof;
    this.history = History.after(this.link, proof);
    this.desk.store([
      { key: 'stable', value: bytes },
      { key: 'stable-state', value: encodeState(reading.state) },
    ]);
  }

  #append({ content }: Message<OrderReq>): void {
    const { view, sequence, digest, history } = content;
    if (view !== this.label || sequence !== this.history.length + 1) return;
    if (this.link(this.history.end.history, digest) === history)
      this.history = this.history.with(digest, history);
  }

  protected override isObsolete({ content }: Sealed<ZyzzyvaContent>): boolean {
    switch (content.kind) {
      case 'ORDER-REQ':
      case 'SPEC-RESPONSE':
      case 'LOCAL-COMMIT':
      case 'CHECKPOINT':
        return content.view < this.label || content.sequence <= this.stableSequence;
      case 'POM':
        return content.view < this.view;
      // A suspicion that a stable checkpoint has refuted; it may be told anew.
      case 'I-HATE-THE-PRIMARY':
      case 'VIEW-CHANGE':
      case 'NEW-VIEW':
      case 'VIEW-CONFIRM':
        // Those who lag get the proof of the view; these are for the time in which all change.
        return content.view < this.view || (this.isIn && this.stableProof.view === this.label);
      case 'FILL-HOLE':
        return true;
    }
  }
}
