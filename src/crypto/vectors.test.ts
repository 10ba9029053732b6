/**
 * The signature rule on honest, malleable, small-order and torsion inputs: the portable code, OpenSSL and libsodium
 * must give one verdict wherever the key passed registration. Where they would differ without the
 * registration check is said at the cases.
 */
import assert from 'node:assert/strict';
import { sign as nodeSign, createPrivateKey } from 'node:crypto';
import { test } from 'node:test';
import { ed25519, ED25519_TORSION_SUBGROUP } from '@noble/curves/ed25519.js';
import { sha512 } from '@noble/hashes/sha2.js';
import {
  asciiBytes,
  bytesToDigest,
  bytesToHex,
  concatBytes,
  digestToBytes,
  hexToBytes,
} from '../core/bytes.ts';
import { ED25519_BACKENDS } from '../platform/ed25519.ts';
import { isAdmissibleSignature, isPrimeOrderKey, verifyEd25519Portable } from './ed25519-rule.ts';

const Point = ed25519.Point;
const L = Point.Fn.ORDER;
const P = 2n ** 255n - 19n;
const PKCS8_PREFIX = hexToBytes('302e020100300506032b657004220420')!;

/** What a replica does, on whichever library: their verdicts must be one. */
function verifyNatively(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  const verdicts = ED25519_BACKENDS.map(({ verify }) => verify(publicKey, message, signature));
  assert.ok(
    new Set(verdicts).size === 1,
    `back ends differ on ${bytesToHex(publicKey)} ${bytesToHex(signature)}`,
  );
  return verdicts[0]!;
}

/** All back ends, the portable one included; they must agree. */
function verdict(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  const portable = verifyEd25519Portable(publicKey, message, signature);
  const system = verifyNatively(publicKey, message, signature);
  assert.equal(portable, system, `back ends differ on ${bytesToHex(publicKey)} ${bytesToHex(signature)}`);
  return portable;
}

function littleEndian(value: bigint): Uint8Array {
  const bytes = new Uint8Array(32);
  for (let index = 0, rest = value; index < 32; index += 1, rest >>= 8n) bytes[index] = Number(rest & 255n);
  return bytes;
}

function integerOf(bytes: Uint8Array): bigint {
  return bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
}

const challengeOf = (commitment: Uint8Array, key: Uint8Array, message: Uint8Array): bigint =>
  integerOf(sha512(concatBytes(commitment, key, message))) % L;

const torsion = ED25519_TORSION_SUBGROUP.map((hex) => Point.fromHex(hex));
const message = asciiBytes('thirty-two bytes of some digest!');
const secret = 0x1234567890abcdef1234567890abcdefn;
const nonce = 0xfedcba0987654321fedcba0987654321n;
const keyPoint = Point.BASE.multiply(secret);
const key = keyPoint.toBytes();

/** A signature whose R is the given bytes, S = r + h a: it satisfies at least the cofactored equation. */
function craft(commitment: Uint8Array, r: bigint, publicKey = key): Uint8Array {
  const response = (r + challengeOf(commitment, publicKey, message) * secret) % L;
  return concatBytes(commitment, littleEndian(response));
}

/** Encodings with y >= p of points that have one (y below 19), and the two negative zeros. */
function nonCanonicalEncodings(): Uint8Array[] {
  const encodings: Uint8Array[] = [];
  for (let y = 0n; y < 19n; y += 1n)
    for (const sign of [0n, 1n]) encodings.push(littleEndian(y + P + (sign << 255n)));
  encodings.push(littleEndian(1n + (1n << 255n)), littleEndian(P - 1n + (1n << 255n)));
  return encodings;
}

const RFC_8032 = [
  {
    seed: '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
    key: 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
    message: '',
    signature:
      'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155' +
      '5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
  },
  {
    seed: '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb',
    key: '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
    message: '72',
    signature:
      '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da' +
      '085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
  },
  {
    seed: 'c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7',
    key: 'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
    message: 'af82',
    signature:
      '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac' +
      '18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a',
  },
  {
    seed: '833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42',
    key: 'ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf',
    message: bytesToHex(sha512(asciiBytes('abc'))),
    signature:
      'dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b589' +
      '09351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704',
  },
].map((vector) => ({
  seed: hexToBytes(vector.seed)!,
  key: hexToBytes(vector.key)!,
  message: hexToBytes(vector.message)!,
  signature: hexToBytes(vector.signature)!,
}));

test('both libraries are there, the faster one first (on a machine that libsodium is built for)', (t) => {
  const names = ED25519_BACKENDS.map(({ name }) => name);
  if (names.length === 1) t.skip('sodium-native does not load here: OpenSSL alone signs and verifies');
  else assert.deepEqual(names, ['libsodium', 'openssl']);
});

test('the vectors of RFC 8032 hold, and so does what either back end signs', () => {
  for (const vector of RFC_8032) {
    assert.ok(isPrimeOrderKey(vector.key));
    assert.deepEqual(ed25519.getPublicKey(vector.seed), vector.key);
    assert.deepEqual(ed25519.sign(vector.message, vector.seed), vector.signature);
    const der = Buffer.from(concatBytes(PKCS8_PREFIX, vector.seed));
    const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
    assert.deepEqual(new Uint8Array(nodeSign(null, vector.message, privateKey)), vector.signature);
    for (const { signer } of ED25519_BACKENDS) {
      const { publicKey, sign } = signer(privateKey);
      assert.deepEqual(publicKey, vector.key);
      const digest = bytesToDigest(sha512(vector.message).subarray(0, 32));
      assert.deepEqual(sign(digest), ed25519.sign(digestToBytes(digest), vector.seed));
    }
    assert.ok(verdict(vector.key, vector.message, vector.signature));
    assert.ok(!verdict(vector.key, concatBytes(vector.message, Uint8Array.of(0)), vector.signature));
  }
});

