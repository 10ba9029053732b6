import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Prng } from '../core/prng.ts';
import type { Digest } from '../core/types.ts';
import { nodeHash } from '../platform/sha256.ts';
import { bytesToDigest, digestToBytes } from '../core/bytes.ts';
import { BodyFile } from './body-file.ts';
import { TornDisk } from './torn-disk.testing.ts';

const SLOT = 1_000;
const digestOf = (bytes: Uint8Array): Digest => bytesToDigest(nodeHash(bytes));
const bodyOf = (number: number, length = 900): Uint8Array => new Uint8Array(length).fill(number);

/** Lets everything that waits for a turn of the event loop happen. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 200; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

async function open(disk = new TornDisk(), memoryBytes = 2_000) {
  const fatal: string[] = [];
  const file = await BodyFile.open({
    disk,
    folder: '/store',
    slotBytes: SLOT,
    isBody: (digest, bytes) => digestOf(bytes) === digest,
    onFatal: (sentence) => fatal.push(sentence),
    memoryBytes,
  });
  const put = (bytes: Uint8Array): Digest => {
    const digest = digestOf(bytes);
    file.put(digest, bytes);
    return digest;
  };
  return { disk, file, fatal, put };
}

describe('body file', () => {
  it('keeps a bound of bytes in memory, whatever is put, and gives all of it back', async () => {
    const { file, put, fatal } = await open();
    const digests = Array.from({ length: 60 }, (_, index) => put(bodyOf(index)));
    await settle();
    assert.ok(file.memoryBytes <= 2_000);
    assert.equal(file.inFile, 58);
    for (const [index, digest] of digests.entries()) assert.deepEqual(file.get(digest), bodyOf(index));
    assert.deepEqual(fatal, []);
  });

  it('uses slots again', async () => {
    const { disk, file, put } = await open();
    for (let round = 0; round < 20; round += 1) {
      const digests = Array.from({ length: 10 }, (_, index) => put(bodyOf(round * 10 + index)));
      await settle();
      for (const digest of digests) file.drop(digest);
      for (const digest of digests) assert.equal(file.get(digest), undefined);
    }
    assert.ok(disk.read('/store/bodies.tmp').length <= 10 * SLOT);
    assert.equal(file.memoryBytes, 0);
  });

  it('forgets what is dropped while it is being written, and takes it again', async () => {
    const { file, put } = await open(new TornDisk(), 0);
    const digest = put(bodyOf(1));
    await new Promise((resolve) => setImmediate(resolve));
    file.drop(digest);
    put(bodyOf(1));
    await settle();
    assert.deepEqual(file.get(digest), bodyOf(1));
    file.drop(digest);
    await settle();
    assert.equal(file.get(digest), undefined);
    assert.equal(file.inFile, 0);
  });

  it('does not keep a large buffer for a small view', async () => {
    const { file } = await open();
    const large = new Uint8Array(1_000_000);
    const view = large.subarray(10, 20);
    file.put(digestOf(view), view);
    assert.ok(file.get(digestOf(view))!.buffer.byteLength < 100);
  });

  it('keeps what is longer than a slot in memory', async () => {
    const { file, put, fatal } = await open(new TornDisk(), 0);
    const digest = put(bodyOf(3, SLOT + 1));
    await settle();
    assert.equal(file.inFile, 0);
    assert.deepEqual(file.get(digest), bodyOf(3, SLOT + 1));
    assert.deepEqual(fatal, []);
  });

  it('is empty after a start, and removed by a stop', async () => {
    const { disk, file, put } = await open(new TornDisk(), 0);
    const digest = put(bodyOf(1));
    await settle();
    assert.equal((await open(disk)).file.get(digest), undefined);
    await file.close();
    assert.deepEqual(disk.list('/store'), []);
  });

  it('stops the replica when the disk fails or gives back something else', async () => {
    const full = new TornDisk();
    const one = await open(full, 0);
    full.failAt = full.steps + 1;
    const kept = one.put(bodyOf(1));
    await settle();
    assert.equal(one.fatal.length, 1);
    assert.match(one.fatal[0]!, /disk is full/);
    assert.deepEqual(one.file.get(kept), bodyOf(1), 'nothing is lost');

    const liar = new TornDisk();
    const other = await open(liar, 0);
    const digest = other.put(bodyOf(2));
    await settle();
    await (await liar.open('/store/bodies.tmp')).write(digestToBytes(digest), 100);
    assert.equal(other.file.get(digest), undefined);
    assert.match(other.fatal[0]!, /other bytes than were written/);
  });

  it('gives back what was put, in any order of puts, drops and writes', async () => {
    const prng = new Prng(7);
    const { file, fatal } = await open();
    const model = new Map<Digest, Uint8Array>();
    for (let step = 0; step < 600; step += 1) {
      const bytes = bodyOf(prng.between(0, 19), prng.between(1, SLOT));
      const digest = digestOf(bytes);
      if (prng.chance(0.5)) {
        file.put(digest, bytes);
        model.set(digest, bytes);
      } else for (const known of [...model.keys()].slice(0, 1)) (file.drop(known), model.delete(known));
      if (prng.chance(0.25)) await new Promise((resolve) => setImmediate(resolve));
      for (const [known, expected] of model) assert.deepEqual(file.get(known), expected);
    }
    assert.deepEqual(fatal, []);
  });
});
