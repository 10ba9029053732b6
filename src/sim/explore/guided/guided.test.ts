/** Guided search: lineages name schedules, what is new is noticed, children stay within the fault model. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Prng } from '../../../core/prng.ts';
import { runSchedule } from '../../run-schedule.ts';
import { drawScenario } from '../../scenario.ts';
import { GuidedSearch, lineageText, parseLineage, runLineage } from './guided.ts';
import { abstractState, Met, Reached } from './novelty.ts';
import { varied } from './vary.ts';

describe('guided search', () => {
  it('is the same for the same options, clean, and keeps what got to something new', () => {
    const figures = [1, 1].map((from) => {
      const search = new GuidedSearch({ from, budget: 40, share: 0.5 });
      while (search.advance());
      assert.deepEqual(search.findings, []);
      return search.figures();
    });
    assert.deepEqual(figures[0], figures[1]);
    const { children, kept, cells, newByChildren, newByDrawn, abstractStates } = figures[0]!;
    assert.ok(children! > 5 && kept! > 5);
    assert.equal(cells! + abstractStates!, newByChildren! + newByDrawn!);
  });

  it('a lineage is a schedule; that of a seed alone is the drawn one', () => {
    const lineage = parseLineage('7.12.99')!;
    assert.equal(lineageText(lineage), '7.12.99');
    assert.deepEqual(runLineage(lineage), runLineage(lineage));
    assert.equal(runLineage([7]).traceHash, runSchedule(7, { fidelity: 'core', short: true }).traceHash);
    for (const text of ['', '1.', 'x', '1..2', '-1']) assert.equal(parseLineage(text), undefined);
  });

  it('children differ from their parents in little, and never have more liars', () => {
    for (let seed = 0; seed < 60; seed += 1) {
      const scenario = drawScenario(seed, { short: true });
      const child = varied({ scenario, fired: [] }, new Prng(seed));
      assert.deepEqual(child, varied({ scenario, fired: [] }, new Prng(seed)));
      assert.equal(child.n, scenario.n);
      assert.equal(child.byzantine.length, scenario.byzantine.length);
      assert.ok(Math.abs(child.faults.length - scenario.faults.length) <= 3);
    }
  });

  it('abstract states know who is ahead, not who is who', () => {
    const look = {
      view: 0,
      mode: 'active',
      phase: 'running',
      sequence: 4,
      stable: 2,
      headerHash: '',
      peers: [],
    };
    const ahead = { ...look, sequence: 5, view: 3 };
    assert.equal(
      abstractState([look, ahead, undefined]),
      abstractState([undefined, { ...ahead, view: 9 }, look]),
    );
    assert.notEqual(abstractState([look, look]), abstractState([look, ahead]));
    const reached = new Reached();
    reached.trace({ rule: 'MinBFT.VC.2', passed: true });
    const met = new Met();
    assert.equal(met.add(reached), 1);
    assert.equal(met.add(reached), 0);
  });
});
