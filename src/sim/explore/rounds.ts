/**
 * Search over rounds in a small scope (after ByzzFuzz): up to two process faults and up to two network faults, each in
 * one round of a run. A process fault is what one Byzantine replica does to its messages of that round: one field
 * changed before the seal, told to some of the others only, with or without the true one for the rest, or nothing told.
 * A network fault cuts a part of the replicas off from the others for the messages of that round alone.
 */
import { wrapWith } from '../../adversary/stream-liar.ts';
import { mutated } from '../../adversary/strategies/mutation.ts';
import type { LiarDesk, Strategy } from '../../adversary/strategies/strategy.ts';
import { Prng } from '../../core/prng.ts';
import type { CounterValue, ReplicaId, SequenceNumber } from '../../core/types.ts';
import { viewChangeContent } from '../../smr/usig-stream/builders.ts';
import type { Draft, MinbftMessage } from '../../smr/usig-stream/messages.ts';
import type { CoreCorruption, CoreCorruptionContext } from '../core/world.ts';
import { playWorld, worldOf } from './explorer.ts';
import type { Exploration, Frame, IndexedExplorer } from './explorer.ts';
import { placeOf, roundOf, roundsThrough, roundText } from './rounds-of-views.ts';
import type { Place } from './rounds-of-views.ts';
import { smallScenario } from './small-scenario.ts';

/** Faults of each kind, at most. */
export const FAULTS_MAX = 2;
/** Views that rounds are drawn from: 0 to this. */
const LAST_VIEW = 2;
/** Rounds of a run: two changes of the view. */
export const ROUNDS = roundsThrough(LAST_VIEW);
/** View 0 and one change of it: where most faults meet something. */
const EARLY_ROUNDS = roundsThrough(1);
/** How often the first cut keeps the first primary from being heard. */
const OPENING = 0.7;
/** Time for two changes of the view. */
const FAULTS_MS = 220;

/** Which messages a fault is about. */
export interface Aim {
  readonly round: number;
  /** Only those about this sequence number; undefined: all of the round. */
  readonly sequence: SequenceNumber | undefined;
}

/** What the Byzantine replica does in one round. */
export interface ProcessFault extends Aim {
  /** `replace`: only the altered message exists. `fork`: the others get the true one. `omit`: nothing is told. */
  readonly kind: 'replace' | 'fork' | 'omit';
  /** Who gets the altered message, or nothing. */
  readonly to: readonly ReplicaId[];
  /** Which field is changed, and to what. */
  readonly salt: number;
}

/** A cut in one round. */
export interface NetworkFault extends Aim {
  /** Replicas of one side; the others are the other side. */
  readonly side: readonly ReplicaId[];
}

/** One schedule. */
export interface RoundsPlan {
  readonly seed: number;
  readonly f: number;
  readonly requests: number;
  readonly liar: ReplicaId | undefined;
  readonly process: readonly ProcessFault[];
  readonly network: readonly NetworkFault[];
}

/** What is fixed for all schedules. */
export interface RoundsOptions {
  /** 3 or 5; default: by index, 3 for three in four. */
  readonly replicas?: number;
  /** Judges look inside of the replicas too. Default: true. */
  readonly inside?: boolean;
}

/** The schedule of an index. */
export function roundsPlan(index: number, options: RoundsOptions = {}): RoundsPlan {
  const random = new Prng(index);
  const drawn = random.pick([1, 1, 1, 2]);
  const f = options.replicas === undefined ? drawn : (options.replicas - 1) / 2;
  const n = 2 * f + 1;
  const ids = Array.from({ length: n }, (_, id) => id);
  const liar = random.pick([0, 0, 1, 1, ...ids]);
  const some = (from: readonly ReplicaId[]): ReplicaId[] => {
    const drawnOnes = from.filter(() => random.chance(0.5));
    return drawnOnes.length === 0 ? [random.pick(from)] : drawnOnes;
  };
  const aim = (): Aim => {
    const round = random.between(0, random.pick([EARLY_ROUNDS, EARLY_ROUNDS, ROUNDS]) - 1);
    return { round, sequence: random.pick([undefined, undefined, 1, 2, 3]) };
  };
  // Something is always wrong: nothing at all is not worth a run.
  const [c, d] = random.pick([
    [0, 1],
    [0, 2],
    [1, 0],
    [2, 0],
    [1, 1],
    [1, 1],
    [2, 1],
    [1, 2],
    [1, 2],
    [2, 2],
    [2, 2],
  ] as const);
  const process = Array.from({ length: c }, (): ProcessFault => {
    const kind = random.pick(['replace', 'fork', 'fork', 'omit'] as const);
    return { ...aim(), kind, to: some(ids.filter((id) => id !== liar)), salt: random.u32() };
  });
  const network = Array.from({ length: d }, (_, place): NetworkFault => {
    const drawnFault = { ...aim(), side: some(ids.slice(0, -1)) };
    // Rounds of later views exist only if the first primary is left: the first cut often sees to that.
    const round = roundOf(0, random.pick(['PREPARE', 'COMMIT'] as const));
    return place === 0 && random.chance(OPENING) ? { ...drawnFault, round, side: [0] } : drawnFault;
  });
  const requests = random.between(1, 4);
  return { seed: index, f, requests, liar: c === 0 ? undefined : liar, process, network };
}

