/** Where the chunks of the stored snapshot stand in its file, and what their digests are: all that is known without reading it. */
import type { Digest } from '../core/types.ts';
import { findChangedChunks } from '../ledger/state-tree.ts';

/** Bytes of the file that a chunk takes besides its own. */
export const CHUNK_ENTRY_BYTES = 40;

/** One chunk in a file. */
export interface ChunkPlace {
  readonly index: number;
  /** Offset of its bytes. */
  readonly position: number;
  readonly length: number;
  /** Digest of the chunk in the hash tree of the state. */
  readonly leaf: Digest;
}

/** See the top of this file. */
export class ChunkTable {
  /** Chunks of the state. */
  readonly count: number;
  /** 0: the chunk is not in the file. */
  readonly #positions: Float64Array;
  readonly #lengths: Uint32Array;
  readonly #leaves: (Digest | undefined)[];
  #bytes = 0;

  constructor(count: number) {
    this.count = count;
    this.#positions = new Float64Array(count);
    this.#lengths = new Uint32Array(count);
    this.#leaves = new Array<Digest | undefined>(count).fill(undefined);
  }

  /** Bytes of the file that hold the chunks of this snapshot; the rest of it is garbage. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Bytes of the file that become garbage if this chunk is written again. */
  bytesOf(index: number): number {
    return this.#positions[index] === 0 ? 0 : CHUNK_ENTRY_BYTES + this.#lengths[index]!;
  }

  /** Chunks whose digests are not these; see `findChangedChunks`. */
  findChanged(
    leaves: readonly Digest[],
    range: readonly [from: number, to: number],
    into: Uint32Array,
    found: number,
  ): number {
    return findChangedChunks([this.#leaves, leaves], range, into, found);
  }

  place(index: number): ChunkPlace | undefined {
    const leaf = this.#leaves[index];
    if (leaf === undefined) return undefined;
    return { index, position: this.#positions[index]!, length: this.#lengths[index]!, leaf };
  }

  /** The chunk is at another place from now on. */
  put({ index, position, length, leaf }: ChunkPlace): void {
    this.#bytes -= this.bytesOf(index);
    this.#positions[index] = position;
    this.#lengths[index] = length;
    this.#leaves[index] = leaf;
    this.#bytes += this.bytesOf(index);
  }
}
