import assert from 'node:assert/strict';
import { test } from 'node:test';
import { drawScenario } from './scenario.ts';
import { runScenario } from './run-schedule.ts';
import { sumOfBytes } from './trace-sum.ts';

test('one byte that is another gives another sum', () => {
  const bytes = Uint8Array.from({ length: 64 }, (_, index) => index);
  const sums = new Set([sumOfBytes(bytes)]);
  for (let at = 0; at < bytes.length; at += 1) {
    const changed = bytes.slice();
    changed[at]! ^= 1;
    sums.add(sumOfBytes(changed));
  }
  assert.equal(sums.size, bytes.length + 1);
});

test('runs that differ in what is said, not in when, have different trace hashes', () => {
  for (const fidelity of ['core', 'whole'] as const) {
    const scenario = drawScenario(5, { replicas: 3, faults: [], durationMs: 300 });
    const [first] = scenario.clients;
    const hashes = [1, 2].map((requestsPerBundle) => {
      const clients = [{ ...first!, requestsPerBundle, bundles: 1, inFlight: 1 }];
      return runScenario({ ...scenario, clients }, { fidelity }).traceHash;
    });
    assert.notEqual(hashes[0], hashes[1], fidelity);
  }
});
