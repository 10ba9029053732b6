/** A scenario from what a person chooses in the playground: everything that can be chosen runs, or a sentence says why not. */
import { BEHAVIOURS, behaviourOf } from '../../adversary/behaviours.ts';
import { CONTENT_LIES, GENERIC_LIES } from '../../adversary/generic/lies.ts';
import type { GenericLie } from '../../adversary/generic/lies.ts';
import type { ReplicaId } from '../../core/types.ts';
import { PROTOCOLS, protocolNamed } from '../../protocols/catalogue.ts';
import type { AnyProtocol } from '../../protocols/catalogue.ts';
import { minbft } from '../../protocols/minbft/definition.ts';
import { baseScenario } from '../base-scenario.ts';
import { settleMsOf, timersFor } from '../draw-world.ts';
import type { FamilyPlan } from '../family/plan.ts';
import type { NetworkSettings } from '../network.ts';
import type { ClientPlan, FaultTarget, PlannedFault, Scenario } from '../scenario.ts';
import { scriptOf } from '../script/of-scenario.ts';
import type { Script } from '../script/script.ts';
import type { ForkPlan } from '../trusted-faults.ts';
import { CHOSEN_FAULTS, NETWORKS } from './contract.ts';
import type { ChosenAdversary, ChosenFault, Choices, NetworkChoice } from './contract.ts';

/** Bounds of what can be chosen. */
export const CHOICE_MAX = { f: 3, clients: 4, requests: 50, faults: 12, timeMs: 10_000 } as const;

/** Milliseconds between two requests of a client. */
const PACE_MS = 5;
/** Until requests are on their way. */
const BEGIN_MS = 20;
/** What one request takes, milliseconds: the calm does not come before all of them had their time. */
const REQUEST_MS: Readonly<Record<NetworkChoice, number>> = {
  calm: 6,
  slow: 80,
  lossy: 15,
  reordering: 10,
  partitioned: 6,
};
/** The cut of a partitioned network: f replicas, the first primary among them, and all others. */
const CUT = { atMs: 15, forMs: 120 } as const;
const RESTART_MS = 5;

/** A lie that can be chosen. */
export interface LieChoice {
  readonly name: string;
  /** One sentence. */
  readonly text: string;
}

/** Lies that a replica of this protocol can tell. */
export function liesFor(protocol: string, fidelity: Choices['fidelity']): readonly LieChoice[] {
  const definition = protocolNamed(protocol);
  if (definition === undefined || (fidelity === 'whole' && protocol !== minbft.name)) return [];
  const ofStreams = isOnStreams(definition) ? BEHAVIOURS.map(({ name, text }) => ({ name, text })) : [];
  if (fidelity === 'whole') return ofStreams;
  const ofAll = GENERIC_LIES.filter(
    ({ name }) =>
      !ofStreams.some((known) => known.name === name) &&
      (name !== 'lie-update' || definition.makesUpdates === true) &&
      (!CONTENT_LIES.includes(name) || !isOnStreams(definition)),
  );
  return [...ofStreams, ...ofAll];
}

/** The scenario, or why there is none, in a sentence. */
export function scriptOfChoices(choices: Choices): Script | string {
  const protocol = protocolNamed(choices.protocol);
  if (protocol === undefined)
    return `There is no protocol "${choices.protocol}"; there are ${PROTOCOLS.map(({ name }) => name).join(', ')}.`;
  const problem = problemOf(choices, protocol);
  if (problem !== undefined) return problem;
  const { f, fidelity, seed } = choices;
  const isBeyond = choices.adversary.kind === 'clone';
  return scriptOf(scenarioOf(choices, protocol), {
    name: `${protocol.name}-f${f}-seed-${seed}`,
    protocol: protocol.name,
    story: [storyOf(choices, protocol)],
    fidelity,
    judges: fidelity === 'core' || isBeyond ? 'outcomes' : 'everything',
    expect: [{ kind: 'clean' }],
  });
}

function isOnStreams({ trustedProgram }: AnyProtocol): boolean {
  return trustedProgram === 'usig';
}

function isWhole(value: unknown, least: number, most: number): boolean {
  return Number.isSafeInteger(value) && Number(value) >= least && Number(value) <= most;
}

