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
  /** What it does in a protocol of several modes. */
  readonly duty?: string | null;
  readonly sequence?: number;
  /** What can never be undone; what comes after may differ between replicas for a while. */
  readonly confirmed?: number;
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
    readonly suite?: string;
    readonly measurement?: string;
    readonly tcEpoch?: string;
    readonly counter?: number;
  };
  /** What the replica says about its process. */
  readonly process?: {
    readonly trustedHardening?: string | null;
    readonly trustedPlainReason?: string | null;
  };
  /** What is proved against this replica: verified by the gateway, or vouched for by f+1 replicas. */
  readonly proven?: readonly {
    readonly replica: number;
    readonly rule: string;
    readonly foundBy?: readonly (number | string)[];
    readonly explanation?: string;
  }[];
  readonly suspected?: readonly { readonly replica: number; readonly why: string }[];
  /** What the supervisor of a local cluster says about its process. */
  readonly supervised?: ProcessReport;
}

function highest(all: readonly StatusOfReplica[]): number {
  return Math.max(0, ...all.map(({ sequence }) => sequence ?? 0));
}

/** How far behind the furthest replica this one is, in sequence numbers. */
export function lagOf(replica: StatusOfReplica, all: readonly StatusOfReplica[]): number {
  return highest(all) - (replica.sequence ?? 0);
}

function aboutItself(replica: StatusOfReplica): string[] {
  const { id, supervised } = replica;
  const words: string[] = [];
  if (supervised !== undefined && supervised.state !== 'running') {
    const reason = supervised.reason === null ? '' : `: ${supervised.reason.replace(/\.$/, '')}`;
    words.push(`Replica ${id}: its process is ${supervised.state}${reason}.`);
  }
  if (supervised?.byzantine !== null && supervised?.byzantine !== undefined)
    words.push(`Replica ${id} was told to lie (${supervised.byzantine}).`);
  if (supervised?.cutOff === true)
    words.push(`Replica ${id} was cut off from all others ("moiety fault heal ${id}" ends that).`);
  if (replica.reachable === false) {
    if (supervised === undefined || supervised.state === 'running')
      words.push(`Replica ${id} is unreachable: ${replica.reason ?? 'it does not answer'}.`);
    return words;
  }
  if (replica.role === 'halted')
    words.push(`Replica ${id} has halted: ${replica.haltReason ?? 'see its log'}.`);
  if (replica.role === 'recovering')
    words.push(`Replica ${id} is being re-admitted with a new trusted component.`);
  if (replica.transferring === true) words.push(`Replica ${id} fetches state from the others.`);
  if (typeof replica.waitsFor === 'string') words.push(`Replica ${id}: ${replica.waitsFor}.`);
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
  for (const { proven } of all)
    for (const { replica, rule, foundBy, explanation } of proven ?? []) {
      const finders = (foundBy ?? []).map((one) => (typeof one === 'number' ? `replica ${one}` : one));
      const by = finders.length === 0 ? '' : ` Found by ${finders.join(', ')} ("moiety evidence").`;
      words.push(`Replica ${replica} is proven faulty (${rule}). ${explanation ?? ''}${by}`);
    }
  const suspected = witnesses(all, ({ suspected: list }) =>
    (list ?? []).map(({ replica, why }) => `Replica ${replica} is suspected (${why})`),
  );
  for (const [sentence, by] of suspected) words.push(`${sentence}, says replica ${by.join(', ')}.`);
  return words;
}

function aboutEquality(all: readonly StatusOfReplica[]): string[] {
  // Replicas are equal when sequence number, height and header hash are (decision D2).
  const bySequence = new Map<number, Map<string, number[]>>();
  for (const { id, sequence, confirmed, height, headerHash } of all) {
    if (headerHash === undefined || sequence === undefined || (confirmed ?? sequence) < sequence) continue;
    const hashes = bySequence.get(sequence) ?? new Map<string, number[]>();
    const tip = `${height}/${headerHash}`;
    hashes.set(tip, [...(hashes.get(tip) ?? []), id]);
    bySequence.set(sequence, hashes);
  }
  return [...bySequence.values()]
    .filter((hashes) => hashes.size > 1)
    .map(
      (hashes) =>
        `Replicas differ at the same sequence number: ${[...hashes.values()].map((ids) => ids.join('+')).join(' against ')}. Stop writing and run "moiety audit" on each.`,
    );
}

/** Sentences, most important first; empty if nothing is wrong. `f`: faults that the cluster is made for, if known. */
export function diagnose(all: readonly StatusOfReplica[], f = Math.floor((all.length - 1) / 2)): string[] {
  const words = [...aboutEquality(all), ...all.flatMap(aboutItself), ...aboutOthers(all)];
  const needed = all.length - f;
  const up = all.filter(
    ({ reachable, role }) => reachable !== false && (role === 'primary' || role === 'backup'),
  ).length;
  if (all.length > 0 && up < needed)
    words.unshift(
      `No quorum: ${up} of ${plural(all.length, 'replica')} take part, ${needed} are needed. Nothing is ordered until more are back.`,
    );
  return words;
}
