/**
 * D-01, D-02, D-04, D-05, D-07, D-08, D-16 of docs/scenarios.md: journal and block files, cut and damaged at every byte,
 * and disks that fail at every step. A store may refuse with a sentence or know less; it never gives what was not written.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, it } from 'node:test';
import { Prng } from '../../src/core/prng.ts';
import type { Digest } from '../../src/core/types.ts';
import type { Block, Transaction } from '../../src/ledger/contract.ts';
import type { BlockStore } from '../../src/node/block-store.ts';
import { openBlockStore } from '../../src/node/block-store.ts';
import type { Disk } from '../../src/node/disk.ts';
import { systemDisk } from '../../src/node/disk.ts';
import type { Journal } from '../../src/node/journal.ts';
import { openJournal, StoreDamaged } from '../../src/node/journal.ts';
import { TornDisk } from '../../src/node/torn-disk.testing.ts';
import { spoiltSectors } from '../support/spoilt-sectors.ts';

const JOURNAL = '/journal';
const JOURNAL_FILE = '/journal/journal-0000000001.log';
const BLOCKS = '/blocks';
/** What the system says when a disk or a process is at its end. */
const ERRORS = ['ENOSPC', 'EIO', 'EROFS', 'EACCES', 'EMFILE', 'EDQUOT'];

/** A journal and what it said. */
class Opened {
  readonly synced: number[] = [];
  readonly fatal: string[] = [];
  journal!: Journal;
  records: string[] = [];
  #wake: (() => void)[] = [];

