/**
 * One simulated machine: disk, trusted component, timers and links around the real host. It can lose power, be stopped
 * for a while, be wiped, and start again; what it finds then is what its disk kept.
 */
import type { ClusterSettings } from '../core/config.ts';
import type { ProtocolDefinition, Replica, RuleTrace, TrustedKey } from '../core/protocol.ts';
import type { Prng } from '../core/prng.ts';
import type { Milliseconds, ReplicaId } from '../core/types.ts';
import { AssertionFailure } from '../core/assert.ts';
import { createKvApplication } from '../apps/kv/application.ts';
import { modelHash } from '../crypto/fast-model.ts';
import type { ModelKeys, ModelSigner } from '../crypto/fast-model.ts';
import type { CryptoPort } from '../crypto/port.ts';
import { createSealVerifier } from '../crypto/seal-verifier.ts';
import { hexToBytes } from '../core/bytes.ts';
import { genesisRegistry, trustedKeyOf } from '../smr/registry.ts';
import { recoverEvidenceCheck } from '../trusted/attestation/registration.ts';
import { createObjectCheck } from '../trusted/object-check.ts';
import { decodeTrustedResponse } from '../trusted/frames.ts';
import { statementForUi } from '../trusted/statement.ts';
import type { HostPorts } from '../host/ports.ts';
import { recordOf } from '../host/records.ts';
import { ReplicaHost } from '../host/replica-host.ts';
import { createLedgerExecutor } from '../ledger/executor.ts';
import type { LedgerExecutor } from '../ledger/contract.ts';
import type { Chance } from './chance.ts';
import { SITE } from './chance.ts';
import type { SimClock } from './clock.ts';
import type { SimDisk } from './disk.ts';
import type { EventQueue } from './event-queue.ts';
import type { Judge } from './judge.ts';
import { JudgedExecutor } from './judged-executor.ts';
import type { WorldListener } from './listener.ts';
import type { Machine, MachineLook } from './machine.ts';
import type { SimTrusted } from './trusted.ts';

/** What a machine is made of. */
export interface SimNodeOptions<M> {
  readonly id: ReplicaId;
  readonly settings: ClusterSettings;
  readonly definition: ProtocolDefinition<M>;
  readonly keys: ModelKeys;
  readonly signer: ModelSigner;
  readonly trusted: SimTrusted;
  readonly trustedLatency: { readonly lowMs: number; readonly highMs: number };
  readonly disk: SimDisk;
  readonly queue: EventQueue;
  readonly chance: Chance;
  readonly random: Prng;
  readonly judge: Judge;
  /** False for a Byzantine machine: nobody judges what it says about itself. */
  readonly isCorrect: boolean;
  readonly clock: SimClock;
  readonly toPeer: (to: ReplicaId, frame: Uint8Array) => void;
  readonly toClient: (client: number, frame: Uint8Array) => void;
  /** Told every batch that a correct machine executes. */
  readonly onExecuted?: (replica: ReplicaId, sequence: number, digest: string) => void;
  readonly note: (
    replica: ReplicaId,
    name: string,
    detail: Readonly<Record<string, string | number | boolean>>,
  ) => void;
  /** Told when it works, when a timer runs out and when its component certifies. */
  readonly listener?: Pick<WorldListener, 'onWorked' | 'onTimer' | 'onCertified'>;
  /** Told the outcome of every numbered rule that this machine checks. */
  readonly trace?: (event: RuleTrace) => void;
  readonly wrapReplica?: (replica: Replica<M>) => Replica<M>;
  readonly wrapPorts?: (ports: HostPorts) => HostPorts;
}

/** See the top of this file. */
export class SimNode<M> implements Machine {
  readonly #options: SimNodeOptions<M>;
  #host: ReplicaHost<M> | undefined;
  /** Counts starts; what belongs to an earlier life is dropped. */
  #life = 0;
  #paused = false;
  #deferred: (() => void)[] = [];
  #timers = new Map<string, number>();
  #timerSerial = 0;
  /** Whether it lost its disk once: from then on a start may find that sealed messages are lost. */
  amnesic = false;
  /** Starts after the first one. */
  restarts = 0;
  /** State transfers of all lives. */
  #transfersBefore = 0;
  #fatal: string | undefined;
  /** Why it does not start on what its disk holds. */
  refusal: string | undefined;

  constructor(options: SimNodeOptions<M>) {
    this.#options = options;
  }

  get id(): ReplicaId {
    return this.#options.id;
  }

  get isCorrect(): boolean {
    return this.#options.isCorrect;
  }

  get isUp(): boolean {
    return this.#host !== undefined;
  }

  get host(): ReplicaHost<M> | undefined {
    return this.#host;
  }

  get stateTransfers(): number {
    return this.#transfersBefore + (this.#host?.status(this.clock).stateTransfers ?? 0);
  }

  /** What `status` shows, as far as judges look at it. */
  look(): MachineLook | undefined {
    return this.#host?.status(this.clock);
  }

