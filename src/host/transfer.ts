/**
 * State transfer: fetches the chunks of a certified checkpoint from the root of its hash
 * tree down, skipping what the own state already has, then the blocks of the ledger up to the certified header. Every
 * answer is checked against a digest that is trusted already, so one honest source is enough; a source that answers
 * wrongly is left out.
 */
import type { CheckpointState } from '../core/protocol.ts';
import type { Digest, Height, Milliseconds, ReplicaId, SequenceNumber } from '../core/types.ts';
import { blockRootsFit, decodeBlock } from '../ledger/block.ts';
import type { FrozenCheckpoint, LedgerExecutor } from '../ledger/contract.ts';
import { nodeWidth, TREE_FAN_OUT, treeShape, verifyChunk, verifyNode } from '../ledger/state-tree.ts';
import type { TreeContext } from '../ledger/state-tree.ts';
import type { LinkFrame } from './link-frames.ts';
import { CHUNKS_PER_REQUEST, FRAGMENT_BYTES } from './link-frames.ts';
import type { BlockPort } from './ports.ts';

/** Requests under way at once. */
const WINDOW = 32;
/** Without progress for so long the next source is asked. */
const PATIENCE_MS: Milliseconds = 400;
/** Each time that all sources were asked in vain the wait grows by that, up to so many times: answers may come from far. */
const PATIENCE_FACTOR_MAX = 16;

/** Frames of this machine. */
export type TransferFrame = Extract<
  LinkFrame,
  { kind: 'fetchNode' | 'node' | 'fetchChunks' | 'chunks' | 'fetchBlocks' | 'blocks' | 'gone' }
>;

/** What the machine is made of. */
export interface StateTransferOptions {
  readonly context: TreeContext;
  readonly executor: LedgerExecutor;
  readonly blocks: BlockPort;
  readonly send: (to: ReplicaId, frame: TransferFrame) => void;
  readonly setTimer: (delayMs: Milliseconds) => void;
  readonly cancelTimer: () => void;
  /** Replaces the ledger's state; false if the digest is not the certified one after all. */
  readonly install: (checkpoint: CheckpointState, chunk: (index: number) => Uint8Array) => boolean;
  /** State installed, blocks complete. */
  readonly complete: (checkpoint: CheckpointState) => void;
  readonly failed: (sequence: SequenceNumber) => void;
  readonly ignored: (reason: string, from: ReplicaId) => void;
}

interface Target {
  readonly checkpoint: CheckpointState;
  sources: ReplicaId[];
  /** Everybody who can have the blocks, also who has dropped the state meanwhile. */
  readonly all: readonly ReplicaId[];
  /** Own state to compare with; undefined if no checkpoint is kept. */
  readonly own: FrozenCheckpoint | undefined;
  /** Verified digests by level; filled from the top. */
  readonly levels: (Digest | undefined)[][];
  readonly wantedNodes: Map<
    string,
    { readonly level: number; readonly index: number; readonly trusted: Digest }
  >;
  readonly wantedChunks: Map<number, Digest>;
  readonly chunks: Map<number, Uint8Array>;
  /** Chunks that are verified against this very checkpoint; what else is in `chunks` is of an earlier attempt. */
  readonly verified: Set<number>;
  readonly asked: Set<string | number>;
  phase: 'state' | 'blocks';
  progressed: boolean;
  /** Rounds without progress, one after the other. */
  idleRounds: number;
}

/** See the top of this file. */
export class StateTransfer {
  readonly #options: StateTransferOptions;
  #target: Target | undefined;
  /** Chunks of a state that could not be completed: a newer one shares most of them. */
  #kept = new Map<number, Uint8Array>();

  constructor(options: StateTransferOptions) {
    this.#options = options;
  }

  /** Whether a transfer is under way. */
  get active(): boolean {
    return this.#target !== undefined;
  }

