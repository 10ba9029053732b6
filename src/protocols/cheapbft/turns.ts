/**
 * How instances follow each other, and the seam to the fallback: what it wants executed, stored, sealed and fetched is
 * done here, under the numbers of the whole. An instance begins when f+1 replicas certify the state at the end of the
 * last one; who missed that fetches a later certified state, and learns from it which instance runs.
 */
import { Reader, Writer } from '../../core/codec.ts';
import type { CheckpointState, Effect, Input, Recovery, ReplicaContext } from '../../core/protocol.ts';
import type { Batch } from '../../core/request.ts';
import type { Digest, Milliseconds, ReplicaId, SequenceNumber } from '../../core/types.ts';
import { markVerified } from '../../core/types.ts';
import type { CheckpointCertificate } from '../../smr/attested/checkpoint-votes.ts';
import type { Execution, Intake } from '../../smr/attested/hooks.ts';
import { proposalLack } from '../../smr/attested/lack.ts';
import { AttestedReplica } from '../../smr/attested/replica.ts';
import type { AttestedMessage } from '../../smr/attested/sealed.ts';
import type { Lacking } from '../../smr/lack.ts';
import type { UpdateExchange } from '../../smr/passive/exchange.ts';
import { isUpdateContent } from '../../smr/passive/messages.ts';
import { Fallback, NO_CHECKPOINT } from './fallback.ts';
import type { FallbackPort, FallbackRecovery } from './fallback.ts';
import type { TinyJudge } from './history.ts';
import type { FallbackDefinition } from './inner.ts';
import { carriedBy } from './inner.ts';
import type { Instance } from './instances.ts';
import {
  counterAt,
  decodeInstance,
  encodeInstance,
  endOfFallback,
  FIRST_INSTANCE,
  isTiny,
  nextInstance,
} from './instances.ts';
import type { CheapContent, CheapSealed, Draft, Inner, Role } from './messages.ts';
import { CHEAP_MESSAGES, CheapCodec } from './messages.ts';
import type { CheapRule } from './rules.ts';
import type { Words } from './words.ts';

/** Keys of the durable map. */
const KEY = { instance: 'instance', crossed: 'crossed' } as const;
const NO_BYTES = new Uint8Array(0);
/** Keys of a run of the fallback: role and instance, then its own. */
const RUN_KEY = /^(?:switch|order)(\d+)\//;
type CheapMessage = AttestedMessage<CheapContent>;

