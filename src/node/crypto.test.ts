import assert from 'node:assert/strict';
import { createPrivateKey, generateKeyPairSync, sign } from 'node:crypto';
import { describe, it } from 'node:test';
import { bytesToDigest, bytesToHex, hexToBytes } from '../core/bytes.ts';
import type { ObjectAttestation } from '../core/attestation.ts';
import type { ClusterSettings } from '../core/config.ts';
import { Prng } from '../core/prng.ts';
import type { Seal } from '../core/protocol.ts';
import type { TcEpoch } from '../core/types.ts';
import { verifyEd25519Portable } from '../crypto/ed25519-rule.ts';
import { verifyP256Portable } from '../crypto/portable-p256.ts';
import { portableHash } from '../crypto/portable.ts';
import { statementForObject } from '../trusted/object-check.ts';
import { statementForUi } from '../trusted/statement.ts';
import { createNodeCrypto, createSignatureCheck, nodeAttestationCrypto } from './crypto.ts';
import { linkIdentityOf } from './keys.ts';
import {
  ED25519_BACKENDS,
  isCanonicalKeyEncoding,
  publicKeyOfRaw,
  rawPublicKeyOf,
} from '../platform/ed25519.ts';
import { nodeHash } from '../platform/sha256.ts';

/** L, little-endian. */
const GROUP_ORDER = 'edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010';
/** y of every small-order point, and encodings that are not canonical. */
const SPECIAL_KEYS = [
  '00'.repeat(32),
  `01${'00'.repeat(31)}`,
  `01${'00'.repeat(30)}80`,
  `ec${'ff'.repeat(30)}7f`,
  `ec${'ff'.repeat(30)}ff`,
  `ed${'ff'.repeat(30)}7f`,
  `ee${'ff'.repeat(30)}7f`,
  'ff'.repeat(32),
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  `02${'00'.repeat(31)}`,
];

const SMALL_ORDER_KEYS = SPECIAL_KEYS.filter((_, index) => [0, 1, 3, 8, 9].includes(index));

function addOrder(half: Uint8Array): Uint8Array {
  const order = hexToBytes(GROUP_ORDER)!;
  let carry = 0;
  return half.map((byte, index) => {
    const sum = byte + order[index]! + carry;
    carry = sum >> 8;
    return sum & 255;
  });
}

