/** The wait module against its clock and its disk, and its arithmetic against the platform's logarithm. */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import { Prng } from '../../../core/prng.ts';
import { digestToBytes, hexToBytes } from '../../../core/bytes.ts';
import { digestOf, PowerCut, sha256, TestComponent } from '../../conformance/environment.testing.ts';
import { statementKeyOf } from '../../statement.ts';
import type { TrustedRequest } from '../../contract.ts';
import { encodeTrustedRequest } from '../../frames.ts';
import { negativeLogarithm, waitDurationMs } from './duration.ts';
import {
  MINIMUM_WAIT_MS,
  WAIT_GRACE_MS,
  WAIT_OBJECT_ID,
  waitFinishRequest,
  waitStartRequest,
  waitTokenDuration,
} from './frames.ts';

const previous = digestOf('previous');
const digest = digestOf('block');
const MEAN = 20_000;

function codeOf(component: TestComponent, request: TrustedRequest): string {
  const answer = component.ask(request);
  return answer.op === 'error' ? answer.code : answer.op;
}

function start(component: TestComponent, mean = MEAN, before = previous): Uint8Array {
  const answer = component.ask(waitStartRequest(before, mean));
  assert.ok(answer.op === 'extension', JSON.stringify(answer));
  return answer.body;
}

test('the logarithm has these values on every machine', () => {
  const known: readonly (readonly [bigint, bigint])[] = [
    [0n, 744_261_118n],
    [1n, 744_261_118n],
    [2n, 732_632_038n],
    [3n, 725_829_462n],
    [1n << 32n, 372_130_559n],
    [1n << 63n, 11_629_079n],
    [0xb504f333f9de6484n, 5_814_540n],
    [(1n << 64n) - 1n, 0n],
  ];
  for (const [drawn, expected] of known) assert.equal(negativeLogarithm(drawn), expected, `${drawn}`);
});

test('the logarithm is that of the platform, to the sixth digit', () => {
  const prng = new Prng(11);
  for (let round = 0; round < 20_000; round += 1) {
    const bits = BigInt(prng.between(0, 63));
    const drawn = ((BigInt(prng.u32()) << 32n) | BigInt(prng.u32())) >> bits;
    const exact = -Math.log(Number(drawn === 0n ? 1n : drawn) / 2 ** 64);
    assert.ok(Math.abs(Number(negativeLogarithm(drawn)) / 2 ** 24 - exact) < 5e-7, `${drawn}`);
  }
});

test('the module draws by its key and computes as the model does', () => {
  const component = new TestComponent({ program: 'wait', suite: 'hmac-sha256', group: 3, replica: 1 });
  const hmac = (key: Uint8Array, bytes: Uint8Array): Uint8Array => createHmac('sha256', key).update(bytes).digest();
  const identity = component.ask({ op: 'identify' });
  assert.ok(identity.op === 'identify');
  const { tcId, tcEpoch } = identity.identity;
  const statementKey = statementKeyOf(hmac, sha256('group/3'), new Uint8Array(16).fill(3));
  const label = Buffer.concat([Buffer.from('tc-wait-draw-v1'), hexToBytes(tcId)!, hexToBytes(tcEpoch)!]);
  const drawKey = sha256(hmac(statementKey, label));
  for (let round = 0; round < 300; round += 1) {
    const before = digestOf('before', round);
    const mean = round === 0 ? 2 ** 32 - 1 : 1 + round * 977;
    const drawn = Buffer.from(hmac(drawKey, digestToBytes(before))).readBigUInt64BE(0);
    assert.equal(waitTokenDuration(start(component, mean, before)), waitDurationMs(drawn, mean));
  }
});

test('the times of many are distributed as they must be: the mean, and the share that waits beyond it', () => {
  const component = new TestComponent({ program: 'wait', suite: 'hmac-sha256' });
  const times = Array.from({ length: 4000 }, (_, index) => {
    const token = start(component, MEAN, digestOf('block', index));
    return waitTokenDuration(token)! - MINIMUM_WAIT_MS;
  });
  const mean = times.reduce((sum, time) => sum + time, 0) / times.length;
  assert.ok(Math.abs(mean - MEAN) < 0.06 * MEAN, `mean ${mean}`);
  const beyond = times.filter((time) => time > MEAN).length / times.length;
  assert.ok(Math.abs(beyond - Math.exp(-1)) < 0.03, `${beyond} wait longer than the mean`);
});

test('attack: early finish, by one millisecond, and by a clock that goes back', () => {
  const component = new TestComponent({ program: 'wait' });
  component.clockMs = 5_000_000;
  const token = start(component);
  const due = component.clockMs + waitTokenDuration(token)!;
  for (const time of [0, 5_000_000, due - 1, Number.NaN, -1, 2 ** 60]) {
    component.clockMs = time;
    assert.equal(codeOf(component, waitFinishRequest(token, digest)), 'NOT_READY', `${time}`);
  }
  component.clockMs = due;
  assert.equal(codeOf(component, waitFinishRequest(token, digest)), 'certificates');
});

