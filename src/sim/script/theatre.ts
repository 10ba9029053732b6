/**
 * A world of either fidelity for those who look at messages and not at bytes: the rules of a script, and traces. What
 * a frame says is read only when somebody asks.
 */
import { decodeClientFrame } from '../../core/client-wire.ts';
import type { DecodeContext, ProtocolDefinition, RuleTrace } from '../../core/protocol.ts';
import { decodeBundle } from '../../core/request.ts';
import type { Bundle } from '../../core/request.ts';
import type { ReplicaId, SequenceNumber } from '../../core/types.ts';
import { modelHash } from '../../crypto/fast-model.ts';
import { protocolNamed } from '../../protocols/catalogue.ts';
import { minbft } from '../../protocols/minbft/definition.ts';
import type { MinbftMessage } from '../../smr/usig-stream/messages.ts';
import type { Fired } from '../chance.ts';
import { createSimGenesis } from '../cluster-settings.ts';
import type { CoreFrame } from '../core/frame.ts';
import { corruptCore } from '../core/run.ts';
import { CoreWorld } from '../core/world.ts';
import type { EventQueue } from '../event-queue.ts';
import { familyWorld } from '../family/run.ts';
import type { FaultDriver } from '../fault-driver.ts';
import type { Arrival, Parcel, SeenExchange, WorldListener } from '../listener.ts';
import type { MachineLook } from '../machine.ts';
import { corrupt } from '../run-schedule.ts';
import type { EndedWorld, Fidelity } from '../run-schedule.ts';
import type { PlannedFault, Scenario } from '../scenario.ts';
import type { SimProgram } from '../trusted.ts';
import { World } from '../world.ts';
import type { Corruption, CorruptionContext, Narrator } from '../world.ts';
import { readerOfBytes, readerOfObjects } from '../trace/parcels.ts';
import type { ParcelReader } from '../trace/parcels.ts';
import { seeBytes, seeObject } from './seen.ts';
import type { Seen, Way } from './seen.ts';

/** A frame on its way. `frame` is the same object at its sending and its arrivals. */
export interface Passing extends Way {
  readonly frame: object;
  see(): Seen<MinbftMessage>;
  /** Its length, and all that it says. */
  weigh(): Parcel;
}

/** Who looks at messages. */
export interface Spectator extends Pick<
  WorldListener,
  | 'onExecuted'
  | 'onIssued'
  | 'onBelieved'
  | 'onNote'
  | 'onFault'
  | 'onTaken'
  | 'onReply'
  | 'onCertified'
  | 'onTimer'
  | 'onWorked'
  | 'onEvent'
> {
  readonly onSend?: (passing: Passing) => void;
  /** False keeps the frame from its receiver. */
  readonly onArrival?: (passing: Passing) => boolean;
  /** As in `WorldListener`. */
  readonly onClientFrame?: (
    client: number,
    to: ReplicaId,
    bundle: () => Bundle | undefined,
  ) => boolean | 'heard';
  readonly onAsk?: (client: number, to: ReplicaId, see: () => SeenExchange) => Arrival;
}

/** How a world is opened. */
export interface TheatreOptions {
  readonly scenario: Scenario;
  /** Name of the protocol; all but MinBFT run in the core fidelity only. */
  readonly protocol: string;
  readonly fidelity: Fidelity;
  readonly spectator: Spectator;
  /** Whether the inside of replicas is judged too. */
  readonly inside: boolean;
  readonly narrate?: Narrator;
  readonly watch?: Narrator;
  readonly onFired?: (fired: Fired) => void;
  /** Told the outcome of every numbered rule that a correct replica checks. */
  readonly trace?: (event: RuleTrace) => void;
  /** What trusted components run in place of the modelled program (whole fidelity only). */
  readonly program?: SimProgram;
  /** In place of the lies of the scenario (whole fidelity only). */
  readonly corrupt?: (context: CorruptionContext) => Corruption<MinbftMessage>;
}

/** See the top of this file. */
export interface Theatre {
  readonly world: EndedWorld;
  readonly queue: EventQueue;
  run(): void;
  /** Hands a frame to its receiver at once. */
  deliver(passing: Passing): void;
  act(verb: Parameters<FaultDriver['act']>[0], id: ReplicaId): void;
  /** Through which sequence number a replica has executed or taken over the state; 0 if it is down. */
  stands(id: ReplicaId): SequenceNumber;
  /** What a look into a replica shows; undefined if it is down. */
  look(id: ReplicaId): MachineLook | undefined;
  /** Begins a fault now. */
  inject(fault: PlannedFault): void;
  /** A frame of the whole fidelity as if a replica had sent it. */
  passing(way: Way, bytes: Uint8Array): Passing;
}

/** Makes the world of a scenario, ready to run. */
export function openTheatre(options: TheatreOptions): Theatre {
  return options.fidelity === 'core' ? openCore(options) : openWhole(options);
}

function listenersOf({
  narrate,
  watch,
  onFired,
  trace,
}: TheatreOptions): Pick<TheatreOptions, 'narrate' | 'watch' | 'onFired' | 'trace'> {
  return {
    ...(narrate === undefined ? {} : { narrate }),
    ...(watch === undefined ? {} : { watch }),
    ...(onFired === undefined ? {} : { onFired }),
    ...(trace === undefined ? {} : { trace }),
  };
}

