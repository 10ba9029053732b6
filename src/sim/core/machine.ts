/**
 * One machine of the core fidelity: the protocol's replica on modelled surroundings. It performs effects as H1 to H5 of
 * `core/protocol.ts` ask, and starts by the same triage as the real host; there are no bytes on links and no journal
 * encoding, so a schedule costs little more than the protocol itself.
 */
import { assert, AssertionFailure } from '../../core/assert.ts';
import type { CheckpointState, Effect, Input, Recovery, Replica } from '../../core/protocol.ts';
import { markVerified } from '../../core/types.ts';
import type { Digest, Milliseconds, ReplicaId } from '../../core/types.ts';
import { SITE } from '../chance.ts';
import type { Machine, MachineLook } from '../machine.ts';
import { CoreAttestDesk } from './attest-desk.ts';
import type { AttestGroup } from './attest-desk.ts';
import type { CoreImage } from './core-image.ts';
import type { CoreFrame, CoreMessageFrame } from './frame.ts';
import { Gate } from './gate.ts';
import { KeyRing, SEAL_BYTES } from './seal-book.ts';
import { CoreSealDesk } from './seal-desk.ts';
import type { FrozenService } from './service.ts';
import { CoreStateDesk } from './state-desk.ts';
import { lacksItsComponent, restoreMachine, sealsStreams, triageMachine } from './startup.ts';
import type { CoreMachineOptions, Detail, Running } from './machine-options.ts';
import { CoreOutbox } from './outbox.ts';
import { Timers } from './timers.ts';
import { CoreTransfer } from './transfer.ts';

/** Inputs at one moment; more mean that execution and rollback chase each other. */
const TURNS_MAX = 5_000;

/** See the top of this file. */
export class CoreMachine<M extends object> implements Machine<CoreFrame<M>> {
  readonly #options: CoreMachineOptions<M>;
  readonly #timers: Timers;
  readonly #transfer: CoreTransfer;
  readonly #desk: CoreSealDesk;
  readonly #attests: CoreAttestDesk;
  readonly #outbox: CoreOutbox<M>;
  #running: Running<M> | undefined;
  #phase: 'down' | 'starting' | 'running' | 'halted' = 'down';
  /** Counts starts and crashes; what belongs to an earlier life is dropped. */
  #life = 0;
  readonly #gate = new Gate();
  #inputs: Input<M>[] = [];
  #answer: Input<M> | undefined;
  #draining = false;
  #fatal: string | undefined;
  amnesic = false;
  restarts = 0;
  stateTransfers = 0;
  /** Speculative batches that were undone, in all lives. */
  readonly undone = { count: 0 };
  /** Inputs that its replica worked on, in all lives. */
  steps = 0;

