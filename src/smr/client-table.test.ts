import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { clientId, digestOf } from '../../test/support/ledger-fixture.ts';
import { UndoLog } from '../core/undo-log.ts';
import type { Outcome } from './outcome-ring.ts';
import {
  CLIENT_TABLE_SHARDS,
  ClientTable,
  DEFAULT_WINDOW,
  RESULT_BODY_BYTES_MAX,
  SESSION_BODY_BYTES_MAX,
  TABLE_BODY_BYTES_MAX,
  TABLE_WINDOWS_MAX,
} from './client-table.ts';

const ALL_SHARDS = Array.from({ length: CLIENT_TABLE_SHARDS }, (_, index) => index);
const LIMITS = { sessionsMax: 64, windowMax: 8192 };
const nobody = () => false;

function outcome(number: number, bodyBytes = 2): Outcome {
  const resultDigest = digestOf(`result ${number}`);
  const result = new Uint8Array(bodyBytes).fill(number % 251);
  return { number, txId: digestOf(`tx ${number}`), sequence: number, height: number, resultDigest, result };
}

function copyOf(table: ClientTable, limits = LIMITS): ClientTable {
  const shards = table.encodeShards(ALL_SHARDS);
  const copy = new ClientTable(limits);
  assert.ok(copy.decode(table.lastSession, (index) => shards[index]!));
  return copy;
}

test('an undo brings back windows, forgotten results, evicted sessions and free ids', () => {
  const undo = new UndoLog();
  const table = new ClientTable({ sessionsMax: 2, windowMax: 256 }, undo);
  const full = table.open(clientId(1), 256, 1)!;
  const small = table.open(clientId(2), 4, 2)!;
  const bodies = SESSION_BODY_BYTES_MAX / RESULT_BODY_BYTES_MAX;
  for (let number = 1; number <= bodies; number += 1)
    table.record(full, outcome(number, RESULT_BODY_BYTES_MAX), 2);
  for (const number of [1, 2, 4]) table.record(small, outcome(number), 2);
  table.takeChanged();
  const before = table.encodeShards(ALL_SHARDS);
  undo.mark(3);
  table.record(full, outcome(bodies + 2, RESULT_BODY_BYTES_MAX), 3);
  assert.equal(full.find(1)!.result, undefined, 'the oldest result had to go');
  table.record(small, outcome(7), 3);
  assert.equal(small.find(2), undefined);
  undo.mark(4);
  assert.equal(table.open(clientId(3), 0, 4)!.id, 3);
  table.evict((client) => client === clientId(1));
  assert.deepEqual([table.size, table.find(1)], [2, undefined]);
  table.takeChanged();
  undo.undoTo(2);
  assert.deepEqual([table.size, table.lastSession, full.bodyBytes], [2, 2, SESSION_BODY_BYTES_MAX]);
  assert.deepEqual([full.low, small.low, small.lastSequence], [bodies, 2, 2]);
  assert.deepEqual(table.encodeShards(ALL_SHARDS), before);
  assert.deepEqual(table.takeChanged(), [1, 2, 3]);
  assert.equal(table.open(clientId(3), 0, 3)!.id, 3);
});

test('every request is executed at most once, whatever order they are executed in', () => {
  const numbers = fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 120 });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 16 }), numbers, (window, order) => {
      const table = new ClientTable(LIMITS);
      const session = table.open(clientId(1), window, 1)!;
      const executed = new Set<number>();
      let highest = 0;
      for (const number of order) {
        const tooOld = number <= highest - window;
        assert.equal(session.isDone(number), executed.has(number) || tooOld, `number ${number}`);
        if (session.isDone(number)) continue;
        executed.add(number);
        highest = Math.max(highest, number);
        table.record(session, outcome(number), 2);
      }
      let low = Math.max(0, highest - window);
      while (executed.has(low + 1)) low += 1;
      assert.equal(session.low, low);
      for (let number = 1; number <= 60; number += 1) {
        const kept = executed.has(number) && number > highest - window;
        assert.equal(session.find(number) !== undefined, kept, `outcome of ${number}`);
      }
    }),
    { numRuns: 200 },
  );
});

