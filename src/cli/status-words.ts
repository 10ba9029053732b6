/** What `status` shows beside the explanation of the gateway's folder. */
import { countOf } from '../gateway/explain/seen-replica.ts';
import type { SeenReplica } from '../gateway/explain/seen-replica.ts';
import type { ProcessReport } from './supervisor/run-file.ts';

/** A replica in `status --json`. */
export interface StatusOfReplica extends SeenReplica {
  /** What the supervisor of a local cluster says about its process. */
  readonly supervised?: ProcessReport;
}

/** How far behind the furthest replica this one is, in sequence numbers. */
export function lagOf(replica: StatusOfReplica, all: readonly StatusOfReplica[]): number {
  const highest = Math.max(0, ...all.map(({ sequence }) => countOf(sequence) ?? 0));
  return highest - (countOf(replica.sequence) ?? 0);
}
