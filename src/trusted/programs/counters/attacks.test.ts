/** Attacks by a host that owns everything but the component, on receivers that read claims; each test is one attack. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TrustedCertificate, TrustedRequest } from '../../contract.ts';
import { COUNTER_SENTINEL, RECENT_DEPTH, STATEMENT_KIND } from '../../contract.ts';
import { META_OBJECT_ID } from '../../conformance/counter-model.ts';
import { counterId } from '../../conformance/counters.ts';
import { digestOf, TestComponent } from '../../conformance/environment.testing.ts';
import { closedOf, contradict, CounterStream, moveOf, statusOf } from './claims.ts';
import type { Claim, CounterPin, Move } from './claims.ts';
import { advance, certificate, certificates, checkerOf, create, nameOf, pinOf, SUITES } from './counters.testing.ts';

const NONCE = '5a'.repeat(16);
const stream = counterId(1);
const honest = digestOf('honest');
const other = digestOf('other');

function problemOf(claim: Claim<unknown>): string {
  assert.ok(!claim.ok, 'the attack succeeded');
  return claim.problem;
}

/** A component with one counter that stands at 1 for `honest`. */
function started(options: ConstructorParameters<typeof TestComponent>[0]): {
  component: TestComponent;
  first: TrustedCertificate;
  pin: CounterPin;
} {
  const component = new TestComponent(options);
  assert.equal(component.ask(create(stream)).op, 'done');
  const first = certificate(component, advance(stream, honest));
  return { component, first, pin: pinOf(component, stream) };
}

