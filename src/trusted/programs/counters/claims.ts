/**
 * What a receiver may conclude from a certificate about a counter, and what not. Everything that a
 * certificate could be mistaken for is refused by name: another component or tcEpoch, another counter, a STATUS that is
 * shown as a move, another message. Pure; nothing here trusts whoever sent the bytes.
 */
import { bytesToDigest } from '../../../core/bytes.ts';
import { Writer } from '../../../core/codec.ts';
import type { Suite } from '../../../core/config.ts';
import type { CounterValue, Digest, Hash, TcEpoch } from '../../../core/types.ts';
import { COUNTER_SENTINEL, STATEMENT_KIND } from '../../contract.ts';
import type { Statement, TrustedCertificate } from '../../contract.ts';
import { AUTHENTICATOR_BYTES, decodeStatement } from '../../statement.ts';

/** The counter that a stream is read from, as it was agreed on: a second counter of the same component is another. */
export interface CounterPin {
  readonly tcId: string;
  /** Suite of the certificates: that of the component, or HMAC where the counter has a session key. */
  readonly suite: Suite;
  readonly tcEpoch: TcEpoch;
  readonly objectId: string;
}

/**
 * Whether the seal is right under the key of the pinned component: its public key, or for MACs the reader's own
 * component (`verify`, or `extension` of a TrInc that is in the same session).
 */
export type CheckSeal = (statement: Uint8Array, authenticator: Uint8Array) => boolean;

/** A counter went from `previous` (absent: it does not say from where) to `value` for one digest. */
export interface Move {
  readonly previous?: CounterValue;
  readonly value: CounterValue;
  readonly digest: Digest;
  /** Moves that were made together share it. */
  readonly aux?: Digest;
}

/** What a certificate says, or why it says nothing, in words. */
export type Claim<T> = { readonly ok: true; readonly claim: T } | { readonly ok: false; readonly problem: string };

const refuse = (problem: string): { readonly ok: false; readonly problem: string } => ({ ok: false, problem });

function read(pin: CounterPin, certificate: TrustedCertificate, checkSeal: CheckSeal): Claim<Statement> {
  const statement = decodeStatement(certificate.statement);
  if (statement === undefined) return refuse('these bytes are no statement');
  if (statement.suite !== pin.suite) return refuse('sealed under another suite than agreed');
  if (statement.tcId !== pin.tcId) return refuse('made by another component');
  if (statement.tcEpoch !== pin.tcEpoch) return refuse('made under another tcEpoch');
  if (statement.objectId !== pin.objectId) return refuse('about another counter');
  if (certificate.authenticator.length !== AUTHENTICATOR_BYTES[pin.suite]) return refuse('no seal of this suite');
  if (!checkSeal(certificate.statement, certificate.authenticator)) return refuse('the seal does not hold');
  return { ok: true, claim: statement };
}

/**
 * A move of the pinned counter for `digest`. Unless `independent`, only one that discloses the value before: who needs
 * to see what was left out must not take another.
 */
export function moveOf(
  pin: CounterPin,
  certificate: TrustedCertificate,
  digest: Digest,
  checkSeal: CheckSeal,
  independent = false,
): Claim<Move> {
  const found = read(pin, certificate, checkSeal);
  if (!found.ok) return found;
  const { kind, previous, value, aux } = found.claim;
  if (kind !== STATEMENT_KIND.advance && !(independent && kind === STATEMENT_KIND.advanceNoPrevious))
    return refuse('not a move: of these there can be many for one value');
  if (found.claim.digest !== digest) return refuse('made for another message');
  if (value === COUNTER_SENTINEL || previous >= value) return refuse('a move goes up');
  const shared = aux === undefined ? {} : { aux };
  return { ok: true, claim: { ...(kind === STATEMENT_KIND.advance ? { previous } : {}), value, digest, ...shared } };
}

