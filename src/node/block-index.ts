/** Keeps the index of transactions up with the blocks: each new block at once, older ones a few at a time. */
import type { Digest, Hash } from '../core/types.ts';
import { decodeBlock } from '../ledger/block.ts';
import type { Block } from '../ledger/contract.ts';
import type { BlockStore } from './block-store.ts';
import type { Disk } from './disk.ts';
import { TransactionIndex } from './transaction-index.ts';

/** Blocks that are read in one go; between them the process does other work. */
const SLICE = 64;

/** What it is made of. */
export interface BlockIndexOptions {
  readonly disk: Disk;
  readonly folder: string;
  readonly blocks: BlockStore;
  readonly hash: Hash;
  readonly onFatal: (sentence: string) => void;
}

/** See the top of this file. */
export class BlockIndex {
  readonly #blocks: BlockStore;
  readonly #hash: Hash;
  #index!: TransactionIndex;
  #catchingUp = false;
  #closed = false;

  private constructor({ blocks, hash }: BlockIndexOptions) {
    this.#blocks = blocks;
    this.#hash = hash;
  }

  /** Opens the index of a folder, or makes one. Rejects with the system's error. */
  static async open(options: BlockIndexOptions): Promise<BlockIndex> {
    const { disk, folder, onFatal, blocks } = options;
    const opened = new BlockIndex(options);
    const onShort = (): void => opened.catchUp();
    opened.#index = await TransactionIndex.open({ disk, folder, onFatal, onShort });
    opened.#index.truncate(blocks.transactionCount);
    return opened;
  }

  /** The store has taken a block. */
  onBlock(block: Block): void {
    const numbers = this.#blocks.numbersOf(block.header.height);
    if (numbers !== undefined) this.#index.add(numbers.first, block.transactions);
  }

  /** The store has given up its latest blocks. */
  onTruncated(): void {
    this.#index.truncate(this.#blocks.transactionCount);
    this.catchUp();
  }

  /** Puts blocks into the index that are not in it yet. */
  catchUp(): void {
    if (this.#catchingUp || this.#closed) return;
    this.#catchingUp = true;
    const step = (): void => {
      for (let count = 0; count < SLICE; count += 1) {
        const height = this.#closed ? undefined : this.#blocks.heightOfNumber(this.#index.count + 1);
        const block = height === undefined ? undefined : this.#read(height);
        if (block === undefined) {
          this.#catchingUp = false;
          return;
        }
        this.onBlock(block);
      }
      setImmediate(step);
    };
    step();
  }

  #read(height: number): Block | undefined {
    const bytes = this.#blocks.read(height);
    return bytes === undefined ? undefined : decodeBlock(this.#hash, bytes);
  }

  /** The block that holds a transaction, and its place there; undefined if it is in none. */
  find(txId: Digest): { readonly block: Block; readonly index: number } | undefined {
    for (const number of this.#index.find(txId)) {
      const height = this.#blocks.heightOfNumber(number);
      const first = height === undefined ? undefined : this.#blocks.numbersOf(height)?.first;
      const block = height === undefined ? undefined : this.#read(height);
      const index = number - (first ?? 0);
      if (block?.transactions[index]?.id === txId) return { block, index };
    }
    return undefined;
  }

  /** Finishes what is being written, then closes. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#index.close();
  }
}
