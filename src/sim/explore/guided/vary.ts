/** Small changes of a scenario: one fault moved, one lie exchanged, one decision of chance taken back, and so on. */
import { DRAWN_BEHAVIOURS } from '../../../adversary/behaviours.ts';
import type { Prng } from '../../../core/prng.ts';
import type { Fired } from '../../chance.ts';
import { drawScenario } from '../../scenario.ts';
import type { PlannedFault, Scenario } from '../../scenario.ts';

/** A scenario that ran, with the decisions of chance that were answered yes. */
export interface Played {
  readonly scenario: Scenario;
  readonly fired: readonly Fired[];
}

type Change = (parent: Played, random: Prng) => Scenario | undefined;

/** Share of the time with faults by which a fault is moved, at most. */
const MOVE = 0.3;

function withFaults(scenario: Scenario, faults: readonly PlannedFault[]): Scenario {
  return { ...scenario, faults: faults.toSorted((a, b) => a.atMs - b.atMs) };
}

/** A scenario in which one fault is another one. */
function onFault(
  parent: Played,
  random: Prng,
  change: (fault: PlannedFault) => PlannedFault | undefined,
): Scenario | undefined {
  const { scenario } = parent;
  if (scenario.faults.length === 0) return undefined;
  const place = random.between(0, scenario.faults.length - 1);
  const changed = change(scenario.faults[place]!);
  const others = scenario.faults.filter((_, index) => index !== place);
  return withFaults(scenario, changed === undefined ? others : [...others, changed]);
}

const moved: Change = (parent, random) =>
  onFault(parent, random, (fault) => {
    const { calmMs } = parent.scenario;
    const atMs = fault.atMs + (random.unit() * 2 - 1) * MOVE * calmMs;
    return { ...fault, atMs: Math.min(calmMs * 0.95, Math.max(0, atMs)) };
  });

const stretched: Change = (parent, random) =>
  onFault(parent, random, (fault) => ({
    ...fault,
    forMs: Math.max(1, fault.forMs * random.pick([0.3, 0.6, 1.5, 3])),
  }));

const retargeted: Change = (parent, random) =>
  onFault(parent, random, (fault) => {
    if (!('target' in fault)) return fault;
    const id = random.between(0, parent.scenario.n - 1);
    return { ...fault, target: random.chance(0.4) ? { kind: 'primary' } : { kind: 'replica', id } };
  });

const removed: Change = (parent, random) => onFault(parent, random, () => undefined);

const repeated: Change = ({ scenario }, random) => {
  if (scenario.faults.length === 0) return undefined;
  const fault = random.pick(scenario.faults);
  return withFaults(scenario, [
    ...scenario.faults,
    { ...fault, atMs: random.unit() * scenario.calmMs * 0.9 },
  ]);
};

/** A fault of another draw, of as many replicas. */
const borrowed: Change = ({ scenario }, random) => {
  const other = drawScenario(random.u32(), { replicas: scenario.n, short: true });
  if (other.faults.length === 0) return undefined;
  return withFaults(scenario, [...scenario.faults, random.pick(other.faults)]);
};

const otherLie: Change = ({ scenario }, random) => {
  if (scenario.byzantine.length === 0) return undefined;
  const place = random.between(0, scenario.byzantine.length - 1);
  const behaviour = random.pick(DRAWN_BEHAVIOURS);
  const byzantine = scenario.byzantine.map((entry, index) =>
    index === place ? { ...entry, behaviour } : entry,
  );
  return { ...scenario, byzantine };
};

/** The same plan under other decisions of chance: delays, losses, what liars pick. */
const reseeded: Change = ({ scenario }, random) => {
  const { fires: _, ...rest } = scenario;
  return { ...rest, seed: random.u32() };
};

/** One loss, copy or late frame that happened does not. */
const takenBack: Change = ({ scenario, fired }, random) => {
  if (fired.length === 0) return undefined;
  const place = random.between(0, fired.length - 1);
  return { ...scenario, fires: fired.filter((_, index) => index !== place) };
};

const otherLoad: Change = ({ scenario }, random) => {
  const clients = scenario.clients.map((plan) => ({
    ...plan,
    bundles: Math.max(1, plan.bundles + random.pick([-1, 0, 1, 2])),
    inFlight: random.pick([1, 2, 4]),
    paceMs: plan.paceMs * random.pick([0.3, 1, 2]),
  }));
  return { ...scenario, clients };
};

const CHANGES: readonly Change[] = [
  moved,
  moved,
  stretched,
  retargeted,
  removed,
  repeated,
  borrowed,
  otherLie,
  reseeded,
  takenBack,
  otherLoad,
];
/** Changes at a time, at most. */
const CHANGES_MAX = 3;

/** A child of a scenario. Equal generators give equal children. */
export function varied(parent: Played, random: Prng): Scenario {
  let { scenario } = parent;
  const count = random.between(1, CHANGES_MAX);
  for (let index = 0; index < count; index += 1)
    scenario = random.pick(CHANGES)({ scenario, fired: parent.fired }, random) ?? scenario;
  return scenario;
}
