/** Parts of the update exchange and of the mode schedule, each alone. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { bytesToDigest } from '../../core/bytes.ts';
import { decodeWhole, Writer } from '../../core/codec.ts';
import type { Digest, ReplicaId } from '../../core/types.ts';
import { sha256 } from '../attested/cluster.testing.ts';
import type { Update, UpdateContent } from './messages.ts';
import { PART_BYTES, readUpdateContent, UPDATE_BYTES_MAX, writeUpdateContent } from './messages.ts';
import { decodeMode, encodeMode } from './mode-order.ts';
import { chooseActive, ModeSchedule } from './mode-schedule.ts';
import { UpdateInbox } from './update-inbox.ts';
import { UpdateStore } from './update-store.ts';

const BATCH = 'b'.repeat(64) as Digest;
const digestOf = (bytes: Uint8Array): Digest => bytesToDigest(sha256(bytes));
const filled = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value);

/** An UPDATE of these bytes, with so many of them. */
function updateOf(bytes: Uint8Array, sent = 0, sequence = 1): Update {
  const [update, { length }] = [digestOf(bytes), bytes];
  return { kind: 'UPDATE', sequence, digest: BATCH, update, length, bytes: bytes.subarray(0, sent) };
}

describe('updates as they arrive', () => {
  const small = filled(10, 1);

  test('f+1 equal ones are needed, and their bytes once', () => {
    const inbox = new UpdateInbox(sha256, 2);
    inbox.add(0, updateOf(small, 10));
    assert.equal(inbox.complete(1), undefined);
    inbox.add(0, updateOf(small, 10));
    assert.equal(inbox.complete(1), undefined, 'a replica has one say');
    inbox.add(1, updateOf(small));
    assert.deepEqual(inbox.complete(1), small);
    inbox.dropThrough(1);
    assert.deepEqual(inbox.size, { updates: 0, bytes: 0 });
  });

  test('one that lies is outvoted, and seen', () => {
    const inbox = new UpdateInbox(sha256, 2);
    inbox.add(0, updateOf(filled(10, 9), 10));
    inbox.add(1, updateOf(small));
    assert.ok(inbox.isContradicted(1, [0, 1]));
    assert.equal(inbox.isContradicted(1, [1, 2]), false, 'others do not count');
    inbox.add(2, updateOf(small, 10));
    assert.deepEqual(inbox.complete(1), small);
  });

  test('equal bytes for different batches are not equal', () => {
    const inbox = new UpdateInbox(sha256, 2);
    inbox.add(0, updateOf(small, 10));
    inbox.add(1, { ...updateOf(small), digest: 'c'.repeat(64) as Digest });
    assert.equal(inbox.elected(1), undefined);
  });

  test('bytes that are not those of the digest spoil their author, and nobody else', () => {
    const inbox = new UpdateInbox(sha256, 2);
    inbox.add(0, { ...updateOf(small), bytes: filled(10, 7) });
    inbox.add(1, updateOf(small));
    assert.deepEqual(
      inbox.sources(1).map(({ replica }) => replica),
      [1],
    );
    const part = {
      kind: 'UPDATE-PART',
      sequence: 1,
      update: digestOf(small),
      offset: 0,
      bytes: small,
    } as const;
    inbox.addPart(0, part);
    assert.equal(inbox.complete(1), undefined);
    inbox.addPart(1, part);
    assert.deepEqual(inbox.complete(1), small);
  });

  test('parts come in order, and a source goes on where it stopped', () => {
    const large = filled(3 * PART_BYTES - 5, 3);
    const inbox = new UpdateInbox(sha256, 2);
    inbox.add(0, updateOf(large, PART_BYTES));
    inbox.add(1, updateOf(large));
    const part = (offset: number): void =>
      inbox.addPart(0, {
        kind: 'UPDATE-PART',
        sequence: 1,
        update: digestOf(large),
        offset,
        bytes: large.subarray(offset, offset + PART_BYTES),
      });
    part(2 * PART_BYTES);
    assert.equal(inbox.sources(1)[0]!.offset, PART_BYTES);
    part(PART_BYTES);
    part(2 * PART_BYTES);
    assert.deepEqual(inbox.complete(1), large);
  });

  test('a part has the size of all parts, the last one what is left; others are refused', () => {
    const length = 2 * PART_BYTES + 5;
    const large = filled(length, 3);
    const inbox = new UpdateInbox(sha256, 1);
    inbox.add(0, updateOf(large, 1));
    const part = (offset: number, size: number): number => {
      const bytes = large.subarray(offset, offset + size);
      inbox.addPart(0, { kind: 'UPDATE-PART', sequence: 1, update: digestOf(large), offset, bytes });
      return inbox.sources(1)[0]!.offset;
    };
    for (const size of [0, 1, PART_BYTES - 1]) assert.equal(part(0, size), 0);
    assert.deepEqual(inbox.size, { updates: 1, bytes: 0 });
    assert.equal(part(0, PART_BYTES), PART_BYTES);
    assert.equal(part(PART_BYTES, 5), PART_BYTES);
    assert.equal(part(PART_BYTES, PART_BYTES), 2 * PART_BYTES);
    for (const size of [1, 4]) assert.equal(part(2 * PART_BYTES, size), 2 * PART_BYTES);
    assert.equal(inbox.complete(1), undefined);
    part(2 * PART_BYTES, 5);
    assert.deepEqual(inbox.complete(1), large);
  });

  test('what is kept of a part is its bytes, not the message that it came in', () => {
    const frame = filled(1024 * 1024, 1);
    const inbox = new UpdateInbox(sha256, 1);
    inbox.add(0, { ...updateOf(small), bytes: frame.subarray(70, 80) });
    assert.equal(inbox.complete(1)!.buffer.byteLength, small.length);
    inbox.add(0, { ...updateOf(filled(PART_BYTES + 1, 1), 0, 2), bytes: frame.subarray(0, PART_BYTES) });
    assert.deepEqual(inbox.size, { updates: 2, bytes: small.length + PART_BYTES });
  });

  test('nobody fills the memory with bytes that are not confirmed', () => {
    const inbox = new UpdateInbox(sha256, 2);
    const large = filled(5 * 1024 * 1024, 1);
    for (let sequence = 1; sequence <= 3; sequence += 1) inbox.add(0, updateOf(large, PART_BYTES, sequence));
    for (let sequence = 1; sequence <= 3; sequence += 1) inbox.add(1, updateOf(large, 0, sequence));
    assert.deepEqual(
      [1, 2, 3].map((sequence) => inbox.sources(sequence)[0]!.offset),
      [PART_BYTES, 0, 0],
    );
    inbox.noteAsked(2, 0);
    inbox.add(0, updateOf(large, PART_BYTES, 2));
    assert.equal(inbox.sources(2)[0]!.offset, PART_BYTES, 'what was asked for is taken');
    inbox.add(2, { ...updateOf(small, 0, 4), length: UPDATE_BYTES_MAX + 1 });
    assert.equal(inbox.highest, 3);
  });

  test('an update that changes nothing is complete at once', () => {
    const inbox = new UpdateInbox(sha256, 1);
    inbox.add(0, updateOf(filled(0, 0)));
    assert.deepEqual(inbox.complete(1), filled(0, 0));
  });
});

