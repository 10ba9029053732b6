/** Byte strings cut from pieces: each is what was written, whatever is written after it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Writer } from './codec.ts';
import { finishPiece } from './pieces.ts';

const COUNT = 300;

test('what was cut stays as it was while others are cut from the same piece', () => {
  const made: { readonly bytes: Uint8Array; readonly fill: number; readonly length: number }[] = [];
  for (let index = 0; index < COUNT; index += 1) {
    const length = (index * 7) % 1_500;
    const fill = index % 256;
    const bytes = finishPiece(new Writer().raw(new Uint8Array(length).fill(fill)));
    made.push({ bytes, fill, length });
  }
  for (const { bytes, fill, length } of made) {
    assert.equal(bytes.length, length);
    assert.ok(bytes.every((byte) => byte === fill));
  }
});

test('a long one keeps nothing alive but itself, a short one at most a piece', () => {
  const long = finishPiece(new Writer().raw(new Uint8Array(5_000)));
  assert.equal(long.buffer.byteLength, 5_000);
  const short = finishPiece(new Writer().raw(new Uint8Array(200)));
  assert.ok(short.buffer.byteLength <= 4_096);
});
