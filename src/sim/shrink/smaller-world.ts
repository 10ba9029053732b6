/** The same schedule with fewer replicas: the ones with the highest numbers go, with everything that is about them. */
import type { ReplicaId } from '../../core/types.ts';
import type { PlannedFault, Scenario } from '../scenario.ts';

/** Smaller clusters, the smallest first. */
export function smallerWorlds(scenario: Scenario): Scenario[] {
  const worlds: Scenario[] = [];
  for (let f = 1; f < scenario.f; f += 1) worlds.push(withReplicas(scenario, f));
  return worlds;
}

function withReplicas(scenario: Scenario, f: number): Scenario {
  const n = 2 * f + 1;
  const stays = (replica: ReplicaId): boolean => replica < n;
  const { forker, fires: _, ...rest } = scenario;
  const smaller: Scenario = {
    ...rest,
    f,
    n,
    clockOffsetsMs: scenario.clockOffsetsMs.slice(0, n),
    byzantine: scenario.byzantine.filter(({ replica }) => stays(replica)).slice(0, f),
    faults: scenario.faults.flatMap((fault) => faultAmong(fault, stays)),
  };
  const perReplica = shortened(smaller, scenario.n, n);
  if (forker === undefined || !stays(forker.replica)) return perReplica;
  const others = forker.others.filter(stays);
  return { ...perReplica, forker: { ...forker, others: others.length > 0 ? others : [n - 1] } };
}

/** Other lists with one entry for each replica, whatever they are called. */
function shortened(scenario: Scenario, before: number, n: number): Scenario {
  const entries = Object.entries(scenario).map(([key, value]: [string, unknown]) => {
    const isPerReplica =
      Array.isArray(value) && value.length === before && value.every((one) => typeof one === 'number');
    return [key, isPerReplica ? (value as unknown[]).slice(0, n) : value] as const;
  });
  return Object.fromEntries(entries) as unknown as Scenario;
}

function faultAmong(fault: PlannedFault, stays: (replica: ReplicaId) => boolean): PlannedFault[] {
  if (fault.kind === 'partition') {
    const others = 'others' in fault ? { others: (fault.others as readonly ReplicaId[]).filter(stays) } : {};
    return [{ ...fault, side: fault.side.filter(stays), ...others } as PlannedFault];
  }
  if ('target' in fault && fault.target.kind === 'replica' && !stays(fault.target.id)) return [];
  return [fault];
}
