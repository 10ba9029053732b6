/** TrInX: continuing and independent certificates, moves made together, the trusted MAC, and the splicing attack. */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import { Writer } from '../../../core/codec.ts';
import type { CounterValue, Digest } from '../../../core/types.ts';
import { counterId } from '../../conformance/counters.ts';
import { digestOf, sha256, TestComponent } from '../../conformance/environment.testing.ts';
import { COUNTER_SENTINEL, STATEMENT_BYTES, STATEMENT_KIND } from '../../contract.ts';
import type { CounterMove, TrustedRequest } from '../../contract.ts';
import { decodeStatement, encodeStatement } from '../../statement.ts';
import { auxOf, moveOf } from '../counters/claims.ts';
import { advance, certificate, certificates, checkerOf, create, nameOf, pinOf, SUITES } from '../counters/counters.testing.ts';

const order = counterId(1);
const message = digestOf('message');
/** [view | order number] as one value. */
const slot = (view: number, number: number): CounterValue => view * 2 ** 40 + number;

function started(suite: 'ed25519' | 'hmac-sha256', seed = 1): TestComponent {
  const component = new TestComponent({ program: 'trinx', suite, seed, replica: seed });
  for (const id of [order, counterId(2), counterId(3)]) component.ask(create(id, 'jump'));
  return component;
}

for (const suite of SUITES) {
  test(`a continuing certificate discloses the last value used, an independent one does not: ${suite}`, () => {
    const component = started(suite);
    const pin = pinOf(component, order);
    const check = checkerOf(component);
    const made = certificate(component, advance(order, message, slot(0, 7), true));
    assert.ok(!moveOf(pin, made, message, check).ok);
    assert.deepEqual(moveOf(pin, made, message, check, true), { ok: true, claim: { value: 7, digest: message } });
    assert.equal(decodeStatement(made.statement)?.previous, COUNTER_SENTINEL);
    const leaving = certificate(component, advance(order, digestOf('view change'), slot(1, 0)));
    const claim = moveOf(pin, leaving, digestOf('view change'), check);
    assert.ok(claim.ok && claim.claim.previous === 7 && claim.claim.value === slot(1, 0));
  });

  test(`two PREPAREs for one slot: the second is refused, however it is asked for: ${suite}`, () => {
    const component = started(suite);
    certificate(component, advance(order, message, slot(2, 5), true));
    assert.equal(nameOf(component.ask(advance(order, digestOf('other'), slot(2, 5), true))), 'NOT_MONOTONIC');
    const moves = [{ objectId: order, value: slot(2, 5) }];
    assert.equal(nameOf(component.ask({ op: 'advanceMany', moves, digest: digestOf('other') })), 'NOT_MONOTONIC');
    // Continuing to the same value is allowed, and can never be taken for a second statement about the slot.
    const standing = certificate(component, advance(order, digestOf('other'), slot(2, 5)));
    assert.equal(decodeStatement(standing.statement)?.kind, STATEMENT_KIND.status);
    assert.ok(!moveOf(pinOf(component, order), standing, digestOf('other'), checkerOf(component), true).ok);
  });

  test(`moves made together: all or none, and each shows all of them: ${suite}`, () => {
    const component = started(suite);
    const check = checkerOf(component);
    certificate(component, advance(order, message, 3));
    const moves: CounterMove[] = [
      { objectId: order, value: slot(1, 0) },
      { objectId: counterId(2), value: slot(1, 0) },
      { objectId: counterId(3), value: COUNTER_SENTINEL },
    ];
    const digest = digestOf('view change');
    const made = certificates(component, { op: 'advanceMany', moves, digest });
    const aux = auxOf(sha256, [
      { objectId: order, previous: 3, value: slot(1, 0) },
      { objectId: counterId(2), previous: 0, value: slot(1, 0) },
      { objectId: counterId(3), previous: 0, value: 1 },
    ]);
    for (const [index, { objectId }] of moves.entries()) {
      const claim = moveOf(pinOf(component, objectId), made[index]!, digest, check);
      assert.ok(claim.ok && claim.claim.aux === aux);
    }
    const wrong = [...moves.slice(1, 2).map((move) => ({ ...move, value: slot(9, 0) })), { objectId: order, value: 4 }];
    assert.equal(nameOf(component.ask({ op: 'advanceMany', moves: wrong, digest })), 'NOT_MONOTONIC');
    const next = decodeStatement(certificate(component, advance(counterId(2), digest)).statement);
    assert.equal(next?.previous, slot(1, 0));
  });

  test(`a trusted MAC moves nothing and stands for no counter: ${suite}`, () => {
    const component = started(suite);
    const kept = component.kept;
    const made = certificate(component, { op: 'plain', digest: message });
    assert.equal(component.kept, kept);
    assert.ok(checkerOf(component)(made.statement, made.authenticator));
    const { kind, objectId, value } = decodeStatement(made.statement)!;
    assert.deepEqual([kind, objectId, value], [STATEMENT_KIND.plain, '0'.repeat(16), 0]);
    for (const id of [order, '0'.repeat(16)])
      assert.ok(!moveOf({ ...pinOf(component, order), objectId: id }, made, message, checkerOf(component), true).ok);
  });
}

