import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  clientId,
  clientKey,
  open,
  put,
  read,
  sha256,
  TestLedger,
  testSettings,
  utf8,
} from '../../test/support/ledger-fixture.ts';
import { decodeKvResult } from '../apps/kv/results.ts';
import { bytesToHex } from '../core/bytes.ts';
import { ZERO_DIGEST } from '../core/types.ts';
import { DEFAULT_WINDOW, RESULT_BODY_BYTES_MAX } from '../smr/client-table.ts';
import { blockRootsFit, decodeBlock } from './block.ts';
import type { Admission, RequestResult } from './contract.ts';
import { IDEMPOTENCY_BLOCKS, IDEMPOTENCY_RESULT_BYTES_MAX } from './idempotency.ts';
import type { Operation } from './operation.ts';
import { decodeOpened, decodeResult, encodeOperation, OPEN_VALIDITY_MAX_MS } from './operation.ts';
import { isFinalRefusal } from './request-runner.ts';
import { transactionId } from './transaction.ts';

/** The error of a result, or its payload as the store's result. */
function told(result: RequestResult | undefined): unknown {
  const decoded = decodeResult(result!.result);
  if (decoded === undefined) return 'not a result';
  return decoded.ok ? decodeKvResult(decoded.payload) : decoded.error;
}

function openedBy(result: RequestResult | undefined) {
  const decoded = decodeResult(result!.result);
  return decoded?.ok === true ? decodeOpened(decoded.payload) : decoded?.error;
}

function refusalOf(admission: Admission): string {
  return admission.kind === 'refused' ? admission.reason : admission.kind;
}

test('a batch becomes a block whose header says what decision D1 lists', () => {
  const ledger = new TestLedger();
  const session = ledger.openSession(2);
  const outcome = ledger.run(
    [
      ledger.bundle(2, session, [
        [1, put('a', '1')],
        [2, put('b', '2')],
      ]),
    ],
    2000,
  );
  const { header, transactions, headerHash, bytes } = outcome.block!;
  assert.equal(header.clusterId, ledger.settings.clusterId);
  assert.equal(header.height, 1);
  assert.equal(header.sequence, 2);
  assert.equal(header.previous, ZERO_DIGEST);
  assert.equal(header.time, 2000);
  assert.deepEqual(header.checkpoint, { height: 0, stateDigest: ZERO_DIGEST });
  assert.ok(blockRootsFit(sha256, decodeBlock(sha256, bytes)!));
  assert.deepEqual(
    transactions.map((transaction) => [transaction.number, transaction.clientId, transaction.organisation]),
    [
      [1, clientId(2), 'alpha'],
      [2, clientId(2), 'alpha'],
    ],
  );
  assert.equal(ledger.executor.headerHash, headerHash);
  const next = ledger.run([ledger.bundle(2, session, [[3, put('c', '3')]])]).block!;
  assert.equal(next.header.previous, headerHash);
});

test('the txId is what the client computes, and replies name it with sequence and height', () => {
  const ledger = new TestLedger();
  const session = ledger.openSession(2);
  const operation = put('a', '1');
  const { replies } = ledger.run([ledger.bundle(2, session, [[7, operation]])]);
  const encoded = encodeOperation(operation);
  const txId = transactionId(sha256, ledger.settings.clusterId, clientId(2), session, 7, encoded);
  const [group] = replies;
  assert.deepEqual([group!.session, group!.clientKey], [session, clientKey(2)]);
  const { number, sequence, height } = group!.results[0]!;
  assert.deepEqual([group!.results[0]!.txId, number, sequence, height], [txId, 7, 2, 1]);
});

test('bundles of one session in one batch are answered in one group', () => {
  const ledger = new TestLedger();
  const session = ledger.openSession(2);
  const one = ledger.bundle(2, session, [[1, put('a', '1')]]);
  const two = ledger.bundle(2, session, [[2, put('a', '2')]]);
  const { replies } = ledger.run([one, two]);
  assert.deepEqual(
    replies.map((group) => group.results.map((result) => result.number)),
    [[1, 2]],
  );
});

