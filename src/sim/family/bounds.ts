/**
 * The bound is real: with more faults than a protocol promises to stand, or with fewer replicas than it needs, or with a
 * trusted component that was cloned, it forks. Byzantine replicas are twins here, each side of them cut off from the
 * other: they break no rule on either side, and still the sides go apart.
 */
import { Prng } from '../../core/prng.ts';
import type { ReplicaId } from '../../core/types.ts';
import type { AnyProtocol } from '../../protocols/catalogue.ts';
import type { Doubling } from '../double.ts';
import type { JudgeName, Violation } from '../judge.ts';
import type { ClientPlan, PlannedFault, Scenario } from '../scenario.ts';
import { drawFamilyScenario } from './plan.ts';
import type { FamilyResult } from './run.ts';
import { runFamilyScenario } from './run.ts';

/** How the promise is broken. */
export type Breach =
  /** One Byzantine replica more than it stands, each of them two. */
  | 'too-many'
  /** One Byzantine replica more than it stands; all of them tell clients the same lie. Their components are whole. */
  | 'collusion'
  /** As many as it stands, in a cluster of one replica less than it needs. */
  | 'too-few-replicas'
  /** As many as it stands, with components of which there are two each. */
  | 'cloned'
  /** Not at all: as many as it stands, with components of which there is one each. Nothing may come of it. */
  | 'none';

/** Whether it needs 2f+1 replicas: components make up for the others. */
export function isHalf(protocol: AnyProtocol): boolean {
  return protocol.replicasFor(1) === 3;
}

/** All breaches of the bound on replicas; `cloned` is one of the bound on components. */
const OF_REPLICAS: readonly Breach[] = ['too-many', 'collusion', 'too-few-replicas'];

/** The breaches that cost a protocol its safety. */
export function breachesOf(protocol: AnyProtocol): readonly Breach[] {
  const { trustedProgram } = protocol;
  const breaches = OF_REPLICAS.filter((breach) => !standsWhole(protocol).includes(breach));
  return trustedProgram === undefined ? breaches : ['cloned', ...breaches];
}

/**
 * Breaches in which a protocol of 2f+1 replicas still keeps one history: whole components let nobody say two things at one
 * place, however many lie. Clients and passive replicas, who count hosts, are not so lucky; nor is anybody where 3f+1 replicas
 * vote by signatures.
 */
export function standsWhole(protocol: AnyProtocol): readonly Breach[] {
  if (!isHalf(protocol)) return [];
  return protocol.makesUpdates === true ? ['too-few-replicas'] : ['too-many', 'too-few-replicas'];
}

/** Judges of safety: what they say is a fork, or comes of one. */
const SAFETY: ReadonlySet<JudgeName> = new Set([
  'agreement',
  'checkpoint',
  'reply',
  'durability',
  'exactly-once',
  'linearizability',
  'real-time',
]);
/** A replica that was shown two decisions stops, so that nobody may ever see the fork: it was one all the same. */
const SHOWN = 'two different batches are proven';
/** What a seed is mixed with for this draw. */
const DRAW = 0xb0d;
const LENGTH_MS = 800;
const CLIENT: ClientPlan = {
  bundles: 3,
  requestsPerBundle: 1,
  inFlight: 2,
  paceMs: 20,
  retransmitMs: 40,
  toAll: true,
};

/** What came of a search. */
export interface BoundSearch {
  /** The first seed that broke safety; undefined if none did. */
  readonly seed: number | undefined;
  readonly violation: string | undefined;
}

/** Searches for a seed that breaks safety, from 1 on. */
export function searchBreach(protocol: AnyProtocol, breach: Breach, seedsMax: number): BoundSearch {
  for (let seed = 1; seed <= seedsMax; seed += 1) {
    const { violations } = runBreach(protocol, breach, seed);
    const found = violations.find(isFork);
    if (found !== undefined) return { seed, violation: `${found.judge}: ${found.text}` };
  }
  return { seed: undefined, violation: undefined };
}

/**
 * A cluster of one replica less than the protocol needs, with as many silent ones as it should stand; gives how many requests
 * were believed, and what broke safety. Quorums that are f+1 of 2f meet in even more replicas than f+1 of 2f+1: what such a
 * cluster loses is not its history but its progress.
 */
export function runStarved(
  protocol: AnyProtocol,
  seed: number,
): { believed: number; violation: string | undefined } {
  const f = 1;
  const n = protocol.replicasFor(f) - 1;
  const silent = [{ replica: 0, lies: ['silent', 'mute-kinds'] }] as const;
  const scenario = drawFamilyScenario(protocol, seed, {
    f,
    n,
    faults: [],
    family: { ...NOBODY, liars: silent },
  });
  const { violations, believed } = runFamilyScenario(protocol, {
    ...scenario,
    clients: [CLIENT],
    faults: [{ kind: 'crash', atMs: 0, forMs: LENGTH_MS, target: { kind: 'replica', id: 0 } }],
    calmMs: LENGTH_MS,
    endless: true,
    overBudget: true,
  });
  const found = violations.find(isFork);
  return { believed, violation: found && `${found.judge}: ${found.text}` };
}

