/** What the pages of the trusted programs say about sizes is counted. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { FOOTPRINTS } from '../src/footprints/catalogue.ts';
import { PROGRAMS } from '../src/trusted/programs/catalogue.ts';

const script = new URL('../scripts/count-trusted.mjs', import.meta.url).href;
const { comparison, COMPARISON_PAGE, pages, SIZE_PATTERN, sizeLine } = (await import(script)) as {
  readonly comparison: (text: string) => string;
  readonly COMPARISON_PAGE: string;
  readonly pages: () => readonly { readonly program: string; readonly path: string }[];
  readonly SIZE_PATTERN: RegExp;
  readonly sizeLine: (program: string) => string;
};

for (const { program, path } of pages()) {
  test(`sizes on the page of ${program} are those of its source and module`, () => {
    const said = SIZE_PATTERN.exec(readFileSync(path, 'utf8'))?.[0];
    assert.equal(said, sizeLine(program), 'run `node scripts/count-trusted.mjs --write`');
  });
}

test('the page that compares programs and footprints has all of them, with sizes that are counted', () => {
  const text = readFileSync(COMPARISON_PAGE, 'utf8');
  assert.equal(text, comparison(text), 'run `node scripts/count-trusted.mjs --write`');
  for (const { name } of PROGRAMS) assert.match(text, new RegExp(`^\\| \\[${name}\\]\\(trusted/`, 'm'));
  for (const { name, scenario } of FOOTPRINTS)
    assert.match(text, new RegExp(`^\\| (\\[)?\`${name}\`[^|]*\\| ${scenario} `, 'm'));
});
