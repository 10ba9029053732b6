/** D-02, D-04 of docs/scenarios.md: the state store with damaged pages, with values at the place of others, with old ones. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { open } from 'lmdb';
import type { Database } from 'lmdb';
import type { Digest } from '../../src/core/types.ts';
import { StoreDamaged } from '../../src/node/journal.ts';
import { StateStore } from '../../src/node/state-store.ts';

const CHUNKS = 300;
const root = fs.mkdtempSync(path.join(os.tmpdir(), 'moiety-snapshot-'));
const sound = path.join(root, 'sound');
after(() => fs.rmSync(root, { recursive: true, force: true }));

class Opened {
  readonly store: StateStore;
  #stored: () => void = () => undefined;

  constructor(folder: string) {
    this.store = new StateStore({
      folder,
      durable: true,
      checkpointInterval: 10,
      beforeSnapshot: () => Promise.resolve(true),
      onStored: () => this.#stored(),
      onFatal: (sentence) => assert.fail(sentence),
    });
  }

  /** A snapshot whose chunks hold `valueOf(index)`. */
  async keep(sequence: number, valueOf: (index: number) => number): Promise<void> {
    const stored = new Promise<void>((resolve) => (this.#stored = resolve));
    this.store.store(
      {
        checkpoint: { sequence, stateDigest: '00'.repeat(32) as Digest },
        height: sequence,
        chunkCount: CHUNKS,
        changed: Array.from({ length: CHUNKS }, (_, index) => index),
        chunk: (index) => new Uint8Array(40).fill(valueOf(index)),
        node: () => [],
      },
      Uint8Array.of(1, 2, 3),
    );
    await stored;
  }
}

async function changed(
  name: string,
  change: (chunks: Database<Buffer, [number, number]>) => Promise<unknown>,
) {
  const folder = path.join(root, name);
  fs.cpSync(sound, folder, { recursive: true });
  const env = open({ path: folder, encoding: 'binary', maxDbs: 4 });
  await change(env.openDB<Buffer, [number, number]>({ name: 'chunks', encoding: 'binary' }));
  await env.close();
  return new Opened(folder).store;
}

describe('D-02, D-04: the state store', () => {
  before(async () => {
    const opened = new Opened(sound);
    await opened.keep(10, (index) => index & 255);
    await opened.store.close();
  });

  it('with damage in any page gives the right snapshot, refuses with a sentence, or ends', () => {
    const { size } = fs.statSync(path.join(sound, 'data.mdb'));
    let left = Array.from({ length: Math.floor(size / 2048) }, (_, index) => String(index * 2048 + 16));
    const seen = { right: 0, refused: 0, ended: 0 };
    const reader = path.join(import.meta.dirname, 'snapshot-reader.ts');
    while (left.length > 0) {
      const child = spawnSync(
        process.execPath,
        [reader, sound, fs.mkdtempSync(path.join(root, 'copies-')), String(CHUNKS), ...left],
        { encoding: 'utf8', timeout: 60_000 },
      );
      const lines = child.stdout.split('\n').filter((line) => line !== '');
      for (const line of lines) {
        if (/ right$/.test(line)) seen.right += 1;
        else if (/ refused .*is damaged: .*moiety fault wipe/s.test(line)) seen.refused += 1;
        else assert.fail(`offset ${line}`);
      }
      left = left.slice(lines.length);
      if (left.length === 0) break;
      // LMDB itself gave up on a page: no data was served. The rest is asked in another process.
      assert.notEqual(child.signal, null, child.stderr);
      seen.ended += 1;
      left = left.slice(1);
    }
    assert.ok(seen.right > 0 && seen.refused > 3, JSON.stringify(seen));
    console.log(`damaged pages: ${JSON.stringify(seen)}`);
  });

  it('refuses a value that was written to the place of another', async () => {
    const store = await changed('misdirected', (chunks) => chunks.put([6, 10], chunks.get([5, 10])!));
    assert.equal(store.load()!.chunk(5)[0], 5);
    assert.throws(() => store.load()!.chunk(6), StoreDamaged);
    await store.close();
  });

  it('refuses an old value under the place of a new one', async () => {
    const former = open({ path: sound, encoding: 'binary', maxDbs: 4 });
    const old = Buffer.from(
      former.openDB<Buffer, [number, number]>({ name: 'chunks', encoding: 'binary' }).get([7, 10])!,
    );
    await former.close();
    const folder = path.join(root, 'stale');
    fs.cpSync(sound, folder, { recursive: true });
    const newer = new Opened(folder);
    await newer.keep(20, (index) => (index + 1) & 255);
    await newer.store.close();
    const env = open({ path: folder, encoding: 'binary', maxDbs: 4 });
    await env.openDB<Buffer, [number, number]>({ name: 'chunks', encoding: 'binary' }).put([7, 20], old);
    await env.close();
    const { store } = new Opened(folder);
    assert.equal(store.load()!.chunk(6)[0], 7);
    assert.throws(() => store.load()!.chunk(7), StoreDamaged);
    await store.close();
  });
});
