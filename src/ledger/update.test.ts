import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  clientKey,
  open,
  put,
  read,
  TestLedger,
  testSettings,
  utf8,
} from '../../test/support/ledger-fixture.ts';
import { bytesOf, runRandomly, someBatch, standing } from '../../test/support/ledger-workload.ts';
import type { ExecutionContext } from '../core/application.ts';
import { encodeKvUpdate } from '../apps/kv/changes.ts';
import { Prng } from '../core/prng.ts';
import { OPERATION_BYTES_MAX } from '../core/request.ts';
import { ZERO_DIGEST } from '../core/types.ts';
import type { ExecutionOutcome } from './contract.ts';
import { encodeOperation, errorResult, okResult } from './operation.ts';
import type { UpdateContent } from './update.ts';
import { decodeUpdate, encodeUpdate, UpdatePlayback, UpdateRecorder } from './update.ts';

// One seed for all: a test run is repeatable.
fc.configureGlobal({ seed: 20_261_123 });

const WANTED = { wantsUpdate: true };

function apply(ledger: TestLedger, update: Uint8Array, protocolState: Uint8Array) {
  return ledger.executor.applyUpdate(ledger.executor.executed + 1, update, protocolState);
}

/** An outcome but for the update: who applies one makes none. */
function told({ block, replies, checkpoint }: ExecutionOutcome) {
  return { block, replies, checkpoint };
}

function changed(update: Uint8Array, changes: Partial<UpdateContent>): Uint8Array {
  return encodeUpdate({ ...decodeUpdate(update)!, ...changes });
}

/** Two ledgers on one route so far; the last batch of the first has an update for the second. */
function pair(seed: number, rounds: number) {
  const settings = testSettings({ sessionsMax: 4 });
  const [active, passive] = [new TestLedger(settings), new TestLedger(settings)];
  const prng = new Prng(seed);
  runRandomly(active, prng, rounds);
  for (const step of active.history) passive.feed(step.batch, step.protocolState);
  const next = someBatch(active, prng);
  const outcome = active.feed(next.batch, next.protocolState, WANTED);
  return { active, passive, outcome, update: outcome.update!, protocolState: next.protocolState };
}

test('a replica that only applies updates is what it would be had it executed', () => {
  let blocks = 0;
  fc.assert(
    fc.property(fc.nat(), (seed) => {
      const settings = testSettings({ sessionsMax: 4 });
      const [active, other, passive] = [1, 2, 3].map(() => new TestLedger(settings));
      const prng = new Prng(seed);
      for (let step = 0; step < 24; step += 1) {
        const { batch, protocolState } = someBatch(active!, prng);
        const outcome = active!.feed(batch, protocolState, WANTED);
        const speculative = other!.feed(batch, protocolState, { ...WANTED, speculative: true });
        assert.deepEqual(speculative.update, outcome.update, 'whoever executes tells the same');
        other!.executor.confirm(step + 1);
        // Passive now and then becomes active, and passive again.
        const applied = prng.chance(0.8)
          ? apply(passive!, outcome.update!, protocolState)
          : passive!.feed(batch, protocolState);
        assert.ok(applied !== undefined);
        assert.deepEqual(told(applied), told(outcome));
        assert.deepEqual(standing(passive!), standing(active!));
        assert.deepEqual(passive!.executor.protocolState, protocolState);
        assert.deepEqual([passive!.executor.confirmed, passive!.executor.undoSteps], [step + 1, 0]);
        for (const bundle of batch.bundles)
          assert.deepEqual(passive!.executor.admit(bundle), active!.executor.admit(bundle));
      }
      const chunks = bytesOf(active!.executor.frozen(24)!);
      assert.deepEqual(bytesOf(passive!.executor.frozen(24)!), chunks);
      blocks += active!.executor.height;
    }),
    { numRuns: 25 },
  );
  assert.ok(blocks >= 150, `the workload does something: ${blocks} blocks`);
});

