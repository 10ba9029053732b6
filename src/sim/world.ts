/**
 * One run: a cluster of simulated machines with their clients, the planned faults, and the judges. Everything happens
 * in one thread of virtual time; the same scenario gives the same run, event for event.
 */
import { sumOfBytes } from './trace-sum.ts';
import type { HostPorts } from '../host/ports.ts';
import { decodeReplicaFrame } from '../core/client-wire.ts';
import type { ProtocolDefinition, Replica, RuleTrace } from '../core/protocol.ts';
import { Prng } from '../core/prng.ts';
import type { ReplicaId } from '../core/types.ts';
import { Chance, SITE } from './chance.ts';
import type { Fired } from './chance.ts';
import { createSimGenesis } from './cluster-settings.ts';
import type { SimGenesis } from './cluster-settings.ts';
import { SimClock } from './clock.ts';
import { Course } from './course.ts';
import type { SimProgram } from './trusted.ts';
import { SimClient } from './client.ts';
import { LiarClient } from './liar-client.ts';
import type { LiarClientPlan } from './liar-client.ts';
import { SimDisk } from './disk.ts';
import { Double } from './double.ts';
import { modelHash } from '../crypto/fast-model.ts';
import { trustOf } from '../ledger/trust.ts';
import type { VerifierCrypto } from '../ledger/verify.ts';
import { describeFrame } from './describe-frame.ts';
import { eventsMaxFor, EventQueue } from './event-queue.ts';
import { FaultDriver } from './fault-driver.ts';
import { Judge } from './judge.ts';
import type { JudgeOptions } from './judge.ts';
import type { StoredChain } from './judges/chain.ts';
import { seeAnswer } from './exchanges.ts';
import type { WorldListener } from './listener.ts';
import { calmOf, Network } from './network.ts';
import type { NetworkSettings } from './network.ts';
import { SimNode } from './node.ts';
import type { SimNodeOptions } from './node.ts';
import type { PlannedFault, Scenario } from './scenario.ts';
import { isBeyondFence } from './trusted-faults.ts';
import { Watch } from './watch.ts';

/** What clocks show at the beginning of virtual time, milliseconds. */
export const EPOCH_MS = 1_000_000;
/** Reasons for ignoring a frame that no frame of a correct replica may ever cause. */
const POISON = new Set([
  'malformedFrame',
  'malformedMessage',
  'malformedBody',
  'malformedBundle',
  'invalidSeal',
]);

/** How a Byzantine machine differs from a correct one. */
export interface Corruption<M> {
  readonly wrapReplica: (replica: Replica<M>) => Replica<M>;
  readonly wrapPorts: (ports: HostPorts) => HostPorts;
}

/** A line of the record of a run, for people. */
export type Narrator = (atMs: number, text: string) => void;

/** What a world is made of. */
export interface WorldOptions<M> {
  readonly scenario: Scenario;
  readonly definition: ProtocolDefinition<M>;
  /** What the trusted components run, if that is not USIG. */
  readonly program?: SimProgram;
  readonly corrupt: (world: CorruptionContext) => Corruption<M>;
  readonly narrate?: Narrator;
  /** Told every frame that is delivered, in words. */
  readonly watch?: Narrator;
  /** Told the outcome of every numbered rule that a correct replica checks. */
  readonly trace?: (event: RuleTrace) => void;
  /** Sees what happens on links and in replicas, and may keep frames from their receivers. */
  readonly listener?: WorldListener;
  /** How much is judged. `inside` false: only what is executed, signed and believed. Default: everything. */
  readonly judging?: Pick<JudgeOptions, 'muted' | 'viewChanges'> & { readonly inside?: boolean };
  /** Told every decision of chance that was answered yes. */
  readonly onFired?: (fired: Fired) => void;
}

/** What a lie can use. */
export interface CorruptionContext {
  readonly replica: ReplicaId;
  /** Undefined for a forker. */
  readonly behaviour: Scenario['byzantine'][number]['behaviour'] | undefined;
  readonly scenario: Scenario;
  readonly genesis: SimGenesis;
  readonly random: Prng;
  readonly after: (delayMs: number, action: () => void) => void;
  /** Restarts the machine a moment later. */
  readonly reboot: () => void;
}

