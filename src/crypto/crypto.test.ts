import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { asciiBytes, bytesToDigest, bytesToHex, digestToBytes } from '../core/bytes.ts';
import { Prng } from '../core/prng.ts';
import type { Seal } from '../core/protocol.ts';
import type { Digest, TcEpoch } from '../core/types.ts';
import { equalConstantTime } from './constant-time.ts';
import { verifyEd25519Portable } from './ed25519-rule.ts';
import { createModelKeys, modelHash } from './fast-model.ts';
import { createPortableSigner, createPortableVerifier, portableHash } from './portable.ts';

const digest = bytesToDigest(portableHash(asciiBytes('a digest')));
const other = bytesToDigest(portableHash(asciiBytes('another digest')));
const seedOf = (name: string): Uint8Array => portableHash(asciiBytes(name));

test('the portable hash is SHA-256', () => {
  for (const length of [0, 1, 55, 56, 64, 1000]) {
    const bytes = new Uint8Array(length).fill(length);
    assert.deepEqual(portableHash(bytes), new Uint8Array(createHash('sha256').update(bytes).digest()));
  }
});

test('a portable signer signs the bytes of the digest and keeps its own copy of the seed', () => {
  const seed = seedOf('one');
  const signer = createPortableSigner(seed);
  seed.fill(0);
  assert.ok(verifyEd25519Portable(signer.publicKey, digestToBytes(digest), signer.sign(digest)));
  assert.ok(!verifyEd25519Portable(signer.publicKey, digestToBytes(other), signer.sign(digest)));
});

test('verifyMany: invalid wins over unknownKey, unknownKey over valid; keys bind once', () => {
  const hosts = ['h0', 'h1'].map((name) => createPortableSigner(seedOf(name)));
  const tcEpoch = '00'.repeat(8) as TcEpoch;
  const verifier = createPortableVerifier(
    hosts.map((host) => host.publicKey),
    (key, ui, covered) => key.publicKey === bytesToHex(ui.authenticator) && covered === digest,
    (request) => (request.footprint === 'good' ? undefined : 'no evidence'),
  );
  const host = (replica: number, covered: Digest = digest): Seal => {
    return { kind: 'host', replica, digest: covered, signature: hosts[replica % 2]!.sign(digest) };
  };
  const client: Seal = {
    kind: 'client',
    key: hosts[0]!.publicKey,
    digest,
    signature: hosts[0]!.sign(digest),
  };
  const counter = (replica: number, authenticator: number): Seal => ({
    kind: 'counter',
    ui: { replica, tcEpoch, counter: 1, authenticator: Uint8Array.of(authenticator) },
    digest,
  });
  assert.equal(verifier.verifyMany([]), 'valid');
  assert.equal(verifier.verifyMany([host(0), host(1), client]), 'valid');
  assert.equal(verifier.verifyMany([host(0), host(1, other)]), 'invalid');
  assert.equal(verifier.verifyMany([host(2)]), 'invalid', 'no such member');
  assert.equal(verifier.verifyMany([{ ...client, digest: other }]), 'invalid');
  assert.equal(verifier.verifyMany([counter(1, 7), host(0)]), 'unknownKey');
  assert.equal(verifier.verifyMany([counter(1, 7), host(0, other)]), 'invalid');
  assert.equal(verifier.verifyMany([counter(5, 7)]), 'invalid', 'no such member');
  verifier.trust({ replica: 1, tcEpoch, tcId: '', publicKey: '07' });
  assert.equal(verifier.verifyMany([counter(1, 7), host(0)]), 'valid');
  assert.equal(verifier.verifyMany([counter(1, 8)]), 'invalid');
  verifier.trust({ replica: 1, tcEpoch, tcId: '', publicKey: '08' });
  assert.equal(verifier.verifyMany([counter(1, 8)]), 'invalid', 'a binding that exists stays');
});

test('equalConstantTime compares', () => {
  assert.ok(equalConstantTime(Uint8Array.of(1, 2), Uint8Array.of(1, 2)));
  assert.ok(!equalConstantTime(Uint8Array.of(1, 2), Uint8Array.of(1, 3)));
  assert.ok(!equalConstantTime(Uint8Array.of(1, 2), Uint8Array.of(1)));
});

test('the model hash keeps apart what simulated replicas make, in each half of its bits', () => {
  const seen = new Set<string>();
  const halves = [new Set<string>(), new Set<string>()];
  let inputs = 0;
  const add = (bytes: Uint8Array): void => {
    const hex = bytesToHex(modelHash(bytes));
    inputs += 1;
    seen.add(hex);
    halves[0]!.add(hex.slice(0, 32));
    halves[1]!.add(hex.slice(32));
  };
  // Counters in any place of a statement, all-zero inputs of any length, and single bits.
  const statement = new Uint8Array(136);
  for (let at = 0; at < 132; at += 4)
    for (let value = 1; value <= 300; value += 1) {
      statement.fill(0);
      statement[at] = value;
      statement[at + 1] = value >>> 8;
      statement[at + 3] = 1;
      add(statement);
    }
  for (let length = 0; length < 300; length += 1) add(new Uint8Array(length));
  for (let bit = 0; bit < 8 * 64; bit += 1) {
    const bytes = new Uint8Array(64);
    bytes[bit >>> 3] = 1 << (bit & 7);
    add(bytes);
  }
  // Two words that differ in related ways: what additive or xor lanes alone would cancel.
  for (let left = 0; left < 100; left += 1)
    for (let right = 0; right < 100; right += 1)
      add(Uint8Array.of(2, 0, 0, left, 0, 0, 0, right, left ^ right));
  const prng = new Prng(7);
  for (let index = 0; index < 3000; index += 1)
    add(Uint8Array.from({ length: 1 + (index % 90) }, () => prng.between(0, 255)));
  // One-byte random inputs repeat; everything else is distinct.
  assert.ok(inputs - seen.size < 40, `${inputs - seen.size} repeats`);
  for (const half of halves) assert.equal(half.size, seen.size);
});

test('the model hash is the same on every machine', () => {
  assert.equal(
    bytesToHex(modelHash(new Uint8Array(0))),
    'df345ae21047286b9913213b7de565990ac2741c87db0490b23cc91088b06e2f',
  );
  assert.equal(
    bytesToHex(modelHash(asciiBytes('moiety'))),
    'c5384be87621b0fbcb571d9daf8f90174030bfe65fa9685e2d4153eafff93133',
  );
});

test('modelled signatures hold for their key and message alone, and unknown keys have made none', () => {
  const keys = createModelKeys();
  const one = keys.signer('one');
  const two = keys.signer('two');
  const message = asciiBytes('some statement');
  const signature = one.signBytes(message);
  assert.equal(signature.length, 64);
  assert.deepEqual(keys.signer('one').publicKey, one.publicKey);
  assert.deepEqual(one.sign(digest), one.signBytes(digestToBytes(digest)));
  assert.ok(keys.verify(one.publicKey, message, signature));
  assert.ok(!keys.verify(two.publicKey, message, signature));
  assert.ok(!keys.verify(one.publicKey, asciiBytes('some statemend'), signature));
  assert.ok(!createModelKeys().verify(one.publicKey, message, signature));
  assert.ok(!keys.verify(one.publicKey.subarray(1), message, signature));
  for (let index = 0; index < 64; index += 1) {
    const changed = signature.slice();
    changed[index]! ^= 1;
    assert.ok(!keys.verify(one.publicKey, message, changed));
  }
});