test('no leaf, no block: OPEN, NOOP, READ and empty batches move the sequence only (decision D2)', () => {
  const ledger = new TestLedger();
  const session = ledger.openSession(2);
  const quiet: Operation[] = [{ kind: 'noop' }, read('a')];
  const outcome = ledger.run([
    ledger.bundle(2, session, [
      [1, quiet[0]!],
      [2, quiet[1]!],
    ]),
  ]);
  assert.equal(outcome.block, undefined);
  assert.deepEqual(
    outcome.replies[0]!.results.map((result) => result.height),
    [0, 0],
  );
  ledger.run([]);
  assert.deepEqual([ledger.executor.executed, ledger.executor.height], [3, 0]);
  assert.equal(ledger.executor.headerHash, ZERO_DIGEST);
});

test('block time is agreed and monotonic: a past time is clamped (decision D4)', () => {
  const ledger = new TestLedger();
  const session = ledger.openSession(2);
  const timeOf = (number: number, time: number) =>
    ledger.run([ledger.bundle(2, session, [[number, put('a', 'x')]])], time).block!.header.time;
  assert.deepEqual([timeOf(1, 5000), timeOf(2, 10), timeOf(3, 5001)], [5000, 5000, 5001]);
});

test('exactly-once: duplicates in a batch, across batches and across bundles are skipped', () => {
  const ledger = new TestLedger();
  const session = ledger.openSession(2);
  const bundle = ledger.bundle(2, session, [[1, put('a', '1')]]);
  const first = ledger.run([bundle, bundle]);
  assert.equal(first.block!.transactions.length, 1);
  const again = ledger.run([bundle]);
  assert.equal(again.block, undefined);
  assert.deepEqual(again.replies, []);
  const otherOperation = ledger.bundle(2, session, [
    [1, put('a', 'evil')],
    [2, put('b', '2')],
  ]);
  const mixed = ledger.run([otherOperation]);
  assert.deepEqual(
    mixed.block!.transactions.map((transaction) => transaction.number),
    [2],
  );
});

test('a retransmission is answered from the client table with the first result', () => {
  const ledger = new TestLedger();
  const session = ledger.openSession(2);
  const bundle = ledger.bundle(2, session, [
    [1, put('a', '1')],
    [2, { kind: 'noop' }],
  ]);
  assert.equal(ledger.executor.admit(bundle).kind, 'new');
  const { replies } = ledger.run([bundle]);
  assert.deepEqual(ledger.executor.admit(bundle), { kind: 'executed', reply: replies[0], sequence: 2 });
  const partlyNew = ledger.bundle(2, session, [
    [2, { kind: 'noop' }],
    [3, { kind: 'noop' }],
  ]);
  assert.equal(ledger.executor.admit(partlyNew).kind, 'new');
});

test('a read is done once and not kept; a result over 4 KiB is not kept either, its height is told', () => {
  const ledger = new TestLedger();
  const session = ledger.openSession(2);
  const large = 'x'.repeat(RESULT_BODY_BYTES_MAX);
  ledger.run([ledger.bundle(2, session, [[1, put('big', large)]])]);
  const readBundle = ledger.bundle(2, session, [[2, read('big')]]);
  const first = ledger.run([readBundle]);
  assert.deepEqual(told(first.replies[0]!.results[0]), { kind: 'value', value: utf8(large) });
  const get = { ...read('big'), kind: 'app', idempotencyKey: undefined } as Operation;
  const getBundle = ledger.bundle(2, session, [[3, get]]);
  ledger.run([getBundle]);
  for (const [bundle, height] of [
    [readBundle, 0],
    [getBundle, 2],
  ] as const) {
    const admission = ledger.executor.admit(bundle);
    assert.ok(admission.kind === 'executed');
    assert.equal(told(admission.reply.results[0]), 'resultForgotten');
    assert.equal(admission.reply.results[0]!.height, height);
  }
});

test('a number that the window left behind is never executed again', () => {
  const ledger = new TestLedger();
  const session = ledger.openSession(2, 4);
  const old = ledger.bundle(2, session, [[1, put('a', 'old')]]);
  ledger.run([ledger.bundle(2, session, [[5, put('a', 'new')]])]);
  assert.equal(refusalOf(ledger.executor.admit(old)), 'requestForgotten');
  assert.equal(ledger.run([old]).block, undefined);
  const { result } = ledger.executor.query(encodeOperation(read('a')));
  assert.deepEqual(told({ result } as RequestResult), { kind: 'value', value: utf8('new') });
});

