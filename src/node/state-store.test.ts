import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, it } from 'node:test';
import { Prng } from '../core/prng.ts';
import { systemDisk } from './disk.ts';
import type { Disk } from './disk.ts';
import { StoreDamaged } from './journal.ts';
import { OpenedStore } from './snapshot.testing.ts';
import type { FoundSnapshot } from './snapshot.testing.ts';
import type { StateStoreOptions } from './state-store.ts';
import { TornDisk } from './torn-disk.testing.ts';

const FOLDER = '/state';
const CHUNKS = 30;
/** Several frames a snapshot, and a new generation now and then. */
const SMALL: Partial<StateStoreOptions> = { frameBytes: 400, syncBytes: 900, garbageBytesMin: 9000 };

function chunkOf(index: number, version: number): Uint8Array {
  const bytes = new Uint8Array(4 + ((index * 7) % 60)).fill(version);
  new DataView(bytes.buffer).setUint16(0, index);
  return bytes;
}

function newState(): Uint8Array[] {
  return Array.from({ length: CHUNKS }, (_, index) => chunkOf(index, 1));
}

/** Snapshots as they were ordered, each with `count` chunks changed since the one before; some go back to what they were. */
function history(random: Prng, snapshots: number, count: number): Uint8Array[][] {
  const state = newState();
  return Array.from({ length: snapshots }, () => {
    for (let each = 0; each < count; each += 1) {
      const index = random.between(0, CHUNKS - 1);
      state[index] = chunkOf(index, random.between(1, 3));
    }
    return [...state];
  });
}

/** What is found is a whole snapshot, and none before `least`. Returns which. */
function checkFound(
  found: FoundSnapshot | undefined,
  states: readonly Uint8Array[][],
  least: number,
  note: string,
) {
  const sequence = found?.sequence ?? 0;
  assert.ok(sequence >= least && sequence <= states.length, `${note}: snapshot ${sequence}, not ${least}`);
  if (found !== undefined)
    assert.deepEqual(found.chunks, states[sequence - 1], `${note}: snapshot ${sequence}`);
  return sequence;
}

/** What the system does now and then without being asked. */
async function writeBack(disk: TornDisk): Promise<void> {
  const { dieAt } = disk;
  disk.dieAt = Infinity;
  for (const name of disk.list(FOLDER)) await (await disk.open(path.join(FOLDER, name))).sync();
  await disk.syncFolder();
  disk.dieAt = dieAt;
}

