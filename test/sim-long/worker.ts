/** One share of a long run: seeds of one protocol, one after the other. */
import { parentPort, workerData } from 'node:worker_threads';
import { protocolNamed } from '../../src/protocols/catalogue.ts';
import { addToTally, EMPTY_TALLY } from '../../src/sim/family/tally.ts';
import { runFamilySeed } from '../../src/sim/family/run.ts';

/** What a worker is asked for: every `step`-th seed from `from` on, below `end`. */
export interface Share {
  readonly protocol: string;
  readonly from: number;
  readonly end: number;
  readonly step: number;
}

const { protocol: name, from, end, step } = workerData as Share;
const protocol = protocolNamed(name)!;
let tally = EMPTY_TALLY;
for (let seed = from; seed < end; seed += step) tally = addToTally(tally, runFamilySeed(protocol, seed));
parentPort!.postMessage(tally);
