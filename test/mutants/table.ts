/** The table of `docs/testing.md`, made of the report. */
import type { Found, MutantReport, Report } from './runner.ts';

/** What stands before and after the table in the document. */
export const TABLE_START = '<!-- mutants: made by npm run mutants -->';
export const TABLE_END = '<!-- end of mutants -->';

function foundBy(found: (Found & { readonly name?: string }) | undefined): string {
  if (found === undefined) return '-';
  const { judge, schedules, name } = found;
  const place = name === undefined ? '' : `\`${name}\`: `;
  return judge === undefined ? `${place}nothing in ${schedules}` : `${place}${judge}, ${schedules}`;
}

function rowOf(report: MutantReport): string {
  const { id, removes, drawn, themed, history, expected } = report;
  const fidelity = drawn?.fidelity === 'whole' ? ' (whole)' : '';
  const named = themed && { ...themed, name: themed.theme };
  const masked = expected === 'masked' ? ' _Masked._' : '';
  return `| ${id} | ${removes}.${masked} | ${foundBy(drawn)}${fidelity} | ${foundBy(named)} | ${foundBy(history)} |`;
}

/** Rows of the table, header first. */
export function mutantTable(report: Report): string {
  const header =
    '| id | removed | drawn schedules: judge, after how many | drawn under a theme | history: judge, after how many |';
  return [header, '| - | - | - | - | - |', ...report.mutants.map(rowOf)].join('\n');
}

/** How many are killed by drawn schedules, plain or of a theme, how many by their history alone, how many are masked. */
export function mutantSummary(report: Report): string {
  const count = (fits: (one: MutantReport) => boolean): number => report.mutants.filter(fits).length;
  const numbered = ({ id }: MutantReport): boolean => /^M[0-9]+$/.test(id);
  const drawn = count((one) => numbered(one) && one.by === 'drawn');
  const themed = count((one) => numbered(one) && one.by === 'theme');
  const history = count((one) => numbered(one) && one.by === 'history');
  const masked = count(({ expected }) => expected === 'masked');
  return (
    `Of M01 to M40, ${drawn} were noticed by plain draws, ${themed} more by draws under a theme and ${history} by their ` +
    `history alone; ` +
    `${masked} parts of mutants are masked.`
  );
}