test('updates are kept until they are dropped, and no more than fit', () => {
  const store = new UpdateStore();
  const bytes = filled(20 * 1024 * 1024, 2);
  for (let sequence = 1; sequence <= 5; sequence += 1)
    store.keep(sequence, { digest: BATCH, update: digestOf(filled(1, sequence)), bytes });
  assert.equal(store.size.updates, 3);
  assert.equal(store.get(2), undefined);
  assert.equal(store.part(5, digestOf(filled(1, 5)), PART_BYTES)?.length, PART_BYTES);
  assert.equal(store.part(5, digestOf(filled(1, 4)), 0), undefined);
  store.dropThrough(4);
  assert.deepEqual(store.size, { updates: 1, bytes: bytes.length });
});

test('messages of the exchange survive the wire', () => {
  const contents: readonly UpdateContent[] = [
    updateOf(filled(9, 4), 9),
    { kind: 'UPDATE-PART', sequence: 3, update: BATCH, offset: 7, bytes: filled(5, 5) },
    { kind: 'UPDATE-FETCH', sequence: 3, wanted: undefined },
    { kind: 'UPDATE-FETCH', sequence: 3, wanted: { update: BATCH, offset: 9 } },
  ];
  for (const content of contents) {
    const writer = new Writer(64);
    writeUpdateContent(writer, content);
    const read = decodeWhole(writer.finish(), (reader) => readUpdateContent(content.kind, reader));
    assert.deepEqual(read, content);
  }
});

