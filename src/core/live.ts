/**
 * What a replica tells those who watch it, and what the gateway tells a dashboard (`/v1/live`). Plain data; one replica's
 * word each. Clocks are those of the machines they come from, Unix time in milliseconds.
 */
import type { CounterValue, Height, Milliseconds, ReplicaId, SequenceNumber, View } from './types.ts';

/** What stands on a message; fields that a kind does not have are absent. */
export interface MessageLabel {
  /** `PREPARE`, `COMMIT`, ...; for frames without a message `body`, `bundle`, ... */
  readonly kind: string;
  readonly view?: View;
  readonly sequence?: SequenceNumber;
  /** Who made it, whoever sends it. */
  readonly author?: ReplicaId;
  /** Value that the author's trusted component certified. */
  readonly counter?: CounterValue;
  /**
   * The batch that it proposes or votes for: the first `ABOUT_CHARACTERS` of its digest, in hexadecimal. Absent where the message
   * does not carry that digest itself: a COMMIT-VECTOR of EBAWA speaks of several batches, a FALLBACK of CheapBFT wraps a message
   * of another protocol, answers of Zyzzyva name the history of all batches.
   */
  readonly about?: string;
}

/** Characters of a digest that tell batches apart for those who watch. */
export const ABOUT_CHARACTERS = 8;

/** One thing that a watched replica did. */
export type LiveMoment =
  /** It sent a message; `to` is absent where all others are meant. */
  | ({ readonly at: 'sent'; readonly ms: Milliseconds; readonly to?: ReplicaId } & MessageLabel)
  /** A message arrived and was taken up. `refused`: the numbered rule or reason why it was not. */
  | ({
      readonly at: 'taken';
      readonly ms: Milliseconds;
      readonly from: ReplicaId;
      readonly refused?: string;
    } & MessageLabel)
  | {
      readonly at: 'executed';
      readonly ms: Milliseconds;
      readonly sequence: SequenceNumber;
      readonly height: Height;
      readonly requests: number;
      /** The batch, as in a label; absent where only what it changed was applied. */
      readonly about?: string;
    }
  | { readonly at: 'view'; readonly ms: Milliseconds; readonly view: View };

/** Moments in one answer, at most. */
export const LIVE_MOMENTS_MAX = 150;
/** If more wait only the newest of them are given, so many; the others count as missed. */
export const LIVE_FLOOD_MAX = 60;

/** Answer to the query `live` (`client-queries.ts`): what happened since the cursor that was given. */
export interface LiveAnswer {
  /** To be given next time; cursors of an earlier life of the replica mean the beginning. */
  readonly cursor: string;
  /** Oldest first. */
  readonly moments: readonly LiveMoment[];
  /** Moments that were forgotten, or left out of a flood, before they were asked for. */
  readonly missed: number;
}

/**
 * How long requests waited at a replica that took them from their client, from arrival to execution, since its start: by
 * upper bound, ascending, how many waited so long at most (and longer than the bound before). The last bound holds the rest.
 */
export type WaitCounts = readonly (readonly [Milliseconds, number])[];

/** Why a replica does not go on: which quorum lacks whose messages. */
export interface Lack {
  /** What it waits for, as the protocol calls it: `COMMIT`, `VIEW-CHANGE`, `NEW-VIEW`, `body`, `CHECKPOINT`, ... */
  readonly what: string;
  readonly view?: View;
  readonly sequence?: SequenceNumber;
  /** Replicas that are needed in all. */
  readonly needs: number;
  /** Those whose message is there, ascending; the own one counts. */
  readonly has: readonly ReplicaId[];
  /** Those whose message is lacking, ascending. */
  readonly lacks: readonly ReplicaId[];
  /** For how long, by the replica's own clock. */
  readonly forMs: Milliseconds;
}
