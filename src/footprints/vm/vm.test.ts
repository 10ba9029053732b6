/** Footprint (d) in real virtual machines, emulated. Each boot takes two seconds and more, so tests share machines. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { digestToBytes } from '../../core/bytes.ts';
import type { TrustedRegistration } from '../../core/config.ts';
import { Prng } from '../../core/prng.ts';
import type { Digest } from '../../core/types.ts';
import { isRegistered } from '../../trusted/client.ts';
import { checkSignature } from '../../trusted/conformance/environment.testing.ts';
import { conformanceOf } from '../../trusted/conformance/suite.ts';
import { USIG_OBJECT_ID } from '../../trusted/contract.ts';
import { encodeTrustedRequest } from '../../trusted/frames.ts';
import { encodeFrame } from '../process/channel.ts';
import type { TrustedConnection } from '../contract.ts';
import { cacheFolder } from './cache.ts';
import { acceleratorOf, createVm, identityOf, openVm, vmFootprint } from './footprint.ts';
import { programImage } from './image.ts';
import { encodeMachineGreeting, openPort } from './link.ts';
import { ask, runOver, whySkipped } from './machine.testing.ts';
import { machineArguments, machineProcess, startMachine } from './machine.ts';

const skip = await whySkipped();
const root = mkdtempSync(join(tmpdir(), 'moiety-vm-'));
const folder = join(root, 'tc');
const options = { folder, program: 'usig', argument: '' };
/** Ends by itself soon, should a test be killed. */
const LINGER_SECONDS = 30;
const digest = '11'.repeat(32) as Digest;
const CERTIFY = { op: 'certify', objectId: USIG_OBJECT_ID, digest, core: digestToBytes(digest) } as const;

const open = (): Promise<TrustedConnection> => openVm(options, LINGER_SECONDS);

async function killMachine(connection: TrustedConnection): Promise<void> {
  const gone = new Promise((done) => connection.onClose(done));
  process.kill(machineProcess(folder)!, 'SIGKILL');
  await gone;
}

/** Sends bytes on the bare socket and leaves at once. */
async function interrupt(...parts: readonly Uint8Array[]): Promise<void> {
  const socket = await openPort(folder, 30_000);
  assert.ok(socket !== undefined);
  socket.on('error', () => undefined);
  socket.resume();
  await new Promise<void>((done) => {
    socket.once('close', () => done());
    socket.write(Buffer.concat(parts), () => socket.destroy());
  });
}

test(
  'images: same inputs, same bytes; nothing in them but the program and its modules',
  { skip },
  async (t) => {
    const first = await programImage('usig');
    const second = await programImage('usig', true);
    t.after(() => rmSync(dirname(second.archive), { recursive: true }));
    assert.notEqual(first.archive, second.archive);
    assert.ok(readFileSync(first.archive).equals(readFileSync(second.archive)));
    assert.equal(first.measurement, second.measurement);
    const text = readFileSync(first.archive, 'latin1');
    const names = [...text.matchAll(/070701[0-9a-f]{104}([\x21-\x7e]+)\0/g)].map((match) => match[1]);
    assert.match(names.join(' '), /^dev modules (modules\/virtio[a-z_-]*\.ko )+init TRAILER!!!$/);
    // No path of the machine on which it was built.
    assert.ok(!text.includes(cacheFolder()) && !text.includes(process.cwd()));
  },
);

test('QEMU gets no disk, no network, no display, no monitor; KVM only on request', { skip }, async () => {
  const image = await programImage('usig');
  const words = (argument: string): string =>
    machineArguments({ folder, image, accelerator: acceleratorOf(argument) }).join(' ');
  assert.doesNotMatch(words(''), /kvm|netdev|-nic|-drive|-qmp|-mon /);
  assert.match(words(''), /-nodefaults .*-monitor none .*-sandbox on,.*spawn=deny/);
  assert.match(words('kvm'), /-accel kvm -accel tcg/);
  assert.throws(() => acceleratorOf('xen'), /run by "tcg" or "kvm"/);
});

describe('a trusted virtual machine', { skip }, () => {
  let registration: TrustedRegistration;
  before(async () => (registration = await createVm(options, LINGER_SECONDS)));
  after(async () => {
    await vmFootprint.stop(folder);
    rmSync(root, { recursive: true, force: true });
  });

  test('is what was registered, outlives its callers, and forgets nothing between them', async () => {
    assert.equal(registration.footprint, 'vm');
    for (let value = 1; value <= 3; value += 1) {
      const connection = await open();
      const identity = await identityOf(connection);
      assert.ok(isRegistered(identity, registration));
      assert.equal(identity.persistent, false);
      const response = await ask(connection, CERTIFY);
      assert.ok(response.op === 'certify' && response.value === value);
      connection.close();
    }
  });

  test('survives callers that send half a frame, garbage or a wrong token and leave', async () => {
    const request = encodeFrame(1, encodeTrustedRequest(CERTIFY));
    const greeting = encodeMachineGreeting(readFileSync(join(folder, 'access')), Buffer.alloc(16, 1));
    const prng = new Prng(8);
    const garbage = Buffer.from(Array.from({ length: 9_000 }, () => prng.u32() & 255));
    await interrupt(request.subarray(0, 11));
    await interrupt(greeting, request.subarray(0, 30));
    await interrupt(greeting, garbage);
    await interrupt(encodeMachineGreeting(Buffer.alloc(32, 1), Buffer.alloc(16, 2)), request);
    await interrupt(garbage);
    const connection = await open();
    const identity = await identityOf(connection);
    assert.ok(isRegistered(identity, registration));
    assert.equal(identity.counter, 3);
    connection.close();
  });

  test('two that start a machine at once get one machine', async () => {
    const other = join(root, 'other');
    mkdirSync(other, { mode: 0o700 });
    writeFileSync(join(other, 'access'), Buffer.alloc(32, 3));
    const image = await programImage('usig');
    const start = (): Promise<void> =>
      startMachine({ folder: other, image, accelerator: 'tcg', lingerSeconds: LINGER_SECONDS });
    await Promise.all([start(), start()]);
    assert.ok(existsSync(join(other, 'socket')));
    assert.equal(await vmFootprint.stop(other), true);
    assert.equal(await vmFootprint.stop(other), false);
  });

  test('conformance, restarted by SIGKILL: another machine is another component', async () => {
    let connection = await open();
    for (const { run } of conformanceOf('usig')) {
      const check = run({ prng: new Prng(4), calls: 60, checkSignature });
      connection = await runOver(check, connection, async (old) => {
        await killMachine(old);
        return open();
      });
    }
    const identity = await identityOf(connection);
    assert.ok(!isRegistered(identity, registration));
    assert.equal(identity.measurement, registration.measurement);
    connection.close();
  });
});

test('what is wrong is said', { skip }, async () => {
  const nowhere = { ...options, folder: join(root, 'nowhere') };
  await assert.rejects(vmFootprint.open(nowhere), /no trusted component/);
  await assert.rejects(
    vmFootprint.create({ ...nowhere, program: 'nothing' }),
    /no trusted program "nothing"/,
  );
  await assert.rejects(vmFootprint.create({ ...nowhere, argument: 'xen' }), /not by "xen"/);
  const full = mkdtempSync(join(tmpdir(), 'moiety-vm-full-'));
  writeFileSync(join(full, 'x'), '');
  await assert.rejects(vmFootprint.create({ ...options, folder: full }), /not empty/);
  rmSync(full, { recursive: true });
});
