/**
 * A CheapBFT replica: CheapTiny among f+1 active replicas while nothing is wrong. On any suspicion it stops, everybody
 * agrees on one history of it by means of the fallback, and the fallback orders for a while.
 */
import { digestToBytes, bytesToDigest } from '../../core/bytes.ts';
import type { Input, Replica, ReplicaContext } from '../../core/protocol.ts';
import type { Batch } from '../../core/request.ts';
import type { Digest, ReplicaId, SequenceNumber, View } from '../../core/types.ts';
import { markVerified } from '../../core/types.ts';
import type { Execution, Intake } from '../../smr/attested/hooks.ts';
import type { AttestedMessage } from '../../smr/attested/sealed.ts';
import { inFlightMaxOf } from '../../smr/batcher.ts';
import { UpdateExchange } from '../../smr/passive/exchange.ts';
import type { UpdateContent } from '../../smr/passive/messages.ts';
import { isUpdateContent } from '../../smr/passive/messages.ts';
import type { JudgedHistory } from './history.ts';
import { isAgreement, judgeHistory, prepareOf, showsPrepare } from './history.ts';
import type { FallbackDefinition } from './inner.ts';
import { activeSet, counterAt, endOfFallback, endOfTiny, isTiny } from './instances.ts';
import type { CheapContent, CheapSealed, Commit, Fetch, History, Prepare } from './messages.ts';
import { namedBy, namingBundle } from './naming.ts';
import { CheapTurns } from './turns.ts';
import { Stall, Words } from './words.ts';

const HOST = { kind: 'host' } as const;
/** Keys of the durable map: histories that this replica stands for, and the digest of the one that was ordered. */
const KEY = { history: 'history/', ordered: 'ordered' } as const;
/** Status periods that a replica is behind before it panics. */
const PATIENCE_PERIODS = 4;
/** Bodies that name histories which are not here, at most. */
const WITHHELD_MAX = 64;
/** See the top of this file. */
export class CheapReplica extends CheapTurns {
  readonly words = new Words();
  /** Own PREPAREs and COMMITs that have their word. */
  readonly #own = new Map<number, CheapSealed>();
  /** Highest offset that this replica asked its counter for, and that it got. */
  #said = 0;
  #given = 0;
  readonly updates = new UpdateExchange<CheapContent>(this, this.f + 1);
  readonly #stall = new Stall();
  #panicked = false;
  #closed = false;
  /** Valid HISTORYs of this instance, by digest. */
  readonly histories = new Map<Digest, JudgedHistory>();
  readonly #proposed = new Set<Digest>();
  readonly #withheld = new Map<Digest, Batch>();
  /** The history that the fallback ordered first; it may not be here yet after a restart. */
  #ordered: Digest | undefined;
  #resumed = false;

  /** Active replicas of this instance, its leader first. */
  get active(): readonly ReplicaId[] {
    return activeSet(this.instance, this.n, this.f);
  }

  /** The history that this instance ends with, once it is agreed on. */
  get chosen(): JudgedHistory | undefined {
    return this.#ordered && this.histories.get(this.#ordered);
  }

  override primaryOf(view: View): ReplicaId {
    return isTiny(this.instance) ? this.active[0]! : view % this.n;
  }

  override get role(): string {
    if (!isTiny(this.instance)) return 'fallback';
    if (this.mode === 'changing') return 'switching';
    return this.active.includes(this.self) ? 'CheapTiny, active' : 'CheapTiny, passive';
  }

  protected override isAgreed(): boolean {
    return this.#ordered !== undefined;
  }

  override endOfTurn(): SequenceNumber | undefined {
    if (!isTiny(this.instance)) return endOfFallback(this.instance, this.interval);
    const { chosen } = this;
    return chosen && endOfTiny(chosen.low + chosen.batches.length, this.interval);
  }

  // ---- messages ----------------------------------------------------------------------------------------------------

  protected override fits(message: CheapSealed): boolean {
    const { content, attestation } = message;
    switch (content.kind) {
      case 'PREPARE':
      case 'COMMIT': {
        const { instance: number } = content;
        const fits = number % 2 === 0 && isAgreement(this.judge, message, { ...this.instance, number });
        return this.rule('CheapBFT.T2.counter', fits, content.kind);
      }
      case 'HISTORY':
        return attestation.kind === 'object';
      case 'CHECKPOINT':
      case 'PANIC':
        return attestation.kind === 'host';
      case 'DRAFT':
        return false;
      default:
        return attestation.kind === 'link';
    }
  }

