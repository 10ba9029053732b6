import assert from 'node:assert/strict';
import { createHash, createPublicKey, verify } from 'node:crypto';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Prng } from '../../core/prng.ts';
import type { Digest } from '../../core/types.ts';
import type { CheckSignature } from '../../trusted/client.ts';
import { conformanceOf } from '../../trusted/conformance/suite.ts';
import { USIG_OBJECT_ID } from '../../trusted/contract.ts';
import type { TrustedIdentity, TrustedRequest } from '../../trusted/contract.ts';
import { decodeTrustedResponse, encodeTrustedRequest } from '../../trusted/frames.ts';
import type { TrustedConnection } from '../contract.ts';
import { endGroup, endGuard, roteFootprint } from './footprint.ts';

const root = mkdtempSync(join(tmpdir(), 'moiety-rote-'));
const folders: string[] = [];
after(async () => {
  for (const folder of folders) await endGroup(folder);
  rmSync(root, { recursive: true, force: true });
});

async function newFolder(program = 'usig'): Promise<string> {
  const folder = join(root, `c${folders.length}`);
  await roteFootprint.create({ folder, program, argument: '3' });
  folders.push(folder);
  return folder;
}

const open = (folder: string): Promise<TrustedConnection> =>
  roteFootprint.open({ folder, program: 'usig', argument: '3' });

function call(connection: TrustedConnection, request: Uint8Array): Promise<Uint8Array> {
  return new Promise((done, fail) => {
    connection.send(request, (answer) => (answer === undefined ? fail(new Error('lost')) : done(answer)));
  });
}

async function certify(connection: TrustedConnection, number: number): Promise<number> {
  const digest = createHash('sha256').update(String(number)).digest('hex') as Digest;
  const request: TrustedRequest = {
    op: 'certify',
    objectId: USIG_OBJECT_ID,
    digest,
    core: new Uint8Array(4),
  };
  const answer = decodeTrustedResponse(await call(connection, encodeTrustedRequest(request)));
  assert.ok(answer?.op === 'certify');
  return answer.value;
}

async function identify(connection: TrustedConnection): Promise<TrustedIdentity> {
  const answer = decodeTrustedResponse(await call(connection, encodeTrustedRequest({ op: 'identify' })));
  assert.ok(answer?.op === 'identify');
  return answer.identity;
}

/** Power fails at the machine of one guard. */
async function kill(folder: string, id: number): Promise<void> {
  assert.ok(await endGuard(folder, id, 'SIGKILL'));
}

const checkSignature: CheckSignature = (publicKey, bytes, authenticator) => {
  const x = Buffer.from(publicKey, 'hex').toString('base64url');
  return verify(
    null,
    bytes,
    createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' }),
    authenticator,
  );
};

test('conformance of a component whose guards remember, killed where a check restarts', async () => {
  const folder = await newFolder();
  let connection = await open(folder);
  for (const { run } of conformanceOf('usig')) {
    const check = run({ prng: new Prng(4), calls: 100, checkSignature });
    for (let step = check.next(); step.done !== true;) {
      if (step.value.kind === 'restart') {
        await kill(folder, 0);
        connection = await open(folder);
        step = check.next([]);
      } else step = check.next(await Promise.all(step.value.requests.map((one) => call(connection, one))));
    }
  }
  connection.close();
});

test('the newest state continues; an old copy of the folder is refused and the component begins anew', async () => {
  const folder = await newFolder();
  let connection = await open(folder);
  assert.deepEqual([await certify(connection, 1), await certify(connection, 2)], [1, 2]);
  const before = await identify(connection);
  const copy = join(root, 'copy');
  cpSync(join(folder, 'guards', '0'), copy, {
    recursive: true,
    filter: (path) => !/\/(socket|component|pid)$/.test(path),
  });
  assert.equal(await certify(connection, 3), 3);
  await kill(folder, 0);
  connection = await open(folder);
  assert.equal(await certify(connection, 4), 4);
  assert.equal((await identify(connection)).tcEpoch, before.tcEpoch);
  await kill(folder, 0);
  for (const file of ['state', 'state.previous', 'key', 'group.json']) {
    rmSync(join(folder, 'guards', '0', file), { force: true });
    cpSync(join(copy, file), join(folder, 'guards', '0', file));
  }
  connection = await open(folder);
  const after = await identify(connection);
  assert.notEqual(after.tcEpoch, before.tcEpoch);
  assert.notEqual(after.publicKey, before.publicKey);
  assert.equal(after.counter, 0);
  assert.match(readFileSync(join(folder, 'guards', '0', 'log'), 'utf8'), / renewed$/m);
  connection.close();
});

