/** Parts of the codec that spare memory: what is written in place, cut from shared room, or known already. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Reader, Writer } from './codec.ts';

const write = (writer: Writer, items: readonly number[]): void =>
  void writer.list(items, (w, item) => w.u16(item));

test('what is written nested is the same as its bytes, however often the room grows', () => {
  for (const count of [0, 1, 3_000]) {
    const items = Array.from({ length: count }, (_, index) => index);
    const inner = new Writer();
    write(inner, items);
    const expected = new Writer().u8(7).bytes(inner.finish()).u8(9).finish();
    assert.deepEqual(new Writer(new Uint8Array(8)).u8(7).nested(items, write).u8(9).finish(), expected);
    assert.deepEqual(new Writer().u8(7).nested(items, write).u8(9).finish(), expected);
  }
});

test('views of what was written stay as they are, whatever the writer or others write later', () => {
  const writer = new Writer(new Uint8Array(64));
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

test('known bytes are given themselves where they are said again, and change nothing of what is read', () => {
  const known = Uint8Array.of(1, 2, 3);
  const said = (...bytes: readonly number[]): Uint8Array =>
    new Writer().bytes(Uint8Array.from(bytes)).u8(5).finish();
  const again = new Reader(said(1, 2, 3));
  assert.equal(again.bytes(10, known), known);
  assert.equal(again.u8(), 5);
  assert.equal(again.done(), true);
  for (const other of [[1, 2, 4], [1, 2], [1, 2, 3, 4], []]) {
    const reader = new Reader(said(...other));
    assert.deepEqual([...reader.bytes(10, known)], other);
    assert.equal(reader.u8(), 5);
    assert.equal(reader.done(), true);
  }
  const long = new Uint8Array(100).fill(1);
  assert.notEqual(new Reader(said(...long)).bytes(100, long), long, 'only a few bytes are compared');
  for (let length = 0; length < 7; length += 1) {
    const reader = new Reader(said(1, 2, 3).subarray(0, length));
    assert.equal(reader.bytes(10, known).length, 0, 'cut off');
    assert.equal(reader.failed, true);
  }
  const tooLong = new Reader(said(1, 2, 3));
  assert.equal(tooLong.bytes(2, known).length, 0);
  assert.equal(tooLong.failed, true);
});