test('a passive replica answers retransmissions from its client table', () => {
  const settings = testSettings();
  const [active, passive] = [new TestLedger(settings), new TestLedger(settings)];
  const opening = active.bundle(2, 0, [[1, open(1, 60_000)]]);
  const write = active.bundle(2, 1, [
    [1, put('a', '1', 'key')],
    [2, { kind: 'noop' }],
  ]);
  for (const bundle of [opening, write]) {
    const { update, replies } = active.feed(active.batch([bundle]), utf8(''), WANTED);
    assert.equal(passive.executor.admit(bundle).kind === 'executed', false);
    assert.deepEqual(apply(passive, update!, utf8(''))!.replies, replies);
    const sequence = passive.executor.executed;
    assert.deepEqual(passive.executor.admit(bundle), { kind: 'executed', reply: replies[0], sequence });
  }
  assert.deepEqual(
    passive.executor.query(encodeOperation(read('a'))),
    active.executor.query(encodeOperation(read('a'))),
  );
});

test('an update names what was executed only, and no service operation is repeated', () => {
  const ledger = new TestLedger();
  const session = ledger.openSession(2);
  const write = ledger.bundle(2, session, [[1, put('a', '1')]]);
  const stranger = ledger.bundle(9, session, [[1, put('a', '1')]]);
  const forged = ledger.bundle(2, session, [[2, put('a', 'forged')]]);
  const batch = ledger.batch([write, stranger, forged, write], 1000, [true, true, false, true]);
  const content = decodeUpdate(ledger.feed(batch, utf8(''), WANTED).update!)!;
  assert.deepEqual(
    content.bundles.map((bundle) => [bundle.clientKey, bundle.session, bundle.requests.map((r) => r.number)]),
    [[clientKey(2), session, [1]]],
  );
  const empty = ledger.feed(ledger.batch([write]), utf8(''), WANTED);
  assert.deepEqual(decodeUpdate(empty.update!)!.bundles, []);
  assert.equal(ledger.run([]).update, undefined, 'and is made only if it is wanted');
});

test('an OPEN that is twice in one batch is answered twice, applied or executed', () => {
  const settings = testSettings();
  const [active, passive] = [new TestLedger(settings), new TestLedger(settings)];
  const opening = active.bundle(2, 0, [[1, open(1, 60_000)]]);
  const twice = { ...active.batch([opening]), bundles: [opening, opening], bundleAuthentic: [true, true] };
  const outcome = active.feed(twice, utf8(''), WANTED);
  assert.equal(outcome.replies[0]!.results.length, 2);
  assert.deepEqual(told(apply(passive, outcome.update!, utf8(''))!), told(outcome));
});

test('of an answer that is too large for a result as much is told as makes the same error', () => {
  const answer = new Uint8Array(2 * OPERATION_BYTES_MAX);
  const recorder = new UpdateRecorder({ execute: () => answer, query: () => answer });
  const ledger = new TestLedger();
  const bundle = ledger.bundle(2, 1, [
    [1, put('a', '1')],
    [2, read('a')],
  ]);
  recorder.begin(bundle, bundle.requests[0]!);
  assert.equal(recorder.execute(utf8(''), undefined as unknown as ExecutionContext), answer);
  recorder.begin(bundle, bundle.requests[1]!);
  assert.equal(recorder.query(utf8('')), answer);
  const head = { sequence: 1, time: 1, proposedInView: 0, service: encodeKvUpdate([]) };
  const update = encodeUpdate({ ...head, bundles: recorder.bundles, headerHash: ZERO_DIGEST });
  assert.ok(update.length < answer.length + 1024);
  const playback = new UpdatePlayback(decodeUpdate(update)!.bundles);
  for (let count = 0; count < 2; count += 1) {
    playback.begin();
    assert.deepEqual(okResult(playback.query()), errorResult('resultTooLarge'));
  }
});

/** A pair whose next batch has three requests of one bundle: a write, a read, a no-op; and an update of its service. */
function crafted() {
  const settings = testSettings();
  const [active, passive] = [new TestLedger(settings), new TestLedger(settings)];
  for (const ledger of [active, passive]) ledger.openSession(2, 8);
  const bundle = active.bundle(2, 1, [
    [1, put('a', '1')],
    [2, read('a')],
    [3, { kind: 'noop' }],
  ]);
  const { update } = active.feed(active.batch([bundle]), utf8(''), WANTED);
  return { active, passive, update: update!, content: decodeUpdate(update!)! };
}