  protected override audience(content: CheapContent): readonly ReplicaId[] | undefined {
    if (content.kind === 'DRAFT') return [];
    if (content.kind !== 'PREPARE' && content.kind !== 'COMMIT') return undefined;
    const { instance: number } = content;
    return activeSet({ ...this.instance, number }, this.n, this.f).filter((replica) => replica !== this.self);
  }

  protected override onSealed(message: CheapSealed, from: ReplicaId): Intake {
    const { content } = message;
    if (content.kind === 'CHECKPOINT') return 'taken';
    if (content.kind === 'FALLBACK') return this.onInner(content, from);
    if (content.kind === 'DRAFT') return this.onDraft(message, content);
    if (isUpdateContent(content)) return this.#onUpdate(content, from);
    if (content.instance !== this.instance.number || !isTiny(this.instance))
      return content.instance > this.instance.number ? 'later' : 'taken';
    switch (content.kind) {
      case 'PREPARE':
      case 'COMMIT':
        return this.#onAgreement(message, content);
      case 'PANIC':
        return this.#onPanic(message);
      case 'HISTORY':
        return this.#onHistory(message, content);
      case 'FETCH-HISTORY':
        return this.#onFetch(content, from);
    }
  }

  #onAgreement(message: CheapSealed, content: Prepare | Commit): Intake {
    const { offset } = content;
    if (content.kind === 'COMMIT') {
      const shows = showsPrepare(this.judge, content, this.instance);
      if (!this.rule('CheapBFT.T3', shows, 'COMMIT')) return 'taken';
      this.#addWord(content.prepare, offset);
    }
    if (message.author === this.self) {
      this.#own.set(offset, message);
      this.#given = Math.max(this.#given, offset);
      this.#said = Math.max(this.#said, offset);
    }
    const sequence = this.instance.low + offset;
    if (sequence <= this.stableSequence) return 'taken';
    if (!this.inWindow(sequence)) return 'later';
    this.#addWord(message, offset);
    return 'taken';
  }

  #addWord(message: CheapSealed, offset: number): void {
    if (this.inWindow(this.instance.low + offset)) this.words.add(offset, message, this.desk.now);
  }

  // ---- CheapTiny ---------------------------------------------------------------------------------------------------

  protected override consider(): boolean {
    if (!this.#resumed) this.#resume();
    this.updates.consider(isTiny(this.instance) ? this.active : [...this.peers.keys()]);
    if (!isTiny(this.instance)) return false;
    const moved = this.#considerWords();
    if (!this.rule('CheapBFT.T2.running', this.mode === 'active')) {
      this.#considerSwitch();
      return moved;
    }
    this.#agree();
    this.#watchCommits();
    return this.#propose() || moved;
  }

  /** First look after a start: the fallback goes on where it was. */
  #resume(): void {
    this.#resumed = true;
    const { number } = this.instance;
    this.resumeTurn();
    if (this.instance.number !== number) return;
    if (!isTiny(this.instance)) this.resumeRun('order');
    else if (this.#panicked) this.resumeRun('switch');
    this.#said = Math.max(this.#said, this.stableSequence - this.instance.low);
    this.#given = this.#said;
  }

  /**
   * Step 4: every active replica has spoken. One order after the other: who skips a value may have spent it on a HISTORY, and
   * what comes after that is in no history.
   */
  #considerWords(): boolean {
    let moved = false;
    const { active } = this;
    for (const offset of [...this.words.offsets()].sort((a, b) => a - b)) {
      const sequence = this.instance.low + offset;
      if (this.decisions.has(sequence)) continue;
      const words = active.flatMap((replica) => this.words.of(offset, replica) ?? []);
      const isCommitted = words.length === active.length;
      const follows = sequence - 1 <= this.executed || this.decisions.has(sequence - 1);
      if (!this.rule('CheapBFT.T4', isCommitted && follows && this.chosen === undefined)) continue;
      const { batch } = prepareOf(words[0]!).content as Prepare;
      this.decide(sequence, { digest: batch, proof: words.slice(1), sources: active });
      moved = true;
    }
    return moved;
  }

  /** Step 2: an active replica agrees to one offset after the other. */
  #agree(): void {
    const [leader] = this.active;
    if (this.self === leader || !this.active.includes(this.self)) return;
    for (;;) {
      const offset = this.#said + 1;
      const prepare = this.words.of(offset, leader!);
      if (prepare === undefined) return;
      const sequence = this.instance.low + offset;
      const { batch: digest } = prepare.content as Prepare;
      const batch = this.bodies.need(digest, [leader!]);
      const verdict = batch === undefined ? 'early' : this.bodies.judge(batch);
      if (batch === undefined || verdict === 'early') return;
      if (!this.rule('CheapBFT.T2.authentic', verdict === 'good', 'PREPARE')) return this.#panic('badBatch');
      this.bodies.makeDurable(batch, sequence);
      for (const bundle of batch.bundles) this.requests.pending.markProposed(bundle.digest, this.view);
      this.#speak({ kind: 'COMMIT', instance: this.instance.number, offset, prepare });
    }
  }

  /**
   * What this replica has agreed to, or another one has executed, comes here in time, whether or not a client still waits:
   * first what is sent again has its chance.
   */
  #watchCommits(): void {
    const { desk, executed, instance, peers } = this;
    const reported = this.active.map((replica) => peers[replica]!.status?.executed ?? 0);
    const reached = Math.max(instance.low + this.#given, ...reported);
    const since = this.#stall.since(executed, reached, desk.now);
    if (since === undefined || this.busy) return;
    const due = since + this.requestDelay + PATIENCE_PERIODS * this.timers.statusMs;
    if (this.rule('CheapBFT.S1.behind', due > desk.now)) desk.wakeAt('commits', due);
    else this.#panic('behind');
  }

  #speak(content: Prepare | Commit): void {
    this.#said = content.offset;
    this.say(content, counterAt('tiny', content.instance, content.offset));
  }

  /** Step 1. */
  #propose(): boolean {
    if (this.self !== this.active[0]) return false;
    const offset = this.#said + 1;
    const sequence = this.instance.low + offset;
    if (!this.rule('CheapBFT.T1', this.inWindow(sequence))) return false;
    const inFlight = Math.max(0, sequence - 1 - this.executed);
    if (!this.rule('CheapBFT.T1', inFlight < inFlightMaxOf(this.limits))) return false;
    const batch = this.requests.nextBatch(this.view, inFlight);
    if (batch === undefined) return false;
    this.bodies.share(batch, this.active);
    this.bodies.makeDurable(batch, sequence);
    this.#speak({ kind: 'PREPARE', instance: this.instance.number, offset, batch: batch.digest });
    return true;
  }

  protected override nextExecution(sequence: SequenceNumber): Execution | undefined {
    const execution = super.nextExecution(sequence);
    if (execution !== undefined || !isTiny(this.instance)) return execution;
    return this.#fromHistory(sequence) ?? this.#fromUpdates(sequence);
  }

  protected override onExecuted(sequence: SequenceNumber, update: Uint8Array | undefined): void {
    super.onExecuted(sequence, update);
    this.updates.onMoved();
    const tells = isTiny(this.instance) && this.mode === 'active' && this.active.includes(this.self);
    const digest = this.decisions.get(sequence)?.digest;
    if (!tells || update === undefined || digest === undefined) return;
    this.updates.publish(sequence, { digest, bytes: update }, this.active);
  }

  // ---- passive replicas --------------------------------------------------------------------------------------------

  #onUpdate(content: UpdateContent, from: ReplicaId): Intake {
    const counts = isTiny(this.instance) && this.active.includes(from);
    if (content.kind !== 'UPDATE-FETCH' && !counts) return 'taken';
    this.updates.take(from, content);
    const isSame = !this.updates.isContradicted(content, this.active);
    if (!this.rule('CheapBFT.T5.conflict', isSame, 'UPDATE')) this.#panic('conflictingUpdates');
    return 'taken';
  }

  /** Step 5: what all active replicas told alike. */
  #fromUpdates(sequence: SequenceNumber): Execution | undefined {
    const update = this.inWindow(sequence) ? this.updates.next(sequence) : undefined;
    if (!this.rule('CheapBFT.T5.equal', update !== undefined)) return undefined;
    return { kind: 'apply', update: update! };
  }

  protected override onRefused(sequence: SequenceNumber): void {
    this.updates.onRefused(sequence);
  }

  // ---- stopping ----------------------------------------------------------------------------------------------------

  protected override onOverdue(): void {
    if (isTiny(this.instance)) this.#panic('overdue');
  }

  #panic(reason: string): void {
    if (this.mode === 'active') this.desk.note('panic', { instance: this.instance.number, reason });
    this.#abort();
  }

  #onPanic(message: CheapSealed): Intake {
    this.rule('CheapBFT.S1', true, 'PANIC');
    if (message.author === this.self) this.#panicked = true;
    this.#abort();
    return 'taken';
  }

  /** CheapSwitch, step 1: nothing is said any more but the own history. */
  #abort(): void {
    if (!isTiny(this.instance) || this.mode !== 'active') return;
    this.setMode('changing');
    this.noteProgress();
    if (!this.#panicked) {
      this.#panicked = true;
      this.say({ kind: 'PANIC', instance: this.instance.number }, HOST);
    }
    if (this.#resumed) this.startRun('switch');
  }

  // ---- the history -------------------------------------------------------------------------------------------------

  /** Steps 2 to 5: every active replica offers its history; the fallback orders one of them first. */
  #considerSwitch(): void {
    this.#offerHistory();
    const run = this.run('switch');
    if (this.chosen !== undefined || run === undefined) return;
    for (const [digest, history] of this.histories) {
      if (this.#proposed.has(digest) || !this.#isReady(history)) continue;
      this.#proposed.add(digest);
      this.desk.store([{ key: KEY.history + digest, value: this.codec.encodeList([history.message]) }]);
      run.take({ kind: 'bundle', bundle: markVerified(namingBundle(this.context, digest)) });
    }
    for (const batch of [...this.#withheld.values()]) this.#offerBody(batch);
    const isLacking = this.#proposed.size === 0 || this.#withheld.size > 0 || this.#ordered !== undefined;
    if (!isLacking) return;
    this.desk.wakeAt('histories', this.desk.now + this.timers.statusMs);
  }

  protected override onTimer(timer: string): void {
    super.onTimer(timer);
    if (timer !== 'histories' || this.mode !== 'changing' || this.chosen !== undefined) return;
    for (const to of this.peers.keys())
      this.tell(to, { kind: 'FETCH-HISTORY', instance: this.instance.number });
  }

  /** Step 2. */
  #offerHistory(): void {
    if (this.#closed || !this.active.includes(this.self)) return;
    if (!this.rule('CheapBFT.S2', this.#given === this.#said, 'HISTORY')) return;
    const { number, low } = this.instance;
    const from = Math.max(this.stableSequence, low);
    const entries: CheapSealed[] = [];
    for (let offset = from - low + 1; offset <= this.#said; offset += 1) {
      const own = this.#own.get(offset);
      // A store that was lost: others have to provide one.
      if (own === undefined) return;
      entries.push(own);
    }
    this.#closed = true;
    const checkpoints = from > low ? this.stable!.messages : [];
    const value = from - low + entries.length + 1;
    this.say({ kind: 'HISTORY', instance: number, checkpoints, entries }, counterAt('tiny', number, value));
  }

  #onHistory(message: CheapSealed, content: History): Intake {
    if (message.author === this.self) this.#closed = true;
    if (this.histories.has(message.digest)) return 'taken';
    const judged = judgeHistory(this.judge, message, this.instance);
    if (!this.rule('CheapBFT.S3', judged !== undefined, 'HISTORY')) return 'taken';
    this.histories.set(message.digest, judged!);
    for (const checkpoint of content.checkpoints) this.noteCheckpoint(checkpoint);
    this.noteProgress();
    return 'taken';
  }

  #onFetch({ instance }: Fetch, from: ReplicaId): Intake {
    const messages = [...this.histories.values()].map(({ message }) => message);
    if (instance !== this.instance.number || messages.length === 0) return 'taken';
    const bytes = messages.reduce((sum, message) => sum + message.bytes.length, 0);
    if (this.peers[from]?.spend(bytes) === true) this.desk.send(from, { kind: 'PROOF', messages });
    return 'taken';
  }

  /** Whether every batch of a history is here, durable and authentic. */
  #isReady(history: JudgedHistory): boolean {
    let all = true;
    for (const [index, digest] of history.batches.entries()) {
      if (this.bodies.isDurable(digest)) continue;
      const sequence = history.low + index + 1;
      const batch = this.bodies.need(digest, [history.message.author, ...this.active]);
      if (batch !== undefined && this.bodies.judge(batch) === 'good')
        this.bodies.makeDurable(batch, sequence);
      else all = false;
    }
    return this.rule('CheapBFT.S4', all, 'HISTORY');
  }

  protected override tellFallbacks(input: Input<AttestedMessage<CheapContent>>): void {
    if (input.kind === 'body' && namedBy(input.batch) !== undefined) return this.#offerBody(input.batch);
    super.tellFallbacks(input);
  }

  /** The fallback sees a body that names histories when all of them are here and ready: so it agrees to nothing else. */
  #offerBody(batch: Batch): void {
    const run = this.run('switch');
    if (run === undefined || this.#ordered !== undefined) return;
    const isReady = namedBy(batch)!.every((digest) => {
      const history = this.histories.get(digest);
      return history !== undefined && this.#isReady(history);
    });
    if (!isReady) {
      if (this.#withheld.size < WITHHELD_MAX) this.#withheld.set(batch.digest, batch);
      return;
    }
    this.#withheld.delete(batch.digest);
    const recoverAuthentic = batch.recovers.map(() => false);
    const bundleAuthentic = batch.bundles.map(() => true);
    run.take({ kind: 'body', batch: { ...batch, bundleAuthentic, recoverAuthentic } });
  }

  /** Step 5: the first history that was ordered; what comes after it says nothing. */
  protected override onHistoryOrdered(batch: Batch): void {
    const [digest] = namedBy(batch) ?? [];
    if (!this.rule('CheapBFT.S5', this.#ordered === undefined && digest !== undefined)) return;
    this.#ordered = digest!;
    this.#withheld.clear();
    this.desk.store([{ key: KEY.ordered, value: digestToBytes(digest!) }]);
    this.desk.note('history', { instance: this.instance.number, isHere: this.chosen !== undefined });
    this.noteProgress();
  }

  /** The rest of the instance: what the history says, and nothing up to the boundary. */
  #fromHistory(sequence: SequenceNumber): Execution | undefined {
    const { chosen } = this;
    const end = this.endOfTurn();
    if (chosen === undefined || sequence <= chosen.low || sequence > end!) return undefined;
    const digest = chosen.batches[sequence - chosen.low - 1] ?? this.bodies.nullBatch.digest;
    const batch = this.bodies.need(digest, [chosen.message.author, ...this.active]);
    return batch && { kind: 'execute', batch };
  }

  // ---- turns -------------------------------------------------------------------------------------------------------

  protected override onEntered(): void {
    for (const kept of [this.words, this.#own, this.#withheld]) kept.clear();
    this.updates.clear();
    this.#proposed.clear();
    this.#said = 0;
    this.#given = 0;
    this.#panicked = false;
    this.#closed = false;
    this.#ordered = undefined;
    const gone = [KEY.ordered, ...[...this.histories.keys()].map((digest) => KEY.history + digest)];
    this.histories.clear();
    this.desk.store(gone.map((key) => ({ key, value: undefined })));
    if (isTiny(this.instance)) this.#said = this.#given = this.stableSequence - this.instance.low;
  }

  protected override onStable(sequence: SequenceNumber): void {
    const { low } = this.instance;
    this.words.dropThrough(sequence - low);
    for (const offset of [...this.#own.keys()]) if (low + offset <= sequence) this.#own.delete(offset);
    super.onStable(sequence);
  }

  protected override onInstalled(sequence: SequenceNumber): void {
    super.onInstalled(sequence);
    this.updates.onMoved();
  }

  protected override restore(stored: ReadonlyMap<string, Uint8Array>): void {
    super.restore(stored);
    if (!isTiny(this.instance)) return;
    const ordered = stored.get(KEY.ordered);
    this.#ordered = ordered && bytesToDigest(ordered);
    for (const [key, bytes] of stored) {
      const [message] = (key.startsWith(KEY.history) && this.codec.decodeList(bytes)) || [];
      const history = message && judgeHistory(this.judge, message, this.instance);
      if (history !== undefined) this.histories.set(message!.digest, history);
    }
  }
}

/** Makes a replica. Its first input must be `start`. */
export function createCheapReplica(
  context: ReplicaContext,
  fallback: FallbackDefinition,
): Replica<AttestedMessage<CheapContent>> {
  return new CheapReplica(context, fallback);
}
