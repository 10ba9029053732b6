/**
 * `npm run sim:long -- [--protocol NAME] [--seeds 20000] [--from 1] [--workers N]`: the conformance suite over many
 * seeds, on all processors; one line for each protocol. Exit code 1 if anything was violated.
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { PROTOCOLS } from '../../src/protocols/catalogue.ts';
import { EMPTY_TALLY, joinTallies, tallyLine } from '../../src/sim/family/tally.ts';
import type { FamilyTally } from '../../src/sim/family/tally.ts';
import type { Share } from './worker.ts';

const USAGE = `npm run sim:long -- [--protocol NAME] [--seeds COUNT] [--from SEED] [--workers COUNT]
The conformance suite of the protocols over many seeds, on all processors; one line for each protocol.`;

/** Ends with a sentence. */
function refuse(sentence: string): never {
  console.error(`${sentence}\n${USAGE}`);
  process.exit(2);
}

function optionsOf() {
  try {
    return parseArgs({ options: OPTIONS }).values;
  } catch (error) {
    return refuse((error as Error).message);
  }
}

/** A whole number from 1 on. */
function countOf(name: string, text: string): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  return value >= 1 ? value : refuse(`--${name} takes a whole number from 1 on, not "${text}".`);
}

const OPTIONS = {
  help: { type: 'boolean', default: false },
  protocol: { type: 'string' },
  seeds: { type: 'string', default: '20000' },
  from: { type: 'string', default: '1' },
  workers: { type: 'string', default: String(availableParallelism()) },
} as const;

const values = optionsOf();
if (values.help) {
  console.log(USAGE);
  process.exit(0);
}

function runShare(share: Share): Promise<FamilyTally> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData: share });
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

const names = PROTOCOLS.map(({ name }) => name).filter(
  (name) => values.protocol === undefined || name === values.protocol,
);
if (names.length === 0)
  refuse(
    `There is no protocol ${values.protocol}: take one of ${PROTOCOLS.map(({ name }) => name).join(', ')}.`,
  );
const from = countOf('from', values.from);
const end = from + countOf('seeds', values.seeds);
const step = countOf('workers', values.workers);
for (const protocol of names) {
  const begin = performance.now();
  const shares = Array.from({ length: step }, (_, index) =>
    runShare({ protocol, from: from + index, end, step }),
  );
  const tally = (await Promise.all(shares)).reduce(joinTallies, EMPTY_TALLY);
  const seconds = (performance.now() - begin) / 1000;
  console.log(`${tallyLine(protocol, tally)}; ${seconds.toFixed(0)} s`);
  for (const failure of tally.failures) console.log(`    ${failure}`);
  if (tally.violating > 0) process.exitCode = 1;
}
