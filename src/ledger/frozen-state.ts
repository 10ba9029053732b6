/**
 * Freezing a state at checkpoint boundaries and serving it while execution goes on: chunks of the ledger are kept as
 * the bytes that were encoded, chunks of the service stand behind its own copy-on-write view.
 */
import type { Application, FrozenState } from '../core/application.ts';
import { assert } from '../core/assert.ts';
import type { CheckpointState } from '../core/protocol.ts';
import type { UndoLog } from '../core/undo-log.ts';
import type { Digest, Height, SequenceNumber } from '../core/types.ts';
import type { FrozenCheckpoint } from './contract.ts';
import { LEDGER_CHUNKS } from './ledger-state.ts';
import type { LedgerState } from './ledger-state.ts';
import { buildTree, CHUNKS_MAX, chunkDigestOf, treeNode, updateTree } from './state-tree.ts';
import type { StateTree, TreeContext } from './state-tree.ts';

/** Chunks of the whole state over a service: constant, so a fetcher knows it without asking a source. */
export function stateChunkCount(application: Application): number {
  return LEDGER_CHUNKS + application.chunkCount;
}

interface FrozenParts {
  readonly checkpoint: CheckpointState;
  readonly height: Height;
  readonly ledgerChunks: readonly Uint8Array[];
  readonly service: FrozenState;
  readonly tree: StateTree;
}

function serve(parts: FrozenParts): FrozenCheckpoint {
  const { checkpoint, height, ledgerChunks, service, tree } = parts;
  const leaves = tree.levels.at(-1)!;
  const chunkCount = leaves.length;
  return {
    checkpoint,
    height,
    chunkCount,
    leaves,
    chunk(index) {
      assert(index >= 0 && index < chunkCount, 'only chunks of the state are asked for');
      return ledgerChunks[index] ?? service.chunk(index - LEDGER_CHUNKS);
    },
    node: (level, index) => treeNode(tree, level, index),
  };
}

/** Makes and keeps frozen checkpoints of one replica. */
export class StateFreezer {
  readonly #context: TreeContext;
  readonly #application: Application;
  readonly #keptMax: number;
  readonly #frozen = new Map<SequenceNumber, FrozenCheckpoint>();
  #ledgerChunks: readonly Uint8Array[] = [];
  #tree: StateTree | undefined;

  /** `keptMax`: frozen checkpoints kept at a time, at most; the oldest goes first. */
  constructor(context: TreeContext, application: Application, keptMax: number) {
    const chunkCount = stateChunkCount(application);
    assert(
      application.chunkCount >= 1 && chunkCount <= CHUNKS_MAX,
      'the service has a bounded number of chunks',
    );
    this.#context = context;
    this.#application = application;
    this.#keptMax = keptMax;
  }

  /**
   * Freezes the state after a checkpoint boundary: hashes what changed since the last one and keeps a view of all.
   * Taken back with `undo`, the frozen checkpoint is gone, and the next one is compared with the one before it.
   */
  freeze(state: LedgerState, undo: UndoLog): CheckpointState {
    const [chunksBefore, treeBefore, { sequence }] = [this.#ledgerChunks, this.#tree, state];
    undo.note(() => {
      this.#frozen.delete(sequence);
      this.#ledgerChunks = chunksBefore;
      this.#tree = treeBefore;
    });
    const service = this.#application.freeze();
    const ledgerChunks = this.#ledgerChunks.slice();
    // Both ascend, and the chunks of the service follow those of the ledger.
    const [indexes, digests]: [number[], Digest[]] = [[], []];
    const changed = (index: number, bytes: Uint8Array): void => {
      indexes.push(index);
      digests.push(chunkDigestOf(this.#context.hash, index, bytes));
    };
    for (const [index, bytes] of state.encodeChanged()) {
      ledgerChunks[index] = bytes;
      changed(index, bytes);
    }
    const previous = this.#tree;
    const serviceChanges = previous === undefined ? allOf(this.#application.chunkCount) : service.changed;
    for (const index of serviceChanges) changed(LEDGER_CHUNKS + index, service.chunk(index));
    const tree =
      previous === undefined
        ? this.#firstTree(digests)
        : updateTree(this.#context, previous, { indexes, digests });
    this.#ledgerChunks = ledgerChunks;
    this.#tree = tree;
    const checkpoint = { sequence: state.sequence, stateDigest: tree.stateDigest };
    this.#keep(serve({ checkpoint, height: state.height, ledgerChunks, service, tree }));
    return checkpoint;
  }

  #firstTree(digests: readonly Digest[]): StateTree {
    assert(
      digests.length === stateChunkCount(this.#application),
      'the first checkpoint hashes every chunk, in order',
    );
    return buildTree(this.#context, digests);
  }

  #keep(frozen: FrozenCheckpoint): void {
    this.#frozen.set(frozen.checkpoint.sequence, frozen);
    for (const sequence of this.#frozen.keys()) {
      if (this.#frozen.size <= this.#keptMax) break;
      this.#frozen.delete(sequence);
    }
  }

  get(sequence: SequenceNumber): FrozenCheckpoint | undefined {
    return this.#frozen.get(sequence);
  }

  releaseBelow(sequence: SequenceNumber): void {
    for (const kept of this.#frozen.keys()) if (kept < sequence) this.#frozen.delete(kept);
  }

  /** Forgets everything: the state is about to be replaced, the next `freeze` hashes all of it. */
  reset(): void {
    this.#frozen.clear();
    this.#ledgerChunks = [];
    this.#tree = undefined;
  }

  /** Whether these chunks are exactly the state that a state digest stands for. Asks for each chunk once. */
  covers(stateDigest: Digest, chunk: (index: number) => Uint8Array): boolean {
    const chunkCount = stateChunkCount(this.#application);
    const digests = allOf(chunkCount).map((index) => chunkDigestOf(this.#context.hash, index, chunk(index)));
    return buildTree(this.#context, digests).stateDigest === stateDigest;
  }
}

function allOf(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}
