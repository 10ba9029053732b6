/** The judges of what is executed, signed, stored and believed: each is shown what must not happen, and must object. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { WireResult } from '../../core/client-wire.ts';
import type { Batch } from '../../core/request.ts';
import { ZERO_DIGEST } from '../../core/types.ts';
import type { Digest } from '../../core/types.ts';
import { encodeKvOperation } from '../../apps/kv/operations.ts';
import type { KvOperation } from '../../apps/kv/operations.ts';
import { encodeKvResult } from '../../apps/kv/results.ts';
import type { KvResult } from '../../apps/kv/results.ts';
import { modelHash } from '../../crypto/fast-model.ts';
import { makeBlock, outcomeLeaves, transactionLeaves } from '../../ledger/block.ts';
import type { Block, HeaderSignature, Transaction } from '../../ledger/contract.ts';
import { merkleRoot } from '../../ledger/merkle.ts';
import { encodeOperation, okResult } from '../../ledger/operation.ts';
import { encodeReceipt, headerSignatureDigest, makeReceipt } from '../../ledger/receipt.ts';
import { transactionId } from '../../ledger/transaction.ts';
import { trustOf } from '../../ledger/trust.ts';
import { minbft } from '../../protocols/minbft/definition.ts';
import { createSimGenesis } from '../cluster-settings.ts';
import { Judge } from '../judge.ts';
import type { JudgedOutcome } from '../judge.ts';
import { drawScenario } from '../scenario.ts';
import { Bench } from './bench.ts';
import { ChainJudge } from './chain.ts';
import { OrderJudge } from './order.ts';

const digest = (fill: string): Digest => fill.repeat(64).slice(0, 64) as Digest;
const batchOf = (fill: string): Batch => ({ digest: digest(fill) }) as Batch;
const bytes = (text: string): Uint8Array => Uint8Array.from(text, (letter) => letter.charCodeAt(0));

function outcomeOf(parts: Partial<JudgedOutcome> = {}): JudgedOutcome {
  return { block: undefined, replies: [], checkpoint: undefined, ...parts };
}

/** A block of a service that makes no chain. */
const blockOf = (headerHash: Digest, ...ids: Digest[]): JudgedOutcome['block'] => ({
  headerHash,
  transactions: ids.map((id) => ({ id })),
});

const resultOf = (txId: Digest, sequence: number, parts: Partial<WireResult> = {}): WireResult => ({
  number: 1,
  txId,
  sequence,
  height: 1,
  result: new Uint8Array([0, 1]),
  ...parts,
});

/** Who objected after these events. */
function objections(events: (judge: Judge) => void): string[] {
  const judge = new Judge(() => 0);
  events(judge);
  return judge.violations.map((violation) => violation.judge);
}

