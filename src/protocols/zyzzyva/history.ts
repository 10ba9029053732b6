/**
 * A history: which batch stands at which sequence number, as a chain of hashes. Two histories that have one hash at one
 * sequence number are equal up to there, wherever they begin; so they are compared by (position, hash), never by index.
 */
import { assert } from '../../core/assert.ts';
import type { Domain } from '../../core/domain.ts';
import { domainTag, domainWriter, finishDigest } from '../../core/domain.ts';
import type { Digest, Hash, SequenceNumber } from '../../core/types.ts';
import { ZERO_DIGEST } from '../../core/types.ts';

/** Hash of the empty history. */
const GENESIS_HISTORY: Digest = ZERO_DIGEST;

/** h_n = H(h_{n-1}, d_n). What a batch's time is (ND of the paper) lies in the batch, under its digest. */
export type Link = (previous: Digest, digest: Digest) => Digest;

/** The link function of a cluster. */
export function linkOf(hash: Hash, domain: Domain): Link {
  return (previous, digest) =>
    finishDigest(hash, domainWriter(domainTag('zyzzyva', 'HISTORY'), domain).digest(previous).digest(digest));
}

/** An end of a history: how long it is, and its hash there. */
export interface Position {
  readonly length: SequenceNumber;
  readonly history: Digest;
}

/** Where every history begins. */
export const GENESIS: Position = { length: 0, history: GENESIS_HISTORY };

/** See the top of this file. Values are never changed: every change gives a new one. */
export class History {
  readonly start: SequenceNumber;
  /** `hashes[i]` belongs to sequence number `start + i`. */
  readonly #hashes: readonly Digest[];
  /** `digests[i]` is the batch at `start + i + 1`. */
  readonly digests: readonly Digest[];

  private constructor(start: SequenceNumber, hashes: readonly Digest[], digests: readonly Digest[]) {
    this.start = start;
    this.#hashes = hashes;
    this.digests = digests;
  }

  /** What follows after a position. */
  static after(link: Link, { length, history }: Position, digests: readonly Digest[] = []): History {
    const hashes = [history];
    for (const digest of digests) hashes.push(link(hashes.at(-1)!, digest));
    return new History(length, hashes, digests);
  }

  /** Sequence number of its last entry. */
  get length(): SequenceNumber {
    return this.start + this.digests.length;
  }

  get end(): Position {
    return { length: this.length, history: this.#hashes.at(-1)! };
  }

  /** The hash at a sequence number; undefined outside of [start, length]. */
  hashAt(sequence: SequenceNumber): Digest | undefined {
    return this.#hashes[sequence - this.start];
  }

  /** The batch at a sequence number; undefined outside of (start, length]. */
  digestAt(sequence: SequenceNumber): Digest | undefined {
    return sequence > this.start ? this.digests[sequence - this.start - 1] : undefined;
  }

  /** Whether this history contains the other end. */
  has({ length, history }: Position): boolean {
    return this.hashAt(length) === history;
  }

  /** One entry more; `hash` was computed from the end of this one. */
  with(digest: Digest, hash: Digest): History {
    return new History(this.start, [...this.#hashes, hash], [...this.digests, digest]);
  }

  /** The part after a sequence number of this history. */
  from(sequence: SequenceNumber): History {
    const cut = sequence - this.start;
    assert(cut >= 0 && sequence <= this.length, 'a history is cut inside');
    return new History(sequence, this.#hashes.slice(cut), this.digests.slice(cut));
  }

  /** The part up to a sequence number of this history. */
  upTo(sequence: SequenceNumber): History {
    const cut = sequence - this.start;
    assert(cut >= 0 && sequence <= this.length, 'a history is cut inside');
    return new History(this.start, this.#hashes.slice(0, cut + 1), this.digests.slice(0, cut));
  }

  /** This history and what follows in one that begins at its end. */
  join(next: History): History {
    assert(next.start === this.length && next.hashAt(next.start) === this.end.history, 'histories fit');
    return new History(
      this.start,
      [...this.#hashes, ...next.#hashes.slice(1)],
      [...this.digests, ...next.digests],
    );
  }

  /** The longest part that both have; `start` of this one if nothing more. Both contain `start`. */
  common(other: History, atMost: SequenceNumber): SequenceNumber {
    let sequence = Math.min(this.length, other.length, atMost);
    // Chains that differ at one place differ at all later ones.
    while (sequence > this.start && this.hashAt(sequence) !== other.hashAt(sequence)) sequence -= 1;
    return sequence;
  }
}
