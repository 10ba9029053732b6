/** Sentences about single replicas: what each says of itself and of others, and what is seen of it. */
import type { ReplicaId } from '../../core/types.ts';
import { namesOf } from '../../smr/lack.ts';
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
  if (supervised?.cutOff === true)
    words.push(`Replica ${id} was cut off from all others ("moiety fault heal ${id}" ends that).`);
  if (supervised !== undefined && supervised.byzantine !== null)
    words.push(`Replica ${id} was told to lie (${bracketed(supervised.byzantine)}).`);
  if (seen.reachable === false) {
    if (supervised === undefined || supervised.state === 'running')
      words.push(`Replica ${id} is unreachable: ${bracketed(seen.reason) || 'it does not answer'}.`);
    return words;
  }
  if (supervised?.cutOff !== true && seen.process?.cutOff === true)
    words.push(`Replica ${id} says that it was told to cut itself off from the others.`);
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

/**
 * Replicas that differ where they must be equal (decision D2): sequence number, height and header hash. What f of them say
 * may be a lie; where f+1 say the same, one of those is correct, and who says something else is not.
 */
export function aboutEquality(all: readonly SeenReplica[], f: number): string[] {
  const bySequence = new Map<number, Map<string, number[]>>();
  for (const { id, sequence, confirmed, height, headerHash } of all) {
    const place = countOf(sequence);
    if (typeof headerHash !== 'string' || place === undefined || (countOf(confirmed) ?? place) < place)
      continue;
    const hashes = bySequence.get(place) ?? new Map<string, number[]>();
    const tip = `${countOf(height)}/${headerHash}`;
    hashes.set(tip, [...(hashes.get(tip) ?? []), id]);
    bySequence.set(place, hashes);
  }
  return [...bySequence]
    .filter(([, hashes]) => hashes.size > 1)
    .map(([sequence, hashes]) => differenceAt(sequence, [...hashes.values()], f));
}

function differenceAt(sequence: number, groups: readonly (readonly ReplicaId[])[], f: number): string {
  const place = `at sequence number ${sequence}`;
  const told = groups.reduce((sum, group) => sum + group.length, 0);
  const against = groups.map((ids) => ids.join('+')).join(' against ');
  const sure = groups.find((group) => group.length > f);
  const odd = groups.filter((group) => group !== sure).flat();
  if (sure !== undefined && odd.length <= f)
    return `${namesOf(odd)} ${odd.length === 1 ? 'says that it has' : 'say that they have'} another ledger than ${namesOf(sure)} ${place}: a lie, or damage. Run "moiety audit" there.`.replace(
      /^r/,
      'R',
    );
  if (groups.some((group) => told - group.length <= f))
    return `Replicas say that they differ ${place} (${against}): so many of them may lie. Run "moiety audit" on each.`;
  return `Replicas differ ${place}: ${against}, more than may lie. Stop writing and run "moiety audit" on each.`;
}
