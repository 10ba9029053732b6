import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  clientId,
  clientKey,
  open,
  put,
  read,
  TestLedger,
  testSettings,
  utf8,
} from '../../test/support/ledger-fixture.ts';
import { bytesOf, runRandomly, someBatch, standing } from '../../test/support/ledger-workload.ts';
import { windowOf } from '../core/config.ts';
import { Prng } from '../core/prng.ts';
import type { Bundle } from '../core/request.ts';
import type { ExecutionOutcome } from './contract.ts';
import { encodeOperation } from './operation.ts';

// One seed for all: a test run is repeatable.
fc.configureGlobal({ seed: 20_261_123 });

const SPECULATIVE = { speculative: true };

/** Everything that a replica can be asked, by whoever may ask. */
function answers(ledger: TestLedger, bundles: readonly Bundle[]) {
  return {
    ...standing(ledger),
    protocolState: ledger.executor.protocolState,
    admissions: bundles.map((bundle) => ledger.executor.admit(bundle)),
    clients: [1, 2, 3, 4].map((client) => ledger.executor.isClient(clientKey(client))),
    values: Array.from({ length: 10 }, (_, key) =>
      ledger.executor.query(encodeOperation(read(`key ${key}`))),
    ),
    frozen: Array.from({ length: 41 }, (_, sequence) => ledger.executor.frozen(sequence)?.checkpoint),
  };
}

/** Executes, confirms and rolls back at random for a while. Gives the outcomes of what is left. */
function wander(ledger: TestLedger, prng: Prng, steps: number) {
  const { executor } = ledger;
  const outcomes: ExecutionOutcome[] = [];
  const bundles: Bundle[] = [];
  const before = [answers(ledger, [])];
  const seen = { rollbacks: 0, boundaries: 0 };
  for (let step = 0; step < steps; step += 1) {
    const { executed, confirmed } = executor;
    if (prng.chance(0.2)) executor.confirm(prng.between(confirmed, executed));
    if (prng.chance(0.2)) {
      const to = prng.between(executor.confirmed, executed);
      seen.rollbacks += executed - to;
      seen.boundaries += before[executed]!.checkpoint.sequence > to ? 1 : 0;
      ledger.rollback(to);
      for (const list of [outcomes, before]) list.length = list === before ? to + 1 : to;
      const known = bundles.slice(0, before[to]!.admissions.length);
      assert.deepEqual(answers(ledger, known), before[to], `after the rollback to ${to}`);
    }
    const isFinal = executor.confirmed === executor.executed && prng.chance(0.3);
    const { batch, protocolState } = someBatch(ledger, prng);
    outcomes.push(ledger.feed(batch, protocolState, isFinal ? {} : SPECULATIVE));
    bundles.length = before.at(-1)!.admissions.length;
    bundles.push(...batch.bundles);
    before.push(answers(ledger, bundles));
    const allConfirmed = executor.confirmed === executor.executed;
    assert.equal(executor.undoSteps === 0, allConfirmed, 'undo is kept exactly for what is not confirmed');
  }
  return { outcomes, bundles, seen };
}

test('executed, rolled back and executed otherwise is as good as executed straight away', () => {
  const total = { rollbacks: 0, boundaries: 0 };
  fc.assert(
    fc.property(fc.nat(), (seed) => {
      const settings = testSettings({ sessionsMax: 4, checkpointInterval: 3, pipelineFactor: 14 });
      const [ledger, straight] = [new TestLedger(settings), new TestLedger(settings)];
      const prng = new Prng(seed);
      const { outcomes, bundles, seen } = wander(ledger, prng, 30);
      const again = ledger.history.map((step) => straight.feed(step.batch, step.protocolState));
      assert.deepEqual(outcomes, again, 'blocks, replies and checkpoints, byte for byte');
      assert.deepEqual(answers(ledger, bundles), answers(straight, bundles));
      ledger.executor.confirm(ledger.executor.executed);
      for (const one of [ledger, straight]) one.toBoundary(9000);
      assert.deepEqual(standing(ledger), standing(straight));
      const { sequence } = ledger.executor.checkpoint;
      const chunks = bytesOf(straight.executor.frozen(sequence)!);
      assert.deepEqual(bytesOf(ledger.executor.frozen(sequence)!), chunks);
      total.rollbacks += seen.rollbacks;
      total.boundaries += seen.boundaries;
    }),
    { numRuns: 40 },
  );
  assert.ok(total.rollbacks > 300 && total.boundaries > 40, JSON.stringify(total));
});

