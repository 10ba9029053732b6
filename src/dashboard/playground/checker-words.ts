/** What the checkers say about a run, in words. */
import type { Playback } from '../../sim/playback/contract.ts';

/** One objection. */
interface Objection {
  readonly judge: string;
  readonly atMs: number;
  readonly text: string;
}

/** Everything that is said of the checkers. */
export interface CheckerLines {
  /** In a sentence. */
  readonly summary: string;
  /** In order of time. */
  readonly found: readonly Objection[];
  readonly quiet: readonly { readonly judge: string; readonly text: string }[];
  /** What the script expected and did not see, beyond what the checkers say anyway. */
  readonly unmet: readonly string[];
}

/** See the top of this file. */
export function checkerLines({ checkers, unmet }: Playback): CheckerLines {
  const found = checkers
    .flatMap(({ judge, found: objections }) => objections.map(({ atMs, text }) => ({ judge, atMs, text })))
    .sort((a, b) => a.atMs - b.atMs);
  const quiet = checkers.filter((checker) => checker.found.length === 0);
  const summary =
    found.length === 0
      ? `${checkers.length} checkers looked at this run and found nothing wrong.`
      : `${found.length === 1 ? 'A checker objects' : `Checkers object ${found.length} times`}, first ${found[0]!.judge}.`;
  return { summary, found, quiet, unmet: unmet.filter((line) => !line.startsWith('expected no violation')) };
}
