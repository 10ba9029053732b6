import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash, createPublicKey, verify } from 'node:crypto';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { digestToBytes } from '../../core/bytes.ts';
import { Prng } from '../../core/prng.ts';
import type { Digest } from '../../core/types.ts';
import { checkEvidence, isRegistered, statementForUi } from '../../trusted/client.ts';
import type { CertifyResponse, CheckSignature } from '../../trusted/client.ts';
import { CONFORMANCE_CHECKS } from '../../trusted/conformance/usig.ts';
import { RECENT_DEPTH, USIG_OBJECT_ID } from '../../trusted/contract.ts';
import type { TrustedIdentity, TrustedRequest, TrustedResponse } from '../../trusted/contract.ts';
import { decodeTrustedResponse, encodeTrustedRequest } from '../../trusted/frames.ts';
import { processesOf } from '../../../test/support/local-cluster.ts';
import { encodeFrame } from './channel.ts';
import { connectTrustedProcess, openSocket, TrustedProcessError } from './connect.ts';
import type { ProcessConnection } from './connect.ts';
import {
  createTrustedFolder,
  isTrustedProcessRunning,
  openTrustedProcess,
  spawnTrustedProcess,
  stopTrustedProcess,
  trustedCarrierPath,
} from './launcher.ts';

const root = mkdtempSync(join(tmpdir(), 'moiety-tc-'));
const folders: string[] = [];
after(async () => {
  for (const folder of folders) await stopTrustedProcess(folder);
  rmSync(root, { recursive: true, force: true });
});

/** Ends by itself soon, should a test be killed. */
const lingerMs = 30_000;

async function newFolder(): Promise<string> {
  const folder = join(root, `tc-${folders.length}`);
  await createTrustedFolder(folder);
  folders.push(folder);
  return folder;
}

const checkSignature: CheckSignature = (publicKey, bytes, authenticator) => {
  const x = Buffer.from(publicKey, 'hex').toString('base64url');
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
  return verify(null, bytes, key, authenticator);
};

async function ask(connection: ProcessConnection, request: TrustedRequest): Promise<TrustedResponse> {
  return decodeTrustedResponse(await connection.call(encodeTrustedRequest(request)))!;
}

async function identify(connection: ProcessConnection): Promise<TrustedIdentity> {
  const response = await ask(connection, { op: 'identify' });
  assert.ok(response.op === 'identify');
  return response.identity;
}

function digestOf(number: number): Digest {
  return createHash('sha256').update(String(number)).digest('hex') as Digest;
}

function certifyRequest(digest: Digest): TrustedRequest {
  return { op: 'certify', objectId: USIG_OBJECT_ID, digest, core: digestToBytes(digest) };
}

async function certify(connection: ProcessConnection, digest: Digest): Promise<CertifyResponse> {
  const response = await ask(connection, certifyRequest(digest));
  assert.ok(response.op === 'certify');
  return response;
}

async function killAndWait(connection: ProcessConnection): Promise<void> {
  const gone = new Promise((resolve) => connection.onClose(resolve));
  process.kill(connection.pid, 'SIGKILL');
  await gone;
}

test('a process that is killed while it starts is started again', async () => {
  const folder = await newFolder();
  let killed = 0;
  const watch = setInterval(() => {
    for (const pid of processesOf(folder)) {
      if (killed >= 2) return;
      killed += 1;
      process.kill(pid, 'SIGKILL');
    }
  }, 5);
  try {
    const connection = await openTrustedProcess({ folder, lingerMs });
    assert.equal(killed, 2);
    await certify(connection, digestOf(1));
    connection.close();
  } finally {
    clearInterval(watch);
  }
});

test('conformance over the socket, restarted by SIGKILL', async (t) => {
  const folder = await newFolder();
  let connection = await openTrustedProcess({ folder, lingerMs });
  for (const { name, run } of CONFORMANCE_CHECKS) {
    await t.test(name, async () => {
      const check = run({ prng: new Prng(2), calls: 10_000, checkSignature });
      for (let step = check.next(); step.done !== true;) {
        if (step.value.kind === 'restart') {
          await killAndWait(connection);
          connection = await openTrustedProcess({ folder, lingerMs });
          step = check.next([]);
        } else {
          step = check.next(
            await Promise.all(step.value.requests.map((request) => connection.call(request))),
          );
        }
      }
    });
  }
  connection.close();
});

