/** Footprint (e): every request goes through a real, emulated virtual machine to the program beside its monitor. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { TrustedRegistration } from '../../core/config.ts';
import { Prng } from '../../core/prng.ts';
import { isRegistered } from '../../trusted/client.ts';
import { checkSignature } from '../../trusted/conformance/environment.testing.ts';
import { conformanceOf } from '../../trusted/conformance/suite.ts';
import type { TrustedConnection } from '../contract.ts';
import { identityOf } from '../vm/footprint.ts';
import { runOver, whySkipped } from '../vm/machine.testing.ts';
import { openPort } from '../vm/link.ts';
import { machineProcess } from '../vm/machine.ts';
import { vmmFootprint } from './footprint.ts';

const skip = await whySkipped();
const root = mkdtempSync(join(tmpdir(), 'moiety-vmm-'));
const folder = join(root, 'tc');
const options = { folder, program: 'usig', argument: '', durability: 'os' } as const;

function pidOf(file: string): number {
  return Number.parseInt(readFileSync(join(folder, file), 'utf8'), 10);
}

async function kill(connection: TrustedConnection, pid: number): Promise<void> {
  const gone = new Promise((done) => connection.onClose(done));
  process.kill(pid, 'SIGKILL');
  await gone;
}

describe('a trusted program beside the monitor', { skip }, () => {
  let registration: TrustedRegistration;
  before(async () => (registration = await vmmFootprint.create(options)));
  after(async () => {
    await vmmFootprint.stop(folder);
    rmSync(root, { recursive: true, force: true });
  });

  test('conformance through the machine; the program is killed and goes on where it was', async () => {
    assert.equal(registration.footprint, 'vmm');
    let connection = await vmmFootprint.open(options);
    assert.ok(isRegistered(await identityOf(connection), registration));
    for (const { run } of conformanceOf('usig')) {
      const check = run({ prng: new Prng(4), calls: 60, checkSignature });
      connection = await runOver(check, connection, async (old) => {
        await kill(old, pidOf('program/pid'));
        return vmmFootprint.open(options);
      });
    }
    connection.close();
  });

  test('the machine is killed: the next one leads to the same component', async () => {
    let connection = await vmmFootprint.open(options);
    const before = await identityOf(connection);
    await kill(connection, machineProcess(folder)!);
    connection = await vmmFootprint.open(options);
    assert.deepEqual(await identityOf(connection), before);
    connection.close();
  });

  test('garbage from a caller ends its own conversation only', async () => {
    const socket = await openPort(folder, 30_000);
    assert.ok(socket !== undefined);
    socket.on('error', () => undefined);
    socket.resume();
    socket.write(Buffer.alloc(20_000, 0xee));
    await new Promise<void>((done) => socket.end(() => done()));
    const connection = await vmmFootprint.open(options);
    assert.equal((await identityOf(connection)).program, 'usig');
    connection.close();
  });
});