test('a program that is not the one that the group was founded for, in one byte, is refused with the reason', async () => {
  const folder = await newFolder();
  const connection = await open(folder);
  assert.equal(await certify(connection, 1), 1);
  connection.close();
  await kill(folder, 0);
  const path = join(folder, 'guards', '0', 'group.json');
  const told = readFileSync(path, 'utf8');
  // The same as another byte in the module, which other tests run at the same time.
  writeFileSync(
    path,
    told.replace(/"measurement":"(.)/, (text, digit: string) =>
      text.replace(/.$/, digit === '0' ? '1' : '0'),
    ),
  );
  await assert.rejects(
    open(folder),
    /is not the one that this component was made for: its module has the measurement/,
  );
  writeFileSync(path, told);
  const again = await open(folder);
  assert.equal(await certify(again, 2), 2);
  again.close();
});

test('a state that was written and never stored at a quorum does not displace the one in force', async () => {
  const folder = await newFolder();
  const file = (name: string): string => join(folder, 'guards', '0', name);
  let connection = await open(folder);
  assert.equal(await certify(connection, 1), 1);
  const before = await identify(connection);
  await kill(folder, 0);
  const inForce = readFileSync(file('state'));
  writeFileSync(file('state.previous'), inForce);
  writeFileSync(file('state'), 'of an increment that never ended');
  connection = await open(folder);
  assert.equal((await identify(connection)).tcEpoch, before.tcEpoch);
  assert.equal(await certify(connection, 2), 2);
  // Until that one was stored, a crash would have needed it.
  assert.deepEqual(readFileSync(file('state.previous')), inForce);
  assert.equal(await certify(connection, 3), 3);
  assert.notDeepEqual(readFileSync(file('state.previous')), inForce);
  connection.close();
});

test('logs that are full are continued: the largest image of all programs is read again', async () => {
  const folder = await newFolder('a2m');
  let connection = await open(folder);
  const before = await identify(connection);
  const ids = Array.from({ length: 8 }, (_, index) => `02010000000000${index.toString().padStart(2, '0')}`);
  const entry = 'ab'.repeat(32) as Digest;
  for (const objectId of ids) {
    const append = { op: 'append', objectId, entry } as const;
    const requests: TrustedRequest[] = [
      { op: 'create', objectId, mode: 'jump' },
      ...new Array(256).fill(append),
    ];
    await Promise.all(requests.map((request) => call(connection, encodeTrustedRequest(request))));
  }
  const counted = (await identify(connection)).counter;
  assert.equal(counted, 8 * 257);
  await kill(folder, 0);
  connection = await open(folder);
  const { tcEpoch, counter } = await identify(connection);
  assert.deepEqual([tcEpoch, counter], [before.tcEpoch, counted]);
  connection.close();
});

test('a stop leaves the guards that remember; once they have ended nobody waits, and the message says what to do', async () => {
  const folder = await newFolder();
  const connection = await open(folder);
  assert.equal(await certify(connection, 1), 1);
  connection.close();
  assert.equal(await roteFootprint.stop(folder), true);
  assert.equal(roteFootprint.remembering!(folder).length, 2);
  const again = await open(folder);
  assert.equal(await certify(again, 2), 2);
  again.close();
  await endGroup(folder);
  assert.deepEqual(roteFootprint.remembering!(folder), []);
  await assert.rejects(
    open(folder),
    /3 of the 3 guards .* have ended.*moiety trusted create \S+ --tc usig@rote:3.*restart/,
  );
});

test('one guard of three away: it goes on; two away: nothing leaves, also when they are back and have forgotten', async () => {
  const folder = await newFolder();
  const connection = await open(folder);
  await kill(folder, 1);
  assert.equal(await certify(connection, 1), 1);
  await kill(folder, 2);
  let outcome = '';
  const waiting = certify(connection, 2).then(
    () => (outcome = 'answered'),
    () => (outcome = 'lost'),
  );
  await new Promise((wake) => setTimeout(wake, 500));
  assert.equal(outcome, '', 'nothing leaves without a quorum');
  // Both are started again. The one that remembers is no quorum of others: nobody who forgot is counted.
  const again = await open(folder);
  const counter = certify(again, 3).then(
    () => (outcome = 'answered'),
    () => undefined,
  );
  await waiting;
  await new Promise((wake) => setTimeout(wake, 700));
  assert.equal(outcome, 'lost');
  again.close();
  await counter;
});
