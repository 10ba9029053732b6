import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  addComponentChoice,
  componentsFor,
  NO_COMPONENT,
  readComponentSpec,
  shortSpec,
  volatileWarning,
} from './component-choice.ts';
import type { Components } from './component-choice.ts';
import { EXIT } from './failure.ts';
import { faultsOf, replicasOf, requireProtocol } from './protocol-choice.ts';

const minbft = { name: 'minbft', trustedProgram: 'usig' };

function refusal(work: () => unknown): string {
  let message = '';
  assert.throws(work, (error: Error & { exitCode?: number }) => {
    message = error.message;
    return error.exitCode === EXIT.usage;
  });
  return message;
}

test('a component that cannot be is told with what there is', () => {
  assert.match(
    refusal(() => readComponentSpec('usig')),
    /program@footprint/,
  );
  assert.match(
    refusal(() => readComponentSpec('abacus@process')),
    /no trusted program "abacus"; there are usig, /,
  );
  assert.match(
    refusal(() => componentsFor(addComponentChoice('trinc@process', undefined), 3, minbft)),
    /minbft is built on the trusted program usig, not on trinc: write usig@process, or take another protocol \(on trinc: .*flexi-bft.*\)\.$/,
  );
  assert.match(
    refusal(() => readComponentSpec('usig@abacus')),
    /no footprint "abacus"; there are .*process/,
  );
  assert.match(
    refusal(() => componentsFor(addComponentChoice('3=usig@wasm', undefined), 3, minbft)),
    /no replica 3/,
  );
});

test('each protocol has its program on the usual footprint, or none', () => {
  const trinc = { name: 'flexi-bft', trustedProgram: 'trinc' };
  const usual = { program: 'trinc', footprint: 'process', argument: '' };
  assert.deepEqual(componentsFor(undefined, 2, trinc), [usual, usual]);
  const bare = { name: 'pbft', trustedProgram: undefined };
  assert.deepEqual(componentsFor(undefined, 1, bare), [NO_COMPONENT]);
  assert.equal(shortSpec(NO_COMPONENT), 'none');
  const choice = addComponentChoice('usig@process', undefined);
  assert.match(
    refusal(() => componentsFor(choice, 4, bare)),
    /pbft is not built on trusted components/,
  );
});

test('the number of replicas follows from the protocol and f, or says which f it is', () => {
  assert.equal(replicasOf(requireProtocol('minbft'), {}), 3);
  assert.equal(replicasOf(requireProtocol('pbft'), {}), 4);
  assert.equal(replicasOf(requireProtocol('pbft'), { f: 2 }), 7);
  assert.equal(replicasOf(requireProtocol('minbft'), { replicas: 5 }), 5);
  assert.equal(faultsOf(requireProtocol('pbft'), 7), 2);
  assert.match(
    refusal(() => replicasOf(requireProtocol('pbft'), { replicas: 5 })),
    /cannot have 5 replicas, but 4, 7, 10, …\./,
  );
  assert.match(
    refusal(() => replicasOf(requireProtocol('minbft'), { replicas: 5, f: 1 })),
    /needs 3 replicas for f = 1/,
  );
  assert.match(
    refusal(() => requireProtocol('paxos')),
    /no protocol "paxos"; there are minbft, .*pbft, /,
  );
});

test('a component for one replica wins over the one for all, whatever comes first', () => {
  const wasm = { program: 'usig', footprint: 'wasm', argument: '' };
  const service = { program: 'usig', footprint: 'service', argument: 'host:1=2' };
  const usual = { program: 'usig', footprint: 'process', argument: '' };
  const first = addComponentChoice('usig@service:host:1=2', addComponentChoice('1=usig@wasm', undefined));
  assert.deepEqual(componentsFor(first, 3, minbft), [service, wasm, service]);
  assert.deepEqual(componentsFor(addComponentChoice('1=usig@wasm', undefined), 3, minbft), [
    usual,
    wasm,
    usual,
  ]);
  assert.deepEqual(componentsFor(undefined, 3, minbft), [usual, usual, usual]);
});

test('volatile components are told of, more than f of them as a warning', async () => {
  const cluster = (...footprints: readonly string[]): Components =>
    footprints.map((footprint) => ({ program: 'usig', footprint }));
  assert.equal(await volatileWarning(cluster('process', 'process', 'process'), 1, minbft), undefined);
  assert.match(
    (await volatileWarning(cluster('process', 'wasm', 'process'), 1, minbft)) ?? '',
    /^Replica 1 \(usig@wasm\) has/,
  );
  assert.match(
    (await volatileWarning(cluster('process', 'tpm', 'vm'), 1, minbft)) ?? '',
    /1 \(usig@tpm\), 2.*more than f = 1: a power cut ends the cluster for good/,
  );
  const lost = await volatileWarning(cluster('process', 'vm', 'process'), 1, {
    name: 'cheapbft',
    trustedProgram: 'cash',
  });
  assert.match(
    lost ?? '',
    /comes back as a new one, which cheapbft cannot re-admit, so its replica is lost\./,
  );
  const words = (await volatileWarning(cluster('worker', 'wasm', 'process'), 1, minbft)) ?? '';
  assert.match(
    words,
    /^WARNING: Replicas 0 \(usig@worker\), 1 \(usig@wasm\) .*more than f = 1: a full stop ends the cluster for good/,
  );
});
