/**
 * What the statements of a trusted log mean to whoever asked: one of four answers about a slot, or where the log ends.
 * Pure. Authenticators are checked apart, before.
 */
import { bytesToDigest, digestToBytes } from '../../../core/bytes.ts';
import { Writer } from '../../../core/codec.ts';
import type { Suite } from '../../../core/config.ts';
import type { CounterValue, Digest, Hash, TcEpoch } from '../../../core/types.ts';
import { ZERO_DIGEST } from '../../../core/types.ts';
import { STATEMENT_KIND } from '../../contract.ts';
import type { Statement } from '../../contract.ts';
import { decodeStatement } from '../../statement.ts';

/** Flag of every statement about a log that is created `strict`. */
export const FLAG_STRICT_LOG = 8;

/** Which log of which component, as membership says: statements about any other are nothing. */
export interface LogPlace {
  readonly tcId: string;
  readonly suite: Suite;
  readonly tcEpoch: TcEpoch;
  readonly objectId: string;
}

/** A slot that holds an entry. */
export interface AssignedSlot {
  readonly kind: 'assigned';
  readonly slot: CounterValue;
  /** The assigned slot before it, 0 if there is none: what lies between was skipped. */
  readonly previous: CounterValue;
  readonly entry: Digest;
  /** Digest of the history up to here. It commits to every entry before only if `strict`. */
  readonly history: Digest;
  /** The log has no gaps and computes all of its history itself. */
  readonly strict: boolean;
}

/** What is known about a slot. All but `unassigned` is final. */
export type SlotAnswer =
  | AssignedSlot
  /** Never used and never to be: the slots between two neighbours. */
  | { readonly kind: 'skipped'; readonly below: CounterValue; readonly above: CounterValue }
  /** Above the last slot, when the asker drew its nonce. */
  | { readonly kind: 'unassigned'; readonly last: CounterValue }
  /** Below the lowest slot that is kept. Says nothing about what it held. */
  | { readonly kind: 'forgotten'; readonly lowest: CounterValue };

/** History digest after `entry` came to `slot`: SHA-256(u64 slot | entry | digest before). */
export function historyAfter(hash: Hash, slot: CounterValue, entry: Digest, before: Digest): Digest {
  const bytes = new Writer(72).u64(slot).raw(digestToBytes(entry)).raw(digestToBytes(before)).finish();
  return bytesToDigest(hash(bytes));
}

/** The statement, if it is about that log. */
function readLogStatement(place: LogPlace, bytes: Uint8Array): Statement | undefined {
  const statement = decodeStatement(bytes);
  if (statement === undefined) return undefined;
  const isOfPlace =
    statement.tcId === place.tcId &&
    statement.suite === place.suite &&
    statement.tcEpoch === place.tcEpoch &&
    statement.objectId === place.objectId;
  return isOfPlace ? statement : undefined;
}

function assignedSlot(statement: Statement): AssignedSlot {
  return {
    kind: 'assigned',
    slot: statement.value,
    previous: statement.previous,
    entry: statement.digest,
    history: statement.aux ?? ZERO_DIGEST,
    strict: (statement.flags & FLAG_STRICT_LOG) !== 0,
  };
}

/**
 * What a statement says about `slot`; undefined if it does not answer that question. What may change needs the asker's
 * own nonce (16 bytes, hexadecimal): an answer of the past carries another one or none.
 */
export function slotAnswerOf(
  place: LogPlace,
  slot: CounterValue,
  nonce: string,
  bytes: Uint8Array,
): SlotAnswer | undefined {
  const statement = readLogStatement(place, bytes);
  if (statement === undefined || slot < 1) return undefined;
  const { kind, previous, value } = statement;
  switch (kind) {
    case STATEMENT_KIND.logEntry:
      return value === slot && previous < slot ? assignedSlot(statement) : undefined;
    case STATEMENT_KIND.logGap:
      return previous < slot && slot < value ? { kind: 'skipped', below: previous, above: value } : undefined;
    case STATEMENT_KIND.logForgotten:
      return slot < value ? { kind: 'forgotten', lowest: value } : undefined;
    case STATEMENT_KIND.logUnassigned:
      return previous < slot && statement.nonce === nonce ? { kind: 'unassigned', last: previous } : undefined;
    default:
      return undefined;
  }
}

/** The last slot of a log as it was when the asker drew its nonce; slot 0: it is empty. Undefined: no such answer. */
export function endAnswerOf(place: LogPlace, nonce: string, bytes: Uint8Array): AssignedSlot | undefined {
  const statement = readLogStatement(place, bytes);
  if (statement?.kind !== STATEMENT_KIND.logEnd || statement.nonce !== nonce) return undefined;
  return assignedSlot(statement);
}

/**
 * Whether slots, oldest first, are all that the log holds above `floor`: each one follows the one before. A host that
 * leaves one out shows a gap here (lying by omission).
 */
export function isWholeChain(slots: readonly AssignedSlot[], floor: CounterValue): boolean {
  return slots.every(({ previous }, index) =>
    index === 0 ? previous <= floor : previous === slots[index - 1]!.slot,
  );
}
