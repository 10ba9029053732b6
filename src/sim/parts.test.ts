/** The simulator's own parts: an instrument that is wrong finds nothing, or too much. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestLedger, testSettings } from '../../test/support/ledger-fixture.ts';
import { bytesOf, runRandomly } from '../../test/support/ledger-workload.ts';
import { Prng } from '../core/prng.ts';
import { Chance } from './chance.ts';
import { SimDisk } from './disk.ts';
import { EventQueue } from './event-queue.ts';
import { CALM_NETWORK, Network } from './network.ts';
import { drawScenario } from './scenario.ts';

test('events run by time, and in the order of insertion within one instant', () => {
  const queue = new EventQueue();
  const random = new Prng(5);
  const expected: { time: number; order: number }[] = [];
  const ran: number[] = [];
  for (let order = 0; order < 2000; order += 1) {
    const time = random.between(0, 50);
    expected.push({ time, order });
    queue.after(time, () => void ran.push(order));
  }
  while (queue.runNext());
  expected.sort((a, b) => a.time - b.time || a.order - b.order);
  assert.deepEqual(
    ran,
    expected.map((entry) => entry.order),
  );
  assert.equal(queue.size, 0);
});

test('an event may schedule another one at once', () => {
  const queue = new EventQueue();
  const seen: string[] = [];
  queue.after(1, () => {
    seen.push('a');
    queue.after(0, () => void seen.push('c'));
  });
  queue.after(1, () => void seen.push('b'));
  while (queue.runNext());
  assert.deepEqual(seen, ['a', 'b', 'c']);
});

test('chance at one site does not depend on draws at another', () => {
  const alone = new Chance(9);
  const mixed = new Chance(9);
  const expected = Array.from({ length: 20 }, () => alone.unit(1, 3));
  const found = Array.from({ length: 20 }, () => {
    mixed.unit(2, 7);
    return mixed.unit(1, 3);
  });
  assert.deepEqual(found, expected);
  const mean = expected.reduce((sum, value) => sum + value, 0) / 20;
  assert.ok(mean > 0.25 && mean < 0.75);
});

test('a crash keeps what was synced and a prefix of the rest', () => {
  for (let seed = 0; seed < 200; seed += 1) {
    const queue = new EventQueue();
    const disk = new SimDisk(0, queue, new Chance(seed), { syncLowMs: 1, syncHighMs: 2 });
    let synced = false;
    for (let index = 0; index < 4; index += 1) disk.append(new Uint8Array([index]));
    disk.sync(() => (synced = true));
    while (queue.runNext());
    assert.ok(synced);
    for (let index = 4; index < 9; index += 1) disk.append(new Uint8Array([index]));
    disk.crash();
    const found = disk.image().journal.map((record) => record[0]);
    assert.ok(found.length >= 4 && found.length <= 9);
    assert.deepEqual(
      found,
      Array.from({ length: found.length }, (_, index) => index),
    );
  }
});

test('a snapshot is whole though only what changed is written, also after a crash lost the one before it', () => {
  for (let seed = 0; seed < 8; seed += 1) {
    const queue = new EventQueue();
    const disk = new SimDisk(0, queue, new Chance(seed), { syncLowMs: 1, syncHighMs: 2 });
    const ledger = new TestLedger(testSettings({ sessionsMax: 4 }));
    const random = new Prng(seed);
    let durable: Uint8Array[] | undefined;
    let bytes = 0;
    for (let sequence = 4; sequence <= 24; sequence += 4) {
      runRandomly(ledger, random, 4);
      const frozen = ledger.executor.frozen(sequence)!;
      const asked: number[] = [];
      const chunk = (index: number): Uint8Array => {
        asked.push(index);
        return frozen.chunk(index);
      };
      disk.storeSnapshot({ ...frozen, chunk }, new Uint8Array(1), () => undefined);
      assert.equal(asked.length === frozen.chunkCount, durable === undefined, `${asked.length} chunks`);
      assert.equal(disk.stateBytes, bytes);
      if (random.chance(0.5)) disk.crash();
      else {
        while (queue.runNext());
        durable = bytesOf(frozen);
        bytes = durable.reduce((sum, { length }) => sum + length, 0);
      }
      const { snapshot } = disk.image();
      const found: Uint8Array[] | undefined = snapshot && durable?.map((_, index) => snapshot.chunk(index));
      assert.deepEqual([found, disk.stateBytes], [durable, bytes], `seed ${seed}, checkpoint ${sequence}`);
    }
  }
});

test('a rewrite is there whole or not at all, and a sync of an earlier life never answers', () => {
  const outcomes = new Set<string>();
  for (let seed = 0; seed < 100; seed += 1) {
    const queue = new EventQueue();
    const disk = new SimDisk(0, queue, new Chance(seed), { syncLowMs: 1, syncHighMs: 2 });
    disk.append(new Uint8Array([1]));
    disk.sync(() => undefined);
    while (queue.runNext());
    let answered = false;
    disk.rewrite([new Uint8Array([7]), new Uint8Array([8])], () => (answered = true));
    disk.crash();
    while (queue.runNext());
    assert.equal(answered, false);
    outcomes.add(
      disk
        .image()
        .journal.map((record) => record[0])
        .join(),
    );
  }
  assert.deepEqual([...outcomes].sort(), ['1', '7,8']);
});

test('a link that is cut in one direction still carries the other, and blocks nest', () => {
  const queue = new EventQueue();
  const arrived: string[] = [];
  const network = new Network(3, queue, new Chance(1), CALM_NETWORK, (from, to) =>
    arrived.push(`${from}>${to}`),
  );
  network.block(0, 1, true);
  network.block(0, 1, true);
  network.block(0, 1, false);
  network.send(0, 1, new Uint8Array(1));
  network.send(1, 0, new Uint8Array(1));
  while (queue.runNext());
  assert.deepEqual(arrived, ['1>0']);
  network.block(0, 1, false);
  network.send(0, 1, new Uint8Array(1));
  while (queue.runNext());
  assert.deepEqual(arrived, ['1>0', '0>1']);
});

test('links without reordering keep the order of sending', () => {
  const queue = new EventQueue();
  const arrived: number[] = [];
  const settings = {
    ...CALM_NETWORK,
    delayLowMs: 0,
    delayHighMs: 50,
    tailProbability: 0.3,
    tailFactor: 5,
    reordering: false,
  };
  const network = new Network(
    2,
    queue,
    new Chance(3),
    settings,
    (_from, _to, frame) => void arrived.push(frame[0]!),
  );
  for (let index = 0; index < 50; index += 1) network.send(0, 1, new Uint8Array([index]));
  while (queue.runNext());
  assert.deepEqual(
    arrived,
    Array.from({ length: 50 }, (_, index) => index),
  );
});

test('a scenario never has more than f replicas that lie or forget', () => {
  for (let seed = 0; seed < 500; seed += 1) {
    const scenario = drawScenario(seed);
    const wiped = new Set(
      scenario.faults.flatMap((fault) =>
        fault.kind === 'wipe' && fault.target.kind === 'replica' ? [fault.target.id] : [],
      ),
    );
    for (const { replica } of scenario.byzantine) assert.ok(!wiped.has(replica));
    assert.ok(scenario.byzantine.length + wiped.size <= scenario.f);
    assert.equal(scenario.n, 2 * scenario.f + 1);
    assert.deepEqual(drawScenario(seed), scenario);
  }
});
