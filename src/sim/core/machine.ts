/**
 * One machine of the core fidelity: the protocol's replica on modelled surroundings. It performs effects as H1 to H5 of
 * `core/protocol.ts` ask, and starts by the same triage as the real host; there are no bytes on links and no journal
 * encoding, so a schedule costs little more than the protocol itself.
 */
import { AssertionFailure } from '../../core/assert.ts';
import type { CheckpointState, Effect, Input, Recovery, Replica } from '../../core/protocol.ts';
import { markVerified } from '../../core/types.ts';
import type { Digest, Milliseconds, ReplicaId } from '../../core/types.ts';
import type { JournalImage } from '../../host/image.ts';
import { SITE } from '../chance.ts';
import type { Machine, MachineLook } from '../machine.ts';
import type { CoreFrame } from './frame.ts';
import { KeyRing, SEAL_BYTES } from './seal-book.ts';
import { CoreSealDesk } from './seal-desk.ts';
import type { FrozenService } from './service.ts';
import { CoreStateDesk } from './state-desk.ts';
import { restoreMachine, triageMachine } from './startup.ts';
import type { CoreMachineOptions, Detail } from './machine-options.ts';
import { Timers } from './timers.ts';
import { CoreTransfer } from './transfer.ts';

/** Everything that a crash takes. */
interface Running<M> {
  readonly replica: Replica<M>;
  readonly state: CoreStateDesk;
  readonly image: JournalImage;
  readonly ring: KeyRing;
}

/** See the top of this file. */
export class CoreMachine<M extends object> implements Machine<CoreFrame<M>> {
  readonly #options: CoreMachineOptions<M>;
  readonly #timers: Timers;
  readonly #transfer: CoreTransfer;
  readonly #desk: CoreSealDesk;
  #running: Running<M> | undefined;
  #phase: 'down' | 'starting' | 'running' | 'halted' = 'down';
  /** Counts starts and crashes; what belongs to an earlier life is dropped. */
  #life = 0;
  #paused = false;
  #deferred: (() => void)[] = [];
  #inputs: Input<M>[] = [];
  #answer: Input<M> | undefined;
  #draining = false;
  #fatal: string | undefined;
  amnesic = false;
  restarts = 0;
  stateTransfers = 0;
  /** Inputs that its replica worked on, in all lives. */
  steps = 0;

  constructor(options: CoreMachineOptions<M>) {
    this.#options = options;
    const { id: self, queue, chance, trusted, disk, trustedLatency: latency } = options;
    this.#timers = new Timers(queue, (timer) => this.#receive({ kind: 'timeout', timer }));
    const onAnswer = (): void => this.#enter(() => this.#onSealAnswer());
    this.#desk = new CoreSealDesk({ self, trusted, latency, disk, queue, chance, onAnswer });
    this.#transfer = new CoreTransfer({
      self,
      queue,
      chance,
      ask: (source, checkpoint) => options.askState(source, checkpoint),
      executed: () => this.#running?.state.service.executed ?? 0,
      install: (state) => this.#enter(() => this.#running?.state.install(state)),
      failed: (sequence) => this.#receive({ kind: 'transferFailed', sequence }),
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
    return this.#options.wall.at(this.#options.queue.now);
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
    const { queue, chance, trustedLatency, id } = this.#options;
    const life = this.#life;
    const answersAt = chance.range(SITE.trusted, id, trustedLatency.lowMs, trustedLatency.highMs);
    queue.after(answersAt, () => {
      if (life === this.#life) this.#startNow();
    });
  }

  #startNow(): void {
    const { id, genesis, definition, trusted, disk, batches, random, seals, trace, wrapReplica } =
      this.#options;
    const { judge, isCorrect } = this.#options;
    if (isCorrect) judge.onStarting(id);
    const { journal: image, snapshot } = disk.image();
    const state = this.#makeState(image);
    const { service } = state;
    const ring = new KeyRing();
    const inner = definition.createReplica({
      self: id,
      settings: genesis.settings,
      domain: genesis.domain,
      hash: genesis.hash,
      isExecuted: (bundle) => service.isExecuted(bundle),
      signAsHost: (digest) => seals.signAsHost(id, digest),
      seed: random.u32(),
      ...(trace === undefined ? {} : { trace }),
    });
    const watched = isCorrect ? judge.watch(id, inner) : inner;
    const replica = wrapReplica === undefined ? watched : wrapReplica(watched);
    this.#running = { replica, state, image, ring };
    const parts = { id, genesis, image, service, ring, snapshot };
    const isWhole = restoreMachine(parts, (sequence, digest, protocolState) => {
      const body = image.body(digest);
      const batch = body && batches.stored(digest, body);
      if (batch !== undefined) state.replay(sequence, batch, protocolState);
      return batch !== undefined;
    });
    if (!isWhole) this.#halt(`the store of replica ${id} is damaged`);
    else this.#follow(triageMachine(id, genesis, trusted, image, service), this.#running);
  }

