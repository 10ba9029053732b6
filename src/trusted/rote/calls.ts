/** Calls of the applications on a guard's own machine. */
import type { Digest } from '../../core/types.ts';
import type { GuardId, Row } from './messages.ts';

/** What an application of the own machine asks for. */
export type Wish =
  | { readonly kind: 'increment'; readonly id: number; readonly digest: Digest; readonly count: number }
  | { readonly kind: 'read'; readonly id: number };

/** What is under way for it. */
export type Pending =
  | {
      readonly kind: 'increment';
      readonly wish: Wish & { readonly kind: 'increment' };
      readonly row: Row;
      /** The row is one of an earlier run; the new binding follows when a quorum holds its value (ROTE.BIND.1). */
      readonly adopting: boolean;
      /** Who holds the value, and with which digest. */
      readonly echoes: Map<GuardId, Digest>;
      readonly acks: Set<GuardId>;
    }
  | {
      readonly kind: 'read';
      readonly wish: Wish & { readonly kind: 'read' };
      readonly nonce: string;
      readonly answers: Map<GuardId, Row | undefined>;
    };

/** An application of this guard's own machine. */
export interface Application {
  /** Highest value that this run has used; undefined before the first binding. */
  made: number | undefined;
  pending: Pending | undefined;
  readonly queue: Wish[];
}

