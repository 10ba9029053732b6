import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Prng } from '../core/prng.ts';
import type { Digest } from '../core/types.ts';
import type { Block, Transaction } from '../ledger/contract.ts';
import type { BlockStore } from './block-store.ts';
import { openBlockStore } from './block-store.ts';
import { StoreDamaged } from './journal.ts';
import { TornDisk } from './torn-disk.testing.ts';

const FOLDER = '/blocks';

function hashFor(height: number, variant = 0): Digest {
  return (height * 256 + variant).toString(16).padStart(64, '0') as Digest;
}

/** A block of the store's kind: it looks at height, header hash, count of transactions and bytes. */
function blockAt(height: number, variant = 0): Block {
  const transactions = Array.from({ length: (height % 3) + 1 }, () => ({}) as Transaction);
  const bytes = new Uint8Array(20 + (height % 50)).fill((height + variant) & 255);
  const header = { height } as Block['header'];
  return { header, headerHash: hashFor(height, variant), transactions, bytes };
}

async function open(disk: TornDisk, fatal: string[] = [], segmentBytes = 1000): Promise<BlockStore> {
  const onFatal = (sentence: string): void => void fatal.push(sentence);
  return openBlockStore({ disk, folder: FOLDER, replicas: 3, durable: true, onFatal, segmentBytes });
}

