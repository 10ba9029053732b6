/**
 * Makes a failing schedule small: fewer replicas, clients, requests, faults, lies and decisions of chance, plainer
 * values, a shorter run. A step is kept only if the same judge objects; every step is tried by running the schedule, so
 * what is left fails for sure. Deterministic: the same schedule and budget give the same result.
 */
import type { Fired } from '../chance.ts';
import type { JudgeName, Violation } from '../judge.ts';
import type { Scenario } from '../scenario.ts';
import { least, minimize } from './minimize.ts';
import { plainer, rounded, withoutField } from './plainer.ts';
import { smallerWorlds } from './smaller-world.ts';

/** Rounds of all passes, at most. */
const ROUNDS_MAX = 6;

/** Runs a schedule; told every decision of chance that was answered yes. */
export type Run = (scenario: Scenario, onFired?: (fired: Fired) => void) => readonly Violation[];

/** How far it is. */
export interface ShrinkProgress {
  readonly runs: number;
  readonly budget: number;
  /** What is being made smaller. */
  readonly pass: string;
  /** Faults, lies, clients and decisions of chance that are left. */
  readonly parts: number;
}

/** See the top of this file. */
export interface ShrinkOptions {
  readonly run: Run;
  /** Schedules to run at most. */
  readonly budget: number;
  readonly onProgress?: (progress: ShrinkProgress) => void;
}

/** A schedule that was made small. */
export interface Shrunk {
  readonly scenario: Scenario;
  readonly violation: Violation;
  /** Schedules that were run for it. */
  readonly runs: number;
  /** Parts before and after, as in `ShrinkProgress`. */
  readonly before: number;
  readonly after: number;
}

/** The same failure in a smaller schedule; undefined if the schedule does not fail. */
export function shrink(scenario: Scenario, options: ShrinkOptions): Shrunk | undefined {
  const violations = options.run(scenario);
  // Of several that object at once, the one whose name everybody understands.
  const violation = violations.find(({ judge }) => judge === 'agreement') ?? violations[0];
  if (violation === undefined) return undefined;
  const before = partsOf(scenario, options.run);
  const shrinker = new Shrinker(scenario, violation, options);
  shrinker.work();
  const after = partsOf(shrinker.best, options.run);
  return { scenario: shrinker.best, violation: shrinker.violation, runs: shrinker.runs + 3, before, after };
}

/** Faults, lies, clients and decisions of chance of a schedule. */
function partsOf(scenario: Scenario, run: Run): number {
  let fired = 0;
  run(scenario, () => {
    fired += 1;
  });
  return fixedParts(scenario) + fired;
}

function fixedParts({ faults, byzantine, clients, forker }: Scenario): number {
  return faults.length + byzantine.length + clients.length + (forker === undefined ? 0 : 1);
}

class Shrinker {
  best: Scenario;
  violation: Violation;
  runs = 0;
  readonly #judge: JudgeName;
  readonly #options: ShrinkOptions;
  #pass = '';

  constructor(scenario: Scenario, violation: Violation, options: ShrinkOptions) {
    this.best = scenario;
    this.violation = violation;
    this.#judge = violation.judge;
    this.#options = options;
  }

