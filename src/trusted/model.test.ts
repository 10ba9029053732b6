import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { Prng } from '../core/prng.ts';
import type { Digest } from '../core/types.ts';
import type { CertifyResponse } from './client.ts';
import { runCheck } from './conformance/harness.ts';
import { CONFORMANCE_CHECKS } from './conformance/usig.ts';
import { USIG_OBJECT_ID } from './contract.ts';
import type { TrustedIdentity } from './contract.ts';
import { decodeTrustedResponse, encodeTrustedRequest } from './frames.ts';
import { createModelledUsig, ModelledSeals, verifyModelled } from './model.ts';
import type { ModelledUsig } from './model.ts';

const hash = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();

function world(persistent: boolean, seed = 9): { usig: ModelledUsig; seals: ModelledSeals } {
  const prng = new Prng(seed);
  const seals = new ModelledSeals(prng.fork());
  return { usig: createModelledUsig({ seals, prng: prng.fork(), hash, persistent }), seals };
}

function certify(usig: ModelledUsig, letter: string): CertifyResponse {
  const digest = letter.repeat(64) as Digest;
  const request = { op: 'certify', objectId: USIG_OBJECT_ID, digest, core: new Uint8Array(2) } as const;
  const response = decodeTrustedResponse(usig.handle(encodeTrustedRequest(request)));
  assert.ok(response?.op === 'certify');
  return response;
}

function identify(usig: ModelledUsig): TrustedIdentity {
  const response = decodeTrustedResponse(usig.handle(encodeTrustedRequest({ op: 'identify' })));
  assert.ok(response?.op === 'identify');
  return response.identity;
}

for (const persistent of [true, false]) {
  for (const { name, run } of CONFORMANCE_CHECKS) {
    test(`conformance, ${persistent ? 'persistent' : 'volatile'}: ${name}`, () => {
      const { usig, seals } = world(persistent);
      const checkSignature = seals.verify.bind(seals);
      runCheck(run({ prng: new Prng(1), calls: 10_000, checkSignature }), usig, () => {
        usig.restart();
        return usig;
      });
    });
  }
}

test('the same seed gives the same bytes; another seed or run other ones', () => {
  const [a, b, c] = [world(true), world(true), world(true, 10)];
  const [first, second, third] = [certify(a.usig, 'a'), certify(b.usig, 'a'), certify(c.usig, 'a')];
  assert.deepEqual(first, second);
  assert.notDeepEqual(first.authenticator, third.authenticator);
});

test('a UI holds for its own key, counter and digest alone', () => {
  const { usig, seals } = world(true);
  const { tcEpoch, value, digest, authenticator } = certify(usig, 'a');
  const { tcId, publicKey } = identify(usig);
  const ui = { tcId, publicKey, tcEpoch, counter: value, digest, authenticator };
  assert.ok(verifyModelled(seals, ui));
  assert.ok(!verifyModelled(seals, { ...ui, counter: 2 }));
  assert.ok(!verifyModelled(seals, { ...ui, counter: 0 }));
  assert.ok(!verifyModelled(seals, { ...ui, digest: 'b'.repeat(64) as Digest }));
  assert.ok(!verifyModelled(seals, { ...ui, publicKey: 'c'.repeat(64) }));
  assert.ok(!verifyModelled(seals, { ...ui, authenticator: new Uint8Array(64) }));
  assert.ok(!verifyModelled(new ModelledSeals(new Prng(77)), ui));
});

test('rollback and clone: the same value twice, as with a real one', () => {
  const { usig, seals } = world(true);
  certify(usig, 'a');
  const old = usig.exportState();
  const original = certify(usig, 'b');
  const clone = createModelledUsig({ seals, prng: new Prng(3), hash, persistent: true, state: old });
  const forged = certify(clone, 'c');
  assert.equal(forged.value, original.value);
  assert.equal(forged.tcEpoch, original.tcEpoch);
  usig.importState(old);
  assert.equal(identify(usig).counter, 1);
});

test('loss: without its state it is another component', () => {
  const { usig, seals } = world(true);
  const fresh = createModelledUsig({ seals, prng: new Prng(5), hash, persistent: true });
  assert.notEqual(identify(fresh).tcEpoch, identify(usig).tcEpoch);
  assert.equal(certify(fresh, 'a').value, 1);
});
