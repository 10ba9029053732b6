/**
 * Merkle trees over the leaves of a block (decision D1: transactions root, results root).
 *
 * Three kinds of hash never meet, because their inputs start with different bytes: a leaf digest starts with 0x00
 * (every domain tag is length-prefixed, and `leafDigest` writes 0x00), an inner node with 0x01, a root with 0x02. An odd
 * node at the end of a level is carried up unchanged instead of being paired with itself, and the root covers the
 * number of leaves: so two different lists of leaves never have one root, and a path fits one index only.
 */
import { bytesToDigest, hexToBytes } from '../core/bytes.ts';
import type { Digest, Hash } from '../core/types.ts';

const LEAF = 0x00;
const INNER = 0x01;
const ROOT = 0x02;

/** Leaves of one tree, at most: what a receipt or a block may claim. */
export const LEAVES_MAX = 1 << 20;
/** Digests of one path, at most. */
export const PATH_LENGTH_MAX = 20;

/** Shows that a leaf stands at `index` of the `count` leaves under a root. */
export interface MerkleProof {
  readonly index: number;
  readonly count: number;
  /** Siblings from the leaf upwards; levels at which the node is carried up have none. */
  readonly path: readonly Digest[];
}

/** Digest of leaf content that is not already a domain-separated digest: SHA-256(0x00, content). */
export function leafDigest(hash: Hash, content: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(1 + content.length);
  bytes[0] = LEAF;
  bytes.set(content, 1);
  return hash(bytes);
}

/** Two digests behind the byte of inner nodes. One for all: nobody keeps what is being hashed. */
const inner = new Uint8Array(65);
inner[0] = INNER;

function innerDigest(hash: Hash, left: Uint8Array, right: Uint8Array): Uint8Array {
  inner.set(left, 1);
  inner.set(right, 33);
  return hash(inner);
}

function rootDigest(hash: Hash, count: number, top: Uint8Array | undefined): Digest {
  const bytes = new Uint8Array(top === undefined ? 5 : 37);
  bytes[0] = ROOT;
  new DataView(bytes.buffer).setUint32(1, count);
  if (top !== undefined) bytes.set(top, 5);
  return bytesToDigest(hash(bytes));
}

function levelAbove(hash: Hash, level: readonly Uint8Array[]): Uint8Array[] {
  const above: Uint8Array[] = [];
  for (let index = 0; index + 1 < level.length; index += 2)
    above.push(innerDigest(hash, level[index]!, level[index + 1]!));
  if (level.length % 2 === 1) above.push(level.at(-1)!);
  return above;
}

/** Root over leaf digests of 32 bytes each, in order. An empty list has a root of its own. */
export function merkleRoot(hash: Hash, leaves: readonly Uint8Array[]): Digest {
  let level = leaves;
  while (level.length > 1) level = levelAbove(hash, level);
  return rootDigest(hash, leaves.length, level[0]);
}

/** The path of the leaf at `index` (0 <= index < leaves.length). */
export function merkleProof(hash: Hash, leaves: readonly Uint8Array[], index: number): MerkleProof {
  const path: Digest[] = [];
  let level = leaves;
  for (let at = index; level.length > 1; at >>>= 1) {
    const sibling = level[at ^ 1];
    if (sibling !== undefined) path.push(bytesToDigest(sibling));
    level = levelAbove(hash, level);
  }
  return { index, count: leaves.length, path };
}

/**
 * The root that a proof leads to for this leaf digest, or undefined if index, count and length of the path do not fit
 * each other. Compare it with the root in a verified header. Never throws, whatever numbers the proof claims.
 */
export function merkleRootOfProof(hash: Hash, leaf: Uint8Array, proof: MerkleProof): Digest | undefined {
  const { index, count, path } = proof;
  const inRange = Number.isInteger(index) && Number.isInteger(count) && index >= 0 && index < count;
  if (!inRange || count > LEAVES_MAX || path.length > PATH_LENGTH_MAX || leaf.length !== 32) return undefined;
  let node = leaf;
  let used = 0;
  let width = count;
  for (let at = index; width > 1; at >>>= 1) {
    if ((at ^ 1) < width) {
      const sibling = hexToBytes(path[used] ?? '');
      if (sibling?.length !== 32) return undefined;
      node = at % 2 === 0 ? innerDigest(hash, node, sibling) : innerDigest(hash, sibling, node);
      used += 1;
    }
    width = (width + 1) >>> 1;
  }
  return used === path.length ? rootDigest(hash, count, node) : undefined;
}