function isFork({ judge, text }: Violation): boolean {
  return SAFETY.has(judge) || text.includes(SHOWN);
}

/** Runs the schedule of a seed beyond what the protocol stands. */
export function runBreach(protocol: AnyProtocol, breach: Breach, seed: number): FamilyResult {
  return runFamilyScenario(protocol, breachScenario(protocol, breach, seed));
}

/** A cluster for one fault whose twins and correct replicas stand on two sides, cut off from each other for a while. */
function breachScenario(protocol: AnyProtocol, breach: Breach, seed: number): Scenario {
  if (breach === 'collusion') return collusionScenario(protocol, seed);
  const random = new Prng(seed + DRAW);
  // Two correct replicas have to be left that could differ.
  const isTight = protocol.facts.faultsSafe(protocol.replicasFor(1)) + 3 > protocol.replicasFor(1);
  const f = breach === 'too-many' && isTight ? 2 : 1;
  const needed = protocol.replicasFor(f);
  const n = breach === 'too-few-replicas' ? needed - 1 : needed;
  const stood = protocol.facts.faultsSafe(needed);
  const isCloned = breach === 'cloned';
  const liars = pickLiars(random, n, breach === 'too-many' ? stood + 1 : stood);
  const honest = Array.from({ length: n }, (_, id) => id).filter((id) => !liars.includes(id));
  const side = halfOf(random, honest);
  const twins = liars.map((replica): Doubling => {
    const component = isCloned ? 'cloned' : 'shared';
    return { replica, others: side, atMs: 0, disk: 'empty', component, dividesClients: true };
  });
  const base = drawFamilyScenario(protocol, seed, { f, n, faults: [], family: NOBODY });
  return {
    ...base,
    family: { liars: [], twins, clients: [] },
    ...actsOf(breach, protocol, side, honest, base.limits),
    endless: true,
    overBudget: true,
  };
}

/**
 * Two sides that are cut off from each other for a while. Where quorums of hosts hold a view together, a cloned component shows
 * only in the next one: somebody of the larger side dies, and requests go on.
 */
function actsOf(
  breach: Breach,
  protocol: AnyProtocol,
  side: readonly ReplicaId[],
  honest: readonly ReplicaId[],
  limits: Scenario['limits'],
): Pick<Scenario, 'clients' | 'faults' | 'calmMs' | 'limits'> {
  const cut = partitions(side, honest);
  if (breach !== 'cloned' || isHalf(protocol))
    return { clients: [CLIENT, CLIENT], faults: cut, calmMs: LENGTH_MS, limits };
  const id = honest.find((one) => !side.includes(one))!;
  const [{ atMs, forMs }] = cut as [PlannedFault];
  const death: PlannedFault = {
    kind: 'crash',
    atMs: atMs + forMs,
    forMs: LENGTH_MS,
    target: { kind: 'replica', id },
  };
  const client = { ...CLIENT, bundles: 20, paceMs: LENGTH_MS / 10 };
  return {
    clients: [client, client],
    faults: [...cut, death],
    calmMs: 2 * LENGTH_MS,
    limits: { ...limits, checkpointInterval: 64, logEntriesMax: 16_384 },
  };
}

/** One liar more than clients of the protocol are safe with, all of one mind; nothing else is wrong. */
function collusionScenario(protocol: AnyProtocol, seed: number): Scenario {
  const f = 1;
  const n = protocol.replicasFor(f);
  const count = protocol.facts.faultsSafe(n) + 1;
  const liars = Array.from({ length: count }, (_, replica) => ({ replica, lies: ['collude'] as const }));
  return {
    ...drawFamilyScenario(protocol, seed, { f, n, faults: [], family: { ...NOBODY, liars } }),
    clients: [CLIENT],
    calmMs: LENGTH_MS,
    endless: true,
    overBudget: true,
  };
}

const NOBODY = { liars: [], twins: [], clients: [] } as const;

/** The first primary and whoever else; the sides are of use only if they lead. */
function pickLiars(random: Prng, n: number, count: number): ReplicaId[] {
  const others = Array.from({ length: n - 1 }, (_, index) => index + 1);
  const liars: ReplicaId[] = [0];
  while (liars.length < Math.min(count, n - 2))
    liars.push(...others.splice(random.between(0, others.length - 1), 1));
  return liars;
}

/** Some of them, not all: as even as can be. */
function halfOf(random: Prng, ids: readonly ReplicaId[]): ReplicaId[] {
  const left = [...ids];
  const half: ReplicaId[] = [];
  const wanted = Math.max(1, Math.floor(ids.length / 2));
  while (half.length < wanted) half.push(...left.splice(random.between(0, left.length - 1), 1));
  return half.sort((a, b) => a - b);
}

function partitions(side: readonly ReplicaId[], honest: readonly ReplicaId[]): PlannedFault[] {
  const others = honest.filter((id) => !side.includes(id));
  const forMs = LENGTH_MS * 0.6;
  return [{ kind: 'partition', atMs: 0, forMs, side, others, symmetric: true }];
}
