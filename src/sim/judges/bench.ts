/** Where judges put what must not happen. */

/** Names of the judges; docs/testing.md says what each of them objects to. */
export type JudgeName =
  | 'agreement'
  | 'validity'
  | 'exactly-once'
  | 'checkpoint'
  | 'reply'
  | 'durability'
  | 'accusation'
  | 'self-acceptance'
  | 'start'
  | 'bounds'
  | 'liveness'
  | 'client'
  | 'crash'
  | 'execution'
  | 'real-time'
  | 'linearizability'
  | 'chain'
  | 'receipt'
  | 'stream'
  | 'view'
  | 'view-change'
  | 'progress'
  | 'inside'
  | 'stability';

/** One thing that must not happen. */
export interface Violation {
  readonly judge: JudgeName;
  readonly atMs: number;
  readonly text: string;
}

/** Violations kept of one run: the first ones tell the story. */
const VIOLATIONS_MAX = 20;

/** See the top of this file. */
export class Bench {
  readonly #now: () => number;
  readonly #muted: ReadonlySet<JudgeName>;
  readonly violations: Violation[] = [];

  /** `muted`: judges that nobody listens to. */
  constructor(now: () => number, muted: readonly JudgeName[] = []) {
    this.#now = now;
    this.#muted = new Set(muted);
  }

  report(judge: JudgeName, text: string): void {
    if (this.violations.length >= VIOLATIONS_MAX || this.#muted.has(judge)) return;
    this.violations.push({ judge, atMs: this.#now(), text });
  }
}
