import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Behaviour } from '../adversary/behaviours.ts';
import { runSchedule } from './run-schedule.ts';

/** Runs some seeds with one liar; gives the rules under which it was proved, by seed. */
function provedOver(behaviour: Behaviour, liar: number, seeds: number): string[][] {
  const proved: string[][] = [];
  for (let seed = 1; seed <= seeds; seed += 1) {
    const { accused, violations, reproduce } = runSchedule(seed, {
      replicas: 3,
      byzantine: [{ replica: liar, behaviour }],
    });
    assert.deepEqual(violations, [], reproduce);
    assert.ok(
      accused.every(({ replica }) => replica === liar),
      `${reproduce} accused a correct replica`,
    );
    proved.push(accused.flatMap(({ rules }) => rules));
  }
  return proved;
}

test('a lie against a stable checkpoint is proved in nearly every schedule', () => {
  const proved = provedOver('lie-checkpoint', 2, 10);
  assert.ok(proved.filter((rules) => rules.includes('wrongCheckpoint')).length >= 8);
});

test('a primary that proposes two batches for one order is proved', () => {
  const proved = provedOver('equivocate', 0, 14);
  assert.ok(proved.some((rules) => rules.includes('doubleProposal')));
});

test('silence, delay, withholding, replays and wrong replies give the protocol no proof against anybody', () => {
  for (const behaviour of ['silent', 'delay', 'withhold', 'replay', 'corrupt-reply'] as const)
    assert.deepEqual(provedOver(behaviour, 1, 3).flat(), [], behaviour);
});
