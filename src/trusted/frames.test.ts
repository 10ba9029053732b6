import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Prng } from '../core/prng.ts';
import type { Digest, TcEpoch } from '../core/types.ts';
import { CORE_BYTES_MAX, RECENT_DEPTH, USIG_OBJECT_ID } from './contract.ts';
import type { TrustedIdentity, TrustedRequest, TrustedResponse } from './contract.ts';
import {
  decodeTrustedRequest,
  decodeTrustedResponse,
  encodeTrustedRequest,
  encodeTrustedResponse,
  REQUEST_BYTES_MAX,
  RESPONSE_BYTES_MAX,
} from './frames.ts';

const digest = '5a'.repeat(32) as Digest;
const tcEpoch = '0102030405060708' as TcEpoch;
const objectId = USIG_OBJECT_ID;
const full = new Uint8Array(CORE_BYTES_MAX).fill(7);

const REQUESTS: readonly TrustedRequest[] = [
  { op: 'identify' },
  { op: 'certify', objectId, digest, core: new Uint8Array(0) },
  { op: 'certify', objectId, digest, core: full },
  { op: 'recent', objectId, count: 64 },
  { op: 'renew' },
  { op: 'verify', statement: new Uint8Array(136).fill(1), authenticator: new Uint8Array(32).fill(2) },
  { op: 'attest', challenge: digest },
];

const identity: TrustedIdentity = {
  program: 'usig',
  measurement: digest,
  suite: 'ed25519',
  tcId: 'ab'.repeat(16),
  tcEpoch,
  publicKey: 'cd'.repeat(32),
  persistent: true,
  counter: 12,
};
const certificate = { counter: 3, digest, authenticator: new Uint8Array(64).fill(9), core: full };

const RESPONSES: readonly TrustedResponse[] = [
  { op: 'identify', identity },
  { op: 'renew', identity: { ...identity, suite: 'hmac-sha256', publicKey: '', persistent: false } },
  { op: 'certify', tcEpoch, previous: 4, value: 5, digest, authenticator: new Uint8Array(64).fill(9) },
  { op: 'recent', certificates: [] },
  { op: 'recent', certificates: Array.from({ length: RECENT_DEPTH }, () => certificate) },
  { op: 'verify', valid: true },
  { op: 'attest', evidence: new Uint8Array(300).fill(3) },
  { op: 'error', code: 'STORAGE', message: 'the disk is full' },
];

test('requests and answers are read back exactly and stay within their bounds', () => {
  for (const request of REQUESTS) {
    const bytes = encodeTrustedRequest(request);
    assert.ok(bytes.length <= REQUEST_BYTES_MAX);
    assert.deepEqual(decodeTrustedRequest(bytes), request);
  }
  for (const response of RESPONSES) {
    const bytes = encodeTrustedResponse(response);
    assert.ok(bytes.length <= RESPONSE_BYTES_MAX);
    assert.deepEqual(decodeTrustedResponse(bytes), response);
  }
});

test('truncated, extended and oversized frames are refused', () => {
  for (const request of REQUESTS) {
    const bytes = encodeTrustedRequest(request);
    assert.equal(decodeTrustedRequest(bytes.subarray(0, -1)), undefined);
    assert.equal(decodeTrustedRequest(Uint8Array.of(...bytes, 0)), undefined);
  }
  const core = new Uint8Array(CORE_BYTES_MAX + 1);
  assert.equal(decodeTrustedRequest(encodeTrustedRequest({ op: 'certify', objectId, digest, core })), undefined);
  assert.equal(decodeTrustedRequest(new Uint8Array(REQUEST_BYTES_MAX + 1)), undefined);
  assert.equal(decodeTrustedResponse(new Uint8Array(RESPONSE_BYTES_MAX + 1)), undefined);
});

test('what was decoded does not change with the buffer it came in', () => {
  const bytes = Buffer.from(encodeTrustedRequest({ op: 'certify', objectId, digest, core: Uint8Array.of(1, 2) }));
  const request = decodeTrustedRequest(bytes);
  bytes.fill(0);
  assert.deepEqual(request?.op === 'certify' && request.core, Uint8Array.of(1, 2));
});

test('no bytes make a decoder throw, and what it accepts is canonical', () => {
  const prng = new Prng(11);
  for (let round = 0; round < 3000; round += 1) {
    const base =
      round % 2 === 0 ? encodeTrustedRequest(prng.pick(REQUESTS)) : encodeTrustedResponse(prng.pick(RESPONSES));
    const bytes = base.slice(0, prng.between(1, Math.min(base.length, 400)));
    for (let flips = prng.between(0, 3); flips > 0; flips -= 1)
      bytes[prng.between(0, bytes.length - 1)] = prng.u32() & 255;
    const request = decodeTrustedRequest(bytes);
    if (request !== undefined) assert.deepEqual(encodeTrustedRequest(request), bytes);
    const response = decodeTrustedResponse(bytes);
    if (response !== undefined) assert.deepEqual(encodeTrustedResponse(response), bytes);
  }
});
