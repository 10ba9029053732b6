/** Keys of clients in a component: vectors, who gets which key, what a host cannot learn. */
import assert from 'node:assert/strict';
import { createHash, createHmac, generateKeyPairSync, sign } from 'node:crypto';
import { describe, it } from 'node:test';
import { bytesToHex, digestToBytes } from '../../../core/bytes.ts';
import type { Digest, Hash } from '../../../core/types.ts';
import { portableX25519PublicKey } from '../../../crypto/portable.ts';
import { openClientKey } from '../../../crypto/key-envelope.ts';
import {
  clientMacKeyOf,
  clientRootOf,
  hmacOver,
  keyQueryDigest,
  macClientId,
  requestTag,
} from '../../../crypto/request-mac.ts';
import { rawPublicKeyOf } from '../../../platform/ed25519.ts';
import { TestComponent } from '../../conformance/environment.testing.ts';
import { TAG_CLAIMS_MAX } from '../../contract.ts';
import type { TagClaim, TrustedRequest } from '../../contract.ts';
import { createUsig } from './program.ts';

const sha256: Hash = (bytes) => new Uint8Array(createHash('sha256').update(bytes).digest());
const hmac = hmacOver(sha256);
const groupKey = new Uint8Array(32).fill(0x11);
const groupId = Uint8Array.from({ length: 16 }, (_, index) => index);
const clientRoot = clientRootOf(hmac, groupKey, groupId);
const domain = { clusterId: 'ab'.repeat(32) as Digest, configurationVersion: 3 };

interface Client {
  readonly key: Uint8Array;
  readonly id: Digest;
  query(version: number, secret: Uint8Array): Extract<TrustedRequest, { op: 'exportClientKey' }>;
}

function newClient(): Client {
  const { privateKey } = generateKeyPairSync('ed25519');
  const key = rawPublicKeyOf(privateKey)!;
  return {
    key,
    id: macClientId(sha256, key),
    query: (version, secret) => {
      const agreementKey = portableX25519PublicKey(secret);
      const digest = keyQueryDigest(sha256, domain, { version, agreementKey });
      const signature = new Uint8Array(sign(null, digestToBytes(digest), privateKey));
      return { op: 'exportClientKey', clientKey: key, version, ...domain, agreementKey, signature };
    },
  };
}

/** Group key 32 × 11, group id 00…0f; client key 32 × 22, version 1; digest 32 × cd. */
const VECTORS = {
  root: 'a552fa7361eef4ed4ae6a1b388f99b085c426061cdb7bb486a41e5f5879c989e',
  key: '6a83406fb09198fe933c830171ce166e3da81474899d15aeb1600c434d86e9a7',
  tag: 'bc7f6f175d42c096669686789afaed09f651c437df7be88782af20aed1778845',
};

const secret = new Uint8Array(32).fill(7);
const digest = 'cd'.repeat(32) as Digest;

function keyFrom(component: TestComponent, client: Client, version: number): Uint8Array {
  const answer = component.ask(client.query(version, secret));
  assert.ok(answer.op === 'exportClientKey');
  const key = openClientKey(hmac, secret, client.id, version, answer.envelope);
  assert.ok(key !== undefined);
  return key;
}

function verdicts(component: TestComponent, ...claims: TagClaim[]): readonly boolean[] {
  const answer = component.ask({ op: 'verifyTags', claims });
  assert.ok(answer.op === 'verifyTags');
  return answer.valid;
}

describe('the derivation', () => {
  it('is HMAC and HKDF as the platform has them, and the vectors of the documentation', () => {
    for (const length of [0, 1, 55, 64, 200]) {
      const message = new Uint8Array(length).fill(length);
      assert.deepEqual(
        hmac(groupKey, message),
        new Uint8Array(createHmac('sha256', groupKey).update(message).digest()),
      );
    }
    assert.equal(bytesToHex(clientRoot), VECTORS.root);
    const id = macClientId(sha256, new Uint8Array(32).fill(0x22));
    const key = clientMacKeyOf(hmac, clientRoot, id, 1);
    assert.equal(bytesToHex(key), VECTORS.key);
    assert.equal(bytesToHex(requestTag(hmac, key, digest)), VECTORS.tag);
  });
});

