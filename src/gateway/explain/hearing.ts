/** Who hears whom, as replicas say: whether a replica is silent, cut off, or a link between two is. */
import type { ReplicaId } from '../../core/types.ts';
import { namesOf } from '../../smr/lack.ts';
import { groundsOf } from './grounds.ts';
import type { Ground } from './grounds.ts';
import { checkedSuspicions } from './seen-replica.ts';
import type { SeenReplica } from './seen-replica.ts';

/** How a replica's suspicion of silence begins. */
export const SILENCE = /^(?:silent|never heard)/;

/** Whom a replica says that it does not hear. */
function unheardBy(seen: SeenReplica, replicas: number): ReplicaId[] {
  if (seen.reachable === false) return [];
  const suspected = checkedSuspicions(seen.suspected, replicas).filter(({ why }) => SILENCE.test(why));
  return [...new Set(suspected.map(({ replica }) => replica))].sort((a, b) => a - b);
}

/** Of a replica that hears nobody and is heard by nobody. */
const ALONE = 'hears no other replica, and none hears it, they say: it may be cut off';

/** `says replica 1`, `say replicas 0, 2`. */
export function sayWords(ids: readonly ReplicaId[]): string {
  return `${ids.length === 1 ? 'says' : 'say'} ${namesOf(ids)}`;
}

/**
 * What others say of the silence of a replica, and what it says of theirs, as half a sentence that follows on `replica N`;
 * undefined if nobody calls it silent.
 */
export function silenceOf(replica: ReplicaId, replicas: readonly SeenReplica[]): Ground | undefined {
  // What is said by those who are known not to do their part explains nothing.
  const others = replicas.filter((seen) => seen.id !== replica && groundsOf(seen).length === 0);
  const missing = others
    .filter((seen) => unheardBy(seen, replicas.length).includes(replica))
    .map(({ id }) => id);
  if (missing.length === 0) return undefined;
  const unheard = unheardBy(replicas[replica]!, replicas.length);
  const heard = missing.filter((id) => !unheard.includes(id));
  if (heard.length > 0) {
    const text = `is silent, ${sayWords(missing)}, although it hears ${namesOf(heard)}, it says`;
    return { replica, kind: 'word', text, by: missing };
  }
  const isAlone = others.length > 1 && missing.length === others.length;
  const text = isAlone
    ? ALONE
    : `and ${namesOf(missing)} do not hear each other, they say: the link between them may be cut`;
  return { replica, kind: 'link', text, by: missing };
}

/** Whether so many say that they do not hear a replica that one of them is correct. */
export function isUnheard(replica: ReplicaId, replicas: readonly SeenReplica[], faults: number): boolean {
  const ground = silenceOf(replica, replicas);
  if (ground === undefined || (ground.by?.length ?? 0) <= faults) return false;
  return ground.text === ALONE || ground.text.startsWith('is silent');
}
