import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { FootprintOptions } from '../contract.ts';
import { carrierPathOf } from '../process/carrier-launcher.ts';
import type { ProcessConnection } from '../process/connect.ts';
import { stopTrustedProcess } from '../process/launcher.ts';
import {
  assertLockedIn,
  assertSealHolds,
  noSandbox,
  PROBED,
  probeSandbox,
} from '../process/sandbox.testing.ts';
import { afterwards, ask, certify, identify, testFolder } from '../tpm/tpm.testing.ts';
import { tokenAccess } from './access.ts';
import { pkcs11Footprint } from './footprint.ts';
import { encodePlace, parsePlace, PLACE_FILE, readPlace } from './place.ts';
import { softhsmPath } from './token.ts';

const lacks = await pkcs11Footprint.missing();
const skip = lacks.length === 0 ? await noSandbox() : lacks.map(({ what }) => what).join('; ');
const root = testFolder();
const folders: string[] = [];
afterwards(async () => {
  for (const folder of folders) await stopTrustedProcess(folder);
});

function optionsOf(name: string, argument = ''): FootprintOptions {
  const folder = join(root, name);
  folders.push(folder);
  return { folder, program: 'usig', argument, hardening: 'required' };
}

const open = (options: FootprintOptions): Promise<ProcessConnection> =>
  pkcs11Footprint.open(options) as Promise<ProcessConnection>;

test('in the sandbox of a component: its token, its PIN, and nothing else', { skip }, async () => {
  const options = optionsOf('probed');
  await pkcs11Footprint.create(options);
  const other = optionsOf('another');
  await pkcs11Footprint.create(other);
  const access = tokenAccess(carrierPathOf('pkcs11-process.mjs'), undefined);
  assert.ok(!('why' in access));
  const confined = { root, folder: options.folder, access };
  const pin = `${JSON.stringify(join(root, 'another', 'pin'))}`;
  const more = `await attempt('own pin', () => fs.readFileSync(own + '/pin'));
    await attempt('pin of another', () => fs.readFileSync(${pin}));
    await attempt('binding', () => import('pkcs11js'));
    await attempt('write the library', () => fs.writeFileSync(${JSON.stringify(softhsmPath())}, 'x'));
    await attempt('write the binding', () => fs.writeFileSync('/moiety/node_modules/pkcs11js/index.js', 'x'));
    await attempt('tokens of the machine', () => fs.readdirSync('/var/lib/softhsm'));`;
  assert.deepEqual(await probeSandbox(confined, 'another', more), {
    ...PROBED,
    'own pin': 'done',
    'pin of another': 'ENOENT',
    binding: 'done',
    'write the library': 'EROFS',
    'write the binding': 'EROFS',
    'tokens of the machine': 'ENOENT',
    moiety: 'node,node_modules,private,probe.mjs,seal.node',
  });
  await assertSealHolds(confined);
});

test('locked in, it does its work', { skip }, async () => {
  const options = optionsOf('works');
  const { publicKey } = await pkcs11Footprint.create(options);
  const first = await open(options);
  assert.equal(first.hardening, 'bubblewrap');
  assertLockedIn(first.pid);
  assert.equal((await certify(first, 1)).value, 1);
  const gone = new Promise((done) => first.onClose(done));
  process.kill(first.pid, 'SIGKILL');
  await gone;
  const second = await open(options);
  assert.deepEqual((await certify(second, 2)).previous, 1);
  // Makes a key and destroys one, after the seal.
  const renewed = await ask(second, { op: 'renew' });
  assert.ok(renewed.op === 'renew' && renewed.identity.publicKey !== publicKey);
  assert.equal((await certify(second, 3)).value, 1);
  second.close();
  await pkcs11Footprint.stop(options.folder);
  const third = await open(options);
  assert.equal(third.hardening, 'bubblewrap');
  assert.equal((await identify(third)).publicKey, renewed.identity.publicKey);
  third.close();
});

test("another vendor's library finds what was named for it, and nothing else", { skip }, async () => {
  const options = optionsOf('vendor');
  await pkcs11Footprint.create(options);
  const before = await open(options);
  const { publicKey } = await identify(before);
  before.close();
  await pkcs11Footprint.stop(options.folder);
  // SoftHSM2 as if it were somebody else's: all of it outside of the component's folder, under another name.
  const far = join(root, 'far');
  mkdirSync(far, { mode: 0o700 });
  const at = (name: string): string => join(far, name);
  copyFileSync(softhsmPath()!, at('vendor.so'));
  for (const name of ['tokens', 'pin']) renameSync(join(options.folder, name), at(name));
  writeFileSync(at('conf'), `directories.tokendir = ${at('tokens')}\nobjectstore.backend = file\n`);
  const stored = readPlace(options.folder);
  const named = (query: string): void => {
    const uri = `pkcs11:token=moiety?module-path=${at('vendor.so')}&pin-source=${at('pin')}${query}`;
    const place = { ...parsePlace(uri)!, softhsmConfiguration: at('conf') };
    writeFileSync(join(options.folder, PLACE_FILE), encodePlace({ ...stored, place }), { mode: 0o600 });
  };
  named('');
  await assert.rejects(open(options), /does not load: CKR_/);
  named(`&x-read=${at('conf')}&x-write=${at('tokens')}`);
  const after = await open(options);
  assert.deepEqual([after.hardening, (await identify(after)).publicKey], ['bubblewrap', publicKey]);
  assert.equal((await certify(after, 1)).value, 1);
  after.close();
  await pkcs11Footprint.stop(options.folder);
  named('&x-sandbox=none');
  await assert.rejects(open(options), /is to be hardened, but its token was named with x-sandbox=none/);
  const plain = await open({ ...options, hardening: 'auto' });
  assert.deepEqual([plain.hardening, plain.plainReason], ['none', 'its token was named with x-sandbox=none']);
  plain.close();
});

test('what is named for a library: paths, and not everything', () => {
  const uri = (query: string): string => `token=x?module-path=/m.so&pin-source=/p&${query}`;
  const place = parsePlace(uri('x-read=/etc/vendor:/opt/vendor&x-write=/dev/hsm0'))!;
  assert.deepEqual([place.reads, place.writes], [['/etc/vendor', '/opt/vendor'], ['/dev/hsm0']]);
  for (const bad of ['x-read=etc', 'x-write=/', 'x-read=/a:/b/..', 'x-read=/a:'])
    assert.throws(() => parsePlace(uri(bad)), /absolute paths/);
  assert.throws(() => parsePlace(uri('x-sandbox=no')), /x-sandbox can only be/);
});