function problemOf(choices: Choices, protocol: AnyProtocol): string | undefined {
  const { f, seed, network, clients, requests, fidelity } = choices;
  if (!isWhole(f, 1, CHOICE_MAX.f)) return `f is a whole number from 1 to ${CHOICE_MAX.f}.`;
  if (!isWhole(seed, 0, Number.MAX_SAFE_INTEGER - 3)) return 'The seed is a whole number from 0 on.';
  if (!NETWORKS.includes(network)) return `The network is one of ${NETWORKS.join(', ')}.`;
  if (!isWhole(clients, 1, CHOICE_MAX.clients)) return `There are 1 to ${CHOICE_MAX.clients} clients.`;
  if (!isWhole(requests, 1, CHOICE_MAX.requests))
    return `Each client sends 1 to ${CHOICE_MAX.requests} requests.`;
  if (fidelity !== 'core' && fidelity !== 'whole') return 'The fidelity is core or whole.';
  if (fidelity === 'whole' && protocol.name !== minbft.name)
    return 'Replicas as deployed, on bytes, are simulated for MinBFT only; choose the core of the protocol.';
  return (
    faultsProblem(choices, protocol) ??
    adversaryProblem(choices.adversary, choices, protocol) ??
    budgetProblem(choices)
  );
}

/** Who lies and who loses a disk, together. */
function budgetProblem({ faults, adversary, f }: Choices): string | undefined {
  const faulty = new Set(faults.filter(({ what }) => what === 'wipe').map(({ whom }) => String(whom)));
  if (adversary.kind !== 'none') faulty.add(String(adversary.replica));
  if (faulty.size <= f) return undefined;
  return (
    `That makes ${faulty.size} faulty replicas and the cluster is for ${f}: who lies or loses its disk is one, ` +
    'who only crashes is none.'
  );
}

function faultsProblem({ faults, f }: Choices, protocol: AnyProtocol): string | undefined {
  const n = protocol.replicasFor(f);
  if (faults.length > CHOICE_MAX.faults) return `There are ${CHOICE_MAX.faults} faults at most.`;
  for (const { what, whom, atMs, forMs } of faults) {
    if (!CHOSEN_FAULTS.includes(what)) return `A fault is one of ${CHOSEN_FAULTS.join(', ')}.`;
    if (whom !== 'primary' && !isWhole(whom, 0, n - 1))
      return `There is no replica ${String(whom)}: they are 0 to ${n - 1}.`;
    const isTime = (value: number): boolean =>
      Number.isFinite(value) && value >= 0 && value <= CHOICE_MAX.timeMs;
    if (!isTime(atMs) || !isTime(forMs)) return `Times of faults are 0 to ${CHOICE_MAX.timeMs} ms.`;
  }
  return undefined;
}

function adversaryProblem(
  adversary: ChosenAdversary,
  { fidelity, f }: Choices,
  protocol: AnyProtocol,
): string | undefined {
  if (adversary.kind === 'none') return undefined;
  const n = protocol.replicasFor(f);
  if (!isWhole(adversary.replica, 0, n - 1))
    return `There is no replica ${String(adversary.replica)}: they are 0 to ${n - 1}.`;
  switch (adversary.kind) {
    case 'lie':
      if (liesFor(protocol.name, fidelity).some(({ name }) => name === adversary.lie)) return undefined;
      return `A replica of ${protocol.title} cannot tell the lie "${adversary.lie}" here.`;
    case 'clone':
      if (protocol.trustedProgram !== undefined) return undefined;
      return `${protocol.title} has no trusted component that could be cloned.`;
    case 'twins':
      if (fidelity === 'core') return undefined;
      return 'Twins are simulated with the core of the protocol only.';
    default:
      return 'The adversary is none, a lie, a clone or twins.';
  }
}

// ---- the scenario -------------------------------------------------------------------------------------------------

function scenarioOf(choices: Choices, protocol: AnyProtocol): Scenario {
  const { f, seed, adversary, fidelity } = choices;
  const n = protocol.replicasFor(f);
  const base = baseScenario(f, n);
  const network = networkOf(choices.network, base.network);
  const slowMs = network.delayHighMs * (network.tailProbability > 0 ? network.tailFactor : 1);
  const isSlow = slowMs > 2;
  const client: ClientPlan = {
    bundles: choices.requests,
    requestsPerBundle: 1,
    inFlight: 1,
    paceMs: PACE_MS,
    retransmitMs: 40 + 10 * slowMs,
    toAll: true,
  };
  const clients = Array.from({ length: choices.clients }, () => client);
  const timers = isSlow ? timersFor(slowMs, 0.2) : base.timers;
  const planned = [
    ...choices.faults.map(plannedOf),
    ...(choices.network === 'partitioned' ? [cutOf(f)] : []),
    ...(adversary.kind === 'clone' && fidelity === 'core' ? [sidesOf(adversary.replica, n)] : []),
  ].sort((a, b) => a.atMs - b.atMs);
  const faultsEndMs = Math.max(0, ...planned.map(({ atMs, forMs }) => atMs + forMs));
  const requestsEndMs = BEGIN_MS + choices.requests * (PACE_MS + REQUEST_MS[choices.network]);
  return {
    ...base,
    seed,
    limits: { ...base.limits, checkpointInterval: 4 },
    timers,
    network,
    clients,
    faults: planned,
    calmMs: Math.max(requestsEndMs, faultsEndMs + BEGIN_MS),
    settleMs: settleMsOf(timers, clients),
    ...(isOnStreams(protocol) ? {} : { trusted: { ...base.trusted, outlivesDisk: true } }),
    ...liesOf(choices, protocol, n),
  };
}

