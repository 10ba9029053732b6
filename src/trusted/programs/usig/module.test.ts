/** The module and the model of USIG are one program: equal bytes for whatever is asked, whatever happens around it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Prng } from '../../../core/prng.ts';
import { TestComponent } from '../../conformance/environment.testing.ts';
import type { TestComponentOptions } from '../../conformance/environment.testing.ts';
import { randomBytes, randomDigest, randomNonce } from '../../conformance/harness.ts';
import { RECENT_DEPTH, USIG_OBJECT_ID } from '../../contract.ts';
import type { TrustedRequest } from '../../contract.ts';
import { encodeTrustedRequest } from '../../frames.ts';
import { createUsig } from './program.ts';

function randomRequest(prng: Prng): TrustedRequest {
  const objectId = prng.chance(0.05) ? '0101000000000001' : USIG_OBJECT_ID;
  const digest = randomDigest(prng);
  switch (prng.between(0, 14)) {
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
      const options: Omit<TestComponentOptions, 'program'> = { suite, seed, persistent: seed % 4 !== 0 };
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
