/**
 * Verdicts of the pure rules. *Need is not invalid*: `need` says what to fetch before asking again, `invalid` convicts
 * the author, for everybody and for ever.
 */
import type { Digest, ReplicaId, TcEpoch, View } from '../../core/types.ts';
import type { OwnRule, UsigStreamRule } from './rules.ts';

/** What is lacking before a verdict is possible. */
export type Needed =
  /** Content (NEW-VIEW in full, or a certificate with its base) of the NEW-VIEW with this header digest. */
  | { readonly kind: 'newView'; readonly digest: Digest; readonly view: View }
  /** The registry with this digest (chain of incarnations). */
  | { readonly kind: 'registry'; readonly digest: Digest }
  /** The binding of an unknown trusted component (chain of incarnations). */
  | { readonly kind: 'incarnation'; readonly replica: ReplicaId; readonly tcEpoch: TcEpoch };

/** A rule is violated: no correct replica makes such a message. */
export interface Invalid {
  readonly kind: 'invalid';
  readonly rule: UsigStreamRule | OwnRule;
  readonly reason: string;
}

/** Not decidable yet. */
export interface Need {
  readonly kind: 'need';
  readonly what: Needed;
}

/** Outcome of a rule check. */
export type Validity<T> = { readonly kind: 'valid'; readonly value: T } | Invalid | Need;
/** A verdict whose result, if valid, nobody asks for. */
export type Verdict = Validity<unknown>;

/** Makes an `Invalid`. */
export function invalid(rule: UsigStreamRule | OwnRule, reason: string): Invalid {
  return { kind: 'invalid', rule, reason };
}

/** Makes a `Need`. */
export function need(what: Needed): Need {
  return { kind: 'need', what };
}
