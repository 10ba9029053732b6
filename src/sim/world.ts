/**
 * One run: a cluster of simulated machines with their clients, the planned faults, and the judges. Everything happens
 * in one thread of virtual time; the same scenario gives the same run, event for event.
 */
import type { HostPorts } from '../host/ports.ts';
import { decodeReplicaFrame } from '../core/client-wire.ts';
import type { ProtocolDefinition, Replica, RuleTrace } from '../core/protocol.ts';
import { Prng } from '../core/prng.ts';
import type { ReplicaId } from '../core/types.ts';
import { Chance, SITE } from './chance.ts';
import { createSimGenesis } from './cluster-settings.ts';
import type { SimGenesis } from './cluster-settings.ts';
import { SimClient } from './client.ts';
import { SimDisk } from './disk.ts';
import { modelHash } from '../crypto/fast-model.ts';
import { describeFrame } from './describe-frame.ts';
import { EventQueue } from './event-queue.ts';
import { Judge } from './judge.ts';
import { CALM_NETWORK, Network } from './network.ts';
import { SimNode } from './node.ts';
import type { FaultTarget, PlannedFault, Scenario } from './scenario.ts';

/** What clocks show at the beginning of virtual time, milliseconds. */
export const EPOCH_MS = 1_000_000;
/** How often the judges look at the replicas' inside, milliseconds of virtual time. */
const INSPECT_EVERY_MS = 40;
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
  readonly corrupt: (world: CorruptionContext) => Corruption<M>;
  readonly narrate?: Narrator;
  /** Told every frame that is delivered, in words. */
  readonly watch?: Narrator;
  /** Told the outcome of every numbered rule that a correct replica checks. */
  readonly trace?: (event: RuleTrace) => void;
}

/** What a lie can use. */
export interface CorruptionContext {
  readonly replica: ReplicaId;
  readonly behaviour: Scenario['byzantine'][number]['behaviour'];
  readonly scenario: Scenario;
  readonly genesis: SimGenesis;
  readonly random: Prng;
  readonly after: (delayMs: number, action: () => void) => void;
}

/** See the top of this file. */
export class World<M> {
  readonly scenario: Scenario;
  readonly queue = new EventQueue();
  readonly judge: Judge;
  readonly nodes: SimNode<M>[] = [];
  readonly clients: SimClient[] = [];
  readonly #network: Network;
  readonly #chance: Chance;
  readonly #disks: SimDisk[] = [];
  readonly #trusted: SimGenesis['trusted'];
  readonly #clientKeys: readonly Uint8Array[];
  readonly #narrate: Narrator | undefined;
  readonly #watch: ((from: ReplicaId, to: ReplicaId, frame: Uint8Array) => void) | undefined;
  #trace = 0x811c9dc5;
  #calm = false;
  /** Events that ran. */
  events = 0;
  /** Highest view that a correct replica was seen in. */
  highestView = 0;
  /** Evidence that correct replicas stored, by accused replica. */
  readonly accused = new Map<ReplicaId, Set<string>>();

