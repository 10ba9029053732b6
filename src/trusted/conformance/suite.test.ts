/** Every module of trusted/ passes its checks, under both suites and on persistent and volatile footprints. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Prng } from '../../core/prng.ts';
import { checkSignature, TestComponent } from './environment.testing.ts';
import type { TestComponentOptions } from './environment.testing.ts';
import { runCheck } from './harness.ts';
import { CHECKED_PROGRAMS, conformanceOf } from './suite.ts';

const KINDS: readonly Omit<TestComponentOptions, 'program'>[] = [
  { suite: 'ed25519', persistent: true },
  { suite: 'hmac-sha256', persistent: true },
  { suite: 'ed25519', persistent: false },
];

for (const program of CHECKED_PROGRAMS) {
  for (const kind of KINDS) {
    test(`${program}, ${kind.suite}, ${kind.persistent === true ? 'persistent' : 'volatile'}`, async (t) => {
      const component = new TestComponent({ program, ...kind });
      component.tickMs = 5;
      const signed = kind.suite === 'ed25519' ? { checkSignature } : {};
      for (const { name, run } of conformanceOf(program)) {
        await t.test(name, () => {
          const context = { prng: new Prng(7), calls: 500, ...signed };
          runCheck(run(context), component, () => component.restart());
        });
      }
    });
  }
}

test('a program that nobody knows has no checks', () => {
  assert.deepEqual(conformanceOf('toString'), []);
});

test('what was made of strange records does not pass for a good image after the next restart', () => {
  for (const program of CHECKED_PROGRAMS) {
    const component = new TestComponent({ program });
    component.records = [new Uint8Array(40).fill(0xee)];
    component.restart();
    assert.ok(!component.compact(), program);
  }
});
