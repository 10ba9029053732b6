/** The table of docs/testing.md about mutants of the family. */

/** How schedules are drawn. */
export type Theme = 'drawn' | 'split';

/** What came of one mutant. */
export interface FamilyOutcome {
  readonly id: string;
  readonly protocol: string;
  readonly removes: string;
  readonly rules: readonly string[];
  /** A drawn schedule in which a judge of the simulator objects. */
  readonly drawn?: { readonly theme: Theme; readonly seed: number; readonly judge: string };
  /** Otherwise: a test of the protocol that fails. */
  readonly test?: string;
}

export const FAMILY_START = '<!-- mutants of the family: made by npm run mutants:family -->';
export const FAMILY_END = '<!-- end of mutants of the family -->';

/** One row for each mutant. */
export function familyTable(report: readonly FamilyOutcome[]): string {
  const rows = report.map(({ id, removes, rules, drawn, test }) => {
    const noticed =
      drawn !== undefined
        ? `${drawn.theme === 'split' ? 'split twins, ' : ''}seed ${drawn.seed}, judge ${drawn.judge}`
        : (test ?? 'by nothing').replaceAll('|', '/');
    return `| \`${id}\` | ${removes} | ${rules.join(', ')} | ${noticed} |`;
  });
  const drawn = report.filter((one) => one.drawn !== undefined).length;
  return [
    `${drawn} of ${report.length} were noticed by judges in drawn schedules, the others by a test of their protocol.`,
    '',
    '| mutant | what is removed | rules | noticed by |',
    '| --- | --- | --- | --- |',
    ...rows,
  ].join('\n');
}
