import assert from 'node:assert/strict';
import { createServer, connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import type { FootprintOptions } from '../contract.ts';
import type { ProcessConnection } from '../process/connect.ts';
import { stopTrustedProcess } from '../process/launcher.ts';
import type { SandboxAccess } from '../process/sandbox.ts';
import {
  assertLockedIn,
  assertSealHolds,
  noSandbox,
  PROBED,
  probeSandbox,
} from '../process/sandbox.testing.ts';
import { ENDORSE_CODE } from '../../trusted/attestation/tpm-quote.ts';
import { digestToBytes } from '../../core/bytes.ts';
import { tpmAccess } from './access.ts';
import { PRIVATE_SWTPM } from './component-files.ts';
import { tpmFootprint } from './footprint.ts';
import { stopSwtpm } from './swtpm.ts';
import { afterwards, ask, certify, digestOf, identify, noSwtpm, testFolder, testTpm } from './tpm.testing.ts';

const skip = noSwtpm === false ? await noSandbox() : noSwtpm;
const root = testFolder();
const place = skip === false ? await testTpm(join(root, 'tpm')) : '';
const folders: string[] = [];
afterwards(async () => {
  for (const folder of folders) {
    await stopTrustedProcess(folder);
    await stopSwtpm(folder);
  }
});

function optionsOf(name: string, argument = place): FootprintOptions {
  const folder = join(root, name);
  folders.push(folder);
  return { folder, program: 'usig', argument, hardening: 'required' };
}

const open = (options: FootprintOptions): Promise<ProcessConnection> =>
  tpmFootprint.open(options) as Promise<ProcessConnection>;

function accessOf({ argument, folder }: FootprintOptions): SandboxAccess {
  const access = tpmAccess(argument, folder);
  assert.ok(!('why' in access));
  return access;
}

test('in the sandbox of a component: its TPM, and nothing else', { skip }, async () => {
  const options = optionsOf('probed');
  await tpmFootprint.create(options);
  const confined = { root, folder: options.folder, access: accessOf(options) };
  const more = `await attempt('tpm', () => event(net.connect(${JSON.stringify(place)}), 'connect'));
    await attempt('other file of the tpm', () => fs.readdirSync(${JSON.stringify(join(root, 'tpm/swtpm-state'))}));`;
  assert.deepEqual(await probeSandbox(confined, 'another', more), {
    ...PROBED,
    tpm: 'done',
    'other file of the tpm': 'ENOENT',
    // The filter lets it connect to Unix sockets; there is no other one in its namespaces.
    'unix connect': 'ENOENT',
    'abstract connect': 'ECONNREFUSED',
  });
  await assertSealHolds(confined);
});

test('a TPM that is a device widens no filter', { skip }, async () => {
  const options = optionsOf('device', '/dev/full');
  const access = accessOf(options);
  assert.deepEqual(access, { devices: ['/dev/full'] });
  const folder = join(root, 'tpm');
  const more = `await attempt('device', () => fs.openSync('/dev/full', 'r+'));`;
  assert.deepEqual(await probeSandbox({ root, folder, access }, 'another', more), {
    ...PROBED,
    device: 'done',
    dev: 'full,null,urandom',
  });
});

for (const [name, argument] of [
  ['shared', place],
  ['private', PRIVATE_SWTPM],
  // Its socket is elsewhere, as paths of sockets are short.
  ['far', PRIVATE_SWTPM],
] as const)
  test(`locked in, it does its work: ${name} software TPM`, { skip }, async () => {
    const options = optionsOf(name === 'far' ? name.padEnd(100, '-') : name, argument);
    const { publicKey } = await tpmFootprint.create(options);
    const first = await open(options);
    assert.equal(first.hardening, 'bubblewrap');
    assert.equal(first.plainReason, undefined);
    assertLockedIn(first.pid);
    assert.equal((await certify(first, 1)).value, 1);
    // Asks the TPM, after the seal.
    const body = digestToBytes(digestOf(3));
    const endorsed = await ask(first, { op: 'extension', code: ENDORSE_CODE, body });
    assert.ok(endorsed.op === 'extension' && endorsed.body.length > 500);
    first.close();
    await tpmFootprint.stop(options.folder);
    const second = await open(options);
    assert.equal((await identify(second)).publicKey, publicKey);
    const renewed = await ask(second, { op: 'renew' });
    assert.ok(renewed.op === 'renew' && renewed.identity.publicKey !== publicKey);
    assert.equal((await certify(second, 2)).value, 1);
    const gone = new Promise((done) => second.onClose(done));
    process.kill(second.pid, 'SIGKILL');
    await gone;
    const third = await open(options);
    assert.equal(third.hardening, 'bubblewrap');
    assert.notEqual((await identify(third)).publicKey, renewed.identity.publicKey);
    third.close();
  });

test('what cannot be locked in says why, or is refused', { skip }, async () => {
  const bridge = createServer((socket) => {
    const tpm = connect(place);
    socket.pipe(tpm).pipe(socket);
    for (const end of [socket, tpm]) end.on('error', () => undefined);
    socket.on('close', () => tpm.destroy());
  });
  await new Promise<void>((done) => bridge.listen(0, '127.0.0.1', done));
  const { port } = bridge.address() as AddressInfo;
  const options = optionsOf('tcp', `tcp:127.0.0.1:${port}`);
  const needed = /is to be hardened, but its TPM is reached over TCP, and a sandbox has no network/;
  await assert.rejects(tpmFootprint.create(options), needed);
  const auto = { ...options, hardening: 'auto' } as const;
  await tpmFootprint.create(auto);
  const connection = await open(auto);
  assert.equal(connection.hardening, 'none');
  assert.equal(connection.plainReason, 'its TPM is reached over TCP, and a sandbox has no network');
  await assert.rejects(open(options), needed);
  // What runs was not ended for it.
  assert.equal((await certify(await open(auto), 1)).value, 1);
  await tpmFootprint.stop(options.folder);
  bridge.close();
});