test('an update that is canonical but not of this state is refused, and nothing changes', () => {
  const { active, passive, update, content } = crafted();
  const [bundle] = content.bundles;
  const [write, query, noop] = bundle!.requests;
  const withRequests = (...requests: (typeof write)[]) => ({
    bundles: [{ ...bundle!, requests: requests.map((request) => request!) }],
  });
  const otherDigest = passive.settings.clusterId;
  const value = utf8('1');
  const deletion = encodeKvUpdate([['nothing', undefined]]);
  const wrong: [string, Partial<UpdateContent>][] = [
    ['of another sequence number', { sequence: 3 }],
    ['from before', { time: 999 }],
    ['another history', { headerHash: otherDigest }],
    ['another view in the block', { proposedInView: 1 }],
    ['another time in the block', { time: 1001 }],
    ['nothing was executed', { bundles: [] }],
    ['a request is lacking', withRequests(query, noop)],
    ['a request that is executed elsewhere', { bundles: [bundle!, bundle!] }],
    ['an unknown client', { bundles: [{ ...bundle!, clientKey: clientKey(9) }] }],
    ['an unknown session', { bundles: [{ ...bundle!, session: 7 }] }],
    ['a session of another client', { bundles: [{ ...bundle!, clientKey: clientKey(3) }] }],
    ['no operation', withRequests({ ...write!, operation: utf8('nonsense') }, query, noop)],
    ['an OPEN where none may be', withRequests({ ...write!, operation: encodeOperation(open(1, 9)) }, query)],
    ['an answer is lacking', withRequests({ ...write!, answer: undefined }, query, noop)],
    ['an answer is lacking in between', withRequests(write, { ...query!, answer: undefined }, noop)],
    ['an answer that nobody asked for', withRequests(write, query, { ...noop!, answer: utf8('?') })],
    ['another answer', withRequests({ ...write!, answer: utf8('other') }, query, noop)],
    [
      'an answer that nobody asked for, in between',
      withRequests({ ...noop!, number: 1, answer: utf8('?') }, { ...write!, number: 2 }, query),
    ],
    ['changes of no service', { service: utf8('nonsense') }],
    ['a change that changes nothing', { service: deletion }],
    [
      'a key that comes twice',
      {
        service: encodeKvUpdate([
          ['a', value],
          ['a', value],
        ]),
      },
    ],
    [
      'keys in another order',
      {
        service: encodeKvUpdate([
          ['b', value],
          ['a', value],
        ]),
      },
    ],
    ['a key that is none', { service: encodeKvUpdate([['', value]]) }],
  ];
  const before = standing(passive);
  for (const [name, changes] of wrong) {
    assert.equal(apply(passive, changed(update, changes), utf8('other')), undefined, name);
    assert.deepEqual(standing(passive), before, name);
    assert.equal(passive.executor.undoSteps, 0, name);
  }
  assert.deepEqual(passive.executor.protocolState, utf8('registry'));
  assert.ok(apply(passive, update, utf8('')) !== undefined);
  assert.equal(apply(passive, update, utf8('')), undefined, 'and it is applied once');
  for (const ledger of [active, passive]) ledger.toBoundary();
  assert.deepEqual(standing(passive), standing(active));
});

test('time never goes back, without a block neither', () => {
  const [active, passive] = [new TestLedger(), new TestLedger()];
  for (const ledger of [active, passive]) ledger.run([]);
  const update = active.feed(active.batch([], 500), utf8(''), WANTED).update!;
  assert.equal(decodeUpdate(update)!.time, 1000);
  assert.equal(apply(passive, changed(update, { time: 999 }), utf8('')), undefined);
  assert.ok(apply(passive, update, utf8('')) !== undefined);
});

test('replies come in the order of what was executed, whatever else was in the batch', () => {
  const settings = testSettings();
  const [active, passive] = [new TestLedger(settings), new TestLedger(settings)];
  for (const ledger of [active, passive]) for (const client of [2, 3]) ledger.openSession(client);
  const of = (client: number, number: number) =>
    active.bundle(client, client - 1, [[number, { kind: 'noop' }]]);
  for (const ledger of [active, passive]) ledger.run([of(2, 1)]);
  const outcome = active.feed(active.batch([of(2, 1), of(3, 1), of(2, 2)]), utf8(''), WANTED);
  assert.deepEqual(
    outcome.replies.map((group) => group.session),
    [2, 1],
  );
  assert.deepEqual(told(apply(passive, outcome.update!, utf8(''))!), told(outcome));
});

