/**
 * One run in the core fidelity: the protocol's replicas as objects, their modelled surroundings, the planned faults
 * and the same judges as everywhere. The same scenario gives the same run, event for event.
 */
import { spareOf } from '../../adversary/options.ts';
import type { SpareComponent } from '../../adversary/options.ts';
import { sumOfFrame } from '../trace-sum.ts';
import type { CheckpointState, ProtocolDefinition, Replica, RuleTrace } from '../../core/protocol.ts';
import { Prng } from '../../core/prng.ts';
import type { Digest, ReplicaId } from '../../core/types.ts';
import { liarsOf } from '../budget.ts';
import { Chance, SITE } from '../chance.ts';
import type { Fired } from '../chance.ts';
import { SimClock } from '../clock.ts';
import { Course } from '../course.ts';
import { eventsMaxFor, EventQueue } from '../event-queue.ts';
import { FaultDriver } from '../fault-driver.ts';
import { Judge } from '../judge.ts';
import type { JudgeOptions } from '../judge.ts';
import type { WorldListener } from '../listener.ts';
import { calmOf, Network } from '../network.ts';
import type { NetworkSettings } from '../network.ts';
import type { PlannedFault, Scenario } from '../scenario.ts';
import { Watch } from '../watch.ts';
import { BatchBook } from './batch-book.ts';
import type { CoreClient } from './client.ts';
import { CoreClientSide } from './client-side.ts';
import { CoreDisk } from './disk.ts';
import { nameOfFrame } from './frame.ts';
import type { CoreFrame, CoreReply } from './frame.ts';
import { createCoreGenesis } from './genesis.ts';
import type { CoreGenesis } from './genesis.ts';
import type { CoreLinks } from './link-lies.ts';
import { CoreMachine } from './machine.ts';
import type { CoreMachineOptions } from './machine-options.ts';
import { Double } from '../double.ts';
import { SealBook } from './seal-book.ts';
import type { TransferAnswer } from './transfer.ts';
import { CoreTrusted, tellingBook } from './trusted.ts';

/** What clocks show at the beginning of virtual time, milliseconds. */
const EPOCH_MS = 1_000_000;
/** Reasons for ignoring a frame that no frame of a correct replica may ever cause. */
const POISON = new Set(['invalidSeal', 'invalidClientSeal']);
/** Events between two checks of what a protocol says of its replicas, at least. */
const CHECK_EVERY = 64;
/** Of n replicas each knows up to n votes: in a large cluster a check comes after as many events as it has to look at. */
const CHECK_PER_LINK = 0.25;
/** How much later than the first machine of a twin the second one hears of a request, milliseconds, at most. */
const TWIN_LATER_MS = 12;
/** No client key is looked at here: a link says which client it is. */
const NO_KEY = new Uint8Array(0);

/** What a note says. */
type Detail = Readonly<Record<string, string | number | boolean>>;

/** How a Byzantine machine differs from a correct one. */
export interface CoreCorruption<M> {
  readonly wrapReplica: (replica: Replica<M>) => Replica<M>;
  readonly wrapLinks: (links: CoreLinks<M>) => CoreLinks<M>;
}

/** What a lie can use. */
export interface CoreCorruptionContext {
  readonly replica: ReplicaId;
  /** Undefined for a forker. */
  readonly behaviour: Scenario['byzantine'][number]['behaviour'] | undefined;
  readonly scenario: Scenario;
  readonly genesis: CoreGenesis;
  readonly trusted: CoreTrusted;
  /** Signs with the replica's own host key. */
  readonly signAsHost: (digest: Digest) => Uint8Array;
  /** Another component for this replica, by a number above those of its ordinary ones. */
  readonly spare: (mark: number) => SpareComponent;
  readonly random: Prng;
  readonly after: (delayMs: number, action: () => void) => void;
  /** Restarts the machine a moment later. */
  readonly reboot: () => void;
}

