import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { digestOf, sha256, testSettings, utf8 } from '../../test/support/ledger-fixture.ts';
import type { Digest } from '../core/types.ts';
import {
  buildTree,
  chunkDigest,
  nodeWidth,
  treeNode,
  treeShape,
  updateTree,
  verifyChunk,
  verifyNode,
} from './state-tree.ts';

const context = { hash: sha256, domain: testSettings() };
const chunksOf = (count: number) =>
  Array.from({ length: count }, (_, index) => chunkDigest(sha256, index, utf8(`chunk ${index}`)));

/** Fetches all chunk digests as a lagging replica does: from the root down, every node verified. */
function fetchLeaves(
  chunkCount: number,
  stateDigest: Digest,
  ask: (level: number, index: number) => readonly Digest[],
): Digest[] | undefined {
  let trusted: Digest[] = [stateDigest];
  for (let level = 0; level < treeShape(chunkCount).length; level += 1) {
    const below: Digest[] = [];
    for (const [index, digest] of trusted.entries()) {
      const children = ask(level, index);
      if (!verifyNode(context, { chunkCount, level, index }, children, digest)) return undefined;
      below.push(...children);
    }
    trusted = below;
  }
  return trusted;
}

test('top-down transfer gives exactly the chunk digests, for every shape', () => {
  for (const count of [1, 2, 15, 16, 17, 255, 256, 257, 515, 4097]) {
    const chunks = chunksOf(count);
    const tree = buildTree(context, chunks);
    const fetched = fetchLeaves(count, tree.stateDigest, (level, index) => treeNode(tree, level, index));
    assert.deepEqual(fetched, chunks);
  }
});

test('an update hashes to what building from scratch gives, and leaves the older tree alone', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 600 }),
      fc.array(fc.tuple(fc.nat(), fc.string())),
      (count, list) => {
        const chunks = chunksOf(count);
        const tree = buildTree(context, chunks);
        const changes = new Map(list.map(([at, value]): [number, Digest] => [at % count, digestOf(value)]));
        const indexes = [...changes.keys()].sort((a, b) => a - b);
        const digests = indexes.map((index) => changes.get(index)!);
        const updated = updateTree(context, tree, { indexes, digests });
        const expected = chunks.map((digest, index) => changes.get(index) ?? digest);
        assert.deepEqual(updated, buildTree(context, expected));
        assert.deepEqual(tree, buildTree(context, chunks));
      },
    ),
    { numRuns: 30 },
  );
});

test('a wrong node at any place is found at once', () => {
  const count = 300;
  const tree = buildTree(context, chunksOf(count));
  for (let level = 0; level < 3; level += 1)
    for (let index = 0; nodeWidth(count, level, index) > 0; index += 1) {
      const ask = (l: number, i: number) => {
        const children = treeNode(tree, l, i);
        if (l !== level || i !== index) return children;
        return children.map((digest, at) => (at === children.length - 1 ? digestOf('lie') : digest));
      };
      assert.equal(fetchLeaves(count, tree.stateDigest, ask), undefined, `level ${level} index ${index}`);
    }
});

test('nodes of another place, width, number of chunks or cluster are refused', () => {
  const tree = buildTree(context, chunksOf(300));
  const node = treeNode(tree, 1, 0);
  const trusted = treeNode(tree, 0, 0)[0]!;
  const place = { chunkCount: 300, level: 1, index: 0 };
  assert.ok(verifyNode(context, place, node, trusted));
  assert.ok(!verifyNode(context, { ...place, index: 1 }, node, trusted));
  assert.ok(!verifyNode(context, { ...place, level: 2 }, node, trusted));
  assert.ok(!verifyNode(context, { ...place, level: 9 }, node, trusted));
  assert.ok(!verifyNode(context, { ...place, index: -1 }, node, trusted));
  assert.ok(!verifyNode(context, place, node.slice(1), trusted));
  assert.ok(!verifyNode(context, place, [], trusted));
  const root = { chunkCount: 300, level: 0, index: 0 };
  const top = treeNode(tree, 0, 0);
  assert.ok(verifyNode(context, root, top, tree.stateDigest));
  assert.ok(!verifyNode(context, { ...root, chunkCount: 301 }, top, tree.stateDigest));
  const elsewhere = { hash: sha256, domain: { ...testSettings(), clusterId: digestOf('another') } };
  assert.ok(!verifyNode(elsewhere, root, top, tree.stateDigest));
});

test('a chunk is bound to its index and to every byte', () => {
  const bytes = utf8('content of a chunk');
  const digest = chunkDigest(sha256, 7, bytes);
  assert.ok(verifyChunk(sha256, 7, bytes, digest));
  assert.ok(!verifyChunk(sha256, 8, bytes, digest));
  bytes.forEach((_, at) => {
    const changed = bytes.slice();
    changed[at]! ^= 1;
    assert.ok(!verifyChunk(sha256, 7, changed, digest));
  });
});
