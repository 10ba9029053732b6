/** What comes from the gateway is checked before it is used: nothing of any shape throws. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { readFaultMenu } from './faults.ts';
import { readBlock, readTransaction } from './ledger.ts';
import { readMoments } from './moments-shape.ts';
import { readStatus } from './status-shape.ts';

/** JSON in which known names occur with values of any shape. */
const NAMES = [
  'replicas id role tc program footprint proven suspected replica rule why lack what needs has lacks forMs now protocol f',
  'rates atMs transactionsPerSecond moments at ms kind from to missed sequence height requests view state txId index',
  'header transactions headerHash operation result actions behaviours processes name explanation',
]
  .join(' ')
  .split(' ');
const anything = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom<unknown>(
      null,
      true,
      0,
      3,
      -1,
      1.5,
      1e300,
      '',
      'x',
      'sent',
      'taken',
      'committed',
      'replica 1',
    ),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(fc.constantFrom(...NAMES), tie('value'), { maxKeys: 8 }),
  ),
})).value;

describe('answers of the gateway', () => {
  it('of any shape are read or refused, but never throw', () => {
    fc.assert(
      fc.property(anything, (value) => {
        const text = JSON.stringify(value);
        readStatus(value);
        readMoments(value);
        readFaultMenu(text);
        readBlock(text);
        readTransaction(text);
      }),
      { seed: 11, numRuns: 3_000 },
    );
    for (const text of ['', '{', 'null', '[]']) {
      assert.equal(readBlock(text), undefined);
      assert.equal(readTransaction(text), undefined);
      assert.equal(readFaultMenu(text), undefined);
    }
  });

  it('keep what is right of a list, and are cut where they are long', () => {
    const moments = Array.from({ length: 2_000 }, (_, ms) => ({ at: 'view', ms, view: 1 }));
    const read = readMoments({ replica: 0, moments: [{ at: 'view' }, 7, ...moments], missed: -1 })!;
    assert.equal(read.missed, 0);
    assert.ok(read.moments.length > 300 && read.moments.length <= 500);
    const replicas = [
      { id: 1, role: 'x'.repeat(1_000) },
      { id: 0, tc: 5, lack: { what: 'COMMIT' } },
    ];
    const status = readStatus({ protocol: 'minbft', f: 1, now: 1, replicas, explanation: ['a', 5] })!;
    assert.deepEqual(
      status.replicas.map(({ id, role }) => [id, role.length]),
      [
        [0, 7],
        [1, 64],
      ],
    );
    assert.deepEqual(status.explanation, ['a']);
  });

  it('give a status its replicas with what they wait for', () => {
    const lack = { what: 'COMMIT', view: 0, sequence: 7, needs: 2, has: [1], lacks: [0, 2], forMs: 1_500 };
    const replica = {
      id: 0,
      reachable: true,
      role: 'primary',
      view: 0,
      sequence: 6,
      height: 5,
      headerHash: 'ab',
      waitsFor: 'waits',
      lack,
      tc: {
        program: 'usig',
        footprint: 'process',
        tcEpoch: 'cd',
        counter: 9,
        persistent: true,
        answers: true,
      },
      suspected: [{ replica: 2, why: 'silent for 7 s', lastHeardMs: null }],
      proven: [{ replica: 0, rule: 'equivocation', explanation: 'Two.' }],
    };
    const rates = [{ atMs: 5, transactionsPerSecond: 2, p50Ms: null, p99Ms: 3 }];
    const status = readStatus({
      protocol: 'minbft',
      f: 1,
      now: 9,
      replicas: [replica],
      rates,
      faults: true,
    })!;
    assert.deepEqual(status.replicas[0]!.lack, lack);
    assert.deepEqual(status.replicas[0]!.suspects, [{ replica: 2, why: 'silent for 7 s' }]);
    assert.deepEqual(status.replicas[0]!.proven, [{ replica: 0, rule: 'equivocation', explanation: 'Two.' }]);
    assert.equal(status.replicas[0]!.component!.counter, 9);
    assert.deepEqual([status.rates, status.hasFaults, status.nowMs], [rates, true, 9]);
  });
});
