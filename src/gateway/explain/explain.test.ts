import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { explain } from './explain.ts';
import type { SeenReplica } from './seen-replica.ts';

function well(id: number): SeenReplica {
  return {
    id,
    role: id === 0 ? 'primary' : 'backup',
    view: 0,
    sequence: 9,
    height: 4,
    headerHash: 'aa'.repeat(32),
  };
}

function diagnose(replicas: readonly SeenReplica[], f?: number): readonly string[] {
  return explain({ replicas, f }).sentences;
}

describe('what is wrong, in words', () => {
  it('is nothing for a cluster that is well', () => {
    assert.deepEqual(diagnose([well(0), well(1), well(2)]), []);
  });

  it('names a replica that is down, and why', () => {
    const supervised = {
      name: 'replica 2',
      state: 'stopped',
      pid: null,
      restarts: 0,
      reason: 'killed',
      byzantine: null,
      cutOff: false,
    } as const;
    const words = diagnose([well(0), well(1), { id: 2, reachable: false, reason: 'no link', supervised }]);
    assert.deepEqual(words, ['Replica 2: its process is stopped: killed.']);
  });

  it('says that no quorum is left', () => {
    const gone = (id: number): SeenReplica => ({ id, reachable: false, reason: 'no link' });
    assert.match(
      diagnose([well(0), gone(1), gone(2)])[0]!,
      /^No quorum, as far as can be seen from here: 1 of 3 replicas take part, 2 are needed/,
    );
    const four = [well(0), well(1), gone(2), gone(3)];
    assert.match(
      diagnose(four, 1)[0]!,
      /^No quorum, as far as can be seen from here: 2 of 4 replicas take part, 3 are needed/,
    );
    assert.doesNotMatch(diagnose([well(0), well(1), well(2), gone(3)], 1).join(), /No quorum/);
  });

  it('counts a replica that is being re-admitted as not taking part', () => {
    const words = diagnose([
      well(0),
      { ...well(1), role: 'recovering' },
      { ...well(2), role: 'halted', haltReason: 'its disk is full' },
    ]);
    assert.match(words[0]!, /^No quorum/);
    assert.ok(words.includes('Replica 2 says that it has halted: "its disk is full".'));
  });

  it('believes no replica about its own process, and nobody about what waits', () => {
    const liar = {
      ...well(2),
      supervised: null,
      process: { cutOff: true },
      pendingBundles: 1_000_000,
    } as unknown as SeenReplica;
    const { supervised: _, ...row } = liar as SeenReplica & { supervised?: unknown };
    const words = diagnose([well(0), well(1), row]);
    assert.deepEqual(words, ['Replica 2 says that it was told to cut itself off from the others.']);
  });

  it('tells replicas that differ at one place', () => {
    const words = diagnose([well(0), well(1), { ...well(2), headerHash: 'bb'.repeat(32) }]);
    assert.equal(
      words[0],
      'Replica 2 says that it has another ledger than replicas 0, 1 at sequence number 9: a lie, or damage. Run "moiety audit" there.',
    );
    const two = diagnose(
      [well(0), { ...well(1), headerHash: 'bb'.repeat(32) }, { id: 2, reachable: false }],
      1,
    );
    assert.match(two[0]!, /^Replicas say that they differ at sequence number 9 \(0 against 1\)/);
    const other = { headerHash: 'bb'.repeat(32) };
    const five = [
      well(0),
      well(1),
      { ...well(2), ...other },
      { ...well(3), ...other },
      { ...well(4), headerHash: 'cc'.repeat(32) },
    ];
    assert.match(
      diagnose(five, 1)[0]!,
      /^Replicas differ at sequence number 9: 0\+1 against 2\+3 against 4, more than may lie/,
    );
    const early = { ...well(2), headerHash: 'bb'.repeat(32), confirmed: 0 };
    assert.deepEqual(diagnose([well(0), well(1), early]), [], 'what may still be undone may differ');
  });
});
