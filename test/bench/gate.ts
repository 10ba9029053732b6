/**
 * `npm run bench:gate`: fails if the product lost more than 30 % against the floor since ratios.json was written. Noise of
 * the machine hits the product and the floor that follows it alike, medians of several alternations are compared, and
 * what is lost must be lost in three attempts.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { ClusterChoice } from '../../src/cli/bench/cluster.ts';
import { messageOf } from '../../src/cli/failure.ts';
import { bestOf, lossesOf } from './judge-ratios.ts';
import type { KeptRatios, Ratios } from './judge-ratios.ts';
import { closed, cluster, measured, point, sit } from './measure.ts';
import type { Effort } from './measure.ts';

const USAGE = `usage: npm run bench:gate -- [--write] [--runs N]

  --write   judge nothing, keep the ratios of now in test/bench/ratios.json
  --runs    alternations of each point (default 5)`;
const FILE = join(dirname(fileURLToPath(import.meta.url)), 'ratios.json');
const ATTEMPTS = 3;
/** Share of raw sockets that the floor must reach, or it is no measure: in the middle of what an idle machine gives. */
const FLOOR_OF_RAW_MIN = 0.1;

const CLUSTERS: readonly (readonly [name: string, choice: ClusterChoice, inFlight: readonly number[]])[] = [
  ['memory', cluster(), [1, 64, 1_024]],
  ['fsync', cluster({ durability: 'fsync' }), [256]],
  ['null operations, usig@wasm', cluster({ tc: 'usig@wasm', workload: 'null' }), [1_024]],
];

function settings(): { readonly write: boolean; readonly effort: Effort } {
  try {
    const boolean = { type: 'boolean' } as const;
    const { values } = parseArgs({ options: { write: boolean, help: boolean, runs: { type: 'string' } } });
    if (values.help === true) {
      console.log(USAGE);
      process.exit(0);
    }
    const runs = values.runs ?? '5';
    if (!/^[1-9]\d?$/.test(runs)) throw new Error('--runs must be a whole number from 1 to 99.');
    const note = (text: string): void => console.error(text);
    return { write: values.write === true, effort: { quick: false, runs: Number(runs), seconds: 1, note } };
  } catch (error) {
    console.error(`${messageOf(error)}\n${USAGE}`);
    process.exit(2);
  }
}

async function attempt(effort: Effort): Promise<Ratios> {
  const ratios: Record<string, number> = {};
  for (const [name, choice, inFlight] of CLUSTERS)
    await sit(choice, { floor: true, raw: true }, effort, async (sitting) => {
      for (const count of inFlight) {
        const { row } = await measured(sitting, name, effort, point(effort, closed(count)));
        if (row.errors > 0) throw new Error(`${name}: ${row.errors} errors; the first: ${row.problem}`);
        if ((row.floorOfRaw?.median ?? 0) < FLOOR_OF_RAW_MIN)
          throw new Error(
            `the floor reaches ${((row.floorOfRaw?.median ?? 0) * 100).toFixed(1)} % of raw sockets, below ${FLOOR_OF_RAW_MIN * 100} %`,
          );
        ratios[`${name}, ${count} in flight`] = Number((row.ofFloor?.median ?? 0).toPrecision(4));
      }
    });
  return ratios;
}

async function judge(effort: Effort): Promise<boolean> {
  const kept = JSON.parse(readFileSync(FILE, 'utf8')) as KeptRatios;
  const attempts: Ratios[] = [];
  let losses: readonly string[] = [];
  for (let number = 1; number <= ATTEMPTS; number += 1) {
    effort.note(`attempt ${number} of at most ${ATTEMPTS}`);
    attempts.push(await attempt(effort));
    losses = lossesOf(kept.ratios, bestOf(attempts));
    if (losses.length === 0) return true;
  }
  for (const loss of losses) console.log(loss);
  if (kept.cores === availableParallelism()) return false;
  console.log(
    `The ratios are of ${kept.cores} cores, this machine has ${availableParallelism()}: not judged.`,
  );
  return true;
}

async function keep(effort: Effort): Promise<void> {
  const kept: KeptRatios = { cores: availableParallelism(), ratios: await attempt(effort) };
  writeFileSync(FILE, `${JSON.stringify(kept, undefined, 2)}\n`);
  console.log(`kept: ${JSON.stringify(kept.ratios)}`);
}

const { write, effort } = settings();
try {
  if (write) await keep(effort);
  else {
    const isGood = await judge(effort);
    console.log(isGood ? 'No ratio to the floor has lost more than 30 %.' : 'The product has lost ground.');
    process.exitCode = isGood ? 0 : 1;
  }
} catch (error) {
  console.error(`The gate could not be measured: ${messageOf(error)}`);
  process.exitCode = 1;
}
