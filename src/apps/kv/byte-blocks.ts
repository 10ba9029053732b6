/**
 * Room for byte strings that are replaced often. They stand behind each other in blocks of a mebibyte: a buffer of its own
 * for each would be a small thing for the collector of garbage to look after, tens of thousands of times. A block is
 * given up when nothing in it is in use; `isSparse` names those that hold little, so that their owner can move it.
 */

/** Bytes of a block. */
const BLOCK_BYTES = 1024 * 1024;
/** What is longer has a block of its own. */
const SHARED_BYTES_MAX = 64 * 1024;
/** Stands where a block was given up. */
const NOTHING = new Uint8Array(0);

/** See the top of this file. Blocks that are given up live on in lists that were taken before. */
export class ByteBlocks {
  #blocks: Uint8Array[] = [];
  /** Bytes in use, by block. */
  #used: number[] = [];
  #free: number[] = [];
  #current = -1;
  #top = BLOCK_BYTES;
  /** Where the last room that was allocated is. */
  block = 0;
  at = 0;

  /** Allocates room, which `block` and `at` then name. What is in it is not defined. */
  allocate(size: number): void {
    if (size > SHARED_BYTES_MAX) {
      this.block = this.#open(size);
      this.at = 0;
    } else {
      if (this.#top + size > BLOCK_BYTES) this.#next();
      this.block = this.#current;
      this.at = this.#top;
      this.#top += size;
    }
    this.#used[this.block]! += size;
  }

  /** Room that was allocated is not needed any more. */
  release(block: number, size: number): void {
    this.#used[block]! -= size;
    if (block !== this.#current) this.#dropIfUnused(block);
  }

  /** The bytes of a block. */
  bytes(block: number): Uint8Array {
    return this.#blocks[block]!;
  }

  /** All blocks by number, as they are now. */
  list(): readonly Uint8Array[] {
    return this.#blocks.slice();
  }

  /** Whether less than half of a block is in use, and nothing is added to it any more. */
  isSparse(block: number): boolean {
    return block !== this.#current && this.#used[block]! < this.#blocks[block]!.length >>> 1;
  }

  #next(): void {
    const former = this.#current;
    this.#current = this.#open(BLOCK_BYTES);
    this.#top = 0;
    if (former >= 0) this.#dropIfUnused(former);
  }

  #open(size: number): number {
    const block = this.#free.pop() ?? this.#blocks.length;
    this.#blocks[block] = new Uint8Array(size);
    this.#used[block] = 0;
    return block;
  }

  #dropIfUnused(block: number): void {
    if (this.#used[block] !== 0) return;
    this.#blocks[block] = NOTHING;
    this.#free.push(block);
  }
}
