/**
 * Search guided by coverage: drawn schedules, and among them children of schedules that got to something new. A schedule
 * is named by its lineage, the seed of the first ancestor and the seed of each change since, which is all that it takes to
 * run it again.
 */
import { Prng } from '../../../core/prng.ts';
import type { Fired } from '../../chance.ts';
import { corruptCore } from '../../core/run.ts';
import type { ScheduleResult } from '../../run-schedule.ts';
import { drawScenario } from '../../scenario.ts';
import type { Scenario } from '../../scenario.ts';
import { playWorld, worldOf } from '../explorer.ts';
import { findingOf, SEARCH_FINDINGS_MAX } from '../search.ts';
import type { Search, SearchFinding } from '../search.ts';
import { Met, Reached } from './novelty.ts';
import { varied } from './vary.ts';
import type { Played } from './vary.ts';

/** Seed of the first ancestor, then of each change. */
export type Lineage = readonly number[];

/** What a search is. */
export interface GuidedOptions {
  /** First seed of drawn schedules. */
  readonly from: number;
  /** Schedules at most. */
  readonly budget: number;
  /** Share of schedules that are children of earlier ones, in [0, 1]. 0: plain random. */
  readonly share: number;
}

interface Kept extends Played {
  readonly lineage: Lineage;
}

interface Run {
  readonly result: ScheduleResult;
  readonly reached: Reached;
  readonly fired: readonly Fired[];
}

/** Schedules that are kept as parents, the latest ones. */
const KEPT_MAX = 2_000;
/** Every second parent is one of the latest. */
const LATEST = 50;
/** Changes from the first ancestor on, at most: longer lineages take long to run again. */
const LINEAGE_MAX = 24;

/** `17.4.9` */
export function lineageText(lineage: Lineage): string {
  return lineage.join('.');
}

/** The lineage of a text; undefined if it is none. */
export function parseLineage(text: string): Lineage | undefined {
  if (!/^\d{1,15}(\.\d{1,10})*$/.test(text)) return undefined;
  const lineage = text.split('.').map(Number);
  return lineage.length <= LINEAGE_MAX + 1 ? lineage : undefined;
}

function run(scenario: Scenario, lineage: Lineage): Run {
  const reached = new Reached();
  const fired: Fired[] = [];
  const world = worldOf(scenario, {
    corrupt: (context) => corruptCore(context),
    trace: reached.trace,
    onFired: (one) => fired.push(one),
    listener: {
      onArrival: () => {
        reached.onFrame(world);
        return true;
      },
    },
  });
  const result = playWorld(world, `moiety sim explore --strategy guided --lineage ${lineageText(lineage)}`);
  return { result, reached, fired };
}

/** Runs the schedule of a lineage again; its ancestors run too, for changes depend on what happened in them. */
export function runLineage(lineage: Lineage): ScheduleResult {
  const [root = 0, ...changes] = lineage;
  let scenario = drawScenario(root, { short: true });
  let last = run(scenario, [root]);
  changes.forEach((change, index) => {
    scenario = varied({ scenario, fired: last.fired }, new Prng(change));
    last = run(scenario, lineage.slice(0, index + 2));
  });
  return last.result;
}

/** See the top of this file. */
export class GuidedSearch implements Search {
  readonly findings: SearchFinding[] = [];
  violating = 0;
  readonly #options: GuidedOptions;
  readonly #random: Prng;
  readonly #met = new Met();
  #kept: Kept[] = [];
  #nextSeed: number;
  #schedules = 0;
  #children = 0;
  #foundByDrawn = 0;
  #foundByChildren = 0;

  constructor(options: GuidedOptions) {
    this.#options = options;
    this.#random = new Prng(options.from + 0x9d1de);
    this.#nextSeed = options.from;
  }

  advance(): boolean {
    const { share, budget } = this.#options;
    if (this.#schedules >= budget) return false;
    this.#schedules += 1;
    const parent = this.#kept.length > 0 && this.#random.chance(share) ? this.#pickParent() : undefined;
    if (parent === undefined) {
      const seed = this.#nextSeed;
      this.#nextSeed += 1;
      this.#foundByDrawn += this.#play(drawScenario(seed, { short: true }), [seed]);
    } else {
      const change = this.#random.u32();
      this.#children += 1;
      this.#foundByChildren += this.#play(varied(parent, new Prng(change)), [...parent.lineage, change]);
    }
    return true;
  }

  /** Runs a schedule; how much it met that nobody had met before. */
  #play(scenario: Scenario, lineage: Lineage): number {
    const { result, reached, fired } = run(scenario, lineage);
    const fresh = this.#met.add(reached);
    if (fresh > 0 && lineage.length <= LINEAGE_MAX) {
      this.#kept.push({ scenario, fired, lineage });
      if (this.#kept.length > KEPT_MAX) this.#kept = this.#kept.slice(-KEPT_MAX / 2);
    }
    const finding = findingOf({ index: 0, text: `schedule ${lineageText(lineage)}`, result });
    if (finding === undefined) return fresh;
    this.violating += 1;
    if (this.findings.length < SEARCH_FINDINGS_MAX) this.findings.push(finding);
    return fresh;
  }

  #pickParent(): Kept {
    const kept = this.#kept;
    const first = this.#random.chance(0.5) ? Math.max(0, kept.length - LATEST) : 0;
    return kept[this.#random.between(first, kept.length - 1)]!;
  }

  figures(): Readonly<Record<string, number>> {
    return {
      schedules: this.#schedules,
      children: this.#children,
      cells: this.#met.cells.size,
      abstractStates: this.#met.states.size,
      newByDrawn: this.#foundByDrawn,
      newByChildren: this.#foundByChildren,
      kept: this.#kept.length,
      nextSeed: this.#nextSeed,
    };
  }

  /** What was kept is gone with the search: a later one begins with other seeds. */
  goOn(): string | undefined {
    return `--from ${this.#nextSeed}`;
  }
}
