import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { test } from 'node:test';
import { digestToBytes } from '../core/bytes.ts';
import { writeReplyContent } from '../core/client-wire.ts';
import type { WireResult } from '../core/client-wire.ts';
import { Writer } from '../core/codec.ts';
import { Prng } from '../core/prng.ts';
import type { Digest, ReplicaId } from '../core/types.ts';
import { verifyEd25519Portable } from '../crypto/ed25519-rule.ts';
import { errorResult, okResult } from './operation.ts';
import {
  decodeReplyEvidence,
  encodeReplyEvidence,
  isContradiction,
  signedReplyDigest,
  verifyReplyEvidence,
} from './reply-evidence.ts';
import type { SignedBytes } from './reply-evidence.ts';
import type { Trust } from './trust.ts';

const hash = (bytes: Uint8Array): Uint8Array => new Uint8Array(createHash('sha256').update(bytes).digest());
const digest = (digit: number): Digest => digit.toString(16).repeat(64) as Digest;
const keys: KeyObject[] = Array.from({ length: 5 }, () => generateKeyPairSync('ed25519').privateKey);
const rawKey = (key: KeyObject): Uint8Array =>
  new Uint8Array(Buffer.from(key.export({ format: 'jwk' }).x!, 'base64url'));
const trust: Trust = { clusterId: digest(1), f: 2, configurationVersion: 3, hostKeys: keys.map(rawKey) };

const RIGHT: WireResult = {
  number: 9,
  txId: digest(4),
  sequence: 10,
  height: 5,
  result: okResult(new Uint8Array([1, 2])),
};
const neighbour: WireResult = { ...RIGHT, number: 8, txId: digest(5) };

function said(replica: ReplicaId, result: Partial<WireResult> = {}, over: object = {}): SignedBytes {
  const results = [neighbour, { ...RIGHT, ...result }];
  const worth = { standing: 'final' as const, proof: new Uint8Array(0) };
  const reply = { replica, session: 7, view: replica, ...worth, results, ...over };
  const content = writeReplyContent(new Writer(256), reply).finish();
  const message = digestToBytes(signedReplyDigest(hash, trust, content));
  return { content, signature: new Uint8Array(sign(null, message, keys[replica]!)) };
}

interface Case {
  readonly wrong?: SignedBytes;
  readonly right?: readonly SignedBytes[];
  readonly session?: number;
}
const LIE = { result: okResult(new Uint8Array([1, 3])) };
const AGREED = [said(0), said(2), said(4)];

function record({ wrong, right, session }: Case = {}): Uint8Array {
  const { clusterId, configurationVersion } = trust;
  return encodeReplyEvidence({
    clusterId,
    configurationVersion,
    session: session ?? 7,
    number: 9,
    wrong: wrong ?? said(1, LIE),
    right: right ?? AGREED,
  });
}

const judged = (bytes: Uint8Array, by = trust): string => {
  const verdict = verifyReplyEvidence(bytes, by, { hash, verifySignature: verifyEd25519Portable });
  return verdict.valid ? `replica ${verdict.replica}` : verdict.fault;
};

test('a signed reply against f+1 others proves who lied, whichever field the lie is in', () => {
  const lies: Partial<WireResult>[] = [LIE, { sequence: 11 }, { height: 6 }, { txId: digest(6) }];
  for (const lie of lies) assert.equal(judged(record({ wrong: said(1, lie) })), 'replica 1');
  const verdict = verifyReplyEvidence(record(), trust);
  assert.ok(verdict.valid);
  assert.match(
    verdict.explanation,
    /^replica 1 signed a wrong result for request 9 of session 7, where replicas 0, 2, 4 /,
  );
});