/** See the top of this file. */
export class World<M> {
  readonly scenario: Scenario;
  readonly queue = new EventQueue();
  readonly judge: Judge;
  readonly nodes: SimNode<M>[] = [];
  readonly clients: SimClient[] = [];
  /** Byzantine clients; their links come after those of the correct ones. */
  readonly liarClients: LiarClient[] = [];
  readonly #network: Network;
  readonly #calmNetwork: NetworkSettings;
  readonly #chance: Chance;
  readonly #disks: SimDisk[] = [];
  readonly #clocks: SimClock[] = [];
  /** By replica: where a forker has a whole second machine. */
  readonly #doubles: Double<SimNode<M>>[] = [];
  readonly #faults: FaultDriver;
  readonly #look: Watch;
  readonly course: Course;
  readonly #clientKeys: readonly Uint8Array[];
  readonly #narrate: Narrator | undefined;
  readonly #listener: WorldListener;
  readonly #watch: ((from: ReplicaId, to: ReplicaId, frame: Uint8Array) => void) | undefined;
  #trace = 0x811c9dc5;
  /** Events that ran. */
  events = 0;
  /** Whether a listener ended the run before its time. */
  isCut = false;
  /** Evidence that correct replicas stored, by accused replica. */
  readonly accused = new Map<ReplicaId, Set<string>>();