test('the registration of a new folder is what the process shows, with evidence', async () => {
  const folder = join(root, 'registered');
  const registration = await createTrustedFolder(folder);
  folders.push(folder);
  const connection = await openTrustedProcess({ folder, lingerMs });
  const identity = await identify(connection);
  assert.ok(isRegistered(identity, registration));
  assert.equal(identity.persistent, true);
  const module = readFileSync(new URL('../../../trusted/usig.wasm', import.meta.url));
  const program = createHash('sha256').update(module).digest('hex');
  assert.equal(registration.measurement, program);
  const challenge = digestOf(1);
  const response = await ask(connection, { op: 'attest', challenge });
  assert.ok(response.op === 'attest');
  const hash = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();
  assert.ok(checkEvidence(hash, response.evidence, challenge, checkSignature));
  assert.ok(!checkEvidence(hash, response.evidence, digestOf(2), checkSignature));
  connection.close();
});

/** Several answers may come after the one that was killed for: by then the process may be gone. */
function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, 'ESRCH');
  }
}

test('SIGKILL at random points of certify: no value is used twice, every certificate is recent', async () => {
  const folder = await newFolder();
  const prng = new Prng(3);
  const given = new Map<number, Digest>();
  let next = 0;
  for (let round = 0; round < 6; round += 1) {
    const connection = await openTrustedProcess({ folder, lingerMs });
    const { counter } = await identify(connection);
    const recent = await ask(connection, { op: 'recent', objectId: USIG_OBJECT_ID, count: RECENT_DEPTH });
    assert.ok(recent.op === 'recent');
    // What was given is in the component; values whose answer was lost are there too, with their cores.
    assert.ok(counter >= Math.max(0, ...given.keys()));
    for (const certificate of recent.certificates) {
      assert.deepEqual(Buffer.from(certificate.core).toString('hex'), certificate.digest);
      const known = given.get(certificate.counter);
      if (known !== undefined) assert.equal(certificate.digest, known);
      given.set(certificate.counter, certificate.digest);
    }
    const gone = new Promise((resolve) => connection.onClose(resolve));
    const killAfter = prng.between(0, 40);
    for (let index = 0; index < 48; index += 1) {
      const digest = digestOf((next += 1));
      connection.send(encodeTrustedRequest(certifyRequest(digest)), (bytes) => {
        if (bytes === undefined) return;
        const response = decodeTrustedResponse(bytes);
        assert.ok(response?.op === 'certify' && response.digest === digest);
        assert.equal(given.get(response.value), undefined, 'a value was used twice');
        given.set(response.value, digest);
        if (index >= killAfter) killIfThere(connection.pid);
      });
    }
    if (killAfter < 8) setImmediate(() => killIfThere(connection.pid));
    await gone;
  }
});

test('survives the death of its caller; a newer caller takes the place of the older', async () => {
  const folder = await newFolder();
  const first = await openTrustedProcess({ folder, lingerMs });
  await certify(first, digestOf(1));
  const lost = new Promise<string>((resolve) => first.onClose(resolve));
  await spawnTrustedProcess({ folder, lingerMs });
  const second = await connectTrustedProcess(folder);
  await lost;
  assert.equal(second.pid, first.pid);
  await assert.rejects(first.call(encodeTrustedRequest({ op: 'identify' })), TrustedProcessError);
  assert.equal((await certify(second, digestOf(2))).value, 2);
  second.close();
});

test('a wrong token is refused and disturbs nobody', async () => {
  const folder = await newFolder();
  const connection = await openTrustedProcess({ folder, lingerMs });
  const token = readFileSync(join(folder, 'access'));
  writeFileSync(join(folder, 'access'), Buffer.alloc(32, 1));
  await assert.rejects(connectTrustedProcess(folder), /refused: wrong access token/);
  writeFileSync(join(folder, 'access'), token);
  assert.equal((await certify(connection, digestOf(1))).value, 1);
  connection.close();
});