describe('block store', () => {
  it('reads before and after writing, over segments and restarts, and numbers transactions densely', async () => {
    const disk = new TornDisk();
    let store = await open(disk);
    for (let height = 1; height <= 60; height += 1) store.append(blockAt(height));
    assert.deepEqual(store.read(60), blockAt(60).bytes);
    assert.ok(await store.flush());
    const files = disk.list(FOLDER).filter((name) => name.startsWith('blocks-'));
    assert.ok(files.length > 3, `${files.length} segments`);
    for (let round = 0; round < 2; round += 1) {
      assert.equal(store.height, 60);
      let number = 1;
      for (let height = 1; height <= 60; height += 1) {
        assert.deepEqual(new Uint8Array(store.read(height)!), blockAt(height).bytes);
        assert.deepEqual(store.numbersOf(height), { first: number, count: (height % 3) + 1 });
        number += (height % 3) + 1;
        assert.equal(store.heightOfNumber(number - 1), height);
      }
      assert.equal(store.heightOfNumber(number), undefined);
      assert.equal(store.read(61), undefined);
      await store.close();
      store = await open(disk);
    }
    store.append(blockAt(61));
    assert.ok(await store.flush());
    assert.equal((await open(disk)).height, 61);
  });

  it('takes the same block again in silence and stops at a different one', async () => {
    const fatal: string[] = [];
    const store = await open(new TornDisk(), fatal);
    store.append(blockAt(1));
    store.append(blockAt(2));
    store.append(blockAt(1));
    assert.deepEqual(fatal, []);
    store.append(blockAt(2, 1));
    assert.match(fatal.join(), /block 2 differs/);
    assert.equal(await store.flush(), false);
  });

  it('drops blocks above a height and takes others in their place, whatever is being written', async () => {
    for (const waits of [0, 1, 2, 5]) {
      const disk = new TornDisk();
      const store = await open(disk, [], 300);
      for (let height = 1; height <= 20; height += 1) store.append(blockAt(height));
      for (let wait = 0; wait < waits; wait += 1) await new Promise((resolve) => setImmediate(resolve));
      store.truncateAbove(7);
      assert.equal(store.read(8), undefined);
      for (let height = 8; height <= 12; height += 1) store.append(blockAt(height, 1));
      assert.deepEqual(store.read(8), blockAt(8, 1).bytes);
      assert.ok(await store.flush());
      for (const each of [store, await open(disk)]) {
        assert.equal(each.height, 12);
        for (let height = 1; height <= 12; height += 1)
          assert.equal(each.headerHash(height), hashFor(height, height > 7 ? 1 : 0), `height ${height}`);
        assert.deepEqual(new Uint8Array(each.read(12)!), blockAt(12, 1).bytes);
      }
    }
  });

  it('gives every kept block while it drops those of later segments, however short the last one is', async () => {
    for (let last = 8; last <= 20; last += 1) {
      for (let kept = 1; kept < last; kept += 1) {
        const disk = new TornDisk();
        const store = await open(disk, [], 600);
        for (let height = 1; height <= last; height += 1) store.append(blockAt(height));
        assert.ok(await store.flush());
        const wrong: number[] = [];
        // Header hashes, because they are read anew each time.
        const look = (): void => {
          for (let height = 1; height <= kept; height += 1)
            if (store.headerHash(height) !== hashFor(height)) wrong.push(height);
        };
        const [remove, syncFolder] = [disk.remove.bind(disk), disk.syncFolder.bind(disk)];
        disk.remove = (file) => (look(), remove(file));
        disk.syncFolder = () => (look(), syncFolder());
        store.truncateAbove(kept);
        assert.ok(await store.flush());
        look();
        assert.deepEqual(wrong, [], `${last} blocks, those above ${kept} dropped`);
        assert.equal(store.damagedReads, 0);
      }
    }
  });

  it('finds a prefix with everything flushed after a power cut at any moment (100 seeds)', async () => {
    for (let seed = 0; seed < 100; seed += 1) {
      const random = new Prng(seed);
      const disk = new TornDisk();
      const store = await open(disk, [], 400);
      disk.dieAt = disk.steps + random.between(1, 60);
      let durable = 0;
      let variant = 0;
      const expected: Digest[] = [];
      for (let round = 0; round < 15; round += 1) {
        if (random.chance(0.15) && store.height > durable) {
          store.truncateAbove(durable);
          expected.length = durable;
          variant += 1;
        }
        for (let count = random.between(0, 5); count > 0; count -= 1) {
          const block = blockAt(store.height + 1, variant);
          store.append(block);
          expected.push(block.headerHash);
        }
        const height = store.height;
        if (random.chance(0.5) && (await store.flush())) durable = height;
        else await new Promise((resolve) => setImmediate(resolve));
      }
      const found = await open(disk.crash(random), [], 400);
      assert.ok(found.height >= durable, `seed ${seed}: ${found.height} < ${durable}`);
      for (let height = 1; height <= durable; height += 1) {
        assert.equal(found.headerHash(height), expected[height - 1], `seed ${seed}, height ${height}`);
        assert.notEqual(found.read(height), undefined);
      }
    }
  });

  it('refuses damage before what was durable, and does not give a damaged block of an old segment', async () => {
    const disk = new TornDisk();
    const store = await open(disk, [], 100_000);
    for (let height = 1; height <= 3; height += 1) {
      store.append(blockAt(height));
      await store.flush();
    }
    disk.damage('/blocks/blocks-0000000001.dat', 64 + 56 + 40);
    await assert.rejects(
      open(disk),
      (error: Error) => error instanceof StoreDamaged && /fault wipe/.test(error.message),
    );

    const other = new TornDisk();
    const segments = await open(other, [], 100);
    for (let height = 1; height <= 4; height += 1) segments.append(blockAt(height));
    await segments.flush();
    other.damage('/blocks/blocks-0000000001.dat', 64 + 40 + 60);
    const found = await open(other, [], 100);
    assert.equal(found.read(1), undefined);
    assert.equal(found.damagedReads, 1);
    assert.notEqual(found.read(4), undefined);
  });

  it('keeps header signatures per replica, also those that came before their block', async () => {
    const disk = new TornDisk();
    const store = await open(disk);
    const signatureOf = (replica: number) => ({ replica, signature: new Uint8Array(64).fill(replica + 1) });
    store.sign(2, hashFor(2), signatureOf(2));
    store.sign(2, hashFor(2), signatureOf(7));
    store.sign(2 ** 50, hashFor(9), signatureOf(1));
    store.append(blockAt(1));
    store.append(blockAt(2));
    store.sign(2, hashFor(2), signatureOf(0));
    store.sign(2, hashFor(2, 1), signatureOf(1));
    assert.deepEqual(store.signatures(2), [signatureOf(0), signatureOf(2)]);
    assert.deepEqual(store.signatures(1), []);
    await store.close();
    const found = await open(disk);
    assert.deepEqual(found.signatures(2), [signatureOf(0), signatureOf(2)]);
    found.truncateAbove(1);
    found.append(blockAt(2, 3));
    assert.deepEqual(found.signatures(2), [], 'a signature of a replaced block does not count');
  });

  it('says once that the disk failed and is never durable afterwards', async () => {
    const disk = new TornDisk();
    const fatal: string[] = [];
    const store = await open(disk, fatal);
    disk.failCode = 'EIO';
    disk.failAt = disk.steps + 2;
    store.append(blockAt(1));
    assert.equal(await store.flush(), false);
    assert.equal(fatal.length, 1);
    assert.match(fatal[0]!, /Check the disk/);
    await store.close();
  });
});
