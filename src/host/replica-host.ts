/**
 * The host of one replica (decision B2): the pure machine between a protocol and the world. It performs effects in
 * order and puts its desks together: write-ahead order (W1 to W6), seals and attestations, recovery, execution, the way
 * of bundles, bodies and replies. `node/` and `sim/` run exactly this; what the simulator tears and loses is what the
 * product runs.
 */
import type { LiveAnswer } from '../core/live.ts';
import { windowOf } from '../core/config.ts';
import type { Domain } from '../core/domain.ts';
import type { Effect, Input, Recovery, Replica, RuleTrace, TimerName } from '../core/protocol.ts';
import type { Height, Milliseconds, ReplicaId, SequenceNumber } from '../core/types.ts';
import type { TrustedIdentity } from '../trusted/contract.ts';
import type { AttestDesk } from './attest-desk.ts';
import { certificateCheckOf, ClientDesk } from './client-desk.ts';
import { ExecutionDesk } from './execution-desk.ts';
import { FaultBook } from './fault-book.ts';
import { JournalImage } from './image.ts';
import { HeaderDesk } from './header-desk.ts';
import { JournalDesk } from './journal-desk.ts';
import type { LinkFrame } from './link-frames.ts';
import { LinkDesk } from './link-desk.ts';
import { LiveTap } from './live-tap.ts';
import type { HostOptions } from './host-options.ts';
import type { ClientLink, StoredImage } from './ports.ts';
import { encodeRecord } from './records.ts';
import { replicaContext } from './replica-context.ts';
import { JUDGE_CALLS_FROM, RequestJudge } from './request-judge.ts';
import { restoreStore } from './restore.ts';
import type { SealDesk } from './seal-desk.ts';
import { hostStatus } from './status.ts';
import type { HostPhase, HostStatus } from './status.ts';
import { StateTransfer } from './transfer.ts';
import { makeAttestDesk, makeSealDesk } from './vouching.ts';
import { WaitBook } from './wait-book.ts';

/** Name of the host's own timer; protocols do not use names that start like this. */
const TRANSFER_TIMER = 'host/transfer';
/** Program of the protocols with one stream of seals; all others have their messages attested one by one. */
const SEALING_PROGRAM = 'usig';
/** Windows of batches whose answers are held, at most. */
const HELD_WINDOWS = 4;

/** See the top of this file. */
export class ReplicaHost<M> {
  readonly #options: HostOptions<M>;
  readonly #replica: Replica<M>;
  readonly #judge: RequestJudge;
  readonly #desk: ClientDesk<M>;
  readonly #links: LinkDesk<M>;
  /** Of protocols with one stream of seals. */
  readonly #seals: SealDesk | undefined;
  /** Of all others. */
  readonly #attests: AttestDesk | undefined;
  readonly #execution: ExecutionDesk;
  readonly #transfer: StateTransfer;
  readonly #image: JournalImage;
  readonly #journal: JournalDesk;
  readonly #headers: HeaderDesk;
  readonly #inputs: Input<M>[] = [];
  readonly #answers: Input<M>[] = [];
  readonly #faults = new FaultBook();
  readonly #tap: LiveTap<M>;
  readonly #waits = new WaitBook();
  #now: Milliseconds = 0;
  #phase: HostPhase = 'new';
  #haltReason: string | undefined;
  #draining = false;
  #transferCount = 0;