test('every single changed bit of a signature, and every changed byte of key or message, is refused', () => {
  const vector = RFC_8032[2]!;
  for (let bit = 0; bit < 512; bit += 1) {
    const changed = vector.signature.slice();
    changed[bit >>> 3]! ^= 1 << (bit & 7);
    // The portable back end is slow: it judges every fifth of them.
    const judge = bit % 5 === 0 ? verdict : verifyNatively;
    assert.ok(!judge(vector.key, vector.message, changed), `bit ${bit}`);
  }
  for (let index = 0; index < 32; index += 1) {
    const changed = vector.key.slice();
    changed[index]! ^= 1;
    assert.ok(!verdict(changed, vector.message, vector.signature));
  }
});

test('a wrong length is refused, and nothing throws', () => {
  const { signature } = RFC_8032[0]!;
  for (const length of [0, 1, 32, 63])
    assert.ok(!verdict(RFC_8032[0]!.key, new Uint8Array(0), signature.subarray(0, length)));
  assert.ok(!verdict(RFC_8032[0]!.key, new Uint8Array(0), concatBytes(signature, Uint8Array.of(0))));
  assert.ok(!verdict(key, message, new Uint8Array(64)));
  assert.ok(!verdict(key, message, new Uint8Array(64).fill(255)));
  for (const length of [0, 31, 33]) {
    assert.ok(!isPrimeOrderKey(new Uint8Array(length)));
    assert.ok(!verifyEd25519Portable(new Uint8Array(length), message, signature));
  }
});

test('a response of L or more is refused, though it is the same number modulo L', () => {
  const good = craft(Point.BASE.multiply(nonce).toBytes(), nonce);
  assert.ok(verdict(key, message, good));
  const response = integerOf(good.subarray(32));
  for (let multiple = 1n; response + multiple * L < 1n << 256n; multiple += 1n) {
    const malleated = concatBytes(good.subarray(0, 32), littleEndian(response + multiple * L));
    assert.ok(!verdict(key, message, malleated), `S + ${multiple} L`);
  }
  assert.ok(!verdict(key, message, concatBytes(good.subarray(0, 32), littleEndian(L))));
});

test('a commitment with a torsion component is refused: the equation has no cofactor', () => {
  for (const point of torsion) {
    const signature = craft(Point.BASE.multiply(nonce).add(point).toBytes(), nonce);
    assert.equal(verdict(key, message, signature), point.is0());
    // Noble's own strict verify has the cofactor in its equation and takes all eight.
    assert.ok(ed25519.verify(signature, message, key, { zip215: false }));
  }
});

test('no commitment of small order holds, in whatever encoding', () => {
  // The neutral point satisfies the equation; OpenSSL 3.5 refuses it by itself, OpenSSL 3.0 did not.
  for (const point of torsion) assert.ok(!verdict(key, message, craft(point.toBytes(), 0n)));
  for (const encoding of nonCanonicalEncodings()) assert.ok(!verdict(key, message, craft(encoding, 0n)));
});

test('K2 is exact at its bounds', () => {
  const r = Point.BASE.multiply(nonce).toBytes();
  for (const response of [0n, 1n, L - 1n])
    assert.ok(isAdmissibleSignature(concatBytes(r, littleEndian(response))));
  for (const response of [L, L + 1n, 1n << 253n, (1n << 256n) - 1n])
    assert.ok(!isAdmissibleSignature(concatBytes(r, littleEndian(response))));
  assert.ok(!isAdmissibleSignature(concatBytes(Point.ZERO.toBytes(), littleEndian(5n))));
});

test('registration refuses small-order, mixed-order, non-canonical keys, and bytes that are no point', () => {
  for (const point of torsion) assert.ok(!isPrimeOrderKey(point.toBytes()));
  for (const point of torsion)
    assert.equal(isPrimeOrderKey(keyPoint.add(point).toBytes()), point.is0(), 'torsion in the key');
  for (const encoding of nonCanonicalEncodings()) assert.ok(!isPrimeOrderKey(encoding));
  let offCurve = 0;
  for (let y = 2n; y < 40n; y += 1n) if (!isPrimeOrderKey(littleEndian(y))) offCurve += 1;
  assert.ok(offCurve >= 10);
  assert.ok(isPrimeOrderKey(key));
});

test('why registration matters: without it a key of small or mixed order signs what it should not', () => {
  // A neutral key makes [S]B = R hold for every message: one signature for everything. OpenSSL 3.5 refuses such keys
  // by itself, the equation does not.
  const neutral = Point.ZERO.toBytes();
  const anyMessage = concatBytes(Point.BASE.multiply(nonce).toBytes(), littleEndian(nonce));
  for (const text of ['x', 'y']) assert.ok(verifyEd25519Portable(neutral, asciiBytes(text), anyMessage));
  assert.ok(!isPrimeOrderKey(neutral));
  // With a torsion component T in the key the verdict depends on h T, that is, on whether the rule has a cofactor.
  const order8 = torsion.find((point) => !point.multiplyUnsafe(4n).is0())!;
  const mixed = keyPoint.add(order8).toBytes();
  let refused = 0;
  for (let tries = 1n; tries <= 60n; tries += 1n) {
    const signature = craft(Point.BASE.multiply(nonce + tries).toBytes(), nonce + tries, mixed);
    assert.ok(ed25519.verify(signature, message, mixed, { zip215: true }));
    if (!verdict(mixed, message, signature)) refused += 1;
  }
  assert.ok(refused > 0 && refused < 60);
});
