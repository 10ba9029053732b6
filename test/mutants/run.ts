/** `npm run mutants`: see `options.ts`. Prints a line for each mutant and writes `mutation-report.json`. */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { format } from 'prettier';
import { GUIDED } from './guided/all.ts';
import type { Catch, Hunt } from './hunt.ts';
import { MUTANTS } from './mutants.ts';
import { HELP, OptionError, readOptions } from './options.ts';
import type { RunOptions } from './options.ts';
import { examine, historyHunt, hunt, isExpected } from './runner.ts';
import type { Found, MutantReport, Report } from './runner.ts';
import { mutantSummary, mutantTable, TABLE_END, TABLE_START } from './table.ts';

function toldOf(what: string, found: Found | undefined): string {
  if (found === undefined) return '';
  const { schedules, seed, judge, cpuSeconds } = found;
  const outcome =
    judge === undefined ? `nothing in ${schedules}` : `${judge} at seed ${seed}, after ${schedules}`;
  return `  ${what}: ${outcome} (${cpuSeconds.toFixed(1)} s)`;
}

function tell(report: MutantReport): void {
  const right = isExpected(report) ? 'ok   ' : 'WRONG';
  const { id, name, outcome, drawn, themed, history } = report;
  console.log(
    `${right} ${id.padEnd(12)} ${name.padEnd(34)} ${outcome.padEnd(9)}` +
      toldOf('drawn', drawn) +
      toldOf(`theme ${themed?.theme}`, themed) +
      toldOf(history?.name ?? '', history),
  );
}

/** Schedules of each theme that the original goes through at least. */
const ORIGINAL_MIN = 40;

/** The same seeds and histories for the original, of themes as far as a mutant needed. Everything that a judge objects to. */
async function examineOriginal(
  options: RunOptions,
  reports: readonly MutantReport[],
): Promise<readonly Catch[]> {
  const wanted = MUTANTS.filter(({ id }) => options.only?.has(id) !== false);
  const histories = new Set(wanted.flatMap(({ history }) => (history === undefined ? [] : [history])));
  const hunts: Hunt[] = [...GUIDED.keys()].filter((name) => histories.has(name)).map(historyHunt);
  for (const fidelity of ['core', 'whole'] as const) {
    const count = fidelity === 'core' ? options.drawn : options.whole;
    if (count > 0 && wanted.some(({ drawn }) => drawn === fidelity))
      hunts.push({ kind: 'drawn', fidelity, from: 1, count });
  }
  const themes = new Set(wanted.flatMap(({ theme }) => (theme === undefined ? [] : [theme])));
  if (options.themed > 0)
    for (const theme of themes)
      hunts.push({ kind: 'themed', theme, from: 1, count: originalCount(theme, options, reports) });
  return hunt('', hunts);
}

/** Schedules of a theme that any mutant in it needed; at least a few. */
function originalCount(theme: string, { themed }: RunOptions, reports: readonly MutantReport[]): number {
  const needed = reports.flatMap((one) => (one.themed?.theme === theme ? [one.themed.schedules] : []));
  return Math.min(themed, Math.max(ORIGINAL_MIN, ...needed));
}

/** Where a hunt was, in words. */
function placeOf(where: Hunt): string {
  if (where.kind === 'guided') return where.history;
  return where.kind === 'themed' ? `theme/${where.theme}` : `drawn/${where.fidelity}`;
}

async function inTurns<T>(
  items: readonly T[],
  jobs: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const waiting = [...items];
  const worker = async (): Promise<void> => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: jobs }, worker));
}

async function main(options: RunOptions): Promise<boolean> {
  let right = true;
  const reports: MutantReport[] = [];
  const wanted = MUTANTS.filter(({ id }) => options.only?.has(id) !== false);
  await inTurns(wanted, options.jobs, async (mutant) => {
    const report = await examine(mutant, {
      core: options.drawn,
      whole: options.whole,
      themed: options.themed,
    });
    reports.push(report);
    tell(report);
    right &&= isExpected(report);
  });
  const original = await examineOriginal(options, reports);
  for (const { hunt: where, seed, judge, text } of original) {
    if (judge === undefined) continue;
    right = false;
    console.log(`WRONG original: ${placeOf(where)} seed ${seed}: ${judge}: ${text}`);
  }
  console.log(`original: ${original.reduce((sum, { schedules }) => sum + schedules, 0)} schedules`);
  if (options.only === undefined || options.write) await write(options, original, reports);
  return right;
}

/** What the report says, or the part of it that is renewed. */
async function write(
  options: RunOptions,
  original: readonly Catch[],
  reports: readonly MutantReport[],
): Promise<void> {
  const path = fileURLToPath(new URL('../../mutation-report.json', import.meta.url));
  const told = original.map(({ hunt: where, schedules, judge, cpuSeconds }) => ({
    where: placeOf(where),
    schedules,
    clean: judge === undefined,
    cpuSeconds,
  }));
  const before = options.only === undefined ? undefined : (JSON.parse(readFileSync(path, 'utf8')) as Report);
  const report: Report = {
    original: joined(before?.original ?? [], told, ({ where }) => where),
    mutants: joined(before?.mutants ?? [], reports.map(kept(before)), ({ id }) => id),
  };
  writeFileSync(path, await format(JSON.stringify(report), { parser: 'json', printWidth: 110 }));
  await writeTable(report);
}

/** With what the report had of plain draws where none were made now. */
function kept(before: Report | undefined): (report: MutantReport) => MutantReport {
  return (report) => {
    const old = before?.mutants.find(({ id }) => id === report.id);
    if (report.drawn !== undefined || old?.drawn === undefined) return report;
    return { ...report, drawn: old.drawn, ...(old.by === 'drawn' ? { by: 'drawn' as const } : {}) };
  };
}

/** Renews the table in `docs/testing.md`. */
async function writeTable(report: Report): Promise<void> {
  const path = fileURLToPath(new URL('../../docs/testing.md', import.meta.url));
  const text = readFileSync(path, 'utf8');
  const [before, rest] = text.split(TABLE_START);
  const after = rest?.split(TABLE_END)[1];
  if (before === undefined || after === undefined) throw new Error(`${path} has lost the marks of its table`);
  const table = `${TABLE_START}\n\n${mutantSummary(report)}\n\n${mutantTable(report)}\n\n${TABLE_END}`;
  writeFileSync(path, await format(`${before}${table}${after}`, { parser: 'markdown', printWidth: 110 }));
}

/** Old entries and new ones, the new one where there are both, by name. */
function joined<T>(old: readonly T[], fresh: readonly T[], nameOf: (one: T) => string): T[] {
  const byName = new Map([...old, ...fresh].map((one) => [nameOf(one), one]));
  return [...byName.values()].sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
}

try {
  const options = readOptions(process.argv.slice(2));
  if (options.help) console.log(HELP);
  else if (options.list)
    for (const { id, name, removes } of MUTANTS) console.log(`${id.padEnd(12)} ${name}: ${removes}`);
  else process.exitCode = (await main(options)) ? 0 : 1;
} catch (error) {
  if (!(error instanceof OptionError)) throw error;
  console.error(`${error.message}\n\n${HELP}`);
  process.exitCode = 2;
}