/** The parts of a listener that are about frames. */
function frameListener<F extends object>(
  spectator: Spectator,
  read: (frame: F) => Seen<MinbftMessage>,
  parcels: ParcelReader<F>,
  bundleOf: (frame: F) => Bundle | undefined,
): { readonly listener: WorldListener<F>; readonly passing: (way: Way, frame: F) => Passing } {
  const { onSend, onArrival, onClientFrame, onAsk, ...rest } = spectator;
  const known = new WeakMap<F, Seen<MinbftMessage>>();
  const passing = ({ from, to }: Way, frame: F): Passing => ({
    from,
    to,
    frame,
    see: () => {
      const seen = known.get(frame) ?? read(frame);
      known.set(frame, seen);
      return seen;
    },
    weigh: () => parcels.parcel(frame),
  });
  const listener: WorldListener<F> = {
    ...rest,
    ...(onSend === undefined ? {} : { onSend: (from, to, frame) => onSend(passing({ from, to }, frame)) }),
    ...(onArrival === undefined
      ? {}
      : { onArrival: (from, to, frame) => onArrival(passing({ from, to }, frame)) }),
    ...(onClientFrame === undefined
      ? {}
      : { onClientFrame: (client, to, frame) => onClientFrame(client, to, () => bundleOf(frame)) }),
    ...(onAsk === undefined
      ? {}
      : { onAsk: (client, to, frame) => onAsk(client, to, () => parcels.exchange(frame)) }),
  };
  return { listener, passing };
}

function openWhole(options: TheatreOptions): Theatre {
  const { scenario, spectator } = options;
  const { settings } = createSimGenesis(scenario, minbft.name);
  const { clusterId, configurationVersion } = settings;
  const context: DecodeContext = { settings, domain: { clusterId, configurationVersion }, hash: modelHash };
  const { listener, passing } = frameListener<Uint8Array>(
    spectator,
    (bytes) => seeBytes(minbft, context, bytes),
    readerOfBytes(minbft, context),
    (bytes) => {
      const frame = decodeClientFrame(bytes);
      return frame?.kind === 'bundle' ? decodeBundle(modelHash, context.domain, frame.bytes) : undefined;
    },
  );
  const world = new World<MinbftMessage>({
    scenario,
    definition: minbft,
    corrupt: options.corrupt ?? corrupt,
    listener,
    judging: { inside: options.inside },
    ...(options.program === undefined ? {} : { program: options.program }),
    ...listenersOf(options),
  });
  return {
    world,
    queue: world.queue,
    run: () => world.run(),
    deliver: ({ from, to, frame }) => world.deliver(from, to, frame as Uint8Array),
    act: (verb, id) => world.act(verb, id),
    inject: (fault) => world.inject(fault),
    stands: (id) => world.nodes[id]?.look()?.sequence ?? 0,
    look: (id) => world.nodes[id]?.look(),
    passing,
  };
}

function openCore(options: TheatreOptions): Theatre {
  if (options.scenario.family !== undefined || options.protocol !== minbft.name) return openFamily(options);
  const { scenario, spectator } = options;
  const parcels = readerOfObjects(minbft);
  const { listener } = frameListener<CoreFrame<MinbftMessage>>(spectator, seeObject, parcels, bundleOfFrame);
  const world = new CoreWorld<MinbftMessage>({
    scenario,
    definition: minbft,
    corrupt: corruptCore,
    listener,
    judging: { inside: options.inside },
    ...listenersOf(options),
  });
  return theatreOf(world);
}

function bundleOfFrame<M>(frame: CoreFrame<M>): Bundle | undefined {
  return frame.kind === 'bundle' ? frame.bundle : undefined;
}

/** Any protocol of the catalogue, with the lies that need no knowledge of it. */
function openFamily(options: TheatreOptions): Theatre {
  const protocol = protocolNamed(options.protocol);
  if (protocol === undefined) throw new Error(`there is no protocol ${options.protocol}`);
  // What a spectator reads of a message (its label) does not depend on the protocol.
  const { listener } = frameListener<CoreFrame<object>>(
    options.spectator,
    (frame) => seeObject(frame as CoreFrame<MinbftMessage>),
    readerOfObjects(protocol as ProtocolDefinition<object>),
    bundleOfFrame,
  );
  const { narrate, watch, trace } = options;
  const world = familyWorld(protocol, options.scenario, {
    listener,
    ...(narrate === undefined ? {} : { narrate }),
    ...(watch === undefined ? {} : { watch }),
    ...(trace === undefined ? {} : { trace }),
  });
  return theatreOf(world);
}

function theatreOf<M extends object>(world: CoreWorld<M>): Theatre {
  return {
    world,
    queue: world.queue,
    run: () => world.run(),
    deliver: ({ from, to, frame }) => world.deliver(from, to, frame as CoreFrame<M>),
    act: (verb, id) => world.act(verb, id),
    inject: (fault) => world.inject(fault),
    stands: (id) => world.nodes[id]?.look()?.sequence ?? 0,
    look: (id) => world.nodes[id]?.look(),
    passing: () => {
      throw new Error('puppets speak in bytes; they need the whole fidelity');
    },
  };
}
