/**
 * A2M on TrInc: a trusted log without a trusted log. The log lies with its host; trusted are two TrInc counters of it,
 * one that stands at its highest slot and one at its lowest kept one. An entry is a move of the first to its slot, so
 * each slot is given once and a jump shows what it skipped. No trusted code is added to TrInc. Pure.
 *
 * What this log does not have: nobody but the host computes history digests (who needs them walks all entries), and a
 * host that loses its table can no longer prove what it used, which is a crash and no equivocation.
 */
import { asciiBytes, bytesToDigest, digestToBytes } from '../../core/bytes.ts';
import { Writer } from '../../core/codec.ts';
import type { CounterValue, Digest, Hash } from '../../core/types.ts';
import { SAFE_INTEGER_END, ZERO_DIGEST } from '../../core/types.ts';
import { STATEMENT_KIND } from '../contract.ts';
import type { TrustedCertificate, TrustedRequest } from '../contract.ts';
import { decodeStatement } from '../statement.ts';
import type { AssignedSlot, SlotAnswer } from './a2m/answers.ts';
import { historyAfter } from './a2m/answers.ts';
import type { CheckSeal, Claim, CounterPin } from './counters/claims.ts';
import { moveOf, statusOf } from './counters/claims.ts';

/** Slots that a host's table keeps, at most; a full one refuses to grow until it is truncated. */
export const ROWS_MAX = 4096;

/** The two counters of a log, as membership pins them. */
export interface LogCounters {
  /** Object id of the counter that stands at the highest slot. */
  readonly slots: string;
  /** Object id of the counter that stands at the lowest kept slot; 0: at the first one. */
  readonly floor: string;
}

/** What the host is about to log. It must be durable before its request leaves, or a crash loses what it was for. */
export interface LogIntent {
  readonly slot: CounterValue;
  readonly entry: Digest;
  readonly history: Digest;
}

/** A row of the host's table. */
export interface LogRow extends LogIntent {
  /** The assigned slot before. */
  readonly previous: CounterValue;
  /** The move of the first counter to this slot. */
  readonly certificate: TrustedCertificate;
}

/** What shows the answer to a lookup to somebody else. */
export type SlotProof =
  /** The move to this slot, or over it. */
  | { readonly kind: 'move'; readonly row: Pick<LogRow, 'entry' | 'history' | 'certificate'> }
  /** STATUS of the first counter: it has not come so far. */
  | { readonly kind: 'above'; readonly status: TrustedCertificate }
  /** STATUS of the second counter: it has gone beyond. */
  | { readonly kind: 'below'; readonly status: TrustedCertificate };

/** What shows where a log ends: a fresh STATUS and, unless it is empty, the move to its last slot. */
export interface EndProof {
  readonly status: TrustedCertificate;
  readonly row?: Pick<LogRow, 'entry' | 'history' | 'certificate'>;
}

/** Digest under which the first counter moves to the slot of an entry. */
function entryDigestOf(hash: Hash, log: LogCounters, entry: Digest, history: Digest): Digest {
  const writer = new Writer(128).raw(asciiBytes('a2m-trinc/ENTRY')).hex(log.slots);
  return bytesToDigest(hash(writer.raw(digestToBytes(entry)).raw(digestToBytes(history)).finish()));
}

/** Digest under which the second counter moves. */
function truncateDigestOf(hash: Hash, log: LogCounters): Digest {
  return bytesToDigest(hash(new Writer(64).raw(asciiBytes('a2m-trinc/TRUNCATE')).hex(log.slots).finish()));
}

/** The two objects of a new log. */
export function createRequests(log: LogCounters): readonly TrustedRequest[] {
  return [
    { op: 'create', objectId: log.slots, mode: 'jump' },
    { op: 'create', objectId: log.floor, mode: 'jump' },
  ];
}

/** A lookup is answered from the table, or needs a STATUS of one of the counters first. */
export type Lookup =
  | { readonly op: 'shown'; readonly proof: SlotProof }
  | { readonly op: 'ask'; readonly request: TrustedRequest; readonly kind: 'above' | 'below' };

