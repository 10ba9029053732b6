import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Certificates, Patience } from './certificates.ts';

const proofsOf = (...replicas: readonly number[]) =>
  replicas.map((replica) => ({ replica, proof: new Uint8Array([replica]) }));
const names = (certificates: readonly (readonly { replica: number }[])[]): string[] =>
  certificates.map((proofs) => proofs.map(({ replica }) => replica).join(''));

test('a certificate is due a little after enough answers, then again with other proofs each time', () => {
  const certificates = new Certificates(3);
  const request = {};
  certificates.offer(request, 'v0', proofsOf(0, 1), 10, 0);
  assert.equal(certificates.dueMs, undefined);
  certificates.offer(request, 'v0', proofsOf(0, 1, 3), 20, 0);
  assert.equal(certificates.dueMs, 40, 'as long again as it took so far');
  assert.deepEqual(certificates.due(39), []);
  assert.deepEqual(names(certificates.due(40)), ['013']);
  assert.deepEqual(certificates.due(239), []);
  certificates.offer(request, 'v0', proofsOf(0, 1, 2, 3), 100, 0);
  const later: string[] = [];
  const times: number[] = [];
  for (let now = 40; now < 30_000; now += 1)
    for (const name of names(certificates.due(now))) {
      later.push(name);
      times.push(now);
    }
  assert.equal(new Set(later.slice(0, 4)).size, 4, 'every choice of three of the four');
  assert.deepEqual(times.slice(0, 3), [240, 640, 1440]);
  assert.ok(times.every((time, index) => index === 0 || time - times[index - 1]! <= 5_000));
  certificates.settle(request, 30_000, false);
  assert.equal(certificates.dueMs, undefined);
});

test('requests of one batch share a certificate, and it is due until the last of them is done', () => {
  const certificates = new Certificates(2);
  const [first, second] = [{}, {}];
  certificates.offer(first, 'k', proofsOf(0, 1), 5, 0);
  certificates.offer(second, 'k', proofsOf(1, 2), 6, 0);
  assert.deepEqual(names(certificates.due(100)), ['01']);
  certificates.settle(first, 110, false);
  assert.deepEqual(names(certificates.due(400)), ['02']);
  certificates.forget(second);
  assert.deepEqual(certificates.due(10_000), []);
});

test('answers of another history start it over: proofs of the two are never in one certificate', () => {
  const certificates = new Certificates(2);
  const request = {};
  certificates.offer(request, 'view 0', proofsOf(0, 1), 5, 0);
  certificates.offer(request, 'view 1', proofsOf(2, 3), 7, 0);
  assert.deepEqual(names(certificates.due(100)), ['23']);
  assert.deepEqual(names(certificates.due(10_000)), ['23']);
});

test('patience follows how late the last answers are, and never beyond a second round', () => {
  const patience = new Patience();
  patience.onEnough(40);
  assert.equal(patience.next(), 40);
  for (let times = 0; times < 50; times += 1) patience.onAll(2);
  assert.ok(patience.next() <= 5, `${patience.next()}`);
  for (let times = 0; times < 50; times += 1) patience.onAll(900);
  assert.equal(patience.next(), 40);
});

test('a replica that is down costs a few requests their patience, not every one', () => {
  const patience = new Patience();
  patience.onEnough(40);
  const waits: number[] = [];
  for (let request = 0; request < 200; request += 1) {
    waits.push(patience.next());
    patience.onMiss();
  }
  assert.deepEqual(waits.slice(0, 4), [40, 40, 40, 0]);
  const patient = waits.filter((wait) => wait > 0).length;
  assert.ok(patient >= 6 && patient <= 12, `${patient} of 200 were patient`);
  patience.onAll(3);
  assert.ok(patience.next() > 0, 'it answers again');
});
