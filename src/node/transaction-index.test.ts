/** The index of transactions: found at once, in runs and after a restart; damage costs nothing but the work again. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { asciiBytes, bytesToDigest } from '../core/bytes.ts';
import type { Digest } from '../core/types.ts';
import { nodeHash } from '../platform/sha256.ts';
import { systemDisk } from './disk.ts';
import { TransactionIndex } from './transaction-index.ts';

const folder = mkdtempSync(join(tmpdir(), 'moiety-index-'));
after(() => rmSync(folder, { recursive: true, force: true }));
let folders = 0;
const newFolder = (): string => {
  folders += 1;
  const path = join(folder, String(folders));
  systemDisk.makeFolder(path);
  return path;
};

const idOf = (number: number): Digest => bytesToDigest(nodeHash(asciiBytes(`transaction ${number}`)));
const transactions = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => ({ id: idOf(from + index) }));

interface Rig {
  readonly index: TransactionIndex;
  readonly shorts: number[];
}

async function openIndex(path: string, runSize: number): Promise<Rig> {
  const shorts: number[] = [];
  const index: TransactionIndex = await TransactionIndex.open({
    disk: systemDisk,
    folder: path,
    runSize,
    onFatal: (sentence) => assert.fail(sentence),
    onShort: () => shorts.push(1),
  });
  return { index, shorts };
}

describe('the index of transactions', () => {
  it('finds every transaction: live, in runs that are being written, in the file, after a restart', async () => {
    const path = newFolder();
    const { index } = await openIndex(path, 1024);
    index.add(1, transactions(1, 2_500));
    for (const number of [1, 1_024, 1_025, 2_048, 2_049, 2_500])
      assert.deepEqual(index.find(idOf(number)), [number]);
    assert.deepEqual(index.find(idOf(2_501)), []);
    assert.deepEqual(index.find('xyz' as Digest), []);
    await index.close();
    const again = (await openIndex(path, 1024)).index;
    assert.equal(again.count, 2_048, 'what is no whole run comes from the blocks again');
    again.add(2_001, transactions(2_001, 2_600));
    assert.equal(again.count, 2_600);
    for (let number = 1; number <= 2_600; number += 7) assert.deepEqual(again.find(idOf(number)), [number]);
    await again.close();
  });

  it('finds what stands far from where it is expected', async () => {
    const path = newFolder();
    const first = (await openIndex(path, 4_096)).index;
    // Fingerprints as nobody's hash gives them: all in one corner.
    const corner = (number: number): Digest =>
      (number + 5).toString(16).padStart(12, '0').padEnd(64, '7') as Digest;
    first.add(
      1,
      Array.from({ length: 4_096 }, (_, at) => ({ id: corner(at + 1) })),
    );
    await first.close();
    const { index } = await openIndex(path, 4_096);
    for (let number = 1; number <= 4_096; number += 31)
      assert.deepEqual(index.find(corner(number)), [number]);
    assert.deepEqual(index.find(corner(4_097)), []);
    assert.deepEqual(index.find(corner(0)), []);
    await index.close();
  });

  it('leaves out what comes after a gap, and what it has', async () => {
    const { index } = await openIndex(newFolder(), 1024);
    index.add(1, transactions(1, 10));
    index.add(12, transactions(12, 15));
    assert.equal(index.count, 10);
    index.add(5, transactions(5, 11));
    assert.equal(index.count, 11);
    assert.deepEqual(index.find(idOf(11)), [11]);
    assert.deepEqual(index.find(idOf(12)), []);
    await index.close();
  });

  it('forgets what is truncated, also out of runs', async () => {
    const { index } = await openIndex(newFolder(), 256);
    index.add(1, transactions(1, 1_000));
    index.truncate(900);
    assert.equal(index.count, 900);
    assert.deepEqual(index.find(idOf(901)), []);
    assert.deepEqual(index.find(idOf(900)), [900]);
    index.truncate(400);
    assert.equal(index.count, 256, 'the rest of the run is to be added again');
    index.add(257, transactions(257, 400));
    // Other transactions take the numbers.
    index.add(401, transactions(5_001, 5_600));
    assert.equal(index.count, 1_000);
    assert.deepEqual(index.find(idOf(401)), []);
    assert.deepEqual(index.find(idOf(5_001)), [401]);
    assert.deepEqual(index.find(idOf(300)), [300]);
    await index.close();
  });

  it('notices a damaged run when it is asked, and asks for what it lacks', async () => {
    const path = newFolder();
    const first = await openIndex(path, 256);
    first.index.add(1, transactions(1, 768));
    await first.index.close();
    const file = join(path, 'transactions.idx');
    const bytes = readFileSync(file);
    bytes[64 + (256 * 8 + 16) + 5]! ^= 1;
    writeFileSync(file, bytes);
    const { index, shorts } = await openIndex(path, 256);
    assert.equal(index.count, 768);
    assert.deepEqual(index.find(idOf(700)), [700]);
    assert.deepEqual(index.find(idOf(300)), []);
    assert.deepEqual([index.count, shorts.length], [256, 1]);
    index.add(257, transactions(257, 768));
    assert.deepEqual(index.find(idOf(300)), [300]);
    await index.close();
  });

  it('notices a file that was cut while it is open, and leaves nothing of a run that was taken back', async () => {
    const path = newFolder();
    const { index, shorts } = await openIndex(path, 1024);
    index.add(1, transactions(1, 1_100));
    // The run is being written when its numbers are given to others.
    index.truncate(1_000);
    assert.equal(index.count, 0);
    await index.close();
    const again = await openIndex(path, 1024);
    assert.equal(again.index.count, 0);
    again.index.add(1, transactions(1, 2_048));
    await again.index.close();
    const last = await openIndex(path, 1024);
    // One run was looked at whole before the cut, one was not.
    assert.deepEqual(last.index.find(idOf(2_000)), [2_000]);
    truncateSync(join(path, 'transactions.idx'), 100);
    for (const number of [2_000, 5]) assert.deepEqual(last.index.find(idOf(number)), []);
    assert.deepEqual([last.index.count, last.shorts.length > 0, shorts.length], [0, true, 0]);
    await last.index.close();
  });

  it('begins anew behind a head that is not its own', async () => {
    const path = newFolder();
    writeFileSync(join(path, 'transactions.idx'), new Uint8Array(5_000).fill(7));
    const { index } = await openIndex(path, 256);
    assert.equal(index.count, 0);
    index.add(1, transactions(1, 256));
    await index.close();
    const again = (await openIndex(path, 256)).index;
    assert.deepEqual(again.find(idOf(17)), [17]);
    await again.close();
  });
});