/** See the top of this file. */
export abstract class CheapTurns extends AttestedReplica<CheapContent> {
  readonly judge: TinyJudge;
  readonly interval: number;
  /** The instance that runs here. */
  instance: Instance = FIRST_INSTANCE;
  readonly #fallback: FallbackDefinition;
  readonly #runs: { switch: Fallback | undefined; order: Fallback | undefined } = {
    switch: undefined,
    order: undefined,
  };
  /** Own sealed messages of the fallback, found in the log at the start. */
  readonly #drafts: CheapSealed[] = [];
  #recovery: Recovery | undefined;
  /** What the state that is here says runs after it. */
  #stateSays: Instance = FIRST_INSTANCE;
  #installing: Uint8Array = NO_BYTES;
  /** Where a fetched state let this replica into the fallback: it has not seen how the fallback got there. */
  #crossed: SequenceNumber | undefined;
  /** What the fallback has decided and wants executed. */
  #wanted: { readonly sequence: SequenceNumber; readonly batch: Batch } | undefined;
  /** State that the fallback wants fetched. */
  #fetching: CheckpointState | undefined;

  constructor(context: ReplicaContext, fallback: FallbackDefinition) {
    super(context, {
      codec: new CheapCodec(context, CHEAP_MESSAGES),
      checkpointQuorum: context.settings.f + 1,
    });
    this.#fallback = fallback;
    this.judge = { n: this.n, f: this.f, window: this.window };
    this.interval = this.limits.checkpointInterval;
  }

  override rule(rule: CheapRule, passed: boolean, about?: string): boolean {
    return super.rule(rule, passed, about);
  }

  /** The instance runs from now on. */
  protected abstract onEntered(): void;
  /** The fallback has ordered a batch that names a history. */
  protected abstract onHistoryOrdered(batch: Batch): void;
  /** Where the present instance ends; undefined: nobody knows yet. */
  abstract endOfTurn(): SequenceNumber | undefined;

  /** What a fallback needs to hear of an input, before the rest of this replica does. */
  protected tellFallbacks(input: Input<CheapMessage>): void {
    const { order } = this.#runs;
    if (input.kind === 'bundle') order?.take(input);
    // Components are those of genesis: a batch with RECOVERs is as good as one with forged requests.
    if (input.kind === 'body' && order !== undefined) {
      const { batch } = input;
      const recoverAuthentic = batch.recovers.map(() => false);
      this.rule('CheapBFT.F2', recoverAuthentic.length === 0, 'body');
      order.take({ kind: 'body', batch: { ...batch, recoverAuthentic } });
    }
    if (input.kind === 'linkUp') for (const run of [order, this.#runs.switch]) run?.take(input);
  }

  override step(input: Input<CheapMessage>, now: Milliseconds): readonly Effect<CheapMessage>[] {
    this.desk.passTo(now);
    if (input.kind === 'start' && this.#recovery === undefined) {
      this.#recovery = input.recovery;
      this.#stateSays = decodeInstance(input.recovery.protocolState) ?? FIRST_INSTANCE;
    }
    if (!this.halted) {
      this.tellFallbacks(input);
      if (input.kind === 'installed') this.#beforeInstalled(input.checkpoint, input.protocolState);
      if (input.kind === 'transferFailed' && this.#fetching?.sequence === input.sequence) {
        this.#fetching = undefined;
        this.#runs.order?.take({ kind: 'transferFailed', sequence: input.sequence - this.instance.low });
      }
    }
    return super.step(input, now);
  }

  // ---- the fallback ------------------------------------------------------------------------------------------------

  /** The run of a role in this instance. */
  protected run(role: Role): Fallback | undefined {
    return this.#runs[role];
  }

  /** Starts the fallback in a role; once for each instance. */
  protected startRun(role: Role, recovery?: FallbackRecovery): Fallback {
    const port: FallbackPort = {
      desk: this.desk,
      say: (content, to) => this.#sayInner(content, to),
      seal: (content) => this.say(content, counterAt(role, content.instance, content.counter)),
      execute: (sequence, batch) => this.#onWish(role, sequence, batch),
      transfer: (checkpoint, sources) => this.#onTransferWish(role, checkpoint, sources),
      onTrimmed: () => this.own.trim((message) => this.isObsolete(message)),
      onListening: () => this.#onListening(role),
      isHeld: (key) => this.bodies.isDurable(key.slice(key.indexOf('/') + 1) as Digest),
    };
    const context = role === 'order' ? this.context : { ...this.context, isExecuted: () => this.isAgreed() };
    const run = new Fallback(this.#fallback, context, { role, instance: this.instance.number }, port);
    this.#runs[role] = run;
    run.start(recovery ?? { stored: new Map(), drafts: [], executed: 0, checkpoint: NO_CHECKPOINT });
    for (const bundle of role === 'order' ? this.requests.pending.bundles() : [])
      run.take({ kind: 'bundle', bundle: markVerified(bundle) });
    return run;
  }

  /** Whether the history of this instance is agreed on. */
  protected abstract isAgreed(): boolean;

  /** After a restart: the fallback goes on where it was. */
  protected resumeRun(role: Role): void {
    const { stored, checkpoint } = this.#recovery!;
    const { number, low } = this.instance;
    const drafts = this.#drafts.filter(
      ({ content }) => content.kind === 'DRAFT' && content.role === role && content.instance === number,
    );
    const isOwnWay = role === 'order' && this.executed !== this.#crossed;
    const boundary = checkpoint.sequence - low;
    this.startRun(role, {
      stored,
      drafts,
      executed: isOwnWay ? this.executed - low : 0,
      checkpoint: isOwnWay && boundary > 0 ? { ...checkpoint, sequence: boundary } : NO_CHECKPOINT,
    });
  }

  #onListening(role: Role): void {
    if (role !== 'order') return;
    this.#wanted = undefined;
    this.#setCrossed(this.executed > this.instance.low ? this.executed : undefined);
  }

  #setCrossed(sequence: SequenceNumber | undefined): void {
    this.#crossed = sequence;
    const value = sequence === undefined ? undefined : new Writer(8).u64(sequence).finish();
    this.desk.store([{ key: KEY.crossed, value }]);
  }

  #sayInner(content: Inner, to: ReplicaId | undefined): void {
    const message = this.unvouched(content);
    if (to === undefined) this.desk.broadcast(message);
    else this.desk.send(to, message);
  }

  protected onInner(content: Inner, from: ReplicaId): Intake {
    const carried = carriedBy(content);
    if (carried === undefined || content.instance !== this.instance.number) return 'taken';
    this.#runs[content.role]?.take({ kind: 'message', from, message: carried.message as never });
    return 'taken';
  }

  protected onDraft(message: CheapSealed, content: Draft): Intake {
    const run = content.instance === this.instance.number ? this.#runs[content.role] : undefined;
    if (run === undefined) this.#drafts.push(message);
    else run.onWord(message.attestation);
    return 'taken';
  }

  protected override onUnsaid(content: CheapContent): void {
    if (content.kind !== 'DRAFT' || content.instance !== this.instance.number) return;
    this.#runs[content.role]?.onUnsaid();
  }

  protected override onTimer(timer: string): void {
    for (const run of [this.#runs.order, this.#runs.switch]) {
      const name = run?.timerOf(timer);
      if (name !== undefined) run!.take({ kind: 'timeout', timer: name });
    }
    this.noteProgress();
  }

  /** The fallback has decided its order `order`. */
  #onWish(role: Role, order: SequenceNumber, batch: Batch): void {
    if (role === 'switch') {
      this.onHistoryOrdered(batch);
      return this.#answer(role, order, undefined);
    }
    const sequence = this.instance.low + order;
    if (sequence <= this.executed) return this.#answer(role, order, this.boundaries.get(sequence));
    const end = endOfFallback(this.instance, this.interval);
    // It runs on so that others can catch up, but nothing of this counts any more.
    if (!this.rule('CheapBFT.F1', sequence <= end)) return;
    this.#wanted = { sequence, batch };
    this.noteProgress();
  }

  #answer(role: Role, sequence: SequenceNumber, reached: CheckpointState | undefined): void {
    const executed = { kind: 'executed', sequence } as const;
    const checkpoint = reached && { ...reached, sequence };
    this.#runs[role]?.take(checkpoint === undefined ? executed : { ...executed, checkpoint });
  }

  #onTransferWish(role: Role, checkpoint: CheckpointState, sources: readonly ReplicaId[]): void {
    const run = this.#runs[role]!;
    const sequence = this.instance.low + checkpoint.sequence;
    if (role === 'order' && sequence <= this.executed)
      return run.take({ kind: 'installed', checkpoint, protocolState: NO_BYTES });
    if (role === 'switch' || this.busy)
      return run.take({ kind: 'transferFailed', sequence: checkpoint.sequence });
    this.#fetching = { sequence, stateDigest: checkpoint.stateDigest };
    this.desk.emit({ kind: 'transfer', checkpoint: this.#fetching, sources });
  }

  // ---- states ------------------------------------------------------------------------------------------------------

  override get busy(): boolean {
    return super.busy || this.#fetching !== undefined;
  }

  /** A state that the fallback asked for is here, or one that others certified. */
  #beforeInstalled(checkpoint: CheckpointState, protocolState: Uint8Array): void {
    this.#installing = protocolState;
    if (this.#fetching?.sequence !== checkpoint.sequence) return;
    this.#fetching = undefined;
    this.takeState(checkpoint);
    // Who is at the end of an instance says so, however it came there: others may need its word to go on.
    if (checkpoint.sequence > this.stableSequence) this.sayCheckpoint(checkpoint);
    const order = checkpoint.sequence - this.instance.low;
    const installed = { ...checkpoint, sequence: order };
    this.#runs.order?.take({ kind: 'installed', checkpoint: installed, protocolState: NO_BYTES });
  }

  protected override onInstalled(_sequence: SequenceNumber): void {
    this.#stateSays = decodeInstance(this.#installing) ?? this.#stateSays;
    this.#wanted = undefined;
  }

  /** Inside its instance the fallback fetches for itself; at its end and beyond, this replica does. */
  override mayFetch({ checkpoint }: CheckpointCertificate<CheapContent>): boolean {
    const run = this.#runs.order;
    if (run === undefined) return true;
    return checkpoint.sequence >= endOfFallback(this.instance, this.interval);
  }

  /** What runs after `sequence`. */
  #after(sequence: SequenceNumber): Instance {
    const end = this.endOfTurn();
    if (end === undefined || sequence < end) return this.instance;
    return nextInstance(this.instance, end, this.interval);
  }

  override get protocolState(): Uint8Array {
    return encodeInstance(this.#after(this.executed + 1));
  }

  protected override nextExecution(sequence: SequenceNumber): Execution | undefined {
    if (isTiny(this.instance)) return super.nextExecution(sequence);
    if (this.#wanted?.sequence !== sequence) return undefined;
    return { kind: 'execute', batch: this.#wanted.batch };
  }

  protected override onExecuted(sequence: SequenceNumber, _update: Uint8Array | undefined): void {
    this.#stateSays = this.#after(sequence);
    if (isTiny(this.instance)) return;
    this.#wanted = undefined;
    this.#answer('order', sequence - this.instance.low, this.boundaries.get(sequence));
  }

  // ---- what it waits for, for people ------------------------------------------------------------------------------

  /** Active replicas of this instance, its leader first. */
  abstract readonly active: readonly ReplicaId[];
  /** What was said about orders of CheapTiny. */
  abstract readonly words: Words;
  /** Valid HISTORYs of this instance, by digest. */
  abstract readonly histories: ReadonlyMap<Digest, unknown>;
  abstract readonly updates: UpdateExchange<CheapContent>;

  override orderLack(sequence: SequenceNumber, isAsked: boolean): Lacking | undefined {
    const { low } = this.instance;
    if (!isTiny(this.instance)) {
      const lacking = this.#runs.order?.lacking();
      return lacking?.sequence === undefined ? lacking : { ...lacking, sequence: low + lacking.sequence };
    }
    const { active, view } = this;
    if (!active.includes(this.self)) return this.updates.lack(sequence, active, isAsked);
    const { has, since } = this.words.about(sequence - low);
    if (has.length > 0)
      return { what: 'COMMIT', view, sequence, needs: active.length, has, among: active, since };
    return isAsked ? proposalLack('PREPARE', { view, sequence }, active[0]!) : undefined;
  }

  /** CheapSwitch: a history of somebody, then the agreement on one, then a checkpoint at its end. */
  override viewLack(): Lacking | undefined {
    const { view, active, histories, checkpoints } = this;
    const end = this.endOfTurn();
    if (end !== undefined && this.executed >= end) {
      const has = checkpoints.votersFrom(end, this.self);
      return {
        what: 'CHECKPOINT',
        sequence: end,
        needs: checkpoints.quorum,
        has,
        among: [...this.peers.keys()],
      };
    }
    if (histories.size === 0 || this.isAgreed())
      return { what: 'HISTORY', view, needs: 1, has: [], among: active };
    const lacking = this.#runs.switch?.lacking();
    if (lacking === undefined) return undefined;
    const { sequence: _order, ...rest } = lacking;
    return rest;
  }

  // ---- turns -------------------------------------------------------------------------------------------------------

  protected override onStable(sequence: SequenceNumber): void {
    const next = this.#stateSays;
    if (next.number <= this.instance.number) return;
    if (this.rule('CheapBFT.S8', sequence >= next.low, 'CHECKPOINT')) this.#enter(next);
  }

  /** After a start: the power may have gone between a stable checkpoint and the turn that it brings. */
  protected resumeTurn(): void {
    this.onStable(this.stableSequence);
    // What a run left behind whose end came by such a turn.
    const ofRuns = [...this.#recovery!.stored.keys()].filter((key) => RUN_KEY.test(key));
    const past = ofRuns.filter((key) => Number(RUN_KEY.exec(key)![1]) !== this.instance.number);
    this.desk.store(past.map((key) => ({ key, value: undefined })));
  }

  #enter(next: Instance): void {
    for (const role of ['switch', 'order'] as const) {
      this.#runs[role]?.end();
      this.#runs[role] = undefined;
    }
    this.instance = next;
    this.#wanted = undefined;
    this.#fetching = undefined;
    this.desk.store([{ key: KEY.instance, value: encodeInstance(next) }]);
    this.#setCrossed(!isTiny(next) && this.executed > next.low ? this.executed : undefined);
    this.onEntered();
    this.enterView(next.number);
    this.desk.note('instance', { instance: next.number, low: next.low, patience: next.patience });
    if (!isTiny(next)) this.startRun('order');
  }

  protected override restore(stored: ReadonlyMap<string, Uint8Array>): void {
    const bytes = stored.get(KEY.instance);
    this.instance = (bytes && decodeInstance(bytes)) ?? FIRST_INSTANCE;
    this.view = this.instance.number;
    const crossed = stored.get(KEY.crossed);
    this.#crossed = crossed && new Reader(crossed).u64();
  }

  override newViewProof(): readonly CheapSealed[] {
    // What leads into an instance is a certified state, which is shown to everybody who lacks it.
    return [];
  }

  protected override onNewViewTimeout(): void {}

  protected override sayCheckpoint({ sequence, stateDigest }: CheckpointState): void {
    this.say({ kind: 'CHECKPOINT', sequence, stateDigest }, { kind: 'host' });
  }

  protected override isObsolete({ content }: CheapSealed): boolean {
    if (content.kind === 'CHECKPOINT') return content.sequence <= this.stableSequence;
    if (isUpdateContent(content)) return true;
    if (content.instance < this.instance.number) return true;
    if (content.kind === 'DRAFT') return content.counter < (this.#runs[content.role]?.trimmedBelow ?? 0);
    if (content.kind !== 'PREPARE' && content.kind !== 'COMMIT') return false;
    return this.instance.low + content.offset <= this.stableSequence;
  }
}