describe('modes', () => {
  const settings = { replicas: 7, activeCount: 5, patience: 10, primaryOf: (view: number) => view % 7 };
  const everybody = (): boolean => true;
  const notIn =
    (...ids: ReplicaId[]) =>
    (replica: ReplicaId): boolean =>
      !ids.includes(replica);

  test('a MODE stands in the place of a digest', () => {
    const order = { view: 2 ** 40 + 3, exponent: 4, active: [0, 2, 9, 127] };
    assert.deepEqual(decodeMode(encodeMode(order)), order);
    assert.equal(decodeMode(BATCH), undefined);
  });

  test('A is the primary and the next eligible replicas on the ring', () => {
    assert.deepEqual(chooseActive(5, settings, everybody), [0, 1, 2, 5, 6]);
    assert.deepEqual(chooseActive(5, settings, notIn(6, 1)), [0, 2, 3, 4, 5]);
    assert.equal(chooseActive(5, settings, notIn(6, 1, 2)), undefined);
  });

  test('view 0 begins in normal-case mode, others come to it by their own MODE alone', () => {
    const schedule = new ModeSchedule(settings);
    assert.deepEqual(schedule.activeAt(0, 1), [0, 1, 2, 3, 4]);
    assert.equal(schedule.activeAt(1, 1), undefined);
    const digest = schedule.order({ view: 1, end: 0 }, everybody)!;
    const state = schedule.stateAfter(12, digest);
    assert.ok(schedule.onExecuted(12, digest));
    assert.equal(schedule.onExecuted(13, BATCH), false);
    assert.equal(schedule.activeAt(1, 12), undefined, 'from the next sequence number on');
    assert.deepEqual(schedule.activeAt(1, 13), [1, 2, 3, 4, 5]);
    assert.equal(schedule.activeAt(2, 13), undefined);
    const fetched = new ModeSchedule(settings);
    fetched.restore(state);
    assert.deepEqual(fetched.record, schedule.record);
    assert.deepEqual(fetched.stateAfter(14, BATCH), state);
    fetched.restore(new Uint8Array(0));
    assert.equal(fetched.record, undefined);
  });

  test('X doubles when faults come within X of the return, and begins anew after a calm', () => {
    const schedule = new ModeSchedule(settings);
    assert.equal(schedule.isDue({ view: 1, end: 3 }, 13), false);
    assert.equal(schedule.isDue({ view: 1, end: 3 }, 14), true);
    schedule.onExecuted(14, schedule.order({ view: 1, end: 3 }, everybody)!);
    assert.equal(schedule.isDue({ view: 1, end: 3 }, 100), false, 'it is in normal-case mode already');
    const soon = { view: 2, end: 23 };
    assert.equal(schedule.exponentIn(soon), 1);
    assert.equal(schedule.isDue(soon, 43), false);
    assert.equal(schedule.isDue(soon, 44), true);
    schedule.onExecuted(44, schedule.order(soon, everybody)!);
    assert.equal(schedule.exponentIn({ view: 3, end: 63 }), 2);
    assert.equal(schedule.exponentIn({ view: 3, end: 64 }), 0);
  });

  test('a MODE fits its view, its X, and has the primary among the right number of members', () => {
    const schedule = new ModeSchedule(settings);
    const place = { view: 8, end: 0 };
    const order = { view: 8, exponent: 0, active: [1, 2, 3, 4, 5] };
    assert.ok(schedule.isFit(order, place));
    assert.equal(schedule.isFit({ ...order, view: 7 }, place), false);
    assert.equal(schedule.isFit({ ...order, exponent: 1 }, place), false);
    assert.equal(schedule.isFit({ ...order, active: [0, 2, 3, 4, 5] }, place), false);
    assert.equal(schedule.isFit({ ...order, active: [1, 2, 3, 4] }, place), false);
    assert.equal(schedule.isFit({ ...order, active: [1, 2, 3, 4, 9] }, place), false);
  });
});