test('a rollback across a checkpoint boundary takes the checkpoint and its evictions back', () => {
  const ledger = new TestLedger(testSettings({ sessionsMax: 1 }));
  const [first, second] = [ledger.openSession(2), ledger.openSession(3)];
  ledger.run([]);
  const bundle = ledger.bundle(2, first, [[1, put('a', '1')]]);
  const before = answers(ledger, [bundle]);
  assert.equal(before.admissions[0]!.kind, 'new');
  const boundary = ledger.feed(ledger.batch([]), utf8('other'), SPECULATIVE);
  assert.equal(ledger.executor.checkpoint.sequence, 4);
  assert.ok(ledger.executor.frozen(4) !== undefined);
  assert.equal(ledger.executor.admit(bundle).kind, 'refused', 'the older session is evicted');
  const after = ledger.feed(
    ledger.batch([ledger.bundle(3, second, [[1, put('b', '1')]])]),
    utf8('x'),
    SPECULATIVE,
  );
  assert.equal(after.block!.header.checkpoint.stateDigest, boundary.checkpoint!.stateDigest);
  ledger.rollback(3);
  assert.deepEqual(answers(ledger, [bundle]), before);
  assert.equal(ledger.executor.frozen(4), undefined);
  const block = ledger.feed(ledger.batch([bundle]), utf8('registry'), SPECULATIVE).block!;
  assert.equal(block.header.checkpoint.height, 0);
  assert.notEqual(ledger.executor.checkpoint.stateDigest, boundary.checkpoint!.stateDigest);
});

test('sessions, clients and idempotency keys of a batch that is rolled back were never there', () => {
  const ledger = new TestLedger();
  const session = ledger.openSession(1);
  const opening = ledger.bundle(2, 0, [[1, open(5, 60_000)]]);
  const write = ledger.bundle(1, session, [[3, put('a', '1', 'key')]]);
  const speculate = (bundles: readonly Bundle[]) =>
    ledger.feed(ledger.batch(bundles, 2000), utf8('registry'), SPECULATIVE);
  const register = { kind: 'register', clientKey: clientKey(4), organisation: 'x', role: 'client' } as const;
  const administration = ledger.bundle(1, session, [
    [1, register],
    [2, { kind: 'revoke', clientId: clientId(3) }],
  ]);
  speculate([opening, administration]);
  const written = speculate([write]);
  assert.deepEqual(
    [3, 4].map((client) => ledger.executor.isClient(clientKey(client))),
    [false, true],
  );
  ledger.rollback(1);
  assert.deepEqual(
    [3, 4].map((client) => ledger.executor.isClient(clientKey(client))),
    [true, false],
  );
  for (const bundle of [opening, administration, write])
    assert.equal(ledger.executor.admit(bundle).kind, 'new');
  assert.equal(ledger.executor.time, 1000);
  const other = ledger.bundle(1, session, [[1, put('a', 'other', 'key')]]);
  const { block } = speculate([other, opening]);
  assert.equal(block!.header.height, 1);
  assert.equal(block!.transactions.length, 1, 'the key is free again');
  const repeated = speculate([write]);
  assert.notDeepEqual(repeated.replies, written.replies);
  assert.equal(repeated.block, undefined, 'and taken now');
  assert.equal(
    ledger.executor.admit(ledger.bundle(2, 2, [[1, put('b', '')]])).kind,
    'new',
    'session 2, again',
  );
});

