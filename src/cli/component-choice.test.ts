import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addComponentChoice, componentsFor, readComponentSpec, volatileWarning } from './component-choice.ts';
import type { Components } from './component-choice.ts';
import { EXIT } from './failure.ts';

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
    refusal(() => readComponentSpec('trinc@process')),
    /needs the program usig.*Write usig@process/,
  );
  assert.match(
    refusal(() => readComponentSpec('usig@abacus')),
    /no footprint "abacus"; there are .*process/,
  );
  assert.match(
    refusal(() => componentsFor(addComponentChoice('3=usig@wasm', undefined), 3)),
    /no replica 3/,
  );
});

test('a component for one replica wins over the one for all, whatever comes first', () => {
  const wasm = { program: 'usig', footprint: 'wasm', argument: '' };
  const service = { program: 'usig', footprint: 'service', argument: 'host:1=2' };
  const usual = { program: 'usig', footprint: 'process', argument: '' };
  const first = addComponentChoice('usig@service:host:1=2', addComponentChoice('1=usig@wasm', undefined));
  assert.deepEqual(componentsFor(first, 3), [service, wasm, service]);
  assert.deepEqual(componentsFor(addComponentChoice('1=usig@wasm', undefined), 3), [usual, wasm, usual]);
  assert.deepEqual(componentsFor(undefined, 3), [usual, usual, usual]);
});

test('volatile components are told of, more than f of them as a warning', async () => {
  const cluster = (...footprints: readonly string[]): Components =>
    footprints.map((footprint) => ({ program: 'usig', footprint }));
  assert.equal(await volatileWarning(cluster('process', 'process', 'process')), undefined);
  assert.match(
    (await volatileWarning(cluster('process', 'wasm', 'process'))) ?? '',
    /^Replica 1 \(usig@wasm\) has/,
  );
  assert.match(
    (await volatileWarning(cluster('process', 'tpm', 'vm'))) ?? '',
    /1 \(usig@tpm\), 2.*so a power cut/,
  );
  const words = (await volatileWarning(cluster('worker', 'wasm', 'process'))) ?? '';
  assert.match(words, /^WARNING.*0 \(usig@worker\), 1 \(usig@wasm\).*more than f = 1, so stopping the whole/);
});
