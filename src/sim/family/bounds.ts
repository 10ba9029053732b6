/**
 * The bound is real: with more faults than a protocol promises to stand, or with fewer replicas than it needs, or with a
 * trusted component that was cloned, it forks. Byzantine replicas are twins here, each side of them cut off from the
 * other: they break no rule on either side, and still the sides go apart.
 */
import { Prng } from '../../core/prng.ts';
import type { ReplicaId } from '../../core/types.ts';
import type { AnyProtocol } from '../../protocols/catalogue.ts';
import type { Doubling } from '../double.ts';
import type { JudgeName } from '../judge.ts';
import type { ClientPlan, PlannedFault, Scenario } from '../scenario.ts';
import { drawFamilyScenario } from './plan.ts';
import type { FamilyResult } from './run.ts';
import { runFamilyScenario } from './run.ts';

/** How the promise is broken. */
export type Breach =
  /** One Byzantine replica more than it stands. */
  | 'too-many'
  /** As many as it stands, in a cluster of one replica less than it needs. */
  | 'too-few-replicas'
  /** As many as it stands, with components of which there are two each. */
  | 'cloned'
  /** Not at all: as many as it stands, with components of which there is one each. Nothing may come of it. */
  | 'none';

/** The breaches that a protocol cannot stand. */
export function breachesOf({ trustedProgram }: AnyProtocol): readonly Breach[] {
  return trustedProgram === undefined ? ['too-many', 'too-few-replicas'] : ['cloned'];
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
  'inside',
]);
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
    const found = violations.find(({ judge }) => SAFETY.has(judge));
    if (found !== undefined) return { seed, violation: `${found.judge}: ${found.text}` };
  }
  return { seed: undefined, violation: undefined };
}

/** Runs the schedule of a seed beyond what the protocol stands. */
export function runBreach(protocol: AnyProtocol, breach: Breach, seed: number): FamilyResult {
  return runFamilyScenario(protocol, breachScenario(protocol, breach, seed));
}

/** A cluster for one fault whose twins and correct replicas stand on two sides, cut off from each other for a while. */
function breachScenario(protocol: AnyProtocol, breach: Breach, seed: number): Scenario {
  const random = new Prng(seed + DRAW);
  const f = 1;
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
    clients: [CLIENT, CLIENT],
    faults: partitions(side, honest),
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