  sizes(): Readonly<Record<string, number>> {
    return { ...this.#host?.sizes() };
  }

  /** What its own clock shows. */
  get clock(): Milliseconds {
    return this.#options.clock.at(this.#options.queue.now);
  }

  /** Starts on what the disk holds. */
  start(): void {
    if (this.#host !== undefined) return;
    const { settings, definition, id, random, disk, trace, wrapReplica, wrapPorts } = this.#options;
    this.#life += 1;
    if (this.#life > 1) this.restarts += 1;
    this.refusal = disk.damage;
    if (this.refusal !== undefined) return this.#options.note(id, 'storeRefused', { reason: this.refusal });
    const { judge, isCorrect } = this.#options;
    if (isCorrect) judge.onStarting(id);
    const watched = isCorrect ? (inner: Replica<M>) => judge.watch(id, inner) : undefined;
    const wrap = wrapReplica ?? watched;
    const ports = this.#ports(this.#life);
    this.#host = new ReplicaHost<M>({
      self: id,
      settings,
      definition,
      executor: this.#executor(),
      crypto: this.#crypto(),
      ports: wrapPorts === undefined ? ports : wrapPorts(ports),
      seed: random.u32(),
      ...(trace === undefined ? {} : { trace }),
      ...(wrap === undefined ? {} : { wrapReplica: wrap }),
    });
    const image = disk.image();
    this.#run((host) => host.start(image, this.clock));
  }

  /** Power is cut. */
  crash(): void {
    if (this.#host === undefined) return;
    this.#transfersBefore = this.stateTransfers;
    this.#host = undefined;
    this.#options.judge.onStopped(this.#options.id);
    this.#life += 1;
    this.#timers.clear();
    this.#paused = false;
    this.#deferred = [];
    this.#options.disk.crash();
  }

  /** Stops or continues the process (SIGSTOP, SIGCONT): what arrives meanwhile waits. */
  pause(paused: boolean): void {
    if (this.#host === undefined) return;
    this.#paused = paused;
    const waiting = this.#deferred;
    if (paused) return;
    this.#deferred = [];
    for (const action of waiting) action();
  }

  onPeerFrame(from: ReplicaId, frame: Uint8Array): void {
    this.#run((host) => host.onPeerFrame(from, frame, this.clock));
  }

  onPeerUp(peer: ReplicaId): void {
    this.#run((host) => host.onPeerUp(peer, this.clock));
  }

  onPeerDown(peer: ReplicaId): void {
    this.#run((host) => host.onPeerDown(peer, this.clock));
  }

  onTrustedLost(): void {
    this.#run((host) => host.onTrustedLost(this.clock));
  }

  onTrustedBack(): void {
    this.#run((host) => host.onTrustedBack(this.clock));
  }

  onClientFrame(client: number, key: Uint8Array, frame: Uint8Array): void {
    this.#run((host) => host.onClientFrame(client, key, frame, this.clock));
  }

  /** Lets the host do something, now or when it is continued; a broken assertion ends it and is reported. */
  #run(action: (host: ReplicaHost<M>) => void): void {
    const life = this.#life;
    const guarded = (): void => {
      const host = this.#host;
      if (host === undefined || life !== this.#life) return;
      try {
        action(host);
      } catch (error) {
        this.#onCrash(error);
      }
      this.#options.listener?.onWorked?.(this.id);
    };
    if (this.#paused) this.#deferred.push(guarded);
    else guarded();
  }

  #onCrash(error: unknown): void {
    const { id, judge, isCorrect } = this.#options;
    const text =
      error instanceof AssertionFailure ? `assertion: ${error.message}` : String((error as Error).stack);
    // A Byzantine wrapper may bring its own replica into states that no correct one reaches.
    if (isCorrect) judge.report('crash', `replica ${id} stopped: ${text}`);
    else this.#options.note(id, 'byzantineStopped', { text });
    this.crash();
  }

  #ports(life: number): HostPorts {
    const { disk, toPeer, toClient, id, note, judge, isCorrect } = this.#options;
    const alive = (): boolean => life === this.#life && this.#host !== undefined;
    return {
      network: {
        toPeer: (to, frame) => {
          if (alive()) toPeer(to, frame);
        },
        toClient: (link, frame) => {
          if (alive()) toClient(link, frame);
        },
      },
      journal: {
        append: (record) => disk.append(record),
        sync: (token) => disk.sync(() => this.#run((host) => host.onJournalSynced(token, this.clock))),
        rewrite: (records, token) =>
          disk.rewrite(records.map(recordOf), () =>
            this.#run((host) => host.onJournalSynced(token, this.clock)),
          ),
      },
      snapshots: {
        // Schedules make a snapshot of each stable checkpoint (`snapshotAfterBytes` is 0), however large the state is.
        get stateBytes() {
          return disk.stateBytes;
        },
        store: (frozen, meta) => {
          const { sequence } = frozen.checkpoint;
          disk.storeSnapshot(frozen, meta, () =>
            this.#run((host) => host.onSnapshotStored(sequence, this.clock)),
          );
        },
      },
      blocks: {
        append: (block) => disk.appendBlock(block),
        sign: (height, headerHash, signature) => {
          disk.signBlock(height, headerHash, signature);
          if (isCorrect) judge.onHeaderSigned(id, height, headerHash, signature);
        },
        truncateAbove: (height) => disk.truncateBlocksAbove(height),
        read: (height) => disk.readBlock(height),
      },
      trusted: { call: (call, request) => this.#callTrusted(call, request) },
      timers: {
        set: (timer, delayMs) => this.#setTimer(timer, delayMs),
        cancel: (timer) => void this.#timers.delete(timer),
      },
      observer: {
        note: (name, detail) => this.#onNote(name, detail),
        evidence: (replica, rule) => note(id, 'evidence', { against: replica, rule }),
        ignored: (reason, from) => note(id, 'ignored', { reason, from }),
        fatal: (reason) => this.#onFatal(reason),
      },
    };
  }

  #callTrusted(call: number, request: Uint8Array): void {
    const { trusted, trustedLatency, queue, chance, id } = this.#options;
    const drawn = chance.range(SITE.trusted, id, trustedLatency.lowMs, trustedLatency.highMs);
    const delay = drawn * trusted.slowness;
    const life = this.#life;
    // The component works (and keeps its record) half-way: a crash may fall before, between or after.
    queue.after(delay / 2, () => {
      if (life !== this.#life) return;
      const response = trusted.serve(request);
      if (response === undefined) return;
      this.#tellCertified(response);
      queue.after(delay / 2, () => {
        if (life === this.#life) this.#run((host) => host.onTrustedResponse(call, response, this.clock));
      });
    });
  }

  #tellCertified(response: Uint8Array): void {
    const { listener, id } = this.#options;
    if (listener?.onCertified === undefined) return;
    const answer = decodeTrustedResponse(response);
    if (answer?.op === 'certify') listener.onCertified(id, undefined, answer.value);
  }

  #setTimer(timer: string, delayMs: Milliseconds): void {
    const life = this.#life;
    this.#timerSerial += 1;
    const serial = this.#timerSerial;
    this.#timers.set(timer, serial);
    this.#options.queue.after(delayMs, () => {
      if (life !== this.#life || this.#timers.get(timer) !== serial) return;
      this.#run((host) => {
        if (this.#timers.get(timer) !== serial) return;
        this.#timers.delete(timer);
        this.#options.listener?.onTimer?.(this.id, timer);
        host.onTimer(timer, this.clock);
      });
    });
  }

  #onNote(name: string, detail: Readonly<Record<string, string | number | boolean>>): void {
    const { id, judge, isCorrect, note } = this.#options;
    // Invariant 14: an honest disk and a component that keeps its counter never make a replica forget.
    if (name === 'renewing' && isCorrect && !this.amnesic)
      judge.report(
        'start',
        `replica ${id} renews its trusted component after a plain crash: ${String(detail['reason'])}`,
      );
    note(id, name, detail);
  }

