/**
 * What every replica does whose messages are attested one by one: what is said when, and what decides, is the protocol's,
 * a class that extends this one. Here are its state, its steps and the timers of views. Its parts: messages of others
 * `inbox`, own ones `own-messages`, what others lack `gossip`, requests `request-desk`, batches `body-desk`, the service
 * at work `service-desk`, decisions that can be shown `decisions`, checkpoints `checkpoint-votes` and
 * `stable-checkpoints`, fetched states `state-fetcher`.
 */
import { assert } from '../../core/assert.ts';
import type { Attestor } from '../../core/attestation.ts';
import type { ClusterLimits, ClusterTimers } from '../../core/config.ts';
import { windowOf } from '../../core/config.ts';
import type {
  CheckpointState,
  Effect,
  Input,
  Recovery,
  Replica,
  ReplicaContext,
  ReplicaInspection,
  StoreEntry,
} from '../../core/protocol.ts';
import { Prng } from '../../core/prng.ts';
import type { Milliseconds, ReplicaId, SequenceNumber, Verified, View } from '../../core/types.ts';
import { Backoff } from '../backoff.ts';
import { BodyDesk } from './body-desk.ts';
import type { CheckpointCertificate } from './checkpoint-votes.ts';
import { CheckpointVotes, restoreStable, stableEntries } from './checkpoint-votes.ts';
import { contradiction, Decisions, keepsContradiction } from './decisions.ts';
import { Desk } from './desk.ts';
import { Gossip } from './gossip.ts';
import type { AttestedOptions, Decision, Execution, Intake } from './hooks.ts';
import { ProtocolHooks } from './hooks.ts';
import { Inbox } from './inbox.ts';
import { inspectAttested } from './inspection.ts';
import { OWN_LOG_DAMAGED, OwnMessages } from './own-messages.ts';
import { Peer } from './peers.ts';
import { RequestDesk } from './request-desk.ts';
import type { AttestedMessage, Content, Proof, Sealed, SealedCodec, Status } from './sealed.ts';
import { isSealed } from './sealed.ts';
import { ServiceDesk } from './service-desk.ts';
import { StableCheckpoints } from './stable-checkpoints.ts';
import { StateFetcher } from './state-fetcher.ts';

/** Rounds of `settle`; each moves a message, an order or a view, so this many mean a bug of ours. */
const SETTLE_ROUNDS_MAX = 10_000;

