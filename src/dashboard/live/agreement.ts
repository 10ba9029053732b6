/**
 * Whether replicas agree: equal header hashes at equal heights, equal state digests at equal checkpoints. Their words
 * come from different moments, so the latest of each are remembered and compared where two spoke of the same place.
 */
import type { LiveReplica } from './status-shape.ts';

/** What a replica said of a place: `height 7` or `checkpoint 128`. */
interface Said {
  readonly place: string;
  readonly digest: string;
}

/** What replicas said lately, newest last; bounded. */
export type Sayings = ReadonlyMap<number, readonly Said[]>;

/** How a replica stands to the others. */
export interface Agreement {
  readonly state: 'agrees' | 'differs' | 'unknown';
  /** In a few words. */
  readonly words: string;
}

/** Places that are remembered of each replica. */
const SAID_MAX = 64;

function sayingsOf({ height, headerHash, sequence, confirmed, ...replica }: LiveReplica): Said[] {
  const said: Said[] = [];
  const { checkpointSequence, stateDigest } = replica;
  // What is not confirmed may still be undone, and then differs for a while (speculation).
  const isConfirmed = (confirmed ?? sequence ?? 0) >= (sequence ?? 0);
  if (checkpointSequence !== undefined && checkpointSequence > 0 && stateDigest !== undefined)
    said.push({ place: `checkpoint ${checkpointSequence}`, digest: stateDigest });
  if (height !== undefined && height > 0 && headerHash !== undefined && isConfirmed)
    said.push({ place: `height ${height}`, digest: headerHash });
  return said;
}

/** What was said, with the words of this status. */
export function withSayings(known: Sayings, replicas: readonly LiveReplica[]): Sayings {
  return new Map(
    replicas.map((replica) => {
      const before = known.get(replica.id) ?? [];
      const fresh = replica.isReachable ? sayingsOf(replica) : [];
      const places = new Set(fresh.map(({ place }) => place));
      return [replica.id, [...before.filter(({ place }) => !places.has(place)), ...fresh].slice(-SAID_MAX)];
    }),
  );
}

/** The same for a replica that is not there: what it said last. */
export function lastAgreementOf(sayings: Sayings, replica: number): Agreement {
  const last = agreementOf(sayings, replica);
  return last.state === 'agrees' ? { state: 'unknown', words: last.words.replace('agrees', 'agreed') } : last;
}

/**
 * See the top of this file. The newest place that another one spoke of decides: whoever has said the same of it stands by this
 * replica, and one that alone says something else is the one that differs.
 */
export function agreementOf(sayings: Sayings, replica: number): Agreement {
  const own = sayings.get(replica) ?? [];
  const others = [...sayings].filter(([id]) => id !== replica);
  for (const { place, digest } of own.toReversed()) {
    const saying = (isMeant: (said: string) => boolean): string =>
      others
        .filter(([, said]) => said.some((one) => one.place === place && isMeant(one.digest)))
        .map(([id]) => id)
        .join(', ');
    const equal = saying((said) => said === digest);
    if (equal !== '') return { state: 'agrees', words: `agrees with ${equal} at ${place}` };
    const different = saying((said) => said !== digest);
    if (different !== '') return { state: 'differs', words: `differs from ${different} at ${place}` };
  }
  return { state: 'unknown', words: 'nothing to compare yet' };
}
