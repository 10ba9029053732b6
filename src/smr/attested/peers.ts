/**
 * What is known of the other replicas: which of their messages were taken in, what they reported, how much may still be
 * re-sent to them. Everything bounded per replica.
 */
import type { PeerInspection } from '../../core/protocol.ts';
import type { Milliseconds, ReplicaId } from '../../core/types.ts';
import type { Content, Sealed, Status } from './sealed.ts';

/** Bytes re-sent to one peer for one status of it. */
const RESEND_BYTES = 512 * 1024;
/** Numbers beyond the first gap that are remembered for one peer. */
const BEYOND_MAX = 8_192;
/** Messages of one peer that came too early and are held back. */
const HELD_MAX = 512;
/** Bytes of them. */
const HELD_BYTES_MAX = 8 * 1024 * 1024;

/** Of peers whose messages come in order: in a large cluster there are many, and this set is never written. */
const NOTHING = new Set<number>();

/** One peer. */
export class Peer<C extends Content> {
  /** Every message of it up to this number was taken in. */
  received = 0;
  #beyond: Set<number> = NOTHING;
  /** Came too early: offered again when this replica has moved. */
  #held: Sealed<C>[] = [];
  #heldBytes = 0;
  lastHeardMs: Milliseconds | undefined;
  status: Status | undefined;
  /** The status before: what is missing twice in a row is missing. */
  previous: Status | undefined;
  repeated = 0;
  #budget = 0;
  #budgetMs: Milliseconds | undefined;

  /** Whether a numbered message was taken in before. */
  has(id: number): boolean {
    return id <= this.received || this.#beyond.has(id);
  }

  /** A numbered message was taken in. */
  take(id: number): void {
    if (id <= this.received) return;
    if (id === this.received + 1) this.received = id;
    else if (this.#beyond.size < BEYOND_MAX) this.#remember(id);
    this.#closeGap();
  }

  #remember(id: number): void {
    if (this.#beyond === NOTHING) this.#beyond = new Set();
    this.#beyond.add(id);
  }

  /** The author keeps nothing below `first` any more. */
  skipTo(first: number): void {
    if (first - 1 <= this.received) return;
    this.received = first - 1;
    if (this.#beyond.size === 0) return;
    for (const id of [...this.#beyond]) if (id <= this.received) this.#beyond.delete(id);
    this.#closeGap();
  }

  /** What was taken in before its turn counts now that everything before it was. */
  #closeGap(): void {
    while (this.#beyond.size > 0 && this.#beyond.delete(this.received + 1)) this.received += 1;
  }

  /** Holds back a message that came too early; beyond the bound its author has to send it again. */
  hold(message: Sealed<C>): void {
    if (this.#heldBytes + message.bytes.length > HELD_BYTES_MAX) return;
    if (this.#held.length >= HELD_MAX || this.#held.some((one) => one.digest === message.digest)) return;
    this.#heldBytes += message.bytes.length;
    this.#held.push(message);
  }

  get heldCount(): number {
    return this.#held.length;
  }

  /** Gives the messages that were held back; they are not held any more. */
  takeHeld(): Sealed<C>[] {
    const held = this.#held;
    this.#held = [];
    this.#heldBytes = 0;
    return held;
  }

  /** Its report. One that has lost its store counts its messages anew. */
  note(status: Status, now: Milliseconds, periodMs: Milliseconds): void {
    if (this.status !== undefined && this.status.life !== status.life) {
      this.received = 0;
      this.#beyond = NOTHING;
    }
    this.previous = this.status;
    this.status = status;
    this.skipTo(status.first);
    for (const id of status.skipped) this.take(id);
    // A peer that reports more often does not get more for it.
    if (this.#budgetMs !== undefined && now - this.#budgetMs < periodMs / 2) return;
    this.#budgetMs = now;
    this.#budget = RESEND_BYTES;
  }

  /** Whether something of this size may be sent to it; it is counted. */
  spend(bytes: number): boolean {
    if (this.#budget <= 0) return false;
    this.#budget -= bytes + 64;
    return true;
  }

  /** What `status` shows. */
  inspect(replica: ReplicaId, wallOffset: Milliseconds): PeerInspection {
    const base = {
      replica,
      incarnation: 0,
      counter: this.received,
      dead: false,
      repeated: this.repeated,
      executed: this.status?.executed ?? 0,
    };
    return this.lastHeardMs === undefined ? base : { ...base, lastHeardMs: this.lastHeardMs + wallOffset };
  }
}
