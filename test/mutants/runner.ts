/** Starts hunts in processes of their own, and sums up what the report is made of. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Fidelity, Mutant } from './catalogue/mutant.ts';
import type { Catch, Hunt } from './hunt.ts';
import { THEMES } from './themes.ts';
import type { ThemeFidelity } from './themes.ts';

const run = promisify(execFile);
const here = (file: string): string => fileURLToPath(new URL(file, import.meta.url));

/** Seeds that a constructed history is played under. */
export const HISTORY_SEEDS = 5;

/** How many schedules are drawn. */
export type Budget = Readonly<Record<Fidelity | 'themed', number>>;

/** A history under all its seeds. */
export function historyHunt(history: string): Hunt {
  return { kind: 'guided', history, from: 1, count: HISTORY_SEEDS };
}

/** Lets a mutant (or, with '', the original) go through hunts. Fails if a patch does not fit. */
export async function hunt(mutant: string, hunts: readonly Hunt[]): Promise<readonly Catch[]> {
  if (hunts.length === 0) return [];
  const environment: NodeJS.ProcessEnv = { ...process.env, MOIETY_MUTANT: mutant };
  // Coverage of a patched text would be mapped onto the original one.
  delete environment['NODE_V8_COVERAGE'];
  delete environment['NODE_TEST_CONTEXT'];
  const { stdout } = await run(
    process.execPath,
    ['--import', here('./apply.ts'), here('./hunt.ts'), JSON.stringify(hunts)],
    { env: environment, maxBuffer: 4 * 1024 * 1024 },
  );
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Catch);
}

/** How a hunt ended, in the report. */
export interface Found {
  /** Schedules until a judge objected; all of them if none did. */
  readonly schedules: number;
  readonly seed?: number;
  readonly judge?: string;
  readonly cpuSeconds: number;
}

/** One mutant in the report. */
export interface MutantReport {
  readonly id: string;
  readonly name: string;
  readonly removes: string;
  readonly rules: readonly string[];
  readonly files: readonly string[];
  /** `crashed`: a replica stopped on an assertion or an error; that is no judgement, so it does not count. */
  readonly outcome: 'killed' | 'survived' | 'crashed';
  readonly expected: Mutant['expected'];
  /** What killed it: plain draws, else those of its theme, else its constructed history. */
  readonly by?: 'drawn' | 'theme' | 'history';
  /** Drawn schedules; absent if none can show the difference, or none were run. */
  readonly drawn?: Found & { readonly fidelity: Fidelity };
  /** Drawn schedules of its theme. */
  readonly themed?: Found & { readonly theme: string; readonly fidelity: ThemeFidelity };
  /** Its constructed history. */
  readonly history?: Found & { readonly name: string };
  readonly control?: string;
  readonly remark?: string;
}

/** `mutation-report.json`. */
export interface Report {
  /** What the original went through. */
  readonly original: readonly {
    readonly where: string;
    readonly schedules: number;
    readonly clean: boolean;
    readonly cpuSeconds: number;
  }[];
  readonly mutants: readonly MutantReport[];
}

function foundOf({ schedules, seed, judge, cpuSeconds }: Catch): Found {
  return {
    schedules,
    ...(seed === undefined ? {} : { seed }),
    ...(judge === undefined ? {} : { judge }),
    cpuSeconds,
  };
}

/** A judge objected, and not only because a replica stopped by itself. */
function isKill(found: Found | undefined): boolean {
  return found?.judge !== undefined && found.judge !== 'crash';
}

/** Sends one mutant through its history and through drawn schedules. */
export async function examine(mutant: Mutant, budget: Budget): Promise<MutantReport> {
  const { id, name, removes, rules, expected, control, remark } = mutant;
  const hunts: Hunt[] = [];
  if (mutant.history !== undefined) hunts.push(historyHunt(mutant.history));
  const count = mutant.drawn === undefined ? 0 : budget[mutant.drawn];
  if (count > 0) hunts.push({ kind: 'drawn', fidelity: mutant.drawn!, from: 1, count });
  const { theme } = mutant;
  if (theme !== undefined && budget.themed > 0)
    hunts.push({ kind: 'themed', theme, from: 1, count: budget.themed });
  const catches = await hunt(id, hunts);
  const biased = catches.find((one) => one.hunt.kind === 'themed');
  const themed = biased && { theme: theme!, fidelity: THEMES.get(theme!)!.fidelity, ...foundOf(biased) };
  const played = catches.find((one) => one.hunt.kind === 'guided');
  const random = catches.find((one) => one.hunt.kind === 'drawn');
  const history = played && { name: mutant.history!, ...foundOf(played) };
  const drawn = random && { fidelity: mutant.drawn!, ...foundOf(random) };
  const by = isKill(drawn) ? 'drawn' : isKill(themed) ? 'theme' : isKill(history) ? 'history' : undefined;
  const crashed = [drawn, themed, history].some((found) => found?.judge === 'crash');
  return {
    id,
    name,
    removes,
    rules,
    files: [...new Set(mutant.patches.map(({ file }) => file))],
    outcome: by !== undefined ? 'killed' : crashed ? 'crashed' : 'survived',
    expected,
    ...(by === undefined ? {} : { by }),
    ...(drawn === undefined ? {} : { drawn }),
    ...(themed === undefined ? {} : { themed }),
    ...(history === undefined ? {} : { history }),
    ...(control === undefined ? {} : { control }),
    ...(remark === undefined ? {} : { remark }),
  };
}

/** Whether an outcome is the one that the catalogue expects. */
export function isExpected({ outcome, expected }: Pick<MutantReport, 'outcome' | 'expected'>): boolean {
  return outcome === (expected === 'killed' ? 'killed' : 'survived');
}
