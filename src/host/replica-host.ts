/**
 * The host of one replica (decision B2): the pure machine between a protocol and the world. It performs effects in
 * order, owns the write-ahead order (W1 to W6), the seal queue's outer half, recovery, execution and the way of
 * bundles, bodies and replies. `node/` and `sim/` run exactly this; what the simulator tears and loses is what the
 * product runs.
 */
import { equalBytes } from '../core/bytes.ts';
import type { ClusterSettings } from '../core/config.ts';
import type {
  CheckpointState,
  Effect,
  Input,
  ProtocolDefinition,
  Recovery,
  Replica,
  RuleTrace,
  TimerName,
} from '../core/protocol.ts';
import type { Batch } from '../core/request.ts';
import type { Height, Milliseconds, ReplicaId, SequenceNumber } from '../core/types.ts';
import type { CryptoPort } from '../crypto/port.ts';
import type { LedgerExecutor } from '../ledger/contract.ts';
import type { TrustedIdentity } from '../trusted/contract.ts';
import { ClientDesk } from './client-desk.ts';
import { FaultBook } from './fault-book.ts';
import { JournalImage } from './image.ts';
import { HeaderDesk } from './header-desk.ts';
import { JournalDesk } from './journal-desk.ts';
import type { LinkFrame } from './link-frames.ts';
import { LinkDesk } from './link-desk.ts';
import type { ClientLink, HostPorts, StoredImage } from './ports.ts';
import { encodeRecord } from './records.ts';
import { otherOwnerOf, restoreStore } from './restore.ts';
import { SealDesk } from './seal-desk.ts';
import { encodeSnapshotMeta } from './snapshot-meta.ts';
import { hostStatus } from './status.ts';
import type { HostPhase, HostStatus } from './status.ts';
import { StateTransfer } from './transfer.ts';

/** What a host is made of; complete at construction. */
export interface HostOptions<M> {
  readonly self: ReplicaId;
  readonly settings: ClusterSettings;
  readonly definition: ProtocolDefinition<M>;
  readonly executor: LedgerExecutor;
  readonly crypto: CryptoPort;
  readonly ports: HostPorts;
  /** Seed of the replica's own jitter. */
  readonly seed: number;
  /** Puts something between protocol and host: adversaries in simulations and development clusters, nothing else. */
  readonly wrapReplica?: (replica: Replica<M>) => Replica<M>;
  readonly trace?: (event: RuleTrace) => void;
}

/** Name of the host's own timer; protocols do not use names that start like this. */
const TRANSFER_TIMER = 'host/transfer';

/** See the top of this file. */
export class ReplicaHost<M> {
  readonly #options: HostOptions<M>;
  readonly #replica: Replica<M>;
  readonly #desk: ClientDesk<M>;
  readonly #links: LinkDesk<M>;
  readonly #seals: SealDesk;
  readonly #transfer: StateTransfer;
  readonly #image: JournalImage;
  readonly #journal: JournalDesk;
  readonly #headers: HeaderDesk;
  readonly #inputs: Input<M>[] = [];
  readonly #answers: Input<M>[] = [];
  readonly #faults = new FaultBook();
  #now: Milliseconds = 0;
  #phase: HostPhase = 'new';
  #haltReason: string | undefined;
  #draining = false;
  #stableSequence: SequenceNumber = 0;
  #snapshotSequence: SequenceNumber = 0;
  #snapshotPending: SequenceNumber = 0;
  #snapshotWanted: CheckpointState | undefined;
  #installing: CheckpointState | undefined;
  #lastProtocolState: Uint8Array | undefined;
  #transferCount = 0;

