import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { connectTrustedProcess } from './connect.ts';
import {
  createTrustedFolder,
  openTrustedProcess,
  spawnTrustedProcess,
  stopTrustedProcess,
  trustedCarrierPath,
} from './launcher.ts';
import { assertLockedIn, assertSealHolds, noSandbox, PROBED, probeSandbox } from './sandbox.testing.ts';
import type { ConfinedFolder } from './sandbox.testing.ts';

const skip = await noSandbox();
const root = mkdtempSync(join(tmpdir(), 'moiety-hard-'));
const lingerMs = 30_000;
const folders: string[] = [];
after(async () => {
  for (const folder of folders) await stopTrustedProcess(folder);
  rmSync(root, { recursive: true, force: true });
});

/** Its own sandbox, without more. */
const confined = (name: string): ConfinedFolder => {
  const folder = join(root, `${name}-folder`);
  mkdirSync(folder, { mode: 0o700 });
  return { root, folder, access: {} };
};

test('in its sandbox a process opens no file and no socket that it should not', { skip }, async () => {
  assert.deepEqual(await probeSandbox(confined('files'), 'store'), PROBED);
});

test('sealed, it cannot become another program, be traced, or undo the seal', { skip }, async () => {
  await assertSealHolds(confined('sealed'));
});

async function newFolder(name: string): Promise<string> {
  const folder = join(root, name);
  await createTrustedFolder(folder);
  folders.push(folder);
  return folder;
}

test('a running component is locked in and sealed, and says so', { skip }, async () => {
  const folder = await newFolder('locked');
  const connection = await openTrustedProcess({ folder, lingerMs, hardening: 'required' });
  assert.equal(connection.hardening, 'bubblewrap');
  assert.equal(readFileSync(join(folder, 'pid'), 'utf8'), `${connection.pid}\n`);
  assertLockedIn(connection.pid);
  connection.close();
});

test('hardening is asked for: off, then required', { skip }, async () => {
  const folder = await newFolder('asked');
  const plain = await openTrustedProcess({ folder, lingerMs, hardening: 'off' });
  assert.equal(plain.hardening, 'none');
  const hard = await openTrustedProcess({ folder, lingerMs, hardening: 'required' });
  assert.equal(hard.hardening, 'bubblewrap');
  // Whoever does not ask for more takes what runs.
  const same = await openTrustedProcess({ folder, lingerMs, hardening: 'off' });
  assert.equal(same.pid, hard.pid);
  same.close();
});

test('one process per folder, also where each has its own network', { skip }, async () => {
  const folder = await newFolder('single');
  for (const [first, second] of [
    ['off', 'required'],
    ['required', 'required'],
  ] as const) {
    const connection = await openTrustedProcess({ folder, lingerMs, hardening: first });
    // It hangs, or it would end because its socket is gone.
    process.kill(connection.pid, 'SIGSTOP');
    rmSync(join(folder, 'socket'));
    await assert.rejects(
      spawnTrustedProcess({ folder, lingerMs, hardening: second }),
      /another process serves/,
    );
    const gone = new Promise((done) => connection.onClose(done));
    process.kill(connection.pid, 'SIGKILL');
    await gone;
  }
});

test('a process that is locked in ends in order when its socket is deleted', { skip }, async () => {
  const folder = await newFolder('unreachable');
  const connection = await openTrustedProcess({ folder, lingerMs, hardening: 'required' });
  const gone = new Promise((done) => connection.onClose(done));
  rmSync(join(folder, 'socket'));
  await gone;
  assert.match(readFileSync(join(folder, 'log'), 'utf8'), /stopped: its socket was deleted/);
  const again = await openTrustedProcess({ folder, lingerMs, hardening: 'required' });
  again.close();
});

test('a component that hangs is ended by its id outside of its namespace', { skip }, async () => {
  const folder = await newFolder('hangs');
  const connection = await openTrustedProcess({ folder, lingerMs });
  process.kill(connection.pid, 'SIGSTOP');
  assert.equal(await stopTrustedProcess(folder), true);
  const again = await openTrustedProcess({ folder, lingerMs });
  assert.notEqual(again.pid, connection.pid);
  again.close();
});

test('a module with one other byte is refused, with both measurements', async () => {
  const folder = await newFolder('changed');
  const modules = join(root, 'changed-modules');
  cpSync(dirname(trustedCarrierPath()), modules, { recursive: true });
  const path = join(modules, 'usig.wasm');
  const bytes = readFileSync(path);
  bytes[bytes.length - 1]! ^= 1;
  writeFileSync(path, bytes);
  const carrierPath = join(modules, 'trusted-process.mjs');
  await assert.rejects(
    spawnTrustedProcess({ folder, lingerMs, carrierPath }),
    /"usig" is not the one .* measurement [0-9a-f]{64}, expected [0-9a-f]{64}; install the version of before/,
  );
  // A folder of before says nothing about its program: it is a USIG, and from now on this one.
  rmSync(join(folder, 'program.json'));
  await spawnTrustedProcess({ folder, lingerMs });
  assert.match(readFileSync(join(folder, 'program.json'), 'utf8'), /"program":"usig"/);
  (await connectTrustedProcess(folder)).close();
});