  constructor(options: WorldOptions<M>) {
    const { scenario } = options;
    this.scenario = scenario;
    this.#narrate = options.narrate;
    this.judge = new Judge(() => this.queue.now);
    this.#chance = new Chance(scenario.seed);
    const genesis = createSimGenesis(scenario, options.definition.name);
    this.#trusted = genesis.trusted;
    const { watch } = options;
    if (watch !== undefined) {
      const { settings } = genesis;
      const domain = { clusterId: settings.clusterId, configurationVersion: settings.configurationVersion };
      const context = { settings, domain, hash: modelHash };
      this.#watch = (from, to, frame) =>
        watch(this.queue.now, `${from} > ${to} ${describeFrame(options.definition, context, frame)}`);
    }
    this.#clientKeys = genesis.clientSigners.map((signer) => signer.publicKey);
    this.#network = new Network(scenario.n, this.queue, this.#chance, scenario.network, (from, to, frame) =>
      this.#deliver(from, to, frame),
    );
    const random = new Prng(scenario.seed + 2);
    for (let id = 0; id < scenario.n; id += 1)
      this.nodes.push(this.#makeNode(options, genesis, id, random.fork()));
    scenario.clients.forEach((_, index) =>
      this.clients.push(this.#makeClient(genesis, index, random.fork())),
    );
  }

  /** Sum over everything that was delivered: equal for equal runs. */
  get traceHash(): string {
    return (this.#trace >>> 0).toString(16).padStart(8, '0');
  }

  /** Machines that are not Byzantine. */
  get correct(): readonly SimNode<M>[] {
    return this.nodes.filter((node) => node.isCorrect);
  }

  /** Frames that entered links between replicas. */
  get framesSent(): number {
    return this.#network.sent;
  }

  /** Runs to the end: until everything is settled, a judge objects, or time is up. */
  run(): void {
    const { calmMs, settleMs, faults } = this.scenario;
    for (const node of this.nodes) node.start();
    for (const client of this.clients)
      this.queue.after(this.#chance.range(SITE.client, 0, 0, 20), () => client.start());
    for (const fault of faults) this.queue.after(fault.atMs, () => this.#begin(fault));
    this.queue.after(calmMs, () => this.#calmDown());
    this.#inspectRegularly();
    const deadline = calmMs + settleMs;
    while (this.judge.violations.length === 0 && this.queue.runNext()) {
      this.events += 1;
      if (this.queue.now > deadline) {
        this.judge.report(
          'liveness',
          `not settled ${settleMs} ms after the last fault: ${this.#unsettled()}`,
        );
        break;
      }
      if (this.#settled) break;
    }
    if (this.judge.violations.length === 0) this.judge.finish();
  }

  #settled = false;

  #makeNode(options: WorldOptions<M>, genesis: SimGenesis, id: ReplicaId, random: Prng): SimNode<M> {
    const { scenario } = this;
    const lie = scenario.byzantine.find((entry) => entry.replica === id);
    const { checkpointInterval } = scenario.limits;
    const disk = new SimDisk(id, this.queue, this.#chance, scenario.disk, checkpointInterval);
    this.#disks.push(disk);
    const corruption =
      lie === undefined
        ? undefined
        : options.corrupt({
            replica: id,
            behaviour: lie.behaviour,
            scenario,
            genesis,
            random: random.fork(),
            after: (delayMs, action) => this.queue.after(delayMs, action),
          });
    return new SimNode<M>({
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
      isCorrect: lie === undefined,
      epochMs: EPOCH_MS + scenario.clockOffsetsMs[id]!,
      toPeer: (to, frame) => this.#network.send(id, to, frame),
      toClient: (client, frame) => this.#toClient(id, client, frame),
      note: (replica, name, detail) => this.#onNote(replica, name, detail),
      ...(options.trace === undefined || lie !== undefined ? {} : { trace: options.trace }),
      ...(corruption ?? {}),
    });
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
      send: (to, frame) => this.#fromClient(index, to, frame),
      onIssued: (txId) => this.judge.onIssued(txId),
      onBelieved: (believed) => this.judge.onBelieved(believed),
    });
  }

  // ---- links ------------------------------------------------------------------------------------------------------

  #deliver(from: ReplicaId, to: ReplicaId, frame: Uint8Array): void {
    this.#mix(1, from, to, frame.length);
    this.#watch?.(from, to, frame);
    this.nodes[to]!.onPeerFrame(from, frame);
  }

  #fromClient(client: number, to: ReplicaId, frame: Uint8Array): void {
    const { loss, delayLowMs, delayHighMs } = this.#calm ? CALM_NETWORK : this.scenario.network;
    const site = client * 16 + to;
    if (this.#chance.happens(SITE.client, 256 + site, loss)) return;
    this.queue.after(this.#chance.range(SITE.client, 512 + site, delayLowMs, delayHighMs), () => {
      this.#mix(2, client, to, frame.length);
      this.nodes[to]!.onClientFrame(client, this.#clientKeys[client]!, frame);
    });
  }

  #toClient(from: ReplicaId, client: number, frame: Uint8Array): void {
    this.#judgeReply(from, frame);
    const { loss, delayLowMs, delayHighMs } = this.#calm ? CALM_NETWORK : this.scenario.network;
    const site = client * 16 + from;
    if (this.#chance.happens(SITE.client, 768 + site, loss)) return;
    this.queue.after(this.#chance.range(SITE.client, 1024 + site, delayLowMs, delayHighMs), () => {
      this.#mix(3, from, client, frame.length);
      this.clients[client]?.onFrame(from, frame);
    });
  }

  #judgeReply(from: ReplicaId, frame: Uint8Array): void {
    const reply = this.nodes[from]?.isCorrect === true ? decodeReplicaFrame(frame) : undefined;
    if (reply?.kind === 'reply') this.judge.onSigned(from, reply.session, reply.results);
  }

  #mix(kind: number, a: number, b: number, length: number): void {
    let trace = this.#trace;
    trace = Math.imul(trace ^ (kind * 65536 + a * 256 + b), 0x01000193);
    trace = Math.imul(trace ^ length, 0x01000193);
    trace = Math.imul(trace ^ Math.floor(this.queue.now * 1000), 0x01000193);
    this.#trace = trace ^ (trace >>> 13);
  }