  /** Begins, or restarts with a newer checkpoint; chunks that are still right are kept. */
  begin(checkpoint: CheckpointState, sources: readonly ReplicaId[]): void {
    const { executor } = this.#options;
    const old = this.#target;
    // Once the state is installed its blocks must come; a newer checkpoint can wait for that.
    if (old?.phase === 'blocks') return;
    if (checkpoint.sequence <= executor.executed || sources.length === 0) {
      return this.#options.failed(checkpoint.sequence);
    }
    const target: Target = {
      checkpoint,
      sources: [...sources],
      all: [...sources],
      own: executor.frozen(executor.checkpoint.sequence),
      levels: treeShape(executor.chunkCount).map((width) => Array.from({ length: width }, () => undefined)),
      wantedNodes: new Map([['0/0', { level: 0, index: 0, trusted: checkpoint.stateDigest }]]),
      wantedChunks: new Map(),
      chunks: old?.chunks ?? this.#kept,
      verified: new Set(),
      asked: new Set(),
      phase: 'state',
      progressed: false,
      idleRounds: 0,
    };
    this.#target = target;
    this.#ask(target);
    this.#options.setTimer(PATIENCE_MS);
  }

  /** No answer for a while: the next source. */
  onTimer(): void {
    const target = this.#target;
    if (target === undefined) return;
    target.idleRounds = target.progressed ? 0 : target.idleRounds + 1;
    // All that are left are silent: by now there is a newer checkpoint, which others still have.
    if (target.phase === 'state' && target.idleRounds > target.sources.length) {
      this.#stop();
      return this.#options.failed(target.checkpoint.sequence);
    }
    if (!target.progressed) target.sources.push(target.sources.shift()!);
    target.progressed = false;
    target.asked.clear();
    this.#ask(target);
    const rounds = Math.floor(target.idleRounds / target.sources.length);
    this.#options.setTimer(PATIENCE_MS * Math.min(1 + rounds, PATIENCE_FACTOR_MAX));
  }

  onFrame(from: ReplicaId, frame: TransferFrame): void {
    switch (frame.kind) {
      case 'fetchNode':
      case 'fetchChunks':
      case 'fetchBlocks':
        return this.#serve(from, frame);
      case 'node':
        return this.#onNode(from, frame);
      case 'chunks':
        return this.#onChunks(from, frame);
      case 'blocks':
        return this.#onBlocks(from, frame);
      case 'gone':
        return this.#onGone(from, frame.sequence);
    }
  }

  // ---- serving ----------------------------------------------------------------------------------------------------

