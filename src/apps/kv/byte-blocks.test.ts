import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Prng } from '../../core/prng.ts';
import { BucketStore } from './buckets.ts';
import { ByteBlocks } from './byte-blocks.ts';

const BLOCK_BYTES = 1024 * 1024;

interface Place {
  readonly block: number;
  readonly at: number;
  readonly size: number;
}

function allocate(blocks: ByteBlocks, size: number, fill: number): Place {
  blocks.allocate(size);
  const { block, at } = blocks;
  blocks.bytes(block).fill(fill, at, at + size);
  return { block, at, size };
}

function bytesHeld(blocks: ByteBlocks): number {
  return blocks.list().reduce((sum, { length }) => sum + length, 0);
}

describe('blocks of bytes', () => {
  it('hold at most about twice what is in use after many rounds of rewriting, if what lies in sparse ones is moved', () => {
    const blocks = new ByteBlocks();
    const random = new Prng(1);
    const sizeOf = (): number => (random.chance(0.01) ? 100_000 : random.between(1, 8_000));
    const places = Array.from({ length: 1_000 }, (_, index) => allocate(blocks, sizeOf(), index % 251));
    for (let round = 0; round < 60; round += 1) {
      for (const [index, { block, size }] of places.entries()) {
        const isMoved = blocks.isSparse(block);
        if (!isMoved && random.chance(0.8)) continue;
        places[index] = allocate(blocks, isMoved ? size : sizeOf(), index % 251);
        blocks.release(block, size);
      }
      const used = places.reduce((sum, { size }) => sum + size, 0);
      // What became sparse within this round is moved in the next.
      const most = 2 * used + 2 * BLOCK_BYTES;
      assert.ok(bytesHeld(blocks) <= most, `round ${round}: ${bytesHeld(blocks)} bytes for ${used}`);
    }
    for (const [index, { block, at, size }] of places.entries()) {
      const bytes = blocks.bytes(block).subarray(at, at + size);
      assert.ok(
        bytes.every((byte) => byte === index % 251),
        `string ${index}`,
      );
    }
  });

  it('leave what a list holds as it is when the number of a block is used again', () => {
    const blocks = new ByteBlocks();
    const first = allocate(blocks, 60_000, 1);
    const rest = Array.from({ length: 20 }, () => allocate(blocks, 60_000, 2));
    const list = blocks.list();
    blocks.release(first.block, first.size);
    for (const { block, size } of rest) if (block === first.block) blocks.release(block, size);
    assert.equal(blocks.bytes(first.block).length, 0, 'given up');
    const again = allocate(blocks, 70_000, 3);
    assert.equal(again.block, first.block);
    const bytes = list[first.block]!.subarray(first.at, first.at + first.size);
    assert.ok(bytes.every((byte) => byte === 1));
  });

  it('give a string of more than 64 KiB up as soon as it is released', () => {
    const blocks = new ByteBlocks();
    allocate(blocks, 10, 1);
    const held = bytesHeld(blocks);
    const long = allocate(blocks, 64 * 1024 + 1, 2);
    assert.equal(bytesHeld(blocks), held + 64 * 1024 + 1, 'a block of its own');
    assert.ok(!blocks.isSparse(long.block));
    blocks.release(long.block, long.size);
    assert.equal(bytesHeld(blocks), held);
    assert.equal(allocate(blocks, 64 * 1024, 3).block, 0, 'not longer: with others');
  });
});

describe('frozen buckets', () => {
  it('stay what they were while blocks are given up and their numbers used again', () => {
    const store = new BucketStore(8);
    const random = new Prng(2);
    const put = (): void => {
      const key = new Uint8Array([1, random.between(0, 200)]);
      store.put(key, new Uint8Array(random.between(0, 40_000)).fill(random.between(0, 255)));
    };
    const kept: { readonly chunk: (index: number) => Uint8Array; readonly copies: Uint8Array[] }[] = [];
    for (let round = 0; round < 12; round += 1) {
      for (let each = 0; each < 60; each += 1) put();
      const { chunk } = store.freeze();
      kept.push({ chunk, copies: Array.from({ length: 8 }, (_, index) => chunk(index).slice()) });
      for (const view of kept) {
        for (const [index, copy] of view.copies.entries())
          assert.ok(Buffer.compare(view.chunk(index), copy) === 0, `round ${round}, bucket ${index}`);
      }
    }
  });
});