function hits(aim: Aim, place: Place): boolean {
  return (
    aim.round === place.round &&
    (aim.sequence === undefined || place.sequence === undefined || aim.sequence === place.sequence)
  );
}

/** What a Byzantine replica does in its rounds. */
function roundFaults(desk: LiarDesk, faults: readonly ProcessFault[]): Strategy {
  /** By counter of an own statement: whom it is told. */
  const audience = new Map<CounterValue, (to: ReplicaId) => boolean>();
  const previous = new Map<string, Draft>();
  const faultOf = (message: MinbftMessage | Draft): ProcessFault | undefined => {
    const place = placeOf(message);
    return place && faults.find((fault) => hits(fault, place));
  };
  const altered = (draft: Draft, salt: number): Draft | undefined => {
    const before = previous.get(draft.kind);
    previous.set(draft.kind, draft);
    const result = mutated({ ...desk, random: new Prng(salt) }, draft, before);
    if (result === undefined) return undefined;
    desk.lied(`${draft.kind} ${result.where}`);
    return result.value.kind === 'VIEW-CHANGE' ? viewChangeContent(desk.context, result.value) : result.value;
  };
  return {
    seals: (draft, counter) => {
      const fault = faultOf(draft);
      const change = fault === undefined || fault.kind === 'omit' ? undefined : altered(draft, fault.salt);
      if (fault === undefined || change === undefined) return draft;
      const isChosen = (to: ReplicaId): boolean => fault.to.includes(to);
      if (fault.kind === 'replace') {
        audience.set(counter, isChosen);
        return change;
      }
      audience.set(counter, (to) => !isChosen(to));
      desk.insert(change, {}, (message) => {
        for (const to of fault.to) desk.send(to, message);
      });
      return draft;
    },
    tells: (message, to) => {
      const fault = faultOf(message);
      if (fault?.kind === 'omit') return fault.to.includes(to) ? [] : [message];
      const ui = message.kind === 'NEW-VIEW' ? message.header.ui : 'ui' in message ? message.ui : undefined;
      if (ui?.replica !== desk.self) return [message];
      return audience.get(ui.counter)?.(to) === false ? [] : [message];
    },
  };
}

function corruptRounds(
  context: CoreCorruptionContext,
  faults: readonly ProcessFault[],
): CoreCorruption<MinbftMessage> {
  const { replica: self, genesis, random, signAsHost: sign } = context;
  const { settings, domain, hash } = genesis;
  const options = { self, settings, domain, hash, random, sign };
  return {
    wrapReplica: (replica) => wrapWith((desk) => roundFaults(desk, faults), 'mutate', options, replica),
    wrapLinks: (links) => links,
  };
}

function isCut(faults: readonly NetworkFault[], from: ReplicaId, to: ReplicaId, frame: Frame): boolean {
  const place = frame.kind === 'protocol' ? placeOf(frame.message) : undefined;
  if (place === undefined) return false;
  return faults.some((fault) => hits(fault, place) && fault.side.includes(from) !== fault.side.includes(to));
}

function aimText({ round, sequence }: Aim): string {
  return sequence === undefined ? roundText(round) : `${roundText(round)}, order ${sequence}`;
}

/** What a schedule does, in words. */
export function roundsText({ f, requests, liar, process, network }: RoundsPlan): string {
  const parts = [
    ...process.map((fault) => `${liar} ${fault.kind}s to [${fault.to.join(' ')}] in ${aimText(fault)}`),
    ...network.map((fault) => `[${fault.side.join(' ')}] cut off in ${aimText(fault)}`),
  ];
  return `${2 * f + 1} replicas, ${requests} requests: ${parts.join('; ')}`;
}

/** Runs one schedule. */
export function playRounds(plan: RoundsPlan, reproduce: string, inside = true): Exploration['result'] {
  const { seed, f, requests, liar, process, network } = plan;
  const byzantine = liar === undefined ? [] : [{ replica: liar, behaviour: 'mutate' as const }];
  const scenario = smallScenario({ seed, f, requests, byzantine, faultsMs: FAULTS_MS });
  const world = worldOf(scenario, {
    corrupt: (context) => corruptRounds(context, process),
    listener: {
      onArrival: (from, to, frame) => world.queue.now >= FAULTS_MS || !isCut(network, from, to, frame),
    },
    judging: { inside },
  });
  return playWorld(world, reproduce);
}

/** The explorer of rounds. */
export function roundsExplorer(options: RoundsOptions = {}): IndexedExplorer {
  const more = options.replicas === undefined ? '' : ` --replicas ${options.replicas}`;
  return {
    size: undefined,
    explore: (index) => {
      const plan = roundsPlan(index, options);
      const reproduce = `moiety sim explore --strategy rounds${more} --from ${index} --budget 1`;
      return { index, text: roundsText(plan), result: playRounds(plan, reproduce, options.inside) };
    },
  };
}