  // ---- faults -----------------------------------------------------------------------------------------------------

  #begin(fault: PlannedFault): void {
    if (this.#calm) return;
    switch (fault.kind) {
      case 'crash': {
        const id = this.#resolve(fault.target);
        this.#say(`crash of ${id} for ${fault.forMs.toFixed(0)} ms`);
        this.#crash(id);
        return this.queue.after(fault.forMs, () => this.#restart(id));
      }
      case 'wipe': {
        const id = this.#resolve(fault.target);
        const loseTrusted = this.#chance.happens(SITE.torn, 1000 + id, 0.5);
        this.#say(
          `wipe of ${id}${loseTrusted ? ' with its trusted component' : ''} for ${fault.forMs.toFixed(0)} ms`,
        );
        this.#crash(id);
        this.#disks[id]!.wipe();
        this.nodes[id]!.amnesic = true;
        if (loseTrusted) this.#trusted[id]!.lose();
        return this.queue.after(fault.forMs, () => this.#restart(id));
      }
      case 'powercut':
        this.#say(`power cut of all for ${fault.forMs.toFixed(0)} ms`);
        for (const node of this.nodes) this.#crash(node.id);
        return this.queue.after(fault.forMs, () => {
          for (const node of this.nodes) this.#restart(node.id);
        });
      case 'pause': {
        const id = this.#resolve(fault.target);
        this.#say(`pause of ${id} for ${fault.forMs.toFixed(0)} ms`);
        this.nodes[id]!.pause(true);
        return this.queue.after(fault.forMs, () => this.nodes[id]!.pause(false));
      }
      case 'isolate':
      case 'mute':
      case 'deaf': {
        const id = this.#resolve(fault.target);
        this.#say(`${fault.kind} of ${id} for ${fault.forMs.toFixed(0)} ms`);
        return this.#cut([id], fault.forMs, fault.kind !== 'deaf', fault.kind !== 'mute');
      }
      case 'partition':
        this.#say(`partition of [${fault.side.join(' ')}] for ${fault.forMs.toFixed(0)} ms`);
        return this.#cut(fault.side, fault.forMs, true, fault.symmetric);
    }
  }

  #resolve(target: FaultTarget): ReplicaId {
    if (target.kind === 'replica') return target.id;
    let view = 0;
    for (const node of this.correct) view = Math.max(view, node.host?.status(node.clock).view ?? 0);
    return view % this.scenario.n;
  }

  /** Cuts the links between `side` and the others, outwards, inwards or both, for a while. */
  #cut(side: readonly ReplicaId[], forMs: number, outwards: boolean, inwards: boolean): void {
    const links: [ReplicaId, ReplicaId][] = [];
    for (const one of side) {
      for (let other = 0; other < this.scenario.n; other += 1) {
        if (side.includes(other)) continue;
        if (outwards) links.push([one, other]);
        if (inwards) links.push([other, one]);
      }
    }
    for (const [from, to] of links) this.#network.block(from, to, true);
    this.queue.after(forMs, () => {
      if (this.#calm) return;
      for (const [from, to] of links) this.#network.block(from, to, false);
    });
  }

