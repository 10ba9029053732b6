/** One client process of the benchmark: many operations in flight over the client library, each begun when one ends. */
import { parseArgs } from 'node:util';
import { connect } from '../../client/client.ts';
import type { MoietyClient } from '../../client/contract.ts';
import { readKeyFile } from '../../client/keys.ts';
import { readClusterFile } from '../cluster-file.ts';
import { Meter } from './measured.ts';
import type { LoadSettings } from './measured.ts';

/** Keys that are written again and again by one process. */
const KEYS = 10_000;
const ERRORS_MAX = 1_000;

async function keepOneInFlight(
  client: MoietyClient,
  meter: Meter,
  next: () => Uint8Array,
  value: Uint8Array,
): Promise<void> {
  let failures = 0;
  while (!meter.isOver && failures < ERRORS_MAX) {
    const startMs = performance.now();
    try {
      await client.put(next(), value);
      meter.done(startMs);
    } catch {
      meter.failed();
      failures += 1;
      await new Promise((done) => setTimeout(done, 50));
    }
  }
}

const { values } = parseArgs({
  options: {
    cluster: { type: 'string' },
    key: { type: 'string' },
    name: { type: 'string' },
    window: { type: 'string' },
  },
});
const cluster = readClusterFile(values.cluster!);
const client = await connect({
  cluster,
  key: readKeyFile(values.key!),
  window: Number(values.window),
  connectTimeoutMs: 20_000,
});
await client.noop();
process.once('disconnect', () => process.exit(0));
process.once('message', (message: { settings: LoadSettings }) => {
  const { settings } = message;
  const keys = Array.from({ length: KEYS }, (_, index) => Buffer.from(`bench/${values.name}/${index}`));
  const value = new Uint8Array(settings.payload).map((_, index) => 33 + ((index * 7) % 90));
  const meter = new Meter(settings);
  let count = 0;
  const next = (): Uint8Array => keys[count++ % KEYS]!;
  const loops = Array.from({ length: settings.inFlight }, () => keepOneInFlight(client, meter, next, value));
  void Promise.all(loops).then(() => process.send!(meter.result, () => process.exit(0)));
});
process.send!({ kind: 'ready' });
