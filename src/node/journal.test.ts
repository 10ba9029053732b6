import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, it } from 'node:test';
import { Prng } from '../core/prng.ts';
import { systemDisk } from './disk.ts';
import type { Disk } from './disk.ts';
import { FILE_HEADER_BYTES } from './frame-file.ts';
import type { Durability, Journal } from './journal.ts';
import { openJournal, StoreDamaged } from './journal.ts';
import { TornDisk } from './torn-disk.testing.ts';

const FOLDER = '/journal';
const FILE_ONE = '/journal/journal-0000000001.log';

function recordOf(index: number): Uint8Array {
  const bytes = new Uint8Array(8 + ((index * 37) % 90));
  new DataView(bytes.buffer).setUint32(0, index);
  bytes.fill(index & 255, 4);
  return bytes;
}

function indexOf(record: Uint8Array): number {
  return new DataView(record.buffer, record.byteOffset).getUint32(0);
}

class Rig {
  readonly synced: number[] = [];
  readonly fatal: string[] = [];
  journal!: Journal;
  records: readonly Uint8Array[] = [];
  cutBytes = 0;
  #waiters: (() => void)[] = [];

  async open(disk: Disk, folder = FOLDER, durability: Durability = 'fsync'): Promise<this> {
    const wake = (): void => {
      for (const waiter of this.#waiters.splice(0)) waiter();
    };
    const opened = await openJournal(disk, folder, durability, {
      onSynced: (token) => {
        this.synced.push(token);
        wake();
      },
      onFatal: (sentence) => {
        this.fatal.push(sentence);
        wake();
      },
    });
    this.journal = opened.journal;
    this.records = opened.records;
    this.cutBytes = opened.cutBytes;
    return this;
  }

  async untilSynced(token: number): Promise<void> {
    while (!this.synced.includes(token) && this.fatal.length === 0)
      await new Promise<void>((resolve) => this.#waiters.push(resolve));
  }
}

describe('journal', () => {
  it('gives back what was synced, in order, after a restart on a real disk', async () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'moiety-journal-'));
    try {
      const first = await new Rig().open(systemDisk, folder);
      for (let index = 0; index < 10; index += 1) first.journal.append(recordOf(index));
      first.journal.sync(1);
      await first.untilSynced(1);
      first.journal.append(recordOf(10));
      await first.journal.close();
      const second = await new Rig().open(systemDisk, folder);
      assert.deepEqual(second.records.map(indexOf), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
      assert.deepEqual(second.records[7], Uint8Array.from(recordOf(7)));
      assert.equal(second.cutBytes, 0);
      await second.journal.close();
      assert.equal(fs.statSync(path.join(folder, 'journal-0000000001.log')).mode & 0o777, 0o600);
    } finally {
      fs.rmSync(folder, { recursive: true });
    }
  });

  it('writes a turn with one write and one sync, and collects the next group meanwhile', async () => {
    const disk = new TornDisk();
    const rig = await new Rig().open(disk);
    const before = disk.steps;
    for (let index = 0; index < 100; index += 1) {
      rig.journal.append(recordOf(index));
      rig.journal.sync(index + 1);
    }
    await rig.untilSynced(100);
    assert.equal(disk.steps - before, 2);
    assert.deepEqual(
      rig.synced,
      Array.from({ length: 100 }, (_, index) => index + 1),
    );
  });

  it('finds a prefix with everything synced after a power cut at any moment (200 seeds)', async () => {
    let torn = 0;
    for (let seed = 0; seed < 200; seed += 1) {
      const random = new Prng(seed);
      const disk = new TornDisk();
      const rig = await new Rig().open(disk);
      let base = 0;
      let next = 0;
      let acknowledged = 0;
      const rewrites = new Map<number, number>();
      const bases = new Set([0]);
      disk.dieAt = disk.steps + random.between(1, 60);
      for (let round = 1; round < 40 && rig.fatal.length === 0; round += 1) {
        const count = random.between(0, 4);
        for (let each = 0; each < count; each += 1) rig.journal.append(recordOf(next++));
        if (random.chance(0.2)) {
          base = random.between(base, next);
          bases.add(base);
          const kept = Array.from({ length: next - base }, (_, offset) => recordOf(base + offset));
          rewrites.set(round, base);
          rig.journal.rewrite(kept, round);
        } else rig.journal.sync(round);
        const upTo = next;
        if (random.chance(0.6)) {
          await rig.untilSynced(round);
          if (rig.synced.includes(round)) acknowledged = upTo;
        }
      }
      const found = await new Rig().open(disk.crash(random));
      if (found.cutBytes > 0) torn += 1;
      const indexes = found.records.map(indexOf);
      if (indexes.length > 0) {
        assert.ok(bases.has(indexes[0]!), `seed ${seed}: starts at ${indexes[0]}`);
        assert.deepEqual(
          indexes,
          indexes.map((_, offset) => indexes[0]! + offset),
          `seed ${seed}: a hole`,
        );
      }
      const lastRewrite = Math.max(0, ...rig.synced.filter((token) => rewrites.has(token)));
      const newestBase = rewrites.get(lastRewrite) ?? 0;
      const end = indexes.length > 0 ? indexes.at(-1)! + 1 : Math.max(...bases);
      assert.ok(end >= acknowledged, `seed ${seed}: ${end} < ${acknowledged}`);
      if (indexes.length > 0) assert.ok(indexes[0]! >= newestBase, `seed ${seed}: an old generation`);
      found.journal.append(recordOf(end));
      found.journal.sync(1);
      await found.untilSynced(1);
      assert.deepEqual(found.fatal, []);
    }
    assert.ok(torn > 10, `only ${torn} torn tails`);
  });

  it('leaves the old or the new generation when it dies at any step of a rewrite', async () => {
    for (let step = 1; step <= 12; step += 1) {
      for (let seed = 0; seed < 8; seed += 1) {
        const disk = new TornDisk();
        const rig = await new Rig().open(disk);
        rig.journal.append(recordOf(1));
        rig.journal.sync(1);
        await rig.untilSynced(1);
        disk.dieAt = disk.steps + step;
        rig.journal.rewrite([recordOf(7), recordOf(8)], 2);
        rig.journal.append(recordOf(9));
        rig.journal.sync(3);
        await rig.untilSynced(3);
        const found = (await new Rig().open(disk.crash(new Prng(seed)))).records.map(indexOf);
        const text = found.join();
        if (rig.synced.includes(3)) assert.equal(text, '7,8,9');
        else if (rig.synced.includes(2)) assert.match(text, /^7,8(,9)?$/);
        else assert.match(text, /^(1|7,8(,9)?)$/);
      }
    }
  });

  it('refuses damage to what was durable and says file, offset and the way back', async () => {
    const disk = new TornDisk();
    const rig = await new Rig().open(disk);
    for (let index = 0; index < 3; index += 1) {
      rig.journal.append(recordOf(index));
      rig.journal.sync(index + 1);
      await rig.untilSynced(index + 1);
    }
    disk.damage(FILE_ONE, FILE_HEADER_BYTES + 56 + 50);
    await assert.rejects(new Rig().open(disk), (error: Error) => {
      assert.ok(error instanceof StoreDamaged);
      assert.match(error.message, /journal-0000000001\.log is damaged at offset 120: .*moiety fault wipe/);
      return true;
    });
  });

  it('refuses a damaged rewritten part even if nothing follows it', async () => {
    const disk = new TornDisk();
    const rig = await new Rig().open(disk);
    rig.journal.rewrite([recordOf(1), recordOf(2)], 1);
    await rig.untilSynced(1);
    const file = '/journal/journal-0000000002.log';
    const bytes = disk.read(file);
    disk.replace(file, bytes.slice(0, FILE_HEADER_BYTES + 30));
    await assert.rejects(new Rig().open(disk), StoreDamaged);
  });

  it('refuses spliced and foreign files', async () => {
    const disk = new TornDisk();
    const rig = await new Rig().open(disk);
    const ends: number[] = [];
    for (let index = 0; index < 4; index += 1) {
      rig.journal.append(recordOf(0));
      rig.journal.sync(index + 1);
      await rig.untilSynced(index + 1);
      ends.push(rig.journal.fileBytes);
    }
    const whole = disk.read(FILE_ONE);
    const spliced = whole.slice();
    spliced.set(whole.subarray(ends[1]!, ends[2]), ends[0]);
    disk.replace(FILE_ONE, spliced);
    await assert.rejects(new Rig().open(disk), StoreDamaged);
    disk.replace(FILE_ONE, new TextEncoder().encode('not a journal at all'));
    await assert.rejects(new Rig().open(disk), /offset 0: its header/);
  });

  it('acknowledges nothing after the disk ran full, and says so once', async () => {
    const disk = new TornDisk();
    const rig = await new Rig().open(disk);
    disk.failAt = disk.steps + 1;
    rig.journal.append(recordOf(1));
    rig.journal.sync(1);
    await rig.untilSynced(1);
    rig.journal.append(recordOf(2));
    rig.journal.sync(2);
    await rig.journal.close();
    assert.deepEqual(rig.synced, []);
    assert.equal(rig.fatal.length, 1);
    assert.match(rig.fatal[0]!, /disk is full.*nothing acknowledged is lost/);
  });

  it('does not sync with durability os, and keeps everything over a clean stop with memory', async () => {
    for (const durability of ['os', 'memory'] as const) {
      const disk = new TornDisk();
      const rig = await new Rig().open(disk, FOLDER, durability);
      const before = disk.steps;
      rig.journal.append(recordOf(1));
      rig.journal.sync(1);
      assert.deepEqual(rig.synced, [], 'never from inside the call');
      await rig.untilSynced(1);
      await new Promise((resolve) => setImmediate(resolve));
      // With memory nobody waits for the disk: what was appended is written later, with more.
      assert.equal(disk.steps - before, durability === 'os' ? 1 : 0);
      rig.journal.append(recordOf(2));
      await rig.journal.close();
      const found = await new Rig().open(disk, FOLDER, durability);
      assert.deepEqual(found.records.map(indexOf), [1, 2]);
      for (const record of found.records)
        assert.equal(record.constructor, Uint8Array, 'plain bytes for pure code');
    }
  });
});