test('a table read back from its shards behaves and encodes alike', () => {
  const steps = fc.array(fc.tuple(fc.nat(3), fc.integer({ min: 1, max: 40 })), { maxLength: 80 });
  fc.assert(
    fc.property(steps, steps, (before, after) => {
      const table = new ClientTable(LIMITS);
      const play = (target: ClientTable, list: typeof before) => {
        for (const [which, number] of list) {
          const session = target.find(which + 1) ?? target.open(clientId(which), 8, number)!;
          if (!session.isDone(number)) target.record(session, outcome(number, number * 3), number);
        }
        target.evict(nobody);
      };
      play(table, before);
      const copy = copyOf(table);
      play(table, after);
      play(copy, after);
      assert.deepEqual(copy.encodeShards(ALL_SHARDS), table.encodeShards(ALL_SHARDS));
      assert.equal(copy.lastSession, table.lastSession);
    }),
    { numRuns: 60 },
  );
});

test('ids ever grow, also when the highest session is gone', () => {
  const table = new ClientTable(LIMITS);
  assert.equal(table.open(clientId(1), 0, 1)!.id, 1);
  assert.equal(table.open(clientId(2), 0, 1)!.id, 2);
  table.evict((id) => id === clientId(2));
  assert.equal(table.find(2), undefined);
  const copy = copyOf(table);
  assert.equal(copy.open(clientId(2), 0, 2)!.id, 3);
});

test('windows: the default for none, at most the limit, the default again when all are given out', () => {
  const table = new ClientTable({ sessionsMax: 100_000, windowMax: 8192 });
  assert.equal(table.open(clientId(0), 0, 1)!.window, DEFAULT_WINDOW);
  assert.equal(table.open(clientId(0), 1, 1)!.window, 1);
  assert.equal(table.open(clientId(0), 1_000_000, 1)!.window, 8192);
  let granted = 0;
  for (let client = 1; granted < TABLE_WINDOWS_MAX - 8192; client += 1)
    granted += table.open(clientId(client), 8192, 1)!.window;
  const [last] = [table.open(clientId(0), 8192, 1)!, table.open(clientId(0), 8192, 1)!].reverse();
  assert.equal(last!.window, DEFAULT_WINDOW);
  const small = new ClientTable({ sessionsMax: 10, windowMax: 4 });
  assert.equal(small.open(clientId(1), 0, 1)!.window, 4);
});

test("eviction: first a client's own beyond its share, then the least recently used of all", () => {
  const table = new ClientTable({ sessionsMax: 32, windowMax: 64 });
  assert.equal(table.sessionsPerClientMax, 2);
  const greedy = [1, 2, 3, 4].map((sequence) => table.open(clientId(1), 0, sequence)!);
  const modest = table.open(clientId(2), 0, 1)!;
  assert.equal(table.open(clientId(1), 0, 9), undefined, 'twice the share is all that is given in between');
  table.record(greedy[0]!, outcome(1), 10);
  table.evict(nobody);
  const left = [...greedy, modest].filter((session) => table.find(session.id) !== undefined);
  assert.deepEqual(left, [greedy[0], greedy[3], modest]);

  const full = new ClientTable({ sessionsMax: 3, windowMax: 64 });
  const sessions = [5, 4, 3, 3, 9].map((sequence, index) => full.open(clientId(index), 0, sequence)!);
  full.evict(nobody);
  assert.deepEqual(
    sessions.map((session) => full.find(session.id) !== undefined),
    [true, true, false, false, true],
  );
});

test('between boundaries the table holds at most twice its bound', () => {
  const table = new ClientTable({ sessionsMax: 3, windowMax: 64 });
  for (let client = 0; client < 6; client += 1) assert.ok(table.open(clientId(client), 0, 1) !== undefined);
  assert.equal(table.open(clientId(7), 0, 1), undefined);
  table.evict(nobody);
  assert.equal(table.size, 3);
});

