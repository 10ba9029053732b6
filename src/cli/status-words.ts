/** What `status` shows of replicas beside the sentences of `moiety explain`. */
import { countOf } from '../gateway/explain/seen-replica.ts';
import type { SeenReplica } from '../gateway/explain/seen-replica.ts';

/** How far behind the furthest replica this one is, in sequence numbers. */
export function lagOf(replica: SeenReplica, all: readonly SeenReplica[]): number {
  const highest = Math.max(0, ...all.map(({ sequence }) => countOf(sequence) ?? 0));
  return highest - (countOf(replica.sequence) ?? 0);
}