  constructor(options: WorldOptions<M>) {
    const { scenario } = options;
    this.scenario = scenario;
    this.#calmNetwork = calmOf(scenario.network);
    this.#narrate = options.narrate;
    this.#listener = options.listener ?? {};
    this.#chance = new Chance(scenario.seed, {
      ...(scenario.fires === undefined ? {} : { fires: scenario.fires }),
      ...(options.onFired === undefined ? {} : { onFired: options.onFired }),
    });
    const genesis = createSimGenesis(scenario, options.definition.name, options.program);
    this.judge = this.#makeJudge(genesis, options.judging);
    const { watch } = options;
    if (watch !== undefined) {
      const { settings } = genesis;
      const domain = { clusterId: settings.clusterId, configurationVersion: settings.configurationVersion };
      const context = { settings, domain, hash: modelHash };
      this.#watch = (from, to, frame) =>
        watch(this.queue.now, `${from} > ${to} ${describeFrame(options.definition, context, frame)}`);
    }
    this.#clientKeys = genesis.clientSigners.map((signer) => signer.publicKey);
    const deliver = (from: ReplicaId, to: ReplicaId, frame: Uint8Array): void =>
      this.#deliver(from, to, frame);
    const sizeOf = (frame: Uint8Array): number => frame.length;
    this.#network = new Network(scenario.n, this.queue, this.#chance, scenario.network, deliver, sizeOf);
    const random = new Prng(scenario.seed + 2);
    for (let id = 0; id < scenario.n; id += 1)
      this.nodes.push(this.#makeNode(options, genesis, id, random.fork()));
    scenario.clients.forEach((_, index) =>
      this.clients.push(this.#makeClient(genesis, index, random.fork())),
    );
    for (const plan of scenario.liarClients ?? [])
      this.liarClients.push(this.#makeLiarClient(genesis, plan, random.fork()));
    this.#faults = new FaultDriver({
      scenario,
      queue: this.queue,
      chance: this.#chance,
      links: {
        block: (from, to, blocked) => this.#network.block(from, to, blocked),
        calm: () => {
          this.#network.healAll();
          this.#network.configure(this.#calmNetwork);
        },
      },
      machines: this.nodes,
      disks: this.#disks,
      clocks: this.#clocks,
      trusted: genesis.trusted,
      say: (text) => this.#say(text),
    });
    this.#look = new Watch(scenario, this.judge, this.correct, [...this.clients, ...this.liarClients]);
    const { queue, judge } = this;
    this.course = new Course({ scenario, queue, judge, faults: this.#faults, watch: this.#look });
  }

  /** Sum over everything that was delivered: equal for equal runs. */
  get traceHash(): string {
    return (this.#trace >>> 0).toString(16).padStart(8, '0');
  }

  /** Begins a fault now. */
  inject(fault: PlannedFault): void {
    this.#faults.inject(fault);
  }

  /** Does something to a machine at once. */
  act(verb: Parameters<FaultDriver['act']>[0], id: ReplicaId): void {
    this.#faults.act(verb, id);
  }

  /** Machines that are not Byzantine. */
  get correct(): readonly SimNode<M>[] {
    return this.nodes.filter((node) => node.isCorrect);
  }

  /** Faults that happened, by kind, with the frames and records that they hit. */
  get happened(): Readonly<Record<string, number>> {
    const { lost, duplicated, queued } = this.#network;
    const sum = (of: (disk: SimDisk) => number): number =>
      this.#disks.reduce((all, disk) => all + of(disk), 0);
    return {
      ...Object.fromEntries(this.#faults.happened),
      lost,
      duplicated,
      queued,
      torn: sum((disk) => disk.torn),
      lies: sum((disk) => disk.lies),
      unreadable: sum((disk) => disk.unreadable),
      leftOut: this.#faults.budget.refused,
    };
  }

  /** Frames that entered links between replicas. */
  get framesSent(): number {
    return this.#network.sent;
  }

  /** Runs to the end: until everything is settled, a judge objects, or time is up. */
  run(): void {
    for (const node of this.nodes) node.start();
    for (const client of [...this.clients, ...this.liarClients])
      this.queue.after(this.#chance.range(SITE.client, 0, 0, 20), () => client.start());
    this.course.begin();
    const eventsMax = eventsMaxFor(this.scenario.n);
    while (this.judge.violations.length === 0 && this.queue.runNext()) {
      this.events += 1;
      if (this.events > eventsMax) {
        this.judge.report('liveness', `more than ${eventsMax} events: ${this.#look.unsettled()}`);
        break;
      }
      if (this.#listener.onEvent?.() === false) this.isCut = true;
      if (this.isCut || this.course.isOver()) break;
    }
    if (this.judge.violations.length === 0) this.judge.finish(this.#storedChains(), this.isCut);
  }

  #makeJudge({ settings, keys }: SimGenesis, judging: WorldOptions<M>['judging'] = {}): Judge {
    // Two statements under one counter value are what such a forker is there for: the damage is what counts.
    const { inside = !isBeyondFence(this.scenario.forker), ...rest } = judging;
    const isCorrect = (replica: ReplicaId): boolean => this.nodes[replica]!.isCorrect;
    const crypto: VerifierCrypto = {
      hash: modelHash,
      verifySignature: (key, message, signature) => keys.verify(key, message, signature),
    };
    return new Judge(() => this.queue.now, {
      ...rest,
      ...(inside ? { cluster: { f: this.scenario.f, isCorrect } } : {}),
      receipts: { hash: modelHash, trust: trustOf(settings), crypto },
    });
  }

  /** What the disks of correct machines hold of the ledger. */
  #storedChains(): StoredChain[] {
    return this.correct
      .filter((node) => node.isUp && !this.#disks[node.id]!.isRotten)
      .map(({ id }) => {
        const disk = this.#disks[id]!;
        return { replica: id, height: disk.blockHeight, read: (height) => disk.readBlock(height) };
      });
  }

  #makeNode(options: WorldOptions<M>, genesis: SimGenesis, id: ReplicaId, random: Prng): SimNode<M> {
    const { scenario } = this;
    const lie = scenario.byzantine.find((entry) => entry.replica === id);
    const isCorrect = lie === undefined && scenario.forker?.replica !== id;
    const clock = new SimClock(EPOCH_MS + scenario.clockOffsetsMs[id]!, scenario.clockDriftPpm?.[id]);
    this.#clocks.push(clock);
    const disk = new SimDisk(id, this.queue, this.#chance, scenario.disk);
    this.#disks.push(disk);
    const corruption = isCorrect
      ? undefined
      : options.corrupt({
          replica: id,
          behaviour: lie?.behaviour,
          scenario,
          genesis,
          random: random.fork(),
          after: (delayMs, action) => this.queue.after(delayMs, action),
          reboot: () => this.queue.after(0, () => this.#faults.reboot(id)),
        });
    const double = new Double<SimNode<M>>(scenario, id, this.queue);
    const machine: SimNodeOptions<M> = {
      id,
      settings: genesis.settings,
      definition: options.definition,
      keys: genesis.keys,
      signer: genesis.hostSigners[id]!,
      trusted: genesis.trusted[id]!,
      trustedLatency: scenario.trusted,
      disk,
      queue: this.queue,
      chance: this.#chance,
      random,
      judge: this.judge,
      isCorrect,
      clock,
      toPeer: (to, frame) => {
        if (!double.faces(to)) this.#send(id, to, frame);
      },
      toClient: (client, frame) => this.#toClient(id, client, frame),
      note: (replica, name, detail) => this.#onNote(replica, name, detail),
      listener: this.#listener,
      onExecuted: (replica, sequence, digest) => this.#listener.onExecuted?.(replica, sequence, digest),
      ...(options.trace === undefined || !isCorrect ? {} : { trace: options.trace }),
      ...(corruption ?? {}),
    };
    double.plan((random) => {
      const copy = new SimDisk(id, this.queue, this.#chance, scenario.disk);
      if (scenario.forker?.disk === 'copied') copy.copyFrom(disk);
      const toPeer = (to: ReplicaId, frame: Uint8Array): void => {
        if (double.faces(to)) this.#send(id, to, frame);
      };
      const trusted = genesis.trusted[id]!.clone(
        scenario.forker!.way === 'restart' && scenario.forker!.fence,
      );
      return new SimNode<M>({ ...machine, disk: copy, trusted, toPeer, random });
    });
    this.#doubles.push(double);
    return new SimNode<M>(machine);
  }

  #send(from: ReplicaId, to: ReplicaId, frame: Uint8Array): void {
    this.#listener.onSend?.(from, to, frame);
    this.#network.send(from, to, frame);
  }

  #makeClient(genesis: SimGenesis, index: number, random: Prng): SimClient {
    return new SimClient({
      index,
      plan: this.scenario.clients[index]!,
      settings: genesis.settings,
      keys: genesis.keys,
      signer: genesis.clientSigners[index]!,
      random,
      queue: this.queue,
      epochMs: EPOCH_MS,
      agreedTime: () => this.#agreedTime(),
      send: (to, frame) => this.#fromClient(index, to, frame),
      onIssued: (txId, operation) => {
        this.#listener.onIssued?.(index, txId);
        this.judge.onIssued(txId, { client: index, operation });
      },
      onBelieved: (believed) => {
        this.#listener.onBelieved?.(believed);
        this.judge.onBelieved(believed);
      },
    });
  }

  #makeLiarClient(genesis: SimGenesis, plan: LiarClientPlan, random: Prng): LiarClient {
    const index = this.clients.length + this.liarClients.length;
    return new LiarClient({
      index,
      plan,
      settings: genesis.settings,
      signer: genesis.clientSigners[index]!,
      victim: genesis.clientSigners[0]!.publicKey,
      random,
      queue: this.queue,
      epochMs: EPOCH_MS,
      send: (to, frame) => this.#fromClient(index, to, frame),
      onIssued: (txId) => this.judge.onIssued(txId),
    });
  }

  // ---- links ------------------------------------------------------------------------------------------------------

  #deliver(from: ReplicaId, to: ReplicaId, frame: Uint8Array): void {
    this.#mix(1, from, to, sumOfBytes(frame));
    if (this.#listener.onArrival?.(from, to, frame) === false) return;
    this.deliver(from, to, frame);
  }

  /** Hands a frame to a machine at once; also for what was kept from it before. */
  deliver(from: ReplicaId, to: ReplicaId, frame: Uint8Array): void {
    this.#watch?.(from, to, frame);
    const double = this.#doubles[to]!;
    if (double.faces(from)) double.second!.onPeerFrame(from, frame);
    else this.nodes[to]!.onPeerFrame(from, frame);
    this.#listener.onTaken?.();
  }

  get #clientLinks(): NetworkSettings {
    return this.#faults.calm ? this.#calmNetwork : this.scenario.network;
  }

  #fromClient(client: number, to: ReplicaId, frame: Uint8Array): void {
    const arrival = this.#listener.onAsk?.(client, to, frame);
    const { loss, delayLowMs, delayHighMs, clientDistanceMs } = this.#clientLinks;
    const site = client * 16 + to;
    if (this.#chance.happens(SITE.client, 256 + site, loss)) return;
    const distance = clientDistanceMs?.[client]?.[to] ?? 0;
    this.queue.after(distance + this.#chance.range(SITE.client, 512 + site, delayLowMs, delayHighMs), () => {
      this.#mix(2, client, to, sumOfBytes(frame));
      const outcome = this.#listener.onClientFrame?.(client, to, frame);
      if (outcome === false) return;
      arrival?.();
      if (outcome !== 'heard') {
        this.nodes[to]!.onClientFrame(client, this.#clientKeys[client]!, frame);
        this.#doubles[to]!.second?.onClientFrame(client, this.#clientKeys[client]!, frame);
      }
      this.#listener.onTaken?.();
    });
  }

  #toClient(from: ReplicaId, client: number, frame: Uint8Array): void {
    this.#judgeReply(from, frame);
    const arrival = this.#listener.onReply?.(from, client, () => seeAnswer(frame));
    const { loss, delayLowMs, delayHighMs, clientDistanceMs } = this.#clientLinks;
    const site = client * 16 + from;
    if (this.#chance.happens(SITE.client, 768 + site, loss)) return;
    const distance = clientDistanceMs?.[client]?.[from] ?? 0;
    this.queue.after(distance + this.#chance.range(SITE.client, 1024 + site, delayLowMs, delayHighMs), () => {
      this.#mix(3, from, client, sumOfBytes(frame));
      arrival?.();
      const { clients, liarClients } = this;
      (clients[client] ?? liarClients[client - clients.length])?.onFrame(from, frame);
    });
  }

  #judgeReply(from: ReplicaId, frame: Uint8Array): void {
    const reply = this.nodes[from]?.isCorrect === true ? decodeReplicaFrame(frame) : undefined;
    if (reply?.kind === 'reply') this.judge.onSigned(from, reply.session, reply.results);
  }

  #agreedTime(): number | undefined {
    const times = this.nodes.flatMap((node) => node.host?.status(node.clock).time ?? []);
    return times.sort((a, b) => b - a)[this.scenario.f];
  }

  #mix(kind: number, a: number, b: number, content: number): void {
    let trace = this.#trace;
    trace = Math.imul(trace ^ (kind * 65536 + a * 256 + b), 0x01000193);
    trace = Math.imul(trace ^ content, 0x01000193);
    trace = Math.imul(trace ^ Math.floor(this.queue.now * 1000), 0x01000193);
    this.#trace = trace ^ (trace >>> 13);
  }

  // ---- looking ----------------------------------------------------------------------------------------------------

  /** Highest view that a correct replica was seen in. */
  get highestView(): number {
    return this.#look.highestView;
  }

  #onNote(
    replica: ReplicaId,
    name: string,
    detail: Readonly<Record<string, string | number | boolean>>,
  ): void {
    if (this.#narrate !== undefined)
      this.#narrate(this.queue.now, `${replica} ${name} ${JSON.stringify(detail)}`);
    this.#listener.onNote?.(replica, name, detail);
    if (!this.nodes[replica]?.isCorrect) return;
    if (name === 'evidence') this.#onEvidence(replica, Number(detail['against']), String(detail['rule']));
    if (name === 'ignored') this.#onIgnored(replica, String(detail['reason']), detail['from']);
  }

  #onEvidence(by: ReplicaId, against: ReplicaId, rule: string): void {
    const rules = this.accused.get(against) ?? new Set();
    rules.add(rule);
    this.accused.set(against, rules);
    if (this.nodes[against]!.isCorrect)
      this.judge.report('accusation', `correct replica ${against} accused by ${by} under ${rule}`);
  }

  #onIgnored(by: ReplicaId, reason: string, from: unknown): void {
    if (!POISON.has(reason)) return;
    // Who carried a client's frame is not told: beside a liar nobody is sure to be honest.
    const isCorrectSender =
      from === 'client' ? this.liarClients.length === 0 : this.nodes[Number(from)]!.isCorrect;
    if (isCorrectSender)
      this.judge.report(
        'self-acceptance',
        `replica ${by} rejected a frame of correct ${String(from)}: ${reason}`,
      );
  }

  #say(text: string): void {
    this.#listener.onFault?.(text);
    this.#narrate?.(this.queue.now, text);
  }
}