describe('order', () => {
  const cases: Record<string, readonly [string, (judge: Judge) => void]> = {
    'two batches at one sequence number': [
      'agreement',
      (judge) => {
        judge.onExecuted(0, 1, batchOf('a'), outcomeOf());
        judge.onExecuted(1, 1, batchOf('b'), outcomeOf());
      },
    ],
    'one batch, two blocks': [
      'agreement',
      (judge) => {
        judge.onExecuted(0, 1, batchOf('a'), outcomeOf({ block: blockOf(digest('1')) }));
        judge.onExecuted(1, 1, batchOf('a'), outcomeOf({ block: blockOf(digest('2')) }));
      },
    ],
    'a hole': [
      'agreement',
      (judge) => {
        judge.onExecuted(0, 1, batchOf('a'), outcomeOf());
        judge.onExecuted(0, 3, batchOf('b'), outcomeOf());
      },
    ],
    'an installed state that nobody executed': [
      'agreement',
      (judge) => judge.onInstalled(0, { sequence: 4, stateDigest: digest('a') }),
    ],
    'an installed state that somebody executed otherwise, on trial': [
      'agreement',
      (judge) => {
        judge.onTentative({ replies: [], checkpoint: { sequence: 4, stateDigest: digest('b') } });
        judge.onInstalled(0, { sequence: 4, stateDigest: digest('a') });
      },
    ],
    'a state installed on trial that is another one in the end': [
      'checkpoint',
      (judge) => {
        judge.onTentative({ replies: [], checkpoint: { sequence: 4, stateDigest: digest('a') } });
        judge.onInstalled(0, { sequence: 4, stateDigest: digest('a') });
        judge.onCheckpoint(1, { sequence: 4, stateDigest: digest('b') });
      },
    ],
    'a state installed over a newer one': [
      'progress',
      (judge) => {
        for (const n of [1, 2, 3]) judge.onExecuted(0, n, batchOf(String(n)), outcomeOf());
        judge.onInstalled(0, { sequence: 2, stateDigest: digest('a') });
      },
    ],
    'two states at one checkpoint': [
      'checkpoint',
      (judge) => {
        judge.onCheckpoint(0, { sequence: 2, stateDigest: digest('a') });
        judge.onCheckpoint(1, { sequence: 2, stateDigest: digest('b') });
      },
    ],
    'a transaction that nobody sent': [
      'validity',
      (judge) =>
        judge.onExecuted(0, 1, batchOf('a'), outcomeOf({ block: blockOf(digest('1'), digest('f')) })),
    ],
    'a transaction at two places': [
      'exactly-once',
      (judge) => {
        judge.onIssued(digest('f'));
        judge.onExecuted(0, 1, batchOf('a'), outcomeOf({ block: blockOf(digest('1'), digest('f')) }));
        judge.onExecuted(0, 2, batchOf('b'), outcomeOf({ block: blockOf(digest('2'), digest('f')) }));
      },
    ],
  };
  for (const [name, [judge, events]] of Object.entries(cases))
    test(`${judge}: ${name}`, () => assert.deepEqual(objections(events), [judge]));

  test('a replica that starts again may execute again', () => {
    const said = objections((judge) => {
      judge.onExecuted(0, 1, batchOf('a'), outcomeOf());
      judge.onExecuted(0, 2, batchOf('b'), outcomeOf());
      judge.onStarting(0);
      judge.onExecuted(0, 1, batchOf('a'), outcomeOf());
      judge.onInstalled(0, { sequence: 2, stateDigest: digest('a') });
    });
    assert.deepEqual(said, []);
  });

  test('a muted judge is not heard', () => {
    const judge = new Judge(() => 0, { muted: ['agreement'] });
    judge.report('agreement', 'nobody listens');
    judge.report('bounds', 'somebody does');
    assert.deepEqual(
      judge.violations.map((violation) => violation.judge),
      ['bounds'],
    );
  });
});

describe('replies', () => {
  const tx = digest('f');
  const replies = (result: WireResult): JudgedOutcome =>
    outcomeOf({ block: blockOf(digest('1'), tx), replies: [{ results: [result] }] });
  const believed = (result: WireResult) => ({ client: 0, session: 1, result });
  const other = { result: new Uint8Array([0, 2]) };

  test('reply: two correct replicas compute different results', () => {
    const said = objections((judge) => {
      judge.onIssued(tx);
      judge.onExecuted(0, 1, batchOf('a'), replies(resultOf(tx, 1)));
      judge.onExecuted(1, 1, batchOf('a'), replies(resultOf(tx, 1, other)));
    });
    assert.deepEqual(said, ['reply']);
  });

  test('reply: a client believes another result, before or after it was computed', () => {
    for (const early of [true, false]) {
      const said = objections((judge) => {
        judge.onIssued(tx);
        if (early) judge.onBelieved(believed(resultOf(tx, 1, other)));
        judge.onExecuted(0, 1, batchOf('a'), replies(resultOf(tx, 1)));
        if (!early) judge.onBelieved(believed(resultOf(tx, 1, other)));
      });
      assert.deepEqual(said, ['reply']);
    }
  });

  test('reply and durability: a client believes what nobody computed', () => {
    const said = objections((judge) => {
      judge.onBelieved(believed(resultOf(tx, 1)));
      judge.finish();
    });
    assert.deepEqual(said, ['reply', 'durability']);
  });

  test('durability: what a client believes stands at another place', () => {
    const said = objections((judge) => {
      judge.onIssued(tx);
      judge.onExecuted(0, 1, batchOf('a'), outcomeOf());
      judge.onExecuted(0, 2, batchOf('b'), replies(resultOf(tx, 1)));
      judge.onBelieved(believed(resultOf(tx, 1)));
      judge.finish();
    });
    assert.deepEqual(said, ['durability']);
  });

  test('accusation: correct replicas sign what makes a proof of guilt', () => {
    const said = objections((judge) => {
      judge.onSigned(0, 1, [resultOf(tx, 1)]);
      judge.onSigned(1, 1, [resultOf(tx, 1, other)]);
    });
    assert.deepEqual(said, ['accusation']);
  });
});

