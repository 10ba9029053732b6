import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  open,
  put,
  read,
  sha256,
  TestLedger,
  testSettings,
  utf8,
} from '../../test/support/ledger-fixture.ts';
import { bytesOf, runRandomly, standing } from '../../test/support/ledger-workload.ts';
import { equalBytes } from '../core/bytes.ts';
import type { CheckpointState } from '../core/protocol.ts';
import { Prng } from '../core/prng.ts';
import type { Digest } from '../core/types.ts';
import { ZERO_DIGEST } from '../core/types.ts';
import { configurationDigestOf } from './executor.ts';
import { membershipDigest } from './genesis.ts';
import type { Operation } from './operation.ts';
import { findChangedChunks, treeShape, verifyChunk, verifyNode } from './state-tree.ts';

test('two executors on different routes agree: one executes all, one installs at a checkpoint and goes on', () => {
  let blocks = 0;
  fc.assert(
    fc.property(fc.nat(), fc.integer({ min: 1, max: 4 }), (seed, boundary) => {
      const settings = testSettings({ sessionsMax: 4 });
      const [whole, late] = [new TestLedger(settings), new TestLedger(settings)];
      runRandomly(whole, new Prng(seed), 4 * boundary);
      const checkpoint = whole.executor.checkpoint;
      assert.equal(checkpoint.sequence, 4 * boundary);
      const chunks = bytesOf(whole.executor.frozen(checkpoint.sequence)!);
      runRandomly(late, new Prng(seed + 1), 3);
      assert.ok(late.executor.install(checkpoint, (index) => chunks[index]!));
      assert.deepEqual(standing(late), standing(whole));
      assert.deepEqual(late.executor.protocolState, whole.executor.protocolState);
      const from = whole.history.length;
      runRandomly(whole, new Prng(seed + 2), 10);
      const outcomes = whole.history.slice(from).map((step) => late.feed(step.batch, step.protocolState));
      assert.deepEqual(standing(late), standing(whole));
      const replayed = new TestLedger(settings);
      const all = whole.history.map((step) => replayed.feed(step.batch, step.protocolState));
      assert.deepEqual(all.slice(from), outcomes, 'blocks, replies and checkpoints, byte for byte');
      assert.ok(outcomes.some((outcome) => outcome.checkpoint !== undefined));
      blocks += whole.executor.height;
    }),
    { numRuns: 25 },
  );
  assert.ok(blocks >= 100, `the workload does something: ${blocks} blocks`);
});

test('the incremental digest is what hashing everything from scratch gives', () => {
  const ledger = new TestLedger(testSettings({ sessionsMax: 4 }));
  const prng = new Prng(7);
  for (let boundary = 1; boundary <= 8; boundary += 1) {
    runRandomly(ledger, prng, 4);
    const { checkpoint } = ledger.executor;
    const chunks = bytesOf(ledger.executor.frozen(checkpoint.sequence)!);
    const other = new TestLedger(ledger.settings);
    assert.ok(
      other.executor.install(checkpoint, (index) => chunks[index]!),
      `boundary ${boundary}`,
    );
  }
});

test('a header names the latest checkpoint below it, with its height and digest', () => {
  const ledger = new TestLedger();
  const session = ledger.openSession(2);
  const write = (number: number) => ledger.run([ledger.bundle(2, session, [[number, put('a', 'x')]])]);
  const none = { height: 0, stateDigest: ZERO_DIGEST };
  write(1);
  write(2);
  const boundary = write(3);
  assert.equal(boundary.checkpoint!.sequence, 4);
  assert.deepEqual(boundary.block!.header.checkpoint, none);
  const { stateDigest } = boundary.checkpoint!;
  assert.deepEqual(write(4).block!.header.checkpoint, { height: 3, stateDigest });
  assert.deepEqual(write(5).block!.header.checkpoint, { height: 3, stateDigest });
});

test('checkpoints come at multiples of the interval only, and cover empty batches, height and time', () => {
  const ledger = new TestLedger();
  const digests = new Set<Digest>();
  for (let sequence = 1; sequence <= 12; sequence += 1) {
    const { checkpoint } = ledger.run([], 1000);
    assert.equal(checkpoint !== undefined, sequence % 4 === 0);
    if (checkpoint !== undefined) digests.add(checkpoint.stateDigest);
  }
  assert.equal(digests.size, 3);
  const later = new TestLedger();
  assert.ok(!digests.has(later.toBoundary(1001).checkpoint!.stateDigest), 'time is covered (decision D6)');
});

