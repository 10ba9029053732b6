/** One client process of the benchmark: many operations on the way over the client library, run by run. */
import { parseArgs } from 'node:util';
import { connect } from '../../client/client.ts';
import type { MoietyClient } from '../../client/contract.ts';
import { readKeyFile } from '../../client/keys.ts';
import { Prng } from '../../core/prng.ts';
import { readClusterFile } from '../cluster-file.ts';
import { closedLoop, openLoop } from './load-loops.ts';
import type { Operate } from './load-loops.ts';
import type { ClientMeasured, ClientOrder, ClientRun } from './load-orders.ts';
import { LoadTally } from './load-tally.ts';
import type { Distribution } from './ycsb/generators.ts';
import { YcsbDriver, ycsbWorkload } from './ycsb/workloads.ts';

/** Keys that are written again and again by one process. */
const KEYS = 10_000;
/** Records that are on the way at once while they are loaded, at most. */
const LOAD_IN_FLIGHT_MAX = 256;

/** Bytes that look like text and do not repeat soon. */
function valueOf(length: number): Uint8Array {
  return new Uint8Array(length).map((_, index) => 33 + ((index * 7) % 90));
}

/** Makes operations; tells the kind of each where there are several. */
interface Source {
  load(): Promise<void>;
  /** For one run with values of so many bytes. */
  begin(payload: number): Operate;
}

function putSource(client: MoietyClient, name: string): Source {
  const keys = Array.from({ length: KEYS }, (_, index) => Buffer.from(`bench/${name}/${index}`));
  let count = 0;
  return {
    load: () => Promise.resolve(),
    begin: (payload) => {
      const value = valueOf(payload);
      return () => [undefined, client.put(keys[count++ % KEYS]!, value)];
    },
  };
}

function ycsbSource(driver: YcsbDriver): Source {
  return {
    load: () => driver.load(Math.min(LOAD_IN_FLIGHT_MAX, Number(values.window))),
    begin: () => () => {
      const kind = driver.nextKind();
      return [kind, driver.perform(kind)];
    },
  };
}

const string = { type: 'string' } as const;
const { values } = parseArgs({
  options: {
    ...{ cluster: string, key: string, index: string, processes: string, window: string },
    ...{ workload: string, distribution: string, records: string, payload: string },
  },
});
const index = Number(values.index);

function sourceOf(client: MoietyClient): Source {
  const workload = ycsbWorkload(values.workload!);
  if (workload === undefined) {
    if (values.workload === 'put') return putSource(client, values.index!);
    return { load: () => Promise.resolve(), begin: () => () => [undefined, client.noop()] };
  }
  const driver = new YcsbDriver({
    client,
    workload,
    distribution: values.distribution as Distribution,
    prng: new Prng(1 + index),
    records: Number(values.records),
    index,
    processes: Number(values.processes),
    value: valueOf(Number(values.payload)),
  });
  return ycsbSource(driver);
}

/** One run of the load. */
async function run(source: Source, settings: ClientRun, seed: number): Promise<ClientMeasured> {
  const tally = new LoadTally(settings);
  const operate = source.begin(settings.payload);
  const { pace } = settings;
  if (pace.kind === 'closed') await closedLoop(tally, pace.inFlight, operate);
  else await openLoop(tally, pace.ratePerSecond, new Prng(seed), operate);
  return tally.result;
}

const client = await connect({
  cluster: readClusterFile(values.cluster!),
  key: readKeyFile(values.key!),
  window: Number(values.window),
  connectTimeoutMs: 30_000,
});
await client.noop({ timeoutMs: 30_000 });
const source = sourceOf(client);
let runs = 0;
process.once('disconnect', () => process.exit(0));
process.on('message', (order: ClientOrder) => {
  runs += 1;
  if (order.kind === 'load') void source.load().then(() => process.send!({ kind: 'loaded' }));
  else void run(source, order.settings, 1_000 * index + runs).then((measured) => process.send!(measured));
});
process.send!({ kind: 'ready' });