test('admission tells what is only speculative, an answer that repeats a confirmed one included', () => {
  const ledger = new TestLedger();
  const session = ledger.openSession(2);
  const bundles = [
    ledger.bundle(2, session, [[1, put('a', '1', 'key')]]),
    ledger.bundle(2, session, [[2, put('a', '1', 'key')]]),
    ledger.bundle(2, session, [
      [1, put('a', '1', 'key')],
      [3, read('a')],
    ]),
    ledger.bundle(3, 0, [[1, open(9, 60_000)]]),
  ];
  const sequences = () =>
    bundles.map((bundle) => {
      const admission = ledger.executor.admit(bundle);
      return admission.kind === 'executed' ? admission.sequence : admission.kind;
    });
  ledger.run([bundles[0]!]);
  assert.deepEqual(sequences(), [2, 'new', 'new', 'new']);
  for (const bundle of bundles.slice(1)) ledger.feed(ledger.batch([bundle]), utf8(''), SPECULATIVE);
  assert.deepEqual(sequences(), [2, 3, 4, 5]);
  const repeat = ledger.executor.admit(bundles[1]!);
  assert.ok(repeat.kind === 'executed');
  assert.equal(repeat.reply.results[0]!.sequence, 2, 'the reply names the first execution');
  assert.equal(ledger.executor.confirmed, 2);
  ledger.executor.confirm(4);
  assert.equal(ledger.executor.confirmed, 4);
  ledger.rollback(4);
  assert.deepEqual(sequences(), [2, 3, 4, 'new']);
});

test('a request that speculation pushed out of its window is judged with the latest use of its session', () => {
  const ledger = new TestLedger();
  const session = ledger.openSession(2, 4);
  const old = ledger.bundle(2, session, [
    [1, put('a', '1')],
    [2, put('a', '2')],
  ]);
  ledger.run([old]);
  ledger.feed(ledger.batch([ledger.bundle(2, session, [[5, put('b', '')]])]), utf8(''), SPECULATIVE);
  const admission = ledger.executor.admit(old);
  assert.ok(admission.kind === 'executed');
  assert.equal(admission.sequence, 3);
});

test('undo is forgotten on confirm, step by step', () => {
  const ledger = new TestLedger(testSettings({ checkpointInterval: 64 }));
  const session = ledger.openSession(2);
  assert.equal(ledger.executor.undoSteps, 0, 'final batches keep nothing');
  const sizes = [1, 2, 3].map((number) => {
    const bundle = ledger.bundle(2, session, [[number, put('a', `${number}`)]]);
    ledger.feed(ledger.batch([bundle]), utf8(''), SPECULATIVE);
    return ledger.executor.undoSteps;
  });
  assert.ok(sizes[0]! > 0 && sizes[1]! > sizes[0]! && sizes[2]! > sizes[1]!);
  ledger.executor.confirm(2);
  assert.equal(ledger.executor.undoSteps, sizes[2]! - sizes[0]!);
  ledger.executor.confirm(1);
  assert.equal(ledger.executor.confirmed, 2, 'confirmed twice is confirmed once');
  ledger.executor.confirm(4);
  assert.deepEqual([ledger.executor.undoSteps, ledger.executor.confirmed], [0, 4]);
});

test('an install makes everything before it final', () => {
  const settings = testSettings({ sessionsMax: 4 });
  const [source, target] = [new TestLedger(settings), new TestLedger(settings)];
  runRandomly(source, new Prng(1), 4);
  const chunks = bytesOf(source.executor.frozen(4)!);
  target.feed(target.batch([]), utf8(''), SPECULATIVE);
  assert.ok(target.executor.install(source.executor.checkpoint, (index) => chunks[index]!));
  assert.deepEqual([target.executor.confirmed, target.executor.undoSteps], [4, 0]);
  assert.throws(() => target.executor.rollback(1), /not confirmed/);
  const { batch, protocolState } = someBatch(source, new Prng(2));
  assert.deepEqual(target.feed(batch, protocolState), source.feed(batch, protocolState));
});

test('what a host must not ask for fails: it would be a bug', () => {
  const ledger = new TestLedger(testSettings({ checkpointInterval: 2, pipelineFactor: 2 }));
  ledger.run([]);
  assert.throws(() => ledger.executor.confirm(2), /only what was executed/);
  assert.throws(() => ledger.executor.rollback(0), /not confirmed/);
  assert.throws(() => ledger.executor.rollback(2), /not confirmed/);
  const speculate = () => ledger.feed(ledger.batch([]), utf8(''), SPECULATIVE);
  for (let count = 0; count < windowOf(ledger.settings.limits); count += 1) speculate();
  assert.throws(speculate, /by a window/);
  assert.throws(() => ledger.executor.execute(6, ledger.batch([]), utf8('')), /what is confirmed/);
  assert.throws(() => ledger.executor.applyUpdate(6, utf8(''), utf8('')), /what is confirmed/);
  ledger.executor.confirm(2);
  speculate();
});
