/** What can be done to a local cluster, and to whom the gateway gives such orders. */
import type { NamedProcess } from './explain/seen-replica.ts';

/** Faults on a local cluster; only under `up` (decision C10). */
export interface FaultPort {
  /** Made anew at each start; sent as `Moiety-Fault-Token`. */
  readonly token: string;
  /** Carries the order out; rejects with a sentence for the caller. */
  perform(order: FaultOrder): Promise<void>;
  /** What can be done, and to what; rejects with a sentence. */
  list(): Promise<FaultList>;
}

/** What faults there are (`GET /v1/fault`). */
export interface FaultList {
  /** What a replica of this cluster can be made to do wrong, with a sentence each. */
  readonly behaviours: readonly { readonly name: string; readonly text: string }[];
  /** Processes of the cluster, as the supervisor reports them. */
  readonly processes: readonly NamedProcess[];
}

/** What `moiety fault` can do. */
export const FAULT_ACTIONS = [
  'kill',
  'kill-tc',
  'pause',
  'resume',
  'partition',
  'heal',
  'restart',
  'wipe',
  'byzantine',
] as const;

/** One of them. */
export type FaultAction = (typeof FAULT_ACTIONS)[number];

/** A fault to be made. */
export interface FaultOrder {
  readonly action: FaultAction;
  readonly replica: number;
  /** For `byzantine`: the behaviour, or `none` for a correct replica again. */
  readonly behaviour?: string | undefined;
}
