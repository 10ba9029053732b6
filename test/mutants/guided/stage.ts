/**
 * A stage for constructed histories: the simulator's world with its real hosts, disks, clients and judges, a network
 * that loses exactly what the history wants lost, and puppets in place of Byzantine replicas. Nothing here judges:
 * whether a history is harmless is for the ordinary judges of the simulator to say.
 */
import { baseScenario } from '../../../src/sim/base-scenario.ts';
import { bytesToHex } from '../../../src/core/bytes.ts';
import { decodeClientFrame } from '../../../src/core/client-wire.ts';
import { decodeBundle } from '../../../src/core/request.ts';
import type { Bundle } from '../../../src/core/request.ts';
import type { Domain } from '../../../src/core/domain.ts';
import type { ReplicaId } from '../../../src/core/types.ts';
import { modelHash } from '../../../src/crypto/fast-model.ts';
import { decodeLinkFrame } from '../../../src/host/link-frames.ts';
import { encodeLinkFrame } from '../../../src/host/link-frames.ts';
import type { LinkFrame } from '../../../src/host/link-frames.ts';
import { minbft } from '../../../src/protocols/minbft/definition.ts';
import type { Violation } from '../../../src/sim/judge.ts';
import type { Scenario } from '../../../src/sim/scenario.ts';
import { SimDisk } from '../../../src/sim/disk.ts';
import { World } from '../../../src/sim/world.ts';
import type { Narrator } from '../../../src/sim/world.ts';
import { createSimGenesis } from '../../../src/sim/cluster-settings.ts';
import type { SimGenesis } from '../../../src/sim/cluster-settings.ts';
import { decodeMessage } from '../../../src/smr/usig-stream/codec.ts';
import { createStreamContext } from '../../../src/smr/usig-stream/context.ts';
import type { StreamContext } from '../../../src/smr/usig-stream/context.ts';
import type { MinbftMessage } from '../../../src/smr/usig-stream/messages.ts';
import { Puppet } from '../../../src/sim/script/puppet.ts';

/** How often a script looks whether it may go on, milliseconds of virtual time. */
const LOOK_EVERY_MS = 0.25;

/** A frame on a link between two replicas; `message` if it holds one of the protocol. */
export interface Seen {
  readonly from: ReplicaId;
  readonly to: ReplicaId;
  readonly frame: LinkFrame;
  readonly message: MinbftMessage | undefined;
}

/** What a script waits for. */
export type Condition = () => boolean;

/** One constructed history. */
export interface GuidedScenario {
  readonly name: string;
  /** What happens, in a few sentences. */
  readonly story: string;
  readonly f: number;
  readonly puppets: readonly ReplicaId[];
  /** Byzantine replicas that run the real host, and whose frames the script may alter on their way. */
  readonly liars?: readonly ReplicaId[];
  /** cp and w. */
  readonly checkpointInterval: number;
  readonly pipelineFactor: number;
  readonly clients: number;
  /** Bundles of each client after the one that opens its session; 2 if left out. */
  readonly bundles?: number;
  /** Pause of a client between two bundles, milliseconds; 5 if left out. */
  readonly paceMs?: number;
  /** When the network heals and only correct replicas count. */
  readonly calmMs: number;
  /** How long after that everything must be finished; 20 s if left out. */
  readonly settleMs?: number;
  /** Whether the script goes on after the network has healed. */
  readonly endless?: boolean;
  /** How late a frame between replicas is beyond the network's delay, also after it has healed, milliseconds. */
  readonly late?: (seen: Seen) => number;
  /** Timers, network and disks that differ from the usual ones. */
  readonly timers?: Partial<Scenario['timers']>;
  readonly network?: Partial<Scenario['network']>;
  readonly disk?: Scenario['disk'];
  readonly script: (stage: Stage) => Generator<Condition, void, void>;
}

/** How a history is played. */
export interface StageOptions {
  /** Moves delays a little; the order of events that matters is the script's. */
  readonly seed: number;
  /** Told what happens, line by line. */
  readonly narrate?: Narrator;
  /** Told every frame that is delivered. */
  readonly watch?: Narrator;
}

/** What came of a history. */
export interface GuidedResult {
  readonly violations: readonly Violation[];
  /** Whether the script came to its end before the network healed. */
  readonly finished: boolean;
  readonly believed: number;
  readonly traceHash: string;
}