test('garbage before and after the greeting: the process goes on', async () => {
  const folder = await newFolder();
  await spawnTrustedProcess({ folder, lingerMs });
  const prng = new Prng(5);
  const greeting = encodeFrame(0, Buffer.concat([Buffer.from([1, 1]), readFileSync(join(folder, 'access'))]));
  for (let round = 0; round < 40; round += 1) {
    const socket = await openSocket(folder);
    assert.ok(socket !== undefined);
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.on('error', () => undefined);
    socket.resume();
    if (round % 2 === 0) socket.write(greeting);
    const garbage = Buffer.from(Array.from({ length: prng.between(1, 9000) }, () => prng.u32() & 255));
    // An impossible length: below four or far above the bound.
    garbage.writeUInt8(round % 3 === 0 ? 0 : 0xff, 0);
    socket.end(garbage);
    await closed;
  }
  const connection = await connectTrustedProcess(folder);
  assert.equal((await identify(connection)).counter, 0);
  connection.close();
});

test('one process per folder', async () => {
  const folder = await newFolder();
  const connection = await openTrustedProcess({ folder, lingerMs });
  // A process that hangs is not found once its socket file is away, and cannot see that; the lock still holds.
  process.kill(connection.pid, 'SIGSTOP');
  try {
    rmSync(join(folder, 'socket'));
    await assert.rejects(spawnTrustedProcess({ folder, lingerMs }), /another process serves/);
  } finally {
    process.kill(connection.pid, 'SIGCONT');
  }
  await new Promise((resolve) => connection.onClose(resolve));
});

test('a process whose socket was deleted ends in order, and the next start continues', async () => {
  const folder = await newFolder();
  const older = await openTrustedProcess({ folder, lingerMs });
  assert.equal((await certify(older, digestOf(1))).value, 1);
  const gone = new Promise((resolve) => older.onClose(resolve));
  rmSync(join(folder, 'socket'));
  await gone;
  assert.match(readFileSync(join(folder, 'log'), 'utf8'), /stopped: its socket was deleted/);
  const newer = await openTrustedProcess({ folder, lingerMs });
  assert.notEqual(newer.pid, older.pid);
  assert.equal((await certify(newer, digestOf(2))).value, 2);
  newer.close();
});

test('two processes on one folder whose lock was removed: the older one ends, no value is given twice', async () => {
  const folder = await newFolder();
  const older = await openTrustedProcess({ folder, lingerMs });
  assert.equal((await certify(older, digestOf(1))).value, 1);
  rmSync(join(folder, 'socket'));
  rmSync(join(folder, 'process.lock'), { force: true });
  let newer: ProcessConnection;
  try {
    newer = await openTrustedProcess({ folder, lingerMs });
  } catch (error) {
    // Outside of a sandbox the second lock, which is no file, holds.
    assert.match((error as Error).message, /another process serves/);
    await killAndWait(older);
    return;
  }
  await assert.rejects(certify(older, digestOf(2)));
  assert.equal((await certify(newer, digestOf(3))).value, 2);
  assert.match(
    readFileSync(join(folder, 'log'), 'utf8'),
    /another process has taken .* folder over|its socket was deleted|is of another process/,
  );
  newer.close();
});

test('an old copy of the folder put back shows its lower counter', async () => {
  const folder = await newFolder();
  let connection = await openTrustedProcess({ folder, lingerMs });
  for (let value = 1; value <= 3; value += 1) await certify(connection, digestOf(value));
  const before = await identify(connection);
  await stopTrustedProcess(folder);
  const copy = join(root, 'copy');
  cpSync(folder, copy, { recursive: true });
  connection = await openTrustedProcess({ folder, lingerMs });
  await certify(connection, digestOf(4));
  await stopTrustedProcess(folder);
  rmSync(folder, { recursive: true });
  cpSync(copy, folder, { recursive: true });
  chmodSync(folder, 0o700);
  connection = await openTrustedProcess({ folder, lingerMs });
  const rolledBack = await identify(connection);
  // The same tcEpoch with a lower counter: only the replica's log can tell (decision A3), and it must refuse.
  assert.equal(rolledBack.tcEpoch, before.tcEpoch);
  assert.equal(rolledBack.counter, 3);
  connection.close();
});

