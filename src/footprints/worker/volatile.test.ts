import assert from 'node:assert/strict';
import { createPublicKey, verify } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it, mock } from 'node:test';
import { Worker } from 'node:worker_threads';
import { Prng } from '../../core/prng.ts';
import type { Digest } from '../../core/types.ts';
import { isRegistered } from '../../trusted/client.ts';
import type { CheckSignature } from '../../trusted/client.ts';
import { CONFORMANCE_CHECKS } from '../../trusted/conformance/usig.ts';
import { USIG_OBJECT_ID } from '../../trusted/contract.ts';
import type { TrustedIdentity, TrustedRequest, TrustedResponse } from '../../trusted/contract.ts';
import { decodeTrustedResponse, encodeTrustedRequest } from '../../trusted/frames.ts';
import type { Footprint, TrustedConnection } from '../contract.ts';
import { wasmFootprint } from '../wasm/footprint.ts';
import { workerFootprint } from './footprint.ts';

const root = mkdtempSync(join(tmpdir(), 'moiety-volatile-'));
after(() => rmSync(root, { recursive: true, force: true }));

const CERTIFY: TrustedRequest = {
  op: 'certify',
  objectId: USIG_OBJECT_ID,
  digest: '0a'.repeat(32) as Digest,
  core: new Uint8Array(0),
};

const checkSignature: CheckSignature = (publicKey, bytes, authenticator) => {
  const x = Buffer.from(publicKey, 'hex').toString('base64url');
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
  return verify(null, bytes, key, authenticator);
};

function call(connection: TrustedConnection, request: Uint8Array): Promise<Uint8Array> {
  return new Promise((done, fail) => {
    let isInside = true;
    connection.send(request, (bytes) => {
      assert.equal(isInside, false, 'the answer came from inside send');
      if (bytes === undefined) fail(new Error('the component is lost'));
      else done(bytes);
    });
    isInside = false;
  });
}

async function ask(connection: TrustedConnection, request: TrustedRequest): Promise<TrustedResponse> {
  return decodeTrustedResponse(await call(connection, encodeTrustedRequest(request)))!;
}

async function identify(connection: TrustedConnection): Promise<TrustedIdentity> {
  const answer = await ask(connection, { op: 'identify' });
  assert.ok(answer.op === 'identify');
  return answer.identity;
}

async function conformance(footprint: Footprint, options: { folder: string; program: string; argument: '' }) {
  let connection = await footprint.open(options);
  for (const { run } of CONFORMANCE_CHECKS) {
    const check = run({ prng: new Prng(2), calls: 1_000, checkSignature });
    for (let step = check.next(); step.done !== true;) {
      if (step.value.kind === 'restart') {
        connection.close();
        connection = await footprint.open(options);
        step = check.next([]);
      } else {
        step = check.next(await Promise.all(step.value.requests.map((bytes) => call(connection, bytes))));
      }
    }
  }
  connection.close();
}

for (const footprint of [wasmFootprint, workerFootprint]) {
  describe(`usig@${footprint.name}`, () => {
    const folder = join(root, footprint.name);
    const options = { folder, program: 'usig', argument: '' } as const;

    it('begins under the key of genesis, which its first use destroys', async () => {
      const registration = await footprint.create(options);
      assert.equal(registration.footprint, footprint.name);
      assert.equal(registration.suite, 'ed25519');
      assert.equal(statSync(join(folder, 'key')).mode & 0o777, 0o600);
      const unused = await footprint.open(options);
      assert.ok(isRegistered(await identify(unused), registration));
      unused.close();
      const first = await footprint.open(options);
      assert.ok(isRegistered(await identify(first), registration));
      assert.equal((await identify(first)).persistent, false);
      const answer = await ask(first, CERTIFY);
      assert.ok(answer.op === 'certify' && answer.value === 1 && answer.tcEpoch === registration.tcEpoch);
      assert.equal(existsSync(join(folder, 'key')), false);
      first.close();
      const later = [await footprint.open(options), await footprint.open(options)];
      const identities = [registration, ...(await Promise.all(later.map(identify)))];
      assert.equal(new Set(identities.map(({ tcEpoch }) => tcEpoch)).size, 3);
      assert.equal(new Set(identities.map(({ publicKey }) => publicKey)).size, 3);
      for (const connection of later) connection.close();
    });

    it('passes conformance', () => conformance(footprint, options));

    it('never begins one tcEpoch twice, also when a folder is opened twice', async () => {
      const twice = { ...options, folder: join(root, `${footprint.name}-twice`) };
      await footprint.create(twice);
      const [one, two] = [await footprint.open(twice), await footprint.open(twice)];
      assert.equal((await ask(one, CERTIFY)).op, 'certify');
      const refused = await ask(two, CERTIFY);
      assert.equal(refused.op === 'error' && refused.code, 'STORAGE');
      one.close();
      two.close();
      await assert.rejects(ask(one, CERTIFY), /lost/);
    });

    it('refuses a module that is not the one it was made for, and says so', async () => {
      const path = join(folder, 'volatile.json');
      const whole = readFileSync(path, 'utf8');
      const { measurement } = JSON.parse(whole) as { measurement: string };
      const flipped = measurement.startsWith('0') ? '1' : '0';
      writeFileSync(path, whole.replace(measurement, flipped + measurement.slice(1)));
      await assert.rejects(footprint.open(options), /not the one .* has the measurement .* new component/);
      writeFileSync(path, 'nonsense');
      await assert.rejects(footprint.open(options), /cannot be read/);
      await assert.rejects(
        footprint.create({ ...options, folder: join(root, 'none'), program: 'no-such' }),
        /no trusted program "no-such"/,
      );
    });
  });
}

describe('what is posted between the threads', () => {
  it('brings nothing along but its own bytes, whatever else its buffer holds', async () => {
    const options = { folder: join(root, 'alone'), program: 'usig', argument: '' } as const;
    await workerFootprint.create(options);
    const connection = await workerFootprint.open(options);
    const post = mock.method(Worker.prototype, 'postMessage');
    const surroundings = new Uint8Array(8_192).fill(0x5e);
    const request = encodeTrustedRequest(CERTIFY);
    surroundings.set(request, 100);
    const asked = [
      surroundings.subarray(100, 100 + request.length),
      Buffer.from(surroundings.buffer, 100, request.length),
      encodeTrustedRequest({ ...CERTIFY, core: new Uint8Array(3_700) }),
      // An error, which is not written by the module.
      new Uint8Array(0),
    ];
    const answers = await Promise.all(asked.map((bytes) => call(connection, bytes)));
    connection.close();
    const posted = post.mock.calls.flatMap((one) => one.arguments[0] as readonly Uint8Array[]);
    post.mock.restore();
    assert.equal(posted.length, asked.length);
    asked.forEach((bytes, index) => assert.deepEqual(posted[index], new Uint8Array(bytes)));
    for (const bytes of [...posted, ...answers]) assert.equal(bytes.buffer.byteLength, bytes.length);
    const said = answers.map((bytes) => decodeTrustedResponse(bytes)!.op);
    assert.deepEqual(said, ['certify', 'certify', 'certify', 'error']);
  });
});
