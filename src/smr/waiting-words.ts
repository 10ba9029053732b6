/** Words for what a replica waits for, as `status` shows them. */
import type { ReplicaId } from '../core/types.ts';

/** Silent for so many status periods: a replica counts as not heard. */
export const SILENT_PERIODS = 8;

/** Replicas by name. */
export function namesOf(replicas: readonly ReplicaId[]): string {
  if (replicas.length === 0) return 'no replica';
  return replicas.length === 1 ? `replica ${replicas[0]}` : `replicas ${replicas.join(', ')}`;
}
