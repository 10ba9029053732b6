/** The shrinker, on failures that are known, and on a real one: a component whose memory was copied. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Fired } from '../chance.ts';
import type { Violation } from '../judge.ts';
import { runScenario } from '../run-schedule.ts';
import { drawScenario } from '../scenario.ts';
import type { Scenario } from '../scenario.ts';
import { scriptOf } from '../script/of-scenario.ts';
import { parseScript } from '../script/parse.ts';
import { printScript } from '../script/print.ts';
import { runScript } from '../script/run.ts';
import { least, minimize } from './minimize.ts';
import { shrink } from './shrink.ts';

const VIOLATION: Violation = { judge: 'agreement', atMs: 400, text: 'as wanted' };

describe('shrinking', () => {
  it('minimize keeps exactly what is needed, in order, within n log n questions for a few items', () => {
    const items = Array.from({ length: 200 }, (_, index) => index);
    for (const needed of [[], [7], [3, 150], [0, 99, 199], [10, 11, 12, 13]]) {
      let asked = 0;
      const kept = minimize(items, (candidate) => {
        asked += 1;
        return needed.every((item) => candidate.includes(item));
      });
      assert.deepEqual(kept, needed);
      assert.ok(asked < 200, `${asked} questions for ${needed.length} items`);
    }
  });

  it('minimize removes single items only if nothing else can go', () => {
    const odd = minimize([1, 2, 3, 4, 5, 6], (kept) => kept.filter((item) => item % 2 === 1).length >= 2);
    assert.equal(odd.length, 2);
  });

  it('least finds the least value', () => {
    assert.equal(
      least(1, 100, (value) => value >= 37),
      37,
    );
    assert.equal(
      least(1, 1, () => true),
      1,
    );
  });

  it('finds the one loss, the one fault and the one lie that matter', () => {
    const drawn = drawScenario(12, { replicas: 5, faults: ['network', 'crash', 'isolate', 'byzantine'] });
    const scenario: Scenario = {
      ...drawn,
      network: { ...drawn.network, loss: 0.1, duplication: 0.1 },
      byzantine: [
        { replica: 3, behaviour: 'replay' },
        { replica: 4, behaviour: 'silent' },
      ],
      faults: [
        { kind: 'crash', atMs: 100.5, forMs: 80, target: { kind: 'replica', id: 1 } },
        { kind: 'pause', atMs: 150, forMs: 30.25, target: { kind: 'primary' } },
        { kind: 'isolate', atMs: 200, forMs: 20, target: { kind: 'replica', id: 2 } },
      ],
    };
    // What is looked for: a pause of at least 10 ms, a liar that replays, and one particular kind of loss.
    const run = (candidate: Scenario, onFired?: (fired: Fired) => void): readonly Violation[] => {
      let lost = 0;
      let hits = 0;
      runScenario(
        {
          ...candidate,
          calmMs: Math.min(candidate.calmMs, 150),
          settleMs: 1,
          clients: candidate.clients.slice(0, 1),
        },
        {
          fidelity: 'core',
          onFired: (fired) => {
            onFired?.(fired);
            lost += 1;
            if (fired.family === 2 && fired.ordinal === 1) hits += 1;
          },
        },
      );
      const paused = candidate.faults.some(({ kind, forMs }) => kind === 'pause' && forMs >= 10);
      const replays = candidate.byzantine.some(({ behaviour }) => behaviour === 'replay');
      return paused && replays && hits > 0 && lost > 0 ? [VIOLATION] : [];
    };
    const found = shrink(scenario, { run, budget: 1_500 })!;
    assert.deepEqual(
      found.scenario.faults.map(({ kind, forMs }) => [kind, forMs]),
      [['pause', 10]],
    );
    assert.deepEqual(
      found.scenario.byzantine.map(({ behaviour }) => behaviour),
      ['replay'],
    );
    assert.equal(found.scenario.fires?.length, 1);
    assert.equal(found.scenario.clients.length, 1);
    assert.ok(found.after < found.before / 4, `${found.before} parts became ${found.after}`);
    assert.deepEqual(shrink(scenario, { run, budget: 1_500 }), found, 'the same again');
  });

  it('does nothing for a schedule that does not fail, and stays within its budget', () => {
    const clean = drawScenario(1, { replicas: 3, faults: [] });
    assert.equal(shrink(clean, { run: () => [], budget: 10 }), undefined);
    let runs = 0;
    const always = (): readonly Violation[] => {
      runs += 1;
      return [VIOLATION];
    };
    shrink(drawScenario(3), { run: always, budget: 25 });
    assert.ok(runs <= 30);
  });

  it('turns a fork by a copied component into a script of a few lines', () => {
    const words = { name: 'fork', story: [], judges: 'outcomes' } as const;
    for (const fidelity of ['whole', 'core'] as const) {
      const drawn = drawScenario(2, { fork: 'snapshot' });
      const play = (scenario: Scenario, onFired?: (fired: Fired) => void): readonly Violation[] => {
        const script = scriptOf(scenario, { ...words, fidelity, expect: [] });
        return runScript(script, onFired === undefined ? {} : { onFired }).result.violations;
      };
      const found = shrink(drawn, { run: play, budget: 300 });
      assert.equal(found?.violation.judge, 'agreement');
      const expect = [{ kind: 'violation', judge: 'agreement' } as const];
      const text = printScript(scriptOf(found.scenario, { ...words, fidelity, expect }));
      assert.ok(text.split('\n').length <= 20, text);
      assert.deepEqual(runScript(parseScript(text)).unmet, []);
    }
  });
});
