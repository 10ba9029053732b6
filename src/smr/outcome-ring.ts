/**
 * What came of the last W requests of a session, in columns: number t is at t % W. An object for each would be a thousand
 * short-lived things a second that live just long enough to be moved about by every collection of garbage.
 */
import { partToHex, putHex } from '../core/bytes.ts';
import type { Writer } from '../core/codec.ts';
import type { Digest, Height, RequestNumber, SequenceNumber } from '../core/types.ts';

/** What is known of one executed request. */
export interface Outcome {
  readonly number: RequestNumber;
  readonly txId: Digest;
  readonly sequence: SequenceNumber;
  /** 0 if it made no leaf. */
  readonly height: Height;
  /** Undefined for reads, of which nothing is kept (decision C6). */
  readonly resultDigest: Digest | undefined;
  /** The result; undefined once forgotten. */
  readonly result: Uint8Array | undefined;
  /**
   * Where it was executed, if `sequence` is that of another request with the same idempotency key. It matters only while
   * that may be rolled back, so it is not part of the replicated state.
   */
  readonly repeatedAt?: SequenceNumber;
}

/** Places that a young ring has room for; it grows with the numbers that are used. */
const ROOM_MIN = 64;
const DIGEST_BYTES = 32;

/** See the top of this file. */
export class OutcomeRing {
  readonly #window: number;
  /** 0: nothing is there. */
  #numbers: Float64Array;
  #sequences: Float64Array;
  #heights: Float64Array;
  #txIds: Uint8Array;
  #resultDigests: Uint8Array;
  #hasDigest: Uint8Array;
  #results: (Uint8Array | undefined)[] = [];
  readonly #repeatedAt = new Map<number, SequenceNumber>();

  constructor(window: number) {
    this.#window = window;
    const room = Math.min(window, ROOM_MIN);
    this.#numbers = new Float64Array(room);
    this.#sequences = new Float64Array(room);
    this.#heights = new Float64Array(room);
    this.#txIds = new Uint8Array(room * DIGEST_BYTES);
    this.#resultDigests = new Uint8Array(room * DIGEST_BYTES);
    this.#hasDigest = new Uint8Array(room);
  }

  /** Whether there is an outcome of this number. */
  has(number: RequestNumber): boolean {
    return number > 0 && this.#numbers[number % this.#window] === number;
  }

  /** Which number is at a place; 0 if none is. */
  numberAt(place: number): RequestNumber {
    return this.#numbers[place] ?? 0;
  }

  /** What came of a number. */
  find(number: RequestNumber): Outcome | undefined {
    return this.has(number) ? this.at(number % this.#window) : undefined;
  }

  /** Length of the result of a number; 0 if there is none (any more). */
  resultLength(number: RequestNumber): number {
    return this.has(number) ? (this.#results[number % this.#window]?.length ?? 0) : 0;
  }

  /** Whether a number has its result still. */
  hasResult(number: RequestNumber): boolean {
    return this.has(number) && this.#results[number % this.#window] !== undefined;
  }

  /** What is at a place. */
  at(place: number): Outcome | undefined {
    const number = this.numberAt(place);
    if (number === 0) return undefined;
    const from = place * DIGEST_BYTES;
    const to = from + DIGEST_BYTES;
    const repeatedAt = this.#repeatedAt.get(place);
    return {
      number,
      txId: partToHex(this.#txIds, from, to) as Digest,
      sequence: this.#sequences[place]!,
      height: this.#heights[place]!,
      resultDigest:
        this.#hasDigest[place] === 1 ? (partToHex(this.#resultDigests, from, to) as Digest) : undefined,
      result: this.#results[place],
      ...(repeatedAt === undefined ? {} : { repeatedAt }),
    };
  }

  /** Puts an outcome, or nothing, at a place. */
  put(place: number, outcome: Outcome | undefined): void {
    if (this.#repeatedAt.size > 0) this.#repeatedAt.delete(place);
    if (outcome === undefined && place >= this.#numbers.length) return;
    if (outcome === undefined) {
      this.#numbers[place] = 0;
      this.#results[place] = undefined;
      return;
    }
    if (place >= this.#numbers.length) this.#grow(place + 1);
    this.#numbers[place] = outcome.number;
    this.#sequences[place] = outcome.sequence;
    this.#heights[place] = outcome.height;
    putHex(this.#txIds, place * DIGEST_BYTES, outcome.txId);
    const { resultDigest, repeatedAt } = outcome;
    this.#hasDigest[place] = resultDigest === undefined ? 0 : 1;
    if (resultDigest !== undefined) putHex(this.#resultDigests, place * DIGEST_BYTES, resultDigest);
    this.#results[place] = outcome.result;
    if (repeatedAt !== undefined) this.#repeatedAt.set(place, repeatedAt);
  }

  /** Writes the outcome of a number that is there. */
  write(writer: Writer, number: RequestNumber): void {
    const place = number % this.#window;
    const from = place * DIGEST_BYTES;
    const to = from + DIGEST_BYTES;
    writer.u64(number).raw(this.#txIds.subarray(from, to));
    writer.u64(this.#sequences[place]!).u64(this.#heights[place]!);
    const digest = this.#hasDigest[place] === 1 ? this.#resultDigests.subarray(from, to) : undefined;
    writer.option(digest, (w, bytes) => w.raw(bytes));
    writer.option(this.#results[place], (w, bytes) => w.bytes(bytes));
  }

  #grow(needed: number): void {
    const room = Math.min(this.#window, Math.max(needed, 2 * this.#numbers.length));
    this.#numbers = enlarged(new Float64Array(room), this.#numbers);
    this.#sequences = enlarged(new Float64Array(room), this.#sequences);
    this.#heights = enlarged(new Float64Array(room), this.#heights);
    this.#txIds = enlarged(new Uint8Array(room * DIGEST_BYTES), this.#txIds);
    this.#resultDigests = enlarged(new Uint8Array(room * DIGEST_BYTES), this.#resultDigests);
    this.#hasDigest = enlarged(new Uint8Array(room), this.#hasDigest);
  }
}

function enlarged<T extends Float64Array | Uint8Array>(larger: T, former: T): T {
  larger.set(former);
  return larger;
}
