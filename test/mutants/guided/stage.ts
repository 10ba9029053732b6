/**
 * A stage for constructed histories: the simulator's world with its real hosts, disks, clients and judges, a network
 * that loses exactly what the history wants lost, and puppets in place of Byzantine replicas. Nothing here judges:
 * whether a history is harmless is for the ordinary judges of the simulator to say.
 */
import { decodeClientFrame } from '../../../src/core/client-wire.ts';
import { decodeBundle } from '../../../src/core/request.ts';
import type { Bundle } from '../../../src/core/request.ts';
import type { Domain } from '../../../src/core/domain.ts';
import type { ReplicaId } from '../../../src/core/types.ts';
import { modelHash } from '../../../src/crypto/fast-model.ts';
import { decodeLinkFrame } from '../../../src/host/link-frames.ts';
import type { LinkFrame } from '../../../src/host/link-frames.ts';
import { minbft } from '../../../src/protocols/minbft/definition.ts';
import type { Violation } from '../../../src/sim/judge.ts';
import type { Scenario } from '../../../src/sim/scenario.ts';
import { World } from '../../../src/sim/world.ts';
import type { Narrator } from '../../../src/sim/world.ts';
import { createSimGenesis } from '../../../src/sim/cluster-settings.ts';
import { decodeMessage } from '../../../src/smr/usig-stream/codec.ts';
import { createStreamContext } from '../../../src/smr/usig-stream/context.ts';
import type { StreamContext } from '../../../src/smr/usig-stream/context.ts';
import type { MinbftMessage } from '../../../src/smr/usig-stream/messages.ts';
import { Puppet } from './puppet.ts';

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
  const n = 2 * guided.f + 1;
  return {
    seed,
    f: guided.f,
    n,
    limits: {
      checkpointInterval: guided.checkpointInterval,
      pipelineFactor: guided.pipelineFactor,
      batchRequestsMax: 1,
      batchBytesMax: 96 * 1024,
      logEntriesMax: 4096,
      sessionsMax: 64,
      sessionWindowMax: 64,
    },
    timers: {
      batchDelayMs: 1,
      statusMs: 20,
      requestMs: 60,
      newViewMs: 100,
      backoffCapMs: 1_000,
      gapMs: 5,
      idleBatchMs: 20,
    },
    network: {
      delayLowMs: 0.9,
      delayHighMs: 1,
      tailProbability: 0,
      tailFactor: 1,
      loss: 0,
      duplication: 0,
      reordering: false,
    },
    disk: { syncLowMs: 0.05, syncHighMs: 0.1 },
    trusted: { lowMs: 0.01, highMs: 0.02 },
    clockOffsetsMs: Array.from({ length: n }, () => 0),
    byzantine: guided.puppets.map((replica) => ({ replica, behaviour: 'silent' as const })),
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
    settleMs: 20_000,
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
      else if (queue.now < this.#guided.calmMs) queue.after(LOOK_EVERY_MS, look);
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
      for (const loses of this.#losses) if (loses(seen)) return;
      if (puppet === undefined) toHost(from, bytes);
      else puppet.hear(seen);
    };
    const fromClient = node.onClientFrame.bind(node);
    node.onClientFrame = (client, key, bytes) => {
      this.#clientFrames.push(bytes);
      if (this.#clientsSpeak && puppet === undefined) fromClient(client, key, bytes);
    };
  }
}
