/** Batch bodies: those that proposals name, those that came unasked, and which are durable here. */
import type { Batch } from '../core/request.ts';
import type { Digest, Milliseconds, ReplicaId, SequenceNumber } from '../core/types.ts';

/** Bytes of bodies in memory that nothing names yet, at most. */
const STRAY_BYTES_MAX = 32 * 1024 * 1024;
const STRAY_MAX = 1_024;

/** A body that is being fetched. */
interface Wanted {
  /** Whom to ask, in this order; any number of rounds. */
  sources: readonly ReplicaId[];
  since: Milliseconds;
  asked: number;
  askAgainAt: Milliseconds;
}

/** See the top of this file. */
export class BodyKeeper {
  readonly #bodies = new Map<Digest, Batch>();
  /** Came unasked and nothing names them yet; oldest first. */
  readonly #stray = new Map<Digest, Batch>();
  #strayBytes = 0;
  readonly #wanted = new Map<Digest, Wanted>();
  /** Stored bodies and the highest order that named them. */
  readonly #durable = new Map<Digest, SequenceNumber>();

  /** What is kept in memory: bodies, their bytes, and digests of stored ones. For judges and metrics. */
  sizes(): { readonly bodies: number; readonly bytes: number; readonly durable: number } {
    let bytes = this.#strayBytes;
    for (const batch of this.#bodies.values()) bytes += batch.bytes.length;
    return { bodies: this.#bodies.size + this.#stray.size, bytes, durable: this.#durable.size };
  }

  /** A body that is at hand. What is asked for by name is not stray any more. */
  get(digest: Digest): Batch | undefined {
    const stray = this.#stray.get(digest);
    if (stray !== undefined) {
      this.#dropStray(digest, stray);
      this.#bodies.set(digest, stray);
    }
    return this.#bodies.get(digest);
  }

  /** Takes in a body. True if somebody waited for it. */
  put(batch: Batch): boolean {
    const { digest } = batch;
    if (this.#bodies.has(digest) || this.#stray.has(digest)) return false;
    if (this.#wanted.delete(digest)) {
      this.#bodies.set(digest, batch);
      return true;
    }
    this.#addStray(batch);
    return false;
  }

  #addStray(batch: Batch): void {
    this.#stray.set(batch.digest, batch);
    this.#strayBytes += batch.bytes.length;
    for (const [other, old] of this.#stray) {
      if (this.#strayBytes <= STRAY_BYTES_MAX && this.#stray.size <= STRAY_MAX) break;
      this.#dropStray(other, old);
    }
  }

  /** Keeps a body that this replica made or has read back. */
  keep(batch: Batch): void {
    this.#bodies.set(batch.digest, batch);
    this.#wanted.delete(batch.digest);
  }

  /** Asks for a body that is not here; `sources` in the order in which to ask. */
  want(digest: Digest, sources: readonly ReplicaId[], now: Milliseconds): void {
    if (this.get(digest) !== undefined) return;
    const wanted = this.#wanted.get(digest);
    if (wanted === undefined) {
      this.#wanted.set(digest, { sources, since: now, asked: 0, askAgainAt: now });
    } else {
      const more = sources.filter((replica) => !wanted.sources.includes(replica));
      if (more.length > 0) wanted.sources = [...wanted.sources, ...more];
    }
  }

  /** Digests to ask for now, whom, and who was asked in vain before; each is asked for again after `retryMs`, of the next source. */
  dueFetches(
    now: Milliseconds,
    retryMs: Milliseconds,
  ): { readonly digest: Digest; readonly from: ReplicaId; readonly lacking: ReplicaId | undefined }[] {
    const due: { digest: Digest; from: ReplicaId; lacking: ReplicaId | undefined }[] = [];
    for (const [digest, wanted] of this.#wanted) {
      if (wanted.askAgainAt > now || wanted.sources.length === 0) continue;
      const from = wanted.sources[wanted.asked % wanted.sources.length]!;
      // The first one asked is the proposer, who should have sent it without being asked.
      const lacking = wanted.asked === 1 ? wanted.sources[0] : undefined;
      due.push({ digest, from, lacking });
      wanted.asked += 1;
      wanted.askAgainAt = now + retryMs;
    }
    return due;
  }

  /** Earliest time at which something is to be asked for again. */
  nextFetch(): Milliseconds | undefined {
    let next: Milliseconds | undefined;
    for (const { askAgainAt } of this.#wanted.values())
      next = next === undefined ? askAgainAt : Math.min(next, askAgainAt);
    return next;
  }

  /** The body that is wanted for longest, and who may have it, its proposer first. */
  oldestWanted():
    | { readonly digest: Digest; readonly since: Milliseconds; readonly sources: readonly ReplicaId[] }
    | undefined {
    for (const [digest, { since, sources }] of this.#wanted) return { digest, since, sources };
    return undefined;
  }

  isWanted(digest: Digest): boolean {
    return this.#wanted.has(digest);
  }

  get wantedCount(): number {
    return this.#wanted.size;
  }

  isDurable(digest: Digest): boolean {
    return this.#durable.has(digest);
  }

  /** Notes that a body is stored, and for which order it is needed. */
  markDurable(digest: Digest, sequence: SequenceNumber): void {
    this.#durable.set(digest, Math.max(sequence, this.#durable.get(digest) ?? 0));
  }

  /** The body was executed: memory may forget it, the store keeps it. */
  release(digest: Digest): void {
    this.#bodies.delete(digest);
    this.#wanted.delete(digest);
  }

  /** Forgets bodies in memory that are neither stored nor needed: of proposals that a view change has dropped. */
  sweep(isNeeded: (digest: Digest) => boolean): void {
    for (const digest of this.#bodies.keys())
      if (!this.#durable.has(digest) && !isNeeded(digest)) this.#bodies.delete(digest);
    for (const digest of this.#wanted.keys()) if (!isNeeded(digest)) this.#wanted.delete(digest);
  }

  /** Forgets everything that is wanted: what still matters is asked for again. */
  clearWanted(): void {
    this.#wanted.clear();
  }

  /**
   * Forgets what is wanted, too. Bodies that nobody stored, bad ones among them, are worth no more than those that
   * came unasked, where the oldest give way; what still matters is asked for by name again.
   */
  demote(): void {
    this.clearWanted();
    for (const [digest, batch] of this.#bodies) {
      if (this.#durable.has(digest)) continue;
      this.#bodies.delete(digest);
      this.#addStray(batch);
    }
  }

  /** Stored bodies that no order above `sequence` needs; they are forgotten here. */
  dropDurableThrough(sequence: SequenceNumber): Digest[] {
    const dropped: Digest[] = [];
    for (const [digest, needed] of this.#durable) {
      if (needed > sequence) continue;
      dropped.push(digest);
    }
    for (const digest of dropped) {
      this.#durable.delete(digest);
      this.release(digest);
    }
    return dropped;
  }

  #dropStray(digest: Digest, batch: Batch): void {
    this.#stray.delete(digest);
    this.#strayBytes -= batch.bytes.length;
  }
}
