/**
 * A museum piece: the rule of the view change as Zyzzyva was first published, which loses completed requests (Abraham,
 * Gueta, Malkhi, Alvisi, Kotla, Martin, 2017). The certificate with the highest sequence number wins, whatever its view;
 * then orders that f+1 replicas report extend it. For tests that must find the loss; nothing of the product knows it.
 */
import type { Report } from './base.ts';
import type { History } from './history.ts';

/** max-cc, then max-r. */
export function publishedHistory(f: number, reports: readonly Report[]): History | undefined {
  const stable = reports.reduce((best, one) => (one.history.start > best.history.start ? one : best)).history;
  const certified = reports
    .filter((one) => one.proven > stable.start && one.history.has(stable.upTo(stable.start).end))
    .sort((a, b) => b.proven - a.proven || a.author - b.author);
  const [best] = certified;
  let base = stable.upTo(stable.start);
  if (best !== undefined) base = best.history.from(stable.start).upTo(best.proven);
  for (;;) {
    const { end } = base;
    const followers = reports.filter(({ history }) => history.has(end) && history.length > end.length);
    const next = followers.find(({ history }) => {
      const hash = history.hashAt(end.length + 1);
      return followers.filter((other) => other.history.hashAt(end.length + 1) === hash).length >= f + 1;
    });
    if (next === undefined) return base;
    base = base.join(next.history.from(end.length).upTo(end.length + 1));
  }
}
