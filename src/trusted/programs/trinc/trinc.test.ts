/** TrInc's session keys: MACs that only members of the session can have checked, and attacks on that. */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import type { TcEpoch } from '../../../core/types.ts';
import { META_OBJECT_ID } from '../../conformance/counter-model.ts';
import { counterId } from '../../conformance/counters.ts';
import { digestOf, TestComponent } from '../../conformance/environment.testing.ts';
import type { TrustedCertificate, TrustedResponse } from '../../contract.ts';
import { closedOf, moveOf, statusOf } from '../counters/claims.ts';
import type { CheckSeal } from '../counters/claims.ts';
import { advance, certificate, certificates, checkerOf, create, identityOf, nameOf, pinOf, SUITES } from '../counters/counters.testing.ts';
import { checkSessionBody, importSessionBody, sessionContent, TRINC_EXTENSION } from './session.ts';

const stream = counterId(1);
const session = new Uint8Array(32).fill(0x5e);
const message = digestOf('message');

function importKey(component: TestComponent, objectId: string, key: Uint8Array, tcEpoch?: TcEpoch): TrustedResponse {
  const content = sessionContent(tcEpoch ?? identityOf(component).tcEpoch, objectId, key);
  return importEnvelope(component, objectId, component.envelope(content));
}

function importEnvelope(component: TestComponent, objectId: string, envelope: Uint8Array): TrustedResponse {
  return component.ask({ op: 'extension', code: TRINC_EXTENSION.importSession, body: importSessionBody(objectId, envelope) });
}

function isOfSession(reader: TestComponent, certificateBytes: TrustedCertificate): boolean {
  const body = checkSessionBody(stream, certificateBytes);
  const answer = reader.ask({ op: 'extension', code: TRINC_EXTENSION.checkSession, body });
  assert.ok(answer.op === 'extension', nameOf(answer));
  return answer.body[0] === 1;
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

test('envelopes of others, of another counter or tcEpoch, damaged or too long ones are refused', () => {
  const author = new TestComponent({ program: 'trinc' });
  const other = new TestComponent({ program: 'trinc', seed: 2 });
  author.ask(create(stream));
  const { tcEpoch } = identityOf(author);
  const content = sessionContent(tcEpoch, stream, session);
  for (const envelope of [
    other.envelope(content),
    author.envelope(sessionContent(tcEpoch, counterId(2), session)),
    author.envelope(sessionContent('ff'.repeat(8) as TcEpoch, stream, session)),
    author.envelope(content.subarray(1)),
    author.envelope(Uint8Array.from([...content, 0])),
    author.envelope(new Uint8Array(61)),
    author.envelope(new Uint8Array(2000)),
    content,
    new Uint8Array(1),
  ])
    assert.equal(nameOf(importEnvelope(author, stream, envelope)), 'BAD_AUTH');
  assert.equal(author.kept, 1);
  assert.equal(importEnvelope(author, stream, author.envelope(content)).op, 'done');
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
  assert.equal(nameOf(outsider.ask({ ...asked, code: 3 })), 'BAD_REQUEST');
});

test('certificates always say what was before: independent ones are refused', () => {
  const author = member(1);
  assert.equal(nameOf(author.ask(advance(stream, message, 1, true))), 'MODE');
});