test('durability modes: shown, and memory does not continue after SIGKILL', async () => {
  const folder = await newFolder();
  const first = await openTrustedProcess({ folder, durability: 'memory', lingerMs });
  assert.equal(first.durability, 'memory');
  const identity = await identify(first);
  assert.equal(identity.persistent, false);
  await certify(first, digestOf(1));
  // Another mode asked for: stopped in order and started again, nothing lost.
  const second = await openTrustedProcess({ folder, durability: 'os', lingerMs });
  assert.equal(second.durability, 'os');
  assert.equal((await identify(second)).counter, 1);
  assert.equal((await identify(second)).tcEpoch, identity.tcEpoch);
  const third = await openTrustedProcess({ folder, durability: 'memory', lingerMs });
  await certify(third, digestOf(2));
  await killAndWait(third);
  const fourth = await openTrustedProcess({ folder, lingerMs });
  const renewed = await identify(fourth);
  assert.notEqual(renewed.tcEpoch, identity.tcEpoch);
  assert.equal(renewed.counter, 0);
  fourth.close();
});

test('what is wrong is said: damaged state, open folder, no component, folder in use', async () => {
  const folder = await newFolder();
  const path = join(folder, 'state');
  const state = readFileSync(path);
  writeFileSync(path, Buffer.concat([Buffer.from([0]), state.subarray(1)]));
  await assert.rejects(spawnTrustedProcess({ folder, lingerMs }), /header .* is damaged/);
  writeFileSync(path, state);
  chmodSync(folder, 0o755);
  await assert.rejects(spawnTrustedProcess({ folder, lingerMs }), /chmod 700/);
  chmodSync(folder, 0o700);
  await assert.rejects(
    spawnTrustedProcess({ folder: join(root, 'nowhere'), lingerMs }),
    /no trusted component/,
  );
  await assert.rejects(createTrustedFolder(folder), /not empty/);
  await assert.rejects(connectTrustedProcess(folder), /no trusted process serves/);
  assert.equal(await stopTrustedProcess(folder), false);
});

test('no room for the state: the start is refused with the reason, the component is unharmed', async () => {
  const folder = await newFolder();
  const program = [process.execPath, trustedCarrierPath(), '--folder', folder];
  // The shell's limit on the size of files (in blocks of 512 or 1024 bytes) stands for a full disk.
  const { stdout, status } = spawnSync('sh', ['-c', 'ulimit -f 200; exec "$@"', 'sh', ...program], {
    encoding: 'utf8',
  });
  assert.equal(status, 1);
  assert.match(stdout, /refused: no space .* make room and start again/);
  const connection = await openTrustedProcess({ folder, lingerMs });
  assert.equal((await certify(connection, digestOf(1))).value, 1);
  connection.close();
});

test('a folder with a long path works', async () => {
  const folder = join(root, 'a'.repeat(80), 'b'.repeat(80), 'tc');
  mkdirSync(dirname(folder), { recursive: true });
  await createTrustedFolder(folder);
  folders.push(folder);
  const connection = await openTrustedProcess({ folder, lingerMs });
  assert.equal((await certify(connection, digestOf(1))).value, 1);
  connection.close();
});

test('ends by itself when nobody calls, and when its folder is gone nobody finds it', async () => {
  const folder = await newFolder();
  const connection = await openTrustedProcess({ folder, lingerMs: 50 });
  const { value, tcEpoch, digest, authenticator } = await certify(connection, digestOf(1));
  const identity = await identify(connection);
  const parts = { tcId: identity.tcId, suite: identity.suite, tcEpoch, counter: value, digest };
  assert.ok(checkSignature(identity.publicKey, statementForUi(parts), authenticator));
  connection.close();
  const deadline = Date.now() + 10_000;
  while ((await isTrustedProcessRunning(folder)) && Date.now() < deadline)
    await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(await isTrustedProcessRunning(folder), false);
  const again = await openTrustedProcess({ folder, lingerMs });
  assert.equal((await identify(again)).counter, 1);
  again.close();
});
