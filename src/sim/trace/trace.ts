/**
 * The event log of a run as one JSON document. Viewers are built on it, so its fields only ever grow; a change of
 * meaning raises `version`. Times are milliseconds of virtual time. `docs/testing.md` describes it.
 */
import type { ReplicaId } from '../../core/types.ts';
import type { NoteDetail } from '../listener.ts';
import type { Violation } from '../judge.ts';
import type { Fidelity, ScheduleStats } from '../run-schedule.ts';
import type { Scenario } from '../scenario.ts';

/** Version of the format. */
export const TRACE_VERSION = 1;

/** What stands on a message; fields that a kind does not have are absent. */
export interface TraceMessage {
  /** `PREPARE`, `COMMIT`, ...; for frames without a message `body`, `bundle`, ... */
  readonly message: string;
  readonly view?: number;
  readonly sequence?: number;
  /** Who made it, whoever sends it. */
  readonly author?: ReplicaId;
  /** Counter value that the author's trusted component certified. */
  readonly counter?: number;
}

/** One event. */
export type TraceEvent =
  /** A frame is put on a link; `id` counts sendings. */
  | ({
      readonly kind: 'send';
      readonly at: number;
      readonly id: number;
      readonly from: ReplicaId;
      readonly to: ReplicaId;
    } & TraceMessage)
  /** It arrives: once, never, or more than once. */
  | { readonly kind: 'deliver'; readonly at: number; readonly id: number }
  /** A certified message is sent by its author for the first time. */
  | ({ readonly kind: 'seal'; readonly at: number; readonly replica: ReplicaId } & TraceMessage)
  | {
      readonly kind: 'execute';
      readonly at: number;
      readonly replica: ReplicaId;
      readonly sequence: number;
      readonly digest: string;
    }
  /** What a replica told: `viewEntered`, `transfer`, `incarnation`, `evidence`, `ignored`, ... */
  | {
      readonly kind: 'note';
      readonly at: number;
      readonly replica: ReplicaId;
      readonly name: string;
      readonly detail: NoteDetail;
    }
  /** A numbered rule refused. */
  | { readonly kind: 'refusal'; readonly at: number; readonly rule: string; readonly about?: string }
  /** A client sends a request for the first time. */
  | { readonly kind: 'request'; readonly at: number; readonly client: number; readonly txId: string }
  | {
      readonly kind: 'believe';
      readonly at: number;
      readonly client: number;
      readonly sequence: number;
      readonly txId: string;
    }
  /** A fault begins or ends, in words. */
  | { readonly kind: 'fault'; readonly at: number; readonly text: string };

/** See the top of this file. */
export interface Trace {
  readonly format: 'moiety-trace';
  readonly version: typeof TRACE_VERSION;
  readonly name: string;
  readonly fidelity: Fidelity;
  readonly replicas: number;
  readonly f: number;
  /** Byzantine replicas. */
  readonly byzantine: readonly ReplicaId[];
  readonly scenario: Scenario;
  /** In order of time. */
  readonly events: readonly TraceEvent[];
  /** Whether events were left out at the end because there were too many. */
  readonly truncated: boolean;
  /** By rule: how often it let something pass, how often it refused. */
  readonly rules: Readonly<Record<string, readonly [number, number]>>;
  readonly violations: readonly Violation[];
  readonly stats: ScheduleStats;
  readonly traceHash: string;
}
