/** Searches as a whole: work in small pieces, findings, figures. What the command line drives, whatever the strategy. */
import type { Exploration, IndexedExplorer } from './explorer.ts';

/** One schedule that a judge objected to. */
export interface SearchFinding {
  /** What was done, in words. */
  readonly text: string;
  readonly judge: string;
  readonly atMs: number;
  readonly violation: string;
  /** The command that repeats it. */
  readonly reproduce: string;
}

/** See the top of this file. */
export interface Search {
  /** One piece of work; false, and nothing is done, if there is none left. */
  advance(): boolean;
  /** Schedules (or states) that judges objected to. */
  readonly violating: number;
  /** The first of them. */
  readonly findings: readonly SearchFinding[];
  /** Figures so far, by name. */
  figures(): Readonly<Record<string, number>>;
  /** Options with which a later search goes on where this one ended; undefined if it cannot or need not. */
  goOn(): string | undefined;
}

/** Findings that are kept in full. */
export const SEARCH_FINDINGS_MAX = 100;

/** The finding of a run, if it is one. */
export function findingOf({ text, result }: Exploration): SearchFinding | undefined {
  const [first] = result.violations;
  if (first === undefined) return undefined;
  return { text, judge: first.judge, atMs: first.atMs, violation: first.text, reproduce: result.reproduce };
}

/** Runs the schedules of an explorer in the order of their numbers. */
export class IndexedSearch implements Search {
  readonly #explorer: IndexedExplorer;
  readonly #end: number;
  readonly #fixed: string;
  readonly findings: SearchFinding[] = [];
  violating = 0;
  #next: number;
  #schedules = 0;
  #withViewChange = 0;
  #accused = 0;
  #committed = 0;
  #highestView = 0;

  /** `from`: the first number; `budget`: schedules at most; `fixed`: options that a later search needs too. */
  constructor(explorer: IndexedExplorer, from: number, budget: number, fixed = '') {
    this.#explorer = explorer;
    this.#fixed = fixed;
    this.#next = from;
    this.#end = Math.min(from + budget, explorer.size ?? Infinity);
  }

  advance(): boolean {
    if (this.#next >= this.#end) return false;
    const exploration = this.#explorer.explore(this.#next);
    const { stats, accused } = exploration.result;
    this.#next += 1;
    this.#schedules += 1;
    this.#committed += stats.committed;
    this.#highestView = Math.max(this.#highestView, stats.viewChanges);
    if (stats.viewChanges > 0) this.#withViewChange += 1;
    if (accused.length > 0) this.#accused += 1;
    const finding = findingOf(exploration);
    if (finding === undefined) return true;
    this.violating += 1;
    if (this.findings.length < SEARCH_FINDINGS_MAX) this.findings.push(finding);
    return true;
  }

  figures(): Readonly<Record<string, number>> {
    const { size } = this.#explorer;
    return {
      schedules: this.#schedules,
      ...(size === undefined ? {} : { of: size }),
      next: this.#next,
      withViewChange: this.#withViewChange,
      highestView: this.#highestView,
      withAccusation: this.#accused,
      committed: this.#committed,
    };
  }

  goOn(): string | undefined {
    const isDone = this.#next >= (this.#explorer.size ?? Infinity);
    return isDone ? undefined : `${this.#fixed}--from ${this.#next}`;
  }
}
