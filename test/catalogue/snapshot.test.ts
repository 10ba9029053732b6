/**
 * D-01, D-02, D-04 of docs/scenarios.md: the file of snapshots, cut and damaged at every byte, with parts at the place of
 * others, with old ones. It may refuse with a sentence; it never gives a chunk that is not of the snapshot.
 */
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { FILE_HEADER_BYTES, FRAME_HEAD_BYTES, FRAME_OVERHEAD_BYTES } from '../../src/node/frame-file.ts';
import { StoreDamaged } from '../../src/node/journal.ts';
import { OpenedStore } from '../../src/node/snapshot.testing.ts';
import type { FoundSnapshot } from '../../src/node/snapshot.testing.ts';
import { TornDisk } from '../../src/node/torn-disk.testing.ts';
import { spoiltSectors } from '../support/spoilt-sectors.ts';

const FOLDER = '/state';
const FILE = '/state/state-0000000001.dat';
/** First byte of a record that only fills a page. */
const PADDING = 3;
const CHUNKS = 12;
const SMALL = { frameBytes: 300 };
/** Snapshots that the file holds, by sequence number. */
const STATES = new Map([1, 2, 3].map((sequence) => [sequence, stateAt(sequence)]));

/** All chunks change with each snapshot, but those that are as in the one before the last. */
function stateAt(sequence: number): Uint8Array[] {
  return Array.from({ length: CHUNKS }, (_, index) =>
    new Uint8Array(40).fill(index % 3 === 0 ? index : 16 * sequence + index),
  );
}

/** Where the last description ends: padding and a seal may stand behind it. */
function endOfDescription(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let end = 0;
  for (let at = FILE_HEADER_BYTES; at < bytes.length;) {
    const length = view.getUint32(at + 4);
    const isMore = length === 0 || bytes[at + FRAME_HEAD_BYTES] === PADDING;
    at += FRAME_OVERHEAD_BYTES + length;
    if (!isMore) end = at;
  }
  return end;
}

/** A file that holds the snapshots, and where each of them ends. */
async function fileOf(durable: boolean): Promise<{ readonly bytes: Uint8Array; readonly ends: number[] }> {
  const disk = new TornDisk();
  const opened = await OpenedStore.at(disk, FOLDER, { ...SMALL, durable });
  const ends: number[] = [];
  for (const [sequence, state] of STATES) {
    await opened.keep(sequence, state);
    ends.push(endOfDescription(disk.read(FILE)));
  }
  await opened.store.close();
  return { bytes: disk.read(FILE), ends };
}

let whole: Uint8Array;
let ends: number[];

/** What is found in a file with these bytes; undefined if it is refused with its sentence. */
async function foundIn(bytes: Uint8Array): Promise<FoundSnapshot | undefined> {
  const disk = new TornDisk();
  disk.replace(FILE, bytes);
  try {
    const opened = await OpenedStore.at(disk, FOLDER, SMALL);
    const found = opened.found(CHUNKS);
    assert.ok(found !== undefined, 'a damaged store is not a new one');
    assert.deepEqual(found.chunks, STATES.get(found.sequence), 'another chunk than was stored');
    // It goes on, and what it holds then can be read.
    await opened.keep(9, found.chunks);
    assert.deepEqual((await OpenedStore.at(disk, FOLDER)).found(CHUNKS), { ...found, sequence: 9 });
    return found;
  } catch (error) {
    assert.ok(error instanceof StoreDamaged, String(error));
    assert.match(error.message, /is damaged at offset \d+: .*moiety fault wipe/s);
    return undefined;
  }
}

before(async () => {
  ({ bytes: whole, ends } = await fileOf(true));
});

describe('D-01: the file of snapshots', () => {
  it('cut at any byte holds a whole snapshot or is refused', async () => {
    for (let length = 0; length < whole.length; length += 1) {
      const found = await foundIn(whole.slice(0, length));
      const left = ends.filter((end) => end <= length).length;
      assert.equal(found?.sequence, left === 0 ? undefined : left, `cut at ${length}`);
    }
  });
});

describe('D-02, D-04: the file of snapshots', () => {
  it('with any byte damaged gives the right snapshot or refuses with a sentence', async () => {
    for (let at = 0; at < whole.length; at += 1) {
      for (const mask of [1, 0x80, 0xff]) {
        const damaged = whole.slice();
        damaged[at]! ^= mask;
        const found = await foundIn(damaged);
        // Behind the last snapshot there is a seal alone, which may be lost.
        assert.equal(found?.sequence, at < ends[2]! ? undefined : 3, `byte ${at}`);
      }
    }
  });

  it('written without syncs, with any byte damaged gives a whole snapshot or refuses', async () => {
    const { bytes, ends: places } = await fileOf(false);
    for (let at = 0; at < bytes.length; at += 1) {
      const damaged = bytes.slice();
      damaged[at]! ^= 1;
      const found = await foundIn(damaged);
      const before = places.filter((end) => end <= at).length;
      assert.equal(found?.sequence, before === 0 ? undefined : before, `byte ${at}`);
    }
  });

  it('with any sector read as zeros, as another sector, or doubled gives nothing that was not stored', async () => {
    for (const damaged of spoiltSectors(whole)) await foundIn(damaged);
  });

  it('refuses a value that was written to the place of another', async () => {
    const place = (sequence: number, index: number): number =>
      Buffer.from(whole).indexOf(STATES.get(sequence)![index]!);
    const misdirected = whole.slice();
    misdirected.set(STATES.get(3)![5]!, place(3, 7));
    assert.equal(await foundIn(misdirected), undefined);
  });

  it('refuses an old value under the place of a new one', async () => {
    const place = Buffer.from(whole).indexOf(STATES.get(3)![7]!);
    const stale = whole.slice();
    stale.set(STATES.get(2)![7]!, place);
    assert.equal(await foundIn(stale), undefined);
    // Records that were written twice, or are left out: what stands before them is there at most.
    const doubled = new Uint8Array([...whole.subarray(0, ends[1]), ...whole.subarray(ends[0], ends[2])]);
    assert.ok(((await foundIn(doubled))?.sequence ?? 0) <= 2);
    const shortened = new Uint8Array([...whole.subarray(0, ends[0]), ...whole.subarray(ends[1])]);
    assert.ok(((await foundIn(shortened))?.sequence ?? 0) <= 1);
  });
});
