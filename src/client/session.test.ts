/** What a session makes of operations: numbers, bundles, and when it makes them. */
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { clientIdOf, decodeBundle } from '../core/request.ts';
import { ZERO_DIGEST } from '../core/types.ts';
import type { Digest } from '../core/types.ts';
import { transactionId } from '../ledger/transaction.ts';
import { nodeHash } from '../platform/sha256.ts';
import { createKeySigner } from './keys.ts';
import { ClientSession } from './session.ts';
import type { PackedBundle, Queued, SessionOptions } from './session.ts';

const domain = { clusterId: 'c1'.repeat(32) as Digest, configurationVersion: 1 };
const signer = createKeySigner(generateKeyPairSync('ed25519').privateKey);
const clientId = clientIdOf(nodeHash, signer.publicKey);

function sessionOf(over: Partial<SessionOptions> = {}): ClientSession<Queued> {
  return new ClientSession({
    ...{ hash: nodeHash, domain, signer, clientId },
    ...{ session: 7, window: 4_096, nextNumber: 1 },
    ...over,
  });
}

const ticketOf = (length = 20): Queued => ({
  operation: new Uint8Array(length).fill(5),
  mayBeOther: false,
  isQueued: false,
  number: 0,
  txId: ZERO_DIGEST,
});

function give(session: ClientSession<Queued>, count: number, length = 20): Queued[] {
  const tickets = Array.from({ length: count }, () => ticketOf(length));
  for (const ticket of tickets) assert.equal(session.submit(ticket), true);
  return tickets;
}

const sizes = (bundles: readonly PackedBundle<Queued>[]): number[] =>
  bundles.map(({ requests }) => requests.length);
const numbers = (bundles: readonly PackedBundle<Queued>[]): number[] =>
  bundles.flatMap(({ requests }) => requests.map(({ number }) => number));

test('a bundle holds the operations in order, under the txIds that it is tracked by', () => {
  const session = sessionOf();
  const tickets = give(session, 3);
  tickets[1]!.operation = new Uint8Array([1, 2, 3]);
  const operations = tickets.map(({ operation }) => operation);
  const [packed] = session.flush();
  const bundle = decodeBundle(nodeHash, domain, packed!.bundle.bytes)!;
  assert.equal(bundle.digest, packed!.bundle.digest);
  assert.deepEqual(
    bundle.requests.map(({ number, operation }) => [number, ...operation]),
    operations.map((operation, index) => [index + 1, ...operation]),
  );
  packed!.requests.forEach((request, index) => {
    const { number, txId } = request;
    assert.equal(request, tickets[index]);
    assert.equal(txId, transactionId(nodeHash, domain.clusterId, clientId, 7, number, operations[index]!));
  });
});

test('one at a time leaves at once, and so do a few', () => {
  const session = sessionOf();
  for (let round = 0; round < 5; round += 1) {
    give(session, 1);
    const [packed] = session.flush();
    session.finish(packed!.bundle.digest);
  }
  for (let open = 0; open < 3; open += 1) {
    give(session, 1);
    assert.deepEqual(sizes(session.flush()), [1]);
  }
});

test('while much is on the way little is held back, joined by what comes free with the next answer', () => {
  const session = sessionOf();
  give(session, 60);
  const [first] = session.flush();
  give(session, 29);
  assert.deepEqual(session.flush(), [], 'less than a third');
  give(session, 1);
  const [second] = session.flush();
  assert.equal(second!.requests.length, 30);
  give(session, 10);
  assert.deepEqual(session.flush(), []);
  session.finish(first!.bundle.digest);
  give(session, 60);
  assert.deepEqual(sizes(session.flush()), [70]);
});

test('nothing is held back when asked for everything', () => {
  const session = sessionOf();
  give(session, 60);
  session.flush();
  give(session, 1);
  assert.deepEqual(session.flush(), []);
  assert.deepEqual(sizes(session.flush(true)), [1]);
  assert.equal(session.waiting, 0);
});

test('many are divided into a few equal bundles, and stay so', () => {
  const session = sessionOf();
  give(session, 1_024);
  const open = session.flush();
  assert.deepEqual(sizes(open), [342, 342, 340]);
  for (let round = 0; round < 30; round += 1) {
    const done = open.shift()!;
    session.finish(done.bundle.digest);
    give(session, done.requests.length);
    open.push(...session.flush());
    assert.ok(open.length <= 4, `${open.length}`);
    assert.ok(session.waiting < 205);
  }
  const few = sessionOf();
  give(few, 300);
  assert.deepEqual(sizes(few.flush()), [300]);
});

test('what fills a bundle leaves, however much is on the way', () => {
  const session = sessionOf();
  give(session, 100, 16_000);
  assert.deepEqual(sizes(session.flush()), new Array(24).fill(4));
  assert.equal(session.waiting, 4, 'not quite full');
  give(session, 5, 16_000);
  assert.deepEqual(sizes(session.flush()), [4, 4]);
  const single = sessionOf({ bundleRequestsMax: 1 });
  give(single, 50);
  assert.deepEqual(sizes(single.flush()), new Array(50).fill(1));
});

test('numbers stay within the window of the oldest unfinished bundle', () => {
  const session = sessionOf({ window: 64 });
  give(session, 100);
  const [first, ...none] = session.flush(true);
  assert.deepEqual([first!.requests.length, none.length], [64, 0]);
  assert.deepEqual(session.flush(true), []);
  session.finish(first!.bundle.digest);
  assert.deepEqual(
    numbers(session.flush(true)),
    Array.from({ length: 36 }, (_, index) => 65 + index),
  );
});

test('what is taken back is not sent, and what was sent is not taken back', () => {
  const session = sessionOf({ queueMax: 10 });
  const tickets = give(session, 10);
  assert.equal(session.submit(ticketOf()), false, 'the queue is full');
  for (const index of [0, 4, 9]) assert.equal(session.cancel(tickets[index]!), true);
  assert.equal(session.cancel(tickets[4]!), false);
  assert.equal(session.waiting, 7);
  give(session, 3);
  assert.equal(session.submit(ticketOf()), false);
  const [packed] = session.flush();
  assert.deepEqual(
    packed!.requests.slice(0, 7).map((ticket) => tickets.indexOf(ticket)),
    [1, 2, 3, 5, 6, 7, 8],
  );
  assert.equal(session.cancel(tickets[1]!), false);
});

test('a queue that cannot leave stays bounded, whatever is put in and taken back', () => {
  const session = sessionOf({ queueBytesMax: 1_000 });
  const kept = give(session, 2);
  for (let round = 0; round < 1_000; round += 1) {
    const ticket = ticketOf(900);
    assert.equal(session.submit(ticket), true);
    assert.equal(session.submit(ticketOf(900)), false, 'too many bytes');
    assert.equal(session.cancel(ticket), true);
  }
  assert.deepEqual(session.drain(), kept);
  assert.deepEqual([session.waiting, session.drain()], [0, []]);
});

test('the bundles of an earlier life keep their numbers', () => {
  const before = sessionOf();
  give(before, 5);
  const [left] = before.flush();
  const session = sessionOf({ window: 10 });
  session.adopt(decodeBundle(nodeHash, domain, left!.bundle.bytes)!);
  give(session, 20);
  assert.deepEqual(numbers(session.flush(true)), [6, 7, 8, 9, 10]);
});
