/** What the gateway says about the cluster (`status` of `/v1/live`), checked and bounded. */
import type { Lack } from '../../core/live.ts';
import { fieldsOf, listOf, numberOf, present, textOf, wholeOf } from './shapes.ts';
import type { Fields } from './shapes.ts';

/** What a replica says about its trusted component. */
export interface LiveComponent {
  readonly program: string;
  readonly footprint: string;
  readonly tcEpoch?: string;
  readonly counter?: number;
  readonly isPersistent: boolean;
  /** False: the component does not answer the replica. */
  readonly answers: boolean;
}

/** A fault that evidence proves, or that f+1 replicas vouch for. */
export interface LiveProven {
  readonly replica: number;
  readonly rule: string;
  readonly explanation?: string;
}

/** What one replica holds against another without proof. */
export interface LiveSuspicion {
  readonly replica: number;
  readonly why: string;
}

/** A replica's own word, as far as it gave one. */
export interface LiveReplica {
  readonly id: number;
  readonly isReachable: boolean;
  /** Why it is not reachable. */
  readonly reason?: string;
  readonly role: string;
  /** What it does in a protocol of several modes. */
  readonly duty?: string;
  readonly view?: number;
  readonly sequence?: number;
  /** What can never be undone. */
  readonly confirmed?: number;
  readonly height?: number;
  readonly headerHash?: string;
  readonly stateDigest?: string;
  /** Sequence number of the checkpoint that `stateDigest` is of. */
  readonly checkpointSequence?: number;
  /** Bundles of clients that wait to be executed. */
  readonly pendingBundles?: number;
  readonly transactions?: number;
  readonly isTransferring: boolean;
  readonly waitsFor?: string;
  readonly haltReason?: string;
  readonly lack?: Lack;
  readonly component?: LiveComponent;
  readonly proven: readonly LiveProven[];
  /** Whom this replica suspects. */
  readonly suspects: readonly LiveSuspicion[];
}

/** What was committed in one second, as the gateway saw it. */
export interface Rate {
  readonly atMs: number;
  readonly transactionsPerSecond: number;
  /** Null: nothing was answered. */
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
}

/** The cluster at one moment. */
export interface LiveStatus {
  /** Clock of the gateway. */
  readonly nowMs: number;
  readonly protocol: string;
  readonly f: number;
  readonly replicas: readonly LiveReplica[];
  /** Sentences; empty if nothing is wrong. */
  readonly explanation: readonly string[];
  /** Whether faults can be made through the gateway. */
  readonly hasFaults: boolean;
  /** Oldest first. */
  readonly rates: readonly Rate[];
}

const REPLICAS_MAX = 256;
const ACCUSATIONS_MAX = 64;
const SENTENCES_MAX = 32;
const RATES_MAX = 600;

function lackOf(value: unknown): Lack | undefined {
  const fields = fieldsOf(value);
  const what = textOf(fields?.['what'], 64);
  const [needs, forMs] = [wholeOf(fields?.['needs']), numberOf(fields?.['forMs'])];
  const has = listOf(fields?.['has'], REPLICAS_MAX, wholeOf);
  const lacks = listOf(fields?.['lacks'], REPLICAS_MAX, wholeOf);
  if (what === undefined || needs === undefined || forMs === undefined) return undefined;
  if (has === undefined || lacks === undefined) return undefined;
  const place = { view: wholeOf(fields?.['view']), sequence: wholeOf(fields?.['sequence']) };
  return present<Lack>({ what, ...place, needs, has, lacks, forMs });
}

function componentOf(value: unknown): LiveComponent | undefined {
  const fields = fieldsOf(value);
  const program = textOf(fields?.['program'], 64);
  const footprint = textOf(fields?.['footprint'], 64);
  if (fields === undefined || program === undefined || footprint === undefined) return undefined;
  return present<LiveComponent>({
    program,
    footprint,
    tcEpoch: textOf(fields['tcEpoch'], 64),
    counter: wholeOf(fields['counter']),
    isPersistent: fields['persistent'] !== false,
    answers: fields['answers'] !== false,
  });
}

