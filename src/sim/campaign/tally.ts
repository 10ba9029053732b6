/**
 * What a campaign adds up over its schedules: verdicts, coverage of the numbered rules and of (state, message, verdict)
 * cells, recoveries. Plain data, so that it travels between processes, rests in a file and is merged with others.
 */
import type { RuleTrace } from '../../core/protocol.ts';
import type { BudgetSummary, Fidelity, ScheduleResult } from '../run-schedule.ts';
import { addToSummary, EMPTY_SUMMARY, joinSummaries } from '../run-schedule.ts';

/** How often a numbered rule let something pass and refused something. */
export interface RuleCount {
  readonly passed: number;
  readonly refused: number;
}

/** One schedule that a judge objected to. */
export interface Finding {
  readonly fidelity: Fidelity;
  readonly seed: number;
  readonly judge: string;
  readonly atMs: number;
  readonly text: string;
  /** The command that repeats it. */
  readonly reproduce: string;
}

/** Time from the end of the faults to the end of everything, of the slowest schedule. */
export interface Recovery {
  readonly fidelity: Fidelity;
  readonly seed: number;
  readonly ms: number;
  readonly reproduce: string;
}

/** Sums of one fidelity. */
export interface FidelityTally {
  readonly summary: BudgetSummary;
  /** CPU time of the processes that ran them, milliseconds. */
  readonly cpuMs: number;
}

/** See the top of this file. */
export interface Tally {
  readonly byFidelity: Readonly<Record<Fidelity, FidelityTally>>;
  /** Rule id -> counts, of the traced schedules. */
  readonly rules: Readonly<Record<string, RuleCount>>;
  /** `state|message|rule|verdict` -> count, of the traced schedules. */
  readonly cells: Readonly<Record<string, number>>;
  /** Schedules whose rules were traced. */
  readonly traced: number;
  /** Rules under which Byzantine replicas were accused -> schedules. */
  readonly accusations: Readonly<Record<string, number>>;
  readonly findings: readonly Finding[];
  readonly slowest: Recovery | undefined;
  /** Schedules by seconds from the end of the faults to the end of everything; the last bucket is open. */
  readonly recoverySeconds: readonly number[];
}

/** Findings that are kept in full; further ones are only counted (in `violating`). */
const FINDINGS_MAX = 200;
/** Upper ends of the buckets of recovery times, seconds. */
export const RECOVERY_BUCKETS = [0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 40, Infinity] as const;

const NOTHING: FidelityTally = { summary: EMPTY_SUMMARY, cpuMs: 0 };

/** Nothing ran yet. */
export const EMPTY_TALLY: Tally = {
  byFidelity: { core: NOTHING, whole: NOTHING },
  rules: {},
  cells: {},
  traced: 0,
  accusations: {},
  findings: [],
  slowest: undefined,
  recoverySeconds: RECOVERY_BUCKETS.map(() => 0),
};

/** Adds up schedules one by one; cheap enough for thousands a second. */
export class TallyKeeper {
  readonly #fidelity: Fidelity;
  readonly #rules = new Map<string, { passed: number; refused: number }>();
  readonly #cells = new Map<string, number>();
  readonly #accusations = new Map<string, number>();
  readonly #findings: Finding[] = [];
  readonly #recoverySeconds: number[] = RECOVERY_BUCKETS.map(() => 0);
  #summary: BudgetSummary = EMPTY_SUMMARY;
  #slowest: Recovery | undefined;
  #traced = 0;

  constructor(fidelity: Fidelity) {
    this.#fidelity = fidelity;
  }

  /** Listener for the rules of a schedule. */
  readonly trace = ({ rule, passed, about, state }: RuleTrace): void => {
    const count = this.#rules.get(rule) ?? { passed: 0, refused: 0 };
    if (passed) count.passed += 1;
    else count.refused += 1;
    this.#rules.set(rule, count);
    const cell = `${state ?? '-'}|${about ?? '-'}|${rule}|${passed ? 'passed' : 'refused'}`;
    this.#cells.set(cell, (this.#cells.get(cell) ?? 0) + 1);
  };

  /** One schedule more. */
  add(result: ScheduleResult, traced: boolean): void {
    const { seed, violations, reproduce, accused } = result;
    const fidelity = this.#fidelity;
    this.#summary = addToSummary(this.#summary, result);
    if (traced) this.#traced += 1;
    const [first] = violations;
    if (first !== undefined && this.#findings.length < FINDINGS_MAX) {
      const { judge, atMs, text } = first;
      this.#findings.push({ fidelity, seed, judge, atMs, text, reproduce });
    }
    for (const { rules } of accused)
      for (const rule of rules) this.#accusations.set(rule, (this.#accusations.get(rule) ?? 0) + 1);
    const { timeToRecoverMs: ms } = result.stats;
    if (ms === undefined || first !== undefined) return;
    const bucket = RECOVERY_BUCKETS.findIndex((end) => ms <= end * 1000);
    this.#recoverySeconds[bucket]! += 1;
    if (this.#slowest === undefined || ms > this.#slowest.ms)
      this.#slowest = { fidelity, seed, ms, reproduce };
  }

  /** What was added up so far. */
  tally(cpuMs: number): Tally {
    const own = { summary: this.#summary, cpuMs };
    return {
      byFidelity: { ...EMPTY_TALLY.byFidelity, [this.#fidelity]: own },
      rules: Object.fromEntries([...this.#rules].map(([rule, count]) => [rule, { ...count }])),
      cells: Object.fromEntries(this.#cells),
      traced: this.#traced,
      accusations: Object.fromEntries(this.#accusations),
      findings: this.#findings,
      slowest: this.#slowest,
      recoverySeconds: this.#recoverySeconds,
    };
  }
}

/** Two tallies together: of two workers, two machines, or before and after a break. */
export function joinTallies(a: Tally, b: Tally): Tally {
  const join = (fidelity: Fidelity): FidelityTally => ({
    summary: joinSummaries(a.byFidelity[fidelity].summary, b.byFidelity[fidelity].summary),
    cpuMs: a.byFidelity[fidelity].cpuMs + b.byFidelity[fidelity].cpuMs,
  });
  const slowest = (a.slowest?.ms ?? -1) >= (b.slowest?.ms ?? -1) ? a.slowest : b.slowest;
  return {
    byFidelity: { core: join('core'), whole: join('whole') },
    rules: joinRecords(a.rules, b.rules, (x, y) => ({
      passed: x.passed + y.passed,
      refused: x.refused + y.refused,
    })),
    cells: joinRecords(a.cells, b.cells, (x, y) => x + y),
    traced: a.traced + b.traced,
    accusations: joinRecords(a.accusations, b.accusations, (x, y) => x + y),
    findings: [...a.findings, ...b.findings]
      .sort((x, y) => x.fidelity.localeCompare(y.fidelity, 'en') || x.seed - y.seed)
      .slice(0, FINDINGS_MAX),
    slowest,
    recoverySeconds: a.recoverySeconds.map((count, bucket) => count + (b.recoverySeconds[bucket] ?? 0)),
  };
}

function joinRecords<V>(
  a: Readonly<Record<string, V>>,
  b: Readonly<Record<string, V>>,
  sum: (x: V, y: V) => V,
): Record<string, V> {
  const joined = new Map(Object.entries(a));
  for (const [key, value] of Object.entries(b)) {
    const known = joined.get(key);
    joined.set(key, known === undefined ? value : sum(known, value));
  }
  return Object.fromEntries([...joined].sort(([x], [y]) => (x < y ? -1 : 1)));
}
