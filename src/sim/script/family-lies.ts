/** Lines of a script about lies that need no knowledge of the protocol: `lies 0 reseal,delay` and `twins 0 shows 2,3`. */
import { GENERIC_LIES } from '../../adversary/generic/lies.ts';
import type { FamilyPlan } from '../family/plan.ts';
import type { Json, JsonObject } from './settings.ts';
import type { Words } from './words.ts';

/** Reads the rest of such a line into the scenario. */
export function putFamily(scenario: JsonObject, verb: 'lies' | 'twins', words: Words): void {
  const family = (scenario['family'] ?? { liars: [], twins: [], clients: [] }) as Record<
    string,
    readonly Json[]
  >;
  const [list, value] = verb === 'lies' ? ['liars', readLies(words)] : ['twins', readTwin(words)];
  scenario['family'] = { ...family, [list as string]: [...(family[list as string] ?? []), value as Json] };
}

function readLies(words: Words): Json {
  const replica = words.replica();
  const lies = words.take('lies with commas between them').split(',');
  for (const lie of lies)
    if (!GENERIC_LIES.some(({ name }) => name === lie))
      words.fail(`lies (${GENERIC_LIES.map(({ name }) => name).join(', ')})`);
  return { replica, lies };
}

function readTwin(words: Words): Json {
  const replica = words.replica();
  words.must('shows');
  const others = words.skip('nobody') ? [] : words.replicas();
  const atMs = words.skip('at') ? words.number('milliseconds') : 0;
  const disk = words.skip('empty') ? 'empty' : 'copied';
  const component = words.skip('cloned') ? 'cloned' : 'shared';
  return { replica, others, atMs, disk, component };
}

/** The lines of a plan, as far as there are words for it. */
export function printFamily({ liars, twins }: FamilyPlan): string[] {
  return [
    ...liars.map(({ replica, lies }) => `lies ${replica} ${lies.join(',')}`),
    ...twins.map(
      ({ replica, others, atMs, disk, component }) =>
        `twins ${replica} shows ${others.length === 0 ? 'nobody' : others.join(',')}${atMs === 0 ? '' : ` at ${atMs}`}` +
        `${disk === 'empty' ? ' empty' : ''}${component === 'cloned' ? ' cloned' : ''}`,
    ),
  ];
}
