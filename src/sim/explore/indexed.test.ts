/** Explorers with numbered schedules: numbers mean the same every time, and the protocol is clean in a small budget. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { IndexedExplorer } from './explorer.ts';
import { partitionsOf } from './partitions.ts';
import { roundOf, roundText, roundsThrough } from './rounds-of-views.ts';
import { roundsExplorer, roundsPlan } from './rounds.ts';
import { IndexedSearch } from './search.ts';
import { twinsExplorer, twinsPlan, twinsSize } from './twins.ts';

function assertClean(explorer: IndexedExplorer, from: number, budget: number): IndexedSearch {
  const search = new IndexedSearch(explorer, from, budget);
  while (search.advance());
  assert.deepEqual(search.findings, []);
  return search;
}

describe('rounds', () => {
  it('are numbered through the phases of the views', () => {
    assert.equal(roundOf(0, 'PREPARE'), 0);
    assert.equal(roundText(roundOf(1, 'NEW-VIEW')), 'NEW-VIEW of view 1');
    assert.equal(roundsThrough(0), 3);
    assert.equal(roundsThrough(1), 10);
  });

  it('an index is a schedule, every time', () => {
    const explorer = roundsExplorer();
    for (const index of [3, 58, 1_000_003])
      assert.deepEqual(explorer.explore(index), explorer.explore(index));
    assert.equal(roundsPlan(8, { replicas: 5 }).f, 2);
    const traces = Array.from({ length: 8 }, (_, index) => explorer.explore(index).result.traceHash);
    assert.equal(new Set(traces).size, traces.length);
  });

  it('find nothing in the protocol, in views changed and not, with Byzantine replicas and without', () => {
    const search = assertClean(roundsExplorer(), 500, 120);
    const { schedules, withViewChange, next } = search.figures();
    assert.equal(schedules, 120);
    assert.equal(next, 620);
    assert.ok(withViewChange! > 20);
    assert.equal(search.goOn(), '--from 620');
  });
});

describe('twins', () => {
  it('have as many schedules as there are partitions, times who has the twin', () => {
    assert.equal(partitionsOf(4).length, 15);
    assert.equal(partitionsOf(6).length, 203);
    assert.equal(twinsSize(2), 675);
    const plans = Array.from({ length: twinsSize(2) }, (_, index) => JSON.stringify(twinsPlan(index, 2)));
    assert.equal(new Set(plans).size, 675);
  });

  it('an index is a schedule, every time', () => {
    const explorer = twinsExplorer({ rounds: 2 });
    for (const index of [0, 77, 674]) assert.deepEqual(explorer.explore(index), explorer.explore(index));
  });

  it('find nothing in the protocol in one round, and get beyond it', () => {
    const search = assertClean(twinsExplorer({ rounds: 1 }), 0, Infinity);
    const { schedules, of, withViewChange } = search.figures();
    assert.equal(schedules, of);
    assert.ok(withViewChange! > 10);
    assert.equal(search.goOn(), undefined);
  });
});
