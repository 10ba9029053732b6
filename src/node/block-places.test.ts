import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BlockPlaces } from './block-places.ts';

const SEGMENT_BLOCKS = 1000;
const place = (height: number) => ({
  segment: Math.floor(height / SEGMENT_BLOCKS),
  position: 64 + (height % SEGMENT_BLOCKS) * 3_000_000,
});

describe('places of blocks', () => {
  it('tells of each block where it stands and which transactions are in it, also after many', () => {
    const places = new BlockPlaces();
    assert.equal(places.numberAfter(0), 1);
    for (let height = 1; height <= 20_000; height += 1)
      places.add(place(height).segment, place(height).position, height % 4);
    let number = 1;
    for (let height = 1; height <= 20_000; height += 1) {
      assert.deepEqual(places.at(height), { ...place(height), firstNumber: number });
      number += height % 4;
      assert.equal(places.numberAfter(height), number);
    }
    assert.equal(places.at(0), undefined);
    assert.equal(places.at(20_001), undefined);
  });

  it('goes on after it was cut, wherever', () => {
    for (const cut of [0, 1, 8191, 8192, 8193, 16_384]) {
      const places = new BlockPlaces();
      for (let height = 1; height <= 20_000; height += 1) places.add(1, height, 2);
      places.truncateAbove(cut);
      assert.equal(places.height, cut);
      assert.equal(places.at(cut + 1), undefined);
      assert.equal(places.numberAfter(cut), 1 + 2 * cut);
      places.add(2, 7, 1);
      assert.deepEqual(places.at(cut + 1), { segment: 2, position: 7, firstNumber: 1 + 2 * cut });
      assert.equal(places.numberAfter(cut + 1), 2 + 2 * cut);
    }
  });

  it('keeps sixteen bytes for each block', () => {
    const before = process.memoryUsage().arrayBuffers;
    const places = new BlockPlaces();
    for (let height = 1; height <= 200_000; height += 1) places.add(1, height, 2);
    assert.ok(process.memoryUsage().arrayBuffers - before < 200_000 * 17 + 1_000_000);
    assert.equal(places.height, 200_000);
  });
});