test('the state digest covers the client table, OPENs, registry, idempotency keys and the protocol state', () => {
  const digestAfter = (act: (ledger: TestLedger, session: number) => void, registry = 'registry') => {
    const ledger = new TestLedger();
    act(ledger, ledger.openSession(1, 8));
    while (ledger.executor.executed < 3) ledger.run([]);
    return ledger.feed(ledger.batch([]), utf8(registry)).checkpoint!.stateDigest;
  };
  const act = (operation: Operation, number = 1) =>
    digestAfter((ledger, session) => ledger.run([ledger.bundle(1, session, [[number, operation]])]));
  const register: Operation = {
    ...{ kind: 'register', clientKey: new Uint8Array(32).fill(8), organisation: 'x', role: 'client' },
  };
  const digests = [
    digestAfter(() => undefined),
    act({ kind: 'noop' }),
    act({ kind: 'noop' }, 2),
    act(read('a')),
    act(put('a', '1')),
    act(put('a', '1', 'key')),
    act(put('a', '1', 'another key')),
    act(register),
    digestAfter((ledger) => ledger.run([ledger.bundle(2, 0, [[1, open(9, 5000)]])])),
    digestAfter((ledger) => ledger.run([ledger.bundle(2, 0, [[1, open(9, 5001)]])])),
    digestAfter(() => undefined, 'another registry'),
  ];
  assert.equal(new Set(digests).size, digests.length);
  assert.equal(act(put('a', '1', 'key')), digests[5]);
});

test('tampered chunks are refused before anything is touched, wherever the byte is', () => {
  const source = new TestLedger(testSettings({ sessionsMax: 4 }));
  runRandomly(source, new Prng(3), 8);
  const { checkpoint } = source.executor;
  const chunks = bytesOf(source.executor.frozen(checkpoint.sequence)!);
  const target = new TestLedger(source.settings);
  runRandomly(target, new Prng(4), 5);
  const before = standing(target);
  const refuses = (index: number, bytes: Uint8Array, certified: CheckpointState = checkpoint) =>
    assert.ok(
      !target.executor.install(certified, (at) => (at === index ? bytes : chunks[at]!)),
      `chunk ${index}`,
    );
  chunks.forEach((chunk, index) => {
    if (index > 12 && chunk.length <= 4 && index % 50 !== 0) return;
    for (const at of [0, chunk.length >> 1, chunk.length - 1]) {
      const changed = chunk.slice();
      changed[at]! ^= 0x80;
      refuses(index, changed);
    }
    refuses(index, new Uint8Array([...chunk, 0]));
  });
  refuses(-1, utf8(''), { ...checkpoint, stateDigest: before.checkpoint.stateDigest });
  assert.deepEqual(standing(target), before);
  target.run([]);
  assert.equal(target.executor.executed, before.executed + 1, 'the old state still works');
});

test('a certificate of another sequence number does not fit, and then only another install helps', () => {
  const source = new TestLedger();
  source.toBoundary();
  const { checkpoint } = source.executor;
  const chunks = bytesOf(source.executor.frozen(4)!);
  const target = new TestLedger(source.settings);
  assert.ok(!target.executor.install({ ...checkpoint, sequence: 8 }, (index) => chunks[index]!));
  assert.throws(() => target.run([]), /a failed install/);
  assert.ok(target.executor.install(checkpoint, (index) => chunks[index]!));
  target.run([]);
});

test('a checkpoint of another cluster does not fit', () => {
  const source = new TestLedger();
  source.toBoundary();
  const chunks = bytesOf(source.executor.frozen(4)!);
  const elsewhere = new TestLedger(testSettings({ pipelineFactor: 3 }));
  assert.notEqual(elsewhere.settings.clusterId, source.settings.clusterId);
  assert.ok(!elsewhere.executor.install(source.executor.checkpoint, (index) => chunks[index]!));
});

test('a frozen checkpoint stays as it was while execution goes on', () => {
  const ledger = new TestLedger(testSettings({ sessionsMax: 4 }));
  const prng = new Prng(11);
  runRandomly(ledger, prng, 8);
  const frozen = ledger.executor.frozen(8)!;
  const before = bytesOf(frozen).map((chunk) => chunk.slice());
  runRandomly(ledger, prng, 9);
  assert.deepEqual(bytesOf(frozen), before);
});

