import assert from 'node:assert/strict';
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Prng } from '../../core/prng.ts';
import { checkEvidence, isRegistered } from '../../trusted/client.ts';
import type { CheckSignature } from '../../trusted/client.ts';
import { conformanceOf } from '../../trusted/conformance/suite.ts';
import type { FootprintOptions, TrustedConnection } from '../contract.ts';
import { openTrustedProcess, stopTrustedProcess } from '../process/launcher.ts';
import { beginRun, defineCounter } from './anchor.ts';
import { TPM_FILES } from './component-files.ts';
import { Tpm } from './driver.ts';
import { tpmFootprint } from './footprint.ts';
import {
  afterwards,
  ask,
  certify,
  digestOf,
  identify,
  noSwtpm,
  sha256,
  testCrypto,
  testFolder,
  testTpm,
} from './tpm.testing.ts';

const root = testFolder();
const place = noSwtpm === false ? await testTpm(join(root, 'tpm')) : '';
const folders: string[] = [];
afterwards(async () => {
  for (const folder of folders) await stopTrustedProcess(folder);
});

function optionsOf(name: string, program = 'usig'): FootprintOptions {
  const folder = join(root, name);
  folders.push(folder);
  return { folder, program, argument: place };
}

async function withTpm(use: (tpm: Tpm) => Promise<void>): Promise<void> {
  const tpm = await Tpm.open(place);
  try {
    await use(tpm);
  } finally {
    await tpm.close();
  }
}

async function kill(connection: TrustedConnection): Promise<void> {
  const gone = new Promise((done) => connection.onClose(done));
  process.kill((connection as TrustedConnection & { readonly pid: number }).pid, 'SIGKILL');
  await gone;
}

const checkSignature: CheckSignature = (publicKey, bytes, authenticator) =>
  testCrypto.verifyEd25519(Buffer.from(publicKey, 'hex'), bytes, authenticator);

test('conformance, restarted in order', { skip: noSwtpm }, async (t) => {
  const options = optionsOf('conformance');
  await tpmFootprint.create(options);
  let connection = await tpmFootprint.open(options);
  const call = (request: Uint8Array): Promise<Uint8Array> =>
    new Promise((done) => connection.send(request, (answer) => done(answer!)));
  for (const { name, run } of conformanceOf('usig')) {
    await t.test(name, async () => {
      const check = run({ prng: new Prng(5), calls: 2_000, checkSignature });
      for (let step = check.next(); step.done !== true;) {
        if (step.value.kind === 'restart') {
          assert.ok(await tpmFootprint.stop(options.folder));
          connection = await tpmFootprint.open(options);
          step = check.next([]);
        } else step = check.next(await Promise.all(step.value.requests.map(call)));
      }
    });
  }
  connection.close();
});

test(
  'what genesis registers is what opens, and a stop in order loses nothing',
  { skip: noSwtpm },
  async () => {
    const options = optionsOf('registered');
    const registration = await tpmFootprint.create(options);
    assert.equal(registration.footprint, 'tpm');
    const first = await tpmFootprint.open(options);
    assert.ok(isRegistered(await identify(first), registration));
    await certify(first, 1);
    const attested = await ask(first, { op: 'attest', challenge: digestOf(9) });
    assert.ok(attested.op === 'attest');
    assert.ok(checkEvidence(sha256, attested.evidence, digestOf(9), checkSignature));
    first.close();
    await tpmFootprint.stop(options.folder);
    const second = await tpmFootprint.open(options);
    assert.ok(isRegistered(await identify(second), registration));
    assert.deepEqual((await certify(second, 2)).previous, 1);
    second.close();
  },
);

test('killed, it is a new component: the key was nowhere but in its memory', { skip: noSwtpm }, async () => {
  const options = optionsOf('killed');
  await tpmFootprint.create(options);
  const first = await tpmFootprint.open(options);
  const before = await identify(first);
  await certify(first, 1);
  await kill(first);
  const second = await tpmFootprint.open(options);
  const now = await identify(second);
  assert.notEqual(now.tcEpoch, before.tcEpoch);
  assert.notEqual(now.publicKey, before.publicKey);
  assert.equal((await certify(second, 2)).value, 1);
  // And it goes on from there.
  second.close();
  await tpmFootprint.stop(options.folder);
  const third = await tpmFootprint.open(options);
  assert.equal((await identify(third)).tcEpoch, now.tcEpoch);
  third.close();
});

test('an old copy of the folder put back is never continued', { skip: noSwtpm }, async () => {
  const options = optionsOf('rolled-back');
  await tpmFootprint.create(options);
  const yesterday = join(root, 'yesterday');
  cpSync(options.folder, yesterday, { recursive: true });
  const first = await tpmFootprint.open(options);
  const before = await identify(first);
  await certify(first, 1);
  first.close();
  await tpmFootprint.stop(options.folder);
  rmSync(options.folder, { recursive: true });
  cpSync(yesterday, options.folder, { recursive: true });
  chmodSync(options.folder, 0o700);
  const rolled = await tpmFootprint.open(options);
  const now = await identify(rolled);
  assert.notEqual(now.tcEpoch, before.tcEpoch);
  assert.notEqual(now.publicKey, before.publicKey);
  rolled.close();
  assert.match(
    readFileSync(join(options.folder, 'log'), 'utf8'),
    /a new component, as the state was sealed at/,
  );
});

