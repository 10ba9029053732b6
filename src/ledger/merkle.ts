/**
 * Merkle trees over the leaves of a block (decision D1: transactions root, results root).
 *
 * Three kinds of hash never meet, because their inputs start with different bytes: a leaf digest starts with 0x00
 * (every domain tag is length-prefixed, and `leafDigest` writes 0x00), an inner node with 0x01, a root with 0x02. An odd
 * node at the end of a level is carried up unchanged instead of being paired with itself, and the root covers the
 * number of leaves: so two different lists of leaves never have one root, and a path fits one index only.
 */
import { hexToBytes, partToHex, putHex } from '../core/bytes.ts';
import { digestOf, hashInto } from '../core/domain.ts';
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
export function leafDigest(hash: Hash, content: Uint8Array): Digest {
  const bytes = new Uint8Array(1 + content.length);
  bytes[0] = LEAF;
  bytes.set(content, 1);
  return digestOf(hash, bytes);
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
  return digestOf(hash, bytes);
}

/**
 * The leaves of a tree, 32 bytes each, in one buffer. A level takes the place of the one below it, so that a tree costs no
 * memory beside its leaves.
 */
export class MerkleLeaves {
  #bytes: Uint8Array;
  /** Leaves so far. */
  #count = 0;

  /** `capacity`: leaves that will probably come. */
  constructor(capacity = 64) {
    this.#bytes = new Uint8Array(32 * Math.max(1, capacity));
  }

  push(leaf: Digest): void {
    const at = 32 * this.#count;
    if (at === this.#bytes.length) {
      const larger = new Uint8Array(2 * at);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    putHex(this.#bytes, at, leaf);
    this.#count += 1;
  }

  /** Root over the leaves, in order; nothing is left of them afterwards. An empty list has a root of its own. */
  takeRoot(hash: Hash): Digest {
    const count = this.#count;
    while (this.#count > 1) this.#rise(hash);
    return rootDigest(hash, count, count === 0 ? undefined : this.#bytes.subarray(0, 32));
  }

  /** The path of the leaf at `index` (0 <= index < count); nothing is left of the leaves afterwards. */
  takePath(hash: Hash, index: number): Digest[] {
    const path: Digest[] = [];
    for (let at = index; this.#count > 1; at >>>= 1) {
      const sibling = at ^ 1;
      if (sibling < this.#count) path.push(partToHex(this.#bytes, 32 * sibling, 32 * sibling + 32) as Digest);
      this.#rise(hash);
    }
    return path;
  }

  /** Replaces the level by the one above it. */
  #rise(hash: Hash): void {
    const bytes = this.#bytes;
    const pairs = this.#count >>> 1;
    for (let pair = 0; pair < pairs; pair += 1) {
      const from = 64 * pair;
      for (let index = 0; index < 64; index += 1) inner[1 + index] = bytes[from + index]!;
      hashInto(hash, inner, bytes, 32 * pair);
    }
    const isOdd = this.#count % 2 === 1;
    if (isOdd) bytes.copyWithin(32 * pairs, 64 * pairs, 64 * pairs + 32);
    this.#count = pairs + (isOdd ? 1 : 0);
  }
}

/** Root over leaf digests, in order. */
export function merkleRoot(hash: Hash, leaves: readonly Digest[]): Digest {
  return leavesOf(leaves).takeRoot(hash);
}

/** The path of the leaf at `index` (0 <= index < leaves.length). */
export function merkleProof(hash: Hash, leaves: readonly Digest[], index: number): MerkleProof {
  return { index, count: leaves.length, path: leavesOf(leaves).takePath(hash, index) };
}

function leavesOf(digests: readonly Digest[]): MerkleLeaves {
  const leaves = new MerkleLeaves(digests.length);
  for (const digest of digests) leaves.push(digest);
  return leaves;
}

/**
 * The root that a proof leads to for this leaf digest, or undefined if index, count and length of the path do not fit
 * each other. Compare it with the root in a verified header. Never throws, whatever numbers the proof claims.
 */
export function merkleRootOfProof(hash: Hash, leaf: Digest, proof: MerkleProof): Digest | undefined {
  const { index, count, path } = proof;
  const inRange = Number.isInteger(index) && Number.isInteger(count) && index >= 0 && index < count;
  if (!inRange || count > LEAVES_MAX || path.length > PATH_LENGTH_MAX) return undefined;
  let node = hexToBytes(leaf);
  if (node?.length !== 32) return undefined;
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