/** See the top of this file. */
export abstract class AttestedReplica<C extends Content>
  extends ProtocolHooks<C>
  implements Replica<AttestedMessage<C>>
{
  readonly context: ReplicaContext;
  readonly self: ReplicaId;
  readonly n: number;
  readonly f: number;
  readonly limits: ClusterLimits;
  readonly timers: ClusterTimers;
  /** L. */
  readonly window: number;
  // ---- its parts
  readonly codec: SealedCodec<C>;
  readonly desk: Desk<AttestedMessage<C>>;
  readonly own: OwnMessages<C>;
  readonly peers: readonly Peer<C>[];
  readonly bodies: BodyDesk<AttestedMessage<C>>;
  readonly requests: RequestDesk<AttestedMessage<C>>;
  readonly checkpoints: CheckpointVotes<C>;
  readonly backoff: Backoff;
  readonly prng: Prng;
  readonly #gossip: Gossip<C>;
  readonly #inbox: Inbox<C>;
  readonly #stableCheckpoints: StableCheckpoints<C>;
  readonly #fetcher: StateFetcher<C>;
  readonly #service: ServiceDesk<C>;
  // ---- its state
  #started = false;
  /** Stopped for good: inputs are ignored. */
  halted = false;
  /** The view that this replica takes part in, or asks for while it is changing. */
  view: View = 0;
  mode: 'active' | 'changing' = 'active';
  /** Highest sequence number that the service has executed here. */
  executed: SequenceNumber = 0;
  /** Latest stable checkpoint, with the messages that prove it; undefined: genesis. */
  stable: CheckpointCertificate<C> | undefined;
  /** Own states at executed boundaries above the stable checkpoint. */
  readonly boundaries = new Map<SequenceNumber, CheckpointState>();
  /** Messages of peers that came. */
  heard = 0;
  /** When an order was executed here last, or a view left or entered. */
  progressAtMs: Milliseconds = 0;
  startedAtMs: Milliseconds = 0;
  executedAtMs: Milliseconds = 0;
  /** What is decided above the stable checkpoint. */
  readonly decisions: Decisions<C>;

  constructor(context: ReplicaContext, options: AttestedOptions<C>) {
    super();
    const { settings, self, seed } = context;
    this.context = context;
    this.self = self;
    this.n = settings.members.length;
    this.f = settings.f;
    this.limits = settings.limits;
    this.timers = settings.timers;
    this.window = windowOf(settings.limits);
    this.codec = options.codec;
    this.desk = new Desk(context);
    this.own = new OwnMessages(this.desk, this.codec);
    this.peers = settings.members.map(() => new Peer<C>());
    this.decisions = new Decisions(this.desk, this.codec);
    this.bodies = new BodyDesk(this.desk);
    this.requests = new RequestDesk(this.desk);
    this.checkpoints = new CheckpointVotes(this.n, options.checkpointQuorum);
    this.backoff = new Backoff(settings.timers.backoffCapMs, settings.limits.checkpointInterval);
    this.prng = new Prng(seed);
    this.#gossip = new Gossip(this);
    this.#inbox = new Inbox(this, (message, from) => this.#offer(message, from));
    this.#stableCheckpoints = new StableCheckpoints(this);
    this.#fetcher = new StateFetcher(this, this.#stableCheckpoints);
    this.#service = new ServiceDesk(this);
  }

  // ---- what it knows -----------------------------------------------------------------------------------------------

  get stableSequence(): SequenceNumber {
    return this.stable?.checkpoint.sequence ?? 0;
  }

  /** Highest sequence number that can never be undone here. */
  get confirmed(): SequenceNumber {
    return this.executed;
  }

  /** Whether a sequence number lies in the window (h, h+L]. */
  inWindow(sequence: SequenceNumber): boolean {
    return sequence > this.stableSequence && sequence <= this.stableSequence + this.window;
  }

  primaryOf(view: View): ReplicaId {
    return view % this.n;
  }

  get primary(): ReplicaId {
    return this.primaryOf(this.view);
  }

  get isPrimary(): boolean {
    return this.primary === this.self;
  }

  /** Something is being executed, or a state fetched: neither may be mixed with a rollback. */
  get busy(): boolean {
    return this.#service.busy || this.#fetcher.active;
  }

  /** The state that is being fetched, if one is. */
  get fetching(): StateFetcher<C>['fetching'] {
    return this.#fetcher.fetching;
  }

  /** Request deadline as it is now. */
  get requestDelay(): Milliseconds {
    return this.backoff.delay(this.timers.requestMs);
  }

  inspect(now: Milliseconds, brief = false): ReplicaInspection {
    return inspectAttested(this, now, brief);
  }

  // ---- what it says ------------------------------------------------------------------------------------------------

  /** Asks for a word on a content; it comes back through `onSealed` and then leaves. `entries` are durable before. */
  say(content: C, by: Attestor, entries: readonly StoreEntry[] = []): void {
    this.desk.store(entries);
    this.own.say(content, by);
  }

  /** Tells one replica something that nobody vouches for and that is not sent again. */
  tell(to: ReplicaId, content: C): void {
    this.desk.send(to, this.unvouched(content));
  }

  /** A message of this replica that nobody vouches for. */
  protected unvouched(content: C): Sealed<C> {
    const encoded = this.codec.encodeContent(this.self, content);
    const word = { kind: 'link', replica: this.self } as const;
    return this.codec.complete(0, this.self, content, encoded, word);
  }

  /** Records the outcome of a rule; gives it back. */
  rule(rule: string, passed: boolean, about?: string): boolean {
    return this.desk.rule(rule, passed, about);
  }

  /** Stops for good, with a sentence on what is wrong and what to do. */
  halt(reason: string): void {
    this.halted = true;
    this.desk.emit({ kind: 'halt', reason });
  }

  /** For the parts of this folder: whether an own message is meant for a replica. */
  isFor(to: ReplicaId, message: Sealed<C>): boolean {
    return this.audience(message.content)?.includes(to) ?? true;
  }

  // ---- views -------------------------------------------------------------------------------------------------------

  setMode(mode: 'active' | 'changing'): void {
    this.mode = mode;
    this.desk.mode = mode;
  }

  /** Leaves the view (or an attempt at one) for a higher one. */
  leaveFor(view: View): void {
    this.view = view;
    this.setMode('changing');
    this.desk.cancelTimer('newView');
    this.progressAtMs = this.desk.now;
    this.noteProgress();
    this.desk.note('viewChange', { view });
  }

  /** Waits for the view that was asked for; to be called once enough replicas ask for it (decision E8). */
  awaitNewView(): void {
    if (!this.desk.isArmed('newView'))
      this.desk.setTimerAt('newView', this.desk.now + this.backoff.delay(this.timers.newViewMs));
  }

  /** Takes part in a view from now on. */
  enterView(view: View): void {
    this.view = view;
    this.progressAtMs = this.desk.now;
    this.setMode('active');
    this.desk.cancelTimer('newView');
    this.requests.restart(this.requestDelay);
    // What is still needed is asked for again; what only the view before named is not.
    this.bodies.sweep();
    this.own.trim((message) => this.isObsolete(message));
    this.noteProgress();
    this.desk.note('enteredView', { view });
  }

  // ---- orders ------------------------------------------------------------------------------------------------------

  /** What is decided for a sequence number; the first word stands, a second one can only be a broken budget. */
  decide(sequence: SequenceNumber, decision: Decision<C>): void {
    if (sequence <= this.stableSequence || this.decisions.note(sequence, decision)) return;
    this.halt(contradiction(sequence));
  }

  /** What shows a decision to a replica that lacks it; empty if nothing here can. */
  decisionProof(sequence: SequenceNumber, _to: ReplicaId): readonly Sealed<C>[] {
    return this.decisions.get(sequence)?.proof ?? [];
  }

  /** What the service does as `sequence`, once it is known; by default what was decided. */
  protected nextExecution(sequence: SequenceNumber): Execution | undefined {
    const decision = this.decisions.get(sequence);
    if (decision === undefined) return undefined;
    const batch = this.bodies.need(decision.digest, decision.sources);
    if (batch === undefined) return undefined;
    this.decisions.keep(sequence);
    return { kind: 'execute', batch };
  }

  /** Hands the next batch or update to the service; true if there was one. */
  #advance(): boolean {
    if (this.busy) return false;
    const sequence = this.executed + 1;
    const next = this.nextExecution(sequence);
    if (next !== undefined) this.#service.start(sequence, next);
    return next !== undefined;
  }

  #onExecuted(input: Extract<Input<never>, { kind: 'executed' }>): void {
    const { sequence, checkpoint } = input;
    const outcome = this.#service.finish(input);
    if (outcome === 'refused') return this.onRefused(sequence);
    if (outcome === undefined) return;
    this.executedAtMs = this.progressAtMs = this.desk.now;
    this.onExecuted(sequence, input.update);
    if (checkpoint !== undefined) this.sayCheckpoint(checkpoint);
    this.noteProgress();
  }

  /** Undoes speculative executions above `to`. */
  rollBack(to: SequenceNumber): void {
    assert(!this.#service.busy, 'nothing is rolled back while the service works');
    if (to >= this.executed) return;
    this.executed = to;
    for (const sequence of [...this.boundaries.keys()]) if (sequence > to) this.boundaries.delete(sequence);
    this.desk.emit({ kind: 'rollback', to });
    this.desk.note('rollback', { to });
  }

  // ---- checkpoints and states --------------------------------------------------------------------------------------

  /** For the parts of this folder: a CHECKPOINT that was verified before. */
  noteCheckpoint(message: Sealed<C>): void {
    const reading = this.readCheckpoint(message.content);
    if (reading !== undefined) this.checkpoints.add(message, reading.state, reading.key);
  }

  /** Whether what was executed here contains a certified checkpoint, so that it can become stable. */
  reaches({ checkpoint }: CheckpointCertificate<C>): boolean {
    return checkpoint.sequence <= this.confirmed;
  }

  /** For the parts of this folder: a certificate became the stable checkpoint. */
  makeStable(certificate: CheckpointCertificate<C>): void {
    const previous = this.stableSequence;
    this.stable = certificate;
    const { sequence } = certificate.checkpoint;
    this.desk.store(stableEntries(certificate, this.codec));
    this.desk.emit({ kind: 'stable', checkpoint: certificate.checkpoint });
    this.decisions.dropThrough(sequence);
    for (const known of [...this.boundaries.keys()]) if (known < sequence) this.boundaries.delete(known);
    this.checkpoints.dropBelow(sequence);
    this.bodies.dropThrough(previous);
    this.bodies.sweep();
    this.onStable(sequence);
    this.own.trim((message) => this.isObsolete(message));
    this.noteProgress();
  }

  /** Fetches the state that a view starts from; `sources` have it. It becomes the stable checkpoint. */
  fetchState(checkpoint: CheckpointState, sources: readonly ReplicaId[]): void {
    this.#fetcher.fetch(checkpoint, sources);
  }

  /** For the parts of this folder: the state at a checkpoint is here. */
  takeState(checkpoint: CheckpointState): void {
    this.executed = checkpoint.sequence;
    this.boundaries.clear();
    this.boundaries.set(checkpoint.sequence, checkpoint);
    this.bodies.sweep();
    this.onInstalled(checkpoint.sequence);
    this.noteProgress();
  }

  // ---- steps -------------------------------------------------------------------------------------------------------

  step(input: Input<AttestedMessage<C>>, now: Milliseconds): readonly Effect<AttestedMessage<C>>[] {
    this.desk.passTo(now);
    if (this.halted || (!this.#started && input.kind !== 'start')) return [];
    this.#takeIn(input);
    if (!this.halted) this.#settle();
    const effects = this.desk.take();
    if (!this.halted) return effects;
    return effects.filter(
      (effect) => effect.kind === 'halt' || effect.kind === 'note' || keepsContradiction(effect),
    );
  }

  #takeIn(input: Input<AttestedMessage<C>>): void {
    switch (input.kind) {
      case 'start':
        return this.#onStart(input.recovery);
      case 'bundle':
        return this.requests.add(input.bundle, this.requestDelay);
      case 'message':
        return this.#onMessage(input.from, input.message);
      case 'body':
        this.bodies.put(input.batch);
        return this.noteProgress();
      case 'attested':
        return this.#onAttested(this.own.complete(input.id, input.attestation));
      case 'refused':
        return this.onUnsaid(this.own.drop(input.id));
      case 'timeout':
        this.desk.onTimerFired(input.timer);
        return this.#onTimeout(input.timer);
      case 'executed':
        return this.#onExecuted(input);
      case 'installed':
        this.takeProtocolState(input.protocolState);
        return this.#fetcher.onInstalled(input.checkpoint);
      case 'transferFailed':
        return this.#fetcher.onFailed();
      case 'linkUp':
        return this.#gossip.onLinkUp(input.peer);
      case 'clientMessage':
        return this.onClientMessage(input.message);
      case 'asked':
        return this.onAsked(input.sequence, input.bundle);
      case 'sealed':
        return assert(false, 'this protocol asks for no seals');
    }
  }

  #onStart(recovery: Recovery): void {
    if (this.#started) return;
    this.#started = true;
    this.startedAtMs = this.progressAtMs = this.desk.now;
    const contradicted = Decisions.contradicted(recovery.stored);
    if (contradicted !== undefined) return this.halt(contradiction(contradicted));
    this.executed = recovery.executed;
    this.stable = restoreStable(recovery.stored, this.codec);
    if (recovery.checkpoint.sequence > this.stableSequence)
      this.boundaries.set(recovery.checkpoint.sequence, recovery.checkpoint);
    this.#gossip.restore(recovery.stored);
    this.bodies.restore(recovery.stored, this.stableSequence + this.window);
    this.#fetcher.restore(recovery.stored);
    this.decisions.restore(recovery.stored, this.stableSequence);
    this.takeProtocolState(recovery.protocolState);
    this.restore(recovery.stored);
    const own = this.own.restore(recovery.attested ?? [], recovery.attestedThrough);
    if (own === undefined) return this.halt(OWN_LOG_DAMAGED);
    for (const message of own) this.#loopBack(message);
    this.#sayLostCheckpoint(recovery.checkpoint);
    this.#gossip.start();
  }

  /** A boundary may have been executed and its CHECKPOINT not said before the crash. */
  #sayLostCheckpoint(checkpoint: CheckpointState): void {
    const { sequence } = checkpoint;
    if (sequence <= this.stableSequence || this.checkpoints.voters(sequence).includes(this.self)) return;
    this.sayCheckpoint(checkpoint);
  }

  #onAttested(message: Sealed<C>): void {
    const to = this.audience(message.content);
    if (to === undefined) this.desk.broadcast(message);
    else for (const replica of to) this.desk.send(replica, message);
    this.#loopBack(message);
  }

  #loopBack(message: Sealed<C>): void {
    this.noteCheckpoint(message);
    this.onSealed(message, this.self);
  }

  #onMessage(from: ReplicaId, message: Verified<AttestedMessage<C>>): void {
    const peer = this.peers[from];
    if (peer === undefined || from === this.self) return;
    peer.lastHeardMs = this.desk.now;
    this.heard += 1;
    if (isSealed(message)) return this.#inbox.onMessage(from, message);
    const plain: Status | Proof<C> = message;
    if (plain.kind === 'STATUS') return this.#gossip.onStatus(from, plain);
    this.#inbox.onProof(from, plain.messages);
  }

  /** A message of a peer, now or again because it came too early. */
  #offer(message: Sealed<C>, from: ReplicaId): Intake {
    if (!this.fits(message)) return 'taken';
    this.noteCheckpoint(message);
    return this.onSealed(message, from);
  }

  /** Messages that came too early may fit now. */
  noteProgress(): void {
    this.#inbox.noteProgress();
  }

  #onTimeout(timer: string): void {
    if (timer === 'status') return this.#gossip.onTick();
    if (timer === 'newView') {
      if (this.mode !== 'changing') return;
      this.backoff.onExpired();
      return this.onNewViewTimeout();
    }
    // What `request`, `batch`, `bodies` and `lag` are for is found by `settle`.
    this.onTimer(timer);
  }

  #settle(): void {
    for (let round = 0; !this.halted; round += 1) {
      assert(round < SETTLE_ROUNDS_MAX, 'a step comes to an end');
      const held = this.#inbox.offerHeld();
      const stable = this.#stableCheckpoints.consider();
      const moved = this.consider();
      const executes = this.#advance();
      if (!held && !stable && !moved && !executes) break;
    }
    if (this.halted) return;
    this.#fetcher.considerTransfer();
    if (this.mode === 'active' && this.requests.considerDeadlines(this.primary, this.requestDelay))
      this.onOverdue();
    this.bodies.fetch(2 * this.timers.gapMs);
  }
}
