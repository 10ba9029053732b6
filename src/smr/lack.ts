/** Why a replica does not go on, as data (`core/live.ts`) and in words: for all protocols. */
import type { ClusterTimers } from '../core/config.ts';
import type { Lack } from '../core/live.ts';
import type { Milliseconds, ReplicaId, SequenceNumber, View } from '../core/types.ts';

/** Where in the order the lacking message belongs. */
export interface Place {
  readonly view?: View;
  readonly sequence?: SequenceNumber;
}

/** What a protocol says it lacks; `since`: by the replica's own time, if it knows. */
export interface Lacking extends Place {
  readonly what: string;
  readonly needs: number;
  readonly has: readonly ReplicaId[];
  /** Whose messages count. */
  readonly among: readonly ReplicaId[];
  readonly since?: Milliseconds | undefined;
}

/** What a quorum lacks: everybody of `among` whose message is not there. Negative times are none. */
export function quorumLack(
  what: string,
  place: Place,
  quorum: { readonly needs: number; readonly has: Iterable<ReplicaId>; readonly among: Iterable<ReplicaId> },
  forMs: Milliseconds,
): Lack {
  const has = ascending(quorum.has);
  const lacks = ascending(quorum.among).filter((replica) => !has.includes(replica));
  return { what, ...place, needs: quorum.needs, has, lacks, forMs: Math.max(0, Math.round(forMs)) };
}

/** What one of these replicas must send. */
export function oneLack(what: string, place: Place, from: Iterable<ReplicaId>, forMs: Milliseconds): Lack {
  return quorumLack(what, place, { needs: 1, has: [], among: from }, forMs);
}

function ascending(replicas: Iterable<ReplicaId>): ReplicaId[] {
  return [...new Set(replicas)].sort((a, b) => a - b);
}

/** Replicas by name. */
export function namesOf(replicas: readonly ReplicaId[]): string {
  if (replicas.length === 0) return 'no replica';
  return replicas.length === 1 ? `replica ${replicas[0]}` : `replicas ${replicas.join(', ')}`;
}

/** Silent for so many status periods: a replica counts as not heard. */
export const SILENT_PERIODS = 8;

/** `sequence number 7 of view 2`; empty if the lack has no place. */
function placeWords({ view, sequence }: Place): string {
  const words = sequence === undefined ? [] : [`sequence number ${sequence}`];
  if (view !== undefined) words.push(`view ${view}`);
  return words.join(' of ');
}

/** Lacks that are told at once; all others come and go in every moment of normal work. */
const UNUSUAL: readonly string[] = ['keepers', 'messages', 'state', 'RECOVER', 'VIEW-CHANGE', 'NEW-VIEW'];

/**
 * The sentence for `waitsFor`, without its full stop; undefined for what normal work brings with it: a message that is
 * not older than a request may be.
 */
export function waitingSentence(lack: Lack | undefined, timers: ClusterTimers): string | undefined {
  if (lack === undefined) return undefined;
  return UNUSUAL.includes(lack.what) || lack.forMs >= timers.requestMs ? waitingWords(lack) : undefined;
}

/** A lack in words, as its replica says it. */
export function waitingWords(lack: Lack): string {
  const { what, needs, has, lacks } = lack;
  const place = placeWords(lack);
  const at = place === '' ? '' : ` for ${place}`;
  switch (what) {
    case 'keepers':
      return (
        `final halt: ${namesOf(lacks)} lost counter or log, fewer than ${needs} replicas have theirs; no RECOVER can ` +
        'be decided any more (see the operator procedure)'
      );
    case 'state':
      return 'fetches the state of a stable checkpoint';
    case 'store':
      return 'waits for its own disk';
    case 'component':
      return 'waits for its own trusted component';
    case 'RECOVER':
      return 'its RECOVER must be ordered and covered by a stable checkpoint';
    default: {
      const article = what === 'messages' ? '' : 'the ';
      const whom = `waits for ${article}${what} of ${choiceWords(lack)}${at}`;
      return needs === 1 ? whom : `${whom} (${has.length} of ${needs} there)`;
    }
  }
}

/** `replica 1`, or of how many of them one more message would do. */
function choiceWords({ needs, has, lacks }: Lack): string {
  const open = needs - has.length;
  if (open >= lacks.length || lacks.length <= 1) return namesOf(lacks);
  return `${open === 1 ? 'one' : String(open)} more of ${namesOf(lacks)}`;
}
