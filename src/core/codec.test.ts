/** Parts of the codec that spare memory: what is written in place, or cut from shared room. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Writer } from './codec.ts';

const write = (writer: Writer, items: readonly number[]): void =>
  void writer.list(items, (w, item) => w.u16(item));

test('what is written nested is the same as its bytes, however often the room grows', () => {
  for (const count of [0, 1, 3_000]) {
    const items = Array.from({ length: count }, (_, index) => index);
    const inner = new Writer();
    write(inner, items);
    const expected = new Writer().u8(7).bytes(inner.finish()).u8(9).finish();
    assert.deepEqual(Writer.over(new Uint8Array(8)).u8(7).nested(items, write).u8(9).finish(), expected);
    assert.deepEqual(new Writer().u8(7).nested(items, write).u8(9).finish(), expected);
  }
});

test('views of what was written stay as they are, whatever the writer or others write later', () => {
  const writer = Writer.over(new Uint8Array(64));
  const views: Uint8Array[] = [];
  for (let round = 0; round < 200; round += 1) {
    const start = writer.length;
    views.push(writer.u16(round).u16(round).since(start));
  }
  writer.finish();
  for (let other = 0; other < 20; other += 1) new Writer().raw(new Uint8Array(4_096).fill(0xff)).finish();
  views.forEach((view, round) => {
    const low = round & 255;
    assert.deepEqual([...view], [round >>> 8, low, round >>> 8, low]);
  });
});

test('the room that a writer is given is written to as long as it suffices, and goes to no other writer', () => {
  const room = new Uint8Array(4);
  const writer = Writer.over(room).u16(0x0102).u16(0x0304);
  assert.deepEqual([...room], [1, 2, 3, 4]);
  assert.deepEqual([...writer.u8(5).finish()], [1, 2, 3, 4, 5]);
  Writer.over(room).finish();
  for (let other = 0; other < 20; other += 1) new Writer().u8(0xff);
  assert.deepEqual([...room], [1, 2, 3, 4]);
});