describe('state store', () => {
  it('gives back the latest snapshot over restarts on a real disk, though only what changed was written', async () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'moiety-state-'));
    const file = path.join(folder, 'state-0000000001.dat');
    try {
      let opened = await OpenedStore.at(systemDisk, folder);
      assert.equal(opened.store.load(), undefined);
      const state = newState();
      state[0] = new Uint8Array(20_000);
      opened.order(10, state);
      assert.deepEqual(opened.stored, [], 'never from inside the call');
      await opened.untilStored(10);
      const { size, mode } = fs.statSync(file);
      assert.equal(mode & 0o777, 0o600);
      state[7] = chunkOf(7, 2);
      await opened.keep(20, state);
      assert.ok(fs.statSync(file).size - size < 400 + 4096, 'a chunk, a description, a seal');
      await opened.store.close();
      opened = await OpenedStore.at(systemDisk, folder);
      assert.deepEqual(opened.found(CHUNKS), { sequence: 20, chunks: state });
      // What is stored is known after the restart, too.
      state[8] = chunkOf(8, 3);
      await opened.keep(40, state);
      assert.ok(fs.statSync(file).size - size < 2 * (400 + 4096));
      await opened.store.close();
      opened = await OpenedStore.at(systemDisk, folder);
      assert.deepEqual(opened.found(CHUNKS), { sequence: 40, chunks: state });
      await opened.store.close();
      assert.deepEqual(fs.readdirSync(folder), ['state-0000000001.dat']);
    } finally {
      fs.rmSync(folder, { recursive: true });
    }
  });

  it('answers a snapshot that a newer one overtook, once the newer one is durable', async () => {
    const opened = await OpenedStore.at(new TornDisk(), FOLDER);
    const state = newState();
    for (const sequence of [10, 20, 30]) {
      state[0] = chunkOf(0, sequence);
      opened.order(sequence, state);
    }
    await opened.untilStored(30);
    assert.deepEqual(opened.stored, [10, 20, 30]);
    assert.deepEqual(opened.found(CHUNKS), { sequence: 30, chunks: state });
    await opened.store.close();
  });

  it('stores nothing before what it must not outlive is durable', async () => {
    const disk = new TornDisk();
    const opened = await OpenedStore.at(disk, FOLDER, { beforeSnapshot: () => Promise.resolve(false) });
    opened.order(10, newState());
    await opened.store.close();
    assert.deepEqual(opened.stored, []);
    assert.deepEqual(disk.list(FOLDER), []);
  });

  it('writes the next generation when there is too much garbage, and drops the former one', async () => {
    const disk = new TornDisk();
    const opened = await OpenedStore.at(disk, FOLDER, SMALL);
    const states = history(new Prng(1), 60, 12);
    const generations = new Set<string>();
    for (const [index, state] of states.entries()) {
      await opened.keep(index + 1, state);
      const names = disk.list(FOLDER);
      assert.equal(names.length, 1);
      generations.add(names[0]!);
      const { length } = disk.read(path.join(FOLDER, names[0]!));
      assert.ok(length < 20_000, `${length} bytes for a state of 2,300 with its digests`);
    }
    assert.ok(generations.size > 5 && generations.size < 50, `${generations.size} generations`);
    const found = (await OpenedStore.at(disk, FOLDER)).found(CHUNKS);
    assert.equal(checkFound(found, states, 60, 'at the end'), 60);
  });

  it('takes a state with another number of chunks as a new one', async () => {
    const disk = new TornDisk();
    const opened = await OpenedStore.at(disk, FOLDER, SMALL);
    await opened.keep(1, newState());
    await opened.keep(2, newState().slice(3));
    const found = (await OpenedStore.at(disk, FOLDER)).found(CHUNKS - 3);
    assert.deepEqual(found, { sequence: 2, chunks: newState().slice(3) });
  });

  it('reads a file record by record, also one with a chunk that is longer than a record should be', async () => {
    const disk = new TornDisk();
    const long = newState().with(3, new Uint8Array(5_000).fill(7));
    await (await OpenedStore.at(disk, FOLDER, SMALL)).keep(1, long);
    let most = 0;
    const watched: Disk = {
      makeFolder: () => undefined,
      list: (folder) => disk.list(folder),
      read: () => assert.fail('the file is read as a whole'),
      rename: (from, to) => disk.rename(from, to),
      remove: (file) => disk.remove(file),
      syncFolder: () => disk.syncFolder(),
      async open(name) {
        const file = await disk.open(name);
        const readNow = (position: number, length: number): Uint8Array => {
          most = Math.max(most, length);
          return file.readNow(position, length);
        };
        return { ...file, readNow };
      },
    };
    const again = await OpenedStore.at(watched, FOLDER, SMALL);
    assert.deepEqual(again.found(CHUNKS), { sequence: 1, chunks: long });
    assert.ok(most > 5_000 && most < 5_600, `${most} bytes at once`);
  });

  it('lets other work run between the frames that it writes', async () => {
    const opened = await OpenedStore.at(new TornDisk(), FOLDER, SMALL);
    let turns = 0;
    let running = true;
    const turn = (): void => {
      turns += 1;
      if (running) setImmediate(turn);
    };
    setImmediate(turn);
    await opened.keep(1, newState());
    running = false;
    assert.ok(turns >= 5, `${turns} turns`);
  });

  it('does not sync unless it is to be durable', async () => {
    const disk = new TornDisk();
    const opened = await OpenedStore.at(disk, FOLDER, { durable: false });
    await opened.keep(1, newState());
    // Removing the temporary name, opening, header, chunks, description, renaming. No seal: nothing is known to last.
    assert.equal(disk.steps, 6);
    await opened.keep(2, newState());
    assert.equal(disk.steps, 7, 'nothing changed: a description alone');
    await opened.store.close();
    const again = await OpenedStore.at(disk, FOLDER, { durable: false });
    assert.equal(disk.steps, 8, 'opening alone');
    assert.equal(again.found(CHUNKS)!.sequence, 2);
  });
});