  constructor(options: HostOptions<M>) {
    this.#options = options;
    const { self, settings, crypto, executor, ports } = options;
    const domain = { clusterId: settings.clusterId, configurationVersion: settings.configurationVersion };
    const replica = options.definition.createReplica({
      self,
      settings,
      domain,
      hash: crypto.hash,
      isExecuted: (bundle) => executor.admit(bundle).kind !== 'new',
      signAsHost: (digest) => crypto.hostSigner.sign(digest),
      seed: options.seed,
      ...(options.trace === undefined ? {} : { trace: options.trace }),
    });
    this.#replica = options.wrapReplica === undefined ? replica : options.wrapReplica(replica);
    const observer = {
      ...ports.observer,
      ignored: (reason: string, from: ReplicaId | 'client') => this.#ignore(reason, from),
    };
    const [{ network }, { hash }, { definition }] = [ports, crypto, options];
    const certificates = {
      decode: (bytes: Uint8Array) => definition.decode(bytes, { settings, domain, hash }),
      seals: (message: M) => definition.seals(message),
    };
    this.#desk = new ClientDesk({
      self,
      domain,
      hash,
      crypto,
      executor,
      network,
      observer,
      certificates: definition.client?.certificate === undefined ? undefined : certificates,
    });
    this.#links = new LinkDesk({
      self,
      settings,
      domain,
      definition: options.definition,
      crypto,
      executor,
      network,
      blocks: ports.blocks,
      give: (input) => this.#give(input),
      body: (digest) => this.#image.body(digest),
      admitForwarded: (bundle, from) => this.#desk.admitForwarded(bundle, from),
      onTransferFrame: (from, frame) => this.#transfer.onFrame(from, frame),
      ignored: (reason, from) => this.#ignore(reason, from),
    });
    this.#journal = new JournalDesk(ports.journal);
    const share = (frame: LinkFrame, to: ReplicaId | undefined): void => this.#links.share(frame, to);
    this.#headers = new HeaderDesk({ self, domain, crypto, blocks: ports.blocks, share });
    this.#image = new JournalImage(settings.members[self]!.trusted.tcEpoch);
    this.#seals = new SealDesk({
      self,
      settings,
      crypto,
      image: this.#image,
      trusted: ports.trusted,
      append: (record) => this.#journal.append(record),
      whenSynced: (then) => this.#journal.whenSynced(then),
      onSealed: (ui) => this.#give({ kind: 'sealed', ui }),
      onStart: (result) => this.#onTriaged(result),
      halt: (reason) => this.#halt(reason),
      otherOwner: (identity) => otherOwnerOf(self, settings, executor, this.#image, identity),
      note: (name, detail) => ports.observer.note(name, detail),
    });
    this.#transfer = new StateTransfer({
      context: { hash, domain },
      executor,
      blocks: ports.blocks,
      send: (to, frame) => this.#links.toPeer(to, frame),
      setTimer: (delayMs) => ports.timers.set(TRANSFER_TIMER, delayMs),
      cancelTimer: () => ports.timers.cancel(TRANSFER_TIMER),
      install: (checkpoint, chunk) => this.#install(checkpoint, chunk),
      complete: (checkpoint) => this.#onTransferred(checkpoint),
      failed: (sequence) => this.#give({ kind: 'transferFailed', sequence }),
      ignored: (reason, from) => this.#ignore(reason, from),
    });
  }

  /** Starts with what the store holds. Frames that arrive before the trusted component has answered are dropped. */
  start(stored: StoredImage, now: Milliseconds): void {
    this.#enter(now, () => {
      this.#phase = 'starting';
      if (this.#restore(stored)) this.#seals.begin();
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
    this.#enter(now, () => {
      this.#journal.onSynced(token);
    });
  }

  /** The snapshot of this checkpoint is durable. */
  onSnapshotStored(sequence: SequenceNumber, now: Milliseconds): void {
    this.#enter(now, () => this.#onSnapshotStored(sequence));
  }

  /** The trusted component's answer to `call(id)`. */
  onTrustedResponse(id: number, response: Uint8Array, now: Milliseconds): void {
    this.#enter(now, () => this.#seals.onResponse(id, response));
  }

  /** The trusted component does not answer any more: the replica is mute for sealed messages, and says so. */
  onTrustedLost(now: Milliseconds): void {
    this.#enter(now, () => this.#seals.onLost());
  }

  /** The trusted component answers again. */
  onTrustedBack(now: Milliseconds): void {
    this.#enter(now, () => this.#seals.onBack());
  }

  /** Height up to which blocks are known to lead to a state that is agreed on; 0 while blocks are being fetched. */
  readonly settledHeight = (): Height => (this.#transfer.active ? 0 : this.#options.executor.height);

  /** Who the trusted component said it is; undefined before it answered. */
  get trustedIdentity(): TrustedIdentity | undefined {
    return this.#seals.identity;
  }

  /** Plain data for `status`, metrics and judges. */
  status(now: Milliseconds): HostStatus {
    return hostStatus({
      ...this.#options,
      phase: this.#phase,
      haltReason: this.#haltReason,
      inspection: this.#phase === 'running' ? this.#replica.inspect(now) : undefined,
      identity: this.#seals.identity,
      footprint: this.#options.ports.trusted.footprint,
      trustedAnswers: this.#seals.answers,
      faults: this.#faults,
      waitingBundles: this.#desk.waiting,
      stateTransfers: this.#transferCount,
      transferring: this.#transfer.active,
      now,
    });
  }

  /** Sizes that must stay bounded: for judges. */
  sizes(): Readonly<Record<'stored' | 'retained' | 'own' | 'executed', number>> {
    const { stored, retained, own, executed } = this.#image;
    return { stored: stored.size, retained: retained.size, own: own.size, executed: executed.length };
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
      for (const effect of this.#replica.step(input, this.#now)) this.#perform(effect);
      this.#orderSnapshot();
    }
    this.#draining = false;
  }

  #perform(effect: Effect<M>): void {
    const { ports, definition } = this.#options;
    switch (effect.kind) {
      case 'send':
        return this.#links.toPeer(effect.to, { kind: 'protocol', bytes: definition.encode(effect.message) });
      case 'broadcast':
        return this.#links.toAll({ kind: 'protocol', bytes: definition.encode(effect.message) });
      case 'seal':
        return this.#seals.seal(effect);
      case 'store':
        for (const { key, value } of effect.entries) this.#image.put(key, value);
        return this.#journal.append(encodeRecord({ kind: 'store', entries: effect.entries }));
      case 'trimLog':
        this.#image.trim(effect.below);
        return this.#journal.append(encodeRecord({ kind: 'trim', below: effect.below }));
      case 'shareBody':
        return this.#links.share({ kind: 'body', bytes: effect.batch.bytes }, effect.to);
      case 'fetchBody':
        return this.#links.toPeer(effect.from, { kind: 'fetchBody', digest: effect.digest });
      case 'forward':
        return this.#links.share({ kind: 'bundle', bytes: effect.bundle.bytes }, effect.to);
      case 'execute':
        return this.#execute(effect.sequence, effect.batch, effect.protocolState);
      case 'stable':
        return this.#onStable(effect.checkpoint);
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

  // ---- execution and checkpoints ----------------------------------------------------------------------------------

  #execute(sequence: SequenceNumber, batch: Batch, protocolState: Uint8Array): void {
    if (this.#installing !== undefined && sequence <= this.#options.executor.executed) {
      // A newer state is installed already; `installed` will move the protocol past this.
      this.#answers.push({ kind: 'executed', sequence });
      return;
    }
    this.#applyBatch(sequence, batch, protocolState, true);
    const checkpoint = this.#options.executor.checkpoint;
    const atBoundary = checkpoint.sequence === sequence ? { checkpoint } : {};
    this.#answers.push({ kind: 'executed', sequence, ...atBoundary });
  }

  #applyBatch(sequence: SequenceNumber, batch: Batch, protocolState: Uint8Array, live: boolean): void {
    const { executor } = this.#options;
    const known = this.#lastProtocolState;
    const changed = known === undefined || (known !== protocolState && !equalBytes(known, protocolState));
    this.#lastProtocolState = protocolState;
    const outcome = executor.execute(sequence, batch, protocolState);
    if (live) {
      const record = { sequence, batch: batch.digest, protocolState: changed ? protocolState : undefined };
      this.#image.executed.push(record);
      this.#journal.append(encodeRecord({ kind: 'executed', ...record }));
    }
    if (outcome.block !== undefined) this.#headers.onBlock(outcome.block, live);
    if (!live) return;
    this.#desk.settle(batch.bundles);
    if (outcome.replies.length > 0) this.#desk.answer(outcome.replies, batch.proposedInView);
  }

  #onStable(checkpoint: CheckpointState): void {
    const { executor } = this.#options;
    if (executor.frozen(checkpoint.sequence) === undefined) return;
    // Two stable states are kept: somebody may be fetching the older one.
    executor.releaseBelow(this.#stableSequence);
    this.#stableSequence = checkpoint.sequence;
    // One snapshot at a time; a newer stable checkpoint comes soon enough.
    if (this.#snapshotPending > this.#snapshotSequence || checkpoint.sequence <= this.#snapshotSequence)
      return;
    this.#snapshotWanted = checkpoint;
    this.#snapshotPending = checkpoint.sequence;
  }

  /** A snapshot must not outlive the certificate that lets others fetch it: what the step stored is durable first. */
  #orderSnapshot(): void {
    const wanted = this.#snapshotWanted;
    this.#snapshotWanted = undefined;
    if (wanted !== undefined) this.#journal.whenSynced(() => this.#storeSnapshot(wanted));
  }

  #storeSnapshot(checkpoint: CheckpointState): void {
    const frozen = this.#options.executor.frozen(checkpoint.sequence);
    this.#snapshotPending = frozen === undefined ? this.#snapshotSequence : checkpoint.sequence;
    if (frozen === undefined) return;
    this.#options.ports.snapshots.store(frozen, encodeSnapshotMeta(checkpoint));
  }

  #onSnapshotStored(sequence: SequenceNumber): void {
    this.#snapshotSequence = Math.max(this.#snapshotSequence, sequence);
    this.#image.coverThrough(this.#snapshotSequence);
    if (this.#installing?.sequence === sequence) {
      // The state must be durable before the protocol builds on it (W1), and the journal must not replay older batches.
      const checkpoint = this.#installing;
      this.#installing = undefined;
      this.#compact(() => {
        this.#give({ kind: 'installed', checkpoint, protocolState: this.#options.executor.protocolState });
      });
    } else if (this.#journal.isLarge) {
      this.#compact(() => undefined);
    }
  }

  #compact(then: () => void): void {
    this.#journal.rewrite(this.#image.toRecords(), then);
  }

  #install(checkpoint: CheckpointState, chunk: (index: number) => Uint8Array): boolean {
    if (!this.#options.executor.install(checkpoint, chunk)) return false;
    this.#lastProtocolState = undefined;
    this.#image.executed = [];
    this.#desk.settleAll();
    this.#installing = checkpoint;
    return true;
  }

  /** State is installed and its blocks are here: make it durable, then tell the protocol. */
  #onTransferred(checkpoint: CheckpointState): void {
    if (this.#options.executor.frozen(checkpoint.sequence) === undefined)
      return this.#halt('the installed checkpoint is not kept by the ledger');
    this.#journal.whenSynced(() => this.#storeSnapshot(checkpoint));
  }

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
        replay: (sequence, batch, state) => this.#applyBatch(sequence, batch, state, false),
      },
      stored,
    );
    if (restored.kind === 'damaged') return this.#refuseStore(restored.what);
    this.#snapshotSequence = restored.snapshot;
    this.#snapshotPending = restored.snapshot;
    this.#lastProtocolState = executor.protocolState;
    return true;
  }

  #refuseStore(what: string): boolean {
    this.#halt(
      `the store of replica ${this.#options.self} is damaged: ${what}. Wipe this replica's store (never its keys) and ` +
        'start it again: it re-joins by state transfer and RECOVER.',
    );
    return false;
  }

  #onTriaged(result: { readonly standing: Recovery['standing']; readonly identity: TrustedIdentity }): void {
    const { executor, self } = this.#options;
    const ownLog = result.standing === 'keeper' ? this.#image.certifiedLog(self) : [];
    if (ownLog === undefined) return this.#halt('the own log has a hole that triage did not see');
    this.#phase = 'running';
    const { recover } = this.#image;
    this.#give({
      kind: 'start',
      recovery: {
        standing: result.standing,
        ...(recover === undefined ? {} : { recover }),
        tcEpoch: result.identity.tcEpoch,
        stored: this.#image.stored,
        ownLog,
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
    this.#options.ports.observer.ignored(reason, from);
  }
}

/** Makes a host; see `HostOptions`. */
export function createReplicaHost<M>(options: HostOptions<M>): ReplicaHost<M> {
  return new ReplicaHost(options);
}
