/**
 * One machine of the core fidelity: the protocol's replica on modelled surroundings. It performs effects as H1 to H5 of
 * `core/protocol.ts` ask, and starts by the same triage as the real host; there are no bytes on links and no journal
 * encoding, so a schedule costs little more than the protocol itself.
 */
import { AssertionFailure } from '../../core/assert.ts';
import type {
  CheckpointState,
  Effect,
  Input,
  ProtocolDefinition,
  Recovery,
  Replica,
  RuleTrace,
} from '../../core/protocol.ts';
import type { Batch } from '../../core/request.ts';
import { decodeBatch, decodeBundle } from '../../core/request.ts';
import type { Prng } from '../../core/prng.ts';
import { markVerified } from '../../core/types.ts';
import type { Digest, Milliseconds, ReplicaId, SequenceNumber, View } from '../../core/types.ts';
import type { ReplyGroup } from '../../ledger/contract.ts';
import type { Chance } from '../chance.ts';
import { SITE } from '../chance.ts';
import type { EventQueue } from '../event-queue.ts';
import type { Judge } from '../judge.ts';
import type { Machine, MachineLook } from '../machine.ts';
import type { CoreDisk } from './disk.ts';
import type { CoreFrame, CoreReply } from './frame.ts';
import type { CoreGenesis } from './genesis.ts';
import { KeyRing, SEAL_BYTES } from './seal-book.ts';
import type { SealBook } from './seal-book.ts';
import type { FrozenService } from './service.ts';
import { CoreService } from './service.ts';
import { restoreMachine, triageMachine } from './startup.ts';
import type { JournalImage } from '../../host/image.ts';
import { Timers } from './timers.ts';
import { CoreTransfer } from './transfer.ts';
import type { TransferAnswer } from './transfer.ts';
import type { CoreTrusted } from './trusted.ts';

/** What a note says. */
type Detail = Readonly<Record<string, string | number | boolean>>;

/** What a machine is made of. */
export interface CoreMachineOptions<M extends object> {
  readonly id: ReplicaId;
  readonly genesis: CoreGenesis;
  readonly definition: ProtocolDefinition<M>;
  readonly book: SealBook<M>;
  /** Every batch whose seals were looked at, by digest; shared by all machines. */
  readonly batches: Map<Digest, Batch>;
  readonly trusted: CoreTrusted;
  readonly trustedLatency: { readonly lowMs: number; readonly highMs: number };
  readonly disk: CoreDisk;
  readonly queue: EventQueue;
  readonly chance: Chance;
  readonly random: Prng;
  readonly judge: Judge;
  readonly isCorrect: boolean;
  /** What its clock shows when virtual time is 0. */
  readonly epochMs: Milliseconds;
  readonly toPeer: (to: ReplicaId, frame: CoreFrame<M>) => void;
  readonly toClient: (client: number, reply: CoreReply) => void;
  /** Asks another machine for its state at a checkpoint; the world knows who is up and reachable. */
  readonly askState: (source: ReplicaId, checkpoint: CheckpointState) => TransferAnswer;
  readonly note: (replica: ReplicaId, name: string, detail: Detail) => void;
  readonly onExecuted?: (replica: ReplicaId, sequence: SequenceNumber, digest: string) => void;
  readonly trace?: (event: RuleTrace) => void;
  readonly wrapReplica?: (replica: Replica<M>) => Replica<M>;
}

type SealEffect = Extract<Effect<never>, { kind: 'seal' }>;

/** A seal that was asked for and is not given yet. */
interface OpenSeal {
  readonly wish: SealEffect;
  /** Records that must be durable first. */
  readonly length: number;
  readonly syncedAt: number;
  /** When the component does its work: half-way between question and answer. */
  readonly certifiesAt: number;
}

/** Everything that a crash takes. */
interface Running<M> {
  readonly replica: Replica<M>;
  readonly service: CoreService;
  readonly image: JournalImage;
  readonly ring: KeyRing;
}

