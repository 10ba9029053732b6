/** Starts hunts in processes of their own, and sums up what the mutants' report is made of. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Catch } from './hunt.ts';
import type { Hunt, Mutant } from './mutants.ts';

const run = promisify(execFile);
const here = (file: string): string => fileURLToPath(new URL(file, import.meta.url));

/** Lets a mutant (or, with '', the original) go through hunts. Fails if a patch does not fit. */
export async function hunt(mutant: string, hunts: readonly Hunt[]): Promise<readonly Catch[]> {
  const environment: NodeJS.ProcessEnv = { ...process.env, MOIETY_MUTANT: mutant };
  // Coverage of a patched text would be mapped onto the original one.
  delete environment['NODE_V8_COVERAGE'];
  delete environment['NODE_TEST_CONTEXT'];
  const { stdout } = await run(
    process.execPath,
    ['--import', here('./apply.ts'), here('./hunt.ts'), JSON.stringify(hunts)],
    { env: environment, maxBuffer: 4 * 1024 * 1024 },
  );
  return JSON.parse(stdout) as Catch[];
}

/** One mutant in the report. */
export interface MutantReport {
  readonly number: number;
  readonly id: string;
  readonly removes: string;
  readonly rules: readonly string[];
  readonly files: readonly string[];
  /** `crashed`: a replica stopped on an assertion or an error; that is no judgement, so it does not count. */
  readonly outcome: 'killed' | 'survived' | 'crashed';
  readonly expected: Mutant['expected'];
  /** The constructed history that it went through. */
  readonly scenario: string;
  /** Schedules of it until a judge objected; all of them if none did. */
  readonly schedules: number;
  readonly judge: string | undefined;
  readonly remark: string | undefined;
  /** Drawn schedules on top of that; undefined if none were run. */
  readonly drawn: Drawn | undefined;
}

/** Drawn schedules that a mutant went through. */
export interface Drawn {
  readonly from: number;
  readonly schedules: number;
  /** First seed with a violation, and the judge. */
  readonly seed: number | undefined;
  readonly judge: string | undefined;
}

/** Sends one mutant through its constructed history, and through `drawn` drawn schedules. */
export async function examine(mutant: Mutant, drawn: number): Promise<MutantReport> {
  const hunts: Hunt[] = [mutant.hunt];
  if (drawn > 0) hunts.push({ kind: 'drawn', from: 1, count: drawn });
  const [guided, random] = await hunt(mutant.id, hunts);
  const { number, id, removes, rules, expected, remark } = mutant;
  return {
    number,
    id,
    removes,
    rules,
    files: [...new Set(mutant.patches.map(({ file }) => file))],
    outcome: outcomeOf(guided!),
    expected,
    scenario: mutant.hunt.scenario,
    schedules: guided!.schedules,
    judge: guided!.violation?.judge,
    remark,
    drawn:
      random === undefined
        ? undefined
        : { from: 1, schedules: random.schedules, seed: random.seed, judge: random.violation?.judge },
  };
}

function outcomeOf({ violation }: Catch): MutantReport['outcome'] {
  if (violation === undefined) return 'survived';
  return violation.judge === 'crash' ? 'crashed' : 'killed';
}
