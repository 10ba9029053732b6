/**
 * The judges of the simulator against the catalogue: every mutant that must be noticed is noticed again where the report
 * says it was, every masked one stays unnoticed in its history, the original is clean in all of them, and every patch
 * still fits.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { GUIDED } from './guided/all.ts';
import type { Hunt } from './hunt.ts';
import { MUTANTS, mutantOf } from './mutants.ts';
import { OptionError, readOptions } from './options.ts';
import { HISTORY_SEEDS, historyHunt, hunt } from './runner.ts';
import type { MutantReport, Report } from './runner.ts';
import { THEMES } from './themes.ts';
import { mutantSummary, mutantTable, TABLE_END, TABLE_START } from './table.ts';

const report = JSON.parse(
  readFileSync(new URL('../../mutation-report.json', import.meta.url), 'utf8'),
) as Report;

/** Where to see a mutant noticed again: its history, or the drawn schedule of the report; and the one of its theme. */
function replaysOf({ id, history, drawn, themed }: MutantReport): Hunt[] {
  const replays: Hunt[] = [];
  if (history?.seed !== undefined)
    replays.push({ kind: 'guided', history: history.name, from: history.seed, count: 1 });
  else if (drawn?.seed !== undefined)
    replays.push({ kind: 'drawn', fidelity: drawn.fidelity, from: drawn.seed, count: 1 });
  if (themed?.seed !== undefined)
    replays.push({ kind: 'themed', theme: themed.theme, from: themed.seed, count: 1 });
  assert.ok(replays.length > 0, `the report knows no schedule that kills ${id}`);
  return replays;
}

describe('mutants', { concurrency: 2 }, () => {
  it('the original is clean in every constructed history, under every seed', async () => {
    for (const { hunt: where, seed, judge, text } of await hunt('', [...GUIDED.keys()].map(historyHunt)))
      assert.equal(judge, undefined, `${JSON.stringify(where)} seed ${seed}: ${judge}: ${text}`);
  });

  it('the report is of this catalogue, and every outcome in it is the expected one', () => {
    assert.deepEqual(
      report.mutants.map(({ id, expected, name }) => [id, expected, name]),
      MUTANTS.map(({ id, expected, name }) => [id, expected, name]),
      'mutation-report.json is of another catalogue: npm run mutants',
    );
    for (const { id, outcome, expected } of report.mutants)
      assert.equal(outcome, expected === 'killed' ? 'killed' : 'survived', id);
  });

  it('there are forty, and each of them is killed', () => {
    const numbered = MUTANTS.filter(({ id }) => /^M[0-9]+$/.test(id));
    const expected = Array.from({ length: 40 }, (_, index) => `M${String(index + 1).padStart(2, '0')}`);
    assert.deepEqual(
      numbered.map(({ id }) => id),
      expected,
    );
    for (const mutant of numbered) assert.equal(mutant.expected, 'killed', mutant.id);
  });

  for (const recorded of report.mutants) {
    const { id, expected, history } = recorded;
    if (expected === 'killed')
      it(`${id} ${recorded.name}: noticed`, async () => {
        for (const { hunt: where, judge } of await hunt(id, replaysOf(recorded)))
          assert.ok(
            judge !== undefined && judge !== 'crash',
            `${judge ?? 'no judge'} objects in ${JSON.stringify(where)}, where the report says that one does`,
          );
      });
    else if (history !== undefined)
      it(`${id} ${recorded.name}: masked, as documented`, async () => {
        const [found] = await hunt(id, [
          { kind: 'guided', history: history.name, from: 1, count: HISTORY_SEEDS },
        ]);
        assert.equal(found!.judge, undefined, found!.text);
      });
  }

  it('what is masked has an argument, and a control that is killed', () => {
    for (const { id, expected, control, remark } of MUTANTS) {
      if (expected === 'killed') continue;
      assert.ok(remark !== undefined && remark.length > 40, `${id} has no argument`);
      assert.equal(mutantOf(control ?? '')?.expected, 'killed', `${id} has no control`);
    }
  });

  it('docs/testing.md shows the report', () => {
    const text = readFileSync(new URL('../../docs/testing.md', import.meta.url), 'utf8');
    const plain = (part: string): string => part.replaceAll(/[ \n]+/g, ' ').replaceAll(/-{2,}/g, '-');
    const shown = plain(text.split(TABLE_START)[1]?.split(TABLE_END)[0] ?? '');
    for (const part of [mutantSummary(report), ...mutantTable(report).split('\n').slice(2)])
      assert.ok(shown.includes(plain(part)), `docs/testing.md lacks: ${part}`);
  });

  it('every patch fits its file exactly once', () => {
    for (const { id, patches } of MUTANTS)
      for (const { file, find } of patches) {
        const text = readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8');
        assert.equal(text.split(find).length - 1, 1, `mutant ${id}: the code in ${file} moved`);
      }
  });

  it('every history that is named exists, and every one that exists is used', () => {
    const used = new Set(MUTANTS.flatMap(({ history }) => (history === undefined ? [] : [history])));
    assert.deepEqual([...used].sort(), [...GUIDED.keys()].sort());
  });

  it('every theme that is named exists, and every one that exists is used', () => {
    const used = new Set(MUTANTS.flatMap(({ theme }) => (theme === undefined ? [] : [theme])));
    assert.deepEqual([...used].sort(), [...THEMES.keys()].sort());
  });

  it('a mutant that does not exist fails loudly', async () => {
    await assert.rejects(hunt('no-such-mutant', [historyHunt('late-commit')]), /no mutant is called/);
  });

  it('options that cannot be are refused in words', () => {
    assert.equal(readOptions(['--only', 'M07']).only?.size, 2);
    for (const wrong of [['--drawn', 'many'], ['--only', 'M99'], ['--jobs', '0'], ['--fast']])
      assert.throws(() => readOptions(wrong), OptionError);
  });
});
