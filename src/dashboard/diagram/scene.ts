/**
 * What a space-time diagram shows, as plain data: lanes of clients and replicas, messages between them, and what
 * happened at a lane. The dashboard makes a scene of what replicas tell, the playground of a recorded run. Times are
 * milliseconds from any one beginning.
 */

/** From one time to another; `untilMs` undefined: to the end. */
export interface Stretch {
  readonly fromMs: number;
  readonly untilMs: number | undefined;
}

/** Whose line it is. */
export interface Lane {
  readonly label: string;
  readonly kind: 'client' | 'replica';
  /** Below the label: `primary`, `Byzantine`, ... */
  readonly note?: string;
  /** It may lie. */
  readonly isByzantine?: boolean;
  /** When it is down, in order of time; the last stretch may be open. */
  readonly down?: readonly Stretch[];
  /** When it leads the others, where a scene shows more than one moment. */
  readonly leads?: readonly Stretch[];
}

/** A message on its way. */
export interface Arrow {
  /** Equal for the same message in later scenes; what is selected is known by it. */
  readonly id: number;
  /** Places in `lanes`. */
  readonly from: number;
  readonly to: number;
  readonly sentMs: number;
  /** Undefined: it has not arrived, or never does. */
  readonly arrivedMs: number | undefined;
  readonly isLost: boolean;
  /** `PREPARE`, `COMMIT`, ...; decides the colour. */
  readonly kind: string;
  /** Beside its beginning; the first of several equal ones of a broadcast has it. */
  readonly label: string;
  /** The same where there is little room. */
  readonly shortLabel: string;
  /** A numbered rule refused it. */
  readonly isRefused: boolean;
  /** When that was, if it waited after it had arrived. */
  readonly refusedMs?: number;
}

/** Something that happened. */
export interface Mark {
  readonly id: number;
  /** Undefined: everywhere. */
  readonly lane: number | undefined;
  readonly atMs: number;
  readonly kind: 'execute' | 'view' | 'fault' | 'up' | 'down' | 'proven' | 'believe' | 'note';
  readonly label: string;
  /** Two correct replicas differ here. */
  readonly isConflict: boolean;
  /** Since when they differ, if that is later than the mark itself. */
  readonly conflictFromMs?: number;
  /** Messages that made the quorum for it: they light up with it. */
  readonly quorum: readonly number[];
}

/** See the top of this file. */
export interface Scene {
  readonly lanes: readonly Lane[];
  /** In order of `sentMs`. */
  readonly arrows: readonly Arrow[];
  /** In order of `atMs`. */
  readonly marks: readonly Mark[];
}

/** What of a scene is looked at. */
export type Selection =
  | { readonly kind: 'arrow'; readonly id: number }
  | { readonly kind: 'mark'; readonly id: number }
  | { readonly kind: 'lane'; readonly lane: number };