function provenOf(value: unknown): LiveProven | undefined {
  const fields = fieldsOf(value);
  const [replica, rule] = [wholeOf(fields?.['replica']), textOf(fields?.['rule'], 128)];
  if (replica === undefined || rule === undefined) return undefined;
  return present<LiveProven>({ replica, rule, explanation: textOf(fields?.['explanation']) });
}

function suspicionOf(value: unknown): LiveSuspicion | undefined {
  const fields = fieldsOf(value);
  const [replica, why] = [wholeOf(fields?.['replica']), textOf(fields?.['why'], 256)];
  return replica === undefined || why === undefined ? undefined : { replica, why };
}

function positionOf(fields: Fields): Partial<LiveReplica> {
  return present<Partial<LiveReplica>>({
    view: wholeOf(fields['view']),
    sequence: wholeOf(fields['sequence']),
    confirmed: wholeOf(fields['confirmed']),
    height: wholeOf(fields['height']),
    headerHash: textOf(fields['headerHash'], 128),
    stateDigest: textOf(fields['stateDigest'], 128),
    checkpointSequence: wholeOf(fields['checkpointSequence']),
    pendingBundles: wholeOf(fields['pendingBundles']),
    transactions: wholeOf(fields['transactions']),
  });
}

function replicaOf(value: unknown): LiveReplica | undefined {
  const fields = fieldsOf(value);
  const id = wholeOf(fields?.['id']);
  if (fields === undefined || id === undefined) return undefined;
  const words = present<Partial<LiveReplica>>({
    reason: textOf(fields['reason']),
    duty: textOf(fields['duty'], 64),
    waitsFor: textOf(fields['waitsFor']),
    haltReason: textOf(fields['haltReason']),
    lack: lackOf(fields['lack']),
    component: componentOf(fields['tc']),
  });
  return {
    id,
    isReachable: fields['reachable'] !== false,
    role: textOf(fields['role'], 64) ?? 'unknown',
    ...positionOf(fields),
    ...words,
    isTransferring: fields['transferring'] === true,
    proven: listOf(fields['proven'], ACCUSATIONS_MAX, provenOf) ?? [],
    suspects: listOf(fields['suspected'], ACCUSATIONS_MAX, suspicionOf) ?? [],
  };
}

function rateOf(value: unknown): Rate | undefined {
  const fields = fieldsOf(value);
  const [atMs, perSecond] = [numberOf(fields?.['atMs']), numberOf(fields?.['transactionsPerSecond'])];
  if (atMs === undefined || perSecond === undefined) return undefined;
  return {
    atMs,
    transactionsPerSecond: perSecond,
    p50Ms: numberOf(fields?.['p50Ms']) ?? null,
    p99Ms: numberOf(fields?.['p99Ms']) ?? null,
  };
}

/** A status; undefined if it is none. */
export function readStatus(value: unknown): LiveStatus | undefined {
  const fields = fieldsOf(value);
  const replicas = listOf(fields?.['replicas'], REPLICAS_MAX, replicaOf);
  const [protocol, f] = [textOf(fields?.['protocol'], 64), wholeOf(fields?.['f'])];
  const nowMs = numberOf(fields?.['now']);
  if (fields === undefined || replicas === undefined || protocol === undefined) return undefined;
  if (f === undefined || nowMs === undefined) return undefined;
  return {
    nowMs,
    protocol,
    f,
    replicas: replicas.toSorted((a, b) => a.id - b.id),
    explanation: listOf(fields['explanation'], SENTENCES_MAX, (one) => textOf(one)) ?? [],
    hasFaults: fields['faults'] === true,
    rates: listOf(fields['rates'], RATES_MAX, rateOf) ?? [],
  };
}
