/** What came of judging evidence: a list of checks, in words that a person can act on. */

/** One check. */
export interface Check {
  /** Name of the check; the list is in docs/attestation.md. */
  readonly check: string;
  readonly passed: boolean;
  /** What was there. */
  readonly found: string;
  /** What would have been right. */
  readonly expected: string;
  /** What to do about it; empty where the check passed. */
  readonly advice: string;
}

/** See the top of this file. */
export interface Verdict {
  readonly accepted: boolean;
  readonly checks: readonly Check[];
}

/** A check with its outcome; the advice is kept only where it is needed. */
export function checkOf(
  check: string,
  passed: boolean,
  found: string,
  expected: string,
  advice: string,
): Check {
  return { check, passed, found, expected, advice: passed ? '' : advice };
}

/** Accepted if nothing failed. No checks at all prove nothing. */
export function verdictOf(checks: readonly Check[]): Verdict {
  return { accepted: checks.length > 0 && checks.every(({ passed }) => passed), checks };
}

/** The verdict as lines for a person: what passed in short, what failed with what to do. */
export function verdictLines(verdict: Verdict): string[] {
  return verdict.checks.flatMap(({ check, passed, found, expected, advice }) =>
    passed
      ? [`passed  ${check}: ${found}`]
      : [`FAILED  ${check}: found ${found}, expected ${expected}`, `        ${advice}`],
  );
}

/** The first thing that failed, as one sentence. */
export function refusalOf(verdict: Verdict): string {
  const failed = verdict.checks.find(({ passed }) => !passed);
  if (failed === undefined) return 'there is nothing to judge';
  return `check "${failed.check}" failed: found ${failed.found}, expected ${failed.expected}. ${failed.advice}`;
}