  #makeState(image: JournalImage): CoreStateDesk {
    const { id, genesis, disk, queue, judge, isCorrect, toClient, onExecuted } = this.#options;
    return new CoreStateDesk({
      id,
      checkpointInterval: genesis.settings.limits.checkpointInterval,
      image,
      disk,
      queue,
      judge,
      isCorrect,
      toClient,
      onExecuted,
      onDurable: (checkpoint) => this.#enter(() => this.#onInstalled(checkpoint)),
    });
  }

  #follow(triage: ReturnType<typeof triageMachine>, { image, ring }: Running<M>): void {
    const { id, seals, trusted, disk, queue } = this.#options;
    if (triage.kind === 'refuse') return this.#halt(triage.reason);
    if (triage.kind === 'continue') {
      const { tcEpoch } = image;
      for (const { counter } of triage.completed)
        disk.append({ kind: 'certificate', tcEpoch, counter, authenticator: SEAL_BYTES });
      const hasSpoken = image.certifiedThrough() > 0;
      return this.#begin(image.recover === undefined || hasSpoken ? 'keeper' : 'recovering');
    }
    this.#onNote('renewing', { reason: triage.reason });
    if (triage.kind === 'renew') trusted.lose();
    const { tcEpoch } = trusted.key;
    const recover = triage.recoverRequest((digest) => seals.signAsHost(id, digest));
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
    const { state, image } = this.#running!;
    const { service } = state;
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
    this.#receive({ kind: 'start', recovery });
  }

  crash(): void {
    if (this.#phase === 'down') return;
    this.#desk.crash();
    this.#running?.state.close();
    this.#running = undefined;
    this.#phase = 'down';
    this.#life += 1;
    this.#paused = false;
    this.#deferred = [];
    this.#inputs = [];
    this.#answer = undefined;
    this.#timers.clear();
    this.#transfer.stop();
    this.#options.judge.onStopped(this.id);
    this.#options.disk.crash();
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
    this.#inputs = [];
    this.#answer = undefined;
    if (isCorrect) judge.report('start', `replica ${id} halted: ${reason}`);
    note(id, 'fatal', { reason });
  }

  // ---- looks ------------------------------------------------------------------------------------------------------

  look(): MachineLook | undefined {
    const running = this.#running;
    if (running === undefined || this.#phase === 'starting') return undefined;
    const { replica, state } = running;
    const { service } = state;
    const { view, mode, stable, waitsFor, peers } = replica.inspect(this.clock);
    return {
      view,
      mode,
      phase: this.#phase,
      sequence: service.executed,
      stable,
      headerHash: service.history,
      waitsFor: waitsFor ?? null,
      peers,
    };
  }

  sizes(): Readonly<Record<string, number>> {
    if (this.#running === undefined) return {};
    const { stored, retained, own, executed } = this.#running.image;
    return { stored: stored.size, retained: retained.size, own: own.size, executed: executed.length };
  }

  /** The state at a certified checkpoint, if this machine can give it. */
  stateAt(checkpoint: CheckpointState): FrozenService | undefined {
    return this.#phase === 'running' ? this.#running!.state.stateAt(checkpoint) : undefined;
  }

  // ---- what arrives -----------------------------------------------------------------------------------------------

  onPeerFrame(from: ReplicaId, frame: CoreFrame<M>): void {
    if (this.#paused) this.#enter(() => this.#take(from, frame));
    else this.#take(from, frame);
  }

  onPeerUp(peer: ReplicaId): void {
    this.#receive({ kind: 'linkUp', peer });
  }

  onPeerDown(_peer: ReplicaId): void {
    // Links of this fidelity have no state of their own.
  }

  onClientFrame(client: number, _key: Uint8Array, frame: CoreFrame<M>): void {
    if (frame.kind !== 'bundle') return;
    const { bundle } = frame;
    this.#enter(() => {
      if (this.#phase !== 'running') return;
      if (!this.#options.seals.isAuthentic(bundle)) return this.#ignore('invalidClientSeal', 'client');
      if (this.#running!.state.admit(client, bundle))
        this.#receive({ kind: 'bundle', bundle: markVerified(bundle) });
    });
  }

  #take(from: ReplicaId, frame: CoreFrame<M>): void {
    if (this.#phase !== 'running') return;
    const { seals } = this.#options;
    const { ring, state } = this.#running!;
    switch (frame.kind) {
      case 'protocol': {
        const verdict = seals.judge(frame, ring);
        if (verdict === 'valid')
          return this.#receive({ kind: 'message', from, message: markVerified(frame.message) });
        return this.#ignore(verdict === 'invalid' ? 'invalidSeal' : 'unknownKey', from);
      }
      case 'body':
        return this.#receive({ kind: 'body', batch: frame.batch });
      case 'bundle':
        if (state.service.isExecuted(frame.bundle)) return;
        if (!seals.isAuthentic(frame.bundle)) return this.#ignore('invalidClientSeal', from);
        return this.#receive({ kind: 'bundle', bundle: markVerified(frame.bundle), forwardedBy: from });
      case 'fetchBody':
        return this.#sendBody(from, frame.digest);
    }
  }

  #sendBody(to: ReplicaId, digest: Digest): void {
    const bytes = this.#running!.image.body(digest);
    const batch = bytes && this.#options.batches.stored(digest, bytes);
    if (batch !== undefined) this.#toPeer(to, { kind: 'body', batch });
  }

  // ---- inputs in, effects out -------------------------------------------------------------------------------------

  /** Does something now, or when the machine is continued if it is paused. */
  #enter(action: () => void): void {
    if (!this.#paused) return action();
    const life = this.#life;
    this.#deferred.push(() => {
      if (life === this.#life) action();
    });
  }

  /** Gives the replica an input as soon as it is idle; a broken assertion ends the machine and is reported. */
  #receive(input: Input<M>): void {
    if (this.#paused) return this.#enter(() => this.#receive(input));
    if (this.#phase !== 'running') return;
    if (this.#draining) {
      this.#inputs.push(input);
      return;
    }
    this.#draining = true;
    try {
      this.#drain(input);
    } catch (error) {
      this.#onBroken(error);
    }
    this.#draining = false;
  }

  #drain(first: Input<M>): void {
    let input: Input<M> | undefined = first;
    while (input !== undefined) {
      const running = this.#running;
      if (running === undefined || this.#phase !== 'running') return;
      this.steps += 1;
      for (const effect of running.replica.step(input, this.clock)) this.#perform(effect, running);
      // H5: the answer to `execute` comes before any other input.
      input = this.#answer ?? this.#inputs.shift();
      this.#answer = undefined;
    }
  }

  #onBroken(error: unknown): void {
    const { id, judge, isCorrect, note } = this.#options;
    const text =
      error instanceof AssertionFailure ? `assertion: ${error.message}` : String((error as Error).stack);
    // A Byzantine wrapper may bring its own replica into states that no correct one reaches.
    if (isCorrect) judge.report('crash', `replica ${id} stopped: ${text}`);
    else note(id, 'byzantineStopped', { text });
    this.crash();
  }

  #perform(effect: Effect<M>, { image, ring, state }: Running<M>): void {
    const { disk, id, note, batches } = this.#options;
    switch (effect.kind) {
      case 'send':
        return this.#toPeer(effect.to, { kind: 'protocol', message: effect.message, isGenuine: false });
      case 'broadcast':
        return this.#toAll({ kind: 'protocol', message: effect.message, isGenuine: false });
      case 'seal': {
        const wrong = this.#desk.ask(effect, image);
        return wrong === undefined ? undefined : this.#halt(wrong);
      }
      case 'store':
        for (const { key, value } of effect.entries) image.put(key, value);
        return disk.append(effect);
      case 'trimLog':
        image.trim(effect.below);
        return disk.append({ kind: 'trim', below: effect.below });
      case 'shareBody':
        if (this.isCorrect) batches.put(effect.batch);
        return this.#share({ kind: 'body', batch: effect.batch }, effect.to);
      case 'fetchBody':
        return this.#toPeer(effect.from, { kind: 'fetchBody', digest: effect.digest });
      case 'forward':
        return this.#share({ kind: 'bundle', bundle: effect.bundle }, effect.to);
      case 'execute':
        this.#answer = state.execute(effect.sequence, effect.batch, effect.protocolState);
        return;
      case 'stable':
        return state.stable(effect.checkpoint);
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
        return note(id, 'evidence', { against: effect.replica, rule: effect.rule });
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

  #onSealAnswer(): void {
    if (this.#phase !== 'running') return;
    const answer = this.#desk.finish(this.#running!.image);
    if (typeof answer === 'string') this.#halt(answer);
    else this.#receive({ kind: 'sealed', ui: answer });
  }

  #onInstalled(checkpoint: CheckpointState): void {
    if (this.#phase !== 'running') return;
    const { state } = this.#running!;
    state.finishInstall(checkpoint);
    this.#receive({ kind: 'installed', checkpoint, protocolState: state.service.protocolState });
  }

  // ---- links ------------------------------------------------------------------------------------------------------

  #share(frame: CoreFrame<M>, to: ReplicaId | undefined): void {
    if (to === undefined) this.#toAll(frame);
    else this.#toPeer(to, frame);
  }

  #toPeer(to: ReplicaId, frame: CoreFrame<M>): void {
    if (to === this.id) return;
    const sent = this.isCorrect ? frame : this.#options.batches.asDecoded(frame);
    if (sent !== undefined) this.#options.toPeer(to, sent);
  }

  #toAll(frame: CoreFrame<M>): void {
    const { id, genesis, toPeer, isCorrect, batches } = this.#options;
    const sent = isCorrect ? frame : batches.asDecoded(frame);
    if (sent === undefined) return;
    const { length } = genesis.settings.members;
    for (let to = 0; to < length; to += 1) if (to !== id) toPeer(to, sent);
  }
}
