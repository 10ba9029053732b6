/**
 * The event log of a run as one JSON document. Viewers are built on it, so its fields only ever grow; a change of
 * meaning raises `version`. Times are milliseconds of virtual time. `docs/testing.md` describes it.
 */
import type { ReplicaId } from '../../core/types.ts';
import type { NoteDetail } from '../listener.ts';
import type { Violation } from '../judge.ts';
import type { Fidelity, ScheduleStats } from '../run-schedule.ts';
import type { Scenario } from '../scenario.ts';
import type { ReplicaStateChange } from './states.ts';

/** Version of the format. */
export const TRACE_VERSION = 1;

/**
 * A value of a message for reading: numbers, texts and digests as they are, byte strings as hexadecimal digits, shortened
 * to `00ff12...(64 bytes)`, long lists with what was left out as their last entry.
 */
export type TraceValue =
  string | number | boolean | null | readonly TraceValue[] | { readonly [field: string]: TraceValue };

/** Everything that a message says. */
export type TraceFields = Readonly<Record<string, TraceValue>>;

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

/** What is sent, by whoever sends it. */
export interface TraceSent extends TraceMessage {
  /** Encoded size. */
  readonly bytes?: number;
  /** Place of what it says in `Trace.contents`: all receivers of a broadcast share it. */
  readonly content?: number;
}

/** A numbered rule that was checked. */
export interface CheckedRule {
  readonly rule: string;
  readonly passed: boolean;
  /** Kind of the message that it was about. */
  readonly about?: string;
}

/** What a receiver did with what arrived. */
export interface TraceTaken {
  /**
   * Numbered rules that a correct receiver checked while it worked on it, in order; also about messages that had waited for
   * this one.
   */
  readonly rules?: readonly CheckedRule[];
  /** Present if it was not accepted: the rule that refused it, or the reason why it was ignored. */
  readonly verdict?: string;
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
    } & TraceSent)
  /** It arrives: once, never, or more than once. */
  | ({ readonly kind: 'deliver'; readonly at: number; readonly id: number } & TraceTaken)
  /** A client puts a frame on its link to a replica; `id` counts on with those of `send`. */
  | ({
      readonly kind: 'ask';
      readonly at: number;
      readonly id: number;
      readonly client: number;
      readonly to: ReplicaId;
    } & TraceSent)
  /** It reaches the replica: once or never. */
  | ({ readonly kind: 'asked'; readonly at: number; readonly id: number } & TraceTaken)
  /** A replica answers a client. */
  | ({
      readonly kind: 'answer';
      readonly at: number;
      readonly id: number;
      readonly from: ReplicaId;
      readonly client: number;
    } & TraceSent)
  /** The answer reaches the client: once or never. */
  | { readonly kind: 'answered'; readonly at: number; readonly id: number }
  /** A trusted component gave a value of one of its counters or logs; `object` is absent for USIG, which has only one. */
  | {
      readonly kind: 'certify';
      readonly at: number;
      readonly replica: ReplicaId;
      readonly object?: string;
      readonly counter: number;
    }
  /** A timer of a replica ran out. */
  | { readonly kind: 'timer'; readonly at: number; readonly replica: ReplicaId; readonly timer: string }
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
  /** A numbered rule refused a message. */
  | {
      readonly kind: 'refusal';
      readonly at: number;
      readonly rule: string;
      /** Kind of the message. */
      readonly about?: string;
      /** Who refused, while it worked on a delivery. */
      readonly replica?: ReplicaId;
      /** The sending that it worked on. */
      readonly id?: number;
    }
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
  readonly protocol: string;
  readonly fidelity: Fidelity;
  readonly replicas: number;
  readonly f: number;
  /** Byzantine replicas. */
  readonly byzantine: readonly ReplicaId[];
  /** Clients, the Byzantine ones last; they are numbered from 0. */
  readonly clients: number;
  readonly byzantineClients: number;
  readonly scenario: Scenario;
  /** The whole scenario as the text of a script, which plays it again. */
  readonly script: string;
  /** In order of time. */
  readonly events: readonly TraceEvent[];
  /** What messages say; `content` of an event is a place in it. */
  readonly contents: readonly TraceFields[];
  /** How replicas look, whenever that changed; in order of `event`. */
  readonly states: readonly ReplicaStateChange[];
  /** Whether events were left out at the end because there were too many. */
  readonly truncated: boolean;
  /** By rule: how often it let something pass, how often it refused. */
  readonly rules: Readonly<Record<string, readonly [number, number]>>;
  readonly violations: readonly Violation[];
  readonly stats: ScheduleStats;
  readonly traceHash: string;
}
