/** What the pages of the trusted programs say about sizes is counted. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

const script = new URL('../scripts/count-trusted.mjs', import.meta.url).href;
const { pages, SIZE_PATTERN, sizeLine } = (await import(script)) as {
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
