/**
 * Hunts every mutant of the family: first with drawn schedules, then with the protocol's own tests. Writes
 * `family-mutation-report.json` and the table in docs/testing.md. `--only pbft` or `--only pbft/3` hunts some of them,
 * `--seeds 500` sets how many schedules each gets, `--write` renews their entries.
 */
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { format, resolveConfig } from 'prettier';
import { FAMILY_MUTANTS } from './mutants.ts';
import type { FamilyMutant } from './mutant.ts';
import { familyTable, FAMILY_END, FAMILY_START } from './table.ts';
import type { FamilyOutcome, Theme } from './table.ts';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../../', import.meta.url));
const reportFile = `${root}family-mutation-report.json`;
const pageFile = `${root}docs/testing.md`;
const SEEDS = 300;

/** A judge of the simulator that objects to the mutant, and in which schedule. */
export async function huntDrawn(
  { id, protocol }: Pick<FamilyMutant, 'id' | 'protocol'>,
  theme: Theme,
  from: number,
  count: number,
): Promise<{ readonly theme: Theme; readonly seed: number; readonly judge: string } | undefined> {
  const args = ['--import', './test/mutants/apply.ts', 'test/mutants/family/hunt.ts'];
  const { stdout } = await run(process.execPath, [...args, protocol, String(from), String(count), theme], {
    cwd: root,
    env: { ...process.env, MOIETY_MUTANT: id },
  });
  const found = JSON.parse(stdout.trim().split('\n').at(-1)!) as { seed: number; judge: string } | null;
  return found === null ? undefined : { theme, seed: found.seed, judge: found.judge };
}

/** Name of a test of the protocol that fails with the mutant. */
async function huntTests({ id, protocol }: FamilyMutant): Promise<string | undefined> {
  const folder = `src/protocols/${protocol}/`;
  const files = readdirSync(root + folder).filter((file) => file.endsWith('.test.ts'));
  const args = ['--import', './test/mutants/apply.ts', '--test', '--test-reporter=tap'];
  const paths = files.map((file) => folder + file);
  const env: NodeJS.ProcessEnv = { ...process.env, MOIETY_MUTANT: id };
  delete env['NODE_TEST_CONTEXT'];
  try {
    await run(process.execPath, [...args, ...paths], { cwd: root, env, maxBuffer: 64 * 1024 * 1024 });
    return undefined;
  } catch (error) {
    const { stdout = '' } = error as { stdout?: string };
    const failed = [...stdout.matchAll(/^\s*not ok \d+ - (.*)$/gm)].map((match) => match[1]!);
    return failed[0];
  }
}

async function hunt(mutant: FamilyMutant, seeds: number): Promise<FamilyOutcome> {
  const { id, protocol, removes, rules } = mutant;
  const base = { id, protocol, removes, rules };
  for (const theme of ['drawn', 'split'] as const) {
    const drawn = await huntDrawn(mutant, theme, 1, seeds);
    if (drawn !== undefined) return { ...base, drawn };
  }
  const test = await huntTests(mutant);
  return test === undefined ? base : { ...base, test };
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      only: { type: 'string' },
      seeds: { type: 'string', default: String(SEEDS) },
      write: { type: 'boolean', default: false },
    },
  });
  const seeds = Number(values.seeds);
  if (!Number.isSafeInteger(seeds) || seeds < 1)
    throw new Error('--seeds takes a number of schedules, from 1');
  const chosen = FAMILY_MUTANTS.filter(
    ({ id, protocol }) =>
      values.only === undefined || values.only.split(',').some((one) => one === id || one === protocol),
  );
  if (chosen.length === 0) throw new Error(`no mutant is called ${values.only}`);
  const outcomes = new Map<string, FamilyOutcome>();
  for (const mutant of chosen) {
    const outcome = await hunt(mutant, seeds);
    outcomes.set(mutant.id, outcome);
    const how =
      outcome.drawn !== undefined
        ? `${outcome.drawn.theme} ${outcome.drawn.seed}, ${outcome.drawn.judge}`
        : (outcome.test ?? 'NOT NOTICED');
    console.log(`${mutant.id}: ${mutant.removes}: ${how}`);
  }
  const isWhole = values.only === undefined;
  if (isWhole || values.write) await write(outcomes);
  if ([...outcomes.values()].some(({ drawn, test }) => drawn === undefined && test === undefined))
    process.exitCode = 1;
}

async function write(outcomes: ReadonlyMap<string, FamilyOutcome>): Promise<void> {
  const before = readReport();
  const report = FAMILY_MUTANTS.map(
    ({ id }) => outcomes.get(id) ?? before.find((one) => one.id === id),
  ).filter((one) => one !== undefined);
  writeFileSync(reportFile, `${JSON.stringify(report, undefined, 2)}\n`);
  const page = readFileSync(pageFile, 'utf8');
  const [head, rest] = page.split(FAMILY_START);
  const tail = rest?.split(FAMILY_END)[1];
  if (head === undefined || tail === undefined) throw new Error('docs/testing.md has no place for the table');
  const renewed = `${head}${FAMILY_START}\n\n${familyTable(report)}\n\n${FAMILY_END}${tail}`;
  const style = await resolveConfig(pageFile);
  writeFileSync(pageFile, await format(renewed, { ...style, filepath: pageFile }));
}

function readReport(): FamilyOutcome[] {
  try {
    return JSON.parse(readFileSync(reportFile, 'utf8')) as FamilyOutcome[];
  } catch {
    return [];
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