for (const suite of SUITES) {
  for (const program of ['trinc', 'trinx', 'cash']) {
    const base = { program, suite } as const;

    test(`replay of a certificate of another program: ${program}, ${suite}`, () => {
      const victim = started({ ...base, seed: 1 });
      const strange = started({ program: program === 'trinc' ? 'trinx' : 'trinc', suite, seed: 2 });
      const check = checkerOf(victim.component);
      assert.match(problemOf(moveOf(victim.pin, strange.first, honest, check)), /another (component|tcEpoch)/);
      // The bytes are relabelled until they look right: the seal is over the label, too.
      const forged = { ...strange.first, statement: victim.first.statement };
      const claim = moveOf(victim.pin, forged, honest, check);
      assert.equal(problemOf(claim), 'the seal does not hold');
    });

    test(`replay of a certificate of another cluster: ${program}, ${suite}`, () => {
      const victim = started({ ...base, seed: 1, group: 1 });
      const strange = started({ ...base, seed: 2, group: 2 });
      const check = checkerOf(victim.component);
      assert.equal(problemOf(moveOf(victim.pin, strange.first, honest, check)), 'made by another component');
      for (const from of [0, 8, 24]) {
        const statement = strange.first.statement.slice();
        statement.set(victim.first.statement.subarray(from, 32), from);
        assert.ok(!moveOf(victim.pin, { ...strange.first, statement }, honest, check).ok);
      }
    });

    test(`replay of a certificate of another tcEpoch: ${program}, ${suite}`, () => {
      const { component, first, pin } = started(base);
      component.ask({ op: 'renew' });
      component.ask(create(stream));
      const now = pinOf(component, stream);
      const check = checkerOf(component);
      assert.match(problemOf(moveOf(now, first, honest, check)), /another (component|tcEpoch)/);
      const again = certificate(component, advance(stream, other));
      assert.match(problemOf(moveOf(pin, again, other, check)), /another (component|tcEpoch)/);
      const relabelled = first.statement.slice();
      relabelled.set(again.statement.subarray(8, 32), 8);
      assert.equal(problemOf(moveOf(now, { ...first, statement: relabelled }, honest, check)), 'the seal does not hold');
    });

    test(`replay of a certificate of another lane: ${program}, ${suite}`, () => {
      const { component, first, pin } = started(base);
      const lane = counterId(2);
      component.ask(create(lane));
      const check = checkerOf(component);
      assert.equal(problemOf(moveOf({ ...pin, objectId: lane }, first, honest, check)), 'about another counter');
      const relabelled = first.statement.slice();
      relabelled[35]! = 2;
      const forged = { ...first, statement: relabelled };
      assert.equal(problemOf(moveOf({ ...pin, objectId: lane }, forged, honest, check)), 'the seal does not hold');
    });

    test(`one certificate, two messages: ${program}, ${suite}`, () => {
      const { component, first, pin } = started(base);
      const check = checkerOf(component);
      assert.ok(moveOf(pin, first, honest, check).ok);
      assert.equal(problemOf(moveOf(pin, first, other, check)), 'made for another message');
    });

    test(`a second counter to start again from 1: ${program}, ${suite}`, () => {
      const { component, pin } = started(base);
      assert.equal(nameOf(component.ask(create(stream))), 'EXISTS');
      const second = counterId(7);
      component.ask(create(second));
      const again = certificate(component, advance(second, other));
      assert.equal(problemOf(moveOf(pin, again, other, checkerOf(component))), 'about another counter');
    });

    test(`restart replay: what was said stays said: ${program}, ${suite}`, () => {
      const { component, first, pin } = started(base);
      const check = checkerOf(component);
      const read = new CounterStream('gapFree');
      const claim = moveOf(pin, first, honest, check);
      assert.ok(claim.ok && read.arrive(claim.claim).op === 'accepted');
      component.restart();
      assert.deepEqual(certificates(component, { op: 'replay', objectId: stream, count: 64 }), [first]);
      assert.equal(nameOf(component.ask(advance(stream, other, 1))), program === 'trinx' ? 'certificates' : 'NOT_MONOTONIC');
      assert.equal(nameOf(component.ask(create(stream))), 'EXISTS');
      const arrival = read.arrive(claim.claim);
      assert.equal(arrival.op === 'refused' && arrival.problem, 'is over');
      const next = moveOf(pin, certificate(component, advance(stream, other)), other, check);
      assert.ok(next.ok && read.arrive(next.claim).op === 'accepted');
    });

    test(`records of another component, or with one missing, are not continued: ${program}, ${suite}`, () => {
      const foreign = started({ ...base, seed: 9 }).component.records;
      const sister = started({ program: program === 'cash' ? 'trinc' : 'cash', suite });
      for (const spoil of [
        (records: Uint8Array[]) => records.splice(1, 1),
        (records: Uint8Array[]) => records.shift(),
        (records: Uint8Array[]) => records.push(records.at(-1)!),
        (records: Uint8Array[]) => records.push(new Uint8Array(0)),
        (records: Uint8Array[]) => records.push(new Uint8Array(30_000)),
        (records: Uint8Array[]) => records.splice(0, 9, ...foreign),
        (records: Uint8Array[]) => records.splice(0, 9, ...sister.component.records),
        (records: Uint8Array[]) => (records[0] = records[0]!.subarray(1)),
      ]) {
        const { component } = started(base);
        component.ask(advance(stream, other));
        spoil(component.records);
        component.restart();
        for (const request of [
          advance(stream, other),
          create(counterId(5)),
          { op: 'replay', objectId: stream, count: 1 } satisfies TrustedRequest,
        ])
          assert.equal(nameOf(component.ask(request)), 'NOT_READY');
        assert.equal(component.ask({ op: 'renew' }).op, 'renew');
        assert.equal(component.ask(create(stream)).op, 'done');
      }
    });
  }

  for (const program of ['trinc', 'trinx']) {
    const base = { program, suite } as const;

    test(`STATUS used as ADVANCE: ${program}, ${suite}`, () => {
      const { component, pin } = started(base);
      const check = checkerOf(component);
      const status = certificate(component, { op: 'status', objectId: stream, nonce: NONCE, digest: other });
      assert.match(problemOf(moveOf(pin, status, other, check)), /not a move/);
      const relabelled = status.statement.slice();
      relabelled[4] = STATEMENT_KIND.advance;
      assert.equal(problemOf(moveOf(pin, { ...status, statement: relabelled }, other, check)), 'the seal does not hold');
      assert.deepEqual(statusOf(pin, status, NONCE, check), { ok: true, claim: 1 });
    });

    test(`stale STATUS shown again: ${program}, ${suite}`, () => {
      const { component, pin } = started(base);
      const check = checkerOf(component);
      const status = certificate(component, { op: 'status', objectId: stream, nonce: NONCE, digest: other });
      certificate(component, advance(stream, other));
      assert.match(problemOf(statusOf(pin, status, '77'.repeat(16), check)), /not fresh/);
      const move = certificate(component, advance(stream, other));
      assert.match(problemOf(statusOf(pin, move, NONCE, check)), /not a statement about where/);
    });

    test(`a closed counter comes back: ${program}, ${suite}`, () => {
      const { component, pin } = started(base);
      const check = checkerOf(component);
      const end = certificate(component, { op: 'close', objectId: stream, digest: other });
      assert.deepEqual(closedOf(pin, end, other, check), { ok: true, claim: 1 });
      assert.match(problemOf(moveOf(pin, end, other, check)), /not a move/);
      for (const again of [false, true]) {
        if (again) component.restart();
        assert.equal(nameOf(component.ask(create(stream))), 'EXISTS');
        assert.equal(nameOf(component.ask(advance(stream, other))), 'CLOSED');
        assert.equal(nameOf(component.ask({ op: 'close', objectId: stream, digest: other })), 'CLOSED');
        assert.deepEqual(certificates(component, { op: 'replay', objectId: stream, count: 1 }), [end]);
      }
    });

    test(`hidden counters: the component tells how many it ever made: ${program}, ${suite}`, () => {
      const { component } = started(base);
      component.ask(create(counterId(8)));
      const pin = pinOf(component, META_OBJECT_ID);
      const answer = certificate(component, { op: 'status', objectId: META_OBJECT_ID, nonce: NONCE, digest: other });
      assert.deepEqual(statusOf(pin, answer, NONCE, checkerOf(component)), { ok: true, claim: 2 });
    });

    test(`jump over values: gap-free readers wait, gap-tolerant ones void what was left out: ${program}, ${suite}`, () => {
      const component = new TestComponent(base);
      component.ask(create(stream, 'jump'));
      const pin = pinOf(component, stream);
      const check = checkerOf(component);
      const moves = [1, 2, 3, 10, 11].map((value) => {
        const claim = moveOf(pin, certificate(component, advance(stream, digestOf(value), value)), digestOf(value), check);
        assert.ok(claim.ok);
        return claim.claim;
      });
      const gapFree = new CounterStream('gapFree');
      const gapTolerant = new CounterStream('gapTolerant');
      for (const move of moves) {
        gapFree.arrive(move);
        gapTolerant.arrive(move);
      }
      assert.equal(gapFree.seen, 3);
      assert.equal(gapTolerant.seen, 11);
      for (const value of [7, 10]) assert.equal(nameOf(component.ask(advance(stream, other, value))), 'NOT_MONOTONIC');
    });
  }
}

