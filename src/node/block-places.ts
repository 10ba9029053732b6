/**
 * Where blocks stand on disk: sixteen bytes for each, so that a chain of millions of blocks fits into memory. What else is
 * to be known of a block stands with it.
 */
import type { Height } from '../core/types.ts';

/** Where a block begins. */
export interface BlockPlace {
  /** Index of its segment. */
  readonly segment: number;
  /** Offset of its record in the segment. */
  readonly position: number;
  /** Number of its first transaction in the ledger, from 1. */
  readonly firstNumber: number;
}

/** Positions are below this: both numbers of a place fit into one. */
const POSITIONS = 2 ** 32;
const ROW = 2;
/** Rows that are reserved at once. */
const PIECE_ROWS = 8192;

/** See the top of this file. Heights begin at 1 and have no hole. */
export class BlockPlaces {
  readonly #pieces: Float64Array[] = [];
  #height: Height = 0;
  /** Number of the transaction after the last block. */
  #nextNumber = 1;

  /** Height of the last block that has a place. */
  get height(): Height {
    return this.#height;
  }

  /** Adds the place of the next block, which has so many transactions. */
  add(segment: number, position: number, transactions: number): void {
    const row = this.#height % PIECE_ROWS;
    if (row === 0) this.#pieces.push(new Float64Array(ROW * PIECE_ROWS));
    const piece = this.#pieces.at(-1)!;
    piece[ROW * row] = segment * POSITIONS + position;
    piece[ROW * row + 1] = this.#nextNumber;
    this.#height += 1;
    this.#nextNumber += transactions;
  }

  at(height: Height): BlockPlace | undefined {
    if (height < 1 || height > this.#height) return undefined;
    const piece = this.#pieces[Math.floor((height - 1) / PIECE_ROWS)]!;
    const row = ROW * ((height - 1) % PIECE_ROWS);
    const place = piece[row]!;
    return {
      segment: Math.floor(place / POSITIONS),
      position: place % POSITIONS,
      firstNumber: piece[row + 1]!,
    };
  }

  /** Number of the transaction that follows those of a block. */
  numberAfter(height: Height): number {
    return height === this.#height ? this.#nextNumber : (this.at(height + 1)?.firstNumber ?? 1);
  }

  /** Forgets every block above `height`. */
  truncateAbove(height: Height): void {
    if (height >= this.#height) return;
    this.#nextNumber = this.numberAfter(height);
    this.#height = height;
    this.#pieces.length = Math.ceil(height / PIECE_ROWS);
  }
}