  #crash(id: ReplicaId): void {
    const node = this.nodes[id]!;
    if (!node.isUp) return;
    node.crash();
    for (const other of this.nodes) if (other !== node) other.onPeerDown(id);
  }

  #restart(id: ReplicaId): void {
    const node = this.nodes[id]!;
    if (node.isUp) return;
    this.#say(`restart of ${id}`);
    node.start();
    for (const other of this.nodes) {
      if (other === node || !other.isUp) continue;
      this.queue.after(5, () => {
        other.onPeerUp(id);
        node.onPeerUp(other.id);
      });
    }
  }

  /** Faults stop: everybody is up, connected and fast. Byzantine machines go on lying. */
  #calmDown(): void {
    this.#calm = true;
    this.#say('faults stop');
    this.#network.healAll();
    this.#network.configure(CALM_NETWORK);
    for (const disk of this.#disks) disk.configure({ syncLowMs: 0.05, syncHighMs: 0.6 });
    for (const node of this.nodes) {
      node.pause(false);
      this.#restart(node.id);
    }
  }

  // ---- looking ----------------------------------------------------------------------------------------------------

  #inspectRegularly(): void {
    this.queue.after(INSPECT_EVERY_MS, () => {
      this.#inspect();
      this.#inspectRegularly();
    });
  }

  #inspect(): void {
    const byzantine = new Set(this.scenario.byzantine.map((entry) => entry.replica));
    let lowest = Infinity;
    let highest = 0;
    let headers = new Set<string>();
    for (const node of this.correct) {
      const status = node.host?.status(node.clock);
      if (status === undefined) {
        lowest = 0;
        continue;
      }
      this.highestView = Math.max(this.highestView, status.view);
      lowest = Math.min(lowest, status.sequence);
      highest = Math.max(highest, status.sequence);
      headers = headers.add(`${status.sequence}/${status.headerHash}`);
      for (const peer of status.peers) {
        if (peer.dead && !byzantine.has(peer.replica))
          this.judge.report(
            'accusation',
            `the stream of correct replica ${peer.replica} is dead at ${node.id}`,
          );
      }
      this.#checkSizes(node);
    }
    const clientsDone = this.clients.every((client) => client.done);
    for (const client of this.clients)
      for (const reason of client.refused.splice(0))
        this.judge.report('client', `a correct client was refused: ${reason}`);
    // Over only when those who were down or partitioned have everything too.
    this.#settled =
      this.#calm &&
      clientsDone &&
      headers.size === 1 &&
      lowest === highest &&
      highest >= this.judge.believedThrough;
  }

  #checkSizes(node: SimNode<M>): void {
    const { limits } = this.scenario;
    const sizes = node.host!.sizes();
    const orders = limits.checkpointInterval * limits.pipelineFactor;
    const bound = 400 + 60 * orders * this.scenario.n;
    for (const [name, value] of Object.entries(sizes)) {
      if (value > bound)
        this.judge.report('bounds', `replica ${node.id} keeps ${value} ${name}, more than ${bound}`);
    }
  }

  #unsettled(): string {
    const replicas = this.correct.map((node) => {
      const status = node.host?.status(node.clock);
      if (status === undefined) return `${node.id}: down`;
      const { view, mode, sequence, stable, waitsFor, phase } = status;
      return `${node.id}: ${phase} view ${view} ${mode} executed ${sequence} stable ${stable} ${waitsFor ?? ''}`;
    });
    const clients = this.clients.filter((client) => !client.done).map((client) => client.describe());
    return [...replicas, ...clients].join('; ');
  }

  #onNote(
    replica: ReplicaId,
    name: string,
    detail: Readonly<Record<string, string | number | boolean>>,
  ): void {
    if (this.#narrate !== undefined) this.#say(`${replica} ${name} ${JSON.stringify(detail)}`);
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
    const isCorrectSender = from === 'client' || this.nodes[Number(from)]!.isCorrect;
    if (isCorrectSender)
      this.judge.report(
        'self-acceptance',
        `replica ${by} rejected a frame of correct ${String(from)}: ${reason}`,
      );
  }

  #say(text: string): void {
    this.#narrate?.(this.queue.now, text);
  }
}