/** Where the pinned counter stood when it was asked with this nonce. Says nothing about any message. */
export function statusOf(
  pin: CounterPin,
  certificate: TrustedCertificate,
  nonce: string,
  checkSeal: CheckSeal,
): Claim<CounterValue> {
  const found = read(pin, certificate, checkSeal);
  if (!found.ok) return found;
  const { kind, previous, value } = found.claim;
  if (kind !== STATEMENT_KIND.status || previous !== value) return refuse('not a statement about where a counter stands');
  if (found.claim.nonce !== nonce) return refuse('not fresh: it was made for another question');
  return { ok: true, claim: value };
}

/** The last value of a counter that was closed for `digest`. */
export function closedOf(
  pin: CounterPin,
  certificate: TrustedCertificate,
  digest: Digest,
  checkSeal: CheckSeal,
): Claim<CounterValue> {
  const found = read(pin, certificate, checkSeal);
  if (!found.ok) return found;
  const { kind, previous, value } = found.claim;
  if (kind !== STATEMENT_KIND.closed || value !== COUNTER_SENTINEL) return refuse('not the end of a counter');
  return found.claim.digest === digest ? { ok: true, claim: previous } : refuse('made for another message');
}

/**
 * Whether two moves of one counter under one tcEpoch cannot both be made by a component that works: together they prove
 * that it was rolled back or runs twice.
 */
export function contradict(one: Move, other: Move): boolean {
  if (one.value === other.value) return one.digest !== other.digest || one.previous !== other.previous;
  const [low, high] = one.value < other.value ? [one, other] : [other, one];
  return high.previous !== undefined && high.previous < low.value;
}

/** One of several moves that are made together. */
export interface JointMove {
  readonly objectId: string;
  readonly previous: CounterValue;
  readonly value: CounterValue;
}

/** The `aux` that moves made together share: digest of u32 count, then id, value before and value of each. */
export function auxOf(hash: Hash, moves: readonly JointMove[]): Digest {
  const writer = new Writer(512).list(moves, (inner, move) => {
    inner.hex(move.objectId).u64(move.previous).u64(move.value);
  });
  return bytesToDigest(hash(writer.finish()));
}

/** How the certificates of one counter must follow each other. */
export type StreamRule =
  /** Each value once, none left out: the stream of a USIG. */
  | 'gapFree'
  /** Each certificate begins where the one before ended; values in between are declared unused. */
  | 'gapTolerant';

/** Moves that came early are kept, at most so many. */
const WAITING_MAX = 256;

/** What became of a move. */
export type Arrival =
  | { readonly op: 'accepted'; readonly moves: readonly Move[] }
  /** Something before it has not been shown yet. */
  | { readonly op: 'waits' }
  | { readonly op: 'refused'; readonly problem: string };

/** The moves of one counter in the order in which they were made, whatever order they arrive in. */
export class CounterStream {
  readonly #rule: StreamRule;
  #seen: CounterValue = 0;
  /** By the value before. */
  readonly #waiting = new Map<CounterValue, Move>();

  constructor(rule: StreamRule) {
    this.#rule = rule;
  }

  /** The last value that was accepted. */
  get seen(): CounterValue {
    return this.#seen;
  }

  /** Takes a move that `moveOf` gave; gives those that are next now. */
  arrive(move: Move): Arrival {
    const { previous, value } = move;
    if (previous === undefined) return { op: 'refused', problem: 'does not say what was before it' };
    if (this.#rule === 'gapFree' && value !== previous + 1) return { op: 'refused', problem: 'leaves values out' };
    if (previous < this.#seen) return { op: 'refused', problem: 'is over' };
    if (previous > this.#seen) {
      if (this.#waiting.size >= WAITING_MAX && !this.#waiting.has(previous))
        return { op: 'refused', problem: 'too far ahead' };
      this.#waiting.set(previous, move);
      return { op: 'waits' };
    }
    const moves: Move[] = [];
    for (let next: Move | undefined = move; next !== undefined; next = this.#waiting.get(this.#seen)) {
      this.#waiting.delete(this.#seen);
      this.#seen = next.value;
      moves.push(next);
    }
    return { op: 'accepted', moves };
  }
}
