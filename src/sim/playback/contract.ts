/**
 * A run as something to be played: what the playground and its worker, the command line and the tests share. Plain data,
 * so that it passes from a worker to its page.
 */
import type { ReplicaId } from '../../core/types.ts';
import type { JudgeName } from '../judge.ts';
import type { ReplicaStateChange } from '../trace/states.ts';
import type { Trace } from '../trace/trace.ts';

export type { ReplicaState, ReplicaStateChange } from '../trace/states.ts';

/** Sums over a run; the playground counts the running ones from events. */
export interface PlaybackTotals {
  /** Frames that replicas put on links to each other, and their bytes. */
  readonly messages: number;
  readonly bytes: number;
  /** Frames from and to clients, and their bytes. */
  readonly clientMessages: number;
  readonly clientBytes: number;
  /** Values that trusted components gave, by replica. */
  readonly trustedCalls: readonly number[];
}

/** What one judge said. */
export interface CheckerOutcome {
  readonly judge: JudgeName;
  /** What it objects to, in words. */
  readonly text: string;
  /** What it objected to in this run; empty: nothing. */
  readonly found: readonly { readonly atMs: number; readonly text: string }[];
}

/** See the top of this file. */
export interface Playback {
  /** The scenario as text: what the address of the playground and a file of `scenarios/` hold. */
  readonly script: string;
  readonly trace: Trace;
  /** In order of `event`. */
  readonly states: readonly ReplicaStateChange[];
  readonly totals: PlaybackTotals;
  /** Judges that looked at this run. */
  readonly checkers: readonly CheckerOutcome[];
  /** What the script expects and the run did not show, in sentences. */
  readonly unmet: readonly string[];
  /** Whether the run was ended before its time because it has too many events. */
  readonly isCut: boolean;
  /** Requests that the WebAssembly of a trusted program answered; 0 where a model of it ran. */
  readonly moduleCalls: number;
}

/** How a script is played. */
export interface PlayOptions {
  /** Trusted programs as WebAssembly, by name: components of the whole fidelity run them; in the core fidelity there are none. */
  readonly modules?: { readonly usig: Uint8Array };
  /** Events of the trace, at most. Default: 200 000. */
  readonly eventsMax?: number;
}

/** How links behave. */
export const NETWORKS = ['calm', 'slow', 'lossy', 'reordering', 'partitioned'] as const;
export type NetworkChoice = (typeof NETWORKS)[number];

/** What may happen to a replica. */
export const CHOSEN_FAULTS = ['crash', 'restart', 'wipe', 'pause', 'cut-off'] as const;

/** Something that happens to a replica, and is put right. */
export interface ChosenFault {
  readonly what: (typeof CHOSEN_FAULTS)[number];
  /** `primary`: whoever leads at that time. */
  readonly whom: ReplicaId | 'primary';
  readonly atMs: number;
  /** Until it starts again or is connected again; a `restart` takes no longer than it has to. */
  readonly forMs: number;
}

/** Who lies, and how. */
export type ChosenAdversary =
  | { readonly kind: 'none' }
  /** `lie`: a name that `liesFor` gives. */
  | { readonly kind: 'lie'; readonly replica: ReplicaId; readonly lie: string }
  /** Its trusted component is cloned: two machines speak under one identity, both certified. */
  | { readonly kind: 'clone'; readonly replica: ReplicaId }
  /** Two machines under one identity that share the one trusted component. */
  | { readonly kind: 'twins'; readonly replica: ReplicaId };

/** What a person chooses in the playground: `scriptOfChoices` (`choices.ts`) makes a scenario of it. */
export interface Choices {
  readonly protocol: string;
  /** 1 to 3. */
  readonly f: number;
  readonly seed: number;
  readonly network: NetworkChoice;
  readonly faults: readonly ChosenFault[];
  readonly adversary: ChosenAdversary;
  /** 1 to 4. */
  readonly clients: number;
  /** Of each client, 1 to 50. */
  readonly requests: number;
  /** `whole`: replicas as deployed, on bytes (MinBFT only). */
  readonly fidelity: 'core' | 'whole';
}

/** What the fragment of the playground's address says. */
export interface PlaygroundAddress {
  readonly scenario:
    | { readonly kind: 'none' }
    /** The text of a script, compressed (deflate-raw). */
    | { readonly kind: 'script'; readonly packed: Uint8Array }
    /** A schedule of the conformance suite, as `moiety sim run --protocol P --seed S --f F` draws it. */
    | ({ readonly kind: 'draw' } & DrawnSchedule)
    | { readonly kind: 'lesson'; readonly lesson: number };
  /** Where to stand: a place of `trace.events`. */
  readonly at?: number;
}

/** A schedule that a seed draws. */
export interface DrawnSchedule {
  readonly protocol: string;
  readonly seed: number;
  /** Absent: the seed decides. */
  readonly f?: number;
  /** Only these families of faults; absent: the swarm. */
  readonly faults?: readonly string[];
}