test('lost, late and doubled certificates: a thousand messages, each once and in order', () => {
  const component = new TestComponent({ program: 'trinc', suite: 'hmac-sha256' });
  component.ask(create(stream));
  const pin = pinOf(component, stream);
  const check = checkerOf(component);
  const read = new CounterStream('gapFree');
  const accepted: string[] = [];
  const lost: TrustedCertificate[] = [];
  const arrive = (bytes: TrustedCertificate, index: number): void => {
    const claim = moveOf(pin, bytes, digestOf(index), check);
    assert.ok(claim.ok);
    const arrival = read.arrive(claim.claim);
    if (arrival.op === 'accepted') accepted.push(...arrival.moves.map((move) => move.digest));
  };
  for (let index = 1; index <= 1000; index += 1) {
    const made = certificate(component, advance(stream, digestOf(index), COUNTER_SENTINEL));
    if (index % 7 === 0) lost.push(made);
    else arrive(made, index);
    if (index % 5 === 0 && index % 7 !== 0) arrive(made, index);
    if (index % 60 === 0 || index === 1000) {
      for (const late of lost.splice(0)) arrive(late, Number(BigInt(`0x${Buffer.from(late.statement.subarray(48, 56)).toString('hex')}`)));
    }
  }
  assert.deepEqual(accepted, Array.from({ length: 1000 }, (_, index) => digestOf(index + 1)));
});

test('answers lost in a crash: 64 can be had again, the 65th is a gap for ever', () => {
  for (const lostAnswers of [RECENT_DEPTH, RECENT_DEPTH + 1]) {
    const component = new TestComponent({ program: 'trinc' });
    component.ask(create(stream));
    const pin = pinOf(component, stream);
    const check = checkerOf(component);
    for (let index = 1; index <= lostAnswers; index += 1) component.ask(advance(stream, digestOf(index)));
    component.restart();
    const read = new CounterStream('gapFree');
    const shown = certificates(component, { op: 'replay', objectId: stream, count: RECENT_DEPTH });
    for (const [index, made] of shown.entries()) {
      const value = lostAnswers - shown.length + index + 1;
      const claim = moveOf(pin, made, digestOf(value), check);
      assert.ok(claim.ok);
      read.arrive(claim.claim);
    }
    assert.equal(read.seen, lostAnswers === RECENT_DEPTH ? RECENT_DEPTH : 0);
  }
});

test("rollback: yesterday's records put back give two statements for a value, which prove it to everybody", () => {
  const component = new TestComponent({ program: 'trinc' });
  component.ask(create(stream, 'jump'));
  const pin = pinOf(component, stream);
  const check = checkerOf(component);
  const moveTo = (value: number, words: string): Move => {
    const claim = moveOf(pin, certificate(component, advance(stream, digestOf(words), value)), digestOf(words), check);
    assert.ok(claim.ok);
    return claim.claim;
  };
  const first = moveTo(5, 'first');
  const yesterday = [...component.records];
  const today = [moveTo(6, 'today'), moveTo(9, 'later')];
  component.records = yesterday;
  component.restart();
  const forks = [moveTo(6, 'fork'), moveTo(20, 'over')];
  for (const [index, move] of [first, ...today].entries()) {
    assert.ok(!contradict(first, move), 'a component that works contradicts nothing');
    assert.equal(contradict(forks[0]!, move), index === 1);
    assert.equal(contradict(forks[1]!, move), index === 2);
    assert.equal(contradict(move, forks[1]!), index === 2);
  }
});
