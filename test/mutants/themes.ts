/**
 * Themes: what drawn schedules are biased towards. A theme fixes families of faults and lies and how much is judged, and
 * shapes what was drawn; everything else still comes from the seed, and seeds are taken one after the other from 1.
 */
import type { Behaviour } from '../../src/adversary/behaviours.ts';
import { Prng } from '../../src/core/prng.ts';
import { runScenario } from '../../src/sim/run-schedule.ts';
import { drawScenario } from '../../src/sim/scenario.ts';
import type { FaultKind, PlannedFault, Scenario, ScenarioOverrides } from '../../src/sim/scenario.ts';
import { playClients } from './drawn-clients.ts';
import type { Objection } from './guided/history.ts';

/** `clients`: the product's client alone, before replicas that are drawn (`drawn-clients.ts`). */
export type ThemeFidelity = 'core' | 'whole' | 'clients';

/** See the top of this file. */
export interface Theme {
  readonly name: string;
  /** One sentence for documents. */
  readonly text: string;
  readonly fidelity: ThemeFidelity;
  readonly overrides: ScenarioOverrides;
  /** Changes to what was drawn, with chances of its own. */
  readonly shape?: (scenario: Scenario, random: Prng) => Scenario;
}

/** What a seed is mixed with for what themes draw by themselves. */
const DRAW = 0x7e3e;

function withFault(scenario: Scenario, ...faults: readonly PlannedFault[]): Scenario {
  return { ...scenario, faults: [...scenario.faults, ...faults].sort((a, b) => a.atMs - b.atMs) };
}

/** More requests, closer to one another. */
function busy(scenario: Scenario, random: Prng): Scenario {
  const bundles = random.pick([6, 10, 16]);
  const clients = scenario.clients.map((client) => ({
    ...client,
    bundles,
    inFlight: random.pick([1, 4, 8]),
    paceMs: ((0.8 * scenario.calmMs) / bundles) * random.unit(),
  }));
  return { ...scenario, clients };
}

/** Two halves of the correct replicas do not hear each other; both hear whoever lies. */
function bridged(drawn: Scenario, random: Prng): Scenario {
  const scenario = busy(drawn, random);
  const { n, calmMs, byzantine, forker } = scenario;
  const lies = (id: number): boolean =>
    byzantine.some(({ replica }) => replica === id) || forker?.replica === id;
  const correct = Array.from({ length: n }, (_, id) => id).filter((id) => !lies(id));
  const first = correct.splice(random.chance(0.5) ? 0 : random.between(0, correct.length - 1), 1);
  const side = [
    ...first,
    ...(random.chance(0.6) ? [] : correct.splice(0, random.between(0, correct.length - 1))),
  ];
  const cut: PlannedFault = {
    kind: 'partition',
    atMs: random.unit() * calmMs * 0.5,
    forMs: calmMs * (0.3 + 0.7 * random.unit()),
    side,
    others: correct,
    symmetric: random.chance(0.7),
  };
  if (forker === undefined) return withFault(scenario, cut);
  // Each voice of a forker speaks to one half.
  const others = random.chance(0.5) ? side : correct;
  return withFault({ ...scenario, forker: { ...forker, others } }, cut);
}

/** Many checkpoints in flight. */
function pipelined(drawn: Scenario, random: Prng): Scenario {
  const scenario = busy(drawn, random);
  return { ...scenario, limits: { ...scenario.limits, checkpointInterval: 2, pipelineFactor: 3 } };
}

const CUTS = ['isolate', 'partition', 'mesh'] as const;
const NETWORK = ['network', 'flap', 'stale', ...CUTS] as const;

/** A theme of short schedules of bare protocol objects. */
function core(
  name: string,
  text: string,
  faults: readonly FaultKind[],
  behaviours: readonly Behaviour[],
  shape?: Theme['shape'],
): Theme {
  const overrides = { short: true, faults, behaviours };
  return { name, text, fidelity: 'core', overrides, ...(shape === undefined ? {} : { shape }) };
}

/** A theme of short schedules of whole replicas. */
function whole(name: string, text: string, overrides: ScenarioOverrides, shape?: Theme['shape']): Theme {
  return {
    name,
    text,
    fidelity: 'whole',
    overrides: { short: true, ...overrides },
    ...(shape === undefined ? {} : { shape }),
  };
}

const TABLE: readonly Theme[] = [
  core('usurper', 'A backup proposes, on a bad network.', ['byzantine', ...NETWORK], ['usurp']),
  core(
    'statements',
    'Fields changed before the seal, two proposals for one place, seals under other messages; a bad network.',
    ['byzantine', ...NETWORK],
    ['mutate', 'equivocate', 'relabel'],
  ),
  core(
    'bridge',
    'Two halves that hear only the liar between them, who commits out of order and more than once.',
    ['byzantine'],
    ['skip-commit'],
    bridged,
  ),
  core(
    'logs',
    'What does not belong into a log stands in it.',
    ['byzantine', 'isolate', 'mesh'],
    ['forged-log'],
  ),
  core('cuts', 'Nobody lies; links and machines fail.', ['isolate', 'mesh', 'flap', 'crash'], []),
  core('views', 'Somebody asks for views without end.', ['byzantine'], ['spam-views']),
  core(
    'deserters',
    'Liars are silent, towards some or all, or ask for views; links fail.',
    ['byzantine', 'isolate', 'mesh'],
    ['silent', 'spam-views', 'shun'],
  ),
  core(
    'pipeline',
    'Many checkpoints in flight; links fail.',
    ['isolate', 'mesh', 'flap', 'network'],
    [],
    pipelined,
  ),
  core('flood', 'Somebody hides one statement and seals hundreds behind it.', ['byzantine'], ['run-ahead']),
  whole('fabricated', 'The primary proposes what no client signed.', {
    faults: ['byzantine'],
    behaviours: ['fabricate-request'],
  }),
  whole('power', 'Power fails, of one machine or of all.', { faults: ['crash', 'powercut'] }),
  whole(
    'transfers',
    'Replicas fall behind, and their disks and links are slow.',
    { faults: ['isolate', 'network', 'latency', 'slowdisk'] },
    busy,
  ),
  whole('other-cluster', 'A client sends what it signed for another cluster.', {
    faults: [],
    liarClient: 'other-cluster',
  }),
  {
    name: 'clients',
    text: "The product's client alone, before replicas that lag or lie.",
    fidelity: 'clients',
    overrides: {},
  },
];

/** By name. */
export const THEMES: ReadonlyMap<string, Theme> = new Map(TABLE.map((theme) => [theme.name, theme]));

/** The schedule of a seed. */
export function drawTheme(theme: Theme, seed: number): Scenario {
  const drawn = drawScenario(seed, theme.overrides);
  return theme.shape?.(drawn, new Prng(seed + DRAW)) ?? drawn;
}

/** Plays a seed of a theme; the insides of replicas are always judged. */
export function playTheme(theme: Theme, seed: number): readonly Objection[] {
  const { fidelity } = theme;
  if (fidelity === 'clients') return playClients(seed);
  return runScenario(drawTheme(theme, seed), { fidelity, judging: { inside: true } }).violations;
}
