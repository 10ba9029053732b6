import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Digest } from '../core/types.ts';
import type { LinkFrame } from './link-frames.ts';
import {
  decodeLinkFrame,
  encodeLinkFrame,
  FRAGMENT_BYTES,
  fragmentFrame,
  Reassembler,
} from './link-frames.ts';

const hash = (bytes: Uint8Array): Uint8Array => new Uint8Array(createHash('sha256').update(bytes).digest());
const digest = 'ab'.repeat(32) as Digest;
const bytes = new Uint8Array([1, 2, 3]);

const frames: LinkFrame[] = [
  { kind: 'protocol', bytes },
  { kind: 'body', bytes },
  { kind: 'fetchBody', digest },
  { kind: 'bundle', bytes },
  { kind: 'fragment', whole: digest, index: 1, count: 2, bytes },
  { kind: 'headerSignature', height: 7, headerHash: digest, signature: new Uint8Array(64) },
  { kind: 'fetchNode', sequence: 8, level: 1, index: 70_000 },
  { kind: 'node', sequence: 8, level: 1, index: 3, children: [digest, digest] },
  { kind: 'fetchChunks', sequence: 8, indexes: [1, 2] },
  { kind: 'chunks', sequence: 8, chunks: [{ index: 4, bytes }] },
  { kind: 'fetchBlocks', from: 9 },
  { kind: 'blocks', from: 9, blocks: [bytes, bytes] },
  { kind: 'gone', sequence: 10 },
];

describe('link frames', () => {
  it('decode to what was encoded', () => {
    for (const frame of frames) assert.deepEqual(decodeLinkFrame(encodeLinkFrame(frame)), frame);
  });

  it('accept nothing but canonical bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => {
        const frame = decodeLinkFrame(noise);
        if (frame !== undefined) assert.deepEqual(encodeLinkFrame(frame), noise);
      }),
      { numRuns: 2000 },
    );
    for (const frame of frames) {
      const whole = encodeLinkFrame(frame);
      assert.equal(decodeLinkFrame(whole.subarray(0, -1)), undefined);
      assert.equal(decodeLinkFrame(new Uint8Array([...whole, 0])), undefined);
    }
  });
});

describe('fragments (decision B7)', () => {
  const large = encodeLinkFrame({ kind: 'protocol', bytes: new Uint8Array(3 * FRAGMENT_BYTES).fill(5) });
  const parts = fragmentFrame(hash, large).map(
    (part) => decodeLinkFrame(part) as LinkFrame & { kind: 'fragment' },
  );

  it('leave a small frame alone', () => {
    const small = encodeLinkFrame(frames[0]!);
    assert.deepEqual(fragmentFrame(hash, small), [small]);
  });

  it('come together in any order, duplicates included, across a re-sending', () => {
    const reassembler = new Reassembler(hash);
    assert.equal(reassembler.add(parts[2]!), undefined);
    assert.equal(reassembler.add(parts[2]!), undefined);
    assert.equal(reassembler.add(parts[3]!), undefined);
    assert.equal(reassembler.add(parts[0]!), undefined);
    assert.deepEqual(reassembler.add(parts[1]!), large);
  });

  it('with a changed part are not handed on', () => {
    const reassembler = new Reassembler(hash);
    const changed = { ...parts[0]!, bytes: new Uint8Array(FRAGMENT_BYTES) };
    for (const part of [changed, ...parts.slice(1)]) assert.equal(reassembler.add(part), undefined);
  });

  it('of many frames at once stay bounded: the oldest is dropped', () => {
    const reassembler = new Reassembler(hash);
    assert.equal(reassembler.add(parts[0]!), undefined);
    for (let index = 0; index < 100; index += 1) {
      const whole = index.toString(16).padStart(64, '0') as Digest;
      assert.equal(reassembler.add({ ...parts[0]!, whole }), undefined);
    }
    for (const part of parts.slice(1)) assert.equal(reassembler.add(part), undefined);
  });
});