/** What a world is made of. */
export interface CoreWorldOptions<M extends object> {
  readonly scenario: Scenario;
  readonly definition: ProtocolDefinition<M>;
  readonly corrupt: (context: CoreCorruptionContext) => CoreCorruption<M>;
  readonly narrate?: (atMs: number, text: string) => void;
  /** Told every frame that is delivered, in words. */
  readonly watch?: (atMs: number, text: string) => void;
  readonly trace?: (event: RuleTrace) => void;
  readonly listener?: WorldListener<CoreFrame<M>>;
  /** Looks at the insides of the correct replicas that run; a sentence if something is wrong. */
  readonly invariants?: (replicas: readonly Replica<M>[]) => string | undefined;
  /** What else is to be judged at the end: a sentence if clients believe what no order of operations explains. */
  readonly clientProblem?: () => string | undefined;
  readonly onFired?: (fired: Fired) => void;
  /** How much is judged. `inside`: the streams and views inside of correct replicas as well, which costs far more than the run. */
  readonly judging?: Pick<JudgeOptions, 'muted' | 'viewChanges'> & { readonly inside?: boolean };
}

/** See the top of this file. */
export class CoreWorld<M extends object> {
  readonly scenario: Scenario;
  readonly queue = new EventQueue();
  readonly judge: Judge;
  readonly nodes: CoreMachine<M>[] = [];
  readonly #clientSide: CoreClientSide<M>;
  readonly #options: CoreWorldOptions<M>;
  readonly #network: Network<CoreFrame<M>>;
  readonly #calmNetwork: NetworkSettings;
  readonly #chance: Chance;
  readonly #clocks: SimClock[] = [];
  readonly #disks: CoreDisk[] = [];
  /** By replica: where a forker has a whole second machine. */
  readonly #doubles: Double<CoreMachine<M>>[] = [];
  readonly #trusted: CoreTrusted[] = [];
  readonly #faults: FaultDriver;
  readonly #look: Watch;
  readonly course: Course;
  readonly #genesis: CoreGenesis;
  readonly #seals: SealBook<M>;
  readonly #batches: BatchBook<M>;
  readonly #listener: WorldListener<CoreFrame<M>>;
  readonly #liars: ReadonlySet<ReplicaId>;
  /** Those that are two machines by the plan of the family. */
  readonly #twins: ReadonlySet<ReplicaId>;
  /** Frames of the second machine of a twin: among twins each hears its own side. */
  readonly #ofSecond = new WeakSet<object>();
  #trace = 0x811c9dc5;
  /** Events that ran. */
  events = 0;
  /** Whether a listener ended the run before its time. */
  isCut = false;
  /** Evidence that correct replicas have, by accused replica. */
  readonly accused = new Map<ReplicaId, Set<string>>();