test('a session keeps a bounded amount of results: the oldest go, their digests stay', () => {
  const table = new ClientTable(LIMITS);
  const session = table.open(clientId(1), 8192, 1)!;
  const fits = SESSION_BODY_BYTES_MAX / RESULT_BODY_BYTES_MAX;
  for (let number = 1; number <= fits + 3; number += 1)
    table.record(session, outcome(number, RESULT_BODY_BYTES_MAX), number);
  assert.equal(session.bodyBytes, SESSION_BODY_BYTES_MAX);
  assert.equal(session.find(3)!.result, undefined);
  assert.notEqual(session.find(3)!.resultDigest, undefined);
  assert.equal(session.find(4)!.result!.length, RESULT_BODY_BYTES_MAX);
  const copy = copyOf(table);
  table.record(session, outcome(fits + 4, 8), 9);
  copy.record(copy.find(session.id)!, outcome(fits + 4, 8), 9);
  assert.deepEqual(copy.encodeShards(ALL_SHARDS), table.encodeShards(ALL_SHARDS));
});

test('all sessions together keep a bounded amount of results after a boundary', () => {
  const table = new ClientTable({ sessionsMax: 1024, windowMax: 8192 });
  const body = new Uint8Array(RESULT_BODY_BYTES_MAX);
  const perSession = SESSION_BODY_BYTES_MAX / RESULT_BODY_BYTES_MAX;
  const count = TABLE_BODY_BYTES_MAX / SESSION_BODY_BYTES_MAX + 2;
  const sessions = Array.from({ length: count }, (_, index) => table.open(clientId(index), 1024, 1)!);
  sessions.forEach((session, index) => {
    for (let number = 1; number <= perSession; number += 1)
      table.record(session, { ...outcome(number), result: body }, 1 + index);
  });
  table.evict(nobody);
  const kept = sessions.map((session) => session.bodyBytes);
  assert.deepEqual(kept.slice(0, 3), [0, 0, SESSION_BODY_BYTES_MAX]);
  assert.equal(sessions[0]!.isDone(1), true);
});

test('only shards that changed are reported', () => {
  const table = new ClientTable(LIMITS);
  assert.deepEqual(table.takeChanged(), ALL_SHARDS);
  const session = table.open(clientId(1), 0, 1)!;
  table.open(clientId(2), 0, 1);
  assert.deepEqual(table.takeChanged(), [1, 2]);
  table.record(session, outcome(1), 2);
  assert.deepEqual(table.takeChanged(), [1]);
  table.evict(nobody);
  assert.deepEqual(table.takeChanged(), []);
});

test('shards that are not canonical are refused', () => {
  const table = new ClientTable(LIMITS);
  const session = table.open(clientId(1), 4, 1)!;
  for (const number of [1, 2, 4]) table.record(session, outcome(number), 2);
  const shards = table.encodeShards(ALL_SHARDS);
  const shard = shards[1]!;
  const accepts = (bytes: Uint8Array) =>
    new ClientTable(LIMITS).decode(1, (index) => (index === 1 ? bytes : shards[index]!));
  assert.ok(accepts(shard));
  assert.ok(!accepts(shard.subarray(0, -1)));
  assert.ok(!new ClientTable(LIMITS).decode(0, (index) => shards[index]!), 'an id above the last one given');
  const moved = (index: number) => (index === 2 ? shard : index === 1 ? shards[2]! : shards[index]!);
  assert.ok(!new ClientTable(LIMITS).decode(1, moved), 'a session in the wrong shard');
  // What is accepted after a flip must encode to the same bytes: no second spelling of a table.
  for (let at = 0; at < shard.length; at += 1) {
    const flipped = shard.slice();
    flipped[at]! ^= 1;
    const copy = new ClientTable(LIMITS);
    if (!copy.decode(1, (index) => (index === 1 ? flipped : shards[index]!))) continue;
    assert.deepEqual(copy.encodeShards([1])[0], flipped, `byte ${at}`);
  }
});

test('a number far beyond the window leaves nothing of those before, also where places are used again', () => {
  const table = new ClientTable(LIMITS);
  const session = table.open(clientId(1), 4, 1)!;
  for (let number = 1; number <= 4; number += 1) table.record(session, outcome(number, 10), number);
  table.record(session, outcome(23, 7), 23);
  for (const number of [1, 2, 3, 4, 19]) assert.equal(session.find(number), undefined, `number ${number}`);
  assert.equal(session.find(23)!.result!.length, 7);
  assert.equal(session.bodyBytes, 7);
  assert.equal(session.low, 19);
  const copied = copyOf(table).find(session.id)!;
  assert.deepEqual([copied.low, copied.bodyBytes, copied.find(23)], [19, 7, session.find(23)]);
});
