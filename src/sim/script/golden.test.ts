/** Every script of `scenarios/` shows what it says it shows, under its own seed and under two others. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { parseScript } from './parse.ts';
import { printScript } from './print.ts';
import { runScript } from './run.ts';

const folder = new URL('../../../scenarios/', import.meta.url);
/** Those of `guards/` show one rule each: one other seed is enough for them. */
const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.txt'))
  .sort();
const isOfGuards = (file: string): boolean => file.startsWith('guards/');
const read = (file: string): string => readFileSync(new URL(file, folder), 'utf8');

describe('scenarios', () => {
  it('are named like their files, tell a story and are printed back to the same script', () => {
    assert.ok(files.length >= 3);
    for (const file of files) {
      const script = parseScript(read(file));
      assert.equal(`${script.name}.txt`, file.replace('guards/', ''));
      assert.ok(script.story.join(' ').length > 80, `${file} tells no story`);
      const again = parseScript(printScript(script));
      assert.deepEqual(
        { ...again, steps: again.steps.map(({ step }) => step) },
        { ...script, steps: script.steps.map(({ step }) => step) },
      );
    }
  });

  for (const file of files)
    it(file, () => {
      const script = parseScript(read(file));
      // Steps wait for what happens, so another seed, which moves delays, tells the same story.
      const more = isOfGuards(file) ? [1] : [1, 2];
      const others = script.steps.length > 0 ? more : [];
      for (const seed of [script.scenario.seed, ...others.map((one) => script.scenario.seed + one)])
        assert.deepEqual(runScript(script, { seed }).unmet, [], `seed ${seed}`);
    });

  it('run twice give the same trace', () => {
    for (const file of files.filter((one) => !isOfGuards(one))) {
      const script = parseScript(read(file));
      assert.equal(runScript(script).result.traceHash, runScript(script).result.traceHash, file);
    }
  });
});