test('OPEN: granted window, replay gives the same session, time bounds (decision C4)', () => {
  const ledger = new TestLedger();
  const bundle = ledger.bundle(2, 0, [[1, open(1, 60_000)]]);
  const first = ledger.run([bundle]);
  assert.deepEqual(openedBy(first.replies[0]!.results[0]), { session: 1, window: DEFAULT_WINDOW });
  assert.equal(first.replies[0]!.session, 0);
  assert.deepEqual(ledger.run([bundle]).replies, first.replies);
  assert.deepEqual(ledger.executor.admit(bundle), { kind: 'executed', reply: first.replies[0], sequence: 1 });
  const another = ledger.bundle(2, 0, [[1, open(2, 60_000, 9999999)]]);
  assert.deepEqual(openedBy(ledger.run([another]).replies[0]!.results[0]), {
    session: 2,
    window: ledger.settings.limits.sessionWindowMax,
  });
  const late = ledger.bundle(2, 0, [[1, open(3, 999)]]);
  assert.equal(openedBy(ledger.run([late]).replies[0]!.results[0]), 'openExpired');
  const far = ledger.bundle(2, 0, [[1, open(4, 1001 + OPEN_VALIDITY_MAX_MS)]]);
  assert.equal(openedBy(ledger.run([far]).replies[0]!.results[0]), 'openTooFarAhead');
});

test('an OPEN cannot be replayed after its memory went: it has expired by then', () => {
  const ledger = new TestLedger();
  const bundle = ledger.bundle(2, 0, [[1, open(1, 60_000)]]);
  ledger.run([bundle]);
  ledger.toBoundary(60_001);
  assert.equal(ledger.executor.admit(bundle).kind, 'new');
  assert.equal(openedBy(ledger.run([bundle], 60_001).replies[0]!.results[0]), 'openExpired');
  const fresh = ledger.run([ledger.bundle(2, 0, [[1, open(1, 70_000)]])], 60_001);
  assert.deepEqual(openedBy(fresh.replies[0]!.results[0]), { session: 2, window: DEFAULT_WINDOW });
});

test('OPENs of two clients in one batch are answered apart', () => {
  const ledger = new TestLedger();
  const { replies } = ledger.run([2, 3].map((client) => ledger.bundle(client, 0, [[1, open(1, 60_000)]])));
  assert.deepEqual(
    replies.map((group) => group.clientKey),
    [clientKey(2), clientKey(3)],
  );
});

test('admission refuses with the reason, and says which refusals may be mere lag', () => {
  const ledger = new TestLedger();
  const session = ledger.openSession(2);
  const admit = (client: number, id: number, requests: [number, Operation | Uint8Array][]) =>
    refusalOf(ledger.executor.admit(ledger.bundle(client, id, requests)));
  const one: [number, Operation][] = [[1, put('a', '1')]];
  assert.equal(admit(9, session, one), 'unknownClient');
  assert.equal(admit(3, session, one), 'sessionOfOtherClient');
  assert.equal(admit(2, session + 1, one), 'sessionNotYetKnown');
  assert.equal(admit(2, session, [[DEFAULT_WINDOW, put('a', '1')]]), 'new');
  assert.equal(admit(2, session, [[DEFAULT_WINDOW + 1, put('a', '1')]]), 'windowExceeded');
  assert.equal(admit(2, session, [[1, new Uint8Array([99])]]), 'malformedOperation');
  assert.equal(admit(2, session, [[1, open(1, 60_000)]]), 'malformedOperation');
  assert.equal(admit(2, 0, one), 'malformedOperation');
  assert.equal(
    admit(2, 0, [
      [1, open(1, 60_000)],
      [2, open(2, 60_000)],
    ]),
    'malformedOperation',
  );
  const temporary = ['unknownClient', 'sessionNotYetKnown', 'windowExceeded'] as const;
  const final = ['clientRevoked', 'unknownSession', 'malformedOperation', 'requestForgotten'] as const;
  assert.deepEqual(
    [...temporary.map(isFinalRefusal), ...final.map(isFinalRefusal)],
    [...temporary.map(() => false), ...final.map(() => true)],
  );
});