test('what a correct replica may sign proves nothing', () => {
  const { session } = { session: 7 };
  const forgotten = errorResult('resultForgotten');
  assert.equal(judged(record({ wrong: said(1) })), 'noContradiction', 'another view is no other answer');
  assert.equal(judged(record({ wrong: said(1, { result: forgotten }) })), 'noContradiction');
  const tooOld = { sequence: 0, height: 0, result: errorResult('requestForgotten') };
  assert.equal(judged(record({ wrong: said(1, tooOld) })), 'noContradiction');
  const allForgot = [0, 2, 4].map((replica) => said(replica, { result: forgotten }));
  assert.equal(
    judged(record({ wrong: said(1), right: allForgot })),
    'noContradiction',
    'nor the other way round',
  );
  assert.ok(isContradiction(session, RIGHT, { ...RIGHT, result: errorResult('unknownClient') }));
  assert.ok(!isContradiction(session, RIGHT, { ...RIGHT, number: 10, sequence: 11 }));
});

test('an answer that may still be undone proves nothing, on neither side', () => {
  const early = { standing: 'speculative' };
  assert.equal(judged(record({ wrong: said(1, LIE, early) })), 'notFinal');
  assert.equal(judged(record({ wrong: said(1, LIE, { standing: 'committed' }) })), 'notFinal');
  assert.equal(judged(record({ right: [said(0), said(2, {}, early), said(4)] })), 'notFinal');
  const withProof = { proof: new Uint8Array([1, 2]) };
  assert.equal(judged(record({ wrong: said(1, LIE, withProof) })), 'replica 1');
});

test('session 0 is shared by all clients and proves nothing', () => {
  const at0 = (replica: ReplicaId, result = {}): SignedBytes => said(replica, result, { session: 0 });
  const right = [at0(0), at0(2), at0(4)];
  assert.equal(judged(record({ session: 0, wrong: at0(1, { txId: digest(8) }), right })), 'noContradiction');
});

test('f+1 distinct witnesses are needed, no fewer, no more, and they must agree', () => {
  const of = (...right: SignedBytes[]): string => judged(record({ right }));
  assert.equal(of(said(0), said(2)), 'wrongNumberOfWitnesses');
  assert.equal(of(said(0), said(2), said(3), said(4)), 'wrongNumberOfWitnesses');
  assert.equal(of(said(0), said(0), said(2)), 'wrongNumberOfWitnesses');
  assert.equal(of(said(2), said(0), said(4)), 'wrongNumberOfWitnesses');
  assert.equal(of(said(0), said(2), said(3, LIE)), 'witnessesDisagree');
  assert.equal(of(said(0), said(2, {}, { session: 8 }), said(3)), 'notCanonical');
});

test('f liars cannot build a record against a correct replica out of their own words and its genuine ones', () => {
  const words = [said(0, LIE), said(1, LIE), said(2), said(3), said(4)];
  for (const wrong of words)
    for (let mask = 1; mask < 32; mask += 1) {
      const outcome = judged(record({ wrong, right: words.filter((_, replica) => mask & (1 << replica)) }));
      assert.ok(!/replica [234]/.test(outcome), outcome);
    }
});

test('any flipped byte makes a record worthless', () => {
  const bytes = record();
  const random = new Prng(5);
  for (let at = 0; at < bytes.length; at += 1) {
    const copy = bytes.slice();
    copy[at] = copy[at]! ^ (1 << random.between(0, 7));
    assert.ok(!judged(copy).startsWith('replica'), `byte ${at}`);
  }
  assert.equal(decodeReplyEvidence(bytes.subarray(0, bytes.length - 1)), undefined);
  assert.equal(judged(new Uint8Array([...bytes, 0])), 'notCanonical');
});

test('a record of another cluster, membership or key set is refused with the reason', () => {
  assert.equal(judged(record(), { ...trust, clusterId: digest(2) }), 'otherCluster');
  assert.equal(judged(record(), { ...trust, configurationVersion: 4 }), 'otherConfiguration');
  assert.equal(judged(record(), { ...trust, f: 1 }), 'wrongNumberOfWitnesses');
  assert.equal(judged(record(), { ...trust, hostKeys: [...trust.hostKeys].reverse() }), 'badSignature');
  assert.equal(judged(record(), { ...trust, hostKeys: trust.hostKeys.slice(0, 4) }), 'unknownReplica');
});
