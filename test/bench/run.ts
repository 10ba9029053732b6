/**
 * `npm run bench`: measures every section of docs/benchmarks.md and draws its tables and plots anew. `--only` measures
 * some, `--render` none: it draws from what was kept.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { format, resolveConfig } from 'prettier';
import { thisMachine } from '../../src/cli/bench/machine.ts';
import { messageOf } from '../../src/cli/failure.ts';
import type { Effort } from './measure.ts';
import { fill, render } from './page.ts';
import type { Kept, KeptResults } from './page.ts';
import { LONG_SECTIONS, MEASURES, SECTIONS } from './sections.ts';
import type { Results } from './sections.ts';

const USAGE = `usage: npm run bench -- [--quick] [--only SECTION,...] [--runs N] [--seconds N] [--render]

  --quick     one run of one second of each point, and fewer points
  --only      only these sections: ${SECTIONS.join(', ')} (${LONG_SECTIONS.join(', ')}: only if named)
  --runs      alternations of each point (default 5)
  --seconds   of each run (default 1)
  --render    measure nothing, draw tables and plots from docs/benchmarks/results.json`;

const docs = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'docs');
const PAGE = join(docs, 'benchmarks.md');
const FOLDER = join(docs, 'benchmarks');
const RESULTS = join(FOLDER, 'results.json');

/** How long the machine is looked at before each section. */
const LOOK_MS = 2_000;

interface Wanted {
  readonly sections: readonly (keyof Results)[];
  readonly effort: Effort;
}

function fail(problem: string): never {
  console.error(`${problem}\n${USAGE}`);
  process.exit(2);
}

function count(name: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback;
  if (!/^[1-9]\d{0,2}$/.test(text)) fail(`--${name} must be a whole number from 1 to 999.`);
  return Number(text);
}

function wanted(): Wanted {
  const string = { type: 'string' } as const;
  const boolean = { type: 'boolean' } as const;
  try {
    const { values } = parseArgs({
      options: {
        only: string,
        runs: string,
        seconds: string,
        quick: boolean,
        render: boolean,
        help: boolean,
      },
    });
    if (values.help === true) {
      console.log(USAGE);
      process.exit(0);
    }
    const quick = values.quick === true;
    const names = values.only?.split(',') ?? SECTIONS.filter((name) => !LONG_SECTIONS.includes(name));
    const sections = names.map(
      (name) => SECTIONS.find((known) => known === name) ?? fail(`There is no section "${name}".`),
    );
    const runs = count('runs', values.runs, quick ? 1 : 5);
    const seconds = count('seconds', values.seconds, 1);
    const note = (text: string): void => console.error(text);
    return { sections: values.render === true ? [] : sections, effort: { quick, runs, seconds, note } };
  } catch (error) {
    fail(messageOf(error));
  }
}

function keptBefore(): KeptResults {
  if (!existsSync(RESULTS)) return {};
  return JSON.parse(readFileSync(RESULTS, 'utf8')) as KeptResults;
}

async function write(path: string, text: string): Promise<void> {
  const options = await resolveConfig(path);
  writeFileSync(path, await format(text, { ...options, filepath: path }));
}

async function draw(kept: KeptResults): Promise<void> {
  const { blocks, plots } = render(kept);
  mkdirSync(FOLDER, { recursive: true });
  await write(RESULTS, JSON.stringify(kept));
  for (const name of readdirSync(FOLDER)) if (name.endsWith('.svg')) rmSync(join(FOLDER, name));
  for (const [name, svg] of plots) writeFileSync(join(FOLDER, `${name}.svg`), svg);
  await write(PAGE, fill(readFileSync(PAGE, 'utf8'), blocks));
}

/** How much of the processor is in use while nothing is measured, percent: the work of others. */
async function usedBefore(): Promise<number> {
  const sum = (): { readonly all: number; readonly idle: number } => {
    const times = cpus().map((core) => core.times);
    const all = times.reduce(
      (total, { user, nice, sys, idle, irq }) => total + user + nice + sys + idle + irq,
      0,
    );
    return { all, idle: times.reduce((total, { idle }) => total + idle, 0) };
  };
  const before = sum();
  await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  const after = sum();
  return Math.round(100 * (1 - (after.idle - before.idle) / Math.max(1, after.all - before.all)));
}

async function measure<K extends keyof Results>(name: K, effort: Effort): Promise<Kept<Results[K]>> {
  const machine = thisMachine();
  const used = await usedBefore();
  const begun = performance.now();
  const result = await MEASURES[name](effort);
  effort.note(`${name}: ${Math.round((performance.now() - begun) / 1000)} s`);
  return {
    machine,
    usedBefore: used,
    quick: effort.quick,
    runs: effort.runs,
    seconds: effort.seconds,
    result,
  };
}

const { sections, effort } = wanted();
let kept = keptBefore();
let failures = 0;
for (const name of sections) {
  effort.note(`${name} …`);
  try {
    kept = { ...kept, [name]: await measure(name, effort) };
    // What is measured is kept, whatever becomes of the rest.
    await draw(kept);
  } catch (error) {
    failures += 1;
    effort.note(`${name} FAILED: ${messageOf(error)}`);
  }
}
await draw(kept);
process.exit(failures === 0 ? 0 : 1);
