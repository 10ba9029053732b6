/**
 * Plays scripts in a process of its own, with or without a mistake in the product (`test/mutants/apply.ts`), and prints
 * what was not as expected as one line of JSON. Arguments: the files; the mistake is named by MOIETY_MUTANT.
 */
import { readFileSync } from 'node:fs';
import { parseScript } from '../../src/sim/script/parse.ts';
import { runScript } from '../../src/sim/script/run.ts';

/** Seeds from that of the script on; steps wait for what happens, planned times fit one seed only. */
const MORE = [0, 1, 2, 3, 4];

const mistake = process.env['MOIETY_MUTANT'] ?? '';
const unmet = process.argv.slice(2).flatMap((file) => {
  const script = parseScript(readFileSync(file, 'utf8'));
  const seeds = script.steps.length > 0 ? MORE : [0];
  return seeds.flatMap((more) => {
    const options = { seed: script.scenario.seed + more, ...(mistake === '' ? {} : { mistake }) };
    return runScript(script, options).unmet.map((text) => `${script.name}, seed ${options.seed}: ${text}`);
  });
});
process.stdout.write(`${JSON.stringify(unmet)}\n`);
