/**
 * `npm run mutants`: sends the original and every mutant through the constructed histories and through drawn schedules
 * (default 100, or the number given), prints a table and writes `report.json`. Exits 1 if an outcome is not the
 * expected one.
 */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { format } from 'prettier';
import { GUIDED } from './guided/all.ts';
import { GUIDED_SEEDS, MUTANTS } from './mutants.ts';
import { examine, hunt } from './runner.ts';
import type { MutantReport } from './runner.ts';

const drawn = Number(process.argv[2] ?? 100);
let wrong = 0;

const histories = [...GUIDED.keys()].map(
  (scenario) => ({ kind: 'guided', scenario, ...GUIDED_SEEDS }) as const,
);
const random = drawn > 0 ? [{ kind: 'drawn', from: 1, count: drawn } as const] : [];
const original = await hunt('', [...histories, ...random]);
for (const { scenario, seed, violation } of original) {
  if (violation === undefined) continue;
  wrong += 1;
  console.log(`original: ${scenario ?? 'drawn'} seed ${seed}: ${violation.judge}: ${violation.text}`);
}
console.log(`original  ${original.reduce((sum, one) => sum + one.schedules, 0)} schedules`);

const mutants: MutantReport[] = [];
for (const mutant of MUTANTS) {
  const report = await examine(mutant, drawn);
  mutants.push(report);
  const { outcome, expected, judge, schedules, scenario } = report;
  const isRight = outcome === (expected === 'killed' ? 'killed' : 'survived');
  if (!isRight) wrong += 1;
  const drawnText =
    report.drawn === undefined
      ? ''
      : report.drawn.seed === undefined
        ? `${report.drawn.schedules} drawn: nothing`
        : `drawn seed ${report.drawn.seed}: ${report.drawn.judge}`;
  console.log(
    `${isRight ? 'ok   ' : 'WRONG'} ${mutant.id.padEnd(26)} ${outcome.padEnd(9)} ${scenario} ` +
      `after ${schedules}${judge === undefined ? '' : ` by ${judge}`}; ${drawnText}`,
  );
}

const report = {
  original: original.map(({ scenario, schedules, violation }) => ({
    scenario: scenario ?? 'drawn',
    schedules,
    clean: violation === undefined,
  })),
  mutants,
};
const path = fileURLToPath(new URL('./report.json', import.meta.url));
writeFileSync(path, await format(JSON.stringify(report), { parser: 'json', printWidth: 110 }));
process.exitCode = wrong === 0 ? 0 : 1;