function scenarioOf(guided: GuidedScenario, seed: number): Scenario {
  const base = baseScenario(guided.f);
  return {
    ...base,
    seed,
    limits: {
      ...base.limits,
      checkpointInterval: guided.checkpointInterval,
      pipelineFactor: guided.pipelineFactor,
    },
    timers: { ...base.timers, ...guided.timers },
    network: { ...base.network, ...guided.network },
    disk: guided.disk ?? base.disk,
    byzantine: [...guided.puppets, ...(guided.liars ?? [])].map((replica) => ({
      replica,
      behaviour: 'silent' as const,
    })),
    faults: [],
    clients: Array.from({ length: guided.clients }, () => ({
      bundles: guided.bundles ?? 2,
      requestsPerBundle: 1,
      inFlight: 1,
      paceMs: guided.paceMs ?? 5,
      retransmitMs: 50,
      toAll: true,
    })),
    calmMs: guided.calmMs,
    settleMs: guided.settleMs ?? base.settleMs,
  };
}

/** See the top of this file. */
export class Stage {
  readonly world: World<MinbftMessage>;
  readonly domain: Domain;
  readonly #context: StreamContext;
  readonly #puppets = new Map<ReplicaId, Puppet>();
  readonly #losses = new Set<(seen: Seen) => boolean>();
  readonly #clientFrames: Uint8Array[] = [];
  readonly #bodies = new Map<string, Uint8Array>();
  #bend: ((seen: Seen) => LinkFrame) | undefined;
  #genesis: SimGenesis | undefined;
  #clientsSpeak = true;
  #finished = false;
  readonly #guided: GuidedScenario;

