/** A state file that cannot be written: nothing is sent that it does not hold, and nothing ends for it. */
import assert from 'node:assert/strict';
import fs, { mkdtempSync, rmSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { connect } from './client.ts';
import { FakeCluster } from './fake-cluster.testing.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** From `fill` on the disk takes three bytes of every record and no more. */
function fullDisk(): { fill(): void; free(): void; restore(): void } {
  const { writeSync } = fs;
  let isFull = false;
  let hasTaken = false;
  fs.writeSync = ((file: number, data: Uint8Array, from: number, length: number, at: number) => {
    if (!isFull) return writeSync(file, data, from, length, at);
    hasTaken = !hasTaken;
    if (hasTaken) return writeSync(file, data, from, 3, at);
    throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
  }) as typeof writeSync;
  syncBuiltinESMExports();
  return {
    fill: () => (isFull = true),
    free: () => (isFull = hasTaken = false),
    restore: () => {
      fs.writeSync = writeSync;
      syncBuiltinESMExports();
    },
  };
}

test('what the state file cannot take is not sent, later calls are told why, and all goes on when it can', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'moiety-full-'));
  const disk = fullDisk();
  t.after(() => {
    disk.restore();
    rmSync(folder, { recursive: true });
  });
  const stateFile = join(folder, 'client.state');
  const cluster = new FakeCluster();
  const { settings, clientKey: key, openChannel } = cluster;
  const first = await connect({ cluster: settings, key, openChannel, stateFile });
  await first.put(bytes('a'), bytes('1'));
  const received = [...cluster.received];
  disk.fill();
  const waiting = first.put(bytes('b'), bytes('2'));
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.deepEqual(cluster.received, received);
  await assert.rejects(first.put(bytes('c'), bytes('3')), (error: { code?: string; message: string }) => {
    assert.equal(error.code, 'unavailable');
    assert.match(error.message, /the disk is full: free space on it/);
    return true;
  });
  disk.free();
  assert.equal((await waiting).existed, false);
  await first.put(bytes('c'), bytes('3'));
  await first.close();
  const second = await connect({ cluster: settings, key, openChannel, stateFile });
  await second.whenResumed();
  assert.deepEqual((await second.get(bytes('c'))).value, bytes('3'));
  // The numbers of what it still holds when it is closed are given: its next life opens a session of its own.
  await second.put(bytes('d'), bytes('4'));
  disk.fill();
  const never = second.put(bytes('e'), bytes('5')).catch((error: { code?: string }) => error.code);
  await new Promise((resolve) => setTimeout(resolve, 20));
  await second.close();
  assert.equal(await never, 'closed');
  disk.free();
  const third = await connect({ cluster: settings, key, openChannel, stateFile });
  await third.put(bytes('f'), bytes('6'));
  assert.equal((await third.get(bytes('e'))).value, undefined);
  await third.close();
});
