/**
 * The hash tree over the chunks of a replica's state (decisions D3 and D6). The state digest
 * binds cluster, membership, number of chunks and all chunk bytes; a checkpoint rehashes changed chunks and the nodes
 * above them only. A replica that fetches state checks every answer from the root down with `verifyNode` and
 * `verifyChunk`, so that one honest source is enough and a lying one is found at its first wrong answer.
 *
 * Levels: level 0 lists the digests of the root's children, the last level lists the digests of all chunks. The node
 * (level, index) is the list of at most 16 digests from `16 * index` on at that level.
 */
import type { Domain } from '../core/domain.ts';
import { digestOf, domainTag, domainWriter, finishDigest } from '../core/domain.ts';
import { Writer } from '../core/codec.ts';
import type { Digest, Hash } from '../core/types.ts';

/** Children of a node, at most. */
export const TREE_FAN_OUT = 16;
/** Chunks of a state, at most. */
export const CHUNKS_MAX = 1 << 20;

/** What the digests of one cluster's tree are computed with. */
export interface TreeContext {
  readonly hash: Hash;
  readonly domain: Domain;
}

/** An immutable tree: `levels[0]` are the root's children, the last level are the chunks. */
export interface StateTree {
  readonly levels: readonly (readonly Digest[])[];
  readonly stateDigest: Digest;
}

/** Digests per level of a tree over `chunkCount` chunks, root's children first. The shape depends on nothing else. */
export function treeShape(chunkCount: number): number[] {
  const widths = [chunkCount];
  while (widths[0]! > TREE_FAN_OUT) widths.unshift(Math.ceil(widths[0]! / TREE_FAN_OUT));
  return widths;
}

/** Number of digests in the node (level, index) of a tree over `chunkCount` chunks; 0 if there is no such node. */
export function nodeWidth(chunkCount: number, level: number, index: number): number {
  const width = treeShape(chunkCount)[level];
  if (width === undefined || !Number.isInteger(index) || index < 0) return 0;
  return Math.max(0, Math.min(TREE_FAN_OUT, width - index * TREE_FAN_OUT));
}

const CHUNK_PREFIX = new Writer(64).ascii(domainTag('ledger', 'STATE-CHUNK')).finish();

/** Chunks up to this length are hashed without an allocation; nearly all are. */
const SHORT_CHUNK_BYTES = 16 * 1024;
const CHUNK_HEAD_BYTES = CHUNK_PREFIX.length + 8;

function chunkInput(length: number): { readonly bytes: Uint8Array; readonly view: DataView } {
  const bytes = new Uint8Array(CHUNK_HEAD_BYTES + length);
  bytes.set(CHUNK_PREFIX, 0);
  return { bytes, view: new DataView(bytes.buffer) };
}

/** One for all: nobody keeps what is being hashed. */
const shortChunk = chunkInput(SHORT_CHUNK_BYTES);

/**
 * Digest of a chunk: binds its index. One hash over a prefixed copy, because most chunks are small: a second hash (to
 * spare the copy) would cost more than the copy does.
 */
export function chunkDigest(hash: Hash, index: number, chunk: Uint8Array): Digest {
  const { bytes, view } = chunk.length <= SHORT_CHUNK_BYTES ? shortChunk : chunkInput(chunk.length);
  // Chunks are fewer than CHUNKS_MAX: the upper half of the index is zero.
  view.setUint32(CHUNK_HEAD_BYTES - 4, index);
  bytes.set(chunk, CHUNK_HEAD_BYTES);
  return digestOf(hash, bytes.subarray(0, CHUNK_HEAD_BYTES + chunk.length));
}

/** Digests of chunks that are an empty list, by index: nearly all chunks of a young state. */
const EMPTY_LISTS = new WeakMap<Hash, Digest[]>();

/** `chunkDigest`, which remembers the digests of chunks that hold an empty list (four zero bytes) and nothing else. */
export function chunkDigestOf(hash: Hash, index: number, bytes: Uint8Array): Digest {
  if (bytes.length !== 4 || bytes.some((byte) => byte !== 0)) return chunkDigest(hash, index, bytes);
  let known = EMPTY_LISTS.get(hash);
  if (known === undefined) EMPTY_LISTS.set(hash, (known = []));
  return (known[index] ??= chunkDigest(hash, index, bytes));
}

const NODE_PREFIX = new Writer(64).ascii(domainTag('ledger', 'STATE-NODE')).finish();