describe('history', () => {
  const key = bytes('k');
  const app = (operation: KvOperation): Uint8Array =>
    encodeOperation({ kind: 'app', idempotencyKey: undefined, operation: encodeKvOperation(operation) });
  const ok = (result: KvResult): Uint8Array => okResult(encodeKvResult(result));
  const put = app({ kind: 'put', key, value: bytes('x') });
  const get = app({ kind: 'get', key });
  const created = ok({ kind: 'put', existed: false });
  const [first, second, third] = ['1', '2', '3'].map(digest) as [Digest, Digest, Digest];

  interface Step {
    readonly id: Digest;
    readonly operation: Uint8Array;
    readonly result: Uint8Array;
  }
  /** Executes one request per sequence number. */
  const execute = (judge: Judge, ...steps: readonly Step[]): void =>
    steps.forEach((step, index) => {
      const block = { headerHash: digest(String(index)), transactions: [step] };
      judge.onExecuted(0, index + 1, batchOf(String(index)), outcomeOf({ block }));
    });
  const issue = (judge: Judge, id: Digest, operation: Uint8Array): void =>
    judge.onIssued(id, { client: 0, operation });
  const believe = (judge: Judge, id: Digest, sequence: number, result: Uint8Array): void =>
    judge.onBelieved({ client: 0, session: 1, result: resultOf(id, sequence, { result }) });

  const executions: Record<string, readonly [Uint8Array, Uint8Array]> = {
    'a get that finds nothing': [get, ok({ kind: 'notFound' })],
    'a get that finds something else': [get, ok({ kind: 'value', value: bytes('y') })],
    'a put into emptiness': [put, created],
    'a swap that should not fit': [
      app({ kind: 'compareAndSwap', key, expected: undefined, value: bytes('y') }),
      ok({ kind: 'swapped' }),
    ],
    'a page with a hole': [
      app({ kind: 'list', prefix: key, startAfter: undefined, limit: 9 }),
      ok({ kind: 'page', entries: [], next: undefined }),
    ],
    'a page that invents': [
      app({ kind: 'list', prefix: key, startAfter: key, limit: 9 }),
      ok({ kind: 'page', entries: [{ key: bytes('kk'), value: key }], next: undefined }),
    ],
  };
  for (const [name, [operation, result]] of Object.entries(executions))
    test(`execution: ${name}, after a put`, () => {
      const said = objections((judge) => {
        issue(judge, first, put);
        issue(judge, second, operation);
        execute(judge, { id: first, operation: put, result: created }, { id: second, operation, result });
      });
      assert.deepEqual(said, ['execution']);
    });

  test('execution: pages are understood, whole or cut', () => {
    const entries = [{ key, value: bytes('x') }];
    const list = app({ kind: 'list', prefix: key, startAfter: undefined, limit: 1 });
    const said = objections((judge) => {
      for (const [id, operation] of [
        [first, put],
        [second, list],
        [third, list],
      ] as const)
        issue(judge, id, operation);
      execute(
        judge,
        { id: first, operation: put, result: created },
        { id: second, operation: list, result: ok({ kind: 'page', entries, next: undefined }) },
        { id: third, operation: list, result: ok({ kind: 'page', entries, next: key }) },
      );
    });
    assert.deepEqual(said, []);
  });

  test('real-time: an answered request stands behind one that was asked for later', () => {
    const other = app({ kind: 'put', key: bytes('other'), value: bytes('x') });
    const said = objections((judge) => {
      issue(judge, first, put);
      believe(judge, first, 2, created);
      issue(judge, second, other);
      execute(
        judge,
        { id: second, operation: other, result: created },
        { id: first, operation: put, result: created },
      );
      judge.finish();
    });
    assert(said.includes('real-time') && !said.includes('linearizability'), said.join(' '));
  });

  test('linearizability: a stale read, although the log agrees with itself', () => {
    const said = objections((judge) => {
      issue(judge, first, put);
      believe(judge, first, 2, created);
      issue(judge, second, get);
      believe(judge, second, 1, ok({ kind: 'notFound' }));
      judge.finish();
    });
    assert(said.includes('linearizability') && !said.includes('execution'), said.join(' '));
  });
});

