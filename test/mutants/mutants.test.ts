/**
 * The judges of the simulator against the ten removals: each must be noticed by a judge in its constructed history, the
 * original must stay clean in all of them, and `report.json` must say what is found here.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { GUIDED } from './guided/all.ts';
import { GUIDED_SEEDS, MUTANTS } from './mutants.ts';
import { examine, hunt } from './runner.ts';
import type { MutantReport } from './runner.ts';

const report = JSON.parse(readFileSync(new URL('./report.json', import.meta.url), 'utf8')) as {
  readonly mutants: readonly MutantReport[];
};

describe('mutants', () => {
  it('the original is clean in every constructed history', async () => {
    const histories = [...GUIDED.keys()].map(
      (scenario) => ({ kind: 'guided', scenario, ...GUIDED_SEEDS }) as const,
    );
    for (const { scenario, seed, violation } of await hunt('', histories))
      assert.equal(violation, undefined, `${scenario} seed ${seed}: ${violation?.judge}: ${violation?.text}`);
  });

  it('there are ten removals', () => {
    const numbers = MUTANTS.filter(({ expected }) => expected === 'killed').map(({ number }) => number);
    assert.deepEqual(numbers, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });

  for (const mutant of MUTANTS) {
    const noticed = mutant.expected === 'killed';
    it(`${mutant.number} ${mutant.id}: ${noticed ? 'a judge notices' : 'masked, as documented'}`, async () => {
      const found = await examine(mutant, 0);
      assert.equal(found.outcome, noticed ? 'killed' : 'survived');
      const recorded = report.mutants.find(({ id }) => id === mutant.id);
      assert.ok(recorded !== undefined, 'report.json is of another list of mutants: npm run mutants');
      assert.equal(found.judge, recorded.judge, 'report.json names another judge: npm run mutants');
    });
  }

  it('every patch fits its file exactly once', () => {
    for (const { id, patches } of MUTANTS)
      for (const { file, find } of patches) {
        const text = readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8');
        assert.equal(text.split(find).length - 1, 1, `mutant ${id}: the code in ${file} moved`);
      }
  });

  it('a mutant that does not exist fails loudly', async () => {
    await assert.rejects(hunt('no-such-mutant', []), /no mutant is called/);
  });
});
