/** Mutants of the family: six and more for each protocol, each noticed, as the report says. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { PROTOCOLS } from '../../../src/protocols/catalogue.ts';
import { FAMILY_MUTANTS } from './mutants.ts';
import { huntDrawn } from './run.ts';
import { FAMILY_END, FAMILY_START, familyTable } from './table.ts';
import type { FamilyOutcome } from './table.ts';

const read = (file: string): string => readFileSync(new URL(`../../../${file}`, import.meta.url), 'utf8');
const report = JSON.parse(read('family-mutation-report.json')) as FamilyOutcome[];

describe('mutants of the family', { concurrency: 2 }, () => {
  it('there are at least six for each protocol but MinBFT', () => {
    for (const { name } of PROTOCOLS) {
      if (name === 'minbft') continue;
      const count = FAMILY_MUTANTS.filter(({ protocol }) => protocol === name).length;
      assert.ok(count >= 6, `${name} has ${count}`);
    }
  });

  it('every patch fits its file exactly once', () => {
    for (const { id, patches } of FAMILY_MUTANTS)
      for (const { file, find } of patches)
        assert.equal(read(file).split(find).length - 1, 1, `mutant ${id}: the code in ${file} moved`);
  });

  it('the report is of this catalogue, and each mutant was noticed', () => {
    assert.deepEqual(
      report.map(({ id, removes }) => [id, removes]),
      FAMILY_MUTANTS.map(({ id, removes }) => [id, removes]),
      'npm run mutants:family',
    );
    for (const { id, drawn, test } of report) assert.ok(drawn !== undefined || test !== undefined, id);
  });

  it('docs/testing.md shows the report', () => {
    const plain = (part: string): string => part.replaceAll(/[ \n]+/g, ' ').replaceAll(/-{2,}/g, '-');
    const shown = read('docs/testing.md').split(FAMILY_START)[1]?.split(FAMILY_END)[0] ?? '';
    for (const row of familyTable(report).split('\n').slice(4))
      assert.ok(plain(shown).includes(plain(row)), row);
  });

  for (const { id, protocol, drawn } of report)
    if (drawn !== undefined)
      it(`${id}: noticed again in the schedule of the report`, async () => {
        const found = await huntDrawn({ id, protocol }, drawn.theme, drawn.seed, 1);
        assert.ok(found !== undefined, `no judge objects in seed ${drawn.seed}`);
      });
});