  #onFatal(reason: string): void {
    const { id, judge, isCorrect, note, disk, trusted } = this.#options;
    if (disk.isSuspect || trusted.isSuspect) {
      // The disk lied, or rotted where no check value sees it: a refusal is what the host is asked for.
      this.refusal = reason;
      note(id, 'storeRefused', { reason });
      return this.crash();
    }
    this.#fatal = reason;
    if (isCorrect) judge.report('start', `replica ${id} halted: ${reason}`);
    note(id, 'fatal', { reason });
  }

  /** Why the host stopped itself, if it did. */
  get fatal(): string | undefined {
    return this.#fatal;
  }

  #crypto(): CryptoPort {
    const { settings, keys, signer } = this.#options;
    const verify = (key: TrustedKey, statement: Uint8Array, authenticator: Uint8Array): boolean =>
      keys.verify(hexToBytes(key.publicKey)!, statement, authenticator);
    const verifier = createSealVerifier({
      hostKeys: settings.members.map((member) => hexToBytes(member.hostKey)!),
      verifySignature: (key, message, signature) => keys.verify(key, message, signature),
      verifyCounter: (key, ui, digest) => {
        const { tcEpoch, counter } = ui;
        const statement = statementForUi({ tcId: key.tcId, suite: 'ed25519', tcEpoch, counter, digest });
        return verify(key, statement, ui.authenticator);
      },
      verifyObject: createObjectCheck('ed25519', verify),
      verifyEvidence: recoverEvidenceCheck(settings, {
        hash: modelHash,
        verifyEd25519: (key, message, signature) => keys.verify(key, message, signature),
      }),
    });
    genesisRegistry(settings).members.forEach((entries, replica) => {
      for (const entry of entries) verifier.trust(trustedKeyOf(replica, entry));
    });
    return { hash: modelHash, hostSigner: signer, verifier };
  }

  /** The real executor, with a judge looking over its shoulder if this machine is a correct one. */
  #executor(): LedgerExecutor {
    const { settings, judge, id, isCorrect } = this.#options;
    const inner = createLedgerExecutor({
      settings,
      hash: modelHash,
      application: createKvApplication({ buckets: 16 }),
    });
    if (!isCorrect) return inner;
    return new JudgedExecutor(inner, judge, id, (sequence, digest) =>
      this.#options.onExecuted?.(id, sequence, digest),
    );
  }
}