  static async at(disk: Disk, folder = JOURNAL): Promise<Opened> {
    const self = new Opened();
    const told = (): void => {
      for (const wake of self.#wake.splice(0)) wake();
    };
    const opened = await openJournal(disk, folder, 'fsync', {
      onSynced: (token) => {
        self.synced.push(token);
        told();
      },
      onFatal: (sentence) => {
        self.fatal.push(sentence);
        told();
      },
    });
    self.journal = opened.journal;
    self.records = opened.records.map((record) => Buffer.from(record).toString('hex'));
    return self;
  }

  /** Appends one record and waits until it is durable or the disk has failed. */
  async write(record: string, token: number): Promise<void> {
    this.journal.append(Buffer.from(record, 'hex'));
    this.journal.sync(token);
    while (!this.synced.includes(token) && this.fatal.length === 0)
      await new Promise<void>((resolve) => this.#wake.push(resolve));
  }
}

function recordAt(index: number): string {
  return Buffer.alloc(5 + index * 7, index + 1).toString('hex');
}

/** A disk with a journal of some groups, each durable before the next; and where each begins. */
async function journalOf(groups: number): Promise<{ disk: TornDisk; records: string[]; starts: number[] }> {
  const disk = new TornDisk();
  const opened = await Opened.at(disk);
  const records = Array.from({ length: groups }, (_, index) => recordAt(index));
  const starts: number[] = [];
  for (const [index, record] of records.entries()) {
    starts.push(opened.journal.fileBytes);
    await opened.write(record, index + 1);
  }
  await opened.journal.close();
  return { disk, records, starts };
}

function isRefusal(error: unknown): boolean {
  return error instanceof StoreDamaged && /is damaged.*moiety fault wipe/s.test(error.message);
}

/** What is found, or undefined if the store refuses with its sentence. */
async function found<T>(open: () => Promise<T>): Promise<T | undefined> {
  try {
    return await open();
  } catch (error) {
    assert.ok(isRefusal(error), String(error));
    return undefined;
  }
}

describe('D-01, D-02, D-04: a journal', () => {
  it('cut at any byte of its last record loses that record alone, and goes on', async () => {
    const { disk, records, starts } = await journalOf(4);
    const whole = disk.read(JOURNAL_FILE);
    for (let length = starts[3]!; length < whole.length; length += 1) {
      disk.replace(JOURNAL_FILE, whole.slice(0, length));
      const first = await Opened.at(disk);
      assert.deepEqual(first.records, records.slice(0, 3), `cut at ${length}`);
      await first.write('c0ffee', 1);
      await first.journal.close();
      assert.deepEqual((await Opened.at(disk)).records, [...records.slice(0, 3), 'c0ffee']);
    }
  });

  it('cut at any other byte gives a front part or refuses', async () => {
    const { disk, records, starts } = await journalOf(4);
    const whole = disk.read(JOURNAL_FILE);
    for (let length = 0; length < whole.length; length += 1) {
      disk.replace(JOURNAL_FILE, whole.slice(0, length));
      const opened = await found(() => Opened.at(disk));
      if (length < starts[0]!) assert.equal(opened, undefined, `cut at ${length}`);
      else assert.deepEqual(opened?.records, records.slice(0, opened?.records.length), `cut at ${length}`);
    }
  });

  it('with any byte damaged refuses; damage in its last record may look like a torn one', async () => {
    const { disk, records, starts } = await journalOf(4);
    const whole = disk.read(JOURNAL_FILE);
    for (let at = 0; at < whole.length; at += 1) {
      for (const mask of [1, 0x80, 0xff]) {
        const damaged = whole.slice();
        damaged[at]! ^= mask;
        disk.replace(JOURNAL_FILE, damaged);
        const opened = await found(() => Opened.at(disk));
        if (at < starts[3]!) assert.equal(opened, undefined, `byte ${at}`);
        else assert.deepEqual(opened?.records ?? records.slice(0, 3), records.slice(0, 3), `byte ${at}`);
      }
    }
  });

  it('with any sector read as zeros, as another sector, or doubled gives nothing that was not written', async () => {
    const { disk, records } = await journalOf(24);
    const whole = disk.read(JOURNAL_FILE);
    for (const damaged of spoiltSectors(whole)) {
      disk.replace(JOURNAL_FILE, damaged);
      const opened = await found(() => Opened.at(disk));
      if (opened === undefined) continue;
      assert.deepEqual(opened.records, records.slice(0, opened.records.length));
      // One sector may hold the end of the last record but one.
      assert.ok(
        opened.records.length >= 22 || Buffer.from(damaged).equals(whole),
        `${opened.records.length} records are left`,
      );
    }
  });
});

function hashFor(height: number): Digest {
  return (height * 65_537).toString(16).padStart(64, '0') as Digest;
}

function blockAt(height: number): Block {
  const transactions = Array.from({ length: (height % 3) + 1 }, () => ({}) as Transaction);
  const header = { height } as Block['header'];
  return { header, headerHash: hashFor(height), transactions, bytes: new Uint8Array(30).fill(height) };
}

function openBlocks(disk: Disk, segmentBytes: number, fatal: string[] = []): Promise<BlockStore> {
  const onFatal = (sentence: string): void => void fatal.push(sentence);
  return openBlockStore({ disk, folder: BLOCKS, replicas: 3, durable: true, onFatal, segmentBytes });
}

const HEIGHT = 8;
const signatureOf = (height: number) => ({ replica: height % 3, signature: new Uint8Array(64).fill(height) });

async function blocksOf(segmentBytes: number): Promise<TornDisk> {
  const disk = new TornDisk();
  const store = await openBlocks(disk, segmentBytes);
  for (let height = 1; height <= HEIGHT; height += 1) {
    store.append(blockAt(height));
    store.sign(height, hashFor(height), signatureOf(height));
    assert.ok(await store.flush());
  }
  await store.close();
  return disk;
}

/** Whatever a store says about its blocks is true. */
function checkBlocks(store: BlockStore, what: string): void {
  assert.ok(store.height <= HEIGHT, what);
  let number = 1;
  for (let height = 1; height <= store.height; height += 1) {
    const block = blockAt(height);
    const bytes = store.read(height);
    assert.ok(bytes === undefined || Buffer.from(bytes).equals(block.bytes), `${what}: block ${height}`);
    assert.equal(
      store.headerHash(height) ?? block.headerHash,
      block.headerHash,
      `${what}: hash of ${height}`,
    );
    const { first, count } = store.numbersOf(height) ?? { first: number, count: block.transactions.length };
    assert.deepEqual([first, count], [number, block.transactions.length], `${what}: numbers of ${height}`);
    for (const kept of store.signatures(height)) assert.deepEqual(kept, signatureOf(height), what);
    number += block.transactions.length;
  }
}

describe('D-01, D-02: block files', () => {
  for (const [name, segmentBytes] of [
    ['one segment', 100_000],
    ['many segments', 200],
  ] as const) {
    it(`${name}: any damaged byte is noticed at the start or when it is read`, async () => {
      const disk = await blocksOf(segmentBytes);
      for (const file of disk.list(BLOCKS).map((each) => `${BLOCKS}/${each}`)) {
        const whole = disk.read(file);
        for (let at = 0; at < whole.length; at += 1) {
          const damaged = whole.slice();
          damaged[at]! ^= at % 2 === 0 ? 1 : 0x80;
          disk.replace(file, damaged);
          const store = await found(() => openBlocks(disk, segmentBytes));
          if (store !== undefined) checkBlocks(store, `${file} byte ${at}`);
          disk.replace(file, whole);
        }
      }
    });

    it(`${name}: cut at any byte of the last file, a front part is left`, async () => {
      const disk = await blocksOf(segmentBytes);
      const last = disk
        .list(BLOCKS)
        .filter((each) => each.startsWith('blocks-'))
        .at(-1)!;
      const file = `${BLOCKS}/${last}`;
      const whole = disk.read(file);
      for (let length = 0; length < whole.length; length += 1) {
        disk.replace(file, whole.slice(0, length));
        const store = await found(() => openBlocks(disk, segmentBytes));
        if (store !== undefined) checkBlocks(store, `cut at ${length}`);
      }
    });
  }
});

describe('D-05, D-07, D-08: a disk that fails once, at any step, with any error', () => {
  it('ends the journal: nothing is acknowledged after it, nothing acknowledged is lost', async () => {
    for (const code of ERRORS) {
      for (let step = 1; step <= 14; step += 1) {
        const disk = new TornDisk();
        const opened = await Opened.at(disk);
        disk.failCode = code;
        disk.failAt = disk.steps + step;
        let acknowledged = 0;
        for (let token = 1; token <= 5; token += 1) {
          if (token === 3)
            opened.journal.rewrite(
              [recordAt(1), recordAt(2)].map((hex) => Buffer.from(hex, 'hex')),
              100,
            );
          await opened.write(recordAt(token), token);
          if (opened.synced.includes(token)) acknowledged = token;
        }
        assert.equal(opened.fatal.length, 1, `${code} at ${step}`);
        assert.match(opened.fatal[0]!, /failed on .*journal.*(free space|Check the disk)/);
        const before = opened.synced.length;
        disk.failAt = Infinity;
        opened.journal.append(Buffer.from('ff', 'hex'));
        opened.journal.sync(99);
        await opened.journal.close();
        assert.equal(opened.synced.length, before, 'a later success is no durability');
        const again = await Opened.at(disk.crash(new Prng(step)));
        const kept = again.records;
        const wanted = Array.from({ length: acknowledged }, (_, index) => recordAt(index + 1));
        assert.deepEqual(kept.slice(0, acknowledged), wanted, `${code} at ${step}`);
      }
    }
  });

  it('ends the block store: no flush succeeds after it, flushed blocks are there', async () => {
    for (const code of ERRORS) {
      for (let step = 1; step <= 12; step += 1) {
        const disk = new TornDisk();
        const fatal: string[] = [];
        const store = await openBlocks(disk, 200, fatal);
        disk.failCode = code;
        disk.failAt = disk.steps + step;
        let durable = 0;
        for (let height = 1; height <= HEIGHT; height += 1) {
          store.append(blockAt(height));
          if (await store.flush()) durable = height;
          else disk.failAt = Infinity;
        }
        assert.equal(fatal.length, 1, `${code} at ${step}`);
        assert.ok(durable < HEIGHT);
        await store.close();
        const again = await openBlocks(disk.crash(new Prng(step)), 200);
        assert.ok(again.height >= durable, `${code} at ${step}: ${again.height} < ${durable}`);
        checkBlocks(again, `${code} at ${step}`);
      }
    }
  });
});

describe('D-16: files of a real disk', () => {
  it('may have any time, and room that was never written reads as damage or as nothing', async () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'moiety-times-'));
    try {
      const first = await Opened.at(systemDisk, folder);
      await first.write(recordAt(1), 1);
      await first.write(recordAt(2), 2);
      await first.journal.close();
      const file = path.join(folder, 'journal-0000000001.log');
      const { size } = fs.statSync(file);
      for (const seconds of [0, 1, 4_000_000_000]) {
        fs.utimesSync(file, seconds, seconds);
        const opened = await Opened.at(systemDisk, folder);
        assert.deepEqual(opened.records, [recordAt(1), recordAt(2)]);
        await opened.journal.close();
      }
      // A hole behind the end, as a file system leaves it that grew the file and lost the content.
      fs.truncateSync(file, size + 100_000);
      const holed = await Opened.at(systemDisk, folder);
      assert.deepEqual(holed.records, [recordAt(1), recordAt(2)]);
      await holed.write(recordAt(3), 3);
      await holed.journal.close();
      assert.deepEqual((await Opened.at(systemDisk, folder)).records, [1, 2, 3].map(recordAt));
    } finally {
      fs.rmSync(folder, { recursive: true });
    }
  });
});

