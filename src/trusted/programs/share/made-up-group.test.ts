/**
 * A host enrols its component in a group whose other members it made up, keys and all: it may move it forward as it likes,
 * but never make it say that it stands in a view that it can still enter with the true members.
 */
import assert from 'node:assert/strict';
import { createPrivateKey, createPublicKey, sign } from 'node:crypto';
import { test } from 'node:test';
import { bytesToHex, hexToBytes } from '../../../core/bytes.ts';
import type { CounterValue, Digest, TcEpoch } from '../../../core/types.ts';
import { digestOf, sha256, TestComponent } from '../../conformance/environment.testing.ts';
import type { TrustedCertificate, TrustedRequest } from '../../contract.ts';
import { COUNTER_SENTINEL, STATEMENT_KIND } from '../../contract.ts';
import { decodeStatement, encodeStatement, ZERO_NONCE } from '../../statement.ts';
import { commitmentOf, groupDigestOf } from './combine.ts';
import type { ShareMember } from './frames.ts';
import {
  announcedKeyOf,
  announceRequest,
  enrolRequest,
  enterRequest,
  followRequest,
  positionOfValue,
  positionValueOf,
  resetRequest,
  SHARE_COUNTER_END,
  SHARE_OBJECT_ID,
} from './frames.ts';

interface Claim {
  readonly kind: number;
  readonly value: CounterValue;
  readonly previous?: CounterValue;
  readonly digest?: Digest;
  readonly aux?: Digest;
}

/** A member that exists on paper only; `certify` makes whatever its component would never say. */
function madeUp(name: string, tcEpoch: TcEpoch, agreementKey: Uint8Array) {
  const seed = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), sha256(name)]);
  const key = createPrivateKey({ key: seed, format: 'der', type: 'pkcs8' });
  const { x } = createPublicKey(key).export({ format: 'jwk' });
  const publicKey = new Uint8Array(Buffer.from(x as string, 'base64url'));
  const tcId = bytesToHex(sha256('tc-id-v1', Uint8Array.of(2), publicKey)).slice(0, 32);
  const certify = (claim: Claim, rawValue?: bigint): TrustedCertificate => {
    const { kind, value, previous = value, digest = digestOf('any'), aux } = claim;
    const fields = { suite: 'ed25519', tcId, tcEpoch, objectId: SHARE_OBJECT_ID } as const;
    const more = aux === undefined ? { flags: 0 } : { flags: 4, aux };
    const statement = encodeStatement({ ...fields, ...more, kind, previous, value, digest });
    if (rawValue !== undefined) Buffer.from(statement.buffer).writeBigUInt64BE(rawValue, 48);
    return { statement, authenticator: new Uint8Array(sign(null, statement, key)) };
  };
  const digest = bytesToHex(sha256('tc-share-key-v1', agreementKey)) as Digest;
  const certificate = certify({ kind: STATEMENT_KIND.plain, value: 0, digest });
  const member: ShareMember = {
    tcId,
    tcEpoch,
    keys: { publicKey, agreement: { key: agreementKey, certificate } },
  };
  return { member, certify };
}

function codeOf(component: TestComponent, request: TrustedRequest): string {
  const answer = component.ask(request);
  return answer.op === 'error' ? answer.code : answer.op;
}

/** A component in a group of itself and two that are made up, which lead views 0, 1, 3, 4, ... */
function enrolled() {
  const component = new TestComponent({ program: 'share', seed: 1 });
  const who = component.ask({ op: 'identify' });
  assert.ok(who.op === 'identify');
  const { tcId, tcEpoch, publicKey } = who.identity;
  const agreement = announcedKeyOf(component.ask(announceRequest()))!;
  const others = ['first', 'second'].map((name) => madeUp(name, tcEpoch, agreement.key));
  const own = { tcId, tcEpoch, keys: { publicKey: hexToBytes(publicKey)!, agreement } };
  const members = [...others.map(({ member }) => member), own];
  assert.equal(codeOf(component, enrolRequest(1, members)), 'done');
  const position = (): CounterValue => {
    const answer = component.ask({
      op: 'status',
      objectId: SHARE_OBJECT_ID,
      nonce: ZERO_NONCE,
      digest: digestOf('status'),
    });
    assert.ok(answer.op === 'certificates');
    return decodeStatement(answer.certificates[0]!.statement)!.value;
  };
  const [first, second] = others as [(typeof others)[0], (typeof others)[0]];
  return { component, members, first, second, position };
}

test('attack: past the last counter value of a view into the next one, which could still be entered', () => {
  const { component, members, first, second, position } = enrolled();
  const last = positionValueOf({ view: 0, counter: SHARE_COUNTER_END - 1 });
  const stand = { kind: STATEMENT_KIND.status, value: last };
  assert.equal(codeOf(component, resetRequest([first.certify(stand), second.certify(stand)])), 'done');
  assert.equal(position(), last);
  const value = last + 1;
  assert.deepEqual(positionOfValue(value), { view: 1, counter: 0 });
  const secret = new Uint8Array(32).fill(7);
  const split = { kind: STATEMENT_KIND.shareSet, previous: 0, value, digest: commitmentOf(sha256, value, secret) };
  const set = second.certify({ ...split, aux: groupDigestOf(sha256, 1, members) });
  const ordered = first.certify({ kind: STATEMENT_KIND.advance, previous: last, value });
  assert.equal(codeOf(component, followRequest(secret, set, ordered)), 'OVERFLOW');
  assert.equal(position(), last);
  // In the next view it begins where it should.
  const enter = { kind: STATEMENT_KIND.advanceNoPrevious, previous: COUNTER_SENTINEL };
  assert.equal(codeOf(component, enterRequest(second.certify({ ...enter, value }))), 'done');
  assert.equal(position(), value);
});

test('attack: views beyond the last one', () => {
  const { component, first, second, position } = enrolled();
  // 2^13 is led by the third member, 2^13 + 1 by the first. No codec of ours writes such a value.
  const beyond = 2n ** 13n + 1n;
  const enter = first.certify({ kind: STATEMENT_KIND.advanceNoPrevious, value: 0 }, beyond << 40n);
  assert.equal(codeOf(component, enterRequest(enter)), 'OVERFLOW');
  for (const value of [beyond << 40n, 2n ** 64n - 1n]) {
    const stand = { kind: STATEMENT_KIND.status, value: 0 };
    const positions = [first, second].map((member) => member.certify(stand, value));
    assert.equal(codeOf(component, resetRequest(positions)), 'OVERFLOW');
  }
  assert.equal(position(), 0);
});
