/** What is wrong with a cluster, in words, out of what its replicas and its supervisor say. */
import { plural } from './output.ts';
import type { ProcessReport } from './supervisor/run-file.ts';

/** A replica in `status --json`. What is optional is missing if the replica did not answer. */
export interface StatusOfReplica {
  readonly id: number;
  readonly reachable?: boolean;
  readonly reason?: string;
  readonly view?: number;
  readonly role?: string;
  readonly sequence?: number;
  readonly height?: number;
  readonly headerHash?: string;
  readonly stateDigest?: string;
  readonly haltReason?: string | null;
  readonly transferring?: boolean;
  readonly waitsFor?: string | null;
  readonly tc?: {
    readonly program: string;
    readonly footprint: string;
    readonly persistent: boolean;
    readonly answers?: boolean;
  };
  readonly proven?: readonly { readonly replica: number; readonly rule: string }[];
  readonly suspected?: readonly { readonly replica: number; readonly why: string }[];
  readonly process?: ProcessReport;
}

function highest(all: readonly StatusOfReplica[]): number {
  return Math.max(0, ...all.map(({ sequence }) => sequence ?? 0));
}

/** How far behind the furthest replica this one is, in sequence numbers. */
export function lagOf(replica: StatusOfReplica, all: readonly StatusOfReplica[]): number {
  return highest(all) - (replica.sequence ?? 0);
}

function aboutItself(replica: StatusOfReplica): string[] {
  const { id, process } = replica;
  const words: string[] = [];
  if (process !== undefined && process.state !== 'running')
    words.push(
      `Replica ${id}: its process is ${process.state}${process.reason === null ? '' : `: ${process.reason}`}.`,
    );
  if (process?.byzantine !== null && process?.byzantine !== undefined)
    words.push(`Replica ${id} was told to lie (${process.byzantine}).`);
  if (replica.reachable === false) {
    if (process === undefined || process.state === 'running')
      words.push(`Replica ${id} is unreachable: ${replica.reason ?? 'it does not answer'}.`);
    return words;
  }
  if (replica.role === 'halted')
    words.push(`Replica ${id} has halted: ${replica.haltReason ?? 'see its log'}.`);
  if (replica.role === 'recovering')
    words.push(`Replica ${id} is being re-admitted with a new trusted component.`);
  if (replica.transferring === true) words.push(`Replica ${id} fetches state from the others.`);
  if (typeof replica.waitsFor === 'string') words.push(`Replica ${id} waits for ${replica.waitsFor}.`);
  if (replica.tc?.answers === false) words.push(`Replica ${id}: its trusted component does not answer.`);
  return words;
}

/** Which replicas say something about another one: `0, 2`. */
function witnesses(
  all: readonly StatusOfReplica[],
  says: (replica: StatusOfReplica) => readonly string[],
): Map<string, number[]> {
  const found = new Map<string, number[]>();
  for (const replica of all)
    for (const sentence of new Set(says(replica)))
      found.set(sentence, [...(found.get(sentence) ?? []), replica.id]);
  return found;
}

function aboutOthers(all: readonly StatusOfReplica[]): string[] {
  const words: string[] = [];
  const proven = witnesses(all, ({ proven: list }) =>
    (list ?? []).map(({ replica, rule }) => `Replica ${replica} is proven faulty (${rule})`),
  );
  for (const [sentence, by] of proven)
    words.push(`${sentence}; evidence at ${plural(by.length, 'replica')} ${by.join(', ')}.`);
  const suspected = witnesses(all, ({ suspected: list }) =>
    (list ?? []).map(({ replica, why }) => `Replica ${replica} is suspected (${why})`),
  );
  for (const [sentence, by] of suspected) words.push(`${sentence}, says replica ${by.join(', ')}.`);
  return words;
}

function aboutEquality(all: readonly StatusOfReplica[]): string[] {
  const byHeight = new Map<string, Map<string, number[]>>();
  for (const { id, sequence, height, headerHash } of all) {
    if (headerHash === undefined) continue;
    const place = `${sequence}/${height}`;
    const hashes = byHeight.get(place) ?? new Map<string, number[]>();
    hashes.set(headerHash, [...(hashes.get(headerHash) ?? []), id]);
    byHeight.set(place, hashes);
  }
  return [...byHeight.values()]
    .filter((hashes) => hashes.size > 1)
    .map(
      (hashes) =>
        `Replicas differ at the same height: ${[...hashes.values()].map((ids) => ids.join('+')).join(' against ')}. Stop writing and run "moiety audit" on each.`,
    );
}

/** Sentences, most important first; empty if nothing is wrong. */
export function diagnose(all: readonly StatusOfReplica[]): string[] {
  const words = [...aboutEquality(all), ...all.flatMap(aboutItself), ...aboutOthers(all)];
  const needed = Math.floor(all.length / 2) + 1;
  const up = all.filter(
    ({ reachable, role }) => reachable !== false && role !== 'halted' && role !== 'starting',
  ).length;
  if (all.length > 0 && up < needed)
    words.unshift(
      `No quorum: ${up} of ${plural(all.length, 'replica')} answer, ${needed} are needed. Nothing is ordered until more are back.`,
    );
  return words;
}
