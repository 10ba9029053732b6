import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, describe, it } from 'node:test';
import { open } from 'lmdb';
import type { Digest } from '../core/types.ts';
import type { FrozenCheckpoint } from '../ledger/contract.ts';
import { StoreDamaged } from './journal.ts';
import { diskFailureSentence } from './disk.ts';
import { causeOf, StateStore } from './state-store.ts';

const CHUNKS = 300;
const folders: string[] = [];

function newFolder(): string {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'moiety-state-'));
  folders.push(folder);
  return folder;
}

/** A chunk holds the sequence at which it changed last. */
function frozenAt(sequence: number, state: readonly number[], changed: readonly number[]): FrozenCheckpoint {
  const copy = [...state];
  return {
    checkpoint: { sequence, stateDigest: '00'.repeat(32) as Digest },
    height: sequence,
    chunkCount: CHUNKS,
    changed,
    chunk: (index) => Uint8Array.of(index & 255, copy[index]!, 9),
    node: () => [],
  };
}

class Rig {
  readonly stored: number[] = [];
  readonly fatal: string[] = [];
  readonly store: StateStore;
  isReady = true;
  #waiters: (() => void)[] = [];

  constructor(folder: string) {
    this.store = new StateStore({
      folder,
      durable: true,
      checkpointInterval: 10,
      beforeSnapshot: async () => this.isReady,
      onStored: (sequence) => {
        this.stored.push(sequence);
        for (const waiter of this.#waiters.splice(0)) waiter();
      },
      onFatal: (sentence) => this.fatal.push(sentence),
    });
  }

  async untilStored(sequence: number): Promise<void> {
    while (!this.stored.includes(sequence)) await new Promise<void>((resolve) => this.#waiters.push(resolve));
  }

  read(): number[] {
    const snapshot = this.store.load()!;
    return Array.from({ length: CHUNKS }, (_, index) => snapshot.chunk(index)[1]!);
  }
}

afterEach(() => {
  for (const folder of folders.splice(0)) fs.rmSync(folder, { recursive: true });
});

describe('state store', () => {
  it('gives back the latest snapshot over restarts, though only what changed was written', async () => {
    const folder = newFolder();
    let rig = new Rig(folder);
    assert.equal(rig.store.load(), undefined);
    const state = new Array<number>(CHUNKS).fill(1);
    const all = state.map((_, index) => index);
    rig.store.store(frozenAt(10, state, all), Uint8Array.of(1));
    assert.deepEqual(rig.stored, [], 'never from inside the call');
    await rig.untilStored(10);
    state[7] = 2;
    rig.store.store(frozenAt(20, state, [7]), Uint8Array.of(2));
    await rig.untilStored(20);
    assert.deepEqual(rig.read(), state);
    await rig.store.close();
    rig = new Rig(folder);
    assert.deepEqual(rig.read(), state);
    assert.deepEqual(rig.store.load()!.meta, Uint8Array.of(2));
    // Checkpoint 30 was never stored: `changed` of 40 does not name chunk 8, which changed at 30.
    state[8] = 3;
    state[9] = 4;
    rig.store.store(frozenAt(40, state, [9]), Uint8Array.of(4));
    await rig.untilStored(40);
    assert.deepEqual(rig.read(), state);
    await rig.store.close();
  });

  it('answers a snapshot that a newer one overtook, once the newer one is durable', async () => {
    const rig = new Rig(newFolder());
    const state = new Array<number>(CHUNKS).fill(1);
    const all = state.map((_, index) => index);
    for (const sequence of [10, 20, 30]) {
      state[0] = sequence;
      rig.store.store(frozenAt(sequence, state, all), Uint8Array.of(sequence));
    }
    await rig.untilStored(30);
    assert.deepEqual(rig.stored, [10, 20, 30]);
    assert.equal(rig.read()[0], 30);
    await rig.store.close();
  });

  it('stores nothing before what it must not outlive is durable', async () => {
    const rig = new Rig(newFolder());
    rig.isReady = false;
    rig.store.store(frozenAt(10, new Array<number>(CHUNKS).fill(1), []), Uint8Array.of(1));
    await rig.store.close();
    assert.deepEqual(rig.stored, []);
  });

  it('notices damaged, missing and half-written values', async () => {
    const folder = newFolder();
    const rig = new Rig(folder);
    const state = new Array<number>(CHUNKS).fill(1);
    const all = state.map((_, index) => index);
    rig.store.store(frozenAt(10, state, all), Uint8Array.of(1));
    await rig.untilStored(10);
    await rig.store.close();
    const root = open({ path: folder, encoding: 'binary', maxDbs: 4 });
    const chunks = root.openDB<Buffer, [number, number]>({ name: 'chunks', encoding: 'binary' });
    const bad = Buffer.from(chunks.get([5, 10])!);
    bad[17] = bad[17]! ^ 1;
    await chunks.put([5, 10], bad);
    await chunks.remove([6, 10]);
    // As left by a crash between the chunks of a newer snapshot and its description.
    await chunks.put([7, 20], Buffer.from('half'));
    await root.close();
    const again = new Rig(folder);
    const snapshot = again.store.load()!;
    assert.equal(snapshot.chunk(7)[1], 1);
    assert.throws(
      () => snapshot.chunk(5),
      (error: Error) => error instanceof StoreDamaged && /chunk 5.*fault wipe/s.test(error.message),
    );
    assert.throws(() => snapshot.chunk(6), /chunk 6 of the snapshot is missing/);
    await again.store.close();
  });
});

describe('a disk that is full', () => {
  it('is named, also where LMDB hides it behind a failed commit', async () => {
    const full = Object.assign(new Error('No space left on device'), { code: 28 });
    const commitError = Promise.reject(full);
    const hidden = Object.assign(new Error('Commit failed (see commitError for details)'), { commitError });
    const cause = await causeOf(hidden);
    assert.equal(cause, full);
    assert.match(diskFailureSentence('A write', '/data', cause), /disk is full: free space on it/);
    const other = new Error('of another kind');
    assert.equal(await causeOf(other), other);
    assert.equal(await causeOf(undefined), undefined);
  });
});