  #serve(to: ReplicaId, frame: TransferFrame & { kind: 'fetchNode' | 'fetchChunks' | 'fetchBlocks' }): void {
    const { executor, send } = this.#options;
    if (frame.kind === 'fetchBlocks') return this.#serveBlocks(to, frame.from);
    const { sequence } = frame;
    const frozen = executor.frozen(sequence);
    if (frozen === undefined) return send(to, { kind: 'gone', sequence });
    if (frame.kind === 'fetchNode') {
      const { level, index } = frame;
      if (nodeWidth(frozen.chunkCount, level, index) === 0) return;
      return send(to, { kind: 'node', sequence, level, index, children: frozen.node(level, index) });
    }
    const chunks: { index: number; bytes: Uint8Array }[] = [];
    let size = 0;
    for (const index of frame.indexes) {
      if (index >= frozen.chunkCount) continue;
      const bytes = frozen.chunk(index);
      if (size > 0 && size + bytes.length > FRAGMENT_BYTES) break;
      chunks.push({ index, bytes });
      size += bytes.length;
    }
    send(to, { kind: 'chunks', sequence, chunks });
  }

  #serveBlocks(to: ReplicaId, from: Height): void {
    const blocks: Uint8Array[] = [];
    let size = 0;
    for (let height = from; height <= this.#options.executor.height && blocks.length < 1024; height += 1) {
      const bytes = this.#options.blocks.read(height);
      if (bytes === undefined || (size > 0 && size + bytes.length > FRAGMENT_BYTES)) break;
      blocks.push(bytes);
      size += bytes.length;
    }
    this.#options.send(to, { kind: 'blocks', from, blocks });
  }

  // ---- fetching the state -----------------------------------------------------------------------------------------

  #ask(target: Target): void {
    const { send } = this.#options;
    const to = target.sources[0]!;
    const { sequence } = target.checkpoint;
    if (target.phase === 'blocks') return send(to, { kind: 'fetchBlocks', from: this.#nextHeight });
    let room = WINDOW - target.asked.size;
    for (const [key, { level, index }] of target.wantedNodes) {
      if (room <= 0) return;
      if (target.asked.has(key)) continue;
      target.asked.add(key);
      room -= 1;
      send(to, { kind: 'fetchNode', sequence, level, index });
    }
    const indexes: number[] = [];
    for (const index of target.wantedChunks.keys()) {
      if (target.asked.has(index)) continue;
      if (indexes.length === CHUNKS_PER_REQUEST) break;
      indexes.push(index);
    }
    // Chunks are asked for in one request at a time: an answer may hold fewer than were asked.
    const chunksAsked = [...target.asked].some((key) => typeof key === 'number');
    if (indexes.length === 0 || chunksAsked) return;
    for (const index of indexes) target.asked.add(index);
    send(to, { kind: 'fetchChunks', sequence, indexes });
  }

  #onNode(from: ReplicaId, frame: TransferFrame & { kind: 'node' }): void {
    const target = this.#target;
    const key = `${frame.level}/${frame.index}`;
    const wanted = target?.wantedNodes.get(key);
    if (target === undefined || wanted === undefined || frame.sequence !== target.checkpoint.sequence) return;
    const { chunkCount } = this.#options.executor;
    const place = { chunkCount, level: frame.level, index: frame.index };
    if (!verifyNode(this.#options.context, place, frame.children, wanted.trusted))
      return this.#distrust(target, from, 'wrongNode');
    target.wantedNodes.delete(key);
    target.asked.delete(key);
    target.progressed = true;
    this.#descend(target, frame.level, frame.index, frame.children);
    this.#advance(target);
  }

  #descend(target: Target, level: number, index: number, children: readonly Digest[]): void {
    const last = level === target.levels.length - 1;
    const own = target.own?.node(level, index) ?? [];
    children.forEach((digest, offset) => {
      const child = index * TREE_FAN_OUT + offset;
      target.levels[level]![child] = digest;
      if (own[offset] === digest) return;
      if (!last)
        target.wantedNodes.set(`${level + 1}/${child}`, { level: level + 1, index: child, trusted: digest });
      else if (!this.#have(target, child, digest)) target.wantedChunks.set(child, digest);
    });
  }

  #have(target: Target, index: number, digest: Digest): boolean {
    const bytes = target.chunks.get(index);
    if (bytes === undefined || !verifyChunk(this.#options.context.hash, index, bytes, digest)) return false;
    target.verified.add(index);
    return true;
  }

  #onChunks(from: ReplicaId, frame: TransferFrame & { kind: 'chunks' }): void {
    const target = this.#target;
    if (target === undefined || frame.sequence !== target.checkpoint.sequence || target.phase !== 'state')
      return;
    for (const { index, bytes } of frame.chunks) {
      const digest = target.wantedChunks.get(index);
      if (digest === undefined) continue;
      if (!verifyChunk(this.#options.context.hash, index, bytes, digest))
        return this.#distrust(target, from, 'wrongChunk');
      target.wantedChunks.delete(index);
      target.chunks.set(index, bytes.slice());
      target.verified.add(index);
      target.progressed = true;
    }
    for (const key of [...target.asked]) if (typeof key === 'number') target.asked.delete(key);
    this.#advance(target);
  }

  #advance(target: Target): void {
    if (target.phase === 'state' && target.wantedNodes.size === 0 && target.wantedChunks.size === 0) {
      return this.#finishState(target);
    }
    this.#ask(target);
  }

  #finishState(target: Target): void {
    const { executor, install, failed } = this.#options;
    if (target.checkpoint.sequence <= executor.executed) {
      this.#stop();
      return failed(target.checkpoint.sequence);
    }
    const { own } = target;
    const oldHeight = executor.height;
    // Chunks that were not fetched are equal to the own ones: read them before the state is replaced.
    const chunk = (index: number): Uint8Array =>
      target.verified.has(index) ? target.chunks.get(index)! : own!.chunk(index);
    if (!install(target.checkpoint, chunk)) {
      this.#stop();
      return failed(target.checkpoint.sequence);
    }
    target.chunks.clear();
    target.phase = 'blocks';
    // Who has dropped this state, or lied about it, may still be the only one that gives the blocks.
    target.sources = [...target.all];
    this.#haveHeight = oldHeight;
    this.#blocksBase = oldHeight;
    this.#nextBlocks(target);
  }

  // ---- fetching the blocks ----------------------------------------------------------------------------------------

  #haveHeight: Height = 0;
  #haveHash: Digest | undefined;
  #blocksBase: Height = 0;

  get #nextHeight(): Height {
    return this.#haveHeight + 1;
  }

  #nextBlocks(target: Target): void {
    if (this.#haveHeight < this.#options.executor.height) return this.#ask(target);
    this.#stop();
    this.#options.complete(target.checkpoint);
  }

  #onBlocks(from: ReplicaId, frame: TransferFrame & { kind: 'blocks' }): void {
    const target = this.#target;
    if (target?.phase !== 'blocks' || frame.from !== this.#nextHeight || from !== target.sources[0]) return;
    const { executor, blocks, context } = this.#options;
    for (const bytes of frame.blocks) {
      // A source that has executed more sends what follows the certified height too.
      if (this.#haveHeight >= executor.height) break;
      const block = decodeBlock(context.hash, bytes.slice());
      const { height } = block?.header ?? { height: -1 };
      const follows =
        block !== undefined && height === this.#nextHeight && this.#follows(block.header.previous);
      const right = follows && height <= executor.height && blockRootsFit(context.hash, block);
      const lastIsWrong = height === executor.height && block?.headerHash !== executor.headerHash;
      if (!right || lastIsWrong) {
        // Which of this source's blocks was wrong shows only at the certified end: start over from the own blocks.
        blocks.truncateAbove(this.#blocksBase);
        this.#haveHeight = this.#blocksBase;
        this.#haveHash = undefined;
        return this.#rotate(target, from, 'wrongBlock');
      }
      blocks.append(block);
      this.#haveHeight = height;
      this.#haveHash = block.headerHash;
      target.progressed = true;
    }
    if (frame.blocks.length === 0) return this.#rotate(target, from, 'noBlocks');
    this.#nextBlocks(target);
  }

  #follows(previous: Digest): boolean {
    return this.#haveHash === undefined || this.#haveHash === previous;
  }

  #rotate(target: Target, from: ReplicaId, reason: string): void {
    this.#options.ignored(reason, from);
    // The timer turns to the next source, and it alone: a turn here too would bring it back to this one, always. Asking at
    // once could loop between sources that have nothing.
    target.progressed = false;
  }

  // ---- sources ----------------------------------------------------------------------------------------------------

  #onGone(from: ReplicaId, sequence: SequenceNumber): void {
    const target = this.#target;
    if (target?.phase === 'state' && target.checkpoint.sequence === sequence) this.#leaveOut(target, from);
  }

  #distrust(target: Target, from: ReplicaId, reason: string): void {
    this.#options.ignored(reason, from);
    this.#leaveOut(target, from);
  }

  #leaveOut(target: Target, from: ReplicaId): void {
    if (!target.sources.includes(from)) return;
    target.sources = target.sources.filter((source) => source !== from);
    if (target.sources.length === 0) {
      this.#stop();
      return this.#options.failed(target.checkpoint.sequence);
    }
    target.asked.clear();
    this.#ask(target);
  }

  #stop(): void {
    this.#kept = this.#target?.chunks ?? new Map<number, Uint8Array>();
    this.#target = undefined;
    this.#haveHash = undefined;
    this.#options.cancelTimer();
  }
}