test('a program that was changed by one byte is not started', { skip: noSwtpm }, async () => {
  const options = optionsOf('changed');
  await tpmFootprint.create(options);
  const path = join(options.folder, 'program.json');
  writeFileSync(path, readFileSync(path, 'utf8').replace(/"measurement":"./, '"measurement":"x'));
  await assert.rejects(tpmFootprint.open(options), /is not the one that this component was made for/);
});

test('refusals say what to do', { skip: noSwtpm }, async () => {
  const taken = optionsOf('taken');
  mkdirSync(taken.folder);
  writeFileSync(join(taken.folder, 'something'), 'of others');
  await assert.rejects(tpmFootprint.create(taken), /not empty/);
  const nowhere = { ...optionsOf('nowhere'), argument: join(root, 'no-tpm') };
  await assert.rejects(tpmFootprint.create(nowhere), /there is no TPM at/);
  await assert.rejects(tpmFootprint.open(nowhere), /there is no component of the footprint tpm/);
  const unknown = optionsOf('unknown', 'no-such-program');
  await assert.rejects(tpmFootprint.create(unknown), /no trusted program "no-such-program"/);
  if (!existsSync('/dev/tpmrm0'))
    await assert.rejects(tpmFootprint.create({ ...unknown, argument: '' }), /tpm:swtpm/);
});

test('another TPM in the place of the first: refused, not continued', { skip: noSwtpm }, async () => {
  const options = optionsOf('other-tpm');
  await tpmFootprint.create(options);
  const other = await testTpm(join(root, 'other'));
  const path = join(options.folder, TPM_FILES.settings);
  writeFileSync(path, readFileSync(path, 'utf8').replace(place, other));
  await assert.rejects(
    openTrustedProcess({ folder: options.folder, carrierPath: 'trusted/tpm-process.mjs', hardening: 'off' }),
    /has no counter .* it is another TPM or was cleared/,
  );
});

test('of two starts from one sealed state at most one continues it', { skip: noSwtpm }, async () => {
  await withTpm(async (tpm) => {
    const nv = await defineCounter(tpm);
    const content = Buffer.from('key and records');
    for (let round = 0; round < 5; round += 1) {
      const stored = (await beginRun(tpm, nv, undefined)).seal(content);
      const starts = await Promise.all([1, 2, 3].map(() => beginRun(tpm, nv, stored)));
      assert.ok(starts.filter((start) => start.content !== undefined).length <= 1);
      assert.equal(new Set(starts.map(({ run }) => run)).size, 3);
    }
  });
});

test('one after the other: the first continues, a sealed state opens once', { skip: noSwtpm }, async () => {
  await withTpm(async (tpm) => {
    const nv = await defineCounter(tpm);
    const content = Buffer.from('key and records');
    const start = await beginRun(tpm, nv, undefined);
    assert.equal(start.reason, 'there is no sealed state');
    const stored = start.seal(content);
    assert.equal(Buffer.from(stored).indexOf(content), -1);
    const next = await beginRun(tpm, nv, stored);
    assert.equal(next.run, start.run + 1);
    assert.deepEqual(Buffer.from(next.content!), content);
    assert.match(
      (await beginRun(tpm, nv, stored)).reason,
      /sealed at \d+, the counter of the TPM stands at \d+/,
    );
  });
});

test('a sealed state that was changed to fit the counter does not open', { skip: noSwtpm }, async () => {
  await withTpm(async (tpm) => {
    const nv = await defineCounter(tpm);
    const start = await beginRun(tpm, nv, undefined);
    const old = start.seal(Buffer.from('old'));
    await beginRun(tpm, nv, old);
    // Somebody who can write the file says that it was sealed now: the TPM, not the file, says when.
    const forged = Buffer.from(old);
    forged.writeBigUInt64BE(BigInt(await tpm.nvCounter(nv)), 14);
    const reopened = await beginRun(tpm, nv, forged);
    assert.equal(reopened.content, undefined);
    assert.equal(reopened.reason, 'the TPM does not open the state');
    // Any other byte: not opened, or the same content. Never another one, never a failure.
    const now = (await beginRun(tpm, nv, undefined)).seal(Buffer.from('now'));
    for (let at = 0; at < now.length; at += 23) {
      const damaged = Uint8Array.from(now);
      damaged[at]! ^= 1;
      const { content } = await beginRun(tpm, nv, damaged);
      assert.ok(content === undefined || Buffer.from(content).toString() === 'now');
    }
  });
});