  constructor(options: CoreMachineOptions<M>) {
    this.#options = options;
    const { id: self, queue, chance, trusted, disk, trustedLatency: latency, listener } = options;
    const onTimer = (timer: string): void => listener.onTimer?.(self, timer);
    this.#timers = new Timers(queue, onTimer, (timer) => this.#receive({ kind: 'timeout', timer }));
    const onAnswer = (): void => this.#gate.enter(() => this.#onSealAnswer());
    this.#desk = new CoreSealDesk({ self, trusted, latency, disk, queue, chance, onAnswer });
    this.#attests = new CoreAttestDesk({
      self,
      trusted,
      latency,
      disk,
      queue,
      chance,
      signAsHost: (digest) => options.seals.signAsHost(self, digest),
      onAnswer: (group) => this.#gate.enter(() => this.#onAttested(group)),
    });
    this.#outbox = new CoreOutbox(options);
    this.#transfer = new CoreTransfer({
      self,
      queue,
      chance,
      ask: (source, checkpoint) => options.askState(source, checkpoint),
      executed: () => this.#running?.state.service.executed ?? 0,
      install: (state) => this.#gate.enter(() => this.#running?.state.install(state)),
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
    const { id, genesis, definition, trusted, disk, batches, random, seals, trace } = this.#options;
    const { judge, isCorrect, wrapReplica } = this.#options;
    if (isCorrect) judge.onStarting(id);
    const { image, snapshot } = disk.image();
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
    this.#running = { replica, state, image, ring, inner };
    const parts = { id, genesis, image, service, ring, snapshot };
    const isWhole = restoreMachine(parts, (step) => {
      const body = step.batch && image.journal.body(step.batch);
      return state.replay(step, body && batches.stored(step.batch!, body));
    });
    if (!isWhole) return this.#halt(`the store of replica ${id} is damaged`);
    if (sealsStreams(definition))
      this.#follow(triageMachine(id, genesis, trusted, image, service), this.#running);
    else if (!lacksItsComponent(definition, trusted, image)) this.#begin('keeper');
    else this.#halt(`the component of replica ${id} is lost, and it alone could speak for it`, this.amnesic);
  }

  #makeState(image: CoreImage): CoreStateDesk {
    const { id, genesis, disk, queue, judge, isCorrect, toClient, listener, definition } = this.#options;
    return new CoreStateDesk({
      id,
      checkpointInterval: genesis.settings.limits.checkpointInterval,
      image,
      undone: this.undone,
      makesUpdates: definition.makesUpdates === true,
      provesFinal: definition.client?.provesFinal === true,
      disk,
      queue,
      judge,
      isCorrect,
      toClient,
      onExecuted: listener.onExecuted,
      onDurable: (checkpoint) => this.#gate.enter(() => this.#onInstalled(checkpoint)),
    });
  }

  #follow(triage: ReturnType<typeof triageMachine>, { image: whole, ring }: Running<M>): void {
    const { journal: image } = whole;
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
    const { state, image: whole } = this.#running!;
    const { journal: image } = whole;
    const { service } = state;
    const attested = whole.attestedDrafts((by, digest) => this.#attests.vouch(by, digest));
    whole.lastId = attested.at(-1)?.id ?? 0;
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
      attested,
      executed: service.executed,
      checkpoint: service.checkpoint,
      protocolState: service.protocolState,
    };
    this.#receive({ kind: 'start', recovery });
  }

  crash(): void {
    if (this.#phase === 'down') return;
    this.#desk.crash();
    this.#attests.crash();
    this.#running?.state.close();
    this.#running = undefined;
    this.#phase = 'down';
    this.#life += 1;
    this.#gate.reset();
    this.#inputs = [];
    this.#answer = undefined;
    this.#timers.clear();
    this.#transfer.stop();
    this.#options.judge.onStopped(this.id);
    this.#options.disk.crash();
  }

  pause(paused: boolean): void {
    if (this.#phase === 'down') return;
    if (paused) this.#gate.close();
    else this.#gate.open();
  }

  #halt(reason: string, isExpected = false): void {
    const { id, judge, isCorrect, note } = this.#options;
    this.#phase = 'halted';
    this.#fatal = reason;
    this.#inputs = [];
    this.#answer = undefined;
    if (isCorrect && !isExpected) judge.report('start', `replica ${id} halted: ${reason}`);
    note(id, 'fatal', { reason });
  }

  // ---- looks ------------------------------------------------------------------------------------------------------

  look(brief = false): MachineLook | undefined {
    const running = this.#running;
    if (running === undefined || this.#phase === 'starting') return undefined;
    const { replica, state } = running;
    const { service } = state;
    const { view, mode, stable, waitsFor, peers } = replica.inspect(this.clock, brief);
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
    return this.#running?.image.sizes ?? {};
  }

  /** The protocol's replica, for checks of its inside; undefined if it does not run. */
  get inside(): Replica<M> | undefined {
    return this.#phase === 'running' ? this.#running!.inner : undefined;
  }

  /** Batches that were executed and may yet be undone. */
  get speculations(): CoreStateDesk['speculations'] {
    return this.#running?.state.speculations ?? [];
  }

  /** The state at a certified checkpoint, if this machine can give it. */
  stateAt(checkpoint: CheckpointState): FrozenService | undefined {
    return this.#phase === 'running' ? this.#running!.state.stateAt(checkpoint) : undefined;
  }

  // ---- what arrives -----------------------------------------------------------------------------------------------

  onPeerFrame(from: ReplicaId, frame: CoreFrame<M>): void {
    if (this.#gate.isClosed) this.#gate.enter(() => this.#take(from, frame));
    else this.#take(from, frame);
  }

  onPeerUp(peer: ReplicaId): void {
    this.#receive({ kind: 'linkUp', peer });
  }

  onPeerDown(_peer: ReplicaId): void {
    // Links of this fidelity have no state of their own.
  }

  onClientFrame(client: number, _key: Uint8Array, frame: CoreFrame<M>): void {
    this.#gate.enter(() => {
      if (this.#phase !== 'running') return;
      if (frame.kind === 'protocol') return this.#onClientMessage(client, frame);
      if (frame.kind !== 'bundle') return;
      const { bundle } = frame;
      if (!this.#options.seals.isAuthentic(bundle))
        return this.#ignore('invalidClientSeal', 'client', client);
      const admission = this.#running!.state.admit(client, bundle);
      if (admission.kind === 'new') this.#receive({ kind: 'bundle', bundle: markVerified(bundle) });
      else if (admission.kind === 'unconfirmed')
        this.#receive({ kind: 'asked', sequence: admission.sequence, bundle: markVerified(bundle) });
    });
  }

  #onClientMessage(client: number, frame: CoreMessageFrame<M>): void {
    const verdict = this.#options.seals.judge(frame, this.#running!.ring);
    if (verdict === 'valid')
      return this.#receive({ kind: 'clientMessage', message: markVerified(frame.message) });
    this.#ignore(verdict === 'invalid' ? 'invalidSeal' : 'unknownKey', 'client', client);
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
      case 'fetchBody': {
        const batch = this.#keptBody(frame.digest);
        return batch && this.#outbox.send({ kind: 'body', batch }, from);
      }
    }
  }

  #fetchBody(digest: Digest, from: ReplicaId): void {
    const batch = this.#keptBody(digest);
    if (batch === undefined) this.#outbox.send({ kind: 'fetchBody', digest }, from);
    else this.#receive({ kind: 'body', batch });
  }

  #keptBody(digest: Digest) {
    const bytes = this.#running!.image.journal.body(digest);
    return bytes && this.#options.batches.stored(digest, bytes);
  }

  // ---- inputs in, effects out -------------------------------------------------------------------------------------

  /** Gives the replica an input as soon as it is idle; a broken assertion ends the machine and is reported. */
  #receive(input: Input<M>): void {
    if (this.#gate.isClosed) return this.#gate.enter(() => this.#receive(input));
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
    this.#options.listener.onWorked?.(this.id);
  }

  #drain(first: Input<M>): void {
    let input: Input<M> | undefined = first;
    for (let turn = 0; input !== undefined; turn += 1) {
      assert(turn < TURNS_MAX, 'a replica comes to rest');
      const running = this.#running;
      if (running === undefined || this.#phase !== 'running') return;
      this.steps += 1;
      for (const effect of running.replica.step(input, this.clock)) this.#perform(effect, running);
      running.state.orderSnapshot();
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

  #perform(effect: Effect<M>, { image: whole, ring, state }: Running<M>): void {
    const { disk, id, note, batches } = this.#options;
    const { journal: image } = whole;
    switch (effect.kind) {
      case 'send':
        return this.#outbox.send({ kind: 'protocol', message: effect.message, isGenuine: false }, effect.to);
      case 'broadcast':
        return this.#outbox.send({ kind: 'protocol', message: effect.message, isGenuine: false });
      case 'seal': {
        const wrong = this.#desk.ask(effect, image);
        return wrong === undefined ? undefined : this.#halt(wrong);
      }
      case 'attest': {
        const wrong = this.#attests.ask(effect, whole);
        return wrong === undefined ? undefined : this.#halt(wrong);
      }
      case 'trimAttested':
        whole.take({ kind: 'core-trim', below: effect.below });
        return disk.append({ kind: 'core-trim', below: effect.below });
      case 'store':
        for (const { key, value } of effect.entries) image.put(key, value);
        return disk.append(effect);
      case 'trimLog':
        image.trim(effect.below);
        return disk.append({ kind: 'trim', below: effect.below });
      case 'shareBody':
        if (this.isCorrect) batches.put(effect.batch);
        return this.#outbox.send({ kind: 'body', batch: effect.batch }, effect.to);
      case 'fetchBody':
        return this.#fetchBody(effect.digest, effect.from);
      case 'forward':
        return this.#outbox.send({ kind: 'bundle', bundle: effect.bundle }, effect.to);
      case 'execute':
      case 'apply':
      case 'confirm':
      case 'rollback':
      case 'answer':
      case 'stable':
        this.#answer = state.perform(effect) ?? this.#answer;
        return;
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

  #ignore(reason: string, from: ReplicaId | 'client', client = -1): void {
    this.#options.note(this.id, 'ignored', { reason, from, client });
  }

  #onAttested(group: AttestGroup): void {
    if (this.#phase !== 'running') return;
    for (const answer of this.#attests.finish(group)) this.#receive(answer);
  }

  #onSealAnswer(): void {
    if (this.#phase !== 'running') return;
    const answer = this.#desk.finish(this.#running!.image.journal);
    if (typeof answer === 'string') this.#halt(answer);
    else this.#receive({ kind: 'sealed', ui: answer });
  }

  #onInstalled(checkpoint: CheckpointState): void {
    if (this.#phase !== 'running') return;
    const { state } = this.#running!;
    state.finishInstall(checkpoint);
    this.#receive({ kind: 'installed', checkpoint, protocolState: state.service.protocolState });
  }
}