for (const [name, program] of [
  ['module', 'usig'],
  ['model', createUsig],
] as const) {
  describe(`keys of clients: ${name}`, () => {
    const component = new TestComponent({ program, clientRoot });
    const client = newClient();
    const other = newClient();

    it('gives a client its key, and verifies what the client makes with it', () => {
      const key = keyFrom(component, client, 1);
      assert.deepEqual(key, clientMacKeyOf(hmac, clientRoot, client.id, 1));
      const tag = requestTag(hmac, key, digest);
      const claim = { clientId: client.id, version: 1, digest, tag };
      const otherDigest = 'ce'.repeat(32) as Digest;
      assert.deepEqual(
        verdicts(
          component,
          claim,
          { ...claim, digest: otherDigest },
          { ...claim, version: 2 },
          { ...claim, clientId: other.id },
          { ...claim, tag: tag.map((byte, index) => (index === 31 ? byte ^ 1 : byte)) },
          claim,
        ),
        [true, false, false, false, false, true],
      );
    });

    it('takes the most claims of one request, of clients in any order', () => {
      const keys = [client, other].map(({ id }) => clientMacKeyOf(hmac, clientRoot, id, 1));
      const claims = Array.from({ length: TAG_CLAIMS_MAX }, (_, index): TagClaim => {
        const which = index % 3 === 0 ? 1 : 0;
        const tag = requestTag(hmac, keys[index % 5 === 0 ? 1 - which : which]!, digest);
        return { clientId: [client, other][which]!.id, version: 1, digest, tag };
      });
      assert.deepEqual(
        verdicts(component, ...claims),
        claims.map((_, index) => index % 5 !== 0),
      );
      const refused = component.ask({ op: 'verifyTags', claims: [...claims, claims[0]!] });
      assert.ok(refused.op === 'error' && refused.code === 'BAD_REQUEST');
      assert.equal(component.ask({ op: 'verifyTags', claims: [] }).op, 'error');
    });

    it('a key of another version is another key; an old one verifies under its own version only', () => {
      const [first, second] = [keyFrom(component, client, 1), keyFrom(component, client, 2)];
      assert.notDeepEqual(first, second);
      const tag = requestTag(hmac, first, digest);
      const claim = { clientId: client.id, digest, tag };
      assert.deepEqual(verdicts(component, { ...claim, version: 1 }, { ...claim, version: 2 }), [true, false]);
    });

    it('gives no key to whom the client did not name, and a changed query is refused', () => {
      const query = client.query(1, secret);
      const host = portableX25519PublicKey(new Uint8Array(32).fill(9));
      for (const changed of [
        { ...query, agreementKey: host },
        { ...query, version: 2 },
        { ...query, clusterId: 'ac'.repeat(32) as Digest },
        { ...query, configurationVersion: 4 },
        { ...query, clientKey: other.key },
        { ...query, signature: other.query(1, secret).signature },
      ]) {
        const answer = component.ask(changed);
        assert.ok(answer.op === 'error' && answer.code === 'BAD_AUTH');
      }
    });

    it('an envelope opens for its client, version and secret only, and not if a bit of it changed', () => {
      const answer = component.ask(client.query(1, secret));
      assert.ok(answer.op === 'exportClientKey');
      const { envelope } = answer;
      const open = (bytes: Uint8Array, id = client.id, version = 1, own = secret) =>
        openClientKey(hmac, own, id, version, bytes);
      assert.ok(open(envelope) !== undefined);
      for (let at = 0; at < envelope.length; at += 1)
        // The highest bit of an X25519 key is not looked at, but it is under the MAC.
        assert.equal(open(envelope.map((byte, index) => (index === at ? byte ^ 0x80 : byte))), undefined);
      assert.equal(open(envelope, other.id), undefined);
      assert.equal(open(envelope, client.id, 2), undefined);
      assert.equal(open(envelope, client.id, 1, new Uint8Array(32).fill(8)), undefined);
      assert.equal(open(envelope.subarray(1)), undefined);
      assert.equal(open(new Uint8Array(96)), undefined);
    });

    it('seals to no key of small order', () => {
      const { privateKey } = generateKeyPairSync('ed25519');
      const clientKey = rawPublicKeyOf(privateKey)!;
      const agreementKey = new Uint8Array(32);
      const signed = keyQueryDigest(sha256, domain, { version: 1, agreementKey });
      const signature = new Uint8Array(sign(null, digestToBytes(signed), privateKey));
      const answer = component.ask({
        op: 'exportClientKey',
        clientKey,
        version: 1,
        ...domain,
        agreementKey,
        signature,
      });
      assert.ok(answer.op === 'error' && answer.code === 'BAD_AUTH');
    });

    it('two components of a group give the same envelope; one of no group gives and verifies nothing', () => {
      const second = new TestComponent({ program, clientRoot, seed: 2 });
      const query = client.query(1, secret);
      assert.deepEqual(second.ask(query), component.ask(query));
      const outside = new TestComponent({ program });
      const claim = { clientId: client.id, version: 1, digest, tag: new Uint8Array(32) };
      for (const request of [query, { op: 'verifyTags', claims: [claim] } as const]) {
        const answer = outside.ask(request);
        assert.ok(answer.op === 'error' && answer.code === 'MODE');
      }
    });

    it('changes nothing of the counter, and its MACs of statements stay what they were', () => {
      const hmacComponent = new TestComponent({ program, clientRoot, suite: 'hmac-sha256' });
      const plain = new TestComponent({ program, suite: 'hmac-sha256' });
      const certify: TrustedRequest = {
        op: 'certify',
        objectId: '0101000000000000',
        digest,
        core: new Uint8Array(0),
      };
      for (let round = 0; round < 3; round += 1) {
        verdicts(hmacComponent, { clientId: client.id, version: 1, digest, tag: new Uint8Array(32) });
        keyFrom(hmacComponent, client, 1);
        assert.deepEqual(hmacComponent.ask(certify), plain.ask(certify));
      }
    });
  });
}