describe('D-08: a system that writes and reads a few bytes at a time', () => {
  it('gets everything all the same', async (t) => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'moiety-short-'));
    t.after(() => fs.rmSync(folder, { recursive: true }));
    const { write, writeSync, readSync } = fs;
    let calls = 0;
    const shortWrite = (
      ...[descriptor, bytes, from, length, at, done]: [number, Uint8Array, number, number, number, () => void]
    ): void => {
      calls += 1;
      write(descriptor, bytes, from, Math.min(length, 7), at, done);
    };
    const shortWriteNow = (
      ...[descriptor, bytes, from, length, at]: [number, Uint8Array, number, number, number]
    ): number => {
      calls += 1;
      return writeSync(descriptor, bytes, from, Math.min(length, 7), at);
    };
    const shortRead = (
      ...[descriptor, bytes, from, length, at]: [number, Uint8Array, number, number, number]
    ): number => readSync(descriptor, bytes, from, Math.min(length, 5), at);
    t.mock.method(fs, 'write', shortWrite as unknown as typeof fs.write);
    t.mock.method(fs, 'writeSync', shortWriteNow as unknown as typeof fs.writeSync);
    t.mock.method(fs, 'readSync', shortRead as unknown as typeof fs.readSync);
    const opened = await Opened.at(systemDisk, folder);
    for (let index = 1; index <= 3; index += 1) await opened.write(recordAt(index), index);
    await opened.journal.close();
    assert.deepEqual((await Opened.at(systemDisk, folder)).records, [1, 2, 3].map(recordAt));
    const blocks = path.join(folder, 'blocks');
    const onFatal = (sentence: string): void => assert.fail(sentence);
    const options = { disk: systemDisk, folder: blocks, replicas: 3, durable: true, onFatal };
    const store = await openBlockStore(options);
    for (let height = 1; height <= HEIGHT; height += 1) store.append(blockAt(height));
    assert.ok(await store.flush());
    await store.close();
    const again = await openBlockStore(options);
    assert.equal(again.height, HEIGHT);
    checkBlocks(again, 'short writes');
    await again.close();
    assert.ok(calls > 50);
  });
});