test('attack: certificates kept in stock: a timer that is due is lost after the grace', () => {
  const component = new TestComponent({ program: 'wait' });
  const token = start(component);
  const due = waitTokenDuration(token)!;
  component.clockMs = due + WAIT_GRACE_MS + 1;
  assert.equal(codeOf(component, waitFinishRequest(token, digest)), 'CLOSED');
  component.clockMs = due + WAIT_GRACE_MS;
  assert.equal(codeOf(component, waitFinishRequest(token, digest)), 'certificates');
});

test('attack: two live timers for two forks: only the later one ends in a certificate', () => {
  const component = new TestComponent({ program: 'wait' });
  const one = start(component, MEAN, digestOf('fork', 1));
  const two = start(component, MEAN, digestOf('fork', 2));
  component.clockMs = Math.max(waitTokenDuration(one)!, waitTokenDuration(two)!);
  assert.equal(codeOf(component, waitFinishRequest(one, digest)), 'CLOSED');
  assert.equal(codeOf(component, waitFinishRequest(two, digest)), 'certificates');
  assert.equal(codeOf(component, waitFinishRequest(one, digest)), 'CLOSED');
});

test('attack: the token of another component, also of the same group', () => {
  for (const suite of ['hmac-sha256', 'ed25519'] as const) {
    const other = new TestComponent({ program: 'wait', suite, seed: 2, replica: 2 });
    const component = new TestComponent({ program: 'wait', suite, seed: 1, replica: 1 });
    const token = start(other);
    start(component);
    assert.notEqual(waitTokenDuration(token), waitTokenDuration(start(component)));
    assert.equal(codeOf(component, waitFinishRequest(token, digest)), 'BAD_AUTH');
  }
});

test('attack: cross-program replay: what other programs certify is no wait', () => {
  const counter = new TestComponent({ program: 'trinc' });
  const create: TrustedRequest = { op: 'create', objectId: WAIT_OBJECT_ID, mode: 'jump' };
  assert.equal(counter.ask(create).op, 'error');
});

test('a footprint without a clock starts no timer', () => {
  const component = new TestComponent({ program: 'wait' });
  for (const time of [Number.NaN, -1, Number.POSITIVE_INFINITY]) {
    component.clockMs = time;
    assert.equal(codeOf(component, waitStartRequest(previous, MEAN)), 'NOT_READY');
  }
  assert.equal(component.records.length, 0);
});

test('a power cut at any record uses a value of the sequence at most once', () => {
  for (const record of [1, 2, 3]) {
    for (const when of ['before', 'after'] as const) {
      const component = new TestComponent({ program: 'wait' });
      component.cut = { record, when };
      assert.throws(() => {
        for (let round = 0; round < 2; round += 1) {
          const token = start(component);
          component.clockMs += waitTokenDuration(token)!;
          component.ask(waitFinishRequest(token, digest));
        }
      }, PowerCut);
      const identity = component.restart().ask({ op: 'identify' });
      assert.ok(identity.op === 'identify');
      assert.equal(identity.identity.counter, when === 'after' ? record : record - 1);
    }
  }
});

test('records that do not follow each other are not continued; an image stands for all before it', () => {
  const component = new TestComponent({ program: 'wait' });
  for (let round = 0; round < 3; round += 1) start(component);
  assert.ok(component.compact());
  start(component.restart());
  const [image, next] = component.records;
  const ofOther = next!.with(4, next![4]! ^ 1);
  for (const records of [[next!], [image!, image!], [image!, next!, next!], [image!.subarray(1)],
    [image!, ofOther], [new Uint8Array(0)]]) {
    component.records = records;
    assert.equal(codeOf(component.restart(), waitStartRequest(previous, MEAN)), 'NOT_READY');
  }
  component.records = [image!, next!];
  assert.equal(codeOf(component.restart(), waitStartRequest(previous, MEAN)), 'extension');
  component.disk = 'full';
  assert.equal(codeOf(component, waitStartRequest(previous, MEAN)), 'STORAGE');
  assert.equal(codeOf(component, { op: 'renew' }), 'STORAGE');
});

test('requests of every wrong form are refused and change nothing', () => {
  const component = new TestComponent({ program: 'wait' });
  const token = start(component);
  for (const request of [waitStartRequest(previous, MEAN), waitFinishRequest(token, digest)]) {
    const bytes = encodeTrustedRequest(request);
    for (let length = 0; length < bytes.length; length += 1)
      assert.equal(component.handle(bytes.subarray(0, length))[0], 255);
    assert.equal(component.handle(Uint8Array.from([...bytes, 0]))[0], 255);
  }
  component.clockMs = waitTokenDuration(token)!;
  assert.equal(codeOf(component, waitFinishRequest(token, digest)), 'certificates');
});
