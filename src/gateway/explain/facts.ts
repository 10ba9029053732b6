/** Sentences about single replicas: what each says of itself and of others, and what is seen of it. */
import type { ReplicaId } from '../../core/types.ts';
import { SILENCE } from './hearing.ts';
import { bracketed, checkedSuspicions, countOf, quoted } from './seen-replica.ts';
import type { SeenReplica } from './seen-replica.ts';

/** How a replica is, but for what it waits for. */
export function aboutItself(seen: SeenReplica): string[] {
  const { id, supervised } = seen;
  const words: string[] = [];
  if (supervised !== undefined && supervised.state !== 'running') {
    const reason = quoted(supervised.reason);
    words.push(`Replica ${id}: its process is ${supervised.state}${reason === '' ? '' : `: ${reason}`}.`);
  }
  if (supervised?.cutOff === true || (seen.reachable !== false && seen.process?.cutOff === true))
    words.push(`Replica ${id} was cut off from all others ("moiety fault heal ${id}" ends that).`);
  if (supervised !== undefined && supervised.byzantine !== null)
    words.push(`Replica ${id} was told to lie (${bracketed(supervised.byzantine)}).`);
  if (seen.reachable === false) {
    if (supervised === undefined || supervised.state === 'running')
      words.push(`Replica ${id} is unreachable: ${bracketed(seen.reason) || 'it does not answer'}.`);
    return words;
  }
  if (seen.role === 'halted')
    words.push(`Replica ${id} says that it has halted: "${quoted(seen.haltReason) || 'see its log'}".`);
  if (seen.role === 'recovering')
    words.push(`Replica ${id} says that it is being re-admitted with a new trusted component.`);
  if (seen.transferring === true) words.push(`Replica ${id} says that it fetches state from the others.`);
  if (seen.tc?.answers === false)
    words.push(`Replica ${id} says that its trusted component does not answer.`);
  return words;
}

/** Which replicas say something about another one: `0, 2`. */
function witnesses(
  all: readonly SeenReplica[],
  says: (seen: SeenReplica) => readonly string[],
): Map<string, number[]> {
  const found = new Map<string, number[]>();
  for (const seen of all)
    for (const sentence of new Set(says(seen)))
      found.set(sentence, [...(found.get(sentence) ?? []), seen.id]);
  return found;
}

/**
 * What is proved against replicas, and whom they suspect. Of those for which `isTold` holds, silence is told already; what
 * those that nobody hears say of silence means little.
 */
export function aboutOthers(
  all: readonly SeenReplica[],
  isTold: (replica: ReplicaId) => boolean,
  isUnheard: (replica: ReplicaId) => boolean,
): string[] {
  const words: string[] = [];
  for (const { proven } of all)
    for (const { replica, rule, foundBy, explanation } of proven ?? []) {
      const finders = (foundBy ?? []).map((one) =>
        typeof one === 'number' ? `replica ${one}` : quoted(one),
      );
      const by = finders.length === 0 ? '' : ` Found by ${finders.join(', ')} ("moiety evidence").`;
      const why = quoted(explanation);
      words.push(
        `Replica ${replica} is proven faulty (${bracketed(rule)}).${why === '' ? '' : ` ${why}.`}${by}`,
      );
    }
  const suspected = witnesses(all, (seen) =>
    seen.reachable === false
      ? []
      : checkedSuspicions(seen.suspected, all.length)
          .filter(({ replica, why }) => !SILENCE.test(why) || !(isTold(replica) || isUnheard(seen.id)))
          .map(({ replica, why }) => `Replica ${replica} is suspected (${why})`),
  );
  for (const [sentence, by] of suspected) words.push(`${sentence}, says replica ${by.join(', ')}.`);
  return words;
}

/** Replicas that differ where they must be equal (decision D2): sequence number, height and header hash. */
export function aboutEquality(all: readonly SeenReplica[]): string[] {
  const bySequence = new Map<number, Map<string, number[]>>();
  for (const { id, sequence, confirmed, height, headerHash } of all) {
    const place = countOf(sequence);
    if (headerHash === undefined || place === undefined || (countOf(confirmed) ?? place) < place) continue;
    const hashes = bySequence.get(place) ?? new Map<string, number[]>();
    const tip = `${height}/${headerHash}`;
    hashes.set(tip, [...(hashes.get(tip) ?? []), id]);
    bySequence.set(place, hashes);
  }
  return [...bySequence.values()]
    .filter((hashes) => hashes.size > 1)
    .map(
      (hashes) =>
        `Replicas differ at the same sequence number: ${[...hashes.values()].map((ids) => ids.join('+')).join(' against ')}. Stop writing and run "moiety audit" on each.`,
    );
}
