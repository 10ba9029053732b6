/** For tests: frozen checkpoints with made-up chunks, and a state store with what it said. */
import type { Digest } from '../core/types.ts';
import type { FrozenCheckpoint } from '../ledger/contract.ts';
import { chunkDigest } from '../ledger/state-tree.ts';
import { nodeHash } from '../platform/sha256.ts';
import type { Disk } from './disk.ts';
import { StateStore } from './state-store.ts';
import type { StateStoreOptions } from './state-store.ts';

/** A checkpoint of these chunks, which may be changed afterwards. */
export function frozenAt(sequence: number, state: readonly Uint8Array[]): FrozenCheckpoint {
  const chunks = state.map((chunk) => chunk.slice());
  return {
    checkpoint: { sequence, stateDigest: '00'.repeat(32) as Digest },
    height: sequence,
    chunkCount: chunks.length,
    leaves: chunks.map((chunk, index) => chunkDigest(nodeHash, index, chunk)),
    chunk: (index) => chunks[index]!,
    node: () => [],
  };
}

/** A snapshot as it was found. */
export interface FoundSnapshot {
  readonly sequence: number;
  readonly chunks: readonly Uint8Array[];
}

/** A store that was opened. Descriptions hold the sequence number. */
export class OpenedStore {
  readonly stored: number[] = [];
  readonly fatal: string[] = [];
  store!: StateStore;
  #waiters: (() => void)[] = [];

  static async at(
    disk: Disk,
    folder: string,
    options: Partial<StateStoreOptions> = {},
  ): Promise<OpenedStore> {
    const self = new OpenedStore();
    const told = (): void => {
      for (const wake of self.#waiters.splice(0)) wake();
    };
    self.store = await StateStore.open({
      disk,
      folder,
      hash: nodeHash,
      durable: true,
      beforeSnapshot: () => Promise.resolve(true),
      onStored: (sequence) => {
        self.stored.push(sequence);
        told();
      },
      onFatal: (sentence) => {
        self.fatal.push(sentence);
        told();
      },
      ...options,
    });
    return self;
  }

  order(sequence: number, state: readonly Uint8Array[]): void {
    const meta = new Uint8Array(4);
    new DataView(meta.buffer).setUint32(0, sequence);
    this.store.store(frozenAt(sequence, state), meta);
  }

  /** Whether the snapshot was stored; not if the disk failed. */
  async keep(sequence: number, state: readonly Uint8Array[]): Promise<boolean> {
    this.order(sequence, state);
    await this.untilStored(sequence);
    return this.stored.includes(sequence);
  }

  async untilStored(sequence: number): Promise<void> {
    while (!this.stored.includes(sequence) && this.fatal.length === 0)
      await new Promise<void>((resolve) => this.#waiters.push(resolve));
  }

  /** What the store holds; undefined if it is new. */
  found(chunkCount: number): FoundSnapshot | undefined {
    const snapshot = this.store.load();
    if (snapshot === undefined) return undefined;
    const { meta, chunk } = snapshot;
    const sequence = new DataView(meta.buffer, meta.byteOffset).getUint32(0);
    return { sequence, chunks: Array.from({ length: chunkCount }, (_, index) => chunk(index)) };
  }
}
