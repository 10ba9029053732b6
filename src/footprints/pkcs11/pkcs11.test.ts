import assert from 'node:assert/strict';
import {
  chmodSync,
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Prng } from '../../core/prng.ts';
import { isRegistered } from '../../trusted/client.ts';
import type { CheckSignature } from '../../trusted/client.ts';
import { conformanceOf } from '../../trusted/conformance/suite.ts';
import type { FootprintOptions, TrustedConnection } from '../contract.ts';
import { stopTrustedProcess } from '../process/launcher.ts';
import { afterwards, ask, certify, digestOf, identify, testCrypto, testFolder } from '../tpm/tpm.testing.ts';
import { pkcs11Footprint } from './footprint.ts';
import { parsePlace, PLACE_FILE } from './place.ts';
import { loadCryptoki, readPin, softhsmPath, Token } from './token.ts';

const root = testFolder();
const lacks = await pkcs11Footprint.missing();
const skip = lacks.length === 0 ? false : lacks.map(({ what }) => what).join('; ');
const folders: string[] = [];
afterwards(async () => {
  for (const folder of folders) await stopTrustedProcess(folder);
});

function optionsOf(name: string, argument = ''): FootprintOptions {
  const folder = join(root, name);
  folders.push(folder);
  return { folder, program: 'usig', argument };
}

const pidOf = (connection: TrustedConnection): number =>
  (connection as TrustedConnection & { readonly pid: number }).pid;

async function kill(connection: TrustedConnection): Promise<void> {
  const gone = new Promise((done) => connection.onClose(done));
  process.kill(pidOf(connection), 'SIGKILL');
  await gone;
}

const checkSignature: CheckSignature = (publicKey, bytes, authenticator) =>
  testCrypto.verifyEd25519(Buffer.from(publicKey, 'hex'), bytes, authenticator);

test('conformance, restarted by SIGKILL', { skip }, async (t) => {
  const options = optionsOf('conformance');
  await pkcs11Footprint.create(options);
  let connection = await pkcs11Footprint.open(options);
  const call = (request: Uint8Array): Promise<Uint8Array> =>
    new Promise((done) => connection.send(request, (answer) => done(answer!)));
  for (const { name, run } of conformanceOf('usig')) {
    await t.test(name, async () => {
      const check = run({ prng: new Prng(6), calls: 1_000, checkSignature });
      for (let step = check.next(); step.done !== true;) {
        if (step.value.kind === 'restart') {
          await kill(connection);
          connection = await pkcs11Footprint.open(options);
          step = check.next([]);
        } else step = check.next(await Promise.all(step.value.requests.map(call)));
      }
    });
  }
  connection.close();
});

/** Names of the files in which a text stands. */
function filesWith(folder: string, text: string): readonly string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => readFileSync(path).includes(text));
}

/** Of a file of the kernel; a process that is sealed shows some to nobody but root. */
function readableText(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, 'EACCES');
    return '';
  }
}

test('the PIN is in its file and nowhere else', { skip }, async () => {
  const options = optionsOf('pin');
  await pkcs11Footprint.create(options);
  const connection = await pkcs11Footprint.open(options);
  await certify(connection, 1);
  const pinFile = join(options.folder, 'pin');
  const pin = readPin(pinFile);
  assert.ok(pin.length >= 16);
  assert.deepEqual(filesWith(options.folder, pin), [pinFile]);
  for (const name of ['cmdline', 'environ'])
    assert.ok(!readableText(`/proc/${pidOf(connection)}/${name}`).includes(pin));
  for (const name of ['pin', PLACE_FILE, 'access', 'state', 'softhsm2.conf'])
    assert.equal(statSync(join(options.folder, name)).mode & 0o777, 0o600, name);
  connection.close();
  await pkcs11Footprint.stop(options.folder);
  chmodSync(pinFile, 0o644);
  await assert.rejects(pkcs11Footprint.open(options), /open to others; run: chmod 600/);
  chmodSync(pinFile, 0o600);
  writeFileSync(pinFile, 'wrong\n');
  await assert.rejects(pkcs11Footprint.open(options), (error) => {
    assert.match((error as Error).message, /cannot be opened: CKR_PIN_INCORRECT/);
    assert.ok(!(error as Error).message.includes('wrong'));
    return true;
  });
});

