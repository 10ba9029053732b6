/** On what ground anything may be said about a replica: seen, proved, its own word, or the word of others. */
import type { Lack } from '../../core/live.ts';
import type { ReplicaId } from '../../core/types.ts';
import { bracketed, checkedLack } from './seen-replica.ts';
import type { SeenReplica } from './seen-replica.ts';

/** Why a replica does not do its part. */
export interface Ground {
  readonly replica: ReplicaId;
  /**
   * `process`: its supervisor says so. `unreachable`: it does not answer whoever asks. `proven`: evidence that verifies.
   * `own`: its own word about itself. `link`: it and those who lack its messages say the same of each other. `word`: what
   * others say, no more.
   */
  readonly kind: 'process' | 'unreachable' | 'proven' | 'own' | 'link' | 'word';
  /** Half a sentence that follows on `replica N`. */
  readonly text: string;
  /** Whose word it is, if it is somebody's. */
  readonly by?: readonly ReplicaId[];
}

/** What the supervisor of a local cluster knows of a replica. */
function processGround({ supervised }: SeenReplica): string | undefined {
  if (supervised === undefined) return undefined;
  const reason = bracketed(supervised.reason);
  if (supervised.state === 'paused') return 'is paused';
  if (supervised.state !== 'running') return `is not running${reason === '' ? '' : ` (${reason})`}`;
  if (supervised.cutOff === true) return 'was cut off from the others by "moiety fault partition"';
  return supervised.byzantine === null ? undefined : `was told to lie (${bracketed(supervised.byzantine)})`;
}

/** What a replica says about itself that keeps it from its part. */
function ownWord(seen: SeenReplica): string | undefined {
  if (seen.role === 'halted')
    return `says that it has halted (${bracketed(seen.haltReason) || 'see its log'})`;
  if (seen.role === 'recovering') return 'says that it must be re-admitted with a new trusted component';
  if (seen.process?.cutOff === true) return 'says that it was told to cut itself off from the others';
  if (seen.role === 'starting') return 'says that it is starting';
  if (seen.tc?.answers === false) return 'says that its trusted component does not answer';
  return seen.transferring === true ? 'says that it fetches the state from the others' : undefined;
}

/** Everything that is known against one replica without the word of others, the surest first. */
export function groundsOf(seen: SeenReplica): Ground[] {
  const { id: replica } = seen;
  const found: Ground[] = [];
  const add = (kind: Ground['kind'], text: string | undefined): void => {
    if (text !== undefined) found.push({ replica, kind, text });
  };
  add('process', processGround(seen));
  if (seen.reachable === false && found.length === 0)
    add('unreachable', `cannot be reached (${bracketed(seen.reason) || 'it does not answer'})`);
  for (const { rule, foundBy } of seen.proven ?? []) {
    const by = (foundBy ?? []).map((one) => (typeof one === 'number' ? `replica ${one}` : bracketed(one)));
    add(
      'proven',
      `is proven faulty (${bracketed(rule)}${by.length === 0 ? '' : `, found by ${by.join(', ')}`})`,
    );
  }
  if (seen.reachable !== false) add('own', ownWord(seen));
  return found;
}

/** What one replica says it waits for; undefined if it says nothing that makes sense. */
export function lackSaidBy(seen: SeenReplica, replicas: number): Lack | undefined {
  return seen.reachable === false ? undefined : checkedLack(seen.lack, replicas);
}

/** Whether a replica takes part, as far as can be seen: it answers, and does not say of itself that it does not. */
export function takesPart(seen: SeenReplica): boolean {
  const { role, supervised } = seen;
  const isUp = supervised === undefined || supervised.state === 'running';
  const isCutOff = supervised?.cutOff === true || seen.process?.cutOff === true;
  return seen.reachable !== false && isUp && !isCutOff && (role === 'primary' || role === 'backup');
}
