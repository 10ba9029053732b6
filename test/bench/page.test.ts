import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { bestOf, lossesOf } from './judge-ratios.ts';
import { fill, render } from './page.ts';
import type { KeptResults } from './page.ts';
import { SECTIONS } from './sections.ts';

const docs = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'docs');
const page = readFileSync(join(docs, 'benchmarks.md'), 'utf8');
const results = readFileSync(join(docs, 'benchmarks', 'results.json'), 'utf8');

test('tables and plots of the page are those of the kept results', () => {
  const { blocks, plots } = render(JSON.parse(results) as KeptResults);
  for (const [name, svg] of plots)
    assert.equal(
      readFileSync(join(docs, 'benchmarks', `${name}.svg`), 'utf8'),
      svg,
      `${name}.svg: npm run bench -- --render`,
    );
  // Prettier aligns tables: only the words count here.
  const words = (text: string): string => text.replace(/[\s|-]+/g, ' ');
  assert.equal(words(fill(page, blocks)), words(page), 'npm run bench -- --render');
});

test('without results the page says how to get them', () => {
  const { blocks, plots } = render({});
  assert.equal(plots.size, 0);
  assert.deepEqual([...blocks.keys()], [...SECTIONS]);
  for (const block of blocks.values()) assert.match(block, /Not measured yet/);
});

test('only what stands between the marks is replaced, and a page without marks is an error', () => {
  const text = 'before\n<!-- measured: ycsb -->old<!-- end of ycsb -->\nafter';
  assert.equal(
    fill(text, new Map([['ycsb', 'new']])),
    'before\n<!-- measured: ycsb -->\n\nnew\n\n<!-- end of ycsb -->\nafter',
  );
  assert.throws(() => fill(text, new Map([['soak', 'new']])), /no marks for soak/);
});

test('the gate fails where more than 30 % of a ratio is lost, or a point is missing', () => {
  const kept = { a: 0.1, b: 0.2 };
  assert.deepEqual(lossesOf(kept, { a: 0.0701, b: 0.5 }), []);
  assert.match(
    lossesOf(kept, { a: 0.0699, b: 0.2 }).join(),
    /^a: 6.99 % of the floor, before 10.00 %: 30 % lost$/,
  );
  assert.match(lossesOf(kept, { a: Number.NaN, b: 0.2 }).join(), /^a/);
  assert.deepEqual(lossesOf(kept, { a: 0.1 }), ['b is kept, but was not measured']);
  assert.deepEqual(lossesOf(kept, { a: 0.1, b: 0.2, c: 1 }), ['c was measured, but is not kept (--write)']);
  assert.deepEqual(
    bestOf([
      { a: 0.01, b: 0.2 },
      { a: 0.1, b: 0.1 },
    ]),
    kept,
  );
});
