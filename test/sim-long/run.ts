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

const { values } = parseArgs({
  options: {
    protocol: { type: 'string' },
    seeds: { type: 'string', default: '20000' },
    from: { type: 'string', default: '1' },
    workers: { type: 'string', default: String(availableParallelism()) },
  },
});

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
if (names.length === 0) {
  console.error(`There is no protocol ${values.protocol}.`);
  process.exit(2);
}
const from = Number(values.from);
const end = from + Number(values.seeds);
const step = Number(values.workers);
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