  constructor(options: CoreWorldOptions<M>) {
    const { scenario, definition } = options;
    this.scenario = scenario;
    this.#liars = new Set(liarsOf(scenario));
    this.#twins = new Set(scenario.family?.twins.map(({ replica }) => replica));
    this.#options = options;
    this.#listener = options.listener ?? {};
    this.judge = this.#makeJudge(options.judging);
    this.#calmNetwork = calmOf(scenario.network);
    this.#chance = new Chance(scenario.seed, {
      ...(scenario.fires === undefined ? {} : { fires: scenario.fires }),
      ...(options.onFired === undefined ? {} : { onFired: options.onFired }),
    });
    this.#genesis = createCoreGenesis(scenario, definition.name);
    const { hash, domain, trusted } = this.#genesis;
    this.#seals = new SealBook({
      definition,
      hash,
      domain,
      settings: this.#genesis.settings,
      genesis: trusted,
    });
    this.#batches = new BatchBook(definition, this.#genesis, this.#seals);
    this.#network = new Network(scenario.n, this.queue, this.#chance, scenario.network, (from, to, frame) =>
      this.#arrive(from, to, frame),
    );
    const random = new Prng(scenario.seed + 2);
    for (let id = 0; id < scenario.n; id += 1) this.nodes.push(this.#makeMachine(id, random.fork()));
    this.#clientSide = this.#makeClientSide(random);
    this.#faults = this.#makeFaults();
    this.#look = new Watch(scenario, this.judge, this.correct, this.clients);
    const { queue, judge } = this;
    this.course = new Course({ scenario, queue, judge, faults: this.#faults, watch: this.#look });
  }

  /** Sum over everything that was delivered: equal for equal runs. */
  get traceHash(): string {
    return (this.#trace >>> 0).toString(16).padStart(8, '0');
  }

  /** The correct clients. */
  get clients(): readonly CoreClient[] {
    return this.#clientSide.clients;
  }

  get correct(): readonly CoreMachine<M>[] {
    return this.nodes.filter((node) => node.isCorrect);
  }

  /** Frames that entered links between replicas. */
  get framesSent(): number {
    return this.#network.sent;
  }

  /** What trusted components were asked to certify, and did. */
  get trustedCalls(): number {
    return this.#trusted.reduce((sum, component) => sum + component.calls, 0);
  }

  /** Inputs that replicas worked on. */
  get steps(): number {
    return this.nodes.reduce((sum, node) => sum + node.steps, 0);
  }

  /** Highest view that a correct replica was seen in. */
  get highestView(): number {
    return this.#look.highestView;
  }

  /** Faults that happened, by kind, with the frames that they hit. */
  get happened(): Readonly<Record<string, number>> {
    const { lost, duplicated, queued } = this.#network;
    const leftOut = this.#faults.budget.refused;
    const happened: Record<string, number> = Object.fromEntries(this.#faults.happened);
    return Object.assign(happened, { lost, duplicated, queued, leftOut });
  }

  /** Begins a fault now. */
  inject(fault: PlannedFault): void {
    this.#faults.inject(fault);
  }

  /** Does something to a machine at once. */
  act(verb: Parameters<FaultDriver['act']>[0], id: ReplicaId): void {
    this.#faults.act(verb, id);
  }

  /** Runs to the end: until everything is settled, a judge objects, or time is up. */
  run(): void {
    for (const node of this.nodes) node.start();
    this.#clientSide.start();
    this.course.begin();
    const { n } = this.scenario;
    const eventsMax = eventsMaxFor(n);
    const checkEvery = Math.max(CHECK_EVERY, Math.ceil(CHECK_PER_LINK * n * n));
    const { violations } = this.judge;
    while (violations.length === 0 && this.queue.runNext()) {
      this.events += 1;
      if (this.events > eventsMax) {
        this.judge.report('liveness', `more than ${eventsMax} events: ${this.#look.unsettled()}`);
        break;
      }
      if (this.events % checkEvery === 0) this.#checkInside();
      if (this.#listener.onEvent?.() === false) this.isCut = true;
      if (this.isCut || this.course.isOver()) break;
    }
    this.#checkInside();
    if (violations.length === 0) this.#finish();
  }

  /** What the protocol itself says must hold between its replicas. */
  #checkInside(): void {
    const { invariants } = this.#options;
    if (invariants === undefined) return;
    const inside = this.correct.flatMap((node) => (node.inside === undefined ? [] : [node.inside]));
    const broken = invariants(inside);
    if (broken !== undefined) this.judge.report('inside', broken);
  }

  /** All agree by now, so what may be undone in principle counts as final; unless the run was cut off. */
  #finish(): void {
    const isCut = this.isCut || this.scenario.endless === true;
    if (!isCut)
      for (const { id, speculations } of this.correct)
        for (const { sequence, batch, outcome } of speculations)
          this.judge.onExecuted(id, sequence, batch, outcome);
    this.judge.finish([], isCut);
    const problem = this.#options.clientProblem?.();
    if (problem !== undefined) this.judge.report('linearizability', problem);
  }

  #makeJudge({ inside = false, ...rest }: CoreWorldOptions<M>['judging'] = {}): Judge {
    const isCorrect = (replica: ReplicaId): boolean => this.nodes[replica]!.isCorrect;
    return new Judge(() => this.queue.now, {
      ...rest,
      ...(inside ? { cluster: { f: this.scenario.f, isCorrect } } : {}),
    });
  }

  #makeMachine(id: ReplicaId, random: Prng): CoreMachine<M> {
    const { scenario, queue, judge } = this;
    const { definition, corrupt, trace } = this.#options;
    const lie = scenario.byzantine.find((entry) => entry.replica === id);
    const isCorrect = !this.#liars.has(id);
    const genesis = this.#genesis;
    const wall = new SimClock(EPOCH_MS + scenario.clockOffsetsMs[id]!, scenario.clockDriftPpm?.[id]);
    this.#clocks.push(wall);
    const disk = new CoreDisk(id, queue, this.#chance, scenario.disk, genesis.trusted[id]!.tcEpoch);
    const { onCertified } = this.#listener;
    const trusted = new CoreTrusted(id, tellingBook(id, this.#seals, onCertified));
    this.#disks.push(disk);
    this.#trusted.push(trusted);
    const double = new Double<CoreMachine<M>>(scenario, id, queue);
    this.#doubles.push(double);
    const links: CoreLinks<M> = {
      toPeer: (to, frame) => {
        if (!double.faces(to) || this.#twins.has(to)) this.#send(id, to, frame);
      },
      toClient: (client, reply) => this.#toClient(id, client, reply),
    };
    const corruption = isCorrect
      ? undefined
      : corrupt({
          replica: id,
          behaviour: lie?.behaviour,
          scenario,
          genesis,
          trusted,
          signAsHost: (digest) => this.#seals.signAsHost(id, digest),
          spare: (mark) => spareOf(new CoreTrusted(id, this.#seals, { next: mark })),
          random: random.fork(),
          after: (delayMs, action) => queue.after(delayMs, action),
          reboot: () => queue.after(0, () => this.#faults.reboot(id)),
        });
    const machine: CoreMachineOptions<M> = {
      id,
      genesis,
      definition,
      seals: this.#seals,
      batches: this.#batches,
      trusted,
      trustedLatency: scenario.trusted,
      disk,
      queue,
      chance: this.#chance,
      random,
      judge,
      isCorrect,
      wall,
      askState: (source, checkpoint) => this.#askState(id, source, checkpoint),
      note: (replica, name, detail) => this.#onNote(replica, name, detail),
      listener: this.#listener,
      ...(trace === undefined || !isCorrect ? {} : { trace }),
      ...(corruption === undefined ? links : corruption.wrapLinks(links)),
      ...(corruption === undefined ? {} : { wrapReplica: corruption.wrapReplica }),
    };
    double.plan((chosen) => {
      const { disk: kind, component } = double.doubling!;
      const copy = new CoreDisk(id, queue, this.#chance, scenario.disk, genesis.trusted[id]!.tcEpoch);
      if (kind === 'copied') copy.copyFrom(disk);
      const toPeer = (to: ReplicaId, frame: CoreFrame<M>): void => {
        if (!double.faces(to) && !this.#twins.has(to)) return;
        if (this.#twins.has(to)) this.#ofSecond.add(frame);
        this.#send(id, to, frame);
      };
      const second = component === 'shared' ? trusted : trusted.clone(component === 'other');
      return new CoreMachine<M>({ ...machine, disk: copy, trusted: second, toPeer, random: chosen });
    });
    return new CoreMachine<M>(machine);
  }

  #send(from: ReplicaId, to: ReplicaId, frame: CoreFrame<M>): void {
    this.#listener.onSend?.(from, to, frame);
    this.#network.send(from, to, frame);
  }

  #makeClientSide(random: Prng): CoreClientSide<M> {
    const { scenario, queue, judge } = this;
    return new CoreClientSide<M>({
      scenario,
      definition: this.#options.definition,
      genesis: this.#genesis,
      seals: this.#seals,
      queue,
      chance: this.#chance,
      random,
      judge,
      listener: this.#listener,
      links: () => this.#clientLinks,
      deliver: (client, to, frame) => this.#onClientFrame(client, to, frame),
      mix: (kind, a, b, content) => this.#mix(kind, a, b, content),
    });
  }

  #makeFaults(): FaultDriver {
    return new FaultDriver({
      scenario: this.scenario,
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
      trusted: this.#trusted,
      say: (text) => this.#say(text),
    });
  }

  // ---- links ------------------------------------------------------------------------------------------------------

  #arrive(from: ReplicaId, to: ReplicaId, frame: CoreFrame<M>): void {
    this.#mix(1, from, to, sumOfFrame(frame));
    if (this.#listener.onArrival?.(from, to, frame) === false) return;
    this.deliver(from, to, frame);
  }

  /** Hands a frame to a machine at once; also for what was kept from it before. */
  deliver(from: ReplicaId, to: ReplicaId, frame: CoreFrame<M>): void {
    this.#options.watch?.(this.queue.now, `${from} > ${to} ${nameOfFrame(frame)}`);
    const double = this.#doubles[to]!;
    const isForSecond =
      this.#twins.has(from) && this.#twins.has(to) ? this.#ofSecond.has(frame) : double.faces(from);
    if (isForSecond) double.second?.onPeerFrame(from, frame);
    else this.nodes[to]!.onPeerFrame(from, frame);
    this.#listener.onTaken?.();
  }

  get #clientLinks(): NetworkSettings {
    return this.#faults.calm ? this.#calmNetwork : this.scenario.network;
  }

  #toClient(from: ReplicaId, client: number, reply: CoreReply): void {
    // What is speculative may be undone, and another result told.
    if (this.nodes[from]!.isCorrect && reply.standing !== 'speculative')
      this.judge.onSigned(from, reply.session, reply.results);
    this.#clientSide.answer(from, client, reply);
  }

  #onClientFrame(client: number, to: ReplicaId, frame: CoreFrame<M>): void {
    const first = this.nodes[to]!;
    for (const machine of this.#doubles[to]!.forClient(client, first)) {
      const hears = (): void => machine.onClientFrame(client, NO_KEY, frame);
      // Twins are of use only if they do not always see the same.
      if (machine === first || !this.#twins.has(to)) hears();
      else this.queue.after(this.#chance.range(SITE.client, 1280 + to, 0, TWIN_LATER_MS), hears);
    }
  }

  #askState(self: ReplicaId, source: ReplicaId, checkpoint: CheckpointState): TransferAnswer {
    const machine = this.nodes[source];
    const reaches = this.#network.isOpen(self, source) && this.#network.isOpen(source, self);
    if (machine === undefined || !machine.isUp || !reaches) return { kind: 'silent' };
    const { delayLowMs, delayHighMs, distanceMs } = this.#clientLinks;
    const distance = (distanceMs?.[self]?.[source] ?? 0) + (distanceMs?.[source]?.[self] ?? 0);
    const roundTripMs = distance + delayLowMs + delayHighMs;
    const state = machine.stateAt(checkpoint);
    return state === undefined ? { kind: 'gone', roundTripMs } : { kind: 'state', state, roundTripMs };
  }

  #mix(kind: number, a: number, b: number, content: number): void {
    let trace = this.#trace;
    trace = Math.imul(trace ^ (kind * 65536 + a * 256 + b), 0x01000193);
    trace = Math.imul(trace ^ content, 0x01000193);
    trace = Math.imul(trace ^ Math.floor(this.queue.now * 1000), 0x01000193);
    this.#trace = trace ^ (trace >>> 13);
  }

  // ---- looking ----------------------------------------------------------------------------------------------------

  #onNote(replica: ReplicaId, name: string, detail: Detail): void {
    if (this.#options.narrate !== undefined)
      this.#options.narrate(this.queue.now, `${replica} ${name} ${JSON.stringify(detail)}`);
    this.#listener.onNote?.(replica, name, detail);
    if (!this.nodes[replica]!.isCorrect) return;
    if (name === 'evidence') this.#onEvidence(replica, Number(detail['against']), String(detail['rule']));
    if (name === 'ignored') this.#onIgnored(replica, String(detail['reason']), detail);
  }

  #onEvidence(by: ReplicaId, against: ReplicaId, rule: string): void {
    const rules = this.accused.get(against) ?? new Set();
    rules.add(rule);
    this.accused.set(against, rules);
    if (this.nodes[against]!.isCorrect)
      this.judge.report('accusation', `correct replica ${against} accused by ${by} under ${rule}`);
  }

  #onIgnored(by: ReplicaId, reason: string, { from, client }: Detail): void {
    if (!POISON.has(reason)) return;
    const isOfCorrect =
      from === 'client' ? Number(client) < this.clients.length : this.nodes[Number(from)]!.isCorrect;
    if (isOfCorrect)
      this.judge.report(
        'self-acceptance',
        `replica ${by} rejected a frame of correct ${String(from)}: ${reason}`,
      );
  }

  #say(text: string): void {
    this.#listener.onFault?.(text);
    this.#options.narrate?.(this.queue.now, text);
  }
}