test('what admission refuses, execution skips: a Byzantine primary gains nothing by ordering it', () => {
  const ledger = new TestLedger();
  const session = ledger.openSession(2);
  const good: [number, Operation] = [1, put('a', '1')];
  const bad = [
    ledger.bundle(9, session, [good]),
    ledger.bundle(3, session, [good]),
    ledger.bundle(2, session + 5, [good]),
    ledger.bundle(2, session, [good, [2, new Uint8Array([99])]]),
    ledger.bundle(2, session, [good, [2, open(1, 60_000)]]),
    ledger.bundle(2, 0, [good]),
    ledger.bundle(2, 0, [
      [1, open(1, 60_000)],
      [2, open(2, 60_000)],
    ]),
  ];
  const outcome = ledger.run(bad);
  assert.equal(outcome.block, undefined);
  assert.deepEqual(outcome.replies, []);
  assert.equal(ledger.executor.admit(ledger.bundle(2, session, [good])).kind, 'new');
});

test('a bundle without a valid client seal is a no-op, its neighbours are executed', () => {
  const ledger = new TestLedger();
  const session = ledger.openSession(2);
  const forged = ledger.bundle(2, session, [[1, put('a', 'forged')]]);
  const genuine = ledger.bundle(2, session, [[2, put('b', 'genuine')]]);
  const { block } = ledger.run([forged, genuine], 1000, [false, true]);
  assert.deepEqual(
    block!.transactions.map((transaction) => transaction.number),
    [2],
  );
  assert.equal(ledger.executor.admit(forged).kind, 'new');
});

test('sessions are evicted at checkpoint boundaries only, and their ids are refused for ever', () => {
  const ledger = new TestLedger(testSettings({ sessionsMax: 1 }));
  const first = ledger.openSession(2);
  const second = ledger.openSession(3);
  const ofFirst = ledger.bundle(2, first, [[1, put('a', '1')]]);
  assert.equal(ledger.executor.admit(ofFirst).kind, 'new');
  ledger.toBoundary();
  assert.equal(refusalOf(ledger.executor.admit(ofFirst)), 'unknownSession');
  assert.equal(ledger.run([ofFirst]).block, undefined);
  assert.equal(ledger.executor.admit(ledger.bundle(3, second, [[1, put('a', '1')]])).kind, 'new');
});

test('idempotency keys: once per organisation, across sessions and clients, with the first txId and height', () => {
  const ledger = new TestLedger();
  const [one, two, beta] = [ledger.openSession(2), ledger.openSession(1), ledger.openSession(3)];
  const first = ledger.run([ledger.bundle(2, one, [[1, put('a', '1', 'key')]])]).replies[0]!.results[0]!;
  const repeat = ledger.run([ledger.bundle(1, two, [[1, put('a', '1', 'key')]])]);
  assert.equal(repeat.block, undefined);
  assert.deepEqual(repeat.replies[0]!.results[0], first);
  const retry = ledger.executor.admit(ledger.bundle(1, two, [[1, put('a', '1', 'key')]]));
  assert.ok(retry.kind === 'executed');
  assert.deepEqual(retry.reply.results[0], first);
  const reused = ledger.run([ledger.bundle(1, two, [[2, put('a', '2', 'key')]])]);
  assert.equal(reused.block, undefined);
  assert.equal(told(reused.replies[0]!.results[0]), 'idempotencyKeyReused');
  assert.ok(ledger.run([ledger.bundle(3, beta, [[1, put('a', '1', 'key')]])]).block !== undefined);
});

test('an idempotency key is forgotten after the stated number of blocks, a long result at once', () => {
  const ledger = new TestLedger(testSettings({ checkpointInterval: 4096 }));
  const session = ledger.openSession(2, 8192);
  const value = 'x'.repeat(IDEMPOTENCY_RESULT_BYTES_MAX);
  ledger.run([ledger.bundle(2, session, [[1, put('long', value)]])]);
  const get = { ...read('long'), kind: 'app', idempotencyKey: utf8('long key') } as Operation;
  const first = ledger.run([ledger.bundle(2, session, [[2, get]])]).replies[0]!.results[0]!;
  const again = ledger.run([ledger.bundle(2, session, [[3, get]])]).replies[0]!.results[0]!;
  assert.deepEqual([told(again), again.txId, again.height], ['resultForgotten', first.txId, first.height]);
  let number = 3;
  const next = (operation: Operation) =>
    ledger.run([ledger.bundle(2, session, [[(number += 1), operation]])]);
  while (ledger.executor.height < first.height + IDEMPOTENCY_BLOCKS - 1) next(put('filler', 'x'));
  assert.equal(next(get).block, undefined, 'block h + IDEMPOTENCY_BLOCKS would still recognise it');
  next(put('filler', 'x'));
  assert.ok(next(get).block !== undefined);
});