test('renew destroys the key in the token and makes another', { skip }, async () => {
  const options = optionsOf('renewed');
  const registration = await pkcs11Footprint.create(options);
  const connection = await pkcs11Footprint.open(options);
  assert.ok(isRegistered(await identify(connection), registration));
  const objects = (): number =>
    readdirSync(join(options.folder, 'tokens'), { recursive: true }).filter(
      (name) => String(name).endsWith('.object') && !String(name).endsWith('token.object'),
    ).length;
  assert.equal(objects(), 2);
  const renewed = await ask(connection, { op: 'renew' });
  assert.ok(renewed.op === 'renew');
  assert.notEqual(renewed.identity.publicKey, registration.publicKey);
  assert.equal(objects(), 2);
  assert.equal((await certify(connection, 1)).value, 1);
  await kill(connection);
  const again = await pkcs11Footprint.open(options);
  const identity = await identify(again);
  assert.deepEqual([identity.publicKey, identity.counter], [renewed.identity.publicKey, 1]);
  again.close();
});

test('a token without the key of the component: refused', { skip }, async () => {
  const [first, second] = [optionsOf('first'), optionsOf('second')];
  await pkcs11Footprint.create(first);
  const connection = await pkcs11Footprint.open(first);
  await certify(connection, 1);
  connection.close();
  await pkcs11Footprint.stop(first.folder);
  await pkcs11Footprint.create(second);
  cpSync(join(second.folder, 'pin'), join(first.folder, 'pin'));
  rmSync(join(first.folder, 'tokens'), { recursive: true });
  cpSync(join(second.folder, 'tokens'), join(first.folder, 'tokens'), { recursive: true });
  await assert.rejects(pkcs11Footprint.open(first), /does not have the key of this component/);
});

test('arguments: what a token is named by, and what is refused', async () => {
  assert.equal(parsePlace(''), undefined);
  const text = 'pkcs11:token=my%20ledger?module-path=/usr/lib/vendor.so&pin-source=file:/etc/moiety/pin';
  const place = { module: '/usr/lib/vendor.so', label: 'my ledger', pinFile: '/etc/moiety/pin' };
  assert.deepEqual(parsePlace(text), { ...place, softhsmConfiguration: '' });
  assert.deepEqual(parsePlace(text.slice('pkcs11:'.length)), parsePlace(text));
  assert.throws(() => parsePlace('token=x?module-path=/m.so&pin-value=1234'), /pin-source/);
  for (const bad of [
    'token=x',
    '?',
    'token=x?module-path=m.so&pin-source=/p',
    'token=%zz?module-path=/m&pin-source=/p',
  ])
    assert.throws(() => parsePlace(bad), /token=LABEL/);
  await assert.rejects(pkcs11Footprint.open(optionsOf('nothing')), /there is no trusted component in/);
  const nowhere = optionsOf('no-library', 'token=x?module-path=/no/such.so&pin-source=/no/pin');
  if (skip === false)
    await assert.rejects(pkcs11Footprint.create(nowhere), /PKCS#11 library \/no\/such.so does not load/);
  assert.ok(existsSync(root));
});

test('UNSAFE plain token as counter: it signs two messages for one value', { skip }, async () => {
  const options = optionsOf('plain');
  await pkcs11Footprint.create(options);
  process.chdir(options.folder);
  // Whoever has the PIN needs no component: the token signs what it is given, it does not count.
  const place = {
    module: softhsmPath()!,
    label: 'moiety',
    pinFile: 'pin',
    softhsmConfiguration: 'softhsm2.conf',
  };
  const token = Token.open(await loadCryptoki(place), place);
  const key = token.make(Buffer.from('a key'), 'unsafe');
  const said = ['pay Alice', 'pay Bob'].map((message) => {
    const statement = Buffer.from(`value 7: ${message} ${digestOf(7)}`);
    assert.ok(testCrypto.verifyEd25519(key.publicKey, statement, key.sign(statement)));
    return statement;
  });
  assert.notDeepEqual(said[0], said[1]);
  // The key itself stays inside: that is what such a token is for.
  assert.equal(token.find(Buffer.from('another')), undefined);
  token.destroyOthers('unsafe', new Uint8Array(0));
  assert.equal(token.find(Buffer.from('a key')), undefined);
  token.close();
});