  constructor(guided: GuidedScenario, options: StageOptions) {
    const { narrate, watch } = options;
    this.#guided = guided;
    const scenario = scenarioOf(guided, options.seed);
    const { settings } = createSimGenesis(scenario, minbft.name);
    this.domain = { clusterId: settings.clusterId, configurationVersion: settings.configurationVersion };
    this.#context = createStreamContext(settings, modelHash, this.domain, settings.protocol);
    this.world = new World<MinbftMessage>({
      scenario,
      definition: minbft,
      corrupt: (context) => {
        this.#genesis = context.genesis;
        if (guided.liars?.includes(context.replica) === true)
          return { wrapReplica: (replica) => replica, wrapPorts: (ports) => ports };
        const puppet = new Puppet(context, (from, to, frame) => this.#carry(from, to, frame));
        this.#puppets.set(context.replica, puppet);
        return puppet.corruption;
      },
      ...(narrate === undefined ? {} : { narrate }),
      ...(watch === undefined ? {} : { watch }),
    });
    for (const node of this.world.nodes) this.#tap(node.id);
  }

  /** The puppet in place of a replica. */
  puppet(id: ReplicaId): Puppet {
    return this.#puppets.get(id)!;
  }

  /** Keys and components of the run; only in a history with a Byzantine replica. */
  get genesis(): SimGenesis {
    return this.#genesis!;
  }

  /** Alters what Byzantine replicas with a real host send. */
  alter(bend: (seen: Seen) => LinkFrame): void {
    this.#bend = bend;
  }

  /** Holds when so much virtual time has passed from now on. */
  after(ms: number): Condition {
    const until = this.world.queue.now + ms;
    return () => this.world.queue.now > until;
  }

  /** Cuts the power of a machine. */
  crash(id: ReplicaId): void {
    this.world.nodes[id]!.crash();
    for (const other of this.world.nodes) if (other.id !== id) other.onPeerDown(id);
  }

  /** Starts it again. */
  restart(id: ReplicaId): void {
    const { nodes, queue } = this.world;
    nodes[id]!.start();
    for (const other of nodes) {
      if (other.id === id) continue;
      queue.after(5, () => {
        other.onPeerUp(id);
        nodes[id]!.onPeerUp(other.id);
      });
    }
  }

  /** Starts it again on a snapshot in which a value has changed unnoticed. */
  restartOnRottenSnapshot(id: ReplicaId): void {
    const honest = SimDisk.prototype.image;
    SimDisk.prototype.image = function (this: SimDisk) {
      SimDisk.prototype.image = honest;
      const image = this.image();
      const { snapshot } = image;
      // From now on the disk is known to have done something that no check value shows.
      this.rot('snapshot', true);
      if (snapshot === undefined) return image;
      let last = 1_000;
      // A chunk of four bytes is a list without entries: it holds no value.
      while (last > 0 && snapshot.chunk(last).length <= 4) last -= 1;
      const chunk = (index: number): Uint8Array => {
        const bytes = snapshot.chunk(index);
        return index === last ? bytes.map((byte, at) => (at === bytes.length - 1 ? byte ^ 1 : byte)) : bytes;
      };
      return { ...image, snapshot: { ...snapshot, chunk } };
    };
    this.restart(id);
  }

  /** What a correct replica has executed. */
  executed(id: ReplicaId): number {
    const node = this.world.nodes[id]!;
    return node.host?.status(node.clock).sequence ?? 0;
  }

  /** Loses from now on, until the network heals, what `loses` says. Gives a function that ends it. */
  lose(loses: (seen: Seen) => boolean): () => void {
    this.#losses.add(loses);
    return () => void this.#losses.delete(loses);
  }

  /** Cuts the links between two sets of replicas, both ways. */
  cut(side: readonly ReplicaId[], others: readonly ReplicaId[]): () => void {
    return this.lose(
      ({ from, to }) =>
        (side.includes(from) && others.includes(to)) || (others.includes(from) && side.includes(to)),
    );
  }

  /** Whether clients reach the replicas (they try again and again). */
  letClientsSpeak(speak: boolean): void {
    this.#clientsSpeak = speak;
  }

  /** Distinct bundles that clients sent so far, oldest first. */
  bundles(): Bundle[] {
    const found = new Map<string, Bundle>();
    for (const bytes of this.#clientFrames) {
      const frame = decodeClientFrame(bytes);
      const bundle = frame?.kind === 'bundle' ? decodeBundle(modelHash, this.domain, frame.bytes) : undefined;
      if (bundle !== undefined) found.set(bundle.digest, bundle);
    }
    return [...found.values()];
  }

  /** Sends a replica every body that was ever on a link. */
  giveBodies(from: ReplicaId, to: ReplicaId): void {
    for (const bytes of this.#bodies.values())
      this.#carry(from, to, encodeLinkFrame({ kind: 'body', bytes }));
  }

  /** Plays the history to its end. */
  play(): GuidedResult {
    const { world } = this;
    const steps = this.#guided.script(this);
    world.queue.after(0, () => this.#advance(steps));
    world.queue.after(this.#guided.calmMs, () => {
      this.#losses.clear();
      this.#clientsSpeak = true;
    });
    world.run();
    const { violations, believed } = world.judge;
    return { violations, finished: this.#finished, believed, traceHash: world.traceHash };
  }

  #advance(steps: Generator<Condition, void, void>): void {
    const { queue } = this.world;
    const step = steps.next();
    if (step.done === true) {
      this.#finished = true;
      return;
    }
    const look = (): void => {
      if (step.value()) this.#advance(steps);
      else if (queue.now < this.#guided.calmMs || this.#guided.endless === true)
        queue.after(LOOK_EVERY_MS, look);
    };
    look();
  }

  #carry(from: ReplicaId, to: ReplicaId, frame: Uint8Array): void {
    this.world.queue.after(1, () => this.world.nodes[to]!.onPeerFrame(from, frame));
  }

  /** Everything that reaches a replica passes here. */
  #tap(id: ReplicaId): void {
    const node = this.world.nodes[id]!;
    const puppet = this.#puppets.get(id);
    const toHost = node.onPeerFrame.bind(node);
    node.onPeerFrame = (from, bytes) => {
      const frame = decodeLinkFrame(bytes);
      if (frame === undefined) return;
      const message = frame.kind === 'protocol' ? decodeMessage(this.#context, frame.bytes) : undefined;
      const seen: Seen = { from, to: id, frame, message };
      if (frame.kind === 'body') this.#bodies.set(bytesToHex(frame.bytes), frame.bytes);
      for (const loses of this.#losses) if (loses(seen)) return;
      const bends = this.#bend !== undefined && this.#guided.liars?.includes(from) === true;
      if (puppet !== undefined) puppet.hear(seen);
      else {
        const given = bends ? encodeLinkFrame(this.#bend!(seen)) : bytes;
        const late = this.#guided.late?.(seen);
        if (late === undefined) toHost(from, given);
        else this.world.queue.after(late, () => toHost(from, given));
      }
    };
    const fromClient = node.onClientFrame.bind(node);
    node.onClientFrame = (client, key, bytes) => {
      this.#clientFrames.push(bytes);
      if (this.#clientsSpeak && puppet === undefined) fromClient(client, key, bytes);
    };
  }
}
