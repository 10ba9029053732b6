/** What a certificate costs where nothing is between caller and module: the HMAC suite in process. */
import { createHash, createHmac, createSecretKey, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { bytesToTcEpoch } from '../../core/bytes.ts';
import { startGroupComponent } from '../../footprints/wasm/loader.ts';
import { encodeTrustedRequest } from '../../trusted/frames.ts';
import { workloadOf } from '../../trusted/programs/workloads.ts';
import { measureHmac } from './measure.ts';

/** Microseconds, both measured in turns in the same run. */
export interface InProcessFigures {
  /** Request bytes in, answer bytes out, with a USIG of the HMAC suite. */
  readonly certifyUs: number;
  /** One HMAC-SHA-256 of a statement by the platform. */
  readonly hmacUs: number;
  /** certifyUs / hmacUs. */
  readonly ratio: number;
}

const TURNS = 5;
const BATCH = 2_000;

/** Measures for about `durationMs`; medians of five turns each. */
export function measureInProcess(durationMs: number): InProcessFigures {
  const program = startGroupComponent(
    new Uint8Array(readFileSync(new URL('../../../trusted/usig.wasm', import.meta.url))),
    {
      groupKey: new Uint8Array(randomBytes(32)),
      groupId: new Uint8Array(randomBytes(16)),
      replica: 0,
      tcEpoch: bytesToTcEpoch(new Uint8Array(randomBytes(8))),
      hash: (bytes) => new Uint8Array(createHash('sha256').update(bytes).digest()),
      hmac: (key, message) => new Uint8Array(createHmac('sha256', createSecretKey(key)).update(message).digest()),
    },
  );
  const request = encodeTrustedRequest(workloadOf('usig')!.request(1));
  for (let index = 0; index < BATCH; index += 1) program.handle(request);
  const certify: number[] = [];
  const hmac: number[] = [];
  for (let turn = 0; turn < TURNS; turn += 1) {
    const end = performance.now() + durationMs / (2 * TURNS);
    const start = performance.now();
    let calls = 0;
    while (performance.now() < end || calls === 0) {
      for (let index = 0; index < BATCH; index += 1) program.handle(request);
      calls += BATCH;
    }
    certify.push(((performance.now() - start) * 1000) / calls);
    hmac.push(measureHmac(durationMs / (2 * TURNS)));
  }
  const median = (values: number[]): number => values.toSorted((a, b) => a - b)[TURNS >> 1]!;
  const [certifyUs, hmacUs] = [median(certify), median(hmac)];
  return { certifyUs, hmacUs, ratio: certifyUs / hmacUs };
}
