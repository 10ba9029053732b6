/** Which replica leads when, as a recorded run shows it: by who proposes in a view. */
import type { ReplicaId, View } from '../../core/types.ts';
import { viewEnteredBy } from '../../sim/trace/quorums.ts';
import type { Trace } from '../../sim/trace/trace.ts';
import { isFirstOfThree, purposeOf } from '../diagram/kinds.ts';
import type { Stretch } from '../diagram/scene.ts';

/** Longer than any run in which somebody looks for a leader: a log that was made up may name as many views as it likes. */
const VIEWS_MAX = 1_000;

/** Who proposes in each view; undefined where several do. */
class Proposers {
  readonly #of = new Map<View, ReplicaId | undefined>();

  add(view: View, replica: ReplicaId): void {
    const known = this.#of.get(view);
    this.#of.set(view, this.#of.has(view) && known !== replica ? undefined : replica);
  }

  /** Whether anybody does. */
  has(view: View): boolean {
    return this.#of.has(view);
  }

  of(view: View): ReplicaId | undefined {
    return this.#of.get(view);
  }
}

/**
 * When each replica leads, by its number. A view without proposals has no leader, nor one in which several propose, as
 * in protocols where everybody does. What a Byzantine replica proposes counts only where no correct one does, and only
 * views that a correct replica speaks of begin at all.
 */
export function leadsOf(trace: Trace): ReadonlyMap<ReplicaId, readonly Stretch[]> {
  const { events, byzantine } = trace;
  const hasThreePhases = events.some((event) => event.kind === 'send' && isFirstOfThree(event.message));
  const [correct, liars] = [new Proposers(), new Proposers()];
  const begins = new Map<View, number>([[0, 0]]);
  const begin = (view: View, atMs: number): void => {
    if (!begins.has(view) && begins.size < VIEWS_MAX) begins.set(view, atMs);
  };
  for (const event of events) {
    const entered = viewEnteredBy(event);
    if (entered !== undefined && event.kind === 'note' && !byzantine.includes(event.replica))
      begin(entered, event.at);
    if (event.kind !== 'send' || purposeOf(event.message, hasThreePhases) !== 'proposal') continue;
    const { from, author = from, view = 0, at } = event;
    if (author !== from) continue;
    if (byzantine.includes(from)) liars.add(view, from);
    else {
      correct.add(view, from);
      begin(view, at);
    }
  }
  const views = [...begins].sort(([, a], [, b]) => a - b);
  const leads = new Map<ReplicaId, Stretch[]>();
  for (const [index, [view, fromMs]] of views.entries()) {
    const leader = correct.has(view) ? correct.of(view) : liars.of(view);
    if (leader === undefined) continue;
    const stretch = { fromMs, untilMs: views[index + 1]?.[1] };
    const known = leads.get(leader);
    if (known === undefined) leads.set(leader, [stretch]);
    else known.push(stretch);
  }
  return leads;
}