test('bytes that are not one canonical update are none', () => {
  const { update, content } = crafted();
  assert.deepEqual(encodeUpdate(content), update);
  const [bundle] = content.bundles;
  const [write, query] = bundle!.requests;
  const encoded = (requests: readonly (typeof write)[]) =>
    changed(update, { bundles: [{ ...bundle!, requests: requests.map((request) => request!) }] });
  assert.equal(decodeUpdate(encoded([])), undefined, 'a bundle of nothing');
  assert.equal(decodeUpdate(encoded([query, write])), undefined, 'numbers descend');
  assert.equal(decodeUpdate(encoded([write, write])), undefined, 'a number twice');
  assert.equal(decodeUpdate(encoded([{ ...write!, number: 0 }])), undefined, 'no number');
  const tooLong = new Uint8Array(OPERATION_BYTES_MAX + 1);
  assert.equal(decodeUpdate(encoded([{ ...write!, operation: tooLong }])), undefined);
  assert.equal(decodeUpdate(encoded([{ ...write!, answer: tooLong }])), undefined);
  assert.equal(decodeUpdate(Uint8Array.of(9, ...update.subarray(1))), undefined, 'another version');
  for (let length = 0; length < update.length; length += 1)
    assert.equal(decodeUpdate(update.subarray(0, length)), undefined, `cut to ${length}`);
  assert.equal(decodeUpdate(Uint8Array.of(...update, 0)), undefined);
});

/** One change of bytes: bits, a run overwritten by another, a cut, an insertion. */
function mutate(bytes: Uint8Array, prng: Prng): Uint8Array {
  const at = prng.between(0, bytes.length - 1);
  const length = Math.min(prng.between(1, 12), bytes.length - at);
  const mutated = bytes.slice();
  switch (prng.between(0, 4)) {
    case 0:
      mutated[at]! ^= 1 << prng.between(0, 7);
      return mutated;
    case 1:
      mutated[at] = prng.between(0, 2);
      return mutated;
    case 2:
      mutated.copyWithin(at, prng.between(0, bytes.length - length), at + length);
      return mutated;
    case 3:
      return Uint8Array.of(...bytes.subarray(0, at), ...bytes.subarray(at + length));
    default:
      return Uint8Array.of(
        ...bytes.subarray(0, at),
        ...bytes.subarray(at, at + length),
        ...bytes.subarray(at),
      );
  }
}

test('mutated updates never throw; refused ones leave no trace, accepted ones a sound state', () => {
  const seen = { refused: 0, accepted: 0 };
  fc.assert(
    fc.property(fc.nat(), fc.integer({ min: 1, max: 11 }), (seed, rounds) => {
      const prng = new Prng(seed);
      let { active, passive, outcome, update, protocolState } = pair(seed, rounds);
      for (let count = 0; count < 40; count += 1) {
        const before = standing(passive);
        const mutated = mutate(update, prng);
        if (apply(passive, mutated, utf8('other')) === undefined) {
          seen.refused += 1;
          assert.deepEqual(standing(passive), before);
          continue;
        }
        if (Buffer.compare(mutated, update) !== 0) seen.accepted += 1;
        passive.toBoundary();
        const { checkpoint } = passive.executor;
        const chunks = bytesOf(passive.executor.frozen(checkpoint.sequence)!);
        const fresh = new TestLedger(passive.settings);
        assert.ok(fresh.executor.install(checkpoint, (index) => chunks[index]!));
        ({ active, passive, outcome, update, protocolState } = pair(seed, rounds));
      }
      assert.deepEqual(told(apply(passive, update, protocolState)!), told(outcome));
      for (const ledger of [active, passive]) ledger.toBoundary();
      assert.deepEqual(standing(passive), standing(active));
    }),
    { numRuns: 30 },
  );
  assert.ok(seen.refused > 800 && seen.accepted > 0, JSON.stringify(seen));
});