test('instances: one member of the group checks what another one certified, and cannot certify for it', () => {
  const author = started('hmac-sha256', 1);
  const reader = started('hmac-sha256', 2);
  const made = certificate(author, advance(order, message));
  assert.ok(moveOf(pinOf(author, order), made, message, checkerOf(author, reader)).ok);
  const own = certificate(reader, advance(order, message));
  const relabelled = own.statement.slice();
  relabelled.set(made.statement.subarray(0, 32));
  assert.ok(!checkerOf(author, reader)(relabelled, own.authenticator));
});

/**
 * The encoding of a published port, in its essence: counter, the old value only if the certificate is a continuing one,
 * new value, message. Nothing says which kind it is, whose it is or where the message begins.
 */
function naiveMac(key: Uint8Array, fields: { old?: number; value: number; body: Uint8Array }): Uint8Array {
  const writer = new Writer(256).u32(1);
  if (fields.old !== undefined) writer.u64(fields.old);
  return createHmac('sha256', key).update(writer.u64(fields.value).raw(fields.body).finish()).digest();
}

test('spliced encoding: an independent certificate becomes a continuing one where fields are just concatenated', () => {
  const key = new Uint8Array(32).fill(7);
  const body = Uint8Array.of(1, 2, 3, 4);
  // The host has value 5 certified for a body that begins with the eight bytes of 9 ...
  const independent = naiveMac(key, { value: 5, body: new Writer(16).u64(9).raw(body).finish() });
  // ... and shows it as the proof that it went from 5 straight to 9, hiding all that it said in between.
  assert.deepEqual(independent, naiveMac(key, { old: 5, value: 9, body }));
});

for (const suite of SUITES) {
  test(`spliced encoding: no statement can be read as another one: ${suite}`, () => {
    const component = started(suite);
    const check = checkerOf(component);
    const body = Uint8Array.of(1, 2, 3, 4);
    const long = new Uint8Array(sha256(new Writer(16).u64(9).raw(body).finish()));
    const digest = Buffer.from(long).toString('hex') as Digest;
    const made = certificate(component, advance(order, digest, 5, true));
    const fields = decodeStatement(made.statement)!;
    // The same attack: previous 5, value 9, whatever digest.
    for (const forged of [digest, Buffer.from(sha256(body)).toString('hex') as Digest]) {
      const continuing = { ...fields, kind: STATEMENT_KIND.advance, previous: 5, value: 9, digest: forged };
      assert.ok(!check(encodeStatement(continuing), made.authenticator));
    }
    // Fields have fixed places: shifting bytes from one to the next gives other bytes, and other lengths are refused.
    for (let cut = 1; cut < 48; cut += 1) {
      const shifted = made.statement.slice();
      shifted.copyWithin(32 + cut, 32, STATEMENT_BYTES - cut);
      assert.ok(!check(shifted, made.authenticator), `shifted by ${cut}`);
      if (suite === 'hmac-sha256') {
        const short = made.statement.subarray(0, STATEMENT_BYTES - cut);
        const answer = component.ask({ op: 'verify', statement: short, authenticator: made.authenticator });
        assert.ok(answer.op === 'verify' && !answer.valid);
      }
    }
    // Two statements that differ in anything at all differ in their bytes, and every byte string has one reading.
    const requests: TrustedRequest[] = [
      advance(order, digest, 6),
      advance(order, digest, 6),
      advance(order, digest, 7, true),
      { op: 'status', objectId: order, nonce: '00'.repeat(16), digest },
      { op: 'plain', digest },
      { op: 'advanceMany', moves: [{ objectId: counterId(2), value: 7 }], digest },
      { op: 'close', objectId: order, digest },
    ];
    const all = requests.flatMap((request) => [...certificates(component, request)]);
    assert.equal(new Set(all.map(({ statement }) => statement.join())).size, requests.length);
    for (const { statement } of all) assert.deepEqual(encodeStatement({ ...decodeStatement(statement)! }), statement);
    for (const one of all) for (const two of all) assert.equal(check(one.statement, two.authenticator), one === two);
  });
}