test('administrators register and revoke clients, as leaves; nobody else does (decision C9)', () => {
  const ledger = new TestLedger();
  const [admin, plain] = [ledger.openSession(1), ledger.openSession(2)];
  const register: Operation = {
    kind: 'register',
    clientKey: clientKey(7),
    organisation: 'gamma',
    role: 'client',
  };
  const refused = ledger.run([ledger.bundle(2, plain, [[1, register]])]);
  assert.equal(told(refused.replies[0]!.results[0]), 'notAdministrator');
  assert.equal(refused.block!.transactions.length, 1);
  assert.ok(ledger.run([ledger.bundle(1, admin, [[1, register]])]).block !== undefined);
  const session = ledger.openSession(7);
  const work = ledger.bundle(7, session, [[1, put('a', '1')]]);
  assert.equal(ledger.executor.admit(work).kind, 'new');
  const revoke: Operation = { kind: 'revoke', clientId: clientId(7) };
  const outcome = ledger.run([ledger.bundle(1, admin, [[2, revoke]]), work]);
  assert.equal(outcome.block!.transactions.length, 1, 'revoked within the same batch, before its bundle');
  assert.equal(refusalOf(ledger.executor.admit(work)), 'clientRevoked');
  const back = ledger.run([ledger.bundle(1, admin, [[3, register]])]);
  assert.equal(told(back.replies[0]!.results[0]), 'clientRevoked');
});

test('an administrator who revokes itself has no say in the rest of its bundle', () => {
  const ledger = new TestLedger();
  const session = ledger.openSession(1);
  const register = (index: number, role: 'client' | 'admin'): Operation => ({
    ...{ kind: 'register', clientKey: clientKey(index), organisation: 'alpha', role },
  });
  const outcome = ledger.run([
    ledger.bundle(1, session, [
      [1, register(8, 'admin')],
      [2, { kind: 'revoke', clientId: clientId(1) }],
      [3, register(9, 'client')],
    ]),
  ]);
  assert.equal(told(outcome.replies[0]!.results[2]), 'notAdministrator');
});

test('the policy of genesis decides who writes (decision C9)', () => {
  const policy = [{ prefix: bytesToHex(utf8('a/')), organisations: ['alpha'] }];
  const ledger = new TestLedger(testSettings({}, { policy }));
  const [alpha, beta] = [ledger.openSession(2), ledger.openSession(3)];
  const { replies } = ledger.run([
    ledger.bundle(2, alpha, [[1, put('a/x', '1')]]),
    ledger.bundle(3, beta, [[1, put('a/x', '2')]]),
  ]);
  assert.equal((told(replies[0]!.results[0]) as { kind: string }).kind, 'put');
  assert.deepEqual(told(replies[1]!.results[0]), { kind: 'error', code: 'forbidden' });
});

test('fast reads take the bytes of an ordered read, and nothing else', () => {
  const ledger = new TestLedger();
  const session = ledger.openSession(2);
  ledger.run([ledger.bundle(2, session, [[1, put('a', '1')]])]);
  const answer = ledger.executor.query(encodeOperation(read('a')));
  assert.deepEqual([answer.sequence, answer.height], [2, 1]);
  const ordered = ledger.run([ledger.bundle(2, session, [[2, read('a')]])]).replies[0]!.results[0]!;
  assert.deepEqual(answer.result, ordered.result);
  for (const bytes of [encodeOperation(put('a', '2')), new Uint8Array(0), utf8('noise')])
    assert.equal(told(ledger.executor.query(bytes) as unknown as RequestResult), 'malformedOperation');
});
