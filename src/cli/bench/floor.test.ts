import assert from 'node:assert/strict';
import { createHash, createSecretKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { decodeFloorBatch, encodeFloorFrame, readFloorFrames } from './floor-frames.ts';
import { PassThrough } from 'node:stream';
import type { Socket } from 'node:net';

const here = dirname(fileURLToPath(import.meta.url));

/**
 * SHA-256 of the floor and of all that it imports. Figures are ratios to it: whoever changes it must measure every figure
 * anew (`npm run bench`, `npm run bench:gate -- --write`) and say so.
 */
const FLOOR_DIGEST = 'e4569300cb7dd1de5d1d09b12ef177a618a8907a54e34fdee25397b646455f50';

function sourcesOf(entry: string): readonly string[] {
  const found = new Set<string>();
  const pending = [entry];
  for (let file = pending.pop(); file !== undefined; file = pending.pop()) {
    if (found.has(file)) continue;
    found.add(file);
    for (const [, specifier] of readFileSync(file, 'utf8').matchAll(/from '(\.[^']+)'/g))
      pending.push(join(dirname(file), specifier!));
  }
  return [...found].sort();
}

test('the floor is the one that figures were compared with', () => {
  const sources = sourcesOf(join(here, 'main-floor.ts'));
  assert.deepEqual(
    sources.map((file) => relative(here, file)),
    ['floor-frames.ts', 'latency.ts', 'main-floor.ts', 'measured.ts'],
    'nothing of the product is part of the floor',
  );
  const hash = createHash('sha256');
  for (const file of sources) hash.update(readFileSync(file, 'utf8').replaceAll('\r\n', '\n'));
  assert.equal(hash.digest('hex'), FLOOR_DIGEST);
});

const key = createSecretKey(new Uint8Array(32).fill(1));

test('a batch of the floor is read back, and not with one bit changed', () => {
  const payload = (numbers: readonly number[], length: number): Buffer =>
    Buffer.from(encodeFloorFrame(key, numbers, new Uint8Array(length).fill(7)).subarray(4));
  assert.deepEqual(decodeFloorBatch(key, payload([1, 2, 0xffff_ffff], 100)), [1, 2, 0xffff_ffff]);
  assert.deepEqual(decodeFloorBatch(key, payload([], 0)), []);
  const whole = payload([5, 6], 3);
  for (let byte = 0; byte < whole.length; byte += 1) {
    const changed = Buffer.from(whole);
    changed[byte]! ^= 1;
    assert.equal(decodeFloorBatch(key, changed), undefined);
  }
  for (let length = 0; length < whole.length; length += 1)
    assert.equal(decodeFloorBatch(key, whole.subarray(0, length)), undefined);
});

test('frames of the floor arrive whole however the stream is cut', async () => {
  const frames = [[1], [2, 3], [], [4, 5, 6]].map((numbers) =>
    encodeFloorFrame(key, numbers, new Uint8Array(9)),
  );
  const stream = Buffer.concat(frames);
  for (const cut of [1, 3, 7, 50, stream.length]) {
    const socket = new PassThrough();
    const seen: (readonly number[] | undefined)[] = [];
    readFloorFrames(socket as unknown as Socket, (payload) => seen.push(decodeFloorBatch(key, payload)));
    for (let at = 0; at < stream.length; at += cut) socket.write(stream.subarray(at, at + cut));
    await new Promise((done) => setImmediate(done));
    assert.deepEqual(seen, [[1], [2, 3], [], [4, 5, 6]], `cut every ${cut} bytes`);
  }
});
