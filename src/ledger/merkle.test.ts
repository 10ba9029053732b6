import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { digestOf, sha256, utf8 } from '../../test/support/ledger-fixture.ts';
import { bytesToDigest, digestToBytes } from '../core/bytes.ts';
import type { Digest } from '../core/types.ts';
import { leafDigest, merkleProof, merkleRoot, merkleRootOfProof } from './merkle.ts';

const leavesOf = (count: number) =>
  Array.from({ length: count }, (_, index) => leafDigest(sha256, utf8(`leaf ${index}`)));

test('a proof leads every leaf of every small tree to its root, and no other leaf or index', () => {
  for (let count = 1; count <= 33; count += 1) {
    const leaves = leavesOf(count);
    const root = merkleRoot(sha256, leaves);
    leaves.forEach((leaf, index) => {
      const proof = merkleProof(sha256, leaves, index);
      assert.equal(merkleRootOfProof(sha256, leaf, proof), root);
      const other = leafDigest(sha256, utf8('another'));
      assert.notEqual(merkleRootOfProof(sha256, other, proof), root);
      for (let wrong = 0; wrong < count; wrong += 1)
        if (wrong !== index)
          assert.notEqual(merkleRootOfProof(sha256, leaf, { ...proof, index: wrong }), root);
    });
  }
});

test('repeating the last leaf, or cutting leaves off, never keeps the root', () => {
  const roots = new Set<string>();
  for (let count = 0; count <= 20; count += 1) {
    const leaves = leavesOf(count);
    roots.add(merkleRoot(sha256, leaves));
    if (count > 0) roots.add(merkleRoot(sha256, [...leaves, leaves.at(-1)!]));
  }
  assert.equal(roots.size, 41);
});

test('an inner node cannot pass as a leaf', () => {
  const leaves = leavesOf(4);
  const root = merkleRoot(sha256, leaves);
  const pair = (left: Digest, right: Digest) =>
    bytesToDigest(sha256(new Uint8Array([1, ...digestToBytes(left), ...digestToBytes(right)])));
  const inner = [pair(leaves[0]!, leaves[1]!), pair(leaves[2]!, leaves[3]!)];
  assert.notEqual(merkleRoot(sha256, inner), root);
  const short = merkleProof(sha256, inner, 0);
  assert.notEqual(merkleRootOfProof(sha256, inner[0]!, short), root);
  assert.equal(merkleRootOfProof(sha256, inner[0]!, { ...short, count: 4 }), undefined);
});

test('a tampered proof never leads to the root and never throws', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 70 }), fc.nat(), fc.nat(), (count, pick, change) => {
      const leaves = leavesOf(count);
      const root = merkleRoot(sha256, leaves);
      const index = pick % count;
      const proof = merkleProof(sha256, leaves, index);
      const leaf = leaves[index]!;
      const paths: Digest[][] = [[...proof.path, digestOf('more')]];
      if (proof.path.length > 0) {
        const changed = proof.path.map((step, at) =>
          at === change % proof.path.length ? digestOf('x') : step,
        );
        paths.push(proof.path.slice(0, -1), changed);
      }
      for (const path of paths) assert.notEqual(merkleRootOfProof(sha256, leaf, { ...proof, path }), root);
      for (const wrongCount of [count + 1, count - 1, count * 2])
        assert.notEqual(merkleRootOfProof(sha256, leaf, { ...proof, count: wrongCount }), root);
    }),
    { numRuns: 60 },
  );
});

test('absurd claims are answered with undefined', () => {
  const leaf = leafDigest(sha256, utf8('leaf'));
  const claims = [
    { index: -1, count: 1, path: [] },
    { index: 0, count: 0, path: [] },
    { index: 0.5, count: 1, path: [] },
    { index: 0, count: Number.NaN, path: [] },
    { index: 0, count: 2 ** 40, path: [] },
    { index: 0, count: 2, path: ['no digest' as Digest] },
    { index: 0, count: 2, path: ['ab' as Digest] },
  ];
  for (const claim of claims) assert.equal(merkleRootOfProof(sha256, leaf, claim), undefined);
  for (const noLeaf of ['', 'ab', 'x'.repeat(64)])
    assert.equal(merkleRootOfProof(sha256, noLeaf as Digest, { index: 0, count: 1, path: [] }), undefined);
});
