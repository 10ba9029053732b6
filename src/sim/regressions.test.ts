/**
 * Schedules that once found a bug, each with what it was. They are kept as they were drawn then (`regressions/*.json`),
 * so that a change of the draw does not make them mean something else. They must stay clean.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { runScenario } from './run-schedule.ts';
import type { Fidelity } from './run-schedule.ts';
import type { Scenario } from './scenario.ts';

interface Found {
  readonly bug: string;
  readonly fidelity?: Fidelity;
  readonly scenario: Scenario;
}

const FOLDER = new URL('./regressions/', import.meta.url);
const FILES = readdirSync(FOLDER).sort();

describe('schedules that found a bug', () => {
  for (const file of FILES) {
    const text = readFileSync(new URL(file, FOLDER), 'utf8');
    const { bug, scenario, fidelity } = JSON.parse(text) as Found;
    it(`${file}: ${bug}`, () => {
      assert.deepEqual(runScenario(scenario, { fidelity: fidelity ?? 'whole' }).violations, []);
    });
  }
  it('all of them are there', () => assert.equal(FILES.length, 9));
});