describe('state store on a bad disk', () => {
  it('finds a whole snapshot, the last one stored or a newer one, after a power cut at any step', async () => {
    const [seen, kept] = [new Set<string>(), new Set<number>()];
    for (let seed = 0; seed < 300; seed += 1) {
      const random = new Prng(seed);
      const states = history(random, 12, random.between(0, 20));
      const disk = new TornDisk();
      disk.dieAt = random.between(1, 120);
      const opened = await OpenedStore.at(disk, FOLDER, SMALL);
      let stored = 0;
      for (let sequence = 1; sequence <= 10; sequence += 1) {
        if (!(await opened.keep(sequence, states[sequence - 1]!))) break;
        stored = sequence;
      }
      const after = disk.crash(random);
      const again = await OpenedStore.at(after, FOLDER, SMALL);
      const sequence = checkFound(again.found(CHUNKS), states, stored, `seed ${seed}`);
      kept.add(sequence);
      seen.add(after.list(FOLDER).join());
      // It goes on from there, whatever a snapshot that was not finished left behind.
      for (const next of [11, 12]) assert.ok(await again.keep(next, states[next - 1]!), again.fatal.join());
      const last = (await OpenedStore.at(after.crash(random), FOLDER)).found(CHUNKS);
      assert.equal(checkFound(last, states, 12, `seed ${seed}, later`), 12);
    }
    assert.ok(seen.size > 3 && kept.size > 8, `${seen.size} generations, ${kept.size} snapshots`);
  });

  it('without syncs finds some whole snapshot or none after a power cut, or says what may have been cut', async () => {
    const outcomes = { none: 0, former: 0, last: 0, refused: 0 };
    for (let seed = 0; seed < 200; seed += 1) {
      const random = new Prng(seed);
      const states = history(random, 10, random.between(0, 20));
      const disk = new TornDisk();
      // Nothing is padded here.
      const options = { ...SMALL, garbageBytesMin: 1500, durable: false };
      let last = 0;
      // The process is killed once or not at all before the power is cut: what it wrote half is cut off and written over.
      for (const from of random.chance(0.5) ? [1, 6] : [1]) {
        disk.dieAt = disk.steps + random.between(12, 90);
        const opened = await OpenedStore.at(disk, FOLDER, options);
        for (let sequence = from; sequence <= from + 4; sequence += 1) {
          if (!(await opened.keep(sequence, states[sequence - 1]!))) break;
          last = sequence;
          if (random.chance(0.2)) await writeBack(disk);
        }
        disk.dieAt = Infinity;
      }
      try {
        const again = await OpenedStore.at(disk.crash(random), FOLDER, options);
        const sequence = checkFound(again.found(CHUNKS), states, 0, `seed ${seed}`);
        outcomes[sequence === 0 ? 'none' : sequence < last ? 'former' : 'last'] += 1;
      } catch (error) {
        assert.ok(error instanceof StoreDamaged, String(error));
        assert.match(
          error.message,
          /\(a power cut without durability fsync\?\).*moiety fault wipe/,
          `seed ${seed}`,
        );
        outcomes.refused += 1;
      }
    }
    for (const [outcome, count] of Object.entries(outcomes)) assert.ok(count > 2, `${outcome}: ${count}`);
  });

  it('forgets chunks that were written without a description, even if they are never written again', async () => {
    const disk = new TornDisk();
    const state = newState();
    const opened = await OpenedStore.at(disk, FOLDER);
    await opened.keep(1, state);
    // The process dies before the description: chunk 5 is in the file in its second version.
    disk.dieAt = disk.steps + 2;
    await opened.keep(2, state.with(5, chunkOf(5, 2)));
    assert.equal(opened.fatal.length, 1);
    const [file] = disk.list(FOLDER);
    const length = disk.read(path.join(FOLDER, file!)).length;
    disk.dieAt = Infinity;
    const again = await OpenedStore.at(disk, FOLDER);
    assert.ok(disk.read(path.join(FOLDER, file!)).length < length);
    await again.keep(3, state.with(6, chunkOf(6, 2)));
    const found = (await OpenedStore.at(disk, FOLDER)).found(CHUNKS);
    assert.deepEqual(found, { sequence: 3, chunks: state.with(6, chunkOf(6, 2)) });
  });

  it('says once that a write, a sync or a rename failed, at every step, and stores nothing afterwards', async () => {
    for (const [code, advice] of [
      ['ENOSPC', /disk is full: free space on it/],
      ['EDQUOT', /disk is full: free space on it/],
      ['EIO', /Check the disk/],
    ] as const) {
      for (let step = 1, failed = true; failed; step += 1) {
        const states = history(new Prng(step), 8, 14);
        const disk = new TornDisk();
        disk.failAt = step;
        disk.failCode = code;
        const opened = await OpenedStore.at(disk, FOLDER, SMALL);
        let stored = 0;
        for (let sequence = 1; sequence <= 7; sequence += 1) {
          if (!(await opened.keep(sequence, states[sequence - 1]!))) break;
          stored = sequence;
        }
        failed = stored < 7;
        opened.order(8, states[7]!);
        await opened.store.close();
        const note = `${code} at step ${step}`;
        if (failed) {
          assert.equal(opened.fatal.length, 1, note);
          assert.match(opened.fatal[0]!, /^Storing a snapshot failed on \/state: /);
          assert.match(opened.fatal[0]!, advice);
          assert.ok(!opened.stored.includes(8));
        }
        const again = await OpenedStore.at(disk, FOLDER, SMALL);
        checkFound(again.found(CHUNKS), states, stored, note);
        assert.equal(disk.list(FOLDER).length, stored === 0 && again.found(CHUNKS) === undefined ? 0 : 1);
      }
    }
  });

  it('never takes an older snapshot for the last one, whichever page of the file goes bad', async () => {
    const PAGE = 4096;
    const outcomes = { last: 0, refused: 0 };
    for (let size = 0; size < PAGE + 100; size += 37) {
      const disk = new TornDisk();
      const opened = await OpenedStore.at(disk, FOLDER);
      const state = newState();
      await opened.keep(1, state);
      // Wherever in a page the description ends.
      state[3] = new Uint8Array(size).fill(9);
      await opened.keep(2, state);
      const file = path.join(FOLDER, disk.list(FOLDER)[0]!);
      const whole = disk.read(file);
      for (let page = 0; page < whole.length; page += PAGE) {
        const bad = whole.slice();
        bad.fill(0, page, page + PAGE);
        disk.replace(file, bad);
        try {
          const found = (await OpenedStore.at(disk, FOLDER)).found(CHUNKS);
          assert.deepEqual(found, { sequence: 2, chunks: state }, `chunk of ${size} bytes, page at ${page}`);
          outcomes.last += 1;
        } catch (error) {
          if (!(error instanceof StoreDamaged)) throw error;
          outcomes.refused += 1;
        }
      }
    }
    // What says that the description is durable may go bad itself.
    assert.ok(outcomes.last > 100 && outcomes.refused > 100, JSON.stringify(outcomes));
  });

  it('refuses a chunk that went bad after the store was opened', async () => {
    const disk = new TornDisk();
    const opened = await OpenedStore.at(disk, FOLDER);
    await opened.keep(1, newState());
    const file = '/state/state-0000000001.dat';
    const at = Buffer.from(disk.read(file)).indexOf(chunkOf(5, 1));
    disk.damage(file, at + 6);
    const { chunk } = opened.store.load()!;
    assert.deepEqual(chunk(4), chunkOf(4, 1));
    assert.throws(
      () => chunk(5),
      (error: Error) => {
        assert.ok(error instanceof StoreDamaged);
        assert.match(
          error.message,
          /state-0000000001\.dat is damaged at offset \d+: chunk 5 .*moiety fault wipe/,
        );
        return true;
      },
    );
  });
});
