/** Coverage of the numbered rules (decision E6): which guards were seen to pass and to refuse. */
import type { RuleDescription } from '../../core/protocol.ts';
import type { RuleCount } from './tally.ts';

/** The accepted messages that a rule of VIEW-CHANGE, NEW-VIEW, base or anchor takes part in. */
const PASSED_WITH: readonly (readonly [RegExp, string])[] = [
  [/^MinBFT\.V\d$/, 'MinBFT.STEP.VIEW-CHANGE'],
  [/^MinBFT\.(N\d|BASE\.\d)$/, 'MinBFT.STEP.NEW-VIEW'],
  [/^MinBFT\.R\d$/, 'MinBFT.CKPT.2'],
  [/^MinBFT\.LINK\.\d$/, 'MinBFT.RECOVER.3'],
  [/^MinBFT\.STEP\.PRE\.\d$/, 'MinBFT.STEP.COMMIT'],
];

/** One rule with what was seen of it. */
export interface RuleCoverage extends RuleCount {
  readonly id: string;
  readonly kind: RuleDescription['kind'];
  readonly text: string;
}

/** What was seen of one rule. A message that is accepted passed every rule of its kind, though only the kind is traced. */
export function seenOf(counts: Readonly<Record<string, RuleCount>>, id: string): RuleCount {
  const own = counts[id] ?? { passed: 0, refused: 0 };
  const group = PASSED_WITH.find(([pattern]) => pattern.test(id))?.[1] ?? id.replace(/\.\d+$/, '');
  const together = id.startsWith('MinBFT.STEP.') || PASSED_WITH.some(([pattern]) => pattern.test(id));
  return together ? { ...own, passed: own.passed + (counts[group]?.passed ?? 0) } : own;
}

/** What was seen of every rule, in the order of the list. */
export function coverageOf(
  rules: readonly RuleDescription[],
  counts: Readonly<Record<string, RuleCount>>,
): RuleCoverage[] {
  return rules.map(({ id, kind, text }) => ({ id, kind, text, ...seenOf(counts, id) }));
}
