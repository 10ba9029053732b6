/**
 * newHistory(V), the corrected rule of the view change: what a view starts with. Pure and deterministic: every replica
 * comes to the same base from the same reports. What it must preserve: everything that a client may have believed, by
 * 3f+1 equal answers or by a commit certificate that 2f+1 replicas acknowledged, and every stable checkpoint.
 */
import type { ReplicaId, SequenceNumber, View } from '../../core/types.ts';
import type { History, Position } from './history.ts';

/** What one valid VIEW-CHANGE says. */
export interface Report {
  readonly author: ReplicaId;
  /** Last view that its author has entered. */
  readonly label: View;
  /** pos(CC): how far its certificate, which is of view `label`, proves its history. */
  readonly proven: SequenceNumber;
  /** From its stable checkpoint on; its start is certified. */
  readonly history: History;
}

/** Whether a report supports a history: it has its end. */
function supports({ history }: Report, end: Position): boolean {
  return history.has(end);
}

/**
 * The base of the new view, from the highest stable checkpoint on; undefined if the reports contradict a stable
 * checkpoint, which they cannot while at most f replicas are faulty.
 */
export function newHistory(f: number, reports: readonly Report[]): History | undefined {
  // Zyzzyva.BASE.1: the highest stable checkpoint.
  const stable = reports.reduce((best, report) =>
    report.history.start > best.history.start ? report : best,
  ).history;
  // Zyzzyva.BASE.2: the highest view wins, whatever others have certified in older ones.
  const label = Math.max(...reports.map((report) => report.label));
  const latest = reports.filter((report) => report.label === label);
  // Zyzzyva.BASE.3: the longest certificate of that view. Two of them are comparable, so ties mean the same.
  const best = latest.reduce((one, other) => {
    if (other.proven !== one.proven) return other.proven > one.proven ? other : one;
    return other.author < one.author ? other : one;
  });
  let base = stable.upTo(stable.start);
  if (best.proven > stable.start) {
    if (!best.history.has(base.end)) return undefined;
    base = best.history.from(stable.start).upTo(best.proven);
  }
  // Zyzzyva.BASE.4: what f+1 of them, so a correct one, have executed on top of it.
  for (let next = extension(f, latest, base.end); next !== undefined; next = extension(f, latest, base.end))
    base = base.join(next.from(base.length).upTo(base.length + 1));
  return base;
}

/** A history that goes on after `end` as f+1 reports do; at most one such entry exists among 2f+1 reports. */
function extension(f: number, reports: readonly Report[], end: Position): History | undefined {
  const next = end.length + 1;
  for (const candidate of reports) {
    if (!supports(candidate, end)) continue;
    const hash = candidate.history.hashAt(next);
    if (hash === undefined) continue;
    const equal = reports.filter((report) => supports(report, end) && report.history.hashAt(next) === hash);
    if (equal.length >= f + 1) return candidate.history;
  }
  return undefined;
}