describe('cryptography of a replica', () => {
  it('looks at a signature once, unless what is signed is long: a memory of long messages would have no bound', () => {
    let looks = 0;
    const check = createSignatureCheck({
      ...ED25519_BACKENDS[0]!,
      verify: (_key, message) => {
        looks += 1;
        return message[0] === 1;
      },
    });
    const [key, signature] = [new Uint8Array(32), new Uint8Array(64)];
    const looksFor = (message: Uint8Array, verdict: boolean): number => {
      looks = 0;
      for (let time = 0; time < 3; time += 1) assert.equal(check(key, message, signature), verdict);
      return looks;
    };
    assert.equal(looksFor(new Uint8Array(256).fill(1), true), 1);
    assert.equal(looksFor(new Uint8Array(257).fill(1), true), 3);
    assert.equal(looksFor(new Uint8Array(255).fill(1), true), 1, 'another message');
    assert.equal(looksFor(new Uint8Array(255), false), 3, 'what does not hold is not remembered');
    key[0] = 1;
    assert.equal(looksFor(new Uint8Array(256).fill(1), true), 1, 'another key');
  });

  for (const backend of ED25519_BACKENDS)
    it(`judges every signature as the portable rule does, on ${backend.name}`, () => {
      const random = new Prng(5);
      const check = createSignatureCheck(backend);
      const same = (key: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean => {
        const verdict = check(key, message, signature);
        // Keys of small order are refused here whatever the equation says: they are never registered (rule K1).
        const isSmall = SMALL_ORDER_KEYS.includes(Buffer.from(key).toString('hex'));
        assert.equal(verdict, !isSmall && verifyEd25519Portable(key, message, signature));
        assert.equal(check(key, message, signature), verdict, 'the memory gives the same verdict');
        return verdict;
      };
      for (let round = 0; round < 6; round += 1) {
        const { privateKey } = generateKeyPairSync('ed25519');
        const key = rawPublicKeyOf(privateKey)!;
        const message = nodeHash(Uint8Array.of(round));
        const good = new Uint8Array(sign(null, message, privateKey));
        assert.ok(same(key, message, good));
        const flipped = good.slice();
        flipped[random.between(0, 63)]! ^= 1 << random.between(0, 7);
        assert.ok(!same(key, message, flipped));
        assert.ok(!same(key, nodeHash(message), good));
        const larger = good.slice();
        larger.set(addOrder(good.subarray(32)), 32);
        assert.ok(!same(key, message, larger), 'S + L');
        assert.ok(!same(key, message, good.subarray(1)));
        assert.ok(!same(key.subarray(1), message, good));
      }
      for (const key of SPECIAL_KEYS.map((hex) => hexToBytes(hex)!)) {
        for (const commitment of SPECIAL_KEYS.map((hex) => hexToBytes(hex)!)) {
          const signature = new Uint8Array(64);
          signature.set(commitment);
          for (let round = 0; round < 3; round += 1) same(key, nodeHash(Uint8Array.of(round)), signature);
        }
      }
    });

  it('knows canonical encodings', () => {
    const canonical = SPECIAL_KEYS.map((hex) => isCanonicalKeyEncoding(hexToBytes(hex)!));
    assert.deepEqual(canonical, [true, true, false, true, false, false, false, false, true, true, true]);
  });

  it('hashes as the portable back end, and gives plain byte arrays', () => {
    for (const length of [0, 1, 64, 1000]) {
      const bytes = new Uint8Array(length).fill(length);
      assert.deepEqual(nodeHash(bytes), new Uint8Array(portableHash(bytes)));
      assert.ok(!Buffer.isBuffer(nodeHash(bytes)));
    }
  });

  it('judges ECDSA P-256 like the portable verifier, whatever the half of s', () => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const { x, y } = publicKey.export({ format: 'jwk' });
    const point = Buffer.concat([Buffer.of(4), Buffer.from(x!, 'base64url'), Buffer.from(y!, 'base64url')]);
    const { verifyP256 } = nodeAttestationCrypto();
    for (let round = 0; round < 12; round += 1) {
      const message = Buffer.from(`word ${round}`);
      const signature = sign('sha256', message, { key: privateKey, dsaEncoding: 'ieee-p1363' });
      for (const verify of [verifyP256!, verifyP256Portable]) {
        assert.ok(verify(point, message, signature));
        assert.ok(!verify(point, Buffer.from('other'), signature));
        assert.ok(!verify(point.subarray(1), message, signature));
        assert.ok(!verify(Buffer.alloc(65, 4), message, signature));
        assert.ok(!verify(point, message, Buffer.alloc(64)));
      }
    }
  });

  it('signs as host and checks host, client and counter seals; unknown keys are no fault', () => {
    const host = generateKeyPairSync('ed25519').privateKey;
    const trusted = generateKeyPairSync('ed25519').privateKey;
    const { hostSigner, verifier } = createNodeCrypto({
      hostKey: host,
      settings: {
        suite: 'ed25519',
        members: [{ hostKey: bytesToHex(rawPublicKeyOf(host)!) }],
      } as unknown as ClusterSettings,
    });
    const digest = bytesToDigest(nodeHash(Uint8Array.of(1)));
    const signature = hostSigner.sign(digest);
    assert.equal(verifier.verifyMany([{ kind: 'host', replica: 0, digest, signature }]), 'valid');
    assert.equal(
      verifier.verifyMany([{ kind: 'client', key: hostSigner.publicKey, digest, signature }]),
      'valid',
    );
    const tcEpoch = '0000000000000007' as TcEpoch;
    const tcId = 'ab'.repeat(16);
    const statement = statementForUi({ tcId, suite: 'ed25519', tcEpoch, counter: 3, digest });
    const authenticator = new Uint8Array(sign(null, statement, trusted));
    const seal = { kind: 'counter', ui: { replica: 0, tcEpoch, counter: 3, authenticator }, digest } as const;
    assert.equal(verifier.verifyMany([seal]), 'unknownKey');
    const publicKey = Buffer.from(rawPublicKeyOf(trusted)!).toString('hex');
    verifier.trust({ replica: 0, tcEpoch, tcId, publicKey });
    assert.equal(verifier.verifyMany([seal]), 'valid');
    assert.equal(verifier.verifyMany([{ ...seal, ui: { ...seal.ui, counter: 4 } }]), 'invalid');
    assert.equal(verifier.verifyMany([{ ...seal, ui: { ...seal.ui, counter: 0 } }]), 'invalid');
  });

  it('checks the words of counters and logs under the registered key, strict logs included', () => {
    const host = generateKeyPairSync('ed25519').privateKey;
    const trusted = generateKeyPairSync('ed25519').privateKey;
    const members = [{ hostKey: bytesToHex(rawPublicKeyOf(host)!) }];
    const settings = { suite: 'ed25519', members } as unknown as ClusterSettings;
    const { verifier } = createNodeCrypto({ hostKey: host, settings });
    const digest = bytesToDigest(nodeHash(Uint8Array.of(1)));
    const key = { replica: 0, tcEpoch: '0000000000000007' as TcEpoch, tcId: 'ab'.repeat(16) };
    const seal = (fields: Partial<ObjectAttestation>, isStrict = false): Seal => {
      const mode = isStrict ? ({ strict: true } as const) : {};
      const blank = {
        kind: 'object',
        replica: 0,
        tcEpoch: key.tcEpoch,
        form: 'counter',
        previous: 3,
      } as const;
      const word = {
        ...blank,
        object: '0101000000000000',
        value: 9,
        authenticator: new Uint8Array(64),
        ...mode,
        ...fields,
      };
      const statement = statementForObject(key, 'ed25519', word, digest);
      const authenticator = new Uint8Array(sign(null, statement, trusted));
      return { kind: 'object', attestation: { ...word, authenticator }, digest };
    };
    const log = { form: 'log', object: '0201000000000000', history: digest } as const;
    const jump = seal({});
    assert.equal(verifier.verifyMany([jump]), 'unknownKey');
    verifier.trust({ ...key, publicKey: bytesToHex(rawPublicKeyOf(trusted)!) });
    assert.equal(verifier.verifyMany([jump, seal(log), seal({ ...log, previous: 8 }, true)]), 'valid');
    assert.equal(
      verifier.verifyMany([seal({ ...log, previous: 8 })]),
      'valid',
      'a log that may jump, without a jump',
    );
    assert.equal(verifier.verifyMany([seal(log, true)]), 'invalid', 'a strict log does not jump');
    if (jump.kind !== 'object') throw new Error('an object');
    const changes: Partial<ObjectAttestation>[] = [
      { value: 10 },
      { previous: 4 },
      { previous: 9 },
      { value: 2 ** 53 },
      { object: '0102000000000000' },
      { object: 'x' },
      { form: 'log', history: digest },
      { history: digest },
      { authenticator: new Uint8Array(64) },
    ];
    for (const change of changes) {
      const changed: Seal = { ...jump, attestation: { ...jump.attestation, ...change } };
      assert.equal(verifier.verifyMany([changed]), 'invalid', JSON.stringify(change));
    }
  });

  it('wraps a link key for TLS and takes raw keys apart', () => {
    const { privateKey } = generateKeyPairSync('ed25519');
    const identity = linkIdentityOf(privateKey, 'moiety replica 0');
    assert.match(identity.certificate, /BEGIN CERTIFICATE/);
    assert.deepEqual(rawPublicKeyOf(createPrivateKey(identity.key)), rawPublicKeyOf(privateKey));
    const raw = rawPublicKeyOf(privateKey)!;
    assert.deepEqual(rawPublicKeyOf(publicKeyOfRaw(raw)!), raw);
    assert.equal(publicKeyOfRaw(raw.subarray(1)), undefined);
  });
});

describe('bytes of a platform subclass', () => {
  it('are judged like plain ones, again and again, and stay as they are', () => {
    const pair = generateKeyPairSync('ed25519');
    const message = new Uint8Array(32).fill(7);
    const signature = sign(null, message, pair.privateKey);
    const der = pair.publicKey.export({ format: 'der', type: 'spki' });
    // With and without the sign bit in the last byte of the key.
    const key = Buffer.from(der.subarray(der.length - 32));
    const before = key.toString('hex');
    for (let round = 0; round < 2; round += 1) assert.ok(createSignatureCheck()(key, message, signature));
    assert.equal(key.toString('hex'), before);
    const set = Buffer.from(key);
    set[31] = set[31]! | 0x80;
    const changed = set.toString('hex');
    createSignatureCheck()(set, message, signature);
    assert.equal(set.toString('hex'), changed);
  });
});
