/** Bundles with MACs: canonical bytes, what their digests and tags cover. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodeHash as hash } from '../platform/sha256.ts';
import {
  BUNDLE_BYTES_MAX,
  clientIdOf,
  decodeBundle,
  encodeBundle,
  macBundle,
  requestMacDigests,
} from './request.ts';
import type { BundleContent } from './request.ts';
import type { Digest } from './types.ts';

const domain = { clusterId: 'c1'.repeat(32) as Digest, configurationVersion: 2 };
const clientKey = new Uint8Array(32).fill(9);
const content: BundleContent = {
  clientKey,
  session: 5,
  requests: [
    { number: 3, operation: Uint8Array.of(1, 2, 3) },
    { number: 4, operation: new Uint8Array(0) },
    { number: 8, operation: new Uint8Array(40).fill(7) },
  ],
};
const tagOf = (digest: Digest): Uint8Array => hash(new TextEncoder().encode(digest));
const bundle = macBundle(hash, domain, content, 6, tagOf);

test('what was made is what is read', () => {
  const read = decodeBundle(hash, domain, bundle.bytes);
  assert.ok(read !== undefined);
  const { digest, session, firstNumber, lastNumber, requestCount, macs, signature } = read;
  assert.deepEqual(
    { digest, session, firstNumber, lastNumber, requestCount },
    { digest: bundle.digest, session: 5, firstNumber: 3, lastNumber: 8, requestCount: 3 },
  );
  assert.equal(signature.length, 0);
  assert.equal(macs?.keyVersion, 6);
  const digests = requestMacDigests(hash, domain, clientIdOf(hash, clientKey), read);
  assert.deepEqual(
    [0, 1, 2].map((at) => macs.tags.slice(32 * at, 32 * at + 32)),
    digests.map(tagOf),
  );
  assert.deepEqual(
    read.requests.map(({ number, operation }) => ({ number, operation: operation.slice() })),
    content.requests.map(({ number, operation }) => ({ number, operation })),
  );
});

test('no other bytes are the same bundle: cut, longer, or with a byte changed they are none or another one', () => {
  for (let length = 0; length < bundle.bytes.length; length += 1)
    assert.equal(decodeBundle(hash, domain, bundle.bytes.slice(0, length)), undefined);
  assert.equal(decodeBundle(hash, domain, Uint8Array.from([...bundle.bytes, 0])), undefined);
  assert.equal(decodeBundle(hash, domain, new Uint8Array(BUNDLE_BYTES_MAX + 1).fill(2)), undefined);
  for (let at = 0; at < bundle.bytes.length; at += 1) {
    const other = decodeBundle(
      hash,
      domain,
      bundle.bytes.map((byte, index) => (index === at ? byte ^ 1 : byte)),
    );
    // The first byte made a signed bundle of it, which does not fit its length.
    if (other !== undefined) assert.notEqual(other.digest, bundle.digest, `byte ${at}`);
  }
});

test('tags are over cluster, membership, client, session, both ends of the bundle, number and operation', () => {
  const id = clientIdOf(hash, clientKey);
  const digests = new Set(requestMacDigests(hash, domain, id, content));
  assert.equal(digests.size, 3);
  const first = content.requests[0]!;
  const others = [
    requestMacDigests(hash, { ...domain, configurationVersion: 3 }, id, content),
    requestMacDigests(hash, { ...domain, clusterId: 'c2'.repeat(32) as Digest }, id, content),
    requestMacDigests(hash, domain, 'ab'.repeat(32) as Digest, content),
    requestMacDigests(hash, domain, id, { ...content, session: 6 }),
    requestMacDigests(hash, domain, id, { ...content, requests: [first] }),
    requestMacDigests(hash, domain, id, { ...content, requests: content.requests.slice(0, 2) }),
    requestMacDigests(hash, domain, id, { ...content, requests: content.requests.slice(1) }),
  ].flat();
  for (const digest of others) assert.ok(!digests.has(digest));
});

test('a signed bundle of the same requests has another digest, and a signature where the tags would be', () => {
  const signed = decodeBundle(hash, domain, encodeBundle(content, new Uint8Array(64).fill(1)));
  assert.ok(signed !== undefined && signed.macs === undefined && signed.signature.length === 64);
  assert.notEqual(signed.digest, bundle.digest);
});
