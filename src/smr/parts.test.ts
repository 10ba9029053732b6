/** The small parts that protocols share. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_LIMITS } from '../core/config.ts';
import { numbersOf } from '../core/request.ts';
import type { Bundle } from '../core/request.ts';
import type { Digest } from '../core/types.ts';
import { Backoff } from './backoff.ts';
import { decideBatch } from './batcher.ts';
import { PendingRequests } from './pending-requests.ts';
import { StreamBuffer } from './stream-buffer.ts';
import { VoteKeeper } from './vote-keeper.ts';

function bundle(client: number, number: number, size = 100, requests = 1): Bundle {
  const list = Array.from({ length: requests }, (_, index) => ({
    number: number + index,
    operation: new Uint8Array(0),
  }));
  return {
    digest: `${client}-${number}` as Digest,
    bytes: new Uint8Array(size),
    clientKey: new Uint8Array(32).fill(client),
    session: client,
    requests: list,
    ...numbersOf(list),
    signature: new Uint8Array(64),
  };
}

const never = (): boolean => false;
const room = { requests: 100, bytes: 10_000 };

test('bundles are taken first in first out for each client, round robin between clients', () => {
  const pending = new PendingRequests();
  for (const [client, number] of [
    [1, 1],
    [1, 2],
    [1, 3],
    [2, 1],
    [3, 1],
    [2, 2],
  ] as const)
    assert.ok(pending.add(bundle(client, number), 0, 500));
  assert.equal(pending.add(bundle(1, 1), 0, 500), false, 'not twice');
  const names = pending.take(room, 0, never).map(({ digest }) => digest);
  assert.deepEqual(names, ['1-1', '2-1', '3-1', '1-2', '2-2', '1-3']);
  assert.equal(pending.hasUnproposed, false);
  assert.equal(pending.unproposedBytes, 0);
  assert.equal(pending.size, 6, 'they wait until they are executed');
  pending.clearProposed();
  assert.equal(pending.take({ requests: 2, bytes: 10_000 }, 1, never).length, 2);
  assert.equal(pending.take({ requests: 100, bytes: 110 }, 1, never).length, 1);
});

test('a bundle larger than the room for requests goes alone; executed ones are forgotten on the way', () => {
  const pending = new PendingRequests();
  pending.add(bundle(1, 1, 100, 9), 0, 500);
  pending.add(bundle(2, 1), 0, 500);
  assert.deepEqual(
    pending.take({ requests: 4, bytes: 1_000 }, 0, never).map(({ digest }) => digest),
    ['1-1'],
  );
  assert.deepEqual(
    pending.take(room, 0, ({ digest }) => digest === ('2-1' as Digest)),
    [],
  );
  assert.equal(pending.size, 1);
});

test('admission is bounded by client, number and bytes', () => {
  const limits = { bundlesMax: 5, bundlesPerClientMax: 2, bytesMax: 450 };
  const pending = new PendingRequests(limits);
  assert.ok(pending.add(bundle(1, 1), 0, 500));
  assert.ok(pending.add(bundle(1, 2), 0, 500));
  assert.equal(pending.add(bundle(1, 3), 0, 500), false);
  assert.ok(pending.add(bundle(2, 1), 0, 500));
  assert.ok(pending.add(bundle(3, 1), 0, 500));
  assert.equal(pending.add(bundle(4, 1), 0, 500), false, 'too many bytes');
  pending.remove('1-1' as Digest);
  assert.ok(pending.add(bundle(4, 1), 0, 500));
});

test('a waiting bundle is passed on at a fifth, spread at half, and overdue at the end of its time', () => {
  const pending = new PendingRequests();
  pending.add(bundle(1, 1), 1_000, 500);
  assert.equal(pending.nextWake(), 1_100);
  assert.equal(pending.dueForwards(1_100, 9).toPrimary.length, 1);
  assert.equal(pending.nextWake(), 1_250);
  assert.deepEqual(
    pending.dueForwards(1_250, 9).toAll.map(({ digest }) => digest),
    ['1-1'],
  );
  assert.equal(pending.nextWake(), 1_500);
  assert.equal(pending.isOverdue(1_499, never), false);
  assert.equal(pending.isOverdue(1_500, never), true);
  assert.equal(
    pending.isOverdue(1_500, () => true),
    false,
  );
  assert.equal(pending.size, 0);
});

test('a batch goes at once when nothing is in flight, else when it is full or old enough', () => {
  const limits = { ...DEFAULT_LIMITS, batchRequestsMax: 10, checkpointInterval: 4, pipelineFactor: 2 };
  const waiting = { now: 10, inFlight: 1, unproposedRequests: 3, unproposedBytes: 300, oldestSince: 9 };
  assert.deepEqual(decideBatch(limits, 2, waiting), { kind: 'waitUntil', at: 11 });
  assert.equal(decideBatch(limits, 2, { ...waiting, inFlight: 0 }).kind, 'propose');
  assert.equal(decideBatch(limits, 2, { ...waiting, now: 11 }).kind, 'propose');
  assert.equal(decideBatch(limits, 2, { ...waiting, unproposedRequests: 10 }).kind, 'propose');
  assert.equal(decideBatch(limits, 2, { ...waiting, unproposedBytes: 512 * 1024 }).kind, 'propose');
  assert.equal(decideBatch(limits, 2, { ...waiting, now: 99, inFlight: 8 }).kind, 'wait');
  assert.equal(decideBatch(limits, 2, { ...waiting, oldestSince: undefined }).kind, 'wait');
});

test('the back-off doubles up to its cap, shrinks by one for every cp orders, and to nothing with a new quorum', () => {
  const backoff = new Backoff(1_000, 4);
  backoff.onExecuted(7);
  for (const expected of [100, 200, 400, 800, 1_000, 1_000]) {
    assert.equal(backoff.delay(100), expected);
    backoff.onExpired();
  }
  assert.equal(backoff.exponent, 6);
  assert.equal(backoff.onExecuted(8), false);
  assert.equal(backoff.onExecuted(11), true);
  assert.equal(backoff.exponent, 5);
  assert.equal(backoff.onQuorumBack(), true);
  assert.equal(backoff.delay(100), 100);
  assert.equal(backoff.onQuorumBack(), false);
});

test('a full stream buffer gives up its highest counter, never the next one', () => {
  const buffer = new StreamBuffer<string>({ messages: 3, bytes: 1000, bytesOf: ({ length }) => length });
  for (const counter of [9, 7, 5]) assert.ok(buffer.put(counter, `m${counter}`));
  assert.equal(buffer.put(11, 'm11'), false);
  assert.ok(buffer.put(3, 'm3'));
  assert.equal(buffer.get(9), undefined);
  assert.equal(buffer.size, 3);
  assert.ok(buffer.put(5, 'other'));
  assert.equal(buffer.get(5), 'm5');
  assert.ok(buffer.put(5, 'better', true));
  assert.equal(buffer.get(5), 'better');
  buffer.dropThrough(5);
  assert.equal(buffer.size, 1);
});

test('what waits in a stream buffer is bounded by bytes, whatever its author sends; what comes next always has room', () => {
  const buffer = new StreamBuffer<string>({ messages: 100, bytes: 1000, bytesOf: ({ length }) => length });
  const message = (length: number): string => 'm'.repeat(length);
  for (let counter = 50; counter > 10; counter -= 1) {
    buffer.put(counter, message(300));
    assert.ok(buffer.bytes <= 1000);
  }
  assert.equal(buffer.size, 3);
  assert.equal(buffer.put(60, message(300)), false, 'the highest goes');
  assert.ok(buffer.put(9, message(5000)), 'one frame alone may be longer');
  assert.deepEqual([buffer.size, buffer.bytes], [1, 5000]);
  assert.equal(buffer.put(10, message(1)), false);
  assert.ok(buffer.put(9, message(10), true));
  assert.ok(buffer.put(10, message(980)));
  assert.ok(buffer.put(9, message(20), true));
  assert.equal(buffer.bytes, 1000);
  buffer.put(9, message(21), true);
  assert.equal(buffer.get(10), undefined, 'what is replaced counts, too');
  buffer.dropThrough(9);
  assert.deepEqual([buffer.size, buffer.bytes], [0, 0]);
});

test('votes are counted by replica, one order at a time, and only the voters that count', () => {
  const votes = new VoteKeeper<string>();
  assert.ok(votes.add(3, 'a', 'a', { replica: 0, incarnation: 0 }));
  assert.equal(votes.add(3, 'a', 'a', { replica: 0, incarnation: 0 }), false);
  votes.add(3, 'a', 'a', { replica: 0, incarnation: 1 });
  assert.equal(
    votes.decided(3, 2, () => true),
    undefined,
    'two incarnations are one replica',
  );
  votes.add(3, 'b', 'b', { replica: 1, incarnation: 0 });
  votes.add(3, 'a', 'a', { replica: 2, incarnation: 0 });
  assert.equal(
    votes.decided(3, 2, () => true),
    'a',
  );
  assert.equal(
    votes.decided(3, 2, ({ replica }) => replica !== 2),
    undefined,
  );
  assert.equal(
    votes.decided(2, 2, () => true),
    undefined,
    'nothing is inferred for the order before',
  );
  votes.dropThrough(3);
  assert.equal(votes.size, 0);
});