  /** All passes, again and again until none of them helps or the budget is used up. */
  work(): void {
    const passes: readonly (readonly [string, () => void])[] = [
      ['end of the run', () => this.#shorten()],
      ['replicas', () => this.#world()],
      ['faults', () => this.#faults()],
      ['lies', () => this.#lies()],
      ['clients', () => this.#clients()],
      ['settings', () => this.#settings()],
      ['decisions of chance', () => this.#chance()],
      ['plain values', () => this.#values()],
    ];
    let before = '';
    for (let round = 0; before !== JSON.stringify(this.best) && round < ROUNDS_MAX; round += 1) {
      before = JSON.stringify(this.best);
      for (const [name, pass] of passes) {
        this.#pass = name;
        pass();
      }
    }
  }

  /** Whether the same judge objects to a candidate; if so it is the best one from now on. */
  #try(candidate: Scenario): boolean {
    const { run, budget, onProgress } = this.#options;
    if (this.runs >= budget || JSON.stringify(candidate) === JSON.stringify(this.best)) return false;
    this.runs += 1;
    const violation = attempt(run, candidate).find(({ judge }) => judge === this.#judge);
    const fails = violation !== undefined;
    if (fails) {
      this.best = candidate;
      this.violation = violation;
    }
    onProgress?.({
      runs: this.runs,
      budget,
      pass: this.#pass,
      parts: fixedParts(this.best) + (this.best.fires?.length ?? 0),
    });
    return fails;
  }

  #shorten(): void {
    // A run ends at its first violation; of safety, what would have come after it does not matter.
    const end = Math.ceil(this.violation.atMs) + 1;
    if (this.#judge === 'liveness') return;
    if (end < this.best.calmMs) this.#try({ ...this.best, calmMs: end });
    const late = this.best.faults.filter(({ atMs }) => atMs < end);
    if (late.length < this.best.faults.length) this.#try({ ...this.best, faults: late });
  }

  #world(): void {
    for (const candidate of smallerWorlds(this.best)) if (this.#try(candidate)) return;
  }

  #faults(): void {
    if (this.best.faults.length === 0) return;
    minimize(this.best.faults, (faults) => this.#try({ ...this.best, faults }));
  }

  #lies(): void {
    if (this.best.byzantine.length > 0)
      minimize(this.best.byzantine, (byzantine) => this.#try({ ...this.best, byzantine }));
    this.best.byzantine.forEach((entry, index) => {
      // Several lies of one replica are named with a plus between them.
      const parts = entry.behaviour.split('+');
      if (parts.length < 2) return;
      minimize(parts, (kept) => {
        if (kept.length === 0) return false;
        const behaviour = kept.join('+') as typeof entry.behaviour;
        return this.#try({
          ...this.best,
          byzantine: this.best.byzantine.map((one, at) => (at === index ? { ...one, behaviour } : one)),
        });
      });
    });
  }

  #clients(): void {
    if (this.best.clients.length > 1)
      minimize(this.best.clients, (clients) => clients.length > 0 && this.#try({ ...this.best, clients }));
    this.best.clients.forEach((_, index) => {
      const set = (change: Partial<Scenario['clients'][number]>): boolean =>
        this.#try({
          ...this.best,
          clients: this.best.clients.map((client, at) => (at === index ? { ...client, ...change } : client)),
        });
      const { bundles, requestsPerBundle, inFlight } = this.best.clients[index]!;
      least(1, bundles, (value) => value === bundles || set({ bundles: value }));
      least(
        1,
        requestsPerBundle,
        (value) => value === requestsPerBundle || set({ requestsPerBundle: value }),
      );
      least(1, inFlight, (value) => value === inFlight || set({ inFlight: value }));
    });
  }

  /** Towards a quiet cluster, first whole groups of settings, then one by one. */
  #settings(): void {
    for (const candidate of plainer(this.best)) this.#try(candidate(this.best));
  }

  #chance(): void {
    if (this.best.fires === undefined) {
      const fires: Fired[] = [];
      this.#options.run(this.best, (fired) => fires.push(fired));
      this.runs += 1;
      if (!this.#try({ ...this.best, fires })) return;
    }
    minimize(this.best.fires ?? [], (fires) => this.#try({ ...this.best, fires }));
    if (this.best.fires?.length === 0) this.#try(withoutField(this.best, 'fires'));
  }

  #values(): void {
    for (const candidate of rounded(this.best)) this.#try(candidate(this.best));
    this.best.faults.forEach((_, index) => {
      const set = (change: { readonly atMs?: number; readonly forMs?: number }): boolean =>
        this.#try({
          ...this.best,
          faults: this.best.faults
            .map((fault, at) => (at === index ? { ...fault, ...change } : fault))
            .sort((a, b) => a.atMs - b.atMs),
        });
      const { atMs, forMs } = this.best.faults[index]!;
      if (!Number.isInteger(atMs)) set({ atMs: Math.round(atMs) });
      if (!Number.isInteger(forMs)) set({ forMs: Math.ceil(forMs) });
      // Earlier: then the run before it is shorter too.
      for (let half = Math.floor(atMs / 2); half > 0 && set({ atMs: half }); half = Math.floor(half / 2));
      const shortest = this.best.faults[index]!.forMs;
      least(1, Math.ceil(shortest), (value) => value >= shortest || set({ forMs: value }));
    });
  }
}

/** A candidate may be no scenario at all (limits that do not fit each other): then it does not fail in the wanted way. */
function attempt(run: Run, candidate: Scenario): readonly Violation[] {
  try {
    return run(candidate);
  } catch {
    return [];
  }
}
