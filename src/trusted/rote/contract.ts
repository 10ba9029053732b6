/** What a guard needs of its surroundings and what it gives back. Pure: bytes in, effects out. */
import type { Digest } from '../../core/types.ts';
import type { GuardId } from './messages.ts';

/** Life of a guard. */
export type GuardPhase =
  /** Started again; its memory is empty and it answers nothing of others. */
  | 'recovering'
  | 'active'
  /** Another copy runs under its key: it never says anything again. */
  | 'cut';

/** A group: who is in it and how much it bears. Fixed by its owner when it is founded. */
export interface GuardGroup {
  /** Unique for ever: a group that is founded anew has another one. */
  readonly groupId: Digest;
  /** Raw public keys, hexadecimal, by number. */
  readonly keys: readonly string[];
  /** Members that may leak their keys. */
  readonly f: number;
  /** Members that may be unreachable or newly started at one time. n >= f + 2u + 1. */
  readonly u: number;
}

/** What a guard needs. */
export interface GuardPorts {
  /** Signature by the guard's own key, 64 bytes. */
  sign(bytes: Uint8Array): Uint8Array;
  /** Whether a signature is that of a raw public key (hexadecimal). */
  check(publicKey: string, bytes: Uint8Array, signature: Uint8Array): boolean;
  /** Unpredictable bytes. */
  random(length: number): Uint8Array;
}

/** What a guard wants done. */
export type GuardEffect =
  | { readonly kind: 'send'; readonly to: GuardId; readonly bytes: Uint8Array }
  | { readonly kind: 'phase'; readonly phase: GuardPhase }
  /** An increment has ended: `value` was never returned before and will never be again. */
  | { readonly kind: 'incremented'; readonly id: number; readonly application: string; readonly value: number; readonly digest: Digest }
  /** A read has ended. `digests` that may be accepted at `value`; empty: nothing was ever stored. */
  | { readonly kind: 'read'; readonly id: number; readonly application: string; readonly value: number; readonly digests: readonly Digest[] }
  /** It was not done and never will be. */
  | { readonly kind: 'failed'; readonly id: number; readonly reason: string };
