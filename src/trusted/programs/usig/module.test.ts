/** The module and the model of USIG are one program: equal bytes for whatever is asked, whatever happens around it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Prng } from '../../../core/prng.ts';
import { clientMacKeyOf, hmacOver, requestTag } from '../../../crypto/request-mac.ts';
import { digestOf, sha256, TestComponent } from '../../conformance/environment.testing.ts';
import type { TestComponentOptions } from '../../conformance/environment.testing.ts';
import { randomBytes, randomDigest, randomNonce } from '../../conformance/harness.ts';
import { RECENT_DEPTH, USIG_OBJECT_ID } from '../../contract.ts';
import type { TagClaim, TrustedRequest } from '../../contract.ts';
import { encodeTrustedRequest } from '../../frames.ts';
import { createUsig } from './program.ts';

const ROOT = new Uint8Array(32).fill(0x5a);

function randomRequest(prng: Prng): TrustedRequest {
  const objectId = prng.chance(0.05) ? '0101000000000001' : USIG_OBJECT_ID;
  const digest = randomDigest(prng);
  switch (prng.between(0, 16)) {
    case 15:
      return { op: 'verifyTags', claims: Array.from({ length: prng.between(1, 20) }, () => randomClaim(prng)) };
    case 16:
      return {
        op: 'exportClientKey',
        clientKey: randomBytes(prng, 32),
        version: prng.between(0, 2),
        clusterId: digest,
        configurationVersion: prng.between(0, 3),
        agreementKey: randomBytes(prng, 32),
        signature: randomBytes(prng, 64),
      };
    case 0:
      return { op: 'identify' };
    case 1:
      return { op: 'recent', objectId, count: prng.chance(0.2) ? 2 ** 32 - 1 : prng.between(0, RECENT_DEPTH + 2) };
    case 2:
      return prng.chance(0.1) ? { op: 'renew' } : { op: 'identify' };
    case 3:
      return { op: 'verify', statement: randomBytes(prng, prng.between(0, 136)), authenticator: randomBytes(prng, 32) };
    case 4:
      return { op: 'attest', challenge: digest };
    case 5:
      return { op: 'status', objectId, nonce: randomNonce(prng), digest };
    default:
      return { op: 'certify', objectId, digest, core: randomBytes(prng, prng.between(0, 90)) };
  }
}

/** Every second one is right. */
function randomClaim(prng: Prng): TagClaim {
  const clientId = digestOf('client', prng.between(0, 2));
  const version = prng.between(0, 1);
  const digest = randomDigest(prng);
  if (prng.chance(0.5)) return { clientId, version, digest, tag: randomBytes(prng, 32) };
  const hmac = hmacOver(sha256);
  return { clientId, version, digest, tag: requestTag(hmac, clientMacKeyOf(hmac, ROOT, clientId, version), digest) };
}

function requestBytes(prng: Prng): Uint8Array {
  const bytes = encodeTrustedRequest(randomRequest(prng));
  if (prng.chance(0.1)) return bytes.subarray(0, prng.between(0, bytes.length));
  if (prng.chance(0.05)) bytes[prng.between(0, bytes.length - 1)]! ^= 1 << prng.between(0, 7);
  return bytes;
}

/** One more thing that happens to both alike; says whether they were started again. */
function disturb(prng: Prng, components: readonly TestComponent[]): void {
  const chance = prng.unit();
  const damage = prng.u32();
  for (const component of components) {
    if (chance < 0.02) component.disk = component.disk === 'good' ? 'full' : 'good';
    if (chance >= 0.02 && chance < 0.06) component.restart();
    if (chance < 0.06 || chance >= 0.065 || component.records.length === 0) continue;
    // A damaged disk: both must refuse it and can be renewed.
    component.records.splice(damage % component.records.length, 1);
    component.restart();
    component.disk = 'good';
  }
}

for (const suite of ['ed25519', 'hmac-sha256'] as const) {
  test(`module and model answer alike and keep the same records: ${suite}`, () => {
    for (let seed = 1; seed <= 4; seed += 1) {
      const options: Omit<TestComponentOptions, 'program'> = {
        suite,
        seed,
        persistent: seed % 4 !== 0,
        ...(seed === 1 ? {} : { clientRoot: ROOT }),
      };
      const module = new TestComponent({ program: 'usig', ...options });
      const model = new TestComponent({ program: createUsig, ...options });
      const prng = new Prng(seed);
      for (let index = 0; index < 600; index += 1) {
        const bytes = requestBytes(prng);
        assert.deepEqual(module.handle(bytes), model.handle(bytes), `seed ${seed}, request ${index}`);
        disturb(prng, [module, model]);
        if (index % 50 === 0) assert.deepEqual(module.records, model.records);
      }
    }
  });
}