/** The host's side of one log: its table, and the requests that go to its TrInc. Not trusted by anybody else. */
export class HostLog {
  readonly #hash: Hash;
  readonly #log: LogCounters;
  readonly #rows: LogRow[];
  #last: CounterValue;
  #history: Digest;
  #lowest: CounterValue;

  /** `rows`: the table as it was kept, oldest first; `lowest`: the lowest slot that is kept. */
  constructor(hash: Hash, log: LogCounters, rows: readonly LogRow[] = [], lowest: CounterValue = 1) {
    this.#hash = hash;
    this.#log = log;
    this.#rows = [...rows];
    this.#last = this.#rows.at(-1)?.slot ?? 0;
    this.#history = this.#rows.at(-1)?.history ?? ZERO_DIGEST;
    this.#lowest = lowest;
  }

  /** The highest slot that is assigned; 0: none. */
  get last(): CounterValue {
    return this.#last;
  }

  /** The table, oldest first. */
  get rows(): readonly LogRow[] {
    return this.#rows;
  }

  /** The next slot for an entry; undefined: the table is full or the log used up. */
  append(entry: Digest): LogIntent | undefined {
    return this.advance(this.#last + 1, this.#history, entry);
  }

  /** A slot above all others for an entry, its history going on from `base`; undefined: not possible. */
  advance(slot: CounterValue, base: Digest, entry: Digest): LogIntent | undefined {
    if (slot <= this.#last || slot >= SAFE_INTEGER_END || this.#rows.length >= ROWS_MAX) return undefined;
    return { slot, entry, history: historyAfter(this.#hash, slot, entry, base) };
  }

  /** What the TrInc is asked for an intent. */
  requestOf(intent: LogIntent): TrustedRequest {
    const digest = entryDigestOf(this.#hash, this.#log, intent.entry, intent.history);
    return { op: 'advance', objectId: this.#log.slots, value: intent.slot, independent: false, digest };
  }

  /**
   * Takes the certificate of an intent into the table, also one that `replay` shows again after a crash. False: it is
   * not the next one of this log.
   */
  absorb(intent: LogIntent, certificate: TrustedCertificate): boolean {
    const statement = decodeStatement(certificate.statement);
    const digest = entryDigestOf(this.#hash, this.#log, intent.entry, intent.history);
    // A STATUS for the same digest stands at the slot as well, and is no move to it.
    if (statement?.kind !== STATEMENT_KIND.advance || statement.objectId !== this.#log.slots) return false;
    if (statement.previous !== this.#last || statement.value !== intent.slot) return false;
    if (intent.slot <= this.#last || statement.digest !== digest) return false;
    this.#rows.push({ ...intent, previous: this.#last, certificate });
    this.#last = intent.slot;
    this.#history = intent.history;
    return true;
  }

  /** Answers a lookup, or says what must be asked for it. `nonce`: 16 bytes, hexadecimal, drawn by the asker. */
  lookup(slot: CounterValue, nonce: string): Lookup {
    const { slots, floor } = this.#log;
    const status = { op: 'status', nonce, digest: ZERO_DIGEST } as const;
    if (slot < this.#lowest) return { op: 'ask', kind: 'below', request: { ...status, objectId: floor } };
    const row = this.#rows.find((candidate) => candidate.slot >= slot);
    if (row === undefined) return { op: 'ask', kind: 'above', request: { ...status, objectId: slots } };
    return { op: 'shown', proof: { kind: 'move', row } };
  }

  /** What is asked to show the end; `endProof` puts it together with the last row. */
  endRequest(nonce: string): TrustedRequest {
    return { op: 'status', objectId: this.#log.slots, nonce, digest: ZERO_DIGEST };
  }

  /** The end as others can check it. */
  endProof(status: TrustedCertificate): EndProof {
    const row = this.#rows.at(-1);
    return row === undefined ? { status } : { status, row };
  }

  /** What is asked to forget all slots below one; undefined: they are not all given, or forgotten already. */
  truncateRequest(slot: CounterValue): TrustedRequest | undefined {
    if (slot > this.#last + 1 || slot <= this.#lowest) return undefined;
    const digest = truncateDigestOf(this.#hash, this.#log);
    return { op: 'advance', objectId: this.#log.floor, value: slot, independent: false, digest };
  }

  /** Drops the rows below a slot once the second counter stands there. The last row stays: it shows the end. */
  dropBelow(slot: CounterValue): void {
    this.#lowest = Math.max(this.#lowest, slot);
    const kept = this.#rows.findIndex((row) => row.slot >= slot);
    this.#rows.splice(0, kept < 0 ? this.#rows.length - 1 : kept);
  }
}

/** What checking a proof needs: which counters these are, and whether a seal is right. */
export interface LogReader {
  readonly hash: Hash;
  /** Component and suite; the object is that of the log. */
  readonly pin: Omit<CounterPin, 'objectId'>;
  readonly log: LogCounters;
  readonly checkSeal: CheckSeal;
}

const refuse = (problem: string): { readonly ok: false; readonly problem: string } => ({ ok: false, problem });

function readRow(reader: LogReader, row: Pick<LogRow, 'entry' | 'history' | 'certificate'>): Claim<AssignedSlot> {
  const { hash, log, pin, checkSeal } = reader;
  const digest = entryDigestOf(hash, log, row.entry, row.history);
  const move = moveOf({ ...pin, objectId: log.slots }, row.certificate, digest, checkSeal);
  if (!move.ok) return move;
  const { previous, value } = move.claim;
  if (previous === undefined) return refuse('does not say what was before it');
  const { entry, history } = row;
  return { ok: true, claim: { kind: 'assigned', slot: value, previous, entry, history, strict: false } };
}

/** What a proof says about `slot` to whoever drew `nonce`. */
export function slotClaimOf(
  reader: LogReader,
  slot: CounterValue,
  nonce: string,
  proof: SlotProof,
): Claim<SlotAnswer> {
  const { log, pin, checkSeal } = reader;
  if (proof.kind === 'move') {
    const row = readRow(reader, proof.row);
    if (!row.ok || row.claim.slot === slot) return row;
    const { previous, slot: above } = row.claim;
    if (slot <= previous || slot > above) return refuse('about other slots');
    return { ok: true, claim: { kind: 'skipped', below: previous, above } };
  }
  const objectId = proof.kind === 'above' ? log.slots : log.floor;
  const status = statusOf({ ...pin, objectId }, proof.status, nonce, checkSeal);
  if (!status.ok) return status;
  if (proof.kind === 'above') {
    if (status.claim >= slot) return refuse('the log has come so far');
    return { ok: true, claim: { kind: 'unassigned', last: status.claim } };
  }
  if (status.claim <= slot) return refuse('this slot is not forgotten');
  return { ok: true, claim: { kind: 'forgotten', lowest: status.claim } };
}

/** The last slot when `nonce` was drawn; slot 0: the log was empty. */
export function endClaimOf(reader: LogReader, nonce: string, proof: EndProof): Claim<AssignedSlot> {
  const { log, pin, checkSeal } = reader;
  const status = statusOf({ ...pin, objectId: log.slots }, proof.status, nonce, checkSeal);
  if (!status.ok) return status;
  if (status.claim === 0) {
    const nothing = { slot: 0, previous: 0, entry: ZERO_DIGEST, history: ZERO_DIGEST } as const;
    return { ok: true, claim: { kind: 'assigned', ...nothing, strict: false } };
  }
  if (proof.row === undefined) return refuse('the entry of the last slot is not shown');
  const row = readRow(reader, proof.row);
  return !row.ok || row.claim.slot === status.claim ? row : refuse('this is not the last slot');
}

/**
 * Whether the host's history digests are those of all entries from the first one on: the walk that A2M with a log of
 * its own spares.
 */
export function isWholeHistory(hash: Hash, slots: readonly AssignedSlot[]): boolean {
  let [last, history] = [0, ZERO_DIGEST];
  return slots.every((slot) => {
    history = historyAfter(hash, slot.slot, slot.entry, history);
    const follows = slot.previous === last && slot.history === history;
    last = slot.slot;
    return follows;
  });
}