describe('chain and receipts', () => {
  const genesis = createSimGenesis(drawScenario(5, { replicas: 3, faults: [], byzantine: [] }), minbft.name);
  const { settings, keys, hostSigners } = genesis;
  const trust = trustOf(settings);
  const verifier = {
    hash: modelHash,
    trust,
    crypto: {
      hash: modelHash,
      verifySignature: (key: Uint8Array, message: Uint8Array, signature: Uint8Array) =>
        keys.verify(key, message, signature),
    },
  };

  function block(height: number, previous: Digest, result = new Uint8Array([0])): Block {
    const { clusterId } = settings;
    const operation = encodeOperation({ kind: 'noop' });
    const id = transactionId(modelHash, clusterId, digest('c'), 1, height, operation);
    const transaction: Transaction = {
      id,
      clientId: digest('c'),
      organisation: 'clients',
      session: 1,
      number: height,
      operation,
      result,
    };
    const header = {
      clusterId,
      configurationVersion: settings.configurationVersion,
      configurationDigest: digest('0'),
      height,
      sequence: height,
      previous,
      proposedInView: 0,
      time: height,
      transactionsRoot: merkleRoot(modelHash, transactionLeaves([transaction])),
      resultsRoot: merkleRoot(modelHash, outcomeLeaves(modelHash, [transaction])),
      checkpoint: { height: 0, stateDigest: ZERO_DIGEST },
    };
    return makeBlock(modelHash, header, [transaction]);
  }
  const one = block(1, ZERO_DIGEST);
  const two = block(2, one.headerHash);
  const fork = block(2, one.headerHash, new Uint8Array([0, 9]));

  function signature(replica: number, { headerHash }: Block): HeaderSignature {
    const digestToSign = headerSignatureDigest(modelHash, trust, headerHash);
    return { replica, signature: hostSigners[replica]!.sign(digestToSign) };
  }

  /** A judge that knows both blocks as agreed. */
  function judged(events: (chain: ChainJudge) => void, blocks = [one, two]): string[] {
    const bench = new Bench(() => 0);
    const order = new OrderJudge(bench);
    for (const agreed of blocks) {
      for (const { id } of agreed.transactions) order.onIssued(id);
      order.onExecuted(
        0,
        agreed.header.sequence,
        batchOf(String(agreed.header.height)),
        outcomeOf({ block: agreed }),
      );
    }
    events(new ChainJudge(bench, order, verifier));
    return bench.violations.map(({ judge }) => judge);
  }
  const stored = (...blocks: readonly (Block | undefined)[]) => [
    { replica: 1, height: blocks.length, read: (height: number) => blocks[height - 1]?.bytes },
  ];

  test('chain: a block that does not continue the chain', () => {
    assert.deepEqual(
      judged(() => undefined, [one, block(2, digest('a'))]),
      ['chain'],
    );
  });

  test('chain: stored blocks are a front part of the agreed chain', () => {
    assert.deepEqual(
      judged((chain) => {
        chain.checkStored(stored(one));
        chain.checkStored(stored(one, two));
      }),
      [],
    );
    for (const wrong of [stored(one, fork), stored(undefined, two), stored(one, two, two)])
      assert.deepEqual(
        judged((chain) => chain.checkStored(wrong)),
        ['chain'],
      );
  });

  test('receipt: what f+1 signed is verified; a correct replica that signs another header is named', () => {
    assert.deepEqual(
      judged((chain) => {
        for (const replica of [0, 1]) chain.onHeaderSigned(0, 2, two.headerHash, signature(replica, two));
        chain.checkReceipts();
        assert.equal(chain.receipts, 1);
      }),
      [],
    );
    assert.deepEqual(
      judged((chain) => chain.onHeaderSigned(1, 2, fork.headerHash, signature(1, fork))),
      ['receipt'],
    );
  });

  test('receipt: f+1 signatures under a header that is not agreed; one liar alone proves nothing', () => {
    assert.deepEqual(
      judged((chain) => {
        for (const replica of [1, 2]) chain.onHeaderSigned(0, 2, fork.headerHash, signature(replica, fork));
        chain.checkReceipts();
      }),
      ['receipt'],
    );
    assert.deepEqual(
      judged((chain) => {
        chain.onHeaderSigned(0, 2, fork.headerHash, signature(2, fork));
        const forged = { ...signature(1, fork), signature: signature(2, fork).signature };
        chain.onHeaderSigned(0, 2, fork.headerHash, forged);
        chain.checkReceipts();
        assert.equal(chain.receipts, 0);
      }),
      [],
    );
  });

  test('receipt: a receipt that verifies and contradicts the chain, and one that should hold and does not', () => {
    const signatures = [1, 2].map((replica) => signature(replica, fork));
    const receipt = makeReceipt({ hash: modelHash, block: fork, index: 0, signatures, f: 1 })!;
    assert.deepEqual(
      judged((chain) => chain.onReceipt(encodeReceipt(receipt), true)),
      ['receipt'],
    );
    assert.deepEqual(
      judged((chain) => chain.onReceipt('{}', true)),
      ['receipt'],
    );
    assert.deepEqual(
      judged((chain) => chain.onReceipt('{}', false)),
      [],
    );
  });
});