  constructor(options: HostOptions<M>) {
    this.#options = options;
    const { self, settings, crypto, executor, ports } = options;
    const domain = { clusterId: settings.clusterId, configurationVersion: settings.configurationVersion };
    this.#tap = new LiveTap({
      life: options.seed.toString(36),
      view: () => this.#replica.inspect(this.#now, true).view,
      height: () => executor.height,
    });
    const onRule = (event: RuleTrace): void => this.#tap.onRule(event);
    const watcher = () => (this.#tap.isJudging ? onRule : undefined);
    const replica = options.definition.createReplica(replicaContext(options, domain, watcher));
    this.#replica = options.wrapReplica === undefined ? replica : options.wrapReplica(replica);
    const observer = {
      ...ports.observer,
      ignored: (reason: string, from: ReplicaId | 'client') => this.#ignore(reason, from),
    };
    const { definition } = options;
    const { hash, verifier } = crypto;
    const halt = (reason: string): void => this.#halt(reason);
    this.#judge = new RequestJudge({ settings, domain, hash, verifier, trusted: ports.trusted, halt });
    this.#desk = new ClientDesk({
      judge: this.#judge,
      give: (input) => this.#give(input),
      self,
      domain,
      hash,
      crypto,
      executor,
      network: ports.network,
      observer,
      certificates: certificateCheckOf(definition, { settings, domain, hash }),
      provesFinal: definition.client?.provesFinal === true,
      onSettled: (since, requests) => this.#waits.note(this.#now - since, requests),
    });
    this.#links = new LinkDesk({
      self,
      settings,
      domain,
      definition,
      crypto,
      executor,
      network: ports.network,
      blocks: ports.blocks,
      tap: this.#tap,
      now: () => this.#now,
      give: (input) => this.#give(input),
      body: (digest) => this.#image.body(digest),
      judge: this.#judge,
      admitForwarded: (bundle, from, then) => this.#desk.admitForwarded(bundle, from, this.#now, then),
      onTransferFrame: (from, frame) => this.#transfer.onFrame(from, frame),
      ignored: (reason, from) => this.#ignore(reason, from),
    });
    this.#journal = new JournalDesk(ports.journal);
    const share = (frame: LinkFrame, to: ReplicaId | undefined): void =>
      this.#links.shareAtLeisure(frame, to);
    this.#headers = new HeaderDesk({ self, domain, crypto, blocks: ports.blocks, share });
    this.#image = new JournalImage(settings.members[self]!.trusted.tcEpoch, ports.bodies);
    this.#execution = this.#makeExecution();
    const vouching = {
      image: this.#image,
      journal: this.#journal,
      give: (input: Input<M>) => this.#give(input),
      halt: (reason: string) => this.#halt(reason),
    };
    if (definition.trustedProgram === SEALING_PROGRAM)
      this.#seals = makeSealDesk(options, {
        ...vouching,
        onStart: ({ standing, identity }) => this.#onSealsReady(standing, identity),
      });
    else this.#attests = makeAttestDesk(options, { ...vouching, onStart: (start) => this.#onReady(start) });
    this.#transfer = this.#makeTransfer(domain);
  }

  #makeTransfer(domain: Domain): StateTransfer {
    const { executor, crypto, ports } = this.#options;
    const { hash } = crypto;
    return new StateTransfer({
      context: { hash, domain },
      executor,
      blocks: ports.blocks,
      send: (to, frame) => this.#links.toPeer(to, frame),
      setTimer: (delayMs) => ports.timers.set(TRANSFER_TIMER, delayMs),
      cancelTimer: () => ports.timers.cancel(TRANSFER_TIMER),
      install: (checkpoint, chunk) => this.#execution.install(checkpoint, chunk),
      complete: (checkpoint) => this.#execution.onTransferred(checkpoint),
      failed: (sequence) => this.#give({ kind: 'transferFailed', sequence }),
      ignored: (reason, from) => this.#ignore(reason, from),
    });
  }

  #makeExecution(): ExecutionDesk {
    const { settings, definition, executor, ports } = this.#options;
    return new ExecutionDesk({
      executor,
      image: this.#image,
      journal: this.#journal,
      snapshots: ports.snapshots,
      headers: this.#headers,
      clients: this.#desk,
      wantsUpdate: definition.makesUpdates === true,
      holdsAnswers: definition.client !== undefined || definition.makesUpdates === true,
      heldMax: HELD_WINDOWS * windowOf(settings.limits),
      snapshotAfterBytes: this.#options.snapshotAfterBytes ?? 0,
      answer: (executed) => this.#answers.push(executed),
      onExecuted: (sequence, outcome, batch) => {
        if (this.#tap.isWatched) this.#tap.onExecuted(sequence, outcome, this.#now, batch);
      },
      onInstalled: (checkpoint) =>
        this.#give({ kind: 'installed', checkpoint, protocolState: executor.protocolState }),
      halt: (reason) => this.#halt(reason),
    });
  }

  /** Starts with what the store holds. Frames that arrive before the trusted component has answered are dropped. */
  start(stored: StoredImage, now: Milliseconds): void {
    this.#enter(now, () => {
      this.#phase = 'starting';
      const bundles = this.#judge.asksComponent ? this.#links.bundlesIn(stored.journal) : [];
      this.#judge.begin(bundles, now, () => {
        if (this.#restore(stored)) this.#vouching.begin();
      });
    });
  }

  /** A frame of a peer; its link authenticates `from`, nothing else. */
  onPeerFrame(from: ReplicaId, bytes: Uint8Array, now: Milliseconds): void {
    this.#enter(now, () => {
      if (this.#phase === 'running') this.#links.onBytes(from, bytes);
    });
  }

  /** A link to a peer is up (again). */
  onPeerUp(peer: ReplicaId, now: Milliseconds): void {
    this.#enter(now, () => {
      if (this.#phase !== 'running') return;
      this.#give({ kind: 'linkUp', peer });
      this.#headers.tellAgain(peer);
    });
  }

  /** A link to a peer is down. What was lost is asked for again later. */
  onPeerDown(peer: ReplicaId, now: Milliseconds): void {
    this.#enter(now, () => this.#links.forget(peer));
  }

  /** A bundle, fast read or certificate of a client whose key its connection has proved. */
  onClientFrame(link: ClientLink, clientKey: Uint8Array, bytes: Uint8Array, now: Milliseconds): void {
    this.#enter(now, () => {
      if (this.#phase !== 'running') return;
      const input = this.#desk.onFrame(link, clientKey, bytes, now);
      if (input !== undefined) this.#give(input);
    });
  }

  /** A client's connection is gone. */
  onClientGone(link: ClientLink): void {
    this.#desk.forget(link);
  }

  onTimer(timer: TimerName, now: Milliseconds): void {
    this.#enter(now, () => {
      if (this.#phase !== 'running') return;
      if (timer === TRANSFER_TIMER) this.#transfer.onTimer();
      else this.#give({ kind: 'timeout', timer });
    });
  }

  /** Everything appended before `sync(token)` is durable. */
  onJournalSynced(token: number, now: Milliseconds): void {
    this.#enter(now, () => this.#journal.onSynced(token));
  }

  /** The snapshot of this checkpoint is durable. */
  onSnapshotStored(sequence: SequenceNumber, now: Milliseconds): void {
    this.#enter(now, () => this.#execution.onSnapshotStored(sequence));
  }

  /** The trusted component's answer to `call(id)`. */
  onTrustedResponse(id: number, response: Uint8Array, now: Milliseconds): void {
    this.#enter(now, () => {
      if (id > JUDGE_CALLS_FROM) this.#judge.onResponse(id, response, now);
      else this.#vouching.onResponse(id, response);
    });
  }

  /** The trusted component does not answer any more: the replica is mute for sealed messages, and says so. */
  onTrustedLost(now: Milliseconds): void {
    this.#enter(now, () => this.#vouching.onLost());
  }

  /** The trusted component answers again. */
  onTrustedBack(now: Milliseconds): void {
    this.#enter(now, () => {
      this.#vouching.onBack();
      this.#judge.onBack();
    });
  }

  /** Height up to which blocks are known to lead to a state that is agreed on; 0 while blocks are being fetched. */
  readonly settledHeight = (): Height => (this.#transfer.active ? 0 : this.#execution.finalHeight);

  /** Who the trusted component said it is; undefined before it answered. */
  get trustedIdentity(): TrustedIdentity | undefined {
    return this.#vouching.identity;
  }

  /** Plain data for `status`, metrics and judges. */
  status(now: Milliseconds): HostStatus {
    return hostStatus({
      ...this.#options,
      phase: this.#phase,
      haltReason: this.#haltReason,
      inspection: this.#phase === 'running' ? this.#replica.inspect(now) : undefined,
      identity: this.#vouching.identity,
      footprint: this.#options.ports.trusted.footprint,
      trustedAnswers: this.#vouching.answers,
      faults: this.#faults,
      waitingBundles: this.#desk.waiting,
      stateTransfers: this.#transferCount,
      rolledBack: this.#execution.undone,
      waits: this.#waits.counts,
      transferring: this.#transfer.active,
      now,
    });
  }

  /** What happened since `cursor`, for those who watch; the replica tells on for five seconds. */
  live(cursor: string, now: Milliseconds): LiveAnswer {
    return this.#tap.answer(cursor, now);
  }

  /** Sizes that must stay bounded: for judges. */
  sizes(): Readonly<Record<'stored' | 'retained' | 'own' | 'executed', number>> {
    const own = this.#image.own.size + this.#image.attested.messages.size;
    return { ...this.#image.sizes, own, executed: this.#image.steps().length };
  }

  get #vouching(): SealDesk | AttestDesk {
    return this.#seals ?? this.#attests!;
  }

  // ---- inputs in, effects out -------------------------------------------------------------------------------------

  /** Every entry from the world: sets the clock, does the work, then lets the protocol run until nothing is left. */
  #enter(now: Milliseconds, work: () => void): void {
    if (this.#phase === 'halted') return;
    this.#now = now;
    work();
    this.#drain();
  }

  #give(input: Input<M>): void {
    this.#inputs.push(input);
  }

  #drain(): void {
    if (this.#draining) return;
    this.#draining = true;
    for (;;) {
      // H5: the answer to `execute` comes before any other input.
      const input = this.#answers.shift() ?? this.#inputs.shift();
      if (input === undefined || this.#phase === 'halted') break;
      if (this.#tap.isWatched) this.#tap.beforeStep(input);
      const effects = this.#replica.step(input, this.#now);
      if (this.#tap.isWatched) this.#tap.afterStep(input, this.#now);
      for (const effect of effects) this.#perform(effect);
      this.#execution.orderSnapshot();
    }
    this.#draining = false;
  }

  #perform(effect: Effect<M>): void {
    const { ports } = this.#options;
    switch (effect.kind) {
      case 'send':
        return this.#links.message(effect.message, effect.to);
      case 'broadcast':
        return this.#links.message(effect.message, undefined);
      case 'seal':
        return this.#seals === undefined ? this.#mixed('seal') : this.#seals.seal(effect);
      case 'attest':
        return this.#attests === undefined ? this.#mixed('attest') : this.#attests.attest(effect);
      case 'trimAttested':
        return this.#attests?.trim(effect.below);
      case 'store':
        for (const { key, value } of effect.entries) this.#image.put(key, value);
        return this.#journal.append(encodeRecord({ kind: 'store', entries: effect.entries }));
      case 'trimLog':
        this.#image.trim(effect.below);
        return this.#journal.append(encodeRecord({ kind: 'trim', below: effect.below }));
      case 'shareBody':
        return this.#links.share({ kind: 'body', bytes: effect.batch.bytes }, effect.to);
      case 'fetchBody':
        return this.#links.fetchBody(effect.digest, effect.from);
      case 'forward':
        return this.#links.share({ kind: 'bundle', bytes: effect.bundle.bytes }, effect.to);
      case 'execute':
        return this.#execution.execute(effect);
      case 'apply':
        return this.#execution.apply(effect);
      case 'confirm':
        return this.#execution.confirm(effect.through);
      case 'rollback':
        return this.#rollback(effect.to);
      case 'answer':
        return this.#execution.giveOut(effect);
      case 'stable':
        return this.#execution.stable(effect.checkpoint);
      case 'transfer':
        this.#transferCount += 1;
        return this.#transfer.begin(effect.checkpoint, effect.sources);
      case 'setTimer':
        return ports.timers.set(effect.timer, effect.delayMs);
      case 'cancelTimer':
        return ports.timers.cancel(effect.timer);
      case 'trustKey':
        return this.#options.crypto.verifier.trust(effect.key);
      case 'accuse':
        return this.#accuse(effect.replica, effect.rule, effect.evidence);
      case 'halt':
        return this.#halt(effect.reason);
      case 'note':
        this.#faults.note(effect.name, effect.detail);
        return ports.observer.note(effect.name, effect.detail);
    }
  }

  /** A protocol uses seals or attestations, as its trusted program says, never both. */
  #mixed(effect: string): void {
    const { name, trustedProgram = 'none' } = this.#options.definition;
    this.#halt(`${name} asked for ${effect}, which its trusted program (${trustedProgram}) does not go with`);
  }

  #rollback(to: SequenceNumber): void {
    this.#execution.rollback(to);
    // What was undone before its answer was taken is as if it had not been.
    const left = this.#answers.filter((input) => input.kind !== 'executed' || input.sequence <= to);
    this.#answers.splice(0, this.#answers.length, ...left);
  }

  // ---- start and end ----------------------------------------------------------------------------------------------

  #restore(stored: StoredImage): boolean {
    const { self, settings, crypto, executor, ports } = this.#options;
    const restored = restoreStore(
      {
        self,
        settings,
        crypto,
        executor,
        image: this.#image,
        blocks: ports.blocks,
        checkBatch: (bytes) => this.#links.checkBatch(bytes),
        hasRegistry: this.#seals !== undefined,
        replay: (step, batch) => this.#execution.replay(step, batch),
      },
      stored,
    );
    if (restored.kind === 'damaged') {
      const way = this.#seals === undefined ? 'state transfer' : 'state transfer and RECOVER';
      const advice = `Wipe this replica's store (never its keys) and start it again: it re-joins by ${way}.`;
      this.#halt(`the store of replica ${self} is damaged: ${restored.what}. ${advice}`);
      return false;
    }
    this.#execution.onRestored(restored.snapshot);
    return true;
  }

  #onSealsReady(standing: Recovery['standing'], identity: TrustedIdentity): void {
    const ownLog = standing === 'keeper' ? this.#image.certifiedLog(this.#options.self) : [];
    if (ownLog === undefined) return this.#halt('the own log has a hole that triage did not see');
    const { recover } = this.#image;
    const { tcEpoch } = identity;
    this.#onReady({ standing, tcEpoch, ownLog, ...(recover === undefined ? {} : { recover }) });
  }

  #onReady(start: Pick<Recovery, 'standing' | 'tcEpoch'> & Partial<Recovery>): void {
    const { executor } = this.#options;
    this.#phase = 'running';
    this.#give({
      kind: 'start',
      recovery: {
        ownLog: [],
        ...start,
        stored: this.#image.stored,
        executed: executor.executed,
        checkpoint: executor.checkpoint,
        protocolState: executor.protocolState,
      },
    });
  }

  #halt(reason: string): void {
    this.#phase = 'halted';
    this.#haltReason = reason;
    this.#inputs.length = 0;
    this.#answers.length = 0;
    this.#options.ports.observer.fatal(reason);
  }

  #accuse(replica: ReplicaId, rule: string, evidence: Uint8Array): void {
    if (!this.#faults.accuse(replica, rule, this.#now)) return;
    this.#options.ports.observer.evidence(replica, rule, evidence);
  }

  #ignore(reason: string, from: ReplicaId | 'client'): void {
    this.#faults.ignore(reason);
    if (this.#tap.isWatched && from !== 'client') this.#tap.onIgnored(reason);
    this.#options.ports.observer.ignored(reason, from);
  }
}

/** Makes a host. */
export function createReplicaHost<M>(options: HostOptions<M>): ReplicaHost<M> {
  return new ReplicaHost(options);
}
