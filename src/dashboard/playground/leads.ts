/** Which replica leads when, as a recorded run shows it: by who proposes in a view. */
import type { ReplicaId, View } from '../../core/types.ts';
import { viewEnteredBy } from '../../sim/trace/quorums.ts';
import type { Trace } from '../../sim/trace/trace.ts';
import { purposeOf } from '../diagram/kinds.ts';
import type { Stretch } from '../diagram/scene.ts';

/**
 * When each replica leads, by its number. A view without proposals has no leader, nor one in which several propose, as
 * in protocols where everybody does.
 */
export function leadsOf({ events }: Trace): ReadonlyMap<ReplicaId, readonly Stretch[]> {
  const hasThreePhases = events.some((event) => event.kind === 'send' && event.message === 'PRE-PREPARE');
  const leaders = new Map<View, ReplicaId | undefined>();
  const begins = new Map<View, number>([[0, 0]]);
  for (const event of events) {
    const entered = viewEnteredBy(event);
    if (entered !== undefined && !begins.has(entered)) begins.set(entered, event.at);
    if (event.kind !== 'send' || purposeOf(event.message, hasThreePhases) !== 'proposal') continue;
    const { from, author = from, view = 0, at } = event;
    if (author !== from) continue;
    if (!begins.has(view)) begins.set(view, at);
    const known = leaders.get(view);
    leaders.set(view, leaders.has(view) && known !== from ? undefined : from);
  }
  const views = [...begins].sort(([, a], [, b]) => a - b);
  const leads = new Map<ReplicaId, Stretch[]>();
  for (const [index, [view, fromMs]] of views.entries()) {
    const leader = leaders.get(view);
    if (leader === undefined) continue;
    const untilMs = views[index + 1]?.[1];
    leads.set(leader, [...(leads.get(leader) ?? []), { fromMs, untilMs }]);
  }
  return leads;
}