function networkOf(choice: NetworkChoice, calm: NetworkSettings): NetworkSettings {
  switch (choice) {
    case 'calm':
    case 'partitioned':
      return calm;
    case 'slow':
      return { ...calm, delayLowMs: 8, delayHighMs: 20, reordering: true };
    case 'lossy':
      return { ...calm, loss: 0.1, duplication: 0.05 };
    case 'reordering':
      return {
        ...calm,
        delayLowMs: 0.2,
        delayHighMs: 2,
        tailProbability: 0.1,
        tailFactor: 4,
        reordering: true,
      };
  }
}

function plannedOf({ what, whom, atMs, forMs }: ChosenFault): PlannedFault {
  const target: FaultTarget = whom === 'primary' ? { kind: 'primary' } : { kind: 'replica', id: whom };
  if (what === 'restart') return { kind: 'crash', atMs, forMs: RESTART_MS, target };
  return { kind: what === 'cut-off' ? 'isolate' : what, atMs, forMs, target };
}

function cutOf(f: number): PlannedFault {
  const side = Array.from({ length: f }, (_, replica) => replica);
  return { kind: 'partition', ...CUT, side, symmetric: true };
}

/** The two halves of the others: each sees one of two machines. */
function halvesOf(replica: ReplicaId, n: number): readonly [ReplicaId[], ReplicaId[]] {
  const others = Array.from({ length: n }, (_, id) => id).filter((id) => id !== replica);
  return [others.filter((_, place) => place % 2 === 0), others.filter((_, place) => place % 2 === 1)];
}

/** While the halves hear each other, what the two machines say meets early. */
function sidesOf(replica: ReplicaId, n: number): PlannedFault {
  const [first, second] = halvesOf(replica, n);
  return { kind: 'partition', atMs: 0, forMs: CUT.forMs, side: second, others: first, symmetric: true };
}

type Lies = Pick<Scenario, 'byzantine'> & Partial<Pick<Scenario, 'family' | 'forker' | 'overBudget'>>;

function liesOf({ adversary, fidelity }: Choices, protocol: AnyProtocol, n: number): Lies {
  const family: FamilyPlan = { liars: [], twins: [], clients: [] };
  const nobody: Lies = { byzantine: [], ...(fidelity === 'core' ? { family } : {}) };
  switch (adversary.kind) {
    case 'none':
      return nobody;
    case 'lie': {
      const { replica, lie } = adversary;
      const behaviour = isOnStreams(protocol) ? behaviourOf(lie) : undefined;
      if (behaviour !== undefined) return { ...nobody, byzantine: [{ replica, behaviour }] };
      return { ...nobody, family: { ...family, liars: [{ replica, lies: [lie as GenericLie] }] } };
    }
    case 'clone':
    case 'twins': {
      const { replica } = adversary;
      const others = halvesOf(replica, n)[1];
      if (fidelity === 'whole') return { ...nobody, forker: forkerOf(replica, others) };
      const isClone = adversary.kind === 'clone';
      const twin = { replica, others, atMs: 0, disk: 'empty', dividesClients: true } as const;
      const twins = [{ ...twin, component: isClone ? ('cloned' as const) : ('shared' as const) }];
      return { ...nobody, family: { ...family, twins }, ...(isClone ? { overBudget: true } : {}) };
    }
  }
}

function forkerOf(replica: ReplicaId, others: readonly ReplicaId[]): ForkPlan {
  const at = { atMs: 0, others, patience: 0 };
  return { replica, way: 'snapshot', strategy: 'proposals', disk: 'copied', fence: false, ...at };
}

function storyOf({ f, network, adversary, faults }: Choices, protocol: AnyProtocol): string {
  const who = `${protocol.title}, ${protocol.replicasFor(f)} replicas for ${f} faulty, ${network} network`;
  const lies: Readonly<Record<ChosenAdversary['kind'], string>> = {
    none: '',
    lie: adversary.kind === 'lie' ? `; replica ${adversary.replica} lies: ${adversary.lie}` : '',
    clone: '; a trusted component is cloned',
    twins: '; a replica is two machines',
  };
  const hit = faults.length === 0 ? '' : `; faults: ${faults.map(({ what }) => what).join(', ')}`;
  return `${who}${lies[adversary.kind]}${hit}.`;
}
