/** What disks and power cuts do to counters: nothing is said twice, nothing that was said is lost, images are the same. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Prng } from '../../../core/prng.ts';
import { META_OBJECT_ID } from '../../conformance/counter-model.ts';
import { counterId } from '../../conformance/counters.ts';
import { digestOf, PowerCut, TestComponent } from '../../conformance/environment.testing.ts';
import { randomDigest } from '../../conformance/harness.ts';
import { COUNTER_SENTINEL, RECENT_DEPTH, STATEMENT_KIND } from '../../contract.ts';
import type { TrustedRequest, TrustedResponse } from '../../contract.ts';
import { encodeTrustedRequest } from '../../frames.ts';
import { decodeStatement } from '../../statement.ts';
import { advance, create, identityOf, nameOf } from './counters.testing.ts';

const PROGRAMS = ['trinc', 'trinx', 'cash'];
const [first, second] = [counterId(1), counterId(2)];

/** One request of every kind that changes something. */
function scriptOf(round: string): TrustedRequest[] {
  return [
    create(first),
    advance(first, digestOf(round, 'a')),
    create(second),
    advance(second, digestOf(round, 'b'), 1, true),
    advance(second, digestOf(round, 'c')),
    {
      op: 'advanceMany',
      moves: [first, second].map((objectId) => ({ objectId, value: COUNTER_SENTINEL })),
      digest: digestOf(round, 'd'),
    },
    { op: 'close', objectId: first, digest: digestOf(round, 'e') },
    advance(second, digestOf(round, 'f')),
    create(counterId(3, 4)),
    create(counterId(4, 6)),
    advance(counterId(4, 6), digestOf(round, 'g')),
  ];
}

/** Notes what certificates say; fails if two of them give one value to two messages. */
class Witness {
  readonly #said = new Map<string, string>();

  see(answer: TrustedResponse): void {
    if (answer.op !== 'certificates') return;
    for (const { statement: bytes } of answer.certificates) {
      const statement = decodeStatement(bytes);
      assert.ok(statement !== undefined);
      if (statement.kind === STATEMENT_KIND.status || statement.kind === STATEMENT_KIND.plain) continue;
      const place = `${statement.tcEpoch}/${statement.objectId}/${statement.value}`;
      const words = `${statement.kind}/${statement.digest}`;
      assert.equal(this.#said.get(place) ?? words, words, `two statements for ${place}`);
      this.#said.set(place, words);
    }
  }
}

for (const program of PROGRAMS) {
  test(`power cut at every record, before it is kept and just after: ${program}`, () => {
    const whole = new TestComponent({ program });
    for (const request of scriptOf('first')) whole.ask(request);
    assert.ok(whole.kept >= 5);
    for (let record = 1; record <= whole.kept; record += 1) {
      for (const when of ['before', 'after'] as const) {
        const component = new TestComponent({ program });
        const witness = new Witness();
        component.cut = { record, when };
        let cuts = 0;
        for (const request of scriptOf('first')) {
          try {
            witness.see(component.ask(request));
          } catch (error) {
            assert.ok(error instanceof PowerCut);
            cuts += 1;
            component.restart();
            witness.see(component.ask({ op: 'replay', objectId: META_OBJECT_ID, count: RECENT_DEPTH }));
            // The host that lost the answer now tries the same with other messages.
            for (const attempt of scriptOf('second')) witness.see(component.ask(attempt));
          }
        }
        assert.equal(cuts, 1);
        for (const request of scriptOf('third')) witness.see(component.ask(request));
        witness.see(component.ask({ op: 'replay', objectId: META_OBJECT_ID, count: RECENT_DEPTH }));
      }
    }
  });

  test(`a change that cannot be kept does not happen: ${program}`, () => {
    const component = new TestComponent({ program });
    for (const request of scriptOf('first')) {
      const standing: TrustedRequest = { op: 'replay', objectId: META_OBJECT_ID, count: RECENT_DEPTH };
      const before = [component.ask(standing), identityOf(component)];
      component.disk = 'full';
      const answer = component.ask(request);
      if (answer.op === 'error' && answer.code === 'BAD_REQUEST') continue;
      const isRefused = answer.op === 'error' && answer.code !== 'STORAGE';
      if (!isRefused) assert.equal(nameOf(answer), 'STORAGE', request.op);
      assert.equal(nameOf(component.ask({ op: 'renew' })), 'STORAGE');
      assert.deepEqual([component.ask(standing), identityOf(component)], before);
      component.disk = 'good';
      if (!isRefused) assert.notEqual(component.ask(request).op, 'error', request.op);
    }
  });

  test(`an image in place of records changes no byte of any answer: ${program}`, () => {
    for (const suite of ['ed25519', 'hmac-sha256'] as const) {
      const prng = new Prng(3);
      const plain = new TestComponent({ program, suite });
      const compacted = new TestComponent({ program, suite });
      const ids = Array.from({ length: 12 }, (_, index) => counterId(index, index >> 2));
      for (let index = 0; index < 300; index += 1) {
        const objectId = prng.pick(ids);
        const request: TrustedRequest = prng.pick([
          create(objectId),
          advance(objectId, randomDigest(prng)),
          advance(objectId, randomDigest(prng), 1 + index, true),
          advance(objectId, randomDigest(prng)),
          { op: 'replay', objectId: META_OBJECT_ID, count: prng.between(0, 70) },
          { op: 'replay', objectId, count: 9 },
          { op: 'identify' },
        ]);
        const bytes = encodeTrustedRequest(request);
        assert.deepEqual(compacted.handle(bytes), plain.handle(bytes), `request ${index}`);
        if (prng.chance(0.1)) assert.ok(compacted.compact());
        if (prng.chance(0.1)) compacted.restart();
        if (prng.chance(0.02)) plain.restart();
      }
      assert.ok(compacted.records.length < plain.records.length);
    }
  });

  test(`an image that is damaged, older or of another component is refused: ${program}`, () => {
    const make = (seed: number, requests: number): TestComponent => {
      const component = new TestComponent({ program, seed });
      for (const request of scriptOf('first').slice(0, requests)) component.ask(request);
      assert.ok(component.compact());
      return component;
    };
    const strange = make(2, 5).records[0]!;
    const older = make(1, 2).records[0]!;
    for (const spoil of [
      (records: Uint8Array[]) => (records[0] = strange),
      (records: Uint8Array[]) => records.push(older),
      (records: Uint8Array[]) => (records[0] = records[0]!.subarray(0, -1)),
      (records: Uint8Array[]) => records[0]!.fill(0xff, 40, 48),
      (records: Uint8Array[]) => records[0]!.fill(0xff, 56, 64),
      (records: Uint8Array[]) => records[0]!.fill(0xff, 66, 67),
    ]) {
      const component = make(1, 5);
      spoil(component.records);
      component.restart();
      assert.equal(nameOf(component.ask(advance(second, digestOf('x')))), 'NOT_READY');
      assert.equal(nameOf(component.ask({ op: 'renew' })), 'renew');
    }
  });
}