/** See the top of this file. */
export class CoreMachine<M extends object> implements Machine<CoreFrame<M>> {
  readonly #options: CoreMachineOptions<M>;
  readonly #timers: Timers;
  readonly #transfer: CoreTransfer;
  #running: Running<M> | undefined;
  #phase: 'down' | 'starting' | 'running' | 'halted' = 'down';
  #life = 0;
  #paused = false;
  #deferred: (() => void)[] = [];
  readonly #inputs: Input<M>[] = [];
  readonly #answers: Input<M>[] = [];
  #draining = false;
  #open: OpenSeal | undefined;
  #installing: CheckpointState | undefined;
  #lastProtocolState: Uint8Array | undefined;
  #stable: SequenceNumber = 0;
  #fatal: string | undefined;
  /** What others would decode from the frames of a Byzantine machine. */
  readonly #decoded = new WeakMap<M, { readonly message: M | undefined }>();
  readonly #clients = new Map<string, number>();
  amnesic = false;
  restarts = 0;
  stateTransfers = 0;
  /** Inputs that its replica worked on, in all lives. */
  steps = 0;

  constructor(options: CoreMachineOptions<M>) {
    this.#options = options;
    const { id, queue, chance } = options;
    this.#timers = new Timers(queue, (timer) => this.#enter(() => this.#give({ kind: 'timeout', timer })));
    this.#transfer = new CoreTransfer({
      self: id,
      queue,
      chance,
      ask: (source, checkpoint) => options.askState(source, checkpoint),
      executed: () => this.#running?.service.executed ?? 0,
      install: (state) => this.#enter(() => this.#install(state)),
      failed: (sequence) => this.#enter(() => this.#give({ kind: 'transferFailed', sequence })),
    });
  }

  get id(): ReplicaId {
    return this.#options.id;
  }

  get isCorrect(): boolean {
    return this.#options.isCorrect;
  }

  get isUp(): boolean {
    return this.#phase !== 'down';
  }

  get clock(): Milliseconds {
    return Math.floor(this.#options.epochMs + this.#options.queue.now);
  }

  get fatal(): string | undefined {
    return this.#fatal;
  }

  // ---- life -------------------------------------------------------------------------------------------------------

  start(): void {
    if (this.#phase !== 'down') return;
    this.#life += 1;
    if (this.#life > 1) this.restarts += 1;
    this.#phase = 'starting';
    const { queue, chance, trustedLatency, id, definition, genesis, random, book, trace, wrapReplica } =
      this.#options;
    const inner = definition.createReplica({
      self: id,
      settings: genesis.settings,
      domain: genesis.domain,
      hash: genesis.hash,
      isExecuted: (bundle) => this.#running!.service.isExecuted(bundle),
      signAsHost: (digest) => book.signAsHost(id, digest),
      seed: random.u32(),
      ...(trace === undefined ? {} : { trace }),
    });
    const replica = wrapReplica === undefined ? inner : wrapReplica(inner);
    const life = this.#life;
    const answersAt = chance.range(SITE.trusted, id, trustedLatency.lowMs, trustedLatency.highMs);
    queue.after(answersAt, () => {
      if (life === this.#life) this.#startWith(replica);
    });
  }

  #startWith(replica: Replica<M>): void {
    const { id, genesis, trusted, disk, batches } = this.#options;
    const service = new CoreService(genesis.settings.limits.checkpointInterval);
    const ring = new KeyRing();
    const { journal: image, snapshot } = disk.image();
    this.#running = { replica, service, image, ring };
    this.#lastProtocolState = undefined;
    const restored = restoreMachine(
      { id, genesis, image, service, ring, snapshot },
      (sequence, digest, state) => {
        const bytes = image.body(digest);
        const batch = bytes === undefined ? undefined : (batches.get(digest) ?? this.#checkBatch(bytes));
        if (batch?.digest !== digest) return false;
        this.#apply(sequence, batch, state ?? service.protocolState, false);
        return true;
      },
    );
    if (!restored) return this.#halt(`the store of replica ${id} is damaged`);
    this.#lastProtocolState = service.protocolState;
    this.#follow(triageMachine(id, genesis, trusted, image, service));
  }

  #follow(triage: ReturnType<typeof triageMachine>): void {
    const { id, book, trusted, disk, queue } = this.#options;
    const { image, ring } = this.#running!;
    if (triage.kind === 'refuse') return this.#halt(triage.reason);
    if (triage.kind === 'continue') {
      for (const { counter } of triage.completed) {
        const { tcEpoch } = image;
        disk.append({ kind: 'certificate', tcEpoch, counter, authenticator: SEAL_BYTES });
      }
      const spoken = image.certifiedThrough() > 0;
      return this.#begin(image.recover === undefined || spoken ? 'keeper' : 'recovering');
    }
    this.#onNote('renewing', { reason: triage.reason });
    if (triage.kind === 'renew') trusted.lose();
    const { tcEpoch } = trusted.key;
    const recover = triage.recoverRequest((digest) => book.signAsHost(id, digest));
    image.renew(tcEpoch, recover);
    disk.append({ kind: 'renewed', tcEpoch, recover });
    ring.trust(trusted.key);
    const { length } = disk;
    const life = this.#life;
    queue.after(disk.syncDoneAt() - queue.now, () => {
      if (life !== this.#life) return;
      disk.markSynced(length);
      this.#begin('recovering');
    });
  }

  #begin(standing: Recovery['standing']): void {
    const { service, image } = this.#running!;
    const ownLog = standing === 'keeper' ? image.certifiedLog(this.id) : [];
    if (ownLog === undefined) return this.#halt('the own log has a hole that triage did not see');
    this.#phase = 'running';
    const { recover } = image;
    const recovery: Recovery = {
      standing,
      ...(recover === undefined ? {} : { recover }),
      tcEpoch: this.#options.trusted.key.tcEpoch,
      stored: image.stored,
      ownLog,
      executed: service.executed,
      checkpoint: service.checkpoint,
      protocolState: service.protocolState,
    };
    this.#enter(() => this.#give({ kind: 'start', recovery }));
  }

  crash(): void {
    if (this.#phase === 'down') return;
    const { queue, disk, trusted } = this.#options;
    const open = this.#open;
    if (open !== undefined) {
      // A crash may fall before, between or after the sync of the intent and the work of the component.
      if (queue.now >= open.syncedAt) disk.markSynced(open.length);
      if (queue.now >= open.certifiesAt) trusted.certify(open.wish.digest);
    }
    this.#open = undefined;
    this.#running = undefined;
    this.#phase = 'down';
    this.#life += 1;
    this.#paused = false;
    this.#deferred = [];
    this.#inputs.length = 0;
    this.#answers.length = 0;
    this.#installing = undefined;
    this.#stable = 0;
    this.#timers.clear();
    this.#transfer.stop();
    this.#clients.clear();
    disk.crash();
  }

  pause(paused: boolean): void {
    if (this.#phase === 'down') return;
    this.#paused = paused;
    if (paused) return;
    const waiting = this.#deferred;
    this.#deferred = [];
    for (const action of waiting) action();
  }

  #halt(reason: string): void {
    const { id, judge, isCorrect, note } = this.#options;
    this.#phase = 'halted';
    this.#fatal = reason;
    this.#inputs.length = 0;
    this.#answers.length = 0;
    if (isCorrect) judge.report('start', `replica ${id} halted: ${reason}`);
    note(id, 'fatal', { reason });
  }

  // ---- looks ------------------------------------------------------------------------------------------------------

  look(): MachineLook | undefined {
    const running = this.#running;
    if (running === undefined || this.#phase === 'starting') return undefined;
    const { service, replica } = running;
    const inspection = replica.inspect(this.clock);
    return {
      view: inspection.view,
      mode: inspection.mode,
      phase: this.#phase,
      sequence: service.executed,
      stable: inspection.stable,
      headerHash: service.history,
      waitsFor: inspection.waitsFor ?? null,
      peers: inspection.peers,
    };
  }

  sizes(): Readonly<Record<string, number>> {
    if (this.#running === undefined) return {};
    const { stored, retained, own, executed } = this.#running.image;
    return { stored: stored.size, retained: retained.size, own: own.size, executed: executed.length };
  }

  // ---- what arrives -----------------------------------------------------------------------------------------------

  onPeerFrame(from: ReplicaId, frame: CoreFrame<M>): void {
    this.#enter(() => {
      if (this.#phase === 'running') this.#take(from, frame);
    });
  }

  onPeerUp(peer: ReplicaId): void {
    this.#enter(() => {
      if (this.#phase === 'running') this.#give({ kind: 'linkUp', peer });
    });
  }

  onPeerDown(_peer: ReplicaId): void {
    // Links of this fidelity have no state of their own.
  }

  onClientFrame(client: number, _key: Uint8Array, frame: CoreFrame<M>): void {
    if (frame.kind !== 'bundle') return;
    const { bundle } = frame;
    this.#enter(() => {
      if (this.#phase !== 'running') return;
      if (!this.#options.book.isAuthentic(bundle)) return this.#ignore('invalidClientSeal', 'client');
      const { service } = this.#running!;
      this.#clients.set(String(bundle.session), client);
      if (service.isExecuted(bundle)) return this.#reply(client, service.results(bundle), 0);
      this.#give({ kind: 'bundle', bundle: markVerified(bundle) });
    });
  }

  #take(from: ReplicaId, frame: CoreFrame<M>): void {
    const { book } = this.#options;
    switch (frame.kind) {
      case 'protocol': {
        const verdict = book.judge(frame.message, this.#running!.ring);
        if (verdict !== 'valid')
          return this.#ignore(verdict === 'invalid' ? 'invalidSeal' : 'unknownKey', from);
        return this.#give({ kind: 'message', from, message: markVerified(frame.message) });
      }
      case 'body':
        return this.#give({ kind: 'body', batch: frame.batch });
      case 'bundle': {
        if (this.#running!.service.isExecuted(frame.bundle)) return;
        if (!book.isAuthentic(frame.bundle)) return this.#ignore('invalidClientSeal', from);
        return this.#give({ kind: 'bundle', bundle: markVerified(frame.bundle), forwardedBy: from });
      }
      case 'fetchBody':
        return this.#sendBody(from, frame.digest);
    }
  }

  #sendBody(to: ReplicaId, digest: Digest): void {
    const bytes = this.#running!.image.body(digest);
    if (bytes === undefined) return;
    const batch = this.#options.batches.get(digest) ?? this.#checkBatch(bytes);
    if (batch !== undefined) this.#toPeer(to, { kind: 'body', batch });
  }

  /** Decodes a body and judges every seal in it, each by itself. */
  #checkBatch(bytes: Uint8Array): Batch | undefined {
    const { book, genesis, batches } = this.#options;
    const { hash, domain, settings } = genesis;
    const batch = decodeBatch(hash, domain, bytes, settings.limits.batchRequestsMax);
    if (batch === undefined) return undefined;
    const checked = {
      ...batch,
      bundleAuthentic: batch.bundles.map((bundle) => book.isAuthentic(bundle)),
      recoverAuthentic: batch.recovers.map((request) => book.isAuthenticRecover(request)),
    };
    batches.set(checked.digest, checked);
    return checked;
  }

  // ---- inputs in, effects out -------------------------------------------------------------------------------------

  /** Lets the machine do something, now or when it is continued; a broken assertion ends it and is reported. */
  #enter(action: () => void): void {
    if (this.#paused) {
      const life = this.#life;
      this.#deferred.push(() => {
        if (life === this.#life) this.#guarded(action);
      });
    } else this.#guarded(action);
  }

  #guarded(action: () => void): void {
    if (this.#running === undefined || this.#phase === 'halted') return;
    try {
      action();
      this.#drain();
    } catch (error) {
      this.#onBroken(error);
    }
  }

  #onBroken(error: unknown): void {
    const { id, judge, isCorrect, note } = this.#options;
    const text =
      error instanceof AssertionFailure ? `assertion: ${error.message}` : String((error as Error).stack);
    // A Byzantine wrapper may bring its own replica into states that no correct one reaches.
    if (isCorrect) judge.report('crash', `replica ${id} stopped: ${text}`);
    else note(id, 'byzantineStopped', { text });
    this.#draining = false;
    this.crash();
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
      if (input === undefined || this.#running === undefined || this.#phase === 'halted') break;
      this.steps += 1;
      for (const effect of this.#running.replica.step(input, this.clock)) this.#perform(effect);
    }
    this.#draining = false;
  }

  #perform(effect: Effect<M>): void {
    const { image, ring } = this.#running!;
    const { disk } = this.#options;
    switch (effect.kind) {
      case 'send':
        return this.#toPeer(effect.to, { kind: 'protocol', message: effect.message });
      case 'broadcast':
        return this.#toAll({ kind: 'protocol', message: effect.message });
      case 'seal':
        return this.#seal(effect);
      case 'store':
        for (const { key, value } of effect.entries) image.put(key, value);
        return disk.append(effect);
      case 'trimLog':
        image.trim(effect.below);
        return disk.append({ kind: 'trim', below: effect.below });
      case 'shareBody':
        this.#options.batches.set(effect.batch.digest, effect.batch);
        return this.#share({ kind: 'body', batch: effect.batch }, effect.to);
      case 'fetchBody':
        return this.#toPeer(effect.from, { kind: 'fetchBody', digest: effect.digest });
      case 'forward':
        return this.#share({ kind: 'bundle', bundle: effect.bundle }, effect.to);
      case 'execute':
        return this.#execute(effect.sequence, effect.batch, effect.protocolState);
      case 'stable':
        return this.#onStable(effect.checkpoint);
      case 'transfer':
        this.stateTransfers += 1;
        return this.#transfer.begin(effect.checkpoint, effect.sources);
      case 'setTimer':
        return this.#timers.set(effect.timer, effect.delayMs);
      case 'cancelTimer':
        return this.#timers.cancel(effect.timer);
      case 'trustKey':
        return ring.trust(effect.key);
      case 'accuse':
        return this.#options.note(this.id, 'evidence', { against: effect.replica, rule: effect.rule });
      case 'halt':
        return this.#halt(effect.reason);
      case 'note':
        return this.#onNote(effect.name, effect.detail);
    }
  }

  #onNote(name: string, detail: Detail): void {
    const { id, judge, isCorrect, note } = this.#options;
    // Invariant 14: an honest disk and a component that keeps its counter never make a replica forget.
    if (name === 'renewing' && isCorrect && !this.amnesic)
      judge.report(
        'start',
        `replica ${id} renews its trusted component after a plain crash: ${String(detail['reason'])}`,
      );
    note(id, name, detail);
  }

  #ignore(reason: string, from: ReplicaId | 'client'): void {
    this.#options.note(this.id, 'ignored', { reason, from });
  }

  // ---- links ------------------------------------------------------------------------------------------------------

  #share(frame: CoreFrame<M>, to: ReplicaId | undefined): void {
    if (to === undefined) this.#toAll(frame);
    else this.#toPeer(to, frame);
  }

  #toPeer(to: ReplicaId, frame: CoreFrame<M>): void {
    if (to === this.id) return;
    const sent = this.isCorrect ? frame : this.#asDecoded(frame);
    if (sent !== undefined) this.#options.toPeer(to, sent);
  }

  #toAll(frame: CoreFrame<M>): void {
    const { id, genesis, toPeer } = this.#options;
    const sent = this.isCorrect ? frame : this.#asDecoded(frame);
    if (sent === undefined) return;
    const { length } = genesis.settings.members;
    for (let to = 0; to < length; to += 1) if (to !== id) toPeer(to, sent);
  }

  /**
   * What others would make of the frame of a Byzantine machine: it may have altered an object and left its digest as it
   * was, which no bytes can do.
   */
  #asDecoded(frame: CoreFrame<M>): CoreFrame<M> | undefined {
    const { definition, genesis } = this.#options;
    const { hash, domain, decoding } = genesis;
    switch (frame.kind) {
      case 'protocol': {
        let known = this.#decoded.get(frame.message);
        if (known === undefined) {
          known = { message: definition.decode(definition.encode(frame.message), decoding) };
          this.#decoded.set(frame.message, known);
        }
        return known.message === undefined ? undefined : { kind: 'protocol', message: known.message };
      }
      case 'body': {
        const batch = this.#checkBatch(frame.batch.bytes);
        return batch === undefined ? undefined : { kind: 'body', batch };
      }
      case 'bundle': {
        const bundle = decodeBundle(hash, domain, frame.bundle.bytes);
        return bundle === undefined ? undefined : { kind: 'bundle', bundle };
      }
      case 'fetchBody':
        return frame;
    }
  }

  // ---- seals ------------------------------------------------------------------------------------------------------

  #seal(wish: SealEffect): void {
    const { disk, queue, chance, trustedLatency, id } = this.#options;
    const { image } = this.#running!;
    if (this.#open !== undefined) return this.#halt('two seals were asked for at once');
    if (wish.tcEpoch !== image.tcEpoch) return this.#halt('a seal was asked for under a retired tcEpoch');
    const { tcEpoch, counter, digest, draft } = wish;
    image.own.set(counter, { counter, digest, draft, authenticator: undefined });
    disk.append({ kind: 'intent', tcEpoch, counter, digest, draft });
    const syncedAt = disk.syncDoneAt();
    const latency = chance.range(SITE.trusted, id, trustedLatency.lowMs, trustedLatency.highMs);
    this.#open = { wish, length: disk.length, syncedAt, certifiesAt: syncedAt + latency / 2 };
    const life = this.#life;
    queue.after(syncedAt + latency - queue.now, () => {
      if (life === this.#life) this.#enter(() => this.#onCertified());
    });
  }

  #onCertified(): void {
    const { disk, trusted } = this.#options;
    const { image } = this.#running!;
    const { wish, length } = this.#open!;
    this.#open = undefined;
    disk.markSynced(length);
    const { tcEpoch, counter } = wish;
    const value = trusted.certify(wish.digest);
    if (trusted.key.tcEpoch !== tcEpoch || value !== counter)
      return this.#halt(`the trusted component certified counter ${value} where ${counter} was expected`);
    image.own.get(counter)!.authenticator = SEAL_BYTES;
    disk.append({ kind: 'certificate', tcEpoch, counter, authenticator: SEAL_BYTES });
    this.#give({ kind: 'sealed', ui: { replica: this.id, tcEpoch, counter, authenticator: SEAL_BYTES } });
  }

  // ---- execution and checkpoints ----------------------------------------------------------------------------------

  #execute(sequence: SequenceNumber, batch: Batch, protocolState: Uint8Array): void {
    const { service } = this.#running!;
    if (this.#installing !== undefined && sequence <= service.executed) {
      // A newer state is installed already; `installed` will move the protocol past this.
      this.#answers.push({ kind: 'executed', sequence });
      return;
    }
    this.#apply(sequence, batch, protocolState, true);
    const { checkpoint } = service;
    this.#answers.push(
      checkpoint.sequence === sequence
        ? { kind: 'executed', sequence, checkpoint }
        : { kind: 'executed', sequence },
    );
  }

  #apply(sequence: SequenceNumber, batch: Batch, protocolState: Uint8Array, live: boolean): void {
    const { service, image } = this.#running!;
    const { disk, judge, isCorrect, id, onExecuted } = this.#options;
    const outcome = service.execute(sequence, batch, protocolState);
    onExecuted?.(id, sequence, batch.digest);
    if (isCorrect) judge.onExecuted(id, sequence, batch, outcome);
    if (!live) return;
    const changed = this.#lastProtocolState !== protocolState;
    this.#lastProtocolState = protocolState;
    const record = { sequence, batch: batch.digest, protocolState: changed ? protocolState : undefined };
    image.executed.push(record);
    disk.append({ kind: 'executed', ...record });
    for (const group of outcome.replies) {
      const client = this.#clients.get(String(group.session));
      if (client !== undefined) this.#reply(client, group, batch.proposedInView);
    }
  }

  #reply(client: number, group: ReplyGroup, view: View): void {
    const { session, results } = group;
    this.#options.toClient(client, { replica: this.id, session, view, results });
  }

  #onStable(checkpoint: CheckpointState): void {
    const { service, image } = this.#running!;
    const state = service.frozen(checkpoint.sequence);
    if (state === undefined) return;
    // Two stable states are kept: somebody may be fetching the older one.
    service.releaseBelow(this.#stable);
    this.#stable = checkpoint.sequence;
    const { disk } = this.#options;
    image.coverThrough(disk.snapshotSequence());
    if (this.#installing === undefined) disk.storeSnapshot(state);
  }

  /** The state at a certified checkpoint, if this machine can give it. */
  stateAt(checkpoint: CheckpointState): FrozenService | undefined {
    const state = this.#phase === 'running' ? this.#running!.service.frozen(checkpoint.sequence) : undefined;
    return state?.stateDigest === checkpoint.stateDigest ? state : undefined;
  }

  #install(state: FrozenService): void {
    const { service, image } = this.#running!;
    const { disk, queue, judge, isCorrect, id } = this.#options;
    const { sequence, stateDigest } = state;
    const checkpoint = { sequence, stateDigest };
    service.install(state);
    if (isCorrect) judge.onInstalled(id, checkpoint);
    this.#lastProtocolState = undefined;
    image.executed = [];
    this.#installing = checkpoint;
    const life = this.#life;
    const durableAt = disk.storeSnapshot(state);
    queue.after(durableAt - queue.now, () => {
      if (life === this.#life) this.#enter(() => this.#onInstalled(checkpoint));
    });
  }

  /** The state is durable: the protocol may build on it (W1). */
  #onInstalled(checkpoint: CheckpointState): void {
    const { service, image } = this.#running!;
    this.#installing = undefined;
    image.coverThrough(checkpoint.sequence);
    this.#give({ kind: 'installed', checkpoint, protocolState: service.protocolState });
  }
}
