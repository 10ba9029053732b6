/**
 * What is known of one replica when somebody asks what is wrong: its own word, what is proved against it, what is seen of
 * its process. A Byzantine replica may say anything about itself and others: what is used here is checked and bounded first.
 */
import type { Lack } from '../../core/live.ts';
import type { ReplicaId } from '../../core/types.ts';

/** What the supervisor of a local cluster says about a replica's process. */
export interface SupervisedProcess {
  /** `running`, `paused`, `restarting`, `stopped` or `failed`. */
  readonly state: string;
  /** Why it is not running, if so. */
  readonly reason: string | null;
  /** Behaviour of a replica that lies on purpose. */
  readonly byzantine: string | null;
  /** Whether it was cut off from the others on purpose. */
  readonly cutOff?: boolean;
  readonly pid?: number | null;
}

/** The same with the name of the process: `replica 0` and so on. */
export type NamedProcess = SupervisedProcess & { readonly name: string };

/** A replica in `/v1/status`. What is optional is missing if the replica did not answer. */
export interface SeenReplica {
  readonly id: ReplicaId;
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
  readonly lack?: Lack | null;
  readonly pendingBundles?: number;
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
    readonly cutOff?: boolean;
  };
  /** What is proved against this replica: verified by the gateway, or vouched for by f+1 replicas. */
  readonly proven?: readonly {
    readonly replica: ReplicaId;
    readonly rule: string;
    readonly foundBy?: readonly (number | string)[];
    readonly explanation?: string;
  }[];
  /** Whom it suspects: no proof. */
  readonly suspected?: readonly { readonly replica: ReplicaId; readonly why: string }[];
  readonly supervised?: SupervisedProcess;
}

/** Adds what a supervisor reports of processes, which are named `replica 0` and so on. */
export function withProcesses<Row extends SeenReplica>(
  replicas: readonly Row[],
  processes: readonly NamedProcess[],
): Row[] {
  return replicas.map((replica) => {
    const supervised = processes.find(({ name }) => name === `replica ${replica.id}`);
    return supervised === undefined ? replica : { ...replica, supervised };
  });
}

const TEXT_MAX = 300;
const SUSPICIONS_MAX = 64;
/** Of one replica against another: there are no more kinds of them. */
const SUSPICIONS_OF_ONE_MAX = 4;
const PROVEN_MAX = 32;
const FINDERS_MAX = 64;
/** A finder that is no replica: the gateway. */
const FINDER = /^[a-z]{1,20}$/;
/** One word: several could be read as a sentence. */
const WHAT = /^[A-Za-z][A-Za-z-]{0,39}$/;

/**
 * Text of somebody else for a sentence, between quotation marks or brackets that it cannot close: one line, not longer
 * than a sentence is, without its full stop; '' if it is none.
 */
export function quoted(text: unknown): string {
  if (typeof text !== 'string') return '';
  const line = text
    .slice(0, TEXT_MAX)
    .replace(/[\p{C}\p{Z}\s]+/gu, ' ')
    .replace(/["\u201c\u201d\u201e\u201f\u2033]/g, "'")
    .trim();
  return text.length > TEXT_MAX ? `${line} …` : line.replace(/\.$/, '');
}

/** The same for brackets: one clause. */
export function bracketed(text: unknown): string {
  return quoted(text)
    .replace(/[()[\]]/g, '')
    .replace(/[.;!?]+(?= |$)/g, ',');
}

/** A whole number from 0; undefined for anything else. */
export function countOf(value: unknown): number | undefined {
  return Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : undefined;
}

function replicasOf(value: unknown, replicas: number): ReplicaId[] | undefined {
  if (!Array.isArray(value) || value.length > replicas) return undefined;
  const known = value.every((id) => (countOf(id) ?? replicas) < replicas);
  return known && new Set(value).size === value.length ? (value as ReplicaId[]) : undefined;
}

/** A lack as a replica tells it; undefined if it is none that could be. */
export function checkedLack(value: unknown, replicas: number): Lack | undefined {
  const { what, view, sequence, needs, has, lacks, forMs } = (value ?? {}) as Partial<Lack>;
  const there = replicasOf(has, replicas);
  const lacking = replicasOf(lacks, replicas);
  const wanted = countOf(needs);
  if (typeof what !== 'string' || !WHAT.test(what)) return undefined;
  if (there === undefined || lacking === undefined || wanted === undefined || wanted > replicas)
    return undefined;
  if (wanted <= there.length || there.some((id) => lacking.includes(id))) return undefined;
  if (typeof forMs !== 'number' || !(forMs >= 0 && forMs <= Number.MAX_SAFE_INTEGER)) return undefined;
  const place = {
    ...(countOf(view) === undefined ? {} : { view: view! }),
    ...(countOf(sequence) === undefined ? {} : { sequence: sequence! }),
  };
  return { what, ...place, needs: wanted, has: there, lacks: lacking, forMs };
}

/** Whom a replica suspects, as far as it makes sense. */
export function checkedSuspicions(value: unknown, replicas: number): { replica: ReplicaId; why: string }[] {
  if (!Array.isArray(value)) return [];
  const found: { replica: ReplicaId; why: string }[] = [];
  for (const one of value.slice(0, SUSPICIONS_MAX)) {
    const { replica, why } = fieldsOf(one);
    const whom = countOf(replica) ?? replicas;
    const alike = found.filter((known) => known.replica === whom);
    if (whom < replicas && alike.length < SUSPICIONS_OF_ONE_MAX && bracketed(why) !== '')
      found.push({ replica: whom, why: bracketed(why) });
  }
  return found;
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}

/** What is proved against a replica, as far as it makes sense. */
function checkedProven(value: unknown, id: ReplicaId): NonNullable<SeenReplica['proven']> {
  if (!Array.isArray(value)) return [];
  return value.slice(0, PROVEN_MAX).flatMap((one: unknown) => {
    const { replica, rule, foundBy, explanation } = fieldsOf(one);
    if (replica !== id || bracketed(rule) === '') return [];
    const finders = (Array.isArray(foundBy) ? foundBy.slice(0, FINDERS_MAX) : []).flatMap((by: unknown) => {
      const name = typeof by === 'string' && FINDER.test(by) ? by : undefined;
      return countOf(by) ?? name ?? [];
    });
    return [{ replica: id, rule: bracketed(rule), foundBy: finders, explanation: quoted(explanation) }];
  });
}

/** What a supervisor says of a process, as far as it makes sense. */
function checkedProcess(value: unknown): SupervisedProcess | undefined {
  const { state, reason, byzantine, cutOff } = fieldsOf(value);
  if (bracketed(state) === '') return undefined;
  return {
    state: bracketed(state),
    reason: quoted(reason),
    byzantine: bracketed(byzantine) || null,
    cutOff: cutOff === true,
  };
}

/** A replica's row as whoever explains may use it; what it says itself is checked where it is used. */
export function checkedReplica(value: unknown, id: ReplicaId): SeenReplica {
  const { supervised, proven, ...own } = fieldsOf(value);
  const process = checkedProcess(supervised);
  return {
    ...own,
    id,
    proven: checkedProven(proven, id),
    ...(process === undefined ? {} : { supervised: process }),
  };
}
