/** Plainer settings of a schedule: those of a quiet cluster, whole groups or single values, and round numbers. */
import type { ClientPlan, Scenario } from '../scenario.ts';
import { baseScenario } from '../base-scenario.ts';
import { CLIENT_DEFAULT } from '../script/plan.ts';
import { equalJson, getAt, isObject, putAt } from '../script/settings.ts';
import type { Json, JsonObject } from '../script/settings.ts';

/** A change to try on whatever is the best schedule by then. */
export type Change = (scenario: Scenario) => Scenario;

/** What other passes take care of. */
const NOT_SETTINGS: readonly string[] = [
  'seed',
  'f',
  'n',
  'byzantine',
  'faults',
  'clients',
  'fires',
  'calmMs',
];

function asJson(scenario: Scenario): JsonObject {
  return JSON.parse(JSON.stringify(scenario)) as { [key: string]: Json };
}

function withValue(scenario: Scenario, path: string, value: Json | undefined): Scenario {
  const json = asJson(scenario);
  putAt(json, path, value);
  return json as unknown as Scenario;
}

/** The schedule without one of its fields. */
export function withoutField(scenario: Scenario, field: string): Scenario {
  return withValue(scenario, field, undefined);
}

/** Changes towards a quiet cluster. */
export function plainer(scenario: Scenario): Change[] {
  const target = asJson(baseScenario(scenario.f));
  const have = asJson(scenario);
  const changes: Change[] = [];
  for (const key of Object.keys(have).sort()) {
    if (NOT_SETTINGS.includes(key) || equalJson(have[key], target[key])) continue;
    changes.push((now) => withValue(now, key, target[key]));
    const group = have[key];
    if (!isObject(group)) continue;
    const goal = target[key];
    for (const inner of Object.keys(group).sort()) {
      // A group that a quiet cluster does not have goes as a whole or not at all; its numbers may become 0, its switches off.
      const zero = typeof group[inner] === 'number' ? 0 : group[inner] === true ? false : group[inner];
      const wanted = isObject(goal) ? goal[inner] : zero;
      changes.push((now) => {
        const path = `${key}.${inner}`;
        const value = getAt(asJson(now), path);
        // The group may be gone by now.
        return value === undefined || equalJson(value, wanted) ? now : withValue(now, path, wanted);
      });
    }
  }
  return changes;
}

/** Fractions become whole numbers, lengths of delays one number. */
export function rounded(scenario: Scenario): Change[] {
  const changes: Change[] = [];
  const visit = (value: Json | undefined, path: string): void => {
    if (typeof value === 'number' && !Number.isInteger(value)) {
      // Shares stay below 1; a digit or two say as much as sixteen.
      const plain = value < 1 ? Number(value.toPrecision(1)) : Math.round(value);
      if (plain !== value) changes.push((now) => withValue(now, path, plain));
    } else if (isObject(value))
      for (const key of Object.keys(value).sort()) visit(value[key], `${path}.${key}`);
  };
  const json = asJson(scenario);
  for (const key of Object.keys(json).sort())
    if (!['faults', 'clients', 'byzantine', 'fires'].includes(key)) visit(json[key], key);
  // Delays that the quiet cluster has are plain enough.
  const { delayLowMs, delayHighMs } = baseScenario(scenario.f).network;
  if (scenario.network.delayLowMs !== delayLowMs || scenario.network.delayHighMs !== delayHighMs)
    changes.push((now) => withValue(withValue(now, 'network.delayLowMs', 1), 'network.delayHighMs', 1));
  scenario.clients.forEach((_, index) => {
    const client = (change: (plan: ClientPlan) => ClientPlan): Change => {
      return (now) => ({
        ...now,
        clients: now.clients.map((plan, at) => (at === index ? change(plan) : plan)),
      });
    };
    const { paceMs, retransmitMs, toAll } = CLIENT_DEFAULT;
    changes.push(
      client(({ bundles, requestsPerBundle, inFlight }) => {
        // Whatever else a plan may hold goes with it.
        return { ...CLIENT_DEFAULT, bundles, requestsPerBundle, inFlight };
      }),
      client((plan) => ({ ...plan, paceMs, retransmitMs, toAll })),
      client((plan) => ({ ...plan, paceMs: Math.round(plan.paceMs) })),
      client((plan) => ({ ...plan, retransmitMs: Math.round(plan.retransmitMs) })),
    );
  });
  return changes;
}
