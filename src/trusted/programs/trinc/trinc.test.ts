/** TrInc's session keys: MACs that only members of the session can have checked, and attacks on that. */
import assert from 'node:assert/strict';
import { createHmac, createPublicKey, diffieHellman, generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { META_OBJECT_ID } from '../../conformance/counter-model.ts';
import { counterId } from '../../conformance/counters.ts';
import { digestOf, sha256, TestComponent } from '../../conformance/environment.testing.ts';
import type { TrustedCertificate, TrustedResponse } from '../../contract.ts';
import { closedOf, moveOf, statusOf } from '../counters/claims.ts';
import type { CheckSeal } from '../counters/claims.ts';
import { advance, certificate, certificates, checkerOf, create, identityOf, nameOf, pinOf, SUITES } from '../counters/counters.testing.ts';
import { checkSessionBody, envelopeKeyOf, importSessionBody, isYes, sealSessionKey, TRINC_EXTENSION } from './session.ts';

const stream = counterId(1);
const session = new Uint8Array(32).fill(0x5e);
const hmac = (key: Uint8Array, bytes: Uint8Array): Uint8Array =>
  new Uint8Array(createHmac('sha256', key).update(bytes).digest());
const message = digestOf('message');

/** DER that stands before the 32 bytes of an X25519 public key. */
const X25519_PREFIX = Buffer.from('302a300506032b656e032100', 'hex');

/** The administrator's side: asks for the component's key and makes an envelope to it. */
function envelopeFor(component: TestComponent, objectId: string, key: Uint8Array): Uint8Array {
  const answer = component.ask({ op: 'extension', code: TRINC_EXTENSION.envelopeKey, body: new Uint8Array(0) });
  assert.ok(answer.op === 'extension', nameOf(answer));
  const envelopeKey = envelopeKeyOf(sha256, identityOf(component), answer.body, checkerOf(component));
  assert.ok(envelopeKey !== undefined);
  const own = generateKeyPairSync('x25519');
  const theirs = createPublicKey({ key: Buffer.concat([X25519_PREFIX, envelopeKey]), format: 'der', type: 'spki' });
  const shared = new Uint8Array(diffieHellman({ privateKey: own.privateKey, publicKey: theirs }));
  const publicKey = new Uint8Array(own.publicKey.export({ format: 'der', type: 'spki' }).subarray(12));
  return sealSessionKey(hmac, { envelopeKey, publicKey, shared, objectId, sessionKey: key });
}

function importKey(component: TestComponent, objectId: string, key: Uint8Array): TrustedResponse {
  return importEnvelope(component, objectId, envelopeFor(component, objectId, key));
}

function importEnvelope(component: TestComponent, objectId: string, envelope: Uint8Array): TrustedResponse {
  return component.ask({ op: 'extension', code: TRINC_EXTENSION.importSession, body: importSessionBody(objectId, envelope) });
}

function isOfSession(reader: TestComponent, certificateBytes: TrustedCertificate): boolean {
  const body = checkSessionBody(stream, certificateBytes);
  const answer = reader.ask({ op: 'extension', code: TRINC_EXTENSION.checkSession, body });
  assert.ok(answer.op === 'extension', nameOf(answer));
  return isYes(answer.body);
}

function member(seed: number, key: Uint8Array = session, suite: 'ed25519' | 'hmac-sha256' = 'ed25519'): TestComponent {
  const component = new TestComponent({ program: 'trinc', suite, seed, replica: seed });
  component.ask(create(stream));
  assert.equal(importKey(component, stream, key).op, 'done');
  return component;
}

for (const suite of SUITES) {
  test(`members of a session check each other; others cannot: ${suite}`, () => {
    const author = member(1, session, suite);
    const reader = member(2, session, suite);
    const stranger = member(3, new Uint8Array(32).fill(1), suite);
    const pin = { ...pinOf(author, stream), suite: 'hmac-sha256' } as const;
    const check: CheckSeal = (statement, authenticator) => isOfSession(reader, { statement, authenticator });
    const made = certificate(author, advance(stream, message));
    assert.ok(moveOf(pin, made, message, check).ok);
    assert.ok(statusOf(pin, certificate(author, { op: 'status', objectId: stream, nonce: '01'.repeat(16), digest: message }), '01'.repeat(16), check).ok);
    assert.ok(closedOf(pin, certificate(author, { op: 'close', objectId: stream, digest: message }), message, check).ok);
    assert.ok(!isOfSession(stranger, made));
    // The MAC of the session is not one of the component's own key, and the other way round.
    assert.ok(!checkerOf(author)(made.statement, made.authenticator));
    author.ask(create(counterId(2)));
    const { statement, authenticator } = certificate(author, advance(counterId(2), message));
    assert.ok(!isOfSession(reader, { statement, authenticator: authenticator.subarray(0, 32) }));
    assert.equal(certificate(author, advance(counterId(2), message)).authenticator.length, suite === 'ed25519' ? 64 : 32);
  });
}

test('the MAC of a session is HMAC-SHA-256 over the statement, which names the HMAC suite', () => {
  const made = certificate(member(1), advance(stream, message));
  assert.equal(made.statement[5], 1);
  const expected = createHmac('sha256', session).update(made.statement).digest();
  assert.deepEqual(made.authenticator, new Uint8Array(expected));
});

test('a session key survives restarts and images, and is never among what is kept', () => {
  for (const compacts of [false, true]) {
    const author = member(1);
    const reader = member(2);
    const before = certificate(author, advance(stream, message));
    if (compacts) assert.ok(author.compact());
    for (const record of author.records) assert.ok(!Buffer.from(record).includes(Buffer.from(session)));
    author.restart();
    assert.deepEqual(certificates(author, { op: 'replay', objectId: META_OBJECT_ID, count: 9 }), [before]);
    assert.ok(isOfSession(reader, certificate(author, advance(stream, message))));
    assert.equal(nameOf(importKey(author, stream, session)), 'EXISTS');
  }
});

test('envelopes to others, for another counter or tcEpoch, damaged or of another length are refused', () => {
  const author = new TestComponent({ program: 'trinc' });
  const other = new TestComponent({ program: 'trinc', seed: 2 });
  const before = envelopeFor(author, stream, session);
  author.ask({ op: 'renew' });
  author.ask(create(stream));
  const good = envelopeFor(author, stream, session);
  const flips = Array.from({ length: good.length }, (_, index) =>
    good.map((byte, at) => (at === index ? byte ^ 0x10 : byte)),
  );
  for (const envelope of [
    before,
    envelopeFor(other, stream, session),
    envelopeFor(author, counterId(2), session),
    // The public key zero, of small order, would make what is shared known to everybody.
    good.map((byte, index) => (index < 32 ? 0 : byte)),
    ...flips,
  ])
    assert.equal(nameOf(importEnvelope(author, stream, envelope)), 'BAD_AUTH');
  for (const envelope of [good.subarray(1), Uint8Array.from([...good, 0]), new Uint8Array(0)])
    assert.equal(nameOf(importEnvelope(author, stream, envelope)), 'BAD_REQUEST');
  assert.equal(author.records.length, 1);
  assert.equal(importEnvelope(author, stream, good).op, 'done');
});

test('a key for envelopes that the host made up is not taken', () => {
  const author = new TestComponent({ program: 'trinc' });
  const answer = author.ask({ op: 'extension', code: TRINC_EXTENSION.envelopeKey, body: new Uint8Array(0) });
  assert.ok(answer.op === 'extension');
  const identity = identityOf(author);
  const check = checkerOf(author);
  assert.ok(envelopeKeyOf(sha256, identity, answer.body, check) !== undefined);
  for (const index of [0, 31, 32 + 70, 32 + 136]) {
    const forged = answer.body.map((byte, at) => (at === index ? byte ^ 1 : byte));
    assert.equal(envelopeKeyOf(sha256, identity, forged, check), undefined);
  }
  author.ask({ op: 'renew' });
  assert.equal(envelopeKeyOf(sha256, identityOf(author), answer.body, checkerOf(author)), undefined);
});

test('a key comes before the first move, to a counter that is there, and there is room for 16', () => {
  const author = new TestComponent({ program: 'trinc' });
  assert.equal(nameOf(importKey(author, stream, session)), 'NO_OBJECT');
  author.ask(create(stream));
  author.ask(advance(stream, message));
  assert.equal(nameOf(importKey(author, stream, session)), 'MODE');
  author.ask({ op: 'close', objectId: stream, digest: message });
  assert.equal(nameOf(importKey(author, stream, session)), 'CLOSED');
  for (let number = 2; number < 19; number += 1) {
    const id = counterId(number);
    author.ask(create(id));
    assert.equal(nameOf(importKey(author, id, session)), number < 18 ? 'done' : 'QUOTA');
  }
  author.disk = 'full';
  author.ask({ op: 'renew' });
  author.disk = 'good';
  author.ask({ op: 'renew' });
  author.ask(create(stream));
  assert.equal(nameOf(importKey(author, stream, session)), 'done');
});

test('a power cut while a key is imported: it is there or it is not', () => {
  for (const when of ['before', 'after'] as const) {
    const author = new TestComponent({ program: 'trinc' });
    author.ask(create(stream));
    author.cut = { record: 2, when };
    assert.throws(() => importKey(author, stream, session));
    author.restart();
    assert.equal(nameOf(importKey(author, stream, session)), when === 'before' ? 'done' : 'EXISTS');
    assert.ok(isOfSession(author, certificate(author, advance(stream, message))));
  }
});

test('a third party without the key is refused, not answered', () => {
  const made = certificate(member(1), advance(stream, message));
  const outsider = new TestComponent({ program: 'trinc', seed: 5 });
  const body = checkSessionBody(stream, made);
  const asked = { op: 'extension', code: TRINC_EXTENSION.checkSession, body } as const;
  assert.equal(nameOf(outsider.ask(asked)), 'NO_OBJECT');
  outsider.ask(create(stream));
  assert.equal(nameOf(outsider.ask(asked)), 'MODE');
  for (const wrong of [body.subarray(1), new Uint8Array(0), Uint8Array.from([...body, 0])])
    assert.equal(nameOf(outsider.ask({ ...asked, body: wrong })), 'BAD_REQUEST');
  assert.equal(nameOf(outsider.ask({ ...asked, code: 4 })), 'BAD_REQUEST');
});

test('certificates always say what was before: independent ones are refused', () => {
  const author = member(1);
  assert.equal(nameOf(author.ask(advance(stream, message, 1, true))), 'MODE');
});
