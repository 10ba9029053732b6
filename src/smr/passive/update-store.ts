/** Updates that an active replica has told: kept until passive replicas have applied them, or a checkpoint covers them. */
import type { Digest, SequenceNumber } from '../../core/types.ts';
import { PART_BYTES } from './messages.ts';

/** Bytes that are kept, at most; the oldest go first, and whoever lacks them is shown the batch itself. */
const KEPT_BYTES_MAX = 64 * 1024 * 1024;

/** What a batch changed. */
export interface ToldUpdate {
  /** What was decided for the sequence number. */
  readonly digest: Digest;
  /** SHA-256 of the bytes. */
  readonly update: Digest;
  readonly bytes: Uint8Array;
}

/** See the top of this file. */
export class UpdateStore {
  /** Ascending. */
  readonly #updates = new Map<SequenceNumber, ToldUpdate>();
  #bytes = 0;

  /** Keeps an update. */
  keep(sequence: SequenceNumber, update: ToldUpdate): void {
    this.#drop(sequence);
    this.#updates.set(sequence, update);
    this.#bytes += update.bytes.length;
    for (const oldest of this.#updates.keys()) {
      if (this.#bytes <= KEPT_BYTES_MAX || oldest === sequence) break;
      this.#drop(oldest);
    }
  }

  get(sequence: SequenceNumber): ToldUpdate | undefined {
    return this.#updates.get(sequence);
  }

  /** Bytes of an update from an offset on, as much as one part holds; undefined if there is no such update. */
  part(sequence: SequenceNumber, update: Digest, offset: number): Uint8Array | undefined {
    const told = this.#updates.get(sequence);
    if (told?.update !== update || offset >= told.bytes.length) return undefined;
    return told.bytes.subarray(offset, offset + PART_BYTES);
  }

  /** Nobody needs these any more. */
  dropThrough(sequence: SequenceNumber): void {
    for (const known of this.#updates.keys()) {
      if (known > sequence) return;
      this.#drop(known);
    }
  }

  #drop(sequence: SequenceNumber): void {
    const told = this.#updates.get(sequence);
    if (told === undefined) return;
    this.#updates.delete(sequence);
    this.#bytes -= told.bytes.length;
  }

  /** What is kept, for judges. */
  get size(): { readonly updates: number; readonly bytes: number } {
    return { updates: this.#updates.size, bytes: this.#bytes };
  }
}