function nodeDigest(hash: Hash, level: number, index: number, children: readonly Digest[]): Digest {
  const writer = new Writer(NODE_PREFIX.length + 13 + 32 * children.length).raw(NODE_PREFIX);
  writer.u8(level).u64(index).u32(children.length);
  for (const child of children) writer.digest(child);
  return finishDigest(hash, writer);
}

function rootDigest(context: TreeContext, chunkCount: number, top: readonly Digest[]): Digest {
  const writer = domainWriter(domainTag('ledger', 'STATE'), context.domain).u64(chunkCount);
  writer.digest(nodeDigest(context.hash, 0, 0, top));
  return finishDigest(context.hash, writer);
}

function childrenAt(level: readonly Digest[], index: number): readonly Digest[] {
  return level.slice(index * TREE_FAN_OUT, (index + 1) * TREE_FAN_OUT);
}

/** Tree over the digests of all chunks, in order; at least one. */
export function buildTree(context: TreeContext, chunks: readonly Digest[]): StateTree {
  const levels: (readonly Digest[])[] = [chunks];
  for (let level = treeShape(chunks.length).length - 1; level > 0; level -= 1) {
    const below = levels[0]!;
    const above: Digest[] = [];
    for (let index = 0; index * TREE_FAN_OUT < below.length; index += 1)
      above.push(nodeDigest(context.hash, level, index, childrenAt(below, index)));
    levels.unshift(above);
  }
  return { levels, stateDigest: rootDigest(context, chunks.length, levels[0]!) };
}

/** Indexes of the nodes above these, which ascend; so do the results. */
function parentsOf(indexes: readonly number[]): number[] {
  const parents: number[] = [];
  let last = -1;
  for (const index of indexes) {
    const parent = Math.floor(index / TREE_FAN_OUT);
    if (parent === last) continue;
    parents.push(parent);
    last = parent;
  }
  return parents;
}

/** Chunks that changed, ascending, and their digests. */
export interface ChangedChunks {
  readonly indexes: readonly number[];
  readonly digests: readonly Digest[];
}

/** The tree after some chunks changed; `tree` stays as it is. */
export function updateTree(context: TreeContext, tree: StateTree, changed: ChangedChunks): StateTree {
  const levels = tree.levels.map((level) => level.slice());
  const leaves = levels.at(-1)!;
  changed.indexes.forEach((index, place) => (leaves[index] = changed.digests[place]!));
  let dirty = changed.indexes;
  for (let level = levels.length - 1; level > 0; level -= 1) {
    dirty = parentsOf(dirty);
    for (const index of dirty)
      levels[level - 1]![index] = nodeDigest(context.hash, level, index, childrenAt(levels[level]!, index));
  }
  return { levels, stateDigest: rootDigest(context, levels.at(-1)!.length, levels[0]!) };
}

/**
 * Puts the indexes from `from` on and before `to` of chunks whose digests are not the known ones into `into`, behind the
 * `found` that are there. Returns how many are there then.
 */
export function findChangedChunks(
  [known, leaves]: readonly [known: readonly (Digest | undefined)[], leaves: readonly Digest[]],
  [from, to]: readonly [from: number, to: number],
  into: Uint32Array,
  found: number,
): number {
  let count = found;
  for (let index = from; index < to; index += 1) {
    if (known[index] === leaves[index]) continue;
    into[count] = index;
    count += 1;
  }
  return count;
}

/** The digests of the node (level, index); empty if there is no such node. */
export function treeNode(tree: StateTree, level: number, index: number): readonly Digest[] {
  return childrenAt(tree.levels[level] ?? [], index);
}

/** Where a fetched node belongs. */
export interface NodePlace {
  /** Chunks of the state: known to the fetcher from its own executor, never from a source. */
  readonly chunkCount: number;
  readonly level: number;
  readonly index: number;
}

/**
 * Whether a source's answer is the node that a trusted digest stands for: the certified state digest at level 0, else
 * the digest at this index in the level above, which was verified before.
 */
export function verifyNode(
  context: TreeContext,
  place: NodePlace,
  children: readonly Digest[],
  trusted: Digest,
): boolean {
  const { chunkCount, level, index } = place;
  if (children.length === 0 || children.length !== nodeWidth(chunkCount, level, index)) return false;
  if (level === 0) return rootDigest(context, chunkCount, children) === trusted;
  return nodeDigest(context.hash, level, index, children) === trusted;
}

/** Whether a source's chunk is the one that a verified digest of the last level stands for. */
export function verifyChunk(hash: Hash, index: number, bytes: Uint8Array, trusted: Digest): boolean {
  return chunkDigest(hash, index, bytes) === trusted;
}