test('frozen checkpoints: digests of chunks differ where chunks do, and are the same after an install', () => {
  const ledger = new TestLedger(testSettings({ sessionsMax: 4 }));
  const prng = new Prng(5);
  runRandomly(ledger, prng, 4);
  let previous = ledger.executor.frozen(4)!;
  for (let sequence = 8; sequence <= 24; sequence += 4) {
    runRandomly(ledger, prng, 4);
    const frozen = ledger.executor.frozen(sequence)!;
    const [old, now] = [bytesOf(previous), bytesOf(frozen)];
    const changed = new Uint32Array(now.length);
    const leaves = [previous.leaves, frozen.leaves] as const;
    const count = findChangedChunks(leaves, [0, now.length], changed, 0);
    const differing = now.flatMap((chunk, index) => (equalBytes(chunk, old[index]!) ? [] : [index]));
    assert.deepEqual([...changed.subarray(0, count)], differing);
    assert.ok(count > 0 && count < 60, `${count} chunks`);
    previous = frozen;
  }
  const other = new TestLedger(ledger.settings);
  const chunks = bytesOf(previous);
  assert.ok(other.executor.install(previous.checkpoint, (index) => chunks[index]!));
  assert.deepEqual(other.executor.frozen(24)!.leaves, previous.leaves);
});

test('frozen checkpoints are kept until released, and boundedly many without release', () => {
  const ledger = new TestLedger(testSettings({ pipelineFactor: 2 }));
  for (let count = 0; count < 20; count += 1) ledger.toBoundary();
  const kept = Array.from({ length: 20 }, (_, index) => 4 * (index + 1)).filter(
    (sequence) => ledger.executor.frozen(sequence) !== undefined,
  );
  assert.deepEqual(kept, [60, 64, 68, 72, 76, 80]);
  ledger.executor.releaseBelow(76);
  assert.equal(ledger.executor.frozen(72), undefined);
  assert.equal(ledger.executor.frozen(76)!.checkpoint.sequence, 76);
  assert.equal(ledger.executor.frozen(77), undefined);
});

test('a lagging replica can fetch a frozen checkpoint node by node, every answer verified', () => {
  const ledger = new TestLedger(testSettings({ sessionsMax: 4 }));
  runRandomly(ledger, new Prng(2), 8);
  const frozen = ledger.executor.frozen(8)!;
  const { chunkCount } = ledger.executor;
  const context = { hash: sha256, domain: ledger.settings };
  let trusted: readonly Digest[] = [frozen.checkpoint.stateDigest];
  for (let level = 0; level < treeShape(chunkCount).length; level += 1)
    trusted = trusted.flatMap((digest, index) => {
      const children = frozen.node(level, index);
      assert.ok(verifyNode(context, { chunkCount, level, index }, children, digest));
      return children;
    });
  trusted.forEach((digest, index) => assert.ok(verifyChunk(sha256, index, frozen.chunk(index), digest)));
  assert.deepEqual(frozen.node(9, 0), []);
});

test('configurationDigest covers the protocol state of the latest checkpoint, not what came after it', () => {
  const ledger = new TestLedger();
  const session = ledger.openSession(2);
  const write = (number: number, protocolState: string) => {
    const bundle = ledger.bundle(2, session, [[number, put('a', 'x')]]);
    return ledger.feed(ledger.batch([bundle]), utf8(protocolState)).block!.header.configurationDigest;
  };
  const { settings } = ledger;
  const expected = (protocolState: string) =>
    configurationDigestOf(sha256, settings, membershipDigest(sha256, settings), utf8(protocolState));
  assert.equal(write(1, 'first'), expected(''));
  assert.equal(write(2, 'second'), expected(''));
  assert.equal(write(3, 'third'), expected(''), 'the boundary itself still speaks of the one before');
  assert.equal(write(4, 'fourth'), expected('third'));
  assert.equal(write(5, 'fifth'), expected('third'));
});

test('batches out of order are a bug of the host, and told as one', () => {
  const ledger = new TestLedger();
  assert.throws(() => ledger.executor.execute(2, ledger.batch([]), utf8('')), /executed in order/);
});
